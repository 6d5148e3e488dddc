/**
 * Performs the steps of one instruction, over pairs of 32-bit words. All inputs are read before the output is written: they may be the same word.
 *
 * One loop with a literal label per kind, because that is what the JavaScript engine compiles best: calling a closure for each op takes three times
 * as long, and labels that are not literal ten times.
 */
import type { AccessShape } from '@countervisor/contract';
import { SIGNAL_INDEX } from '../pmu/classes.ts';
import { note, probe, slowLoad, slowStore } from './access.ts';
import type { Engine } from './engine.ts';
import { CODE, type Flags, type Step } from './step.ts';

/** Kinds in the order of their labels. `run` is a closure; a name with a width is the pure op; `fuse.ts` makes the others. */
export const KINDS: readonly string[] = [
  'run',
  'copy64',
  'add64',
  'add32',
  'sub64',
  'sub32',
  'and64',
  'and32',
  'or64',
  'or32',
  'xor64',
  'xor32',
  'shl64',
  'shl32',
  'shr64',
  'shr32',
  'sar64',
  'sar32',
  'eq64',
  'eq32',
  'ne64',
  'ne32',
  'ltu64',
  'ltu32',
  'leu64',
  'leu32',
  'lts64',
  'lts32',
  'select64',
  'select32',
  'zext8',
  'zext16',
  'zext32',
  'sext32',
  'mul32',
  'load',
  'store',
  'probe',
  'skip',
  'skipBits',
  'jump',
  'jumpTo',
  'branch64',
  'branch32',
  'branchUnless64',
  'branchUnless32',
  'branchEqual',
  'branchUnequal',
  'branchBits',
  'branchNoBits',
  'branchBelow',
  'branchNotAbove',
  'compare32',
  'compare64',
  'test32',
  'test64',
];

/** Performs a chain of steps for the vCPU whose block starts at word `base`. 0: all were done; else a `CODE`. */
export function perform(x: Engine, first: Step | undefined, base: number): number {
  const { m, bytes, halves } = x;
  // Constants of the function, not of the module: the JavaScript engine knows their values then, however modules were bundled.
  const MASK = 0x3fff_ffff;
  const TAKEN = SIGNAL_INDEX.taken;
  const s = base | 0;
  let o = first;
  while (o !== undefined) {
    switch (o.kind) {
      // copy64
      case 1: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const lo = m[a] as number;
        m[d + 1] = m[a + 1] as number;
        m[d] = lo;
        break;
      }
      // add64
      case 2: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const al = m[a] as number;
        const lo = (al + (m[b] as number)) | 0;
        m[d + 1] = (m[a + 1] as number) + (m[b + 1] as number) + (lo >>> 0 < al >>> 0 ? 1 : 0);
        m[d] = lo;
        break;
      }
      // add32
      case 3: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        m[d] = (m[a] as number) + (m[b] as number);
        m[d + 1] = 0;
        break;
      }
      // sub64
      case 4: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const al = m[a] as number;
        const bl = m[b] as number;
        m[d + 1] = (m[a + 1] as number) - (m[b + 1] as number) - (al >>> 0 < bl >>> 0 ? 1 : 0);
        m[d] = al - bl;
        break;
      }
      // sub32
      case 5: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        m[d] = (m[a] as number) - (m[b] as number);
        m[d + 1] = 0;
        break;
      }
      // and64
      case 6: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const lo = (m[a] as number) & (m[b] as number);
        m[d + 1] = (m[a + 1] as number) & (m[b + 1] as number);
        m[d] = lo;
        break;
      }
      // and32
      case 7: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        m[d] = (m[a] as number) & (m[b] as number);
        m[d + 1] = 0;
        break;
      }
      // or64
      case 8: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const lo = (m[a] as number) | (m[b] as number);
        m[d + 1] = (m[a + 1] as number) | (m[b + 1] as number);
        m[d] = lo;
        break;
      }
      // or32
      case 9: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        m[d] = (m[a] as number) | (m[b] as number);
        m[d + 1] = 0;
        break;
      }
      // xor64
      case 10: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const lo = (m[a] as number) ^ (m[b] as number);
        m[d + 1] = (m[a + 1] as number) ^ (m[b + 1] as number);
        m[d] = lo;
        break;
      }
      // xor32
      case 11: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        m[d] = (m[a] as number) ^ (m[b] as number);
        m[d + 1] = 0;
        break;
      }
      // shl64
      case 12: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const n = (m[b] as number) & 63;
        const al = m[a] as number;
        const ah = m[a + 1] as number;
        if (n >= 32) {
          m[d + 1] = al << (n - 32);
          m[d] = 0;
        } else {
          m[d + 1] = n === 0 ? ah : (ah << n) | (al >>> (32 - n));
          m[d] = al << n;
        }
        break;
      }
      // shl32
      case 13: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        m[d] = (m[a] as number) << (m[b] as number);
        m[d + 1] = 0;
        break;
      }
      // shr64
      case 14: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const n = (m[b] as number) & 63;
        const al = m[a] as number;
        const ah = m[a + 1] as number;
        if (n >= 32) {
          m[d] = ah >>> (n - 32);
          m[d + 1] = 0;
        } else {
          m[d] = n === 0 ? al : (al >>> n) | (ah << (32 - n));
          m[d + 1] = ah >>> n;
        }
        break;
      }
      // shr32
      case 15: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        m[d] = (m[a] as number) >>> (m[b] as number);
        m[d + 1] = 0;
        break;
      }
      // sar64
      case 16: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const n = (m[b] as number) & 63;
        const al = m[a] as number;
        const ah = m[a + 1] as number;
        if (n >= 32) {
          m[d] = ah >> (n - 32);
          m[d + 1] = ah >> 31;
        } else {
          m[d] = n === 0 ? al : (al >>> n) | (ah << (32 - n));
          m[d + 1] = ah >> n;
        }
        break;
      }
      // sar32
      case 17: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        m[d] = (m[a] as number) >> (m[b] as number);
        m[d + 1] = 0;
        break;
      }
      // eq64
      case 18: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const al = m[a] as number;
        const ah = m[a + 1] as number;
        const bl = m[b] as number;
        const bh = m[b + 1] as number;
        m[d] = al === bl && ah === bh ? 1 : 0;
        m[d + 1] = 0;
        break;
      }
      // eq32
      case 19: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        m[d] = (m[a] as number) === (m[b] as number) ? 1 : 0;
        m[d + 1] = 0;
        break;
      }
      // ne64
      case 20: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const al = m[a] as number;
        const ah = m[a + 1] as number;
        const bl = m[b] as number;
        const bh = m[b + 1] as number;
        m[d] = al !== bl || ah !== bh ? 1 : 0;
        m[d + 1] = 0;
        break;
      }
      // ne32
      case 21: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        m[d] = (m[a] as number) !== (m[b] as number) ? 1 : 0;
        m[d + 1] = 0;
        break;
      }
      // ltu64
      case 22: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const al = m[a] as number;
        const ah = m[a + 1] as number;
        const bl = m[b] as number;
        const bh = m[b + 1] as number;
        m[d] = (ah === bh ? al >>> 0 < bl >>> 0 : ah >>> 0 < bh >>> 0) ? 1 : 0;
        m[d + 1] = 0;
        break;
      }
      // ltu32
      case 23: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        m[d] = (m[a] as number) >>> 0 < (m[b] as number) >>> 0 ? 1 : 0;
        m[d + 1] = 0;
        break;
      }
      // leu64
      case 24: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const al = m[a] as number;
        const ah = m[a + 1] as number;
        const bl = m[b] as number;
        const bh = m[b + 1] as number;
        m[d] = (ah === bh ? al >>> 0 <= bl >>> 0 : ah >>> 0 < bh >>> 0) ? 1 : 0;
        m[d + 1] = 0;
        break;
      }
      // leu32
      case 25: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        m[d] = (m[a] as number) >>> 0 <= (m[b] as number) >>> 0 ? 1 : 0;
        m[d + 1] = 0;
        break;
      }
      // lts64
      case 26: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const al = m[a] as number;
        const ah = m[a + 1] as number;
        const bl = m[b] as number;
        const bh = m[b + 1] as number;
        m[d] = (ah === bh ? al >>> 0 < bl >>> 0 : ah < bh) ? 1 : 0;
        m[d + 1] = 0;
        break;
      }
      // lts32
      case 27: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        m[d] = (m[a] as number) < (m[b] as number) ? 1 : 0;
        m[d + 1] = 0;
        break;
      }
      // select64
      case 28: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const c = ((s & (o.c >> 31)) + (o.c & MASK)) | 0;
        const from = (m[a] as number) !== 0 || (m[a + 1] as number) !== 0 ? b : c;
        const lo = m[from] as number;
        m[d + 1] = m[from + 1] as number;
        m[d] = lo;
        break;
      }
      // select32
      case 29: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const c = ((s & (o.c >> 31)) + (o.c & MASK)) | 0;
        m[d] = m[(m[a] as number) !== 0 || (m[a + 1] as number) !== 0 ? b : c] as number;
        m[d + 1] = 0;
        break;
      }
      // zext8
      case 30: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        m[d] = (m[a] as number) & 0xff;
        m[d + 1] = 0;
        break;
      }
      // zext16
      case 31: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        m[d] = (m[a] as number) & 0xffff;
        m[d + 1] = 0;
        break;
      }
      // zext32
      case 32: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        m[d] = m[a] as number;
        m[d + 1] = 0;
        break;
      }
      // sext32
      case 33: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const v = m[a] as number;
        m[d] = v;
        m[d + 1] = v >> 31;
        break;
      }
      // mul32
      case 34: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        m[d] = Math.imul(m[a] as number, m[b] as number);
        m[d + 1] = 0;
        break;
      }
      // load
      case 35: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const al = m[a] as number;
        const lo = (al + (m[b] as number)) | 0;
        const hi = ((m[a + 1] as number) + (m[b + 1] as number) + (lo >>> 0 < al >>> 0 ? 1 : 0)) | 0;
        const e = x.tlb + ((lo >>> 12) & 255) * 8;
        if ((lo & o.c) === 0 && m[e] === ((hi << 20) | (lo >>> 12)) && m[e + 1] === hi >>> 12) {
          if (x.noting) note(x, lo, hi, o.c + 1, false);
          const host = (m[e + 6] as number) + (lo & 4095);
          if (o.c === 7) {
            m[d] = m[host >> 2] as number;
            m[d + 1] = m[(host >> 2) + 1] as number;
            break;
          }
          m[d] = (o.c === 3 ? m[host >> 2] : o.c === 0 ? bytes[host] : halves[host >> 1]) as number;
          m[d + 1] = 0;
          break;
        }
        const code = slowLoad(x, lo, hi, o.shape as AccessShape);
        if (code !== 0) return code;
        m[d] = x.lo;
        m[d + 1] = x.hi;
        break;
      }
      // store
      case 36: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const al = m[a] as number;
        const lo = (al + (m[b] as number)) | 0;
        const hi = ((m[a + 1] as number) + (m[b + 1] as number) + (lo >>> 0 < al >>> 0 ? 1 : 0)) | 0;
        const e = x.tlb + ((lo >>> 12) & 255) * 8;
        if ((lo & o.c) === 0 && m[e + 2] === ((hi << 20) | (lo >>> 12)) && m[e + 3] === hi >>> 12) {
          if (x.noting) note(x, lo, hi, o.c + 1, true);
          const host = (m[e + 6] as number) + (lo & 4095);
          if (o.c === 7) {
            m[host >> 2] = m[d] as number;
            m[(host >> 2) + 1] = m[d + 1] as number;
          } else if (o.c === 3) m[host >> 2] = m[d] as number;
          else if (o.c === 0) bytes[host] = m[d] as number;
          else halves[host >> 1] = m[d] as number;
          break;
        }
        x.lo = m[d] as number;
        x.hi = m[d + 1] as number;
        const code = slowStore(x, lo, hi, o.shape as AccessShape);
        if (code !== 0) return code;
        break;
      }
      // probe
      case 37: {
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const lo = m[a] as number;
        const hi = m[a + 1] as number;
        const e = x.tlb + ((lo >>> 12) & 255) * 8 + o.hi;
        if (
          (lo & o.c) === 0 &&
          (lo & 4095) + o.lo <= 4096 &&
          m[e] === ((hi << 20) | (lo >>> 12)) &&
          m[e + 1] === hi >>> 12
        )
          break;
        const code = probe(x, lo, hi, o.lo, o.hi !== 0, o.shape as AccessShape);
        if (code !== 0) return code;
        break;
      }
      // skip
      case 38: {
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        if (m[a] === 0 && m[a + 1] === 0) {
          o = o.past;
          continue;
        }
        break;
      }
      // skipBits
      case 39: {
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        if (((m[a] as number) & (m[b] as number)) === 0 && ((m[a + 1] as number) & (m[b + 1] as number)) === 0) {
          o = o.past;
          continue;
        }
        break;
      }
      // jump
      case 40: {
        m[s + x.pcWord] = o.lo;
        m[s + x.pcWord + 1] = o.hi;
        return CODE.jumped;
      }
      // jumpTo
      case 41: {
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const lo = m[a] as number;
        m[s + x.pcWord + 1] = m[a + 1] as number;
        m[s + x.pcWord] = lo;
        return CODE.jumped;
      }
      // branch64
      case 42: {
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        if (m[a] === 0 && m[a + 1] === 0) break;
        x.emit(TAKEN, 1);
        m[s + x.pcWord] = o.lo;
        m[s + x.pcWord + 1] = o.hi;
        return CODE.jumped;
      }
      // branch32
      case 43: {
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        if (m[a] === 0) break;
        x.emit(TAKEN, 1);
        m[s + x.pcWord] = o.lo;
        m[s + x.pcWord + 1] = o.hi;
        return CODE.jumped;
      }
      // branchUnless64
      case 44: {
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        if (m[a] !== 0 || m[a + 1] !== 0) break;
        x.emit(TAKEN, 1);
        m[s + x.pcWord] = o.lo;
        m[s + x.pcWord + 1] = o.hi;
        return CODE.jumped;
      }
      // branchUnless32
      case 45: {
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        if (m[a] !== 0) break;
        x.emit(TAKEN, 1);
        m[s + x.pcWord] = o.lo;
        m[s + x.pcWord + 1] = o.hi;
        return CODE.jumped;
      }
      // branchEqual
      case 46: {
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        if (m[a] !== m[b] || m[a + 1] !== m[b + 1]) break;
        x.emit(TAKEN, 1);
        m[s + x.pcWord] = o.lo;
        m[s + x.pcWord + 1] = o.hi;
        return CODE.jumped;
      }
      // branchUnequal
      case 47: {
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        if (m[a] === m[b] && m[a + 1] === m[b + 1]) break;
        x.emit(TAKEN, 1);
        m[s + x.pcWord] = o.lo;
        m[s + x.pcWord + 1] = o.hi;
        return CODE.jumped;
      }
      // branchBits
      case 48: {
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        if (((m[a] as number) & (m[b] as number)) === 0 && ((m[a + 1] as number) & (m[b + 1] as number)) === 0) break;
        x.emit(TAKEN, 1);
        m[s + x.pcWord] = o.lo;
        m[s + x.pcWord + 1] = o.hi;
        return CODE.jumped;
      }
      // branchNoBits
      case 49: {
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        if (((m[a] as number) & (m[b] as number)) !== 0 || ((m[a + 1] as number) & (m[b + 1] as number)) !== 0) break;
        x.emit(TAKEN, 1);
        m[s + x.pcWord] = o.lo;
        m[s + x.pcWord + 1] = o.hi;
        return CODE.jumped;
      }
      // branchBelow
      case 50: {
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const ah = (m[a + 1] as number) >>> 0;
        const bh = (m[b + 1] as number) >>> 0;
        if (ah === bh ? (m[a] as number) >>> 0 >= (m[b] as number) >>> 0 : ah > bh) break;
        x.emit(TAKEN, 1);
        m[s + x.pcWord] = o.lo;
        m[s + x.pcWord + 1] = o.hi;
        return CODE.jumped;
      }
      // branchNotAbove
      case 51: {
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const ah = (m[a + 1] as number) >>> 0;
        const bh = (m[b + 1] as number) >>> 0;
        if (ah === bh ? (m[a] as number) >>> 0 > (m[b] as number) >>> 0 : ah > bh) break;
        x.emit(TAKEN, 1);
        m[s + x.pcWord] = o.lo;
        m[s + x.pcWord + 1] = o.hi;
        return CODE.jumped;
      }
      // compare32
      case 52: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const al = m[a] as number;
        const bl = m[b] as number;
        const r = (al - bl) | 0;
        const f = o.flags as Flags;
        const n = ((s & (f.n >> 31)) + (f.n & MASK)) | 0;
        const z = ((s & (f.z >> 31)) + (f.z & MASK)) | 0;
        const c = ((s & (f.c >> 31)) + (f.c & MASK)) | 0;
        const v = ((s & (f.v >> 31)) + (f.v & MASK)) | 0;
        m[d] = r;
        m[d + 1] = 0;
        m[n] = r >>> 31;
        m[n + 1] = 0;
        m[z] = r === 0 ? 1 : 0;
        m[z + 1] = 0;
        m[c] = bl >>> 0 <= al >>> 0 ? 1 : 0;
        m[c + 1] = 0;
        m[v] = ((al ^ bl) & (al ^ r)) >>> 31;
        m[v + 1] = 0;
        break;
      }
      // compare64
      case 53: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const al = m[a] as number;
        const ah = m[a + 1] as number;
        const bl = m[b] as number;
        const bh = m[b + 1] as number;
        const below = al >>> 0 < bl >>> 0;
        const l = (al - bl) | 0;
        const h = (ah - bh - (below ? 1 : 0)) | 0;
        const f = o.flags as Flags;
        const n = ((s & (f.n >> 31)) + (f.n & MASK)) | 0;
        const z = ((s & (f.z >> 31)) + (f.z & MASK)) | 0;
        const c = ((s & (f.c >> 31)) + (f.c & MASK)) | 0;
        const v = ((s & (f.v >> 31)) + (f.v & MASK)) | 0;
        m[d] = l;
        m[d + 1] = h;
        m[n] = h >>> 31;
        m[n + 1] = 0;
        m[z] = l === 0 && h === 0 ? 1 : 0;
        m[z + 1] = 0;
        m[c] = (ah === bh ? below : ah >>> 0 < bh >>> 0) ? 0 : 1;
        m[c + 1] = 0;
        m[v] = ((ah ^ bh) & (ah ^ h)) >>> 31;
        m[v + 1] = 0;
        break;
      }
      // test32
      case 54: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const l = (m[a] as number) & (m[b] as number);
        const f = o.flags as Flags;
        const n = ((s & (f.n >> 31)) + (f.n & MASK)) | 0;
        const z = ((s & (f.z >> 31)) + (f.z & MASK)) | 0;
        const c = ((s & (f.c >> 31)) + (f.c & MASK)) | 0;
        const v = ((s & (f.v >> 31)) + (f.v & MASK)) | 0;
        m[d] = l;
        m[d + 1] = 0;
        m[n] = l >>> 31;
        m[n + 1] = 0;
        m[z] = l === 0 ? 1 : 0;
        m[z + 1] = 0;
        m[c] = 0;
        m[c + 1] = 0;
        m[v] = 0;
        m[v + 1] = 0;
        break;
      }
      // test64
      case 55: {
        const d = ((s & (o.d >> 31)) + (o.d & MASK)) | 0;
        const a = ((s & (o.a >> 31)) + (o.a & MASK)) | 0;
        const b = ((s & (o.b >> 31)) + (o.b & MASK)) | 0;
        const l = (m[a] as number) & (m[b] as number);
        const h = (m[a + 1] as number) & (m[b + 1] as number);
        const f = o.flags as Flags;
        const n = ((s & (f.n >> 31)) + (f.n & MASK)) | 0;
        const z = ((s & (f.z >> 31)) + (f.z & MASK)) | 0;
        const c = ((s & (f.c >> 31)) + (f.c & MASK)) | 0;
        const v = ((s & (f.v >> 31)) + (f.v & MASK)) | 0;
        m[d] = l;
        m[d + 1] = h;
        m[n] = h >>> 31;
        m[n + 1] = 0;
        m[z] = l === 0 && h === 0 ? 1 : 0;
        m[z + 1] = 0;
        m[c] = 0;
        m[c + 1] = 0;
        m[v] = 0;
        m[v + 1] = 0;
        break;
      }
      default: {
        const code = o.run(s);
        if (code !== 0) return code;
      }
    }
    o = o.next;
  }
  return 0;
}
