/** Encodings that the manual allocates and no row has: each is UNDEFINED here, which is what a CPU without the feature does. */
import { layout } from '../row.ts';

export interface Absent {
  readonly name: string;
  /** As a row's pattern. */
  readonly pattern: string;
  readonly mask: number;
  readonly match: number;
  readonly because: string;
}

const PAUTH = 'FEAT_PAuth: no modelled CPU says that it has pointer authentication; its hints are NOPs.';
const MTE = 'FEAT_MTE: no modelled CPU says that it has memory tagging.';
const MOPS = 'FEAT_MOPS came with v9.3; no modelled CPU has it.';
const CSSC = 'FEAT_CSSC came with v8.9; no modelled CPU has it.';
const DEBUG =
  'Halting debug: external debug is not modelled, so halting is not allowed and the manual makes it UNDEFINED.';
const SVE =
  'FEAT_SVE and FEAT_SME: ID_AA64PFR0_EL1.SVE is 0 on every modelled CPU, a deviation where its silicon has them.';
const XS = 'FEAT_XS and FEAT_WFxT came with v8.7; no modelled CPU has them.';
const HBC = 'FEAT_HBC came with v8.8; no modelled CPU has it.';
const LS64 = 'FEAT_LS64 came with v8.7; no modelled CPU has it.';
const TME = 'FEAT_TME: no modelled CPU has transactional memory.';
const CRYPTO = 'FEAT_SHA512, FEAT_SHA3, FEAT_SM3 and FEAT_SM4: no modelled CPU says that it has them.';
const PSTATE =
  'PSTATE fields of FEAT_UAO, FEAT_SSBS, FEAT_DIT, FEAT_MTE, FEAT_NMI and FEAT_SME: no modelled CPU says that it has them.';
const LSE128 = 'FEAT_LSE128, FEAT_THE and FEAT_LRCPC3 came with v9.4; no modelled CPU has them.';

const LIST: readonly (readonly [name: string, pattern: string, because: string])[] = [
  ['HLT', '11010100 010 imm16 000 00', DEBUG],
  ['DCPS1, DCPS2, DCPS3', '11010100 101 imm16 000 xx', DEBUG],
  ['DRPS', '1101011 0101 11111 000000 11111 00000', DEBUG],
  ['TCANCEL', '11010100 011 imm16 000 00', TME],
  ['TSTART, TTEST', '1101010100 1 00 011 0011 000x 011 Rt', TME],
  ['TCOMMIT', '1101010100 0 00 011 0011 0000 011 11111', TME],
  ['PAC*, AUT*, XPAC* (register)', '1 1 0 11010110 00001 0 xxxxx Rn Rd', PAUTH],
  ['PACGA', '1 0 0 11010110 Rm 001100 Rn Rd', PAUTH],
  ['BRAA*, BLRAA*, RETAA*, ERETAA*', '1101011 x 0xx 11111 00001 x Rn xxxxx', PAUTH],
  ['LDRAA, LDRAB', '11 111 0 00 x x 1 imm9 x 1 Rn Rt', PAUTH],
  ['ADDG', '1 0 0 100011 0 imm6 00 imm4 Rn Rd', MTE],
  ['SUBG', '1 1 0 100011 0 imm6 00 imm4 Rn Rd', MTE],
  ['SUBP', '1 0 0 11010110 Rm 000000 Rn Rd', MTE],
  ['SUBPS', '1 0 1 11010110 Rm 000000 Rn Rd', MTE],
  ['IRG', '1 0 0 11010110 Rm 000100 Rn Rd', MTE],
  ['GMI', '1 0 0 11010110 Rm 000101 Rn Rd', MTE],
  ['LDG, STG and kin', '11011001 xx 1 imm9 xx Rn Rt', MTE],
  ['STGP', '01 101 0 0 xx 0 imm7 Rt2 Rn Rt', MTE],
  ['MSR UAO, SSBS, DIT, TCO, ALLINT, SVCR (immediate)', '1101010100 0 00 xxx 0100 CRm xxx 11111', PSTATE],
  ['DSB nXS', '1101010100 0 00 011 0011 xx10 001 11111', XS],
  ['WFET, WFIT', '1101010100 0 00 011 0001 0000 00x Rd', XS],
  ['LD64B, ST64B*', '11 111 0 00 0 0 1 xxxxx 1 xxx 00 Rn Rt', LS64],
  ['CPY*, SET*', 'xx 011 x 01 xx 0 xxxxx xxxx 01 Rn Rd', MOPS],
  ['SMAX, SMIN, UMAX, UMIN (immediate)', 'sf 0 0 100011 1 xxxx xxxxxxxx Rn Rd', CSSC],
  ['SMAX, SMIN, UMAX, UMIN (register)', 'sf 0 0 11010110 Rm 0110 xx Rn Rd', CSSC],
  ['CTZ, CNT', 'sf 1 0 11010110 00000 00011 x Rn Rd', CSSC],
  ['ABS', 'sf 1 0 11010110 00000 001000 Rn Rd', CSSC],
  ['BC.cond', '0101010 0 imm19 1 cond', HBC],
  ['SVE', 'xxx 0010 xxxxxxxxxxxxxxxxxxxxxxxxx', SVE],
  ['SME', '1 xx 0000 xxxxxxxxxxxxxxxxxxxxxxxxx', SVE],
  ['SHA512, SHA3, SM3, SM4', '1100 1110 xxxxxxxxxxxxxxxxxxxxxxxx', CRYPTO],
  ['SYSP, MSRR, MRRS', '1101010101 xxxxxxxxxxxxxxxxxxxxxx', LSE128],
];

export const ABSENT: readonly Absent[] = LIST.map(([name, pattern, because]) => {
  const { mask, match } = layout(name, pattern);
  return { name, pattern, mask, match, because };
});
