/** Cases for one row of the x86 table: every size, operands of every kind, values and addresses at the edges. */
import type { Memory, Operand } from '../../packages/x86/src/isa/decode.ts';
import { defaultSize, encode, type Form } from '../../packages/x86/src/isa/encode.ts';
import type { CodeSize } from '../../packages/x86/src/isa/mode.ts';
import type { Row, Size, Slot } from '../../packages/x86/src/isa/row.ts';
import type { Random } from './random.ts';
import { type Bits, CODE_SIZE, PLACES, READABLE, WINDOW, WRITABLE, type X86Case } from './x86-cases.ts';
import { openFlags } from './x86-flags.ts';
import { randomState } from './x86-state.ts';

const cut = (value: bigint, bits = 64): bigint => BigInt.asUintN(bits, value);

/** What a case is being put together from. */
interface Draft {
  readonly row: Row;
  readonly random: Random;
  readonly bits: Bits;
  readonly size: CodeSize;
  readonly addressSize: CodeSize;
  readonly r: bigint[];
  readonly override: number | undefined;
}

const FIXED: Readonly<Partial<Record<Size, number>>> = { b: 8, w: 16, d: 32, q: 64, x: 128, t: 80 };

function sizeOf(size: Size, bits: CodeSize): number {
  const fixed = FIXED[size];
  if (fixed !== undefined) return fixed;
  if (size === 'z') return Math.min(bits, 32);
  if (size === 'y') return Math.max(bits, 32);
  return size === '' ? 0 : bits;
}

/** Operand sizes that a row can have. */
function sizes(row: Row, bits: Bits): readonly CodeSize[] {
  // A prefix of 66 would make it another row.
  const noPrefix = row.prefix === 'NP' || row.prefix === '66';
  if (bits === 32) return noPrefix ? [32] : [16, 32, 32];
  if (row.w !== undefined) return row.w === 1 ? [64] : noPrefix ? [32] : [16, 32];
  if (row.sizing === 'f64') return [64];
  if (row.sizing === 'd64') return [16, 64, 64];
  return noPrefix ? [32, 64] : [16, 32, 64];
}

function memory(d: Draft, size: number): Memory {
  const { random, bits, addressSize } = d;
  const common = { kind: 'memory', size, addressSize, segment: d.override ?? 3 } as const;
  if (addressSize === 16) {
    const forms: readonly (readonly [number, number | undefined])[] = [
      [3, 6], [3, 7], [5, 6], [5, 7], [6, undefined], [7, undefined], [5, undefined], [3, undefined],
    ]; // biome-ignore format: one line
    const [base, index] = random.one(forms);
    const displacement = random.once(2) ? BigInt(random.below(0x10000)) : BigInt(random.below(256) - 128);
    return { ...common, base, index, scale: 0, displacement, relative: false };
  }
  const numbers = bits === 64 ? 16 : 8;
  let index: number | undefined = random.once(2) ? random.below(numbers) : undefined;
  if (index === 4) index = undefined;
  const kind = random.below(10);
  const base = kind < 8 ? random.below(numbers) : undefined;
  const relative = bits === 64 && base === undefined && random.once(2);
  const displacement = random.one([0n, BigInt(random.below(256) - 128), BigInt(random.below(0x2000) - 0x1000)]);
  if (relative) return { ...common, base: undefined, index: undefined, scale: 0, displacement: 0n, relative };
  return { ...common, base, index, scale: index === undefined ? 0 : random.below(4), displacement, relative: false };
}

function register(d: Draft, size: number): Operand {
  const { random, bits } = d;
  const number = random.below(bits === 64 ? 16 : 8);
  if (size === 8 && number < 8 && number >= 4 && (bits === 32 || random.once(2))) {
    return { kind: 'register', number: number - 4, size, high: true };
  }
  return { kind: 'register', number, size, high: false };
}

function constant(d: Draft, slot: Slot): Operand {
  const { random, size } = d;
  const value = random.edge();
  const bits = slot.size === 's' || slot.size === 'z' ? size : sizeOf(slot.size, size);
  if (slot.size === 's') return { kind: 'constant', value: BigInt.asIntN(8, value), size: bits };
  if (slot.size === 'z') return { kind: 'constant', value: BigInt.asIntN(Math.min(size, 32), value), size: bits };
  return { kind: 'constant', value: cut(value, bits), size: bits };
}

function operand(d: Draft, slot: Slot): Operand {
  const { random, row } = d;
  const size = sizeOf(slot.size, d.size);
  switch (slot.kind) {
    case 'E':
      return row.form === 'mem' || (row.form === 'any' && random.once(2)) ? memory(d, size) : register(d, size);
    case 'M':
      return memory(d, size);
    case 'R':
    case 'G':
    case 'Z':
      return register(d, size);
    case 'fixed':
      return { kind: 'register', number: slot.number, size, high: false };
    case 'one':
      return { kind: 'constant', value: 1n, size };
    case 'I':
      return constant(d, slot);
    case 'J':
      return { kind: 'relative', value: 0n, size: d.size };
    case 'S':
      return { kind: 'segment', number: random.below(6), size };
    case 'C':
    case 'D': {
      const numbers = slot.kind === 'C' ? [0, 2, 3, 4] : [0, 1, 2, 3, 6, 7];
      return { kind: slot.kind === 'C' ? 'control' : 'debug', number: random.one(numbers), size };
    }
    case 'V':
      return { kind: 'vector', number: random.below(d.bits === 64 ? 16 : 8), size };
    case 'U':
      return { kind: 'vector', number: random.below(d.bits === 64 ? 16 : 8), size };
    case 'W':
      return random.once(2) ? memory(d, size) : { kind: 'vector', number: random.below(d.bits === 64 ? 16 : 8), size };
    case 'O':
      return { ...memory(d, size), base: undefined, index: undefined, relative: false } as Memory;
    default:
      throw new Error(`${row.name}: no case is made for ${slot.text}`);
  }
}

/** An address worth trying for an access of so many bytes. */
function target(random: Random, data: bigint, bytes: number): bigint {
  const place = random.below(100);
  const inside = data + BigInt(random.below(WRITABLE - bytes));
  if (place < 70) return inside;
  const borders = [data + 0x1000n, data + BigInt(WRITABLE), data + BigInt(READABLE), data];
  if (place < 92) return random.one(borders) - BigInt(random.below(2 * bytes + 1)) + BigInt(bytes >> 1);
  if (place < 96) return data + BigInt(WRITABLE + random.below(READABLE - WRITABLE - bytes));
  return data + 0x40_0000n + BigInt(random.below(0x1000));
}

function windowAt(at: bigint, data: bigint): bigint {
  const low = (at & ~15n) - 128n;
  const last = data + BigInt(WRITABLE - WINDOW);
  if (low < data) return data;
  return low > last ? last : low;
}

const baseOf = (d: Draft, segment: number): bigint => {
  if (segment === 4) return PLACES[d.bits].fs;
  return segment === 5 ? PLACES[d.bits].gs : 0n;
};

/** Sets the registers of an address so that it leads to `to`, and returns the operand, whose displacement may have changed. */
function aim(d: Draft, m: Memory, to: bigint, held: ReadonlySet<number>): Memory {
  const { r, bits } = d;
  const offset = to - baseOf(d, m.segment);
  if (m.relative || m.addressSize === 16) return m;
  const scaled = (n: bigint): bigint => n << BigInt(m.scale);
  if (m.base !== undefined && m.base !== m.index && !held.has(m.base)) {
    // An index may be a small number or a wild one, of either sign.
    if (m.index !== undefined && !held.has(m.index)) {
      r[m.index] = cut(d.random.one([BigInt(d.random.below(64)), -BigInt(d.random.below(64)), d.random.edge()]), bits);
    }
    const index = m.index === undefined ? 0n : scaled(r[m.index] as bigint);
    r[m.base] = cut(offset - m.displacement - index, bits);
    return m;
  }
  if (m.base === undefined && m.index !== undefined && !held.has(m.index)) {
    const rest = offset - m.displacement;
    r[m.index] = cut(rest >> BigInt(m.scale), bits);
    return { ...m, displacement: m.displacement + (rest - scaled(rest >> BigInt(m.scale))) };
  }
  if (m.base === undefined && m.index === undefined && (bits === 32 || m.segment > 3)) {
    return { ...m, displacement: BigInt.asIntN(32, offset) };
  }
  return m;
}

const isStack = (row: Row): boolean => /^(PUSH|POP|CALL|RET|ENTER|LEAVE)/.test(row.mnemonic);

/** Rows whose memory is where registers say, without an operand: the register, and the bytes around it. */
const IMPLICIT: Readonly<Record<string, readonly number[]>> = {
  MOVS: [6, 7],
  MOVSB: [6, 7],
  CMPS: [6, 7],
  CMPSB: [6, 7],
  STOS: [7],
  STOSB: [7],
  LODS: [6],
  LODSB: [6],
  SCAS: [7],
  SCASB: [7],
  INS: [7],
  INSB: [7],
  OUTS: [6],
  OUTSB: [6],
  XLAT: [3],
};

function put(bytes: Uint8Array, window: bigint, at: bigint, value: bigint, size: number): void {
  for (let n = 0; n < size / 8; n++) {
    const place = Number(at + BigInt(n) - window);
    if (place >= 0 && place < WINDOW) bytes[place] = Number((value >> BigInt(8 * n)) & 0xffn);
  }
}

/** Somewhere in the code, seldom elsewhere. */
function somewhere(d: Draft, rip: bigint, length: number): bigint {
  const { random, bits } = d;
  const { code } = PLACES[bits];
  for (;;) {
    const wild = bits === 64 ? random.u64() >> 20n : random.u64() >> 34n;
    const to = random.once(8) ? wild + 0x1000n : code + BigInt(random.below(CODE_SIZE - 32));
    if (to < rip - 16n || to >= rip + BigInt(length)) return to;
  }
}

const FLAG_BITS = 0xcd5n;

/** One case for a row. Throws a RangeError now and then, where what was drawn cannot be encoded. */
function draw(row: Row, random: Random): X86Case {
  // The driver of 32 bits loads no x87 state.
  const withState = row.cost === 'float' || row.cost === 'vector';
  const bits: Bits = row.only === '64' || withState ? 64 : row.only === 'legacy' ? 32 : random.below(4) === 0 ? 32 : 64;
  const size = random.one(sizes(row, bits));
  const narrowAddress = random.once(8);
  const addressSize: CodeSize = bits === 64 ? (narrowAddress ? 32 : 64) : narrowAddress ? 16 : 32;
  const count = bits === 64 ? 16 : 8;
  const r = Array.from({ length: count }, () => cut(random.edge(), bits));
  const override = random.once(6) ? random.one([4, 5]) : undefined;
  const d: Draft = { row, random, bits, size, addressSize, r, override };
  const { data, code } = PLACES[bits];
  const bytes = Uint8Array.from({ length: WINDOW }, () => random.below(256));
  const operands = row.slots.map((slot) => operand(d, slot));
  const rip =
    code +
    BigInt(random.below(CODE_SIZE / 4096 - 1) * 4096) +
    BigInt(random.one([0x20, 0xff0, 0xff8, random.below(4000)]));
  let to = target(random, data, 16);

  const memoryAt = operands.findIndex((o) => o.kind === 'memory');
  const held = new Set<number>();
  // A bit string's offset moves the address.
  if (/^BT/.test(row.mnemonic) && operands[1]?.kind === 'register' && memoryAt === 0) {
    const offset = BigInt(random.below(1024) - 512);
    const number = operands[1].number;
    r[number] = cut(random.once(8) ? random.edge() : offset, bits);
    held.add(number);
  }
  if (isStack(row)) {
    held.add(4);
    const pointer = target(random, data, 16);
    r[4] = pointer;
    if (memoryAt < 0) to = pointer;
    if (row.mnemonic === 'LEAVE' || row.mnemonic === 'ENTER') {
      const frame = random.once(8) ? target(random, data, 16) : pointer + BigInt(random.below(64));
      r[5] = frame;
      held.add(5);
      if (row.mnemonic === 'LEAVE') to = frame;
      else {
        operands[0] = { kind: 'constant', value: BigInt(random.below(200)), size: 16 };
        r[4] = data + 0x600n + BigInt(random.below(0x800));
        to = r[4] as bigint;
      }
    }
  }
  let repeat: Form['repeat'] = 0;
  for (const n of IMPLICIT[row.mnemonic] ?? []) {
    const at = target(random, data, 16) - (n === 6 || row.mnemonic === 'XLAT' ? baseOf(d, override ?? 3) : 0n);
    r[n] = cut(at, bits);
    to = at;
  }
  if (row.string) {
    repeat = random.one([0, 0xf2, 0xf3]);
    r[1] = random.once(6) ? 0n : BigInt(1 + random.below(6));
    // An element that compares equal now and then.
    if (random.once(2)) bytes.fill(random.below(256));
    if (/^SCAS/.test(row.mnemonic) && random.once(2)) r[0] = BigInt(`0x${'5a'.repeat(8)}`) & cut(-1n, bits);
    if (/^SCAS/.test(row.mnemonic) && random.once(2)) bytes.fill(0x5a);
    if (/^CMPS/.test(row.mnemonic)) {
      r[6] = cut((r[7] as bigint) - baseOf(d, override ?? 3) + BigInt(random.below(32) - 16), bits);
    }
  }
  if (row.mnemonic === 'XLAT') r[0] = ((r[0] as bigint) & ~0xffn) | BigInt(random.below(256));
  if (memoryAt >= 0) operands[memoryAt] = aim(d, operands[memoryAt] as Memory, to, held);
  const window = windowAt(to, data);
  avoid(d, operands, to, window);

  const form = (extra: Partial<Form> = {}): Form => ({
    bits,
    size,
    addressSize,
    repeat,
    condition: random.below(16),
    rm: random.below(8),
    long: random.once(8),
    ...(override !== undefined && { override }),
    ...(row.lock && operands[0]?.kind === 'memory' && random.once(3) && { lock: true }),
    ...extra,
  });
  const chosen = form();
  let encoded = encode(row, operands, chosen);
  const relative = operands.findIndex((o) => o.kind === 'relative');
  if (relative >= 0) {
    const next = rip + BigInt(encoded.length);
    const short = row.slots[relative]?.size === 'b';
    let goes = short ? rip + BigInt(random.below(256) - 128) : somewhere(d, rip, encoded.length);
    if (goes > rip - 16n && goes < rip + 15n) goes = next + BigInt(16 + random.below(100));
    const distance = goes - next;
    operands[relative] = { kind: 'relative', value: short ? BigInt.asIntN(8, distance) : distance, size };
    const landed = next + BigInt.asIntN(short ? 8 : 64, distance);
    if (landed > rip - 16n && landed < next) throw new RangeError('would run itself');
    encoded = encode(row, operands, chosen);
  }
  if (memoryAt >= 0 && (operands[memoryAt] as Memory).relative) {
    const m = operands[memoryAt] as Memory;
    const displacement = to - baseOf(d, m.segment) - (rip + BigInt(encoded.length));
    operands[memoryAt] = { ...m, displacement };
    encoded = encode(row, operands, chosen);
  }
  values(d, operands, bytes, window, to, rip, encoded.length);
  const flags = 0x202n | (BigInt(random.below(0x1000)) & FLAG_BITS);
  const state = withState ? { state: randomState(random) } : {};
  const made = { row: row.name, bits, code: encoded, rip, r, flags, window, bytes, ...state };
  return { ...made, open: openFlags(row, operands, size, r, flags) };
}

/** What the manual leaves undefined, or would leave the test's own ground. */
function avoid(d: Draft, operands: readonly Operand[], to: bigint, window: bigint): void {
  const { row, size, r } = d;
  if (row.mnemonic === 'MOVSXD' && size === 16) throw new RangeError('Intel and AMD read different sizes');
  if (row.mnemonic === 'BSWAP' && size === 16) throw new RangeError('BSWAP of 16 bits is undefined');
  if (/^SH[LR]D/.test(row.mnemonic) && size === 16) {
    const last = operands.at(-1);
    const count = last?.kind === 'constant' ? last.value : (r[1] as bigint);
    if ((count & 31n) > 16n) throw new RangeError('a shift beyond the operand is undefined');
  }
  // QEMU takes the bytes that RET releases for a signed number.
  if (row.mnemonic === 'RET' && operands[0]?.kind === 'constant' && operands[0].value >= 0x8000n)
    throw new RangeError('-');
  if (/^(JMP|CALL)/.test(row.mnemonic) && operands[0]?.kind === 'register' && operands[0].number === 4) {
    throw new RangeError('the stack would be in the code');
  }
  // The contents decide where it goes on, or whether it steps.
  if (/^(JMP|CALL|RET|POPF)/.test(row.mnemonic) && (to < window || to + 8n > window + BigInt(WINDOW))) {
    const held = operands[0]?.kind === 'memory' || row.slots.length === 0 || row.mnemonic === 'RET';
    if (held) throw new RangeError('contents that are not ours');
  }
}

/** Contents that make rows do what they are for. */
function values(
  d: Draft,
  operands: readonly Operand[],
  bytes: Uint8Array,
  window: bigint,
  to: bigint,
  rip: bigint,
  length: number,
): void {
  const { row, random, r, bits, size } = d;
  const first = operands[0];
  const width = first?.size ?? size;
  if (operands.some((o) => o.kind === 'memory') && random.once(2)) put(bytes, window, to, random.edge(), 64);
  if (/^I?DIV/.test(row.mnemonic) && random.below(4) > 0) {
    // A dividend that fits: the upper half is the sign, or less than a small divisor.
    const high = row.mnemonic === 'DIV' ? 0n : random.one([0n, cut(-1n)]);
    if (width === 8) r[0] = cut(((r[0] as bigint) & ~0xff00n) | ((high & 0xffn) << 8n), bits);
    else r[2] = random.once(3) ? BigInt(random.below(16)) : cut(high, bits);
  }
  if (/^CMPXCHG/.test(row.mnemonic) && random.once(2)) {
    const read = (n: number): bigint => {
      let value = 0n;
      for (let i = 0; i < n; i++) value |= BigInt(bytes[Number(to - window) + i] ?? 0) << BigInt(8 * i);
      return value;
    };
    if (row.mnemonic === 'CMPXCHG8B') {
      r[0] = read(8) & 0xffff_ffffn;
      r[2] = read(8) >> 32n;
    } else if (row.mnemonic === 'CMPXCHG16B') {
      r[0] = read(8);
      r[2] = read(16) >> 64n;
    } else if (first?.kind === 'memory') r[0] = cut(read(width / 8), bits);
    else if (first?.kind === 'register' && !first.high) r[0] = r[first.number] as bigint;
  }
  if (/^(JMP|CALL|RET)/.test(row.mnemonic)) {
    const there = somewhere(d, rip, length);
    if (first?.kind === 'register') r[first.number] = there;
    else put(bytes, window, to, there, bits);
  }
  if (/^POPF/.test(row.mnemonic)) {
    // No single steps.
    const at = Number(to - window) + 1;
    if (at >= 0 && at < WINDOW) bytes[at] = (bytes[at] as number) & 0xfe;
  }
  if (row.mnemonic === 'BOUND' && first?.kind === 'register') {
    const index = r[first.number] as bigint;
    const half = size / 8;
    put(bytes, window, to, cut(index - BigInt(random.below(4) - 1), size), size);
    put(bytes, window, to + BigInt(half), cut(index + BigInt(random.below(4) - 1), size), size);
  }
}

const TRIES = 200;

export function generate(row: Row, random: Random): X86Case {
  for (let n = 0; n < TRIES; n++) {
    try {
      const c = draw(row, random);
      if (c.code.length <= 15) return c;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  throw new Error(`${row.name}: no case in ${TRIES} tries.`);
}

export { defaultSize };
