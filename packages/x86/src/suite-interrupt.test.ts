/** Overflow in the field's PMU suite: the counter ends at 1, its status, that it clears, and the interrupt through LVTPC. */
import { type Item, mov, or, shl, sub } from './asm.ts';
import {
  checks,
  EN,
  found,
  GENERAL,
  type Group,
  INT,
  interrupts,
  keep,
  MSR,
  OS,
  PASSES,
  type Pass,
  read,
  result,
  run,
  taken,
  USR,
  write,
} from './testing/suite.ts';

/** LVTPC as the handler finds it: masked when the local APIC accepted the interrupt, vector 32. */
const MASKED = 0x1_0020n;

/** One event beyond the wrap. */
const preset = (turns: number): bigint => BigInt.asUintN(48, 1n - (10n * BigInt(turns) + 17n));

/** A counter, 8 is the first fixed one; odd ones interrupt. */
const overflow = (pass: Pass, counter: number): Group => {
  const fixed = counter === GENERAL;
  const bit = 1n << BigInt(fixed ? 32 : counter);
  const odd = counter % 2 === 1;
  const value = fixed ? MSR.FIXED_CTR : pass.counter + counter;
  const name = (what: string): string => `${pass.name}: overflow ${what}-${counter}`;
  const program = (turns: number): Item => [
    // PERFCTRn extends the sign of the low half, which 1 - count fits.
    write(value, preset(turns)),
    fixed ? write(MSR.FIXED_CTRL, 3n) : write(MSR.EVNTSEL + counter, EN | OS | USR | 0xc0n | (odd ? INT : 0n)),
    run(bit, turns),
    [result(0, value), result(1, MSR.STATUS), mov('RBX', 'RAX')],
    // What was there, less twice what is left of it.
    [write(MSR.RESET, bit), read(MSR.STATUS), shl('RAX', 1), mov('R11', 'RBX'), sub('R11', 'RAX')],
    [mov('RAX', 'R11'), keep(2)],
    interrupts,
    // Interrupts from bit 40, LVTPC from bit 44, and the status: one that overflowed silently is told from one that did not.
    [found(4), shl('RAX', 44), or('RBX', 'RAX')],
    [taken(4), shl('RAX', 40), or('RAX', 'RBX'), keep(3)],
  ];
  return {
    program,
    rows: [
      { name: name('cntr'), word: 0, is: 1n },
      { name: name('status'), word: 1, is: bit },
      { name: name('status clear'), word: 2, is: bit },
      {
        name: name(odd ? 'irq, once, with LVTPC masked' : 'irq, none'),
        word: 3,
        is: odd ? bit | (1n << 40n) | (MASKED << 44n) : bit,
      },
    ],
  };
};

for (const pass of PASSES) {
  for (let counter = 0; counter <= GENERAL; counter++) checks('overflow', [overflow(pass, counter)], ['emulated']);
}
