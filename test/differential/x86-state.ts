/** x87 and XMM state of a case as an FXSAVE image. SDM volume 1, 10.5.1 (layout). */
import type { Random } from './random.ts';
import { FPU } from './x86-cases.ts';

const J = 1n << 63n;
const QUIET = 1n << 62n;
const XMM = 160;

type Pair = readonly [significand: bigint, se: number];

/** A number that stands where floating point turns. */
function number(random: Random): Pair {
  const sign = random.below(2) << 15;
  const low = random.u64();
  const few = J | (1n << BigInt(random.below(63)));
  switch (random.below(16)) {
    case 0:
      return [0n, sign];
    case 1:
      return [J, sign | 0x7fff];
    case 2:
      return [J | QUIET | (low & (QUIET - 1n)), sign | 0x7fff];
    case 3:
      return [J | (low & (QUIET - 1n)) | 1n, sign | 0x7fff];
    case 4:
      // Denormal, or a denormal with an integer bit.
      return [random.once(4) ? low | J : (low | 1n) & ~J, sign];
    case 5:
      return [low & ~J, sign | random.below(0x8000)];
    case 6:
      return [J | low, sign | random.below(0x7fff)];
    case 7:
      return [J | low, sign | (16383 + random.below(70) - 35)];
    case 8:
      return [few, sign | (16383 + random.below(1100) - 550 + (random.once(2) ? 1023 : -1023))];
    case 9:
      return [few, sign | (16383 + random.below(200) - 100 + (random.once(2) ? 127 : -127))];
    case 10:
      return [J, sign | random.one([1, 2, 63, 64, 65, 0x7ffe, 0x7ffd, 16383, 16384, 16382])];
    case 11:
      return [BigInt.asUintN(64, -1n << BigInt(random.below(64))) | J, sign | (16383 + random.below(66))];
    default:
      return [random.once(2) ? few : J | low, sign | (16383 + random.below(12) - 6)];
  }
}

export function randomState(random: Random): Uint8Array {
  const state = new Uint8Array(FPU);
  const view = new DataView(state.buffer);
  const precision = random.one([0, 2, 3, 3, 3]);
  const masks = random.once(6) ? random.below(64) : 0x3f;
  view.setUint16(0, masks | 0x40 | (precision << 8) | (random.below(4) << 10), true);
  const codes = random.below(0x8000) & 0x4700;
  const sticky = random.once(4) ? random.below(0x80) : 0;
  const pending = (sticky & ~masks & 0x3f) !== 0 ? 0x8080 : 0;
  view.setUint16(2, codes | (random.below(8) << 11) | sticky | pending, true);
  state[4] = random.below(4) > 0 ? 0xff : random.once(2) ? 0x7f : random.below(256);
  view.setUint32(24, 0x1f80, true);
  const all = Array.from({ length: 8 }, () => number(random));
  // Numbers that are close to one another cancel.
  if (random.once(4))
    all[1] = [(all[0] as Pair)[0] ^ BigInt(random.below(4)), (all[0] as Pair)[1] ^ (random.below(2) << 15)];
  all.forEach(([significand, se], i) => {
    view.setBigUint64(32 + 16 * i, significand, true);
    view.setUint16(40 + 16 * i, se, true);
  });
  for (let n = 0; n < 16; n++) {
    view.setBigUint64(XMM + 16 * n, random.edge(), true);
    view.setBigUint64(XMM + 16 * n + 8, random.edge(), true);
  }
  return state;
}

interface View {
  get(name: string): bigint;
  set(name: string, value: bigint): void;
}

export function applyState(view: View, state: Uint8Array): void {
  const at = new DataView(state.buffer, state.byteOffset);
  const status = at.getUint16(2, true);
  const top = (status >> 11) & 7;
  view.set('FCW', BigInt(at.getUint16(0, true)));
  view.set('FSW', BigInt(status));
  view.set('FTW', BigInt(state[4] as number));
  view.set('MXCSR', BigInt(at.getUint32(24, true)));
  for (let i = 0; i < 8; i++) {
    view.set(`FPR${(top + i) & 7}`, at.getBigUint64(32 + 16 * i, true));
    view.set(`FPR${(top + i) & 7}_SE`, BigInt(at.getUint16(40 + 16 * i, true)));
  }
  for (let n = 0; n < 16; n++) {
    view.set(`XMM${n}_LOW`, at.getBigUint64(XMM + 16 * n, true));
    view.set(`XMM${n}_HIGH`, at.getBigUint64(XMM + 16 * n + 8, true));
  }
}

export function stateOf(view: View): Uint8Array {
  const state = new Uint8Array(FPU);
  const at = new DataView(state.buffer);
  const top = Number((view.get('FSW') >> 11n) & 7n);
  at.setUint16(0, Number(view.get('FCW')), true);
  at.setUint16(2, Number(view.get('FSW')), true);
  state[4] = Number(view.get('FTW'));
  at.setUint32(24, Number(view.get('MXCSR')), true);
  for (let i = 0; i < 8; i++) {
    at.setBigUint64(32 + 16 * i, view.get(`FPR${(top + i) & 7}`), true);
    at.setUint16(40 + 16 * i, Number(view.get(`FPR${(top + i) & 7}_SE`)), true);
  }
  for (let n = 0; n < 16; n++) {
    at.setBigUint64(XMM + 16 * n, view.get(`XMM${n}_LOW`), true);
    at.setBigUint64(XMM + 16 * n + 8, view.get(`XMM${n}_HIGH`), true);
  }
  return state;
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** What differs of two images; `status`: bits of the status word that are compared. FOP, FIP and FDP are not kept up to date, and not compared. */
export function stateDifference(mine: Uint8Array, its: Uint8Array, status: number): readonly string[] {
  const [a, b] = [mine, its].map((s) => new DataView(s.buffer, s.byteOffset)) as [DataView, DataView];
  const all: string[] = [];
  const say = (what: string, x: bigint | number, y: bigint | number): void => {
    if (x !== y) all.push(`${what} ${hex(x)}, QEMU ${hex(y)}`);
  };
  say('FCW', a.getUint16(0, true), b.getUint16(0, true));
  say('FSW', a.getUint16(2, true) & status, b.getUint16(2, true) & status);
  say('FTW', mine[4] as number, its[4] as number);
  say('MXCSR', a.getUint32(24, true), b.getUint32(24, true));
  for (let i = 0; i < 8; i++) {
    const pair = (v: DataView): bigint =>
      v.getBigUint64(32 + 16 * i, true) | (BigInt(v.getUint16(40 + 16 * i, true)) << 64n);
    say(`ST${i}`, pair(a), pair(b));
  }
  for (let n = 0; n < 32; n++) {
    say(`XMM${n >> 1} ${n & 1 ? 'high' : 'low'}`, a.getBigUint64(XMM + 8 * n, true), b.getBigUint64(XMM + 8 * n, true));
  }
  return all;
}
