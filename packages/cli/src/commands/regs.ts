/** `countervisor regs`: registers at the end, after a number of instructions, or before an instruction. */
import { didYouMean, near } from '@countervisor/core';
import { drive } from '../drive.ts';
import { EXIT, UsageError } from '../exit.ts';
import { readAddress, readCount } from '../input/number.ts';
import type { Io } from '../io.ts';
import { checkDomainName, exitCode, explain } from '../outcome.ts';
import { type CommonFlags, diagnose, prepare } from '../prepare.ts';
import { printError, printWarning } from '../print/error.ts';
import { count, grouped, hex } from '../print/number.ts';
import { table } from '../print/table.ts';
import { pcpuRegisters, type RegisterValue, vcpuRegisters } from '../registers.ts';
import { reports } from '../report.ts';
import { schemaAddress } from '../schemas/parts.ts';
import { type RegsJson, registerJson } from '../schemas/regs.ts';
import { create } from '../session.ts';

export interface RegsFlags extends CommonFlags {
  readonly at?: string;
  readonly decode?: boolean;
  readonly grep?: string;
  readonly domain?: string;
}

type Moment = { readonly icount: number } | { readonly pc: bigint };

function momentOf(at: string | undefined): Moment | undefined {
  if (at === undefined) return undefined;
  const [kind = '', text = ''] = at.split(':', 2);
  if (kind === 'icount') {
    const value = readCount(text);
    if (value !== undefined && value > 0) return { icount: value };
  } else if (kind === 'pc') {
    const value = readAddress(text);
    if (value !== undefined) return { pc: value };
  } else {
    const meant = near(kind, ['icount', 'pc']);
    throw new UsageError(
      'CV_USAGE',
      `--at knows no '${kind}'.`,
      meant === undefined ? 'Write icount:N or pc:0x….' : `Did you mean '${meant}:'?`,
    );
  }
  throw new UsageError('CV_USAGE', `--at ${at} has no number that is one.`, 'Write icount:10000 or pc:0x40080000.');
}

/** A pattern written by the user: bounded, since a bad one could run for ever on long names; names are short. */
function patternOf(grep: string | undefined): RegExp | undefined {
  if (grep === undefined) return undefined;
  try {
    if (grep.length > 200) throw new SyntaxError('it is too long');
    return new RegExp(grep, 'i');
  } catch (error) {
    throw new UsageError(
      'CV_USAGE',
      `--grep takes a regular expression, and this is none: ${(error as Error).message}.`,
      "Write for example --grep 'PMCR|PMOVS'.",
    );
  }
}

function rows(registers: readonly RegisterValue[], decode: boolean): string {
  if (!decode)
    return table(
      registers.map(({ name, value, width }) => [name, hex(value, width)]),
      { left: [1], indent: 2 },
    );
  return registers
    .map(({ name, value, width, fields }) => {
      const parts = fields.map((f) => [
        f.name,
        f.high === f.low ? `${f.low}` : `${f.high}:${f.low}`,
        f.called ?? hex(f.value),
        f.means,
      ]);
      return `  ${name} ${hex(value, width)}\n${table(parts, { left: [3], indent: 4 })}`;
    })
    .join('');
}

export async function regs(io: Io, args: readonly string[], flags: RegsFlags): Promise<number> {
  const moment = momentOf(flags.at);
  const pattern = patternOf(flags.grep);
  const plan = await prepare(io, args, flags);
  checkDomainName(
    '--domain',
    flags.domain,
    plan.guests.map((guest) => guest.xl.name),
  );
  const session = create(plan);
  const { machine } = session;
  diagnose(io, machine, flags);
  const chosen = session.guests
    .map((guest) => guest.domain)
    .filter((domain) => flags.domain === undefined || domain.name === flags.domain);
  const pc = moment !== undefined && 'pc' in moment ? moment.pc : undefined;
  const icount = moment !== undefined && 'icount' in moment ? moment.icount : undefined;
  if (pc !== undefined) for (const domain of chosen) domain.stopAt(pc);
  const reached = (): boolean => chosen.some((domain) => domain.paused);
  const until = Math.min(flags.until ?? Number.POSITIVE_INFINITY, icount ?? Number.POSITIVE_INFINITY);
  const stopped = await drive(io, machine, {
    ...(Number.isFinite(until) && { until }),
    progress: flags.quiet !== true,
    ...(pc !== undefined && { done: reached }),
  });
  if (stopped === 'interrupt') return EXIT.interrupted;
  const results = reports(machine);
  if (pc !== undefined && !reached()) {
    const where = chosen.map((domain) => `${domain.name}: ${grouped(domain.instructions())} instructions`).join('; ');
    printError(
      io,
      new UsageError(
        'CV_NOT_REACHED',
        `No domain came to ${hex(pc)} (${where}).`,
        'Look the address up in the image (nm, objdump); raise --until if there is one.',
      ),
    );
    return EXIT.failed;
  }

  const keep = (registers: readonly RegisterValue[]): RegisterValue[] =>
    registers.filter(({ name }) => pattern === undefined || pattern.test(name));
  const domains = (pc === undefined ? chosen : chosen.filter((domain) => domain.paused)).map((domain) => ({
    domain,
    vcpus: domain.vcpus.map((v) => ({
      vcpu: v.index,
      pc: domain.pc(v),
      level: machine.arch.levels[v.level] as string,
      registers: keep(vcpuRegisters(machine, domain, v.index)),
    })),
  }));
  const pcpus = machine.pcpus.map(({ index }) => ({ pcpu: index, registers: keep(pcpuRegisters(machine, index)) }));
  const decode = flags.decode === true;
  if (flags.json === true) {
    const json: RegsJson = {
      $schema: schemaAddress('regs'),
      domains: domains.map(({ domain, vcpus }) => ({
        name: domain.name,
        instructions: count(domain.instructions()),
        vcpus: vcpus.map((v) => ({
          vcpu: v.vcpu,
          pc: hex(v.pc),
          level: v.level,
          registers: v.registers.map((r) => registerJson(r, decode)),
        })),
      })),
      pcpus: pcpus.map((p) => ({ pcpu: p.pcpu, registers: p.registers.map((r) => registerJson(r, decode)) })),
    };
    io.out(`${JSON.stringify(json, undefined, 2)}\n`);
  } else {
    for (const { domain, vcpus } of domains) {
      for (const v of vcpus) {
        if (pattern !== undefined && v.registers.length === 0) continue;
        io.out(
          `${domain.name} vCPU ${v.vcpu} after ${grouped(domain.instructions())} instructions, pc ${hex(v.pc)}, ${v.level}\n${rows(v.registers, decode)}`,
        );
      }
    }
    for (const p of pcpus) if (p.registers.length > 0) io.out(`pCPU ${p.pcpu}\n${rows(p.registers, decode)}`);
  }
  const any = [...domains.flatMap((d) => d.vcpus), ...pcpus].some((one) => one.registers.length > 0);
  if (!any && pattern !== undefined) {
    const names = machine.arch.registers.map((register) => register.name);
    printError(
      io,
      new UsageError(
        'CV_NO_REGISTER',
        `No register's name matches ${JSON.stringify(flags.grep)}.`,
        didYouMean(flags.grep ?? '', names, '`countervisor list regs` names them.'),
      ),
    );
    return EXIT.usage;
  }
  const before = domains.filter(({ domain }) => icount !== undefined && domain.instructions() < icount);
  for (const { domain } of flags.quiet === true ? [] : before) {
    const message = `${domain.name} was over after ${grouped(domain.instructions())} instructions: these are its registers at the end.`;
    printWarning(io, { code: 'CV_ENDED_BEFORE', message, remedy: '', place: undefined });
  }
  if (moment === undefined) explain(io, session, results, stopped, flags.quiet === true);
  // Who came to the moment is no failure, whatever was to become of it.
  return moment !== undefined && before.length === 0 ? EXIT.ok : exitCode(results, stopped, true);
}
