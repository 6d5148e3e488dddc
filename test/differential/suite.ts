/** The differential run: cases for every row of the instruction table, what QEMU makes of them, and what a back end does. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rowOf } from '../../packages/arm64/src/isa/decode.ts';
import { rows } from '../../packages/arm64/src/isa/instructions/index.ts';
import type { Row } from '../../packages/arm64/src/isa/row.ts';
import { type Backend, evaluator } from './backend.ts';
import { type Case, describeCase, difference, type Result } from './cases.ts';
import { generate } from './generate.ts';
import { astray, busy, planted, watching } from './mutate.ts';
import { Random } from './random.ts';
import { type SystemCase, type SystemResult, systemDifference, systemMode } from './system.ts';
import { isUnmodelled, type SystemBackend, systemEvaluator } from './system-backend.ts';
import { describeSystemCase, generateSystem, isSystemRow, VECTOR_TEXTS } from './system-cases.ts';
import { userMode } from './user.ts';

/** Cases with QEMU's answer. */
export interface Answered {
  readonly seed: number;
  readonly user: readonly { readonly c: Case; readonly theirs: Result }[];
  readonly system: readonly { readonly c: SystemCase; readonly theirs: SystemResult }[];
}

export interface Finding {
  readonly row: string;
  readonly times: number;
  /** The first case and how the answers differ. */
  readonly first: string;
}

/** A core of v8.2 without pointer authentication, and one with what later versions added. */
const CPU = 'neoverse-n1';
const LATER = 'max,pauth=off';
const LATER_FEATURES = ['flagm', 'flagm2', 'rcpc2', 'sb'];

const cpuOf = (row: Row): string => (LATER_FEATURES.includes(row.needs ?? '') ? LATER : CPU);

/** A row's own seed, so that its cases do not depend on the rows before it. FNV-1a. */
function seedOf(seed: number, name: string): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (const letter of name) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193) >>> 0;
  return hash;
}

/** The words of VECTOR_TEXTS, assembled. Throws when one does not decode to its row. */
export function vectorWords(): ReadonlyMap<string, readonly number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'countervisor-vector-'));
  try {
    const texts = Object.entries(VECTOR_TEXTS).flatMap(([row, all]) => all.map((text) => ({ row, text })));
    const [source, object, image] = ['v.s', 'v.o', 'v.bin'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(source, `.arch armv8.2-a+fp16+crypto\n${texts.map(({ text }) => text).join('\n')}\n`);
    execFileSync('aarch64-linux-gnu-as', [source, '-o', object]);
    execFileSync('aarch64-linux-gnu-objcopy', ['-O', 'binary', '-j', '.text', object, image]);
    const bytes = readFileSync(image);
    const words = new Map<string, number[]>();
    texts.forEach(({ row, text }, i) => {
      const word = bytes.readUInt32LE(4 * i);
      if (rowOf(word)?.name !== row) throw new Error(`'${text}' is no ${row}, but ${rowOf(word)?.name}.`);
      words.set(row, [...(words.get(row) ?? []), word]);
    });
    return words;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Makes `instances` cases of every row and asks QEMU. */
export function ask(seed: number, instances: number, only: (row: Row) => boolean = () => true): Answered {
  const chosen = rows.filter(only);
  const user: Answered['user'][number][] = [];
  const system: Answered['system'][number][] = [];
  const each = <C>(list: readonly Row[], make: (row: Row, random: Random) => C): C[] =>
    list.flatMap((row) => {
      const random = new Random(seedOf(seed, row.name));
      return Array.from({ length: instances }, () => make(row, random));
    });
  const inUser = userMode();
  const inSystem = systemMode();
  try {
    const vectors = vectorWords();
    for (const cpu of [CPU, LATER]) {
      const here = chosen.filter((row) => cpuOf(row) === cpu);
      const cases = each(
        here.filter((row) => !isSystemRow(row)),
        generate,
      );
      inUser.run(cases, cpu).forEach((theirs, i) => {
        user.push({ c: cases[i] as Case, theirs });
      });
      const systemCases = each(here.filter(isSystemRow), (row, random) => generateSystem(row, random, vectors));
      inSystem.run(systemCases, cpu).forEach((theirs, i) => {
        system.push({ c: systemCases[i] as SystemCase, theirs });
      });
    }
  } finally {
    inUser.close();
    inSystem.close();
  }
  return { seed, user, system };
}

/** One case of so many, of every row. */
export function share({ seed, user, system }: Answered, of: number): Answered {
  const some = <T>(list: readonly T[]): readonly T[] => list.filter((_, i) => i % of === 0);
  return { seed, user: some(user), system: some(system) };
}

/** Cases by row; a row of the table that has none stands there with 0. */
export function instancesOf(answered: Answered): ReadonlyMap<string, number> {
  const count = new Map(rows.map((row) => [row.name, 0]));
  for (const { c } of [...answered.user, ...answered.system]) count.set(c.row, (count.get(c.row) ?? 0) + 1);
  return count;
}

/** Where a back end and QEMU differ, a finding per row. */
export function judge(answered: Answered, backend: Backend, systemBackend: SystemBackend): Finding[] {
  const findings = new Map<string, Finding>();
  const note = (row: string, what: () => string): void => {
    const before = findings.get(row);
    findings.set(row, before ? { ...before, times: before.times + 1 } : { row, times: 1, first: what() });
  };
  for (const { c, theirs } of answered.user) {
    const differs = difference(backend.run(c), theirs);
    if (differs !== undefined) note(c.row, () => `${describeCase(c)}\n    ${differs}`);
  }
  for (const { c, theirs } of answered.system) {
    const differs = systemDiffers(c, theirs, systemBackend);
    if (differs !== undefined) note(c.row, () => `${describeSystemCase(c)}\n    ${differs}`);
  }
  return [...findings.values()];
}

const isVector = (row: string): boolean => Object.hasOwn(VECTOR_TEXTS, row);

function systemDiffers(c: SystemCase, theirs: SystemResult, backend: SystemBackend): string | undefined {
  if (!isUnmodelled(c, isVector(c.row))) return systemDifference(c, backend.run(c), theirs);
  // Not modelled, and refused by name: all that can be said is that CPACR_EL1 let it pass there, too.
  return theirs.ec === 0x07 ? 'CPACR_EL1 lets it pass, QEMU traps it' : undefined;
}

/** A planted fault that nobody noticed. */
export interface Missed {
  readonly row: string;
  readonly point: string;
}

/** Plants each fault that a row can have and returns how many, and those that no case of the row shows. */
export function plant(answered: Answered): { readonly planted: number; readonly missed: readonly Missed[] } {
  const missed: Missed[] = [];
  let count = 0;
  const try_ = (
    row: string,
    points: ReadonlySet<string>,
    found: (mutate: ReturnType<typeof planted>) => boolean,
  ): void => {
    const all = points.size === 0 ? [{ point: 'nothing', mutate: busy('X7') }] : [];
    for (const point of points) all.push({ point, mutate: planted(point) });
    if (points.has('write')) all.push({ point: 'write, its register', mutate: astray });
    // What a cache operation writes, QEMU's caches never show.
    const shown = all.filter(({ point }) => point !== 'write' || !['SYS', 'DC ZVA'].includes(row));
    for (const { point, mutate } of shown) {
      count += 1;
      if (!found(mutate)) missed.push({ row, point });
    }
  };
  for (const [row, cases] of byRow(answered.user)) {
    const points = new Set<string>();
    const watcher = evaluator((_name, lift) => watching(points)(lift));
    for (const { c } of cases) watcher.run(c);
    try_(row, points, (mutate) => {
      const backend = evaluator((_name, lift) => mutate(lift));
      return cases.some(({ c, theirs }) => difference(backend.run(c), theirs) !== undefined);
    });
  }
  for (const [row, cases] of byRow(answered.system)) {
    const points = new Set<string>();
    const watcher = systemEvaluator((_name, lift) => watching(points)(lift));
    for (const { c } of cases) watcher.run(c);
    // What an enabled floating-point unit's refusal says is no business of QEMU's.
    if (isVector(row)) points.delete('trap');
    // QEMU does not trap WFE.
    if (row === 'WFE') points.delete('trap');
    try_(row, points, (mutate) => {
      const backend = systemEvaluator((_name, lift) => mutate(lift));
      return cases.some(({ c, theirs }) => systemDiffers(c, theirs, backend) !== undefined);
    });
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
