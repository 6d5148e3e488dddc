/** The differential run: cases for every row that problem state can show, in both byte orders, what QEMU makes of them, and what a back end does. */

import { rows } from '../../../packages/ppc64/src/isa/instructions/index.ts';
import type { Row } from '../../../packages/ppc64/src/isa/row.ts';
import { busy, planted, watching } from '../mutate.ts';
import { Random } from '../random.ts';
import { type Backend, evaluator } from './backend.ts';
import { type Case, describeCase, difference, type Order, type Result } from './cases.ts';
import { fitsForQemu, generate, withoutOverflow } from './generate.ts';
import { MutableStepper } from './mutable.ts';
import { type SystemCase, type SystemResult, systemMode } from './system.ts';
import {
  describeSystemCase,
  generateSystem,
  isEarly,
  isHere,
  type SystemBackend,
  systemVerdict,
  vectorWords,
} from './system-cases.ts';
import { userMode } from './user.ts';

export interface Answered {
  readonly seed: number;
  /** In problem state. */
  readonly cases: readonly { readonly c: Case; readonly theirs: Result }[];
  /** In supervisor state, three of four in 32-bit mode. */
  readonly system: readonly { readonly c: SystemCase; readonly theirs: SystemResult }[];
  /** The same on POWER8, which has no OV32 and CA32. */
  readonly early: readonly { readonly c: SystemCase; readonly theirs: SystemResult }[];
}

export interface Finding {
  readonly row: string;
  readonly times: number;
  /** The first case and how the answers differ. */
  readonly first: string;
}

/** Rows that qemu-ppc64 cannot be asked about in problem state, each with its reason. */
export const BEYOND: Readonly<Record<string, string>> = {
  sc: 'user-mode QEMU performs the call itself',
  scv: 'user-mode QEMU performs the call itself',
  wait: 'it would wait for ever',
  mftb: 'the time differs',
  rfscv: 'user-mode QEMU calls it illegal, where it is privileged',
  'slbfee.': 'user-mode QEMU calls it illegal, where it is privileged',
  icbt: 'QEMU 7.2 knows it for embedded CPUs alone (book II, 4.3.2)',
  rfebb: 'needs registers of the PMU',
  clrbhrb: 'needs registers of the PMU',
  mfbhrbe: 'needs registers of the PMU',
};

export const isBeyond = (row: Row): boolean => row.cost === 'vector' || Object.hasOwn(BEYOND, row.name);

/** The newest CPU, and one that still had what was taken back. */
const CPU = 'power10';
const EARLIER = 'power8';
const cpuOf = (row: Row): string => (row.needs === 'power-saving' ? EARLIER : CPU);

const ORDERS: readonly Order[] = ['big', 'little'];

/** In little-endian mode they raise the alignment interrupt, of which user-mode QEMU dies: that is for the unit tests. */
const BIG_ONLY = ['lmw', 'stmw', 'lswi', 'stswi', 'lswx', 'stswx'];

/** A row's own seed, so that its cases do not depend on the rows before it. FNV-1a. */
function seedOf(seed: number, name: string): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (const letter of name) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193) >>> 0;
  return hash;
}

/** Makes `instances` cases of every row in each byte order and asks QEMU. */
export function ask(seed: number, instances: number, only: (row: Row) => boolean = () => true): Answered {
  const chosen = rows.filter((row) => !isBeyond(row) && only(row));
  const answered: Answered['cases'][number][] = [];
  const system: Answered['system'][number][] = [];
  const early: Answered['early'][number][] = [];
  const inUser = userMode();
  const inSystem = systemMode();
  const vectors = vectorWords();
  try {
    for (const order of ORDERS) {
      const tried = (list: Answered['system'][number][], cpu: string, has: (row: Row) => boolean): void => {
        const cases = rows
          .filter((row) => has(row) && only(row))
          .flatMap((row) => {
            const random = new Random(seedOf(seed, `${row.name} ${order} ${cpu}`));
            return Array.from({ length: instances }, () =>
              generateSystem(row, random, order, vectors, cpu === EARLIER),
            );
          });
        inSystem.run(cases, order, cpu).forEach((theirs, i) => {
          list.push({ c: cases[i] as SystemCase, theirs });
        });
      };
      tried(system, CPU, isHere);
      tried(early, EARLIER, isEarly);
    }
    for (const cpu of [CPU, EARLIER]) {
      for (const order of ORDERS) {
        const cases = chosen
          .filter((row) => cpuOf(row) === cpu && (order === 'big' || !BIG_ONLY.includes(row.name)))
          .flatMap((row) => {
            const random = new Random(seedOf(seed, `${row.name} ${order}`));
            return Array.from({ length: instances }, () => generate(row, random, order));
          });
        inUser.run(cases, order, cpu).forEach((theirs, i) => {
          answered.push({ c: cases[i] as Case, theirs });
        });
      }
    }
  } finally {
    inUser.close();
    inSystem.close();
  }
  return { seed, cases: answered, system, early };
}

/** One case of so many, of every row. */
export function share({ seed, cases, system, early }: Answered, of: number): Answered {
  const some = <T>(list: readonly T[]): readonly T[] => list.filter((_, i) => i % of === 0);
  return { seed, cases: some(cases), system: some(system), early: some(early) };
}

/** Cases by row; a row of the table that has none stands there with 0. */
export function instancesOf(answered: Answered): ReadonlyMap<string, number> {
  const count = new Map(rows.filter((row) => !isBeyond(row) || isHere(row)).map((row) => [row.name, 0]));
  for (const { c } of [...answered.cases, ...answered.system]) count.set(c.row, (count.get(c.row) ?? 0) + 1);
  return count;
}

/** Where QEMU is wrong, by name, with the manual's section; and what of a result that touches. */
const FAULTS: readonly {
  readonly rows: RegExp;
  readonly when: (c: Case, theirs: Result) => boolean;
  readonly apart: (result: Result) => Result;
  readonly why: string;
}[] = [
  {
    rows: /^divdeo?\.?$/,
    when: fitsForQemu,
    apart: withoutOverflow,
    why: 'a quotient of divde between 2^63 and 2^64 does not overflow in QEMU (book I, 3.3.9)',
  },
  {
    rows: /^p?lq$|^lmw$|^lsw[ix]$/,
    when: (_c, theirs) => theirs.end === 'memory',
    apart: (result) => ({ ...result, gpr: result.gpr.map(() => 0n) }),
    why: 'QEMU has loaded its first registers when it faults on a second page (book III, 6.6)',
  },
];

/** How a back end and QEMU differ, and QEMU's fault where that is all of it. */
export function verdict(c: Case, ours: Result, theirs: Result): readonly [differs: string | undefined, why?: string] {
  const differs = difference(c, ours, theirs);
  const fault = differs && FAULTS.find(({ rows: named, when }) => named.test(c.row) && when(c, theirs));
  if (!fault) return [differs];
  const still = difference(c, fault.apart(ours), fault.apart(theirs));
  return still === undefined ? [differs, fault.why] : [still];
}

/** What was found: a finding per row, and how often QEMU's known faults were seen. */
export interface Findings {
  readonly findings: readonly Finding[];
  readonly excused: ReadonlyMap<string, number>;
}

class Judgement implements Findings {
  readonly excused = new Map<string, number>();
  readonly #findings = new Map<string, Finding>();

  get findings(): readonly Finding[] {
    return [...this.#findings.values()];
  }

  note(row: string, differs: string | undefined, why: string | undefined, describe: () => string): void {
    if (differs === undefined) return;
    if (why !== undefined) {
      this.excused.set(why, (this.excused.get(why) ?? 0) + 1);
      return;
    }
    const before = this.#findings.get(row);
    const first = before?.first ?? `${describe()}\n    ${differs}`;
    this.#findings.set(row, { row, times: (before?.times ?? 0) + 1, first });
  }
}

/** Where a back end and QEMU differ in problem state. */
export function judge(answered: Answered, backend: Backend): Findings {
  const judgement = new Judgement();
  for (const { c, theirs } of answered.cases) {
    const [differs, why] = verdict(c, backend.run(c), theirs);
    judgement.note(c.row, differs, why, () => describeCase(c));
  }
  return judgement;
}

/** And in supervisor state, on the newest CPU or on the early one. */
export function judgeSystem(cases: Answered['system'], backend: SystemBackend): Findings {
  const judgement = new Judgement();
  for (const { c, theirs } of cases) {
    const [differs, why] = systemVerdict(c, backend.run(c), theirs);
    judgement.note(c.row, differs, why, () => describeSystemCase(c));
  }
  return judgement;
}

/** A planted fault that nobody noticed. */
export interface Missed {
  readonly row: string;
  readonly point: string;
}

/** What QEMU cannot show, and the unit tests do: lqarx's reservation in user mode, and rfscv's privilege, which user mode takes for illegality. */
const isUnseen = (row: string, point: string): boolean =>
  (row === 'lqarx' && point.startsWith('set RESERVE')) || (row === 'rfscv' && point === 'raise');

/** Plants each fault that a row can have and returns how many, and those that no case of the row shows. */
export function plant(answered: Answered): { readonly planted: number; readonly missed: readonly Missed[] } {
  const missed: Missed[] = [];
  let count = 0;
  const groups = byRow(answered.cases);
  for (const [row, cases] of groups) {
    const points = new Set<string>();
    const watcher = evaluator((_name, lift) => watching(points)(lift));
    for (const { c } of cases) watcher.run(c);
    const all = points.size === 0 ? [{ point: 'nothing', mutate: busy('GPR7') }] : [];
    for (const point of points) {
      if (!isUnseen(row, point)) all.push({ point, mutate: planted(point) });
    }
    for (const { point, mutate } of all) {
      count += 1;
      const backend = evaluator((_name, lift) => mutate(lift));
      const shows = ({ c, theirs }: Answered['cases'][number]): boolean => {
        const [differs, why] = verdict(c, backend.run(c), theirs);
        return differs !== undefined && why === undefined;
      };
      if (!cases.some(shows)) missed.push({ row, point });
    }
  }
  // Rows that only supervisor state shows.
  const mutable = new MutableStepper();
  for (const [row, cases] of byRow(answered.system)) {
    if (groups.has(row)) continue;
    for (const point of mutable.points(
      row,
      cases.map(({ c }) => c),
    )) {
      if (isUnseen(row, point)) continue;
      count += 1;
      const run = mutable.planted(row, point);
      const shows = cases.some(({ c, theirs }) => {
        const ours = run(c);
        if (ours === undefined) return true;
        const [differs, why] = systemVerdict(c, ours, theirs);
        return differs !== undefined && why === undefined;
      });
      if (!shows) missed.push({ row, point });
    }
  }
  return { planted: count, missed };
}

function byRow<T extends { readonly c: { readonly row: string } }>(
  all: readonly T[],
): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const group = groups.get(one.c.row);
    if (group) group.push(one);
    else groups.set(one.c.row, [one]);
  }
  return groups;
}
