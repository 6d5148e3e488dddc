/** From guest bytes to an instruction that the stepper can run: fetch, decode, lift, its steps. */
import type { CodeReader, Exception, Op } from '@countervisor/contract';
import { PAGE } from '../memory/layout.ts';
import type { Insn } from './code.ts';
import { effectStep, type Placing } from './effects.ts';
import { ATTENTION, DEVICE, type Engine } from './engine.ts';
import { fuse } from './fuse.ts';
import { lift } from './lift.ts';
import { pureStep } from './pure.ts';
import { CODE, chain, makeStep, REGISTER, type Step } from './step.ts';
import { output } from './tidy.ts';

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

class PoolFull extends Error {}

function placing(x: Engine): Placing {
  const temporaries = x.memory.layout.temporaries >> 2;
  return (o) => {
    if (o.kind === 'register') return REGISTER + (x.arch.byName.get(o.name)?.id as number) * 2;
    if (o.kind === 'temporary') return temporaries + 2 * o.index;
    const at = x.constant(o.value);
    if (at < 0) throw new PoolFull();
    return at;
  };
}

function stepOf(x: Engine, op: Op, place: Placing): Step {
  if (!('width' in op)) return effectStep(x, op, place);
  const { a, b, c } = op;
  const places = { d: place(op.to), a: place(a), b: b ? place(b) : 0, c: c ? place(c) : 0 };
  return pureStep(x.m, op.op, op.width, places);
}

/** What core must look at when the op has written its register. */
function affects(x: Engine, op: Op): number {
  const to = output(op);
  return to?.kind === 'register' ? (x.arch.byName.get(to.name)?.affects ?? 0) : 0;
}

/** One step per op or per few ops, and one more behind those that change what core must look at. */
export function steps(x: Engine, ops: readonly Op[]): Step[] {
  const place = placing(x);
  const out: Step[] = [];
  /** Where each op's step stands, and the op behind what a skip skips: there no step may begin earlier. */
  const starts: number[] = [];
  const ends = new Set(ops.map((op, i) => (op.op === 'skip' ? i + 1 + op.count : -1)));
  const skips: { readonly step: Step; readonly to: number }[] = [];
  for (let i = 0; i < ops.length; ) {
    const op = ops[i] as Op;
    let { length, step } = fuse(ops, i, place) ?? { length: 1, step: stepOf(x, op, place) };
    for (let k = i + 1; k < i + length; k++) {
      if (!ends.has(k)) continue;
      length = 1;
      step = stepOf(x, op, place);
    }
    let affected = 0;
    for (const covered of ops.slice(i, i + length)) {
      starts.push(out.length);
      affected |= affects(x, covered);
      if (covered.op === 'skip') skips.push({ step, to: starts.length + covered.count });
    }
    out.push(step);
    i += length;
    if (affected === 0) continue;
    const run = (): number => {
      x.attention |= affected;
      return 0;
    };
    out.push(makeStep(0, { run }));
  }
  for (const { step, to } of skips) step.past = out[starts[to] ?? out.length];
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
    const run = (): number => {
      if (x.stop !== stop) return 0;
      stop.reached();
      return CODE.stopped;
    };
    list.unshift(makeStep(0, { run }));
  }
  const kind = x.classes.of(decoded.cost, decoded.signals);
  const insn: Insn = {
    name: decoded.name,
    first: chain(list),
    length: decoded.length,
    kind,
    signals: x.classes.masks[kind] as number,
    bits,
    pc,
    heat: 0,
  };
  x.code.made++;
  if (!code.crossed && x.page !== undefined) x.page[slot] = insn;
  else x.homeless = insn;
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
  // No instruction is under way here, so that its constants may go.
  if (x.code.full) x.dropCode();
  const hostPage = Math.floor(host / PAGE);
  const fresh = x.memory.watched[hostPage] === 0;
  x.pageHost = hostPage * PAGE;
  x.pageMode = x.doors.mode(x.v);
  x.pageLo = (hi << 20) | (lo >>> 12);
  x.pageHi = hi >>> 12;
  x.page = x.code.page(hostPage, x.pageMode, x.pageHi, x.pageLo);
  if (fresh) x.clearWriteTags();
  return true;
}
