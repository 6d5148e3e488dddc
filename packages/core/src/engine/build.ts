/** From guest bytes to an instruction that the stepper can run: fetch, decode, lift, one closure per op. */
import type { CodeReader, Exception, Op, Operand } from '@countervisor/contract';
import { PAGE } from '../memory/layout.ts';
import type { Insn } from './code.ts';
import { CODE, effectStep, type Place } from './effects.ts';
import { ATTENTION, DEVICE, type Engine } from './engine.ts';
import { lift } from './lift.ts';
import { pureStep, type Step } from './pure.ts';

/** Reads the guest's code through its own translations; remembers what it could not read and whether the next page was needed. */
class Fetcher implements CodeReader {
  readonly #x: Engine;
  readonly #pc: bigint;
  #crossed = false;
  /** The first byte that is on a page without memory. */
  #nowhere: { readonly virtual: bigint; readonly physical: bigint } | undefined;

  constructor(x: Engine, pc: bigint) {
    this.#x = x;
    this.#pc = pc;
    x.fault = undefined;
  }

  get crossed(): boolean {
    return this.#crossed;
  }

  /** Why a byte could not be read. */
  fault(): Exception | undefined {
    const x = this.#x;
    if (x.fault !== undefined || this.#nowhere === undefined) return x.fault;
    return x.doors.fault(x.v, 'bus', this.#nowhere.virtual, this.#nowhere.physical, 'fetch');
  }

  /** Up to four bytes, as far as this page goes, little-endian: no other page is asked for. */
  start(): bigint {
    const left = PAGE - Number(this.#pc & BigInt(PAGE - 1));
    let bits = 0n;
    for (let i = Math.min(4, left) - 1; i >= 0; i--) bits = (bits << 8n) | BigInt(this.u8(i) ?? 0);
    return bits;
  }

  u8(offset: number): number | undefined {
    const x = this.#x;
    const at = BigInt.asUintN(64, this.#pc + BigInt(offset));
    if (at >> 12n !== this.#pc >> 12n) this.#crossed = true;
    const host = x.resolve(
      Number(BigInt.asIntN(32, at)),
      Number(BigInt.asIntN(32, at >> 32n)),
      'fetch',
      x.v.level,
      false,
    );
    if (host >= 0) return x.memory.bytes[host] as number;
    if (host === DEVICE) this.#nowhere ??= { virtual: at, physical: x.physical };
    return undefined;
  }

  u32(offset: number): number | undefined {
    let word = 0;
    for (let i = 0; i < 4; i++) {
      const byte = this.u8(offset + i);
      if (byte === undefined) return undefined;
      word |= byte << (8 * i);
    }
    return word >>> 0;
  }
}

function places(x: Engine): (o: Operand) => Place {
  const temporaries = x.memory.layout.temporaries >> 2;
  return (o) => {
    if (o.kind === 'register') return { at: (x.arch.byName.get(o.name)?.id as number) * 2, mask: -1 };
    if (o.kind === 'temporary') return { at: temporaries + 2 * o.index, mask: 0 };
    const at = x.constant(o.value);
    if (at < 0) throw new PoolFull();
    return { at, mask: 0 };
  };
}

class PoolFull extends Error {}

/** One closure per op, and one more behind an op that changes what core must look at. */
export function steps(x: Engine, ops: readonly Op[]): Step[] {
  const place = places(x);
  const none: Place = { at: 0, mask: 0 };
  const out: Step[] = [];
  const ends: number[] = [];
  for (const op of ops) {
    ends.push(out.length);
    if (!('width' in op)) {
      out.push(effectStep(x, op, place));
    } else {
      const d = place(op.to);
      const a = place(op.a);
      const b = op.b ? place(op.b) : none;
      const c = op.c ? place(op.c) : none;
      out.push(
        pureStep(op.op, op.width, {
          m: x.m,
          d: d.at,
          dm: d.mask,
          a: a.at,
          am: a.mask,
          b: b.at,
          bm: b.mask,
          c: c.at,
          cm: c.mask,
        }),
      );
    }
    const to =
      'to' in op && typeof op.to === 'object' && op.to.kind === 'register' && op.op !== 'jump' ? op.to : undefined;
    const affects = to === undefined ? 0 : (x.arch.byName.get(to.name)?.affects ?? 0);
    if (affects !== 0) {
      out.push(() => {
        x.attention |= affects;
        return 0;
      });
    }
  }
  ends.push(out.length);
  // A skip counts ops; closures may be more.
  ops.forEach((op, i) => {
    if (op.op !== 'skip') return;
    const count = (ends[i + 1 + op.count] as number) - (ends[i] as number) - 1;
    out[ends[i] as number] = effectStep(x, { ...op, count }, place);
  });
  return out;
}

/** Decodes and lifts the instruction at `pc`; `undefined` with `Engine.fault` set when there is none. Keeps it in `page` unless it crosses. */
export function build(x: Engine, pc: bigint, slot: number): Insn | undefined {
  const code = new Fetcher(x, pc);
  const decoded = x.doors.decode(x.v, code, pc);
  if (decoded === undefined) {
    // A fetch that could not be translated explains itself; bytes that mean nothing are undefined.
    const why = code.fault();
    x.bits = code.start();
    x.fault = why ?? x.doors.fault(x.v, 'undefined', x.bits, 0n, 'fetch');
    return undefined;
  }
  let bits = 0n;
  for (let i = decoded.length - 1; i >= 0; i--) bits = (bits << 8n) | BigInt(code.u8(i) ?? 0);
  const next = BigInt.asUintN(64, pc + BigInt(decoded.length));
  const ops = lift(x.arch, decoded.name, pc, next, (b) => decoded.lift(b));
  let list: Step[];
  try {
    list = steps(x, ops);
  } catch (error) {
    if (!(error instanceof PoolFull)) throw error;
    x.dropCode();
    x.attention |= ATTENTION.decode;
    list = steps(x, ops);
  }
  const { stop } = x;
  if (stop?.pc === pc) {
    list.unshift(() => {
      if (x.stop !== stop) return 0;
      stop.reached();
      return CODE.stopped;
    });
  }
  const kind = x.classes.of(decoded.cost, decoded.signals);
  const insn: Insn = {
    name: decoded.name,
    ops: list,
    length: decoded.length,
    kind,
    signals: x.classes.masks[kind] as number,
    bits,
    pc,
  };
  if (!code.crossed && x.page !== undefined) x.page[slot] = insn;
  return insn;
}

/** Makes the code page of `pc` the current one. False, with `Engine.fault` set, when it can't be fetched. */
export function openPage(x: Engine, lo: number, hi: number): boolean {
  x.page = undefined;
  x.pageLo = -1;
  const host = x.resolve(lo, hi, 'fetch', x.v.level, false);
  if (host === -1) return false;
  if (host === DEVICE) {
    const virtual = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
    x.fault = x.doors.fault(x.v, 'bus', virtual, x.physical, 'fetch');
    return false;
  }
  const hostPage = Math.floor(host / PAGE);
  const fresh = x.memory.watched[hostPage] === 0;
  x.pageLo = (hi << 20) | (lo >>> 12);
  x.pageHi = hi >>> 12;
  x.page = x.code.page(hostPage, x.doors.mode(x.v), x.pageHi, x.pageLo);
  if (fresh) x.clearWriteTags();
  return true;
}
