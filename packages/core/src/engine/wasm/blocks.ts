/**
 * Finds the basic blocks of a region: what the stepper has already met on one page of code, from the places where control was seen to arrive.
 * Instructions that a region can't perform end a block; the stepper performs them.
 */
import type { CodeReader, Op } from '@countervisor/contract';
import { PAGE } from '../../memory/layout.ts';
import { SIGNAL_INDEX } from '../../pmu/classes.ts';
import type { CodePage, Insn } from '../code.ts';
import type { Engine } from '../engine.ts';
import { lift } from '../lift.ts';
import { output } from '../tidy.ts';
import { isInline } from './memory.ts';
import { type Shape, shape } from './shape.ts';

/** One instruction of a block. */
export interface Piece {
  readonly insn: Insn;
  readonly ops: readonly Op[];
}

export interface Block {
  /** Position in `Region.blocks`. */
  readonly id: number;
  readonly slot: number;
  readonly pc: bigint;
  readonly pieces: readonly Piece[];
  /** What stands behind the last instruction: 'step' an instruction for the stepper, 'next' whatever is there; 'never': it always jumps. */
  readonly end: 'step' | 'next' | 'never';
  /** Address behind the last instruction. */
  readonly next: bigint;
  /** Blocks of the region that it may go on to, at addresses known now. */
  readonly successors: readonly number[];
}

export interface Region {
  readonly blocks: readonly Block[];
  readonly byPc: ReadonlyMap<bigint, number>;
  readonly shapes: readonly Shape[];
  /**
   * Ids of the blocks at which control may arrive from elsewhere: where it was seen to, behind calls, behind what the stepper performs, and at the
   * head of every loop, so that whoever steps in a region soon is at one.
   */
  readonly entries: readonly number[];
  /** Does it jump to addresses that only the run knows? */
  readonly dynamic: boolean;
}

/** Instructions of a block, and of a region. */
const LONGEST = 48;
export const LARGEST = 1200;

const CALL = 1 << SIGNAL_INDEX.call;

class Bits implements CodeReader {
  readonly #insn: Insn;
  constructor(insn: Insn) {
    this.#insn = insn;
  }
  u8(offset: number): number | undefined {
    return offset < this.#insn.length ? Number((this.#insn.bits >> BigInt(8 * offset)) & 0xffn) : undefined;
  }
  u32(offset: number): number | undefined {
    return offset + 4 <= this.#insn.length ? Number((this.#insn.bits >> BigInt(8 * offset)) & 0xffff_ffffn) : undefined;
  }
}

/** The ops of an instruction that was decoded before, in the same mode. */
function opsOf(x: Engine, insn: Insn): readonly Op[] | undefined {
  const decoded = x.doors.decode(x.v, new Bits(insn), insn.pc);
  if (decoded === undefined || decoded.length !== insn.length) return undefined;
  return lift(x.arch, decoded.name, insn.pc, insn.pc + BigInt(insn.length), (b) => decoded.lift(b));
}

const LEAVES: ReadonlySet<string> = new Set(['read', 'write', 'trap', 'raise', 'call']);

/** Can a region perform the instruction, but for what it does only now and then? */
function isPerformed(x: Engine, ops: readonly Op[]): boolean {
  let guarded = 0;
  let loads = 0;
  let stores = 0;
  for (const op of ops) {
    const inside = guarded > 0;
    if (inside) guarded--;
    if (op.op === 'skip') guarded = Math.max(guarded, op.count);
    if (op.op === 'again') return false;
    if (LEAVES.has(op.op) && (!inside || stores > 0)) return false;
    if (op.op === 'load' || op.op === 'store' || op.op === 'probe') {
      if (!isInline(op.shape)) return false;
      if (op.op === 'load') loads++;
      if (op.op === 'store') stores++;
      // Left in its middle it is performed again from the start: what it has stored by then must not be what it loads.
      if (loads > 0 && (stores > 1 || (stores === 1 && op.op !== 'store'))) return false;
    }
    const to = output(op);
    if (to?.kind === 'register' && (x.arch.byName.get(to.name)?.affects ?? 0) !== 0) return false;
  }
  return true;
}

/** Does control always leave at this instruction, and may it? */
function transfers(ops: readonly Op[]): {
  readonly always: boolean;
  readonly some: boolean;
  readonly dynamic: boolean;
} {
  let guarded = 0;
  let always = false;
  let some = false;
  let dynamic = false;
  for (const op of ops) {
    const inside = guarded > 0;
    if (inside) guarded--;
    if (op.op === 'skip') guarded = Math.max(guarded, op.count);
    if (op.op !== 'jump' && op.op !== 'branch') continue;
    some = true;
    if (op.op === 'jump' && op.to.kind !== 'constant') dynamic = true;
    if (op.op === 'jump' && !inside) always = true;
  }
  return { always, some, dynamic };
}

const targets = (ops: readonly Op[]): bigint[] =>
  ops.flatMap((op) => {
    if (op.op === 'branch') return [op.to];
    return op.op === 'jump' && op.to.kind === 'constant' ? [op.to.value] : [];
  });

function headers(shapes: readonly Shape[], into: Set<number>): void {
  for (const one of shapes) {
    if (one.kind === 'block') continue;
    into.add(one.header);
    headers(one.body, into);
  }
}

/**
 * The region of a page that these slots lead to; `undefined` when no instruction of it can be performed. Of the slots the first is an entry, and
 * whichever no other leads to.
 */
export function discover(x: Engine, page: CodePage, first: bigint, seeds: readonly number[]): Region | undefined {
  const grain = BigInt(x.grainBits);
  const slotOf = (pc: bigint): number | undefined => {
    const at = pc - first;
    if (at < 0n || at >= BigInt(PAGE) || (at & ((1n << grain) - 1n)) !== 0n) return undefined;
    const slot = Number(at >> grain);
    return page[slot] === undefined ? undefined : slot;
  };
  const pieces = new Map<number, Piece | undefined>();
  const pieceAt = (slot: number): Piece | undefined => {
    if (pieces.has(slot)) return pieces.get(slot);
    const insn = page[slot] as Insn;
    const ops = pieces.size < LARGEST ? opsOf(x, insn) : undefined;
    const piece = ops !== undefined && isPerformed(x, ops) ? { insn, ops } : undefined;
    pieces.set(slot, piece);
    return piece;
  };

  const leaders = new Set<number>();
  const entries = new Set<number>();
  const walked = new Set<number>();
  const work: number[] = [];
  let dynamic = false;
  const lead = (slot: number | undefined, entry: boolean): void => {
    if (slot === undefined) return;
    if (entry) entries.add(slot);
    if (leaders.has(slot)) return;
    leaders.add(slot);
    work.push(slot);
  };
  const walkFrom = (start: number): void => {
    let slot: number | undefined = start;
    for (let length = 0; slot !== undefined && !walked.has(slot); length++) {
      if (length === LONGEST) {
        lead(slot, false);
        break;
      }
      const piece = pieceAt(slot);
      const { pc, length: bytes, signals } = page[slot] as Insn;
      const next = slotOf(pc + BigInt(bytes));
      walked.add(slot);
      if (piece === undefined) {
        lead(next, true);
        break;
      }
      const { always, some, dynamic: far } = transfers(piece.ops);
      for (const to of targets(piece.ops)) lead(slotOf(to), false);
      if (far) dynamic = true;
      if ((signals & CALL) !== 0) lead(next, true);
      if (always) break;
      if (some) {
        lead(next, false);
        break;
      }
      slot = next;
    }
  };
  const walk = (): void => {
    for (let start = work.pop(); start !== undefined; start = work.pop()) walkFrom(start);
  };
  for (const slot of seeds) {
    if (page[slot] === undefined || (slot !== seeds[0] && walked.has(slot))) continue;
    lead(slot, true);
    walk();
  }

  const heads = [...leaders].filter((slot) => pieces.get(slot) !== undefined).sort((a, b) => a - b);
  if (heads.length === 0) return undefined;
  const byPc = new Map(heads.map((slot, id) => [(page[slot] as Insn).pc, id]));
  const blocks = heads.map((head, id): Block => {
    const list: Piece[] = [];
    let at: number | undefined = head;
    let end: Block['end'] = 'next';
    let next = 0n;
    while (at !== undefined) {
      const piece = pieceAt(at);
      if (piece === undefined) {
        end = 'step';
        break;
      }
      list.push(piece);
      next = piece.insn.pc + BigInt(piece.insn.length);
      if (transfers(piece.ops).some) break;
      at = slotOf(next);
      if (at !== undefined && leaders.has(at) && pieces.get(at) !== undefined) break;
    }
    const last = list.at(-1) as Piece;
    const to = targets(last.ops);
    if (transfers(last.ops).always) end = 'never';
    else to.push(next);
    const successors = [...new Set(to.map((pc) => byPc.get(pc)).filter((id) => id !== undefined))];
    return { id, slot: head, pc: (page[head] as Insn).pc, pieces: list, end, next, successors };
  });
  const entered = new Set(heads.flatMap((slot, id) => (entries.has(slot) ? [id] : [])));
  const shapes = shape(
    blocks.map(({ id }) => id),
    (id) => (blocks[id] as Block).successors,
    entered,
  );
  headers(shapes, entered);
  return { blocks, byPc, shapes, entries: [...entered].sort((a, b) => a - b), dynamic };
}
