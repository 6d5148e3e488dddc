/**
 * Flags that nobody reads. Most instructions that set flags do so in vain: the next ones set them anew. But whenever a region is left they must be
 * right. So a region keeps what they are made of, and which way of making it was last, and makes them where they are read or when it is left.
 *
 * Registers that are always written together are a group. A group's `recipe` is the pure ops that make its registers from a few leaves.
 */
import type { Op, Operand } from '@countervisor/contract';
import { inputs, output } from '../tidy.ts';
import type { Block } from './blocks.ts';
import type { Pure } from './pure.ts';

/** How one instruction makes a group's registers. */
export interface Recipe {
  /** Position among the group's recipes, from 1. */
  readonly id: number;
  /** Ops that make each register, in order; leaves and temporaries renamed. */
  readonly ops: ReadonlyMap<string, readonly Pure[]>;
}

/** A lazy instruction: what it must keep, and which of its ops are only for the group. */
export interface Plan {
  readonly group: Group;
  readonly recipe: Recipe;
  readonly leaves: readonly Operand[];
  readonly skipped: ReadonlySet<Op>;
}

export interface Group {
  /** Position among the region's groups. */
  readonly id: number;
  readonly registers: readonly string[];
  readonly recipes: Recipe[];
  /** Most leaves of any recipe. */
  most: number;
}

/** Registers whose bits from this one up are always 0 are flags. */
export const NARROW = 8;
const MOST_LEAVES = 4;
const MOST_RECIPES = 40;
/** Temporaries of core's own begin here: leaves, then those of recipes. */
const LEAVES = 1000;
const RENAMED = 2000;

export const leaf = (group: number, i: number): Operand => ({
  kind: 'temporary',
  index: LEAVES + group * MOST_LEAVES + i,
});

const isPure = (op: Op): op is Pure => 'width' in op;
const keyOf = (o: Operand): string =>
  o.kind === 'temporary' ? `#${o.index}` : o.kind === 'register' ? o.name : `=${o.value}`;

/** Ops that stand under a skip. */
function guarded(ops: readonly Op[]): boolean[] {
  let until = 0;
  return ops.map((op, i) => {
    const inside = i < until;
    if (op.op === 'skip') until = Math.max(until, i + 1 + op.count);
    return inside;
  });
}

const LEAVING: ReadonlySet<string> = new Set([
  'load',
  'store',
  'probe',
  'read',
  'write',
  'trap',
  'raise',
  'call',
  'again',
]);

/**
 * Where an instruction begins to change registers: that op, or the skip that it stands under. Before, it may still be left to the stepper; from
 * there on, flags may be kept; `length` when it changes none.
 */
export function changesAt(ops: readonly Op[]): number {
  const first = ops.findIndex((op) => output(op)?.kind === 'register');
  if (first < 0) return ops.length;
  for (let i = 0; i < first; i++) {
    const op = ops[i] as Op;
    if (op.op !== 'skip') continue;
    if (first <= i + op.count) return i;
    i += op.count;
  }
  return first;
}

/** Flags that every instruction which writes one of them writes exactly once, always, and by pure ops: in groups. */
export function groupsOf(lists: readonly (readonly Op[])[], isFlag: (register: string) => boolean): Group[] {
  const writers = new Map<string, number[]>();
  const refused = new Set<string>();
  lists.forEach((ops, n) => {
    const inside = guarded(ops);
    const changes = changesAt(ops);
    const late = ops.slice(changes).some((op) => LEAVING.has(op.op));
    /** A jump that may go past what stands behind it. */
    let past = false;
    ops.forEach((op, i) => {
      if (i >= changes && (op.op === 'jump' || op.op === 'branch')) past = true;
      // What is read again behind its write must be there.
      for (const o of inputs(op)) if (o.kind === 'register' && writers.get(o.name)?.at(-1) === n) refused.add(o.name);
      const to = output(op);
      if (to?.kind !== 'register' || !isFlag(to.name)) return;
      const mine = writers.get(to.name) ?? [];
      if (late || past || inside[i] || !isPure(op) || mine.at(-1) === n) refused.add(to.name);
      mine.push(n);
      writers.set(to.name, mine);
    });
  });
  const groups = new Map<string, string[]>();
  for (const [name, list] of writers) {
    if (refused.has(name)) continue;
    const key = list.join();
    groups.set(key, [...(groups.get(key) ?? []), name]);
  }
  return [...groups.values()].map((registers, id) => ({ id, registers: registers.sort(), recipes: [], most: 0 }));
}

/** Ops whose results are of use to others than these registers. */
function useful(ops: readonly Op[], registers: ReadonlySet<string>): Set<Op> {
  const wanted = new Set<string>();
  const kept = new Set<Op>();
  for (let i = ops.length - 1; i >= 0; i--) {
    const op = ops[i] as Op;
    const to = output(op);
    const mine = to?.kind === 'register' && registers.has(to.name);
    const needed = !isPure(op) || (to?.kind === 'register' ? !mine : to !== undefined && wanted.has(keyOf(to)));
    if (!needed) continue;
    kept.add(op);
    for (const o of inputs(op)) if (o.kind === 'temporary') wanted.add(keyOf(o));
  }
  return kept;
}

/** How an instruction makes the group's registers, if that can wait. */
export function planOf(ops: readonly Op[], group: Group): Plan | undefined {
  const inside = guarded(ops);
  const makers = new Map<string, number>();
  const firsts = new Map<string, number>();
  const times = new Map<string, number>();
  ops.forEach((op, i) => {
    const to = output(op);
    if (to === undefined) return;
    makers.set(keyOf(to), i);
    if (!firsts.has(keyOf(to))) firsts.set(keyOf(to), i);
    times.set(keyOf(to), (times.get(keyOf(to)) ?? 0) + 1);
  });
  const leaves: Operand[] = [];
  const renamed = new Map<string, number>();
  const text: string[] = [];
  let possible = true;
  const made = new Map<string, readonly Pure[]>();

  /** The operand in the recipe; collects the ops that make it. */
  const follow = (o: Operand, reader: number, into: Pure[], seen: Set<string>): Operand => {
    if (o.kind === 'constant') return o;
    const key = keyOf(o);
    const maker = makers.get(key);
    const source = maker === undefined ? undefined : (ops[maker] as Op);
    if (o.kind === 'register') {
      // Only what it held when the instruction began.
      if ((firsts.get(key) ?? ops.length) < reader) possible = false;
    } else if (source === undefined || times.get(key) !== 1) possible = false;
    else if (isPure(source) && !inside[maker as number]) {
      if (!seen.has(key)) {
        seen.add(key);
        make(source, maker as number, into, seen);
      }
      return { kind: 'temporary', index: renamed.get(key) as number };
    } else if (inside[maker as number]) possible = false;
    let at = leaves.findIndex((one) => keyOf(one) === key);
    if (at < 0) at = leaves.push(o) - 1;
    if (at >= MOST_LEAVES) possible = false;
    return leaf(group.id, at);
  };
  const make = (op: Pure, at: number, into: Pure[], seen: Set<string>): void => {
    const [a, b, c] = [op.a, op.b, op.c].map((o) => o && follow(o, at, into, seen)) as [Operand, Operand?, Operand?];
    const key = keyOf(op.to);
    let to: Operand = op.to;
    if (to.kind === 'temporary') {
      if (!renamed.has(key)) renamed.set(key, RENAMED + group.id * 100 + renamed.size);
      to = { kind: 'temporary', index: renamed.get(key) as number };
    }
    const one: Pure = { op: op.op, width: op.width, to, a, ...(b && { b }), ...(c && { c }) };
    into.push(one);
    text.push(`${op.op}${op.width} ${[to, a, b, c].map((o) => (o === undefined ? '' : keyOf(o))).join(' ')}`);
  };

  for (const name of group.registers) {
    const at = makers.get(name);
    const op = at === undefined ? undefined : (ops[at] as Op);
    if (op === undefined || !isPure(op)) return undefined;
    const list: Pure[] = [];
    make(op, at as number, list, new Set());
    made.set(name, list);
  }
  if (!possible || renamed.size >= 100) return undefined;
  const known = recipes.get(group) ?? new Map<string, Recipe>();
  recipes.set(group, known);
  const signature = text.join(';');
  let recipe = known.get(signature);
  if (recipe === undefined) {
    if (known.size >= MOST_RECIPES) return undefined;
    recipe = { id: known.size + 1, ops: made };
    known.set(signature, recipe);
    group.recipes.push(recipe);
  }
  group.most = Math.max(group.most, leaves.length);
  const kept = useful(ops, new Set(group.registers));
  return { group, recipe, leaves, skipped: new Set(ops.filter((op) => !kept.has(op))) };
}

const recipes = new WeakMap<Group, Map<string, Recipe>>();

/** Blocks into which the group must come made: they, or one they lead to, read it before it is written. */
export function needing(
  blocks: readonly Block[],
  successors: (block: Block) => readonly number[],
  { registers }: Group,
): ReadonlySet<number> {
  const names = new Set(registers);
  const needs = new Set<number>();
  const writes = new Set<number>();
  for (const { id, pieces } of blocks) {
    for (const { ops } of pieces) {
      if (ops.some((op) => inputs(op).some((o) => o.kind === 'register' && names.has(o.name)))) {
        needs.add(id);
        break;
      }
      if (!ops.some((op) => keyIn(op, names))) continue;
      writes.add(id);
      break;
    }
  }
  for (let more = true; more; ) {
    more = false;
    for (const block of blocks) {
      if (needs.has(block.id) || writes.has(block.id)) continue;
      if (!successors(block).some((to) => needs.has(to))) continue;
      needs.add(block.id);
      more = true;
    }
  }
  return needs;
}

function keyIn(op: Op, names: ReadonlySet<string>): boolean {
  const to = output(op);
  return to?.kind === 'register' && names.has(to.name);
}

export const writesGroup = (ops: readonly Op[], { registers }: Group): boolean =>
  ops.some((op) => keyIn(op, new Set(registers)));
