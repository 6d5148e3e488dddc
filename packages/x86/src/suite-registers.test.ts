/** What the field's PMU suite asks of registers alone: RDPMC, widths, and the running counter that is written. */
import { type Item, mov, or, rdpmc, shl, wrmsr } from './asm.ts';
import {
  checks,
  EN,
  FIXED,
  faults,
  GENERAL,
  type Group,
  keep,
  MSR,
  OS,
  PASSES,
  type Pass,
  type Row,
  read,
  result,
  USR,
  write,
} from './testing/suite.ts';

const each = <T>(n: number, make: (i: number) => T): readonly T[] => Array.from({ length: n }, (_, i) => make(i));

const VALUE = 0xff01_2345_6789n;
const LOW = 0x2345_6789n;
const WIDE = 0xffff_ff01_2345_6789n;

const pmc = (index: number): Item => [mov('ECX', index), rdpmc(), shl('RDX', 32), or('RAX', 'RDX')];

/** Written by the MSR of this pass; the low half is what the first has. */
const rdpmcs = (pass: Pass): Group => {
  const kept = pass.counter === MSR.A_PMC ? VALUE : LOW;
  const registers = { registersOnly: true } as const;
  return {
    program: () => [
      each(GENERAL, (n) => [write(pass.counter + n, VALUE), pmc(n), keep(n)]),
      each(GENERAL, (n) => faults(GENERAL + n, mov('ECX', 0x8000_0000n | BigInt(n)), rdpmc())),
      each(FIXED, (i) => [write(MSR.FIXED_CTR + i, VALUE), pmc(0x4000_0000 + i), keep(20 + i)]),
      each(FIXED, (i) => faults(24 + i, mov('ECX', 0xc000_0000n | BigInt(i)), rdpmc())),
    ],
    rows: [
      ...each(GENERAL, (n): Row => ({ name: `${pass.name}: rdpmc cntr-${n}`, word: n, is: kept, ...registers })),
      ...each(GENERAL, (n): Row => ({ name: `${pass.name}: rdpmc fast-${n} is #GP`, word: GENERAL + n, is: 1n, ...registers })),
      ...each(FIXED, (i): Row => ({ name: `${pass.name}: rdpmc fixed cntr-${i}`, word: 20 + i, is: VALUE, ...registers })),
      ...each(FIXED, (i): Row => ({ name: `${pass.name}: rdpmc fixed fast-${i} is #GP`, word: 24 + i, is: 1n, ...registers })),
    ],
  }; // biome-ignore format: a table
};

/** Instructions, running while it is written: those behind the write are counted from there. */
const running = (pass: Pass): Group => ({
  program: () => [
    [write(pass.counter, 0n), write(MSR.EVNTSEL, EN | OS | USR | 0xc0n), write(MSR.GLOBAL_CTRL, 1n)],
    write(pass.counter, 0n),
    write(MSR.GLOBAL_CTRL, 0n), // 4: three of them, and the write that stops
    result(0, pass.counter),
    [write(MSR.EVNTSEL, EN | OS | USR | 0xc0n), write(MSR.GLOBAL_CTRL, 1n)],
    // All ones: PERFCTRn extends the sign of its low half.
    write(pass.counter, 0xffff_ffff_ffffn),
    write(MSR.GLOBAL_CTRL, 0n),
    [result(1, MSR.STATUS), write(MSR.RESET, 1n)],
  ],
  rows: [
    { name: `${pass.name}: running counter wrmsr: cntr`, word: 0, is: 4n },
    { name: `${pass.name}: running counter wrmsr: status`, word: 1, is: 1n },
  ],
});

/** PERFCTRn keeps the low half whatever stands above; PMCn has the width of the counter, and refuses more. */
const widths: Group = {
  program: () =>
    each(GENERAL, (n) => [
      mov('R15', 0),
      [LOW, VALUE, WIDE].map((value) => [
        write(MSR.PMC + n, value),
        [MSR.PMC, MSR.A_PMC].map((base) => differs(base + n, LOW)),
      ]),
      [LOW, VALUE].map((value) => [
        write(MSR.A_PMC + n, value),
        [MSR.PMC, MSR.A_PMC].map((base) => differs(base + n, value)),
      ]),
      mov('RBX', 'R15'),
      faults(n, mov('ECX', MSR.A_PMC + n), mov('EAX', LOW), mov('EDX', WIDE >> 32n), wrmsr()),
      [shl('RBX', 1), or('RAX', 'RBX'), keep(n)],
    ]),
  rows: each(GENERAL, (n) => ({
    name: `full width: a value that is too wide for IA32_PMC${n} is #GP`,
    word: n,
    is: 1n,
    registersOnly: true,
  })),
};

/** R15 gets a bit when a register holds anything else. */
function differs(msr: number, expected: bigint): Item {
  return [read(msr), mov('R11', expected), { assemble: () => [0x4c, 0x31, 0xd8] }, or('R15', 'RAX')]; // XOR RAX, R11
}

checks(
  'RDPMC of no counter',
  [
    {
      program: () => faults(0, mov('ECX', 64), rdpmc()),
      rows: [{ name: 'RDPMC(64) is #GP', word: 0, is: 1n, registersOnly: true }],
    },
  ],
  ['emulated'],
);
for (const pass of PASSES) {
  checks('RDPMC', [rdpmcs(pass)], ['emulated']);
  checks('a running counter that is written', [running(pass)], ['emulated']);
}
checks('widths', [widths], ['emulated']);
