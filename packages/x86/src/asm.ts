/**
 * A small assembler. `op` finds the row of the instruction table that fits a mnemonic and its operands, the shortest first; the other functions are that
 * under the names of the assembly language. `program` puts several together, with labels. Intel SDM volume 2; operand order is the manual's.
 *
 * Registers are written 'RAX', 'R8D', 'AL', 'CR0' and so on, numbers are immediates, `mem` is memory, and other words are labels. Code has 64 bits
 * until `bits` says otherwise. A function throws an Error for what cannot be encoded.
 */
import type { Operand as Decoded, Memory } from './isa/decode.ts';
import { encode, type Form } from './isa/encode.ts';
import { rows } from './isa/instructions/index.ts';
import type { CodeSize } from './isa/mode.ts';
import type { Row, Size, Slot } from './isa/row.ts';

/** What code needs to know of the place where it stands. */
export interface Place {
  readonly bits: CodeSize;
  readonly here: bigint;
  /** The address of a label. */
  address(label: string): bigint;
}

/** Bytes, the same number of them wherever they stand. */
export interface Code {
  assemble(place: Place): readonly number[];
}
export interface Label {
  readonly label: string;
}
export interface Data {
  readonly bytes: Uint8Array;
  readonly align: number;
}
export interface Bits {
  readonly bits: CodeSize;
}
/** A place, the size of the code from here on, bytes of data, or code. Lists are taken apart. */
export type Item = Code | Label | Data | Bits | readonly Item[];

/** An assembled program. */
export interface Assembled {
  readonly base: bigint;
  readonly bytes: Uint8Array;
  /** Addresses by label. */
  readonly labels: ReadonlyMap<string, bigint>;
}

/** Memory at base + index × scale + displacement; at a label, relative to RIP in 64-bit code. */
export interface At {
  readonly base: string | undefined;
  readonly index: string | undefined;
  readonly scale: number;
  readonly displacement: bigint;
  readonly label: string | undefined;
  readonly segment: string | undefined;
  /** Bits of the operand, where no register says it. */
  readonly size: number | undefined;
}
/** The address of a label, as a number. */
export interface AddressOf {
  readonly addressOf: string;
}

export type Operand = string | number | bigint | At | AddressOf;

const fail = (why: string): never => {
  throw new Error(why);
};

const NAMES = ['AX', 'CX', 'DX', 'BX', 'SP', 'BP', 'SI', 'DI'];
const BYTES = ['AL', 'CL', 'DL', 'BL', 'SPL', 'BPL', 'SIL', 'DIL'];
const HIGH = ['AH', 'CH', 'DH', 'BH'];
const SEGMENTS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'];
const CONDITIONS = ['O', 'NO', 'B', 'AE', 'E', 'NE', 'BE', 'A', 'S', 'NS', 'P', 'NP', 'L', 'GE', 'LE', 'G'];
const ALIASES: Readonly<Record<string, string>> = {
  C: 'B',
  NC: 'AE',
  Z: 'E',
  NZ: 'NE',
  NAE: 'B',
  NB: 'AE',
  NA: 'BE',
  NBE: 'A',
};

/** A register by its name, or undefined. */
function register(name: string): Decoded | undefined {
  const general = (number: number, size: number, high = false): Decoded => ({ kind: 'register', number, size, high });
  const numbered = /^R(8|9|1[0-5])([DWB]?)$/.exec(name);
  if (numbered)
    return general(Number(numbered[1]), { '': 64, D: 32, W: 16, B: 8 }[numbered[2] as '' | 'D' | 'W' | 'B']);
  if (HIGH.includes(name)) return general(HIGH.indexOf(name), 8, true);
  if (BYTES.includes(name)) return general(BYTES.indexOf(name), 8);
  if (NAMES.includes(name)) return general(NAMES.indexOf(name), 16);
  if (/^[RE]/.test(name) && NAMES.includes(name.slice(1))) {
    return general(NAMES.indexOf(name.slice(1)), name.startsWith('R') ? 64 : 32);
  }
  if (SEGMENTS.includes(name)) return { kind: 'segment', number: SEGMENTS.indexOf(name), size: 16 };
  const other = /^(CR|DR|XMM)(\d+)$/.exec(name);
  if (other === null) return undefined;
  const kind = { CR: 'control', DR: 'debug', XMM: 'vector' }[other[1] as 'CR' | 'DR' | 'XMM'] as 'control';
  return { kind, number: Number(other[2]), size: kind === 'control' ? 64 : 128 };
}

/** The number of a general register that an address may be made of, and its size. */
function addressing(name: string): { readonly number: number; readonly size: CodeSize } {
  const found = register(name);
  if (found?.kind !== 'register' || found.size < 16) return fail(`'${name}' is no register of an address.`);
  return { number: found.number, size: found.size as CodeSize };
}

const FIXED: Readonly<Partial<Record<Size, number>>> = { b: 8, w: 16, d: 32, q: 64, x: 128, t: 80 };

function sizeOf(size: Size, bits: CodeSize): number {
  const fixed = FIXED[size];
  if (fixed !== undefined) return fixed;
  if (size === 'z') return Math.min(bits, 32);
  return size === 'y' ? Math.max(bits, 32) : bits;
}

/** Does this number fit an immediate of the slot? */
function fits(slot: Slot, value: bigint, size: CodeSize): boolean {
  const within = (bits: number): boolean => value >= -(1n << BigInt(bits - 1)) && value < 1n << BigInt(bits);
  if (slot.size === 's') {
    const signed = BigInt.asIntN(size, value);
    return within(size) && signed >= -128n && signed < 128n;
  }
  if (slot.size === 'z') {
    return size === 64 ? BigInt.asIntN(32, value) === BigInt.asIntN(64, value) : within(size);
  }
  return within(sizeOf(slot.size, size));
}

/** One operand in one slot, or undefined where it cannot stand. */
function fit(slot: Slot, operand: Operand, size: CodeSize, place: Place): Decoded | undefined {
  const bits = sizeOf(slot.size, size);
  if (typeof operand === 'string') {
    const named = register(operand);
    if (named === undefined) return slot.kind === 'J' ? { kind: 'relative', value: 0n, size } : undefined;
    if (named.kind === 'register') {
      if (!'EGRZ'.includes(slot.kind) && slot.kind !== 'fixed') return undefined;
      if (slot.kind === 'fixed' && (slot.number !== named.number || named.high)) return undefined;
      return named.size === bits ? named : undefined;
    }
    const kinds = { segment: 'S', control: 'C', debug: 'D', vector: 'VWU' } as Record<string, string>;
    return kinds[named.kind]?.includes(slot.kind) ? named : undefined;
  }
  if (typeof operand === 'object' && 'base' in operand) {
    if (!'EMWO'.includes(slot.kind)) return undefined;
    if (slot.kind === 'O' && (place.bits === 64 || operand.base || operand.index || operand.label)) return undefined;
    if (operand.size !== undefined && slot.size !== '' && slot.size !== 'p' && operand.size !== bits) return undefined;
    return memory(operand, bits, place);
  }
  const value = typeof operand === 'object' ? place.address(operand.addressOf) : BigInt(operand);
  if (slot.kind === 'one')
    return value === 1n && typeof operand !== 'object' ? { kind: 'constant', value, size: bits } : undefined;
  if (slot.kind === 'J') return { kind: 'relative', value, size };
  if (slot.kind !== 'I') return undefined;
  // An address takes all the room there is, wherever its label stands.
  if (typeof operand === 'object' && sizeOf(slot.size, size) !== (place.bits === 64 ? 64 : Math.min(size, 32)))
    return undefined;
  return fits(slot, value, size) ? { kind: 'constant', value, size: bits } : undefined;
}

function memory(at: At, size: number, place: Place): Memory {
  const base = at.base === undefined ? undefined : addressing(at.base);
  const index = at.index === undefined ? undefined : addressing(at.index);
  const addressSize = base?.size ?? index?.size ?? place.bits;
  const relative = at.label !== undefined && base === undefined && index === undefined && place.bits === 64;
  const displacement = at.displacement + (at.label === undefined || relative ? 0n : place.address(at.label));
  const scale = [1, 2, 4, 8].indexOf(at.scale);
  if (scale < 0) fail(`An index is multiplied by 1, 2, 4 or 8, not by ${at.scale}.`);
  const parts = { base: base?.number, index: index?.number, scale, displacement, relative };
  return { kind: 'memory', size, segment: 3, addressSize, ...parts };
}

interface Choice {
  readonly row: Row;
  readonly operands: readonly Decoded[];
  readonly form: Form;
  readonly bytes: readonly number[];
}

const byMnemonic: ReadonlyMap<string, readonly Row[]> = rows.reduce(
  (map, r) => map.set(r.mnemonic, [...(map.get(r.mnemonic) ?? []), r]),
  new Map<string, Row[]>(),
);

/** Sizes to try: the default first, so that what has no say is not prefixed. */
const SIZES: Readonly<Record<CodeSize, readonly CodeSize[]>> = { 64: [32, 64, 16], 32: [32, 16], 16: [16, 32] };

export interface More {
  /** Operand size, where no operand says it. */
  readonly size?: CodeSize;
  readonly condition?: string;
  readonly lock?: boolean;
  readonly repeat?: 'REP' | 'REPNE';
  /** The row's own form, where two have the same operands: `PUSH (FS)`. */
  readonly form?: string;
}

function formOf(size: CodeSize, operands: readonly Operand[], more: More, place: Place): Form {
  const named = more.condition === undefined ? undefined : (ALIASES[more.condition] ?? more.condition);
  const condition = named === undefined ? undefined : CONDITIONS.indexOf(named);
  if (condition === -1) fail(`'${more.condition}' is no condition.`);
  const at = operands.find((o): o is At => typeof o === 'object' && 'base' in o);
  const override = at?.segment === undefined ? undefined : SEGMENTS.indexOf(at.segment);
  return {
    bits: place.bits,
    size,
    ...(condition !== undefined && { condition }),
    ...(override !== undefined && { override }),
    ...(more.lock && { lock: true }),
    ...(more.repeat !== undefined && { repeat: more.repeat === 'REP' ? 0xf3 : 0xf2 }),
  };
}

function choices(mnemonic: string, operands: readonly Operand[], more: More, place: Place): readonly Choice[] {
  const all: Choice[] = [];
  for (const row of byMnemonic.get(mnemonic) ?? []) {
    if (row.slots.length !== operands.length) continue;
    if (more.form !== undefined && !row.name.endsWith(`(${more.form})`)) continue;
    if (row.only === (place.bits === 64 ? 'legacy' : '64')) continue;
    const standard: CodeSize = place.bits !== 64 ? place.bits : row.sizing === undefined ? 32 : 64;
    const sizes =
      more.size === undefined ? [standard, ...SIZES[place.bits].filter((s) => s !== standard)] : [more.size];
    for (const size of sizes) {
      if (row.sizing === 'f64' && place.bits === 64 && size !== 64) continue;
      if (row.sizing === 'd64' && place.bits === 64 && size === 32) continue;
      const decoded = row.slots.map((slot, n) => fit(slot, operands[n] as Operand, size, place));
      if (decoded.some((o) => o === undefined)) continue;
      const form = formOf(size, operands, more, place);
      try {
        all.push({ row, operands: decoded as Decoded[], form, bytes: encode(row, decoded as Decoded[], form) });
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
      break;
    }
  }
  return all.sort((a, b) => a.bytes.length - b.bytes.length);
}

const shorts = new Set(['LOOP', 'LOOPE', 'LOOPNE', 'JCXZ']);

/** A branch to a label is near unless there is no such form; one by a number of bytes, from its own start, is as short as it can be. */
function branch({ row, operands, form, bytes }: Choice, target: Operand, place: Place): readonly number[] {
  const to = typeof target === 'string' ? place.address(target) : place.here + BigInt(target as number);
  const distance = to - place.here - BigInt(bytes.length);
  if (row.slots[0]?.size === 'b' && (distance < -128n || distance > 127n)) fail(`${row.name} does not reach that far.`);
  return encode(
    row,
    operands.map((o) => (o.kind === 'relative' ? { ...o, value: distance } : o)),
    form,
  );
}

/** Any instruction of the table. */
export function op(mnemonic: string, operands: readonly Operand[] = [], more: More = {}): Code {
  const assemble = (place: Place): readonly number[] => {
    const found = choices(mnemonic, operands, more, place);
    const jumps = found.filter(({ operands: all }) => all.some((o) => o.kind === 'relative'));
    if (jumps.length > 0) {
      const target = operands[0] as Operand;
      const short = jumps.find(({ row }) => row.slots[0]?.size === 'b');
      const near = jumps.find(({ row }) => row.slots[0]?.size !== 'b');
      if (typeof target === 'string' || short === undefined) {
        return branch((shorts.has(mnemonic) ? short : near) as Choice, target, place);
      }
      const reach = Number(target) - short.bytes.length;
      return branch(near !== undefined && (reach < -128 || reach > 127) ? near : short, target, place);
    }
    const [best] = found;
    if (best === undefined)
      return fail(`${mnemonic} has no encoding for ${operands.map(show).join(', ')} in ${place.bits}-bit code.`);
    const at = operands.find((o): o is At => typeof o === 'object' && 'base' in o);
    const sizes = new Set(
      found.flatMap((c) => c.operands.map((o) => (o.kind === 'memory' ? o.size : -1))).filter((n) => n >= 0),
    );
    if (at !== undefined && at.size === undefined && sizes.size > 1) {
      return fail(`${mnemonic} can be of ${[...sizes].join(' or ')} bits: say which, with byte, word, dword or qword.`);
    }
    if (at?.label === undefined || !best.operands.some((o) => o.kind === 'memory' && o.relative)) return best.bytes;
    const displacement = place.address(at.label) + at.displacement - place.here - BigInt(best.bytes.length);
    return encode(
      best.row,
      best.operands.map((o) => (o.kind === 'memory' ? { ...o, displacement } : o)),
      best.form,
    );
  };
  return { assemble };
}

const show = (o: Operand): string =>
  typeof o === 'object' ? ('base' in o ? `[${o.base ?? o.label ?? o.displacement}]` : o.addressOf) : String(o);

/** Memory: a base register, a displacement, an index register and its factor. Without a base, an address. */
export function mem(base: string | undefined, displacement: number | bigint = 0, index?: string, scale = 1): At {
  return {
    base,
    index,
    scale,
    displacement: BigInt(displacement),
    label: undefined,
    segment: undefined,
    size: undefined,
  };
}
/** Memory at a label. */
export function at(label: string, displacement: number | bigint = 0): At {
  return { ...mem(undefined, displacement), label };
}
export const addressOf = (label: string): AddressOf => ({ addressOf: label });
const sized =
  (size: number) =>
  (where: At): At => ({ ...where, size });
export const byte: (where: At) => At = sized(8);
export const word: (where: At) => At = sized(16);
export const dword: (where: At) => At = sized(32);
export const qword: (where: At) => At = sized(64);
/** Memory in another segment: 'FS', 'GS' … */
export const inSegment = (segment: string, where: At): At => ({ ...where, segment });

type Bare = () => Code;
type One = (a: Operand) => Code;
type Two = (a: Operand, b: Operand) => Code;
type Three = (a: Operand, b: Operand, c: Operand) => Code;

const bare =
  (mnemonic: string, more?: More): Bare =>
  () =>
    op(mnemonic, [], more);
const one =
  (mnemonic: string): One =>
  (a) =>
    op(mnemonic, [a]);
const two =
  (mnemonic: string): Two =>
  (a, b) =>
    op(mnemonic, [a, b]);
const three =
  (mnemonic: string): Three =>
  (a, b, c) =>
    op(mnemonic, [a, b, c]);

// Data transfer
export const mov: Two = two('MOV');
export const movzx: Two = two('MOVZX');
export const movsx: Two = two('MOVSX');
export const movsxd: Two = two('MOVSXD');
export const lea: Two = two('LEA');
export const xchg: Two = two('XCHG');
export const bswap: One = one('BSWAP');
export const cmov = (condition: string, to: Operand, from: Operand): Code => op('CMOVcc', [to, from], { condition });
export const set = (condition: string, to: Operand): Code => op('SETcc', [to], { condition });
const segmented =
  (mnemonic: 'PUSH' | 'POP'): One =>
  (a) =>
    typeof a === 'string' && SEGMENTS.includes(a) ? op(mnemonic, [], { form: a }) : op(mnemonic, [a]);
export const push: One = segmented('PUSH');
export const pop: One = segmented('POP');
export const pushf: Bare = bare('PUSHF');
export const popf: Bare = bare('POPF');
export const leave: Bare = bare('LEAVE');

// Arithmetic
export const add: Two = two('ADD');
export const or: Two = two('OR');
export const adc: Two = two('ADC');
export const sbb: Two = two('SBB');
export const and: Two = two('AND');
export const sub: Two = two('SUB');
export const xor: Two = two('XOR');
export const cmp: Two = two('CMP');
export const test: Two = two('TEST');
export const inc: One = one('INC');
export const dec: One = one('DEC');
export const neg: One = one('NEG');
export const not: One = one('NOT');
export const mul: One = one('MUL');
export const div: One = one('DIV');
export const idiv: One = one('IDIV');
export const imul: Two = two('IMUL');
export const imul3: Three = three('IMUL');
export const shl: Two = two('SHL');
export const shr: Two = two('SHR');
export const sar: Two = two('SAR');
export const rol: Two = two('ROL');
export const ror: Two = two('ROR');
export const cdq: Bare = bare('CWD', { size: 32 });
export const cqo: Bare = bare('CWD', { size: 64 });
export const bt: Two = two('BT');
export const bts: Two = two('BTS');
export const btr: Two = two('BTR');
export const popcnt: Two = two('POPCNT');

// Branches
export const jmp: One = one('JMP');
export const jcc = (condition: string, to: Operand): Code => op('Jcc', [to], { condition });
export const loop: One = one('LOOP');
export const call: One = one('CALL');
export const ret: Bare = bare('RET');
/** A far jump to a selector and a label or address; not in 64-bit code. */
export function jmpFar(selector: number, to: string | bigint): Code {
  return {
    assemble: (place) => {
      const bytes = place.bits / 8;
      const value = typeof to === 'string' ? place.address(to) : to;
      const offset = Array.from({ length: bytes }, (_, n) => Number((value >> BigInt(8 * n)) & 0xffn));
      return place.bits === 64
        ? fail('There is no such far jump in 64-bit code.')
        : [0xea, ...offset, selector & 0xff, selector >> 8];
    },
  };
}
export const int = (vector: number): Code => op('INT', [vector]);
export const int3: Bare = bare('INT3');
export const iretq: Bare = bare('IRET', { size: 64 });
export const syscall: Bare = bare('SYSCALL');
export const sysretq: Bare = bare('SYSRET', { size: 64 });

// Strings
export type StringBits = 8 | 16 | 32 | 64;
const stringOf = (name: string, bits: StringBits, repeat?: 'REP' | 'REPNE'): Code =>
  bits === 8
    ? op(`${name}B`, [], { ...(repeat && { repeat }) })
    : op(name, [], { size: bits, ...(repeat && { repeat }) });
export const movs = (bits: StringBits): Code => stringOf('MOVS', bits);
export const stos = (bits: StringBits): Code => stringOf('STOS', bits);
export const repMovs = (bits: StringBits): Code => stringOf('MOVS', bits, 'REP');
export const repStos = (bits: StringBits): Code => stringOf('STOS', bits, 'REP');

// System
export const nop: Bare = () => ({ assemble: () => [0x90] });
export const pause: Bare = bare('PAUSE');
export const hlt: Bare = bare('HLT');
export const cli: Bare = bare('CLI');
export const sti: Bare = bare('STI');
export const cld: Bare = bare('CLD');
export const cpuid: Bare = bare('CPUID');
export const rdmsr: Bare = bare('RDMSR');
export const wrmsr: Bare = bare('WRMSR');
export const rdtsc: Bare = bare('RDTSC');
export const rdpmc: Bare = bare('RDPMC');
export const swapgs: Bare = bare('SWAPGS');
export const vmcall: Bare = bare('VMCALL');
export const vmmcall: Bare = bare('VMMCALL');
export const ud2: Bare = bare('UD2');
export const lfence: Bare = bare('LFENCE');
export const mfence: Bare = bare('MFENCE');
export const clflush: One = one('CLFLUSH');
export const lgdt: One = one('LGDT');
export const lidt: One = one('LIDT');
export const ltr: One = one('LTR');
export const invlpg: One = one('INVLPG');
/** IN and OUT: the accumulator's name says the size; the port is a number or 'DX'. */
export const inp: Two = two('IN');
export const outp: Two = two('OUT');
/** The instruction with LOCK. */
export const lock = (mnemonic: string, ...operands: Operand[]): Code => op(mnemonic, operands, { lock: true });

// Programs
export const label = (name: string): Label => ({ label: name });
export const bits = (size: CodeSize): Bits => ({ bits: size });
export const data = (bytes: Uint8Array, align = 1): Data => ({ bytes, align });

function numbers(size: 1 | 2 | 4 | 8, values: readonly (number | bigint)[]): Data {
  const all = new Uint8Array(size * values.length);
  values.forEach((value, i) => {
    for (let n = 0; n < size; n++) all[i * size + n] = Number((BigInt(value) >> BigInt(8 * n)) & 0xffn);
  });
  return { bytes: all, align: size };
}
export const bytes = (...values: number[]): Data => numbers(1, values);
export const words = (...values: (number | bigint)[]): Data => numbers(2, values);
export const longs = (...values: (number | bigint)[]): Data => numbers(4, values);
export const quads = (...values: (number | bigint)[]): Data => numbers(8, values);
/** Zeros up to the next multiple. */
export const align = (to: number): Data => ({ bytes: new Uint8Array(0), align: to });
/** The address of a label as data of so many bytes. */
export function pointer(to: string, size: 4 | 8 = 8): Code {
  return { assemble: (place) => [...numbers(size, [place.address(to)]).bytes] };
}

function flatten(items: readonly Item[]): (Code | Label | Data | Bits)[] {
  return items.flatMap((item) => (Array.isArray(item) ? flatten(item) : [item as Code | Label | Data | Bits]));
}

/** Puts items one after the other, in 64-bit code unless they say otherwise. */
export function program(items: readonly Item[], base = 0n, start: CodeSize = 64): Assembled {
  const flat = flatten(items);
  const labels = new Map<string, bigint>();
  const place = (here: bigint, size: CodeSize, known: boolean): Place => ({
    here,
    bits: size,
    address: (name) => labels.get(name) ?? (known ? fail(`There is no label '${name}'.`) : here),
  });
  const walk = (known: boolean): number[] => {
    const out: number[] = [];
    const seen = new Set<string>();
    let pending: string[] = [];
    let size = start;
    const settle = (): void => {
      for (const name of pending) labels.set(name, base + BigInt(out.length));
      pending = [];
    };
    for (const item of flat) {
      if ('label' in item) {
        if (seen.has(item.label)) fail(`The label '${item.label}' is given twice.`);
        seen.add(item.label);
        pending.push(item.label);
      } else if ('assemble' in item) {
        settle();
        out.push(...item.assemble(place(base + BigInt(out.length), size, known)));
      } else if ('bits' in item) size = item.bits;
      else {
        while (Number((base + BigInt(out.length)) % BigInt(item.align)) !== 0) out.push(0);
        settle();
        out.push(...item.bytes);
      }
    }
    settle();
    return out;
  };
  walk(false);
  return { base, bytes: Uint8Array.from(walk(true)), labels };
}
