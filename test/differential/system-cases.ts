/** Cases for the rows that need EL1: which words, in which state. */
import { sysreg } from '../../packages/arm64/src/address.ts';
import { encode } from '../../packages/arm64/src/isa/encode.ts';
import type { Row } from '../../packages/arm64/src/isa/row.ts';
import type { Random } from './random.ts';
import { NARROW, STORAGE, SYSTEM_CODE, SYSTEM_CODE_SIZE, type SystemCase } from './system.ts';

/** Text per encoding group of floating point and Advanced SIMD: allocated words, whose two low register fields may be any. */
export const VECTOR_TEXTS: Readonly<Record<string, readonly string[]>> = {
  'Advanced SIMD load/store multiple structures': ['ld1 {v0.16b}, [x0]', 'st4 {v0.4h-v3.4h}, [x0]'],
  'Advanced SIMD load/store multiple structures (post-indexed)': [
    'ld1 {v0.2d, v1.2d}, [x0], #32',
    'st2 {v0.8h, v1.8h}, [x0], x3',
  ],
  'Advanced SIMD load/store single structure': ['ld1 {v0.b}[3], [x0]', 'ld3r {v0.2s-v2.2s}, [x0]'],
  'Advanced SIMD load/store single structure (post-indexed)': ['st1 {v0.d}[1], [x0], #8', 'ld1r {v0.4s}, [x0], x5'],
  'Cryptographic AES': ['aese v0.16b, v0.16b', 'aesmc v0.16b, v0.16b'],
  'Cryptographic three-register SHA': ['sha1c q0, s0, v5.4s', 'sha256su1 v0.4s, v0.4s, v6.4s'],
  'Cryptographic two-register SHA': ['sha1h s0, s0', 'sha256su0 v0.4s, v0.4s'],
  'Advanced SIMD scalar copy': ['dup d0, v0.d[1]', 'dup b0, v0.b[5]'],
  'Advanced SIMD scalar three same (half precision)': ['fmulx h0, h0, h4', 'fcmeq h0, h0, h4'],
  'Advanced SIMD scalar two-register miscellaneous (half precision)': ['fcvtns h0, h0', 'scvtf h0, h0'],
  'Advanced SIMD scalar three same extra': ['sqrdmlah s0, s0, s4'],
  'Advanced SIMD scalar two-register miscellaneous': ['abs d0, d0', 'sqxtn b0, h0', 'fcvtzs s0, s0'],
  'Advanced SIMD scalar pairwise': ['addp d0, v0.2d', 'faddp s0, v0.2s'],
  'Advanced SIMD scalar three different': ['sqdmull d0, s0, s4'],
  'Advanced SIMD scalar three same': ['add d0, d0, d4', 'fabd s0, s0, s4'],
  'Advanced SIMD scalar shift by immediate': ['sshr d0, d0, #5', 'sqshl b0, b0, #3'],
  'Advanced SIMD scalar x indexed element': ['fmul s0, s0, v4.s[1]', 'sqdmulh h0, h0, v4.h[2]'],
  'Advanced SIMD table lookup': ['tbl v0.16b, {v0.16b}, v4.16b', 'tbx v0.8b, {v0.16b, v1.16b}, v4.8b'],
  'Advanced SIMD permute': ['zip1 v0.4s, v0.4s, v4.4s', 'uzp2 v0.16b, v0.16b, v4.16b'],
  'Advanced SIMD extract': ['ext v0.16b, v0.16b, v4.16b, #5'],
  'Advanced SIMD copy': ['dup v0.4s, w0', 'ins v0.d[1], x0', 'umov w0, v0.b[3]'],
  'Advanced SIMD three same (half precision)': ['fadd v0.8h, v0.8h, v4.8h'],
  'Advanced SIMD two-register miscellaneous (half precision)': ['fabs v0.8h, v0.8h'],
  'Advanced SIMD three same extra': ['sqrdmlsh v0.4s, v0.4s, v4.4s'],
  'Advanced SIMD two-register miscellaneous': ['cnt v0.16b, v0.16b', 'rev64 v0.4h, v0.4h', 'fcvtn v0.4h, v0.4s'],
  'Advanced SIMD across lanes': ['addv b0, v0.16b', 'fmaxv s0, v0.4s'],
  'Advanced SIMD three different': ['saddl v0.4s, v0.4h, v4.4h', 'pmull v0.8h, v0.8b, v4.8b'],
  'Advanced SIMD three same': ['add v0.16b, v0.16b, v4.16b', 'orr v0.16b, v0.16b, v4.16b', 'fmla v0.2d, v0.2d, v4.2d'],
  'Advanced SIMD modified immediate': ['movi v0.2d, #0', 'fmov v0.4s, #1.0', 'bic v0.8h, #1'],
  'Advanced SIMD shift by immediate': ['shl v0.2d, v0.2d, #5', 'ushll v0.8h, v0.8b, #0'],
  'Advanced SIMD vector x indexed element': ['mul v0.4s, v0.4s, v4.s[1]', 'fmla v0.2d, v0.2d, v4.d[1]'],
  'Conversion between floating-point and fixed-point': ['scvtf d0, x0, #5', 'fcvtzu w0, s0, #3'],
  'Conversion between floating-point and integer': ['fmov x0, d0', 'scvtf s0, w0', 'fcvtzs x0, d0'],
  'Floating-point data-processing (1 source)': ['fabs d0, d0', 'fcvt d0, s0', 'frintz s0, s0'],
  'Floating-point compare': ['fcmp d0, d4', 'fcmpe s0, #0.0'],
  'Floating-point immediate': ['fmov d0, #1.5', 'fmov s0, #-2.0'],
  'Floating-point conditional compare': ['fccmp d0, d4, #3, ne'],
  'Floating-point data-processing (2 source)': ['fadd d0, d0, d4', 'fdiv s0, s0, s4'],
  'Floating-point conditional select': ['fcsel d0, d0, d4, gt'],
  'Floating-point data-processing (3 source)': ['fmadd d0, d0, d4, d5'],
  'LDR (literal, SIMD&FP)': ['ldr q0, .+16', 'ldr s0, .+16'],
  'LDNP, STNP (SIMD&FP)': ['ldnp q0, q1, [x0]', 'stnp s0, s1, [x0, #8]'],
  'LDP, STP (post-index, SIMD&FP)': ['ldp d0, d1, [x0], #16'],
  'LDP, STP (offset, SIMD&FP)': ['stp q0, q1, [x0, #32]'],
  'LDP, STP (pre-index, SIMD&FP)': ['ldp s0, s1, [x0, #-8]!'],
  'LDUR, STUR (SIMD&FP)': ['ldur q0, [x0, #-3]', 'stur b0, [x0, #1]'],
  'LDR, STR (post-index, SIMD&FP)': ['ldr d0, [x0], #8'],
  'LDR, STR (pre-index, SIMD&FP)': ['str q0, [x0, #16]!'],
  'LDR, STR (register, SIMD&FP)': ['ldr q0, [x0, x4, lsl #4]'],
  'LDR, STR (unsigned offset, SIMD&FP)': ['ldr q0, [x0, #64]', 'str h0, [x0, #2]'],
};

/** Addresses of the storage registers, op1, CRn, CRm, op2 as C5.2 and D24.2 give them. */
export const STORAGE_ADDRESS: readonly number[] = [
  sysreg(3, 3, 13, 0, 2).index,
  sysreg(3, 3, 13, 0, 3).index,
  sysreg(3, 0, 13, 0, 4).index,
  sysreg(3, 0, 13, 0, 1).index,
  sysreg(3, 0, 10, 2, 0).index,
  sysreg(3, 0, 6, 0, 0).index,
  sysreg(3, 0, 2, 0, 0).index,
  sysreg(3, 0, 2, 0, 1).index,
];

/** Cache and TLB maintenance that changes nothing a program sees: op1, CRn, CRm, op2. */
export const MAINTENANCE: readonly (readonly [number, number, number, number])[] = [
  [0, 8, 7, 0],
  [0, 8, 3, 0],
  [0, 8, 7, 2],
  [0, 7, 5, 0],
  [0, 7, 1, 0],
];

/** Rows that run here: all that a user program can't do whole. */
export function isSystemRow(row: Row): boolean {
  return row.name in VECTOR_TEXTS || (row.cost === 'system' && row.name !== 'CLREX') || row.name === 'ERET';
}

const fields = (index: number): { o0: number; op1: number; CRn: number; CRm: number; op2: number } => ({
  o0: (index >> 14) & 1,
  op1: (index >> 11) & 7,
  CRn: (index >> 7) & 15,
  CRm: (index >> 3) & 15,
  op2: index & 7,
});

function word(row: Row, random: Random, vectors: ReadonlyMap<string, readonly number[]>): number {
  const Rt = random.one([31, random.below(31)]);
  if (row.name === 'MRS' || row.name === 'MSR (register)') {
    return encode(row.name, { ...fields(random.one(STORAGE_ADDRESS)), Rt });
  }
  if (row.name === 'SYS') {
    const [op1, CRn, CRm, op2] = random.one(MAINTENANCE);
    return encode('SYS', { op1, CRn, CRm, op2, Rt });
  }
  const texts = vectors.get(row.name);
  if (texts !== undefined) {
    const vary = 0x3ff & ~row.mask;
    return ((random.one(texts) & ~vary) | (random.u32() & vary)) >>> 0;
  }
  for (;;) {
    const all = ((random.u32() & ~row.mask) | row.match) >>> 0;
    // The driver's own breakpoints: BRK with these numbers says something else.
    const imm16 = (all >>> 5) & 0xffff;
    if (row.name === 'BRK' && (imm16 === 0xfff0 || (imm16 >= 0xe00 && imm16 < 0xe10))) continue;
    return all;
  }
}

/** M[4:0] that EL1 can't return to: higher levels, EL0h, reserved ones; AArch32 is left out, which some CPUs have and this model not. */
const ILLEGAL_MODES = [1, 2, 3, 6, 7, 8, 9, 12, 13];

const NTWE = 1n << 18n;
/** SCTLR_EL1: RES1 bits of v8.0; what a case adds are UMA, nTWI, nTWE. */
const SCTLR = 0x30d00800n;

/** One case for a row. `vectors` holds assembled words by row. */
export function generateSystem(row: Row, random: Random, vectors: ReadonlyMap<string, readonly number[]>): SystemCase {
  const at = word(row, random, vectors);
  // What SYS does at EL0 depends on the register row, not on the instruction.
  const el = row.name === 'SYS' || random.once(2) ? 1 : 0;
  const spsel = el === 1 ? random.below(2) : 0;
  const flags = random.below(16) * 2 ** 28;
  const pstate = flags + random.below(16) * 64 + el * 4 + spsel;
  let control = SCTLR | (random.u64() & ((1n << 9n) | (1n << 16n) | NTWE));
  // QEMU's WFE never traps.
  if (row.name === 'WFE') control |= NTWE;
  const illegal = random.once(8);
  // Behind the last word of the code no breakpoint stands.
  const code = (): bigint => SYSTEM_CODE + BigInt(random.below(SYSTEM_CODE_SIZE / 4 - 1) * 4);
  return {
    row: row.name,
    word: at,
    pc: code(),
    x: Array.from({ length: 31 }, () => random.edge()),
    sp: [random.edge(), random.edge()],
    pstate,
    SCTLR_EL1: control,
    CPACR_EL1: BigInt(random.below(4)) << 20n,
    ELR_EL1: code() + BigInt(random.once(8) ? random.below(4) : 0),
    SPSR_EL1:
      (BigInt(random.below(16)) << 28n) |
      (BigInt(random.below(16)) << 6n) |
      // An illegal return restores PAN by the manual (SetPSTATEFromPSR), and not in QEMU 7.2.
      (BigInt(illegal ? 0 : random.below(2)) << 22n) |
      (random.once(8) ? 1n << 20n : 0n) |
      BigInt(illegal ? random.one(ILLEGAL_MODES) : random.one([0, 4, 5])),
    storage: STORAGE.map((name) => (NARROW.includes(name) ? random.edge() & 0xffff_ffffn : random.edge())),
  };
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** The case as a person needs it to try again. */
export function describeSystemCase(c: SystemCase): string {
  const regs = c.x.map((v, n) => `X${n}=${hex(v)}`).join(' ');
  const state = `PSTATE=${hex(c.pstate)} SP_EL0=${hex(c.sp[0])} SP_EL1=${hex(c.sp[1])}`;
  const system = `SCTLR=${hex(c.SCTLR_EL1)} CPACR=${hex(c.CPACR_EL1)} ELR=${hex(c.ELR_EL1)} SPSR=${hex(c.SPSR_EL1)}`;
  return `${c.row}: ${hex(c.word)} at ${hex(c.pc)}, ${state} ${system}\n    ${regs}`;
}
