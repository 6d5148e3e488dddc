/** `countervisor check`: configurations validated, nothing created (xl create -n, with the reasons of every refusal). */
import type { CountervisorError } from '@countervisor/contract';
import {
  CDF,
  type CreationRefused,
  flagNames,
  isElf,
  loadElf,
  loadFlat,
  POLICY_TABLE,
  readElf,
} from '@countervisor/core';
import { at, EXIT, exitOf, isOurs } from '../exit.ts';
import { type GuestSource, needGuests, readGuest } from '../input/guest.ts';
import { partArguments } from '../input/override.ts';
import type { Io } from '../io.ts';
import { type Checked, checkGuest, choose, domainOf, notes, type Sources, unique } from '../plan.ts';
import type { CommonFlags } from '../prepare.ts';
import { printError, printWarning } from '../print/error.ts';
import { hex } from '../print/number.ts';
import { table } from '../print/table.ts';
import { type CheckedJson, type CheckJson, checkAddress, errorJson } from '../schemas/check.ts';

interface Result {
  readonly file: string;
  readonly checked?: Checked;
  readonly error?: CountervisorError;
}

/** Would its image be loaded? As booting does it, without a domain. */
function checkImage({ image, xl }: Checked, { selected }: Sources, source: GuestSource): void {
  const platform = selected.arch.platforms[selected.machine.platform ?? selected.arch.defaultPlatform];
  if (platform === undefined) return;
  const ram = [{ base: platform.ram.base, bytes: xl.memory * 1024 * 1024 }];
  const { bytes, file, kind } = image;
  at(source.bare ? undefined : xl.places.get('kernel'), () => {
    if (kind === 'elf' || isElf(bytes))
      loadElf(readElf(bytes, file), { machines: platform.images.elf, base: platform.images.elfBase, ram });
    else loadFlat(bytes, file, { address: platform.images.flat, ram });
  });
}

function attempt<T>(body: () => T): { value: T } | { error: CountervisorError } {
  try {
    return { value: body() };
  } catch (error) {
    if (!isOurs(error)) throw error;
    return { error };
  }
}

function verdictOf({ checked, error }: Result): CheckedJson['verdict'] {
  if (error !== undefined || checked === undefined) return 'invalid';
  return checked.creation?.outcome === 'refused' ? 'refused' : 'accepted';
}

function refusalRows(refusal: CreationRefused): string[][] {
  const { place, domctl } = refusal;
  const rows = [
    [`refused by ${refusal.by}`, `${refusal.rc}: ${refusal.message} (${place.file}:${place.line}:${place.column})`],
    ['', refusal.source],
    ['', refusal.remedy],
  ];
  if (domctl !== undefined) {
    const list = domctl.where === 'common' ? 'common' : 'architecture';
    rows.push(
      [
        refusal.by === 'libxl' ? 'the hypervisor, too' : 'the hypervisor',
        `${domctl.errno} from ${list} check ${domctl.check}: ${domctl.message}`,
      ],
      ['', domctl.source],
    );
  }
  return rows;
}

function configRows({ xl, creation, image }: Checked, sources: Sources): string[][] {
  const domain = domainOf({ xl, creation, image, warnings: [] }, sources.selected, sources.toolstack, sources.host);
  const { personality, mode, options } = sources.selected;
  const policy = domain.policy ?? personality.policy(mode, xl.vpmu, options);
  const rows = [
    ['name', xl.name],
    ['type', xl.type],
    ['kernel', `${image.file} (${image.kind}, ${image.bytes.length} bytes)`],
    ['cmdline', xl.cmdline === '' ? '-' : JSON.stringify(xl.cmdline)],
    ['memory', `${xl.memory} MiB`],
    ['vcpus', `${xl.vcpus}`],
    [
      'pins',
      domain.pins === undefined
        ? 'any pCPU'
        : domain.pins.map((pins, vcpu) => `vCPU ${vcpu} on ${pins.join(',')}`).join('; '),
    ],
    ['vpmu', xl.vpmu ? '1' : '0'],
    ['policy', `${policy}: ${POLICY_TABLE[policy].means}`],
  ];
  if (creation?.outcome === 'created') {
    rows.push(['flags', `${hex(BigInt(creation.options))}: ${flagNames(CDF, creation.options).join(' ')}`]);
    for (const rewrite of creation.rewrites) rows.push([`rewritten by check ${rewrite.check}`, rewrite.note]);
  }
  return rows;
}

function text(result: Result, sources: Sources): string {
  const { checked } = result;
  const head = `${result.file}: ${verdictOf(result)}\n`;
  if (checked === undefined) return head;
  const { creation } = checked;
  const rows = creation?.outcome === 'refused' ? refusalRows(creation) : configRows(checked, sources);
  return head + table(rows, { left: [1], indent: 2 });
}

function json(result: Result, sources: Sources): CheckedJson {
  const { checked, error } = result;
  const creation = checked?.creation;
  const domain =
    checked && verdictOf(result) === 'accepted'
      ? domainOf(checked, sources.selected, sources.toolstack, sources.host)
      : undefined;
  const { personality, mode } = sources.selected;
  return {
    file: result.file,
    verdict: verdictOf(result),
    configuration:
      checked && domain
        ? {
            name: checked.xl.name,
            type: checked.xl.type,
            kernel: checked.image.file,
            cmdline: checked.xl.cmdline,
            memory: checked.xl.memory,
            vcpus: checked.xl.vcpus,
            pins: domain.pins?.map((pins) => [...pins]) ?? null,
            vpmu: checked.xl.vpmu,
            policy: domain.policy ?? personality.policy(mode, checked.xl.vpmu, sources.selected.options),
          }
        : null,
    request:
      creation?.outcome === 'created'
        ? {
            flags: hex(BigInt(creation.options)),
            names: flagNames(CDF, creation.options),
            rewrites: creation.rewrites.map((r) => ({ check: r.check, note: r.note })),
          }
        : null,
    refusal:
      creation?.outcome === 'refused'
        ? {
            by: creation.by,
            rc: creation.rc,
            message: creation.message,
            remedy: creation.remedy,
            place: { ...creation.place },
            domctl:
              creation.domctl === undefined
                ? null
                : {
                    errno: creation.domctl.errno,
                    where: creation.domctl.where,
                    check: creation.domctl.check,
                    message: creation.domctl.message,
                  },
          }
        : null,
    error: error === undefined ? null : errorJson(error),
    warnings: (checked?.warnings ?? []).map(errorJson),
  };
}

export async function check(io: Io, args: readonly string[], flags: CommonFlags): Promise<number> {
  const { files, overrides } = partArguments(args);
  needGuests(files);
  const read = files.map((file) => ({ file, ...attempt(() => readGuest(io, file, overrides)) }));
  const sources = await choose(
    io,
    flags,
    read.flatMap((one) => ('value' in one ? [one.value] : [])),
  );
  const accepted: Checked[] = [];
  const results = read.map((one): Result => {
    const { file } = one;
    if ('error' in one) return { file, error: one.error };
    const tried = attempt(() => {
      const checked = checkGuest(one.value, sources.selected, sources.toolstack);
      unique(checked.xl, accepted);
      accepted.push(checked);
      if (checked.creation?.outcome !== 'refused') {
        domainOf(checked, sources.selected, sources.toolstack, sources.host);
        checkImage(checked, sources, one.value);
      }
      return checked;
    });
    return 'error' in tried ? { file, error: tried.error } : { file, checked: tried.value };
  });

  for (const { checked, error } of results) {
    if (error !== undefined) printError(io, error);
    if (checked === undefined || flags.quiet === true) continue;
    for (const warning of checked.warnings) printWarning(io, warning);
    for (const note of notes(checked.xl, sources.selected)) io.err(`note  ${note}\n`);
  }
  if (flags.json === true) {
    const whole: CheckJson = { $schema: checkAddress, guests: results.map((result) => json(result, sources)) };
    io.out(`${JSON.stringify(whole, undefined, 2)}\n`);
  } else {
    io.out(results.map((result) => text(result, sources)).join('\n'));
  }
  const errors = results.map((result) =>
    result.error === undefined ? (verdictOf(result) === 'refused' ? EXIT.input : EXIT.ok) : exitOf(result.error),
  );
  return errors.find((code) => code !== EXIT.ok) ?? EXIT.ok;
}
