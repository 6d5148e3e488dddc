/** Which physical CPUs a vCPU may run on: the `cpus` key (Xen docs/man/xl.cfg.5: CPU Allocation; tools/xl/xl_parse.c, parse_cpurange). */
import { CountervisorError, type Place } from '@countervisor/contract';
import type { XlAtom, XlSetting } from './xlcfg.ts';
import { shown } from './xllex.ts';

/** Highest pCPU number that may be named; beyond any host. */
const HIGHEST = 4095;

/** Adds or removes pCPUs, in order; `last` of 'all' is every one of the host's. */
export interface CpuTerm {
  readonly remove: boolean;
  readonly first: number;
  readonly last: number | 'all';
}

export interface CpuList {
  readonly terms: readonly CpuTerm[];
  readonly text: string;
  readonly place: Place;
}

/** One list for every vCPU, or one for each of the first ones; the others may run anywhere. */
export interface Affinity {
  readonly every: CpuList | undefined;
  readonly each: readonly CpuList[];
}

/** No pinning. */
export const ANYWHERE: Affinity = { every: undefined, each: [] };

/** Reads the setting: a string for all vCPUs, or a list with one entry a vCPU. */
export function readAffinity(setting: XlSetting): Affinity {
  const { value } = setting;
  if (value.kind === 'atom') return { every: readCpuList(value), each: [] };
  const each = value.items.map((item) => {
    if (item.kind === 'atom') return readCpuList(item);
    throw new CountervisorError(
      'CV_XLCFG_CPUS',
      `An entry of '${setting.name}' is a list.`,
      'Each entry is a number or a string like "0-3,^1", for one vCPU.',
      item.place,
    );
  });
  return { every: undefined, each };
}

/** pCPUs on which a vCPU may run, ascending. @throws CountervisorError CV_XLCFG_CPUS when the host has none of them. */
export function pcpusFor(affinity: Affinity, vcpu: number, pcpus: number): number[] {
  const list = affinity.every ?? affinity.each[vcpu];
  const allowed = new Set<number>();
  if (list === undefined) {
    for (let n = 0; n < pcpus; n++) allowed.add(n);
    return [...allowed];
  }
  for (const { remove, first, last } of list.terms) {
    const end = Math.min(last === 'all' ? pcpus - 1 : last, pcpus - 1);
    for (let n = first; n <= end; n++) {
      if (remove) allowed.delete(n);
      else allowed.add(n);
    }
  }
  if (allowed.size === 0) {
    throw new CountervisorError(
      'CV_XLCFG_CPUS',
      `${shown(list.text)} leaves vCPU ${vcpu} no pCPU on a host of ${pcpus}.`,
      `The host's pCPUs are 0 to ${pcpus - 1}; "all" means every one.`,
      list.place,
    );
  }
  return [...allowed].sort((a, b) => a - b);
}

function readCpuList(atom: XlAtom): CpuList {
  const terms = atom.text
    .split(',')
    .filter((part) => part !== '')
    .map((part) => readTerm(part, atom));
  if (terms.length === 0) throw bad(atom, 'It names no pCPU.', 'Write "all", or numbers and ranges like "0-3,5,^1".');
  return { terms, text: atom.text, place: atom.place };
}

function readTerm(part: string, atom: XlAtom): CpuTerm {
  const remove = part.startsWith('^');
  const rest = remove ? part.slice(1) : part;
  if (/^nodes?:/.test(rest)) {
    throw bad(atom, `${shown(part)} names a NUMA node, and hosts here have none.`, 'Name the pCPUs instead: "0-3".');
  }
  if (rest === 'all') {
    if (remove) throw bad(atom, '"^all" would remove every pCPU.', 'Leave it out.');
    return { remove, first: 0, last: 'all' };
  }
  const match = /^[ \t]*([0-9]{1,9})(?:-[ \t]*([0-9]{1,9}))?$/.exec(rest);
  if (match === null) {
    throw bad(atom, `${shown(part)} is no pCPU and no range.`, 'Write "all", or numbers and ranges like "0-3,5,^1".');
  }
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  if (last < first) throw bad(atom, `The range ${shown(part)} runs backwards.`, `Write ${last}-${first}.`);
  if (last > HIGHEST) throw bad(atom, `No host has pCPU ${last}.`, `pCPU numbers go up to ${HIGHEST}.`);
  return { remove, first, last };
}

function bad(atom: XlAtom, why: string, remedy: string): CountervisorError {
  return new CountervisorError('CV_XLCFG_CPUS', `${shown(atom.text)} is no list of pCPUs: ${why}`, remedy, atom.place);
}
