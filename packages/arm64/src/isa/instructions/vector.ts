/**
 * Floating point and Advanced SIMD, not modelled yet: one row per encoding group of the manual, so that CPACR_EL1 traps as it must and an enabled
 * unit is refused by name. Arm DDI 0487, C4.1 (the groups), D24.2 (CPACR_EL1).
 *
 * A group's unallocated corners count as the group: they end in the same trap or refusal, where silicon would say UNDEFINED.
 */
import type { Lifter } from '@countervisor/contract';
import { type Row, row } from '../row.ts';

function refuse(b: Lifter): void {
  const enabled = b.call('fp-access');
  b.when(b.eq(enabled, b.constant(0)), () => b.raise('fp-access'));
  b.trap('unmodelled');
}

/** Registers in these groups need no names yet. */
const GROUPS: readonly (readonly [name: string, pattern: string, needs?: string])[] = [
  ['Advanced SIMD load/store multiple structures', '0 x 0011000 x 000000 xxxx xx xxxxx xxxxx'],
  ['Advanced SIMD load/store multiple structures (post-indexed)', '0 x 0011001 x 0 xxxxx xxxx xx xxxxx xxxxx'],
  ['Advanced SIMD load/store single structure', '0 x 0011010 x x 00000 xxx x xx xxxxx xxxxx'],
  ['Advanced SIMD load/store single structure (post-indexed)', '0 x 0011011 x x xxxxx xxx x xx xxxxx xxxxx'],
  ['Cryptographic AES', '01001110 xx 10100 xxxxx 10 xxxxx xxxxx', 'aes'],
  ['Cryptographic three-register SHA', '01011110 xx 0 xxxxx 0 xxx 00 xxxxx xxxxx', 'sha1'],
  ['Cryptographic two-register SHA', '01011110 xx 10100 xxxxx 10 xxxxx xxxxx', 'sha1'],
  ['Advanced SIMD scalar copy', '01 x 11110000 xxxxx 0 xxxx 1 xxxxx xxxxx'],
  ['Advanced SIMD scalar three same (half precision)', '01 x 11110 x 10 xxxxx 00 xxx 1 xxxxx xxxxx', 'fp16'],
  [
    'Advanced SIMD scalar two-register miscellaneous (half precision)',
    '01 x 11110 x 111100 xxxxx 10 xxxxx xxxxx',
    'fp16',
  ],
  ['Advanced SIMD scalar three same extra', '01 x 11110 xx 0 xxxxx 1 xxxx 1 xxxxx xxxxx', 'rdm'],
  ['Advanced SIMD scalar two-register miscellaneous', '01 x 11110 xx 10000 xxxxx 10 xxxxx xxxxx'],
  ['Advanced SIMD scalar pairwise', '01 x 11110 xx 11000 xxxxx 10 xxxxx xxxxx'],
  ['Advanced SIMD scalar three different', '01 x 11110 xx 1 xxxxx xxxx 00 xxxxx xxxxx'],
  ['Advanced SIMD scalar three same', '01 x 11110 xx 1 xxxxx xxxxx 1 xxxxx xxxxx'],
  ['Advanced SIMD scalar shift by immediate', '01 x 111110 xxxx xxx xxxxx 1 xxxxx xxxxx'],
  ['Advanced SIMD scalar x indexed element', '01 x 11111 xx x x xxxx xxxx x 0 xxxxx xxxxx'],
  ['Advanced SIMD table lookup', '0 x 001110 00 0 xxxxx 0 xx x 00 xxxxx xxxxx'],
  ['Advanced SIMD permute', '0 x 001110 xx 0 xxxxx 0 xxx 10 xxxxx xxxxx'],
  ['Advanced SIMD extract', '0 x 101110 00 0 xxxxx 0 xxxx 0 xxxxx xxxxx'],
  ['Advanced SIMD copy', '0 x x 01110000 xxxxx 0 xxxx 1 xxxxx xxxxx'],
  ['Advanced SIMD three same (half precision)', '0 x x 01110 x 10 xxxxx 00 xxx 1 xxxxx xxxxx', 'fp16'],
  ['Advanced SIMD two-register miscellaneous (half precision)', '0 x x 01110 x 111100 xxxxx 10 xxxxx xxxxx', 'fp16'],
  ['Advanced SIMD three same extra', '0 x x 01110 xx 0 xxxxx 1 xxxx 1 xxxxx xxxxx', 'rdm'],
  ['Advanced SIMD two-register miscellaneous', '0 x x 01110 xx 10000 xxxxx 10 xxxxx xxxxx'],
  ['Advanced SIMD across lanes', '0 x x 01110 xx 11000 xxxxx 10 xxxxx xxxxx'],
  ['Advanced SIMD three different', '0 x x 01110 xx 1 xxxxx xxxx 00 xxxxx xxxxx'],
  ['Advanced SIMD three same', '0 x x 01110 xx 1 xxxxx xxxxx 1 xxxxx xxxxx'],
  ['Advanced SIMD modified immediate', '0 x x 0111100000 xxx xxxx x 1 xxxxx xxxxx'],
  ['Advanced SIMD shift by immediate', '0 x x 011110 xxxx xxx xxxxx 1 xxxxx xxxxx'],
  ['Advanced SIMD vector x indexed element', '0 x x 01111 xx x x xxxx xxxx x 0 xxxxx xxxxx'],
  ['Conversion between floating-point and fixed-point', 'x 0 0 11110 xx 0 xx xxx xxxxxx xxxxx xxxxx'],
  ['Conversion between floating-point and integer', 'x 0 0 11110 xx 1 xx xxx 000000 xxxxx xxxxx'],
  ['Floating-point data-processing (1 source)', '0 0 0 11110 xx 1 xxxxxx 10000 xxxxx xxxxx'],
  ['Floating-point compare', '0 0 0 11110 xx 1 xxxxx 00 1000 xxxxx xx 000'],
  ['Floating-point immediate', '0 0 0 11110 xx 1 xxxxxxxx 100 00000 xxxxx'],
  ['Floating-point conditional compare', '0 0 0 11110 xx 1 xxxxx xxxx 01 xxxxx x xxxx'],
  ['Floating-point data-processing (2 source)', '0 0 0 11110 xx 1 xxxxx xxxx 10 xxxxx xxxxx'],
  ['Floating-point conditional select', '0 0 0 11110 xx 1 xxxxx xxxx 11 xxxxx xxxxx'],
  ['Floating-point data-processing (3 source)', '0 0 0 11111 xx x xxxxx x xxxxx xxxxx xxxxx'],
];

const group = (name: string, pattern: string, needs?: string): Row =>
  row(name, 'system', pattern, refuse, needs === undefined ? {} : { needs });

/** 128-bit registers have size 00 and opc 1x. */
const quad = (f: { size: number; opc: number }): boolean => f.opc < 2 || f.size === 0;

export const vector: readonly Row[] = [
  ...GROUPS.map(([name, pattern, needs]) => group(name, pattern, needs)),
  row('LDR (literal, SIMD&FP)', 'system', 'opc 011 1 00 imm19 Rt', refuse, { allocated: (f) => f.opc !== 3 }),
  row('LDNP, STNP (SIMD&FP)', 'system', 'opc 101 1 000 L imm7 Rt2 Rn Rt', refuse, { allocated: (f) => f.opc !== 3 }),
  row('LDP, STP (post-index, SIMD&FP)', 'system', 'opc 101 1 001 L imm7 Rt2 Rn Rt', refuse, {
    allocated: (f) => f.opc !== 3,
  }),
  row('LDP, STP (offset, SIMD&FP)', 'system', 'opc 101 1 010 L imm7 Rt2 Rn Rt', refuse, {
    allocated: (f) => f.opc !== 3,
  }),
  row('LDP, STP (pre-index, SIMD&FP)', 'system', 'opc 101 1 011 L imm7 Rt2 Rn Rt', refuse, {
    allocated: (f) => f.opc !== 3,
  }),
  row('LDUR, STUR (SIMD&FP)', 'system', 'size 111 1 00 opc 0 imm9 00 Rn Rt', refuse, { allocated: quad }),
  row('LDR, STR (post-index, SIMD&FP)', 'system', 'size 111 1 00 opc 0 imm9 01 Rn Rt', refuse, { allocated: quad }),
  row('LDR, STR (pre-index, SIMD&FP)', 'system', 'size 111 1 00 opc 0 imm9 11 Rn Rt', refuse, { allocated: quad }),
  row('LDR, STR (register, SIMD&FP)', 'system', 'size 111 1 00 opc 1 Rm option S 10 Rn Rt', refuse, {
    allocated: (f) => quad(f) && (f.option & 2) !== 0,
  }),
  row('LDR, STR (unsigned offset, SIMD&FP)', 'system', 'size 111 1 01 opc imm12 Rn Rt', refuse, { allocated: quad }),
];
