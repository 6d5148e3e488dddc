/** `countervisor run`: boots domains, shows their consoles as they come, and closes with a table. */
import { listen } from '../consoles.ts';
import { drive } from '../drive.ts';
import type { Io } from '../io.ts';
import { checkDomainName, exitCode, exitFrom, explain } from '../outcome.ts';
import { type CommonFlags, diagnose, prepare } from '../prepare.ts';
import { colours } from '../print/error.ts';
import { closingTable } from '../print/report.ts';
import { reports } from '../report.ts';
import { runJson } from '../schemas/run.ts';
import { create } from '../session.ts';
import { check } from './check.ts';

export interface RunFlags extends CommonFlags {
  readonly exitFrom?: string;
  readonly dryRun?: boolean;
}

export async function run(io: Io, args: readonly string[], flags: RunFlags): Promise<number> {
  if (flags.dryRun === true) return check(io, args, flags);
  const plan = await prepare(io, args, flags);
  checkDomainName(
    '--exit-from',
    flags.exitFrom,
    plan.guests.map((guest) => guest.xl.name),
  );
  const session = create(plan);
  const { machine } = session;
  diagnose(io, machine, flags);
  const c = colours(io, 'out');
  const consoles =
    flags.json === true
      ? undefined
      : listen(machine, (domain, text) => io.out(`${c.cyan(`${domain}|`)}${text === '' ? '' : ` ${text}`}\n`));
  const stopped = await drive(io, machine, {
    until: flags.until,
    progress: flags.quiet !== true && (flags.json === true || !io.tty.out),
  });
  consoles?.close();
  const results = reports(machine);
  if (flags.json === true) io.out(`${JSON.stringify(runJson(results), undefined, 2)}\n`);
  else io.out(`\n${closingTable(results)}`);
  explain(io, session, results, stopped, flags.quiet === true);
  return flags.exitFrom === undefined ? exitCode(results, stopped, false) : exitFrom(flags.exitFrom, results, stopped);
}
