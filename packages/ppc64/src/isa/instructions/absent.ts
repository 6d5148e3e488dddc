/** Encodings that the manual defines and no row has: each is illegal here, which is what a CPU without it does. */
import { layout } from '../row.ts';

export interface Absent {
  readonly name: string;
  /** As a row's pattern. */
  readonly pattern: string;
  readonly mask: number;
  readonly match: number;
  readonly because: string;
}

const RANDOM = 'A random number cannot be the same on every run; the manual lets darn fail, but not be missing.';
const COPY = 'Copy and paste reach accelerators, and none is modelled.';
const ATOMICS = 'Atomic memory operations of version 3.0: not modelled yet.';
const HASH = 'Return-address hashes of version 3.1: their keys are not modelled.';
const TM = 'Transactional memory: POWER8 and POWER9 here have none, a deviation of their models.';
const SERVICE = 'A support processor attention: there is no support processor.';
const STREAMS = 'Data streams of the 970 are hints; later versions of the architecture took them back.';
const DOORBELL = 'Doorbells between the threads of a core: each modelled core has one.';
const OLD = 'It was phased out, or is of 32-bit or earlier implementations alone.';
const SEGMENTS = 'Segment registers bridge 32-bit systems to the hash MMU, which is not modelled.';
const ULTRAVISOR = 'The ultravisor of version 3.1 is not modelled.';
const COPROCESSOR = 'No coprocessor is modelled.';
const EXTERNAL = 'External control reaches a device that no modelled machine has.';

/** Opcode 31 by its extended opcode: ten places, and the last one. */
const x = (xo: string, last: '/' | '1' = '/'): string => `011111 /////////////// ${xo} ${last}`;

const LIST: readonly (readonly [name: string, pattern: string, because: string])[] = [
  ['darn', x('1011110011'), RANDOM],
  ['copy', x('1100000110'), COPY],
  ['paste.', x('1110000110', '1'), COPY],
  ['cpabort', x('1101000110'), COPY],
  ['lwat', x('1001000110'), ATOMICS],
  ['ldat', x('1001100110'), ATOMICS],
  ['stwat', x('1011000110'), ATOMICS],
  ['stdat', x('1011100110'), ATOMICS],
  ['hashst, hashchk', x('1011/10010'), HASH],
  ['hashstp, hashchkp', x('1010/10010'), HASH],
  ['tbegin., tend., tabort. and kin', x('1////01110'), TM],
  ['rfi', '010011 /////////////// 0000110010 /', OLD],
  ['urfid', '010011 /////////////// 0100110010 /', ULTRAVISOR],
  ['msgsndu, msgclru', x('0001/01110'), ULTRAVISOR],
  ['rmieg', x('1101110010'), ULTRAVISOR],
  ['mtsrd, mtsrdin', x('0001/10010'), SEGMENTS],
  ['mfsr', x('1001010011'), SEGMENTS],
  ['mfsrin', x('1010010011'), SEGMENTS],
  ['mtsr, mtsrin', x('0011/10010'), SEGMENTS],
  ['slbiag', x('1101010010'), 'Of the hash MMU, with identifiers that are not modelled.'],
  ['mtsle', x('0010010011'), 'Split little-endian mode: no modelled CPU has it.'],
  ['eciwx, ecowx', x('01/0110110'), EXTERNAL],
  ['icswx, icswx.', x('0110010110'), COPROCESSOR],
  ['pbt.', x('0110010100', '1'), COPROCESSOR],
  ['tlbia', x('0101110010'), OLD],
  ['tlbld, tlbli', x('1111/10010'), OLD],
  ['dcbi', x('0111010110'), OLD],
  ['attn', '000000 /////////////// 0100000000 /', SERVICE],
  ['dst, dstst', x('0101/10110'), STREAMS],
  ['dss', x('1100110110'), STREAMS],
  ['msgsndp, msgclrp', x('0010/01110'), DOORBELL],
  ['mcrxr', x('1000000000'), OLD],
];

export const ABSENT: readonly Absent[] = LIST.map(([name, pattern, because]) => {
  const { mask, match } = layout(name, pattern);
  return { name, pattern, mask, match, because };
});
