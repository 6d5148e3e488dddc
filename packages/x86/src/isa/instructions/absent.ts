/** Encodings that manuals define and no row has: each is #UD, which is what a CPU does whose CPUID does not show it. */

export interface Absent {
  readonly name: string;
  /** One of its encodings, in 64-bit mode. */
  readonly bytes: readonly number[];
  readonly because: string;
}

const SSE = 'CPUID shows SSE and SSE2 for what moves data; their arithmetic is a deviation of every model.';
const MMX = 'CPUID shows no MMX: a deviation of every model.';
const AVX = 'CPUID shows no XSAVE, so nothing that is encoded with VEX, EVEX or XOP.';
const XSAVE = 'CPUID shows no XSAVE: a deviation where the silicon has it.';
const VIRTUAL = 'CPUID shows neither VMX nor SVM nor SMX to guests.';
const RANDOM = 'CPUID shows no RDRAND and RDSEED: their answers could not be the same on every run.';
const MONITOR = 'CPUID shows no MONITOR: a deviation of every model.';
const LATER = 'CPUID does not show it: a deviation where the silicon has it.';

const LIST: readonly (readonly [name: string, bytes: string, because: string])[] = [
  ['ADDPS, SSE arithmetic', '0f 58 c1', SSE],
  ['ADDSD, SSE2 arithmetic', 'f2 0f 58 c1', SSE],
  ['CVTSI2SD and other conversions', 'f2 0f 2a c1', SSE],
  ['UCOMISD and other comparisons', '66 0f 2e c1', SSE],
  ['PMULLW and other products', '66 0f d5 c1', SSE],
  ['PSLLDQ and other shifts', '66 0f 73 f8 01', SSE],
  ['PUNPCKLBW and other rearrangements', '66 0f 60 c1', SSE],
  ['MOVLPS, MOVHPS and their kin', '0f 12 01', SSE],
  ['PSHUFB, SSSE3 and SSE4', '66 0f 38 00 c1', LATER],
  ['AESENC, PCLMULQDQ, SHA', '66 0f 38 dc c1', LATER],
  ['CRC32', 'f2 0f 38 f0 c1', LATER],
  ['MOVD, MOVQ and all else of MMX', '0f 6e c1', MMX],
  ['EMMS', '0f 77', MMX],
  ['PFADD and the rest of 3DNow!', '0f 0f c1 9e', MMX],
  ['VADDPD and all else of AVX', 'c5 fd 58 c1', AVX],
  ['ANDN, BEXTR, BLSI, BLSMSK, BLSR, BMI2', 'c4 e2 70 f2 c1', AVX],
  ['EVEX', '62 f1 fd 48 58 c1', AVX],
  ['XOP', '8f e9 78 01 c1', AVX],
  ['XSAVE, XRSTOR', '0f ae 21', XSAVE],
  ['XSETBV', '0f 01 d1', XSAVE],
  ['VMLAUNCH and its kin', '0f 01 c2', VIRTUAL],
  ['VMREAD, VMWRITE', '0f 78 c1', VIRTUAL],
  ['VMRUN and its kin', '0f 01 d8', VIRTUAL],
  ['GETSEC', '0f 37', VIRTUAL],
  ['RSM', '0f aa', 'There is no system management mode.'],
  ['RDRAND', '0f c7 f1', RANDOM],
  ['RDSEED', '0f c7 f9', RANDOM],
  ['MONITOR', '0f 01 c8', MONITOR],
  ['MWAIT', '0f 01 c9', MONITOR],
  ['XBEGIN, XABORT', 'c6 f8 00', LATER],
  ['XEND, XTEST', '0f 01 d5', LATER],
  ['RDPID', 'f3 0f c7 f9', LATER],
  ['RDPKRU, WRPKRU', '0f 01 ee', LATER],
  ['INVPCID', '66 0f 38 82 01', LATER],
  ['ADCX, ADOX', '66 0f 38 f6 c1', LATER],
  ['CLWB', '66 0f ae 31', LATER],
  ['MOVDIRI', '0f 38 f9 01', LATER],
];

export const ABSENT: readonly Absent[] = LIST.map(([name, bytes, because]) => ({
  name,
  bytes: bytes.split(' ').map((byte) => Number.parseInt(byte, 16)),
  because,
}));
