/** Emits what `lazy.ts` plans: keeps leaves where flags are written, makes flags where they are read, and all of them where a region is left. */
import type { Op } from '@countervisor/contract';
import { inputs } from '../tidy.ts';
import type { Block, Region } from './blocks.ts';
import { I32 } from './encode.ts';
import { type Group, groupsOf, leaf, needing, type Plan, planOf, writesGroup } from './lazy.ts';
import { emitPure } from './pure.ts';
import type { Values } from './values.ts';

/** Temporaries of flags that were made where they are read. */
const MADE = 5000;

export class Flags {
  readonly #values: Values;
  readonly #groups: readonly Group[];
  /** By block and the ops of an instruction: what it does lazily. */
  readonly #plans = new Map<Block, Map<readonly Op[], Plan[]>>();
  readonly #recipe: readonly number[];
  #block: Block | undefined;
  /** What was last done lazily in this block, by group. */
  readonly #active = new Map<Group, Plan>();

  constructor(values: Values, { blocks, entries }: Region, isFlag: (register: string) => boolean) {
    this.#values = values;
    const lists = blocks.flatMap(({ pieces }) => pieces.map(({ ops }) => ops));
    this.#groups = groupsOf(lists, isFlag);
    for (const group of this.#groups) {
      const needs = needing(blocks, (block) => this.#successors(block, entries), group);
      for (const block of blocks) this.#plan(block, group, needs, entries);
    }
    this.#recipe = this.#groups.map(() => values.body.local(I32));
  }

  #successors(block: Block, entries: readonly number[]): readonly number[] {
    const ops = block.pieces.at(-1)?.ops ?? [];
    const far = ops.some((op) => op.op === 'jump' && op.to.kind !== 'constant');
    return far ? [...block.successors, ...entries] : block.successors;
  }

  #plan(block: Block, group: Group, needs: ReadonlySet<number>, entries: readonly number[]): void {
    let last = true;
    for (const { ops } of [...block.pieces].reverse()) {
      if (!writesGroup(ops, group)) continue;
      const wanted = last && this.#successors(block, entries).some((to) => needs.has(to));
      last = false;
      const plan = wanted ? undefined : planOf(ops, group);
      if (plan === undefined) continue;
      const mine = this.#plans.get(block) ?? new Map<readonly Op[], Plan[]>();
      this.#plans.set(block, mine);
      mine.set(ops, [...(mine.get(ops) ?? []), plan]);
    }
  }

  /** A basic block begins: what was made before is not known any more. */
  block(block: Block): void {
    this.#block = block;
    this.#active.clear();
  }

  #of(ops: readonly Op[]): readonly Plan[] {
    return (this.#block && this.#plans.get(this.#block)?.get(ops)) ?? [];
  }

  /** An instruction begins: flags that it reads are made. Which of its ops need not be emitted. */
  begin(ops: readonly Op[]): (op: Op) => boolean {
    const values = this.#values;
    for (const [group, { recipe }] of this.#active) {
      group.registers.forEach((name, i) => {
        if (
          values.hasAlias(name) ||
          !ops.some((op) => inputs(op).some((o) => o.kind === 'register' && o.name === name))
        ) {
          return;
        }
        const made = { kind: 'temporary', index: MADE + group.id * 32 + i } as const;
        const list = recipe.ops.get(name) ?? [];
        for (const op of list) emitPure(values, op === list.at(-1) ? { ...op, to: made } : op);
        values.alias(name, made);
      });
    }
    const plans = this.#of(ops);
    return (op) => plans.some(({ skipped }) => skipped.has(op));
  }

  /** The instruction cannot be left any more: leaves are kept. */
  keep(ops: readonly Op[]): void {
    const values = this.#values;
    const plans = this.#of(ops);
    for (const { leaves, group } of plans) {
      leaves.forEach((one, i) => {
        values.push(one);
        values.pop(leaf(group.id, i));
      });
    }
    for (const group of this.#groups) {
      if (group.recipes.length === 0 || !writesGroup(ops, group)) continue;
      const plan = plans.find((one) => one.group === group);
      values.body.i32(plan?.recipe.id ?? 0).set(this.#recipe[group.id] as number);
    }
  }

  /** The instruction is done: what its flags are from now on. */
  end(ops: readonly Op[]): void {
    for (const group of this.#groups) if (writesGroup(ops, group)) this.#active.delete(group);
    for (const plan of this.#of(ops)) {
      this.#active.set(plan.group, plan);
      for (const name of plan.group.registers) this.#values.alias(name, undefined);
    }
  }

  /** Makes every flag that is not made, before registers are stored. */
  make(): void {
    const values = this.#values;
    const { body } = values;
    values.block();
    for (const group of this.#groups) {
      if (group.recipes.length === 0) continue;
      const done = body.block();
      const labels = group.recipes.map(() => 0);
      for (let i = labels.length - 1; i >= 0; i--) labels[i] = body.block();
      body.get(this.#recipe[group.id] as number).brTable([done, ...labels], done);
      for (const recipe of group.recipes) {
        body.end();
        values.block();
        for (const list of recipe.ops.values()) for (const op of list) emitPure(values, op);
        body.br(done);
      }
      body.end();
    }
  }
}
