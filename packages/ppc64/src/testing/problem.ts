/** Problem state for tests on POWER9 and POWER10: a radix tree that maps the program to itself, and the way down. */
import { addi, bl, type Item, label, load, mflr, mtspr, op, rfid } from '../asm.ts';
import { hcall } from './guest.ts';

const TABLE = 0x60_0000;
/** Process table entry 0, its root of 2^13 entries, two levels of 2^9; 2 MiB at 4 MiB for problem state, and 2 MiB at 6 MiB. */
const WORDS: readonly (readonly [at: number, value: bigint])[] = [
  [0, (1n << 62n) | 0x61_0000n | 0xadn],
  [0x1_0000, (1n << 63n) | 0x62_0009n],
  [0x2_0000, (1n << 63n) | 0x63_0009n],
  [0x3_0000 + 8 * 2, (3n << 62n) | 0x40_0007n],
  [0x3_0000 + 8 * 3, (3n << 62n) | 0x60_0007n],
];

/** Sets the tree up; uses r3 to r8. */
export const radix: readonly Item[] = [
  WORDS.map(([at, value]) => [load('r5', TABLE + at), load('r6', value), op('std', 'r6', 0, 'r5')]),
  hcall(0x37c, 0x1d, TABLE, 0, 0),
];

/** MSR of problem state: SF, EE, PR, IR, DR. */
export const PROBLEM = (1n << 63n) | 0xc030n;

let made = 0;

/** The address of a label, by way of LR. */
export function address(rt: string, to: string): readonly Item[] {
  const here = `here ${made++}`;
  return [bl(here), label(here), mflr(rt), (offset) => addi(rt, rt, offset(to) + 4)];
}

/** The last instruction goes to the label in problem state, with these more bits of MSR. Uses r5; the decrementer is far. */
export const toProblem = (to: string, more = 0n): readonly Item[] => [
  load('r5', 0x7fff_ffff),
  mtspr('DEC', 'r5'),
  address('r5', to),
  mtspr('SRR0', 'r5'),
  load('r5', PROBLEM | more),
  mtspr('SRR1', 'r5'),
  rfid(),
];
