/**
 * One region as a WebAssembly function: `(state, tlb, budget) → budget left`. Registers are in locals from entry to exit; every edge to a block takes
 * the block's length from the budget or leaves; why it left, and where the guest is, stand in memory.
 */
import type { Op } from '@countervisor/contract';
import { CONTROL, PAGE } from '../../memory/layout.ts';
import { SIGNAL_INDEX } from '../../pmu/classes.ts';
import type { Block, Piece, Region } from './blocks.ts';
import { Body, I32, I64, type Label } from './encode.ts';
import { Flags } from './flags.ts';
import { changesAt } from './lazy.ts';
import { emitLoad, emitProbe, emitStore, type Reach } from './memory.ts';
import { emitPure } from './pure.ts';
import type { Shape } from './shape.ts';
import { touched, Values } from './values.ts';

/** Why a region was left: the word at `CONTROL.reason`. */
export const REASON = {
  /** Somebody else has the code at PC, or nobody. */
  chain: 0,
  /** The block at PC is longer than the budget. */
  budget: 1,
  /** The stepper must perform the instruction at PC. */
  step: 2,
} as const;

/** What a region must know about its domain. All offsets in bytes. */
export interface Surroundings {
  readonly pcName: string;
  readonly pcOffset: number;
  /** Of a register in a vCPU's block. */
  offsetOf(register: string): number;
  /** Is the register a flag, whose making may wait? */
  isFlag(register: string): boolean;
  readonly grainBits: number;
  /** Where instructions are counted by class, and signals that only the run knows. */
  readonly counts: number;
  readonly signals: number;
  /** Must every class be counted? Else the budget says it all. */
  readonly counting: boolean;
  /** Critical signals, bit per signal, and how many of them an instruction of a class emits. */
  readonly critical: number;
  rareOf(kind: number): number;
}

const STATE = 0;
const TLB = 1;
const BUDGET = 2;

/** Where a jump to a block goes: straight, or to a loop whose head sends it on. */
interface Place {
  readonly label: Label;
  readonly direct: boolean;
}

class Emitter {
  readonly body: Body = new Body(3);
  readonly #region: Region;
  readonly #near: Surroundings;
  readonly #values: Values;
  readonly #flags: Flags;
  readonly #pc: number;
  readonly #reason: number;
  readonly #next: number;
  readonly #entry: number;
  readonly #rare: number;
  /** Critical signals that a block emits at most. */
  readonly #most: readonly number[];
  readonly #places = new Map<number, Place>();
  readonly #inbound: ReadonlyMap<number, ReadonlySet<number>>;
  readonly #entries: ReadonlySet<number>;
  #exit: Label = 0;
  #top: Label = 0;

  constructor(region: Region, near: Surroundings) {
    const { body } = this;
    this.#region = region;
    this.#near = near;
    this.#values = new Values(body, near.pcName);
    this.#flags = new Flags(this.#values, region, (name) => near.isFlag(name));
    this.#pc = body.local(I64);
    this.#reason = body.local(I32);
    this.#next = body.local(I32);
    this.#entry = body.local(I32);
    this.#rare = body.local(I32);
    this.#most = region.blocks.map(({ pieces }) => this.#rares(pieces));
    this.#entries = new Set(region.entries);
    const inbound = new Map<number, Set<number>>(region.blocks.map(({ id }) => [id, new Set()]));
    for (const { id, successors } of region.blocks) for (const to of successors) inbound.get(to)?.add(id);
    this.#inbound = inbound;
  }

  emit(): Body {
    const { body } = this;
    const { blocks } = this.#region;
    const values = this.#values;
    const { used, written } = touched(
      blocks.flatMap(({ pieces }) => pieces.map(({ ops }) => ops)),
      this.#near.pcName,
    );
    for (const name of used) {
      body.get(STATE).memory('i64.load', this.#near.offsetOf(name)).set(values.local(name));
    }
    body.get(STATE).memory('i64.load', this.#near.pcOffset).set(this.#pc);
    const watches = this.#most.some((most) => most > 0);
    if (watches) body.i32(0).memory('i32.load', CONTROL.rare).set(this.#rare);
    const { shapes } = this.#region;
    this.#exit = body.block();
    this.#top = body.loop();
    const labels = shapes.map(() => 0);
    for (let i = shapes.length - 1; i >= 0; i--) labels[i] = this.#open(shapes[i] as Shape);
    this.#arrive();
    for (const one of shapes) {
      body.end();
      this.#shape(one);
    }
    body.end();
    body.end();
    this.#flags.make();
    for (const name of written) body.get(STATE).get(values.local(name)).memory('i64.store', this.#near.offsetOf(name));
    body.get(STATE).get(this.#pc).memory('i64.store', this.#near.pcOffset);
    body.i32(0).get(this.#reason).memory('i32.store', CONTROL.reason);
    if (watches) body.i32(0).get(this.#rare).memory('i32.store', CONTROL.rare);
    body.get(BUDGET);
    return body;
  }

  #rares(pieces: readonly Piece[]): number {
    let most = 0;
    for (const { insn, ops } of pieces) {
      most += this.#near.rareOf(insn.kind);
      for (const op of ops) {
        const signal = op.op === 'branch' ? 'taken' : op.op === 'emit' ? op.signal : undefined;
        if (signal !== undefined)
          most += (this.#near.critical >> SIGNAL_INDEX[signal as keyof typeof SIGNAL_INDEX]) & 1;
      }
    }
    return most;
  }

  /** Opens the block behind whose end a shape will stand. */
  #open(one: Shape): Label {
    const label = this.body.block();
    const nodes = one.kind === 'block' ? [one.node] : one.nodes;
    const first = one.kind === 'block' ? one.node : one.header;
    for (const node of nodes) this.#places.set(node, { label, direct: node === first });
    return label;
  }

  /** Goes to the block at PC if it is one of the region's entries. */
  #arrive(): void {
    const { body } = this;
    const { blocks, entries } = this.#region;
    const { grainBits } = this.#near;
    const [some] = blocks as [Block];
    const low = (1n << BigInt(grainBits)) - 1n;
    const whole = BigInt.asUintN(64, ~0xfffn) | low;
    const slots = entries.map((id) => (blocks[id] as Block).slot);
    const least = Math.min(...slots);
    const far = body.block();
    body
      .get(this.#pc)
      .i64(whole)
      .op('i64.and')
      .i64(some.pc & ~0xfffn)
      .op('i64.ne')
      .brIf(far);
    const labels = new Map<number, Label>();
    for (let i = slots.length - 1; i >= 0; i--) labels.set(slots[i] as number, body.block());
    const table = Array.from({ length: Math.max(...slots) - least + 1 }, (_, i) => labels.get(least + i) ?? far);
    body
      .get(this.#pc)
      .op('i32.wrap_i64')
      .i32(PAGE - 1)
      .op('i32.and')
      .i32(grainBits)
      .op('i32.shr_u');
    body.i32(least).op('i32.sub').brTable(table, far);
    for (const id of entries) {
      body.end();
      this.#take(blocks[id] as Block, () => {});
      this.#go(id);
    }
    body.end();
    this.#leave(REASON.chain);
  }

  #leave(reason: number): void {
    this.body.i32(reason).set(this.#reason).br(this.#exit);
  }

  #setPc(pc: bigint): void {
    this.body.i64(pc).set(this.#pc);
  }

  /** Takes a block's length from the budget, or leaves. */
  #take({ id, pieces }: Block, setPc: () => void): void {
    const { body } = this;
    const rare = this.#most[id] as number;
    body.get(BUDGET).i32(pieces.length).op('i32.lt_s');
    if (rare > 0) body.get(this.#rare).i32(rare).op('i32.lt_s').op('i32.or');
    body.if();
    setPc();
    this.#leave(REASON.budget);
    body.end();
    body.get(BUDGET).i32(pieces.length).op('i32.sub').set(BUDGET);
    if (rare > 0) body.get(this.#rare).i32(rare).op('i32.sub').set(this.#rare);
  }

  /** Jumps to a block whose length has been taken. */
  #go(id: number): void {
    const { label, direct } = this.#places.get(id) as Place;
    if (!direct) this.body.i32(id + 1).set(this.#next);
    this.body.br(label);
  }

  /** An edge to an address that is known. */
  #edge(pc: bigint): void {
    const id = this.#region.byPc.get(pc);
    if (id === undefined) {
      this.#setPc(pc);
      this.#leave(REASON.chain);
      return;
    }
    this.#take(this.#region.blocks[id] as Block, () => this.#setPc(pc));
    this.#go(id);
  }

  #shape(one: Shape): void {
    if (one.kind === 'block') this.#block(this.#region.blocks[one.node] as Block);
    else this.#loop(one);
  }

  #loop(loop: Extract<Shape, { kind: 'loop' }>): void {
    const { body } = this;
    const { header, nodes, body: inside } = loop;
    const top = body.loop();
    this.#places.set(header, { label: top, direct: true });
    for (let i = inside.length - 1; i > 0; i--) this.#open(inside[i] as Shape);
    const inner = [...nodes].filter((node) => {
      if (node === header) return false;
      return this.#entries.has(node) || [...(this.#inbound.get(node) ?? [])].some((from) => !nodes.has(from));
    });
    if (inner.length > 0) this.#dispatch(inner);
    inside.forEach((one, i) => {
      if (i > 0) body.end();
      this.#shape(one);
    });
    body.end();
  }

  /** At a loop's head: to the block that `next` names, if it names one. */
  #dispatch(inner: readonly number[]): void {
    const { body } = this;
    const least = Math.min(...inner);
    const most = Math.max(...inner);
    const normal = body.block();
    body.get(this.#next).op('i32.eqz').brIf(normal);
    const labels = new Map<number, Label>();
    for (let i = inner.length - 1; i >= 0; i--) labels.set(inner[i] as number, body.block());
    const table = Array.from({ length: most - least + 1 }, (_, i) => labels.get(least + i) ?? normal);
    body
      .get(this.#next)
      .i32(least + 1)
      .op('i32.sub')
      .brTable(table, normal);
    for (const id of inner) {
      body.end();
      const { label, direct } = this.#places.get(id) as Place;
      if (direct) body.i32(0).set(this.#next);
      body.br(label);
    }
    body.end();
  }

  /** Counts some of a block's instructions by class. */
  #count(pieces: readonly Piece[]): void {
    if (!this.#near.counting) return;
    const kinds = new Map<number, number>();
    for (const { insn } of pieces) kinds.set(insn.kind, (kinds.get(insn.kind) ?? 0) + 1);
    for (const [kind, amount] of kinds) {
      const at = this.#near.counts + 4 * kind;
      this.body.i32(0).i32(0).memory('i32.load', at).i32(amount).op('i32.add').memory('i32.store', at);
    }
  }

  /** Counts one of a signal that only the run knows. */
  #signal(index: number): void {
    if (!this.#near.counting) return;
    const at = this.#near.signals + 8 * index;
    this.body.i32(0).i32(0).memory('f64.load', at).f64(1).op('f64.add').memory('f64.store', at);
  }

  #block(block: Block): void {
    const { body } = this;
    const { pieces, end, next } = block;
    this.#values.block();
    this.#flags.block(block);
    pieces.forEach(({ insn, ops }, i) => {
      this.#values.instruction(insn.pc, ops);
      const reach: Reach = {
        tlb: TLB,
        entry: this.#entry,
        leave: () => {
          this.#count(pieces.slice(0, i));
          body
            .get(BUDGET)
            .i32(pieces.length - i)
            .op('i32.add')
            .set(BUDGET);
          this.#setPc(insn.pc);
          this.#leave(REASON.step);
        },
      };
      const isSkipped = this.#flags.begin(ops);
      const changes = changesAt(ops);
      this.#ops(ops, 0, changes, reach, pieces, isSkipped);
      this.#flags.keep(ops);
      this.#ops(ops, changes, ops.length, reach, pieces, isSkipped);
      this.#flags.end(ops);
    });
    if (end === 'never') return;
    this.#count(pieces);
    if (end === 'step') {
      this.#setPc(next);
      this.#leave(REASON.step);
    } else this.#edge(next);
  }

  #ops(
    ops: readonly Op[],
    from: number,
    to: number,
    reach: Reach,
    pieces: readonly Piece[],
    isSkipped: (op: Op) => boolean,
  ): void {
    for (let i = from; i < to; i++) {
      const op = ops[i] as Op;
      if (isSkipped(op)) continue;
      if (op.op !== 'skip') {
        this.#op(op, reach, pieces);
        continue;
      }
      const { count } = op;
      this.#values.pushTruth(op.unless);
      this.body.if();
      this.#values.perhaps(() => this.#ops(ops, i + 1, i + 1 + count, reach, pieces, isSkipped));
      this.body.end();
      i += count;
    }
  }

  #op(op: Op, reach: Reach, pieces: readonly Piece[]): void {
    const { body } = this;
    const values = this.#values;
    switch (op.op) {
      case 'load':
        emitLoad(values, reach, op);
        break;
      case 'store':
        emitStore(values, reach, op);
        break;
      case 'probe':
        emitProbe(values, reach, op);
        break;
      case 'branch':
        values.pushTruth(op.when);
        body.if();
        this.#count(pieces);
        this.#signal(SIGNAL_INDEX.taken);
        this.#edge(op.to);
        body.end();
        break;
      case 'jump': {
        const known = values.constant(op.to);
        this.#count(pieces);
        if (known !== undefined) {
          this.#edge(known);
          break;
        }
        values.push(op.to);
        body.set(this.#pc).br(this.#top);
        break;
      }
      case 'emit':
        this.#signal(SIGNAL_INDEX[op.signal as keyof typeof SIGNAL_INDEX]);
        break;
      case 'read':
      case 'write':
      case 'raise':
      case 'trap':
      case 'call':
      case 'again':
        reach.leave();
        break;
      case 'skip':
        break;
      default:
        emitPure(values, op);
    }
  }
}

/** The function of a region. */
export const emitRegion = (region: Region, near: Surroundings): Body => new Emitter(region, near).emit();
