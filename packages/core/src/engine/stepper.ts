/**
 * The stepper: one instruction at a time, in plain TypeScript. The oracle that every other back end is compared with. It allocates nothing per
 * instruction once code is decoded.
 */
import type { Exception } from '@countervisor/contract';
import { PAGE } from '../memory/layout.ts';
import { UNFINISHED } from '../pmu/classes.ts';
import { build, openPage } from './build.ts';
import type { CodePage } from './code.ts';
import { ATTENTION, type Engine, UNALIGNED } from './engine.ts';
import { perform } from './perform.ts';
import { CODE } from './step.ts';

/** The instruction with an unaligned access retired. */
function retireUnaligned(x: Engine): void {
  x.attention &= ~ATTENTION.unaligned;
  x.emit(UNALIGNED, 1);
}

/**
 * Runs the current vCPU for at most `budget` units: retired instructions and unfinished turns. Returns how many were used. Stops early when
 * `Engine.attention` says that something changed that core has to look at, always at an instruction boundary.
 */
export function step(x: Engine, budget: number): number {
  const { m, counts, grainBits, critical, noting, hunting } = x;
  const { s } = x.v;
  const pcAt = s + x.pcWord;
  const below = (1 << grainBits) - 1;
  const { jumped } = CODE;
  let used = 0;
  let lo = m[pcAt] as number;
  let hi = m[pcAt + 1] as number;
  /** The page of `lo` and `hi`, while nothing can have changed it. */
  let page: CodePage | undefined;
  /** Does control arrive here from somewhere else? Where an activation begins may be anywhere, unless translated code led there. */
  let head = hunting;
  let arrivals = x.led ? 1 : 0;
  while (used < budget) {
    if (page === undefined) {
      head = hunting;
      if ((lo & below) !== 0) {
        const misaligned = x.doors.fault(x.v, 'fetch', 0n, 0n, 'fetch');
        if (misaligned !== undefined) {
          x.doors.take(x.v, misaligned);
          return used;
        }
      }
      if (x.page === undefined || x.pageLo !== ((hi << 20) | (lo >>> 12)) || x.pageHi !== hi >>> 12) {
        if (!openPage(x, lo, hi)) {
          x.doors.take(x.v, x.fault as Exception);
          return used;
        }
      }
      page = x.page as CodePage;
    }
    const slot = (lo & (PAGE - 1)) >> grainBits;
    let insn = page[slot];
    if (insn === undefined) {
      insn = build(x, (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0), slot);
      if (insn === undefined) {
        x.doors.take(x.v, x.fault as Exception);
        return used;
      }
    }
    if (head) {
      head = false;
      insn.heat += arrivals;
      arrivals = 1;
      if (insn.heat > x.hot) {
        x.reached = insn;
        return used;
      }
      x.led = false;
    }
    const atLo = lo;
    const atHi = hi;
    if (noting) x.noteSize = 0;
    const code = perform(x, insn.first, s);
    if (code === 0) {
      const next = (lo + insn.length) | 0;
      m[pcAt] = next;
      if ((lo ^ next) >>> 12 !== 0) {
        page = undefined;
        if (next >>> 0 < lo >>> 0) {
          hi = (hi + 1) | 0;
          m[pcAt + 1] = hi;
        }
      }
      lo = next;
    } else if (code === jumped) {
      const next = m[pcAt] as number;
      const nextHi = m[pcAt + 1] as number;
      if ((lo ^ next) >>> 12 !== 0 || hi !== nextHi || (next & below) !== 0) page = undefined;
      head = hunting;
      lo = next;
      hi = nextHi;
    } else {
      if (code === CODE.raised) {
        m[pcAt] = (lo + insn.length) | 0;
        if ((m[pcAt] as number) >>> 0 < lo >>> 0) m[pcAt + 1] = hi + 1;
        counts[insn.kind] = (counts[insn.kind] as number) + 1;
        if ((x.attention & ATTENTION.unaligned) !== 0) retireUnaligned(x);
        if (noting) x.retire(insn.name, atLo, atHi);
        x.doors.take(x.v, x.fault as Exception, true);
        return used + 1;
      }
      if (code === CODE.again) {
        counts[UNFINISHED] = (counts[UNFINISHED] as number) + 1;
        x.attention &= ~ATTENTION.unaligned;
        used++;
        if (noting) x.retire(insn.name, atLo, atHi);
        if (x.attention !== 0 || ((x.classes.masks[UNFINISHED] as number) & critical) !== 0) return used;
        continue;
      }
      x.attention &= ~ATTENTION.unaligned;
      if (code === CODE.fault) x.doors.take(x.v, x.fault as Exception);
      return used;
    }
    counts[insn.kind] = (counts[insn.kind] as number) + 1;
    used++;
    if (noting) x.retire(insn.name, atLo, atHi);
    if (x.attention !== 0) {
      if ((x.attention & ATTENTION.unaligned) !== 0) retireUnaligned(x);
      if (x.attention !== 0) {
        x.led = head;
        return used;
      }
    }
    if ((insn.signals & critical) !== 0) {
      x.led = head;
      return used;
    }
  }
  return used;
}
