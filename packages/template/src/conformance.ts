/** What the conformance kit needs to test this architecture: machine code for its neutral steps, how the PMU is used, the programs, and the manual. */
import {
  type Code,
  type CodeWriter,
  type Conformance,
  none,
  type PmuUse,
  type Step,
  type Writes,
} from '@countervisor/contract';
import { addi, assemble, type Line, label, load, movi, nop, readreg, syscall, sysret, trap, writereg } from './asm.ts';
import { EVENT_IDS } from './events.ts';
import type { Level } from './features.ts';
import { SERVICES } from './hypercall.ts';
import { LENGTH } from './isa/row.ts';
import { manual } from './manual.ts';
import { RAM } from './platform/tiny.ts';
import { programs } from './programs.ts';
import type { GeneralName } from './registers/general.ts';
import type { CounterName, PmuName } from './registers/pmu.ts';

const EXIT: readonly Line[] = [movi('R1', 0), movi('R0', SERVICES.exit), trap(0)];
/** Whatever is taken ends the domain. R6 tells where. */
const HANDLER: readonly Line[] = [readreg('R6', 'EPC'), ...EXIT];

const word =
  (value: bigint): Line =>
  () =>
    Number(value);

/** STATUS with interrupts on, and for a `sysret` to the user level that turns them on or leaves them off. */
const IE = 1;
const PIE = 2;

/** Straight-line code, step by step. Constants of more than 16 bits stand behind the code, and are loaded. */
function write(steps: readonly Step[]): Code {
  const constants: bigint[] = [];
  let user = false;
  let interrupts = 0;

  const constant = (register: GeneralName, value: bigint): Line[] => {
    const signed = BigInt.asIntN(64, value);
    if (signed >= -0x8000n && signed <= 0x7fffn) return [movi(register, Number(signed))];
    if (!constants.includes(value)) constants.push(value);
    return [movi(register, `constant${constants.indexOf(value)}`), load(register, register, 0)];
  };

  const lines = (step: Step, at: number): readonly Line[] => {
    switch (step.do) {
      case 'nop':
        return Array.from({ length: step.times }, () => nop());
      case 'read':
        return [readreg('R7', step.from.index)];
      case 'keep':
        return [addi(writer.slots[step.slot] as GeneralName, 'R7', 0)];
      case 'write':
        return [...constant('R1', step.value), writereg(step.to.index, 'R1')];
      case 'level': {
        if (user || step.level !== 'user') throw new RangeError(`there is no way to the level ${step.level} from here`);
        user = true;
        const to = `level${at}`;
        const status = interrupts === 0 ? 0 : PIE;
        return [
          movi('R1', to),
          writereg('EPC', 'R1'),
          movi('R1', status),
          writereg('STATUS', 'R1'),
          sysret(),
          label(to),
        ];
      }
      case 'catch':
        return [movi('R6', 0), movi('R1', 'handler'), writereg('VECTOR', 'R1')];
      case 'interrupts':
        interrupts = IE;
        return [movi('R1', IE), writereg('STATUS', 'R1')];
      case 'repeat':
        throw new RangeError('no instruction repeats itself');
      case 'exception':
        return [syscall(0)];
      case 'call':
        return [
          ...step.arguments.flatMap((value, n) => constant(`R${n + 1}` as GeneralName, value)),
          ...constant('R0', step.number),
          trap(0),
        ];
      case 'end':
        return user ? [syscall(0)] : EXIT;
    }
  };

  const blocks = steps.map(lines);
  const length = (block: readonly Line[]): number => block.filter((line) => typeof line === 'function').length;
  let before = 0;
  const places = blocks.map((block) => {
    const place = { at: RAM + BigInt(before * LENGTH), before, instructions: length(block) };
    before += place.instructions;
    return place;
  });
  const code = [...blocks.flat(), label('handler'), ...HANDLER];
  // Constants are doublewords: they stand at a multiple of 8.
  const pad = length(code) % 2 === 0 ? [] : [word(0n)];
  const pool = constants.flatMap((value, n) => [
    label(`constant${n}`),
    word(value & 0xffff_ffffn),
    word((value >> 32n) & 0xffff_ffffn),
  ]);
  return { bytes: assemble([...code, ...pad, ...pool]), places };
}

const writer: CodeWriter<GeneralName> = {
  value: 'R7',
  slots: ['R2', 'R3', 'R4', 'R5'],
  caught: 'R6',
  // `readreg` and `writereg` name every register that has a number.
  reaches: () => true,
  repeats: none('every instruction retires when it has been executed once'),
  write,
};

const NU = 1n << 31n;
const NK = 1n << 30n;
const H = 1n << 29n;

const mask = (counters: readonly number[]): bigint => counters.reduce((bits, n) => bits | (1n << BigInt(n)), 0n);
const selector = (n: number): PmuName => `PMSEL${n}` as PmuName;

type Guest = Writes<PmuName>;

const use: PmuUse<PmuName | 'PMSAMPLE', Level> = {
  counters: [0, 1, 2, 3],
  fixed: {},
  quiet: [
    ['PMCTL', 0n],
    ['PMENCLR', 15n],
    ['PMINTEN', 0n],
    ['PMSTAT', 15n],
  ],
  select(n, event, except = []): Guest {
    const user = except.includes('user') ? NU : 0n;
    const kernel = except.includes('kernel') ? NK : 0n;
    return [[selector(n), BigInt(event) | user | kernel]];
  },
  include: (n, event): Guest => [[selector(n), BigInt(event) | H]],
  value: (n): PmuName => `PMC${n}` as CounterName,
  enable: (counters): Guest => [['PMENSET', mask(counters)]],
  disable: (counters): Guest => [['PMENCLR', mask(counters)]],
  start: [['PMCTL', 1n]],
  stop: [['PMCTL', 0n]],
  interrupt: (counters): Guest => [['PMINTEN', mask(counters)]],
  status: 'PMSTAT',
  bit: (n) => 1n << BigInt(n),
  clear: (counters): Guest => [['PMSTAT', mask(counters)]],
  increment: { event: EVENT_IDS.INCREMENT, by: (counters): Guest => [['PMINC', mask(counters)]] },
  carry: EVENT_IDS.CARRY,
  overflows: [
    { cpu: 'tiny', bits: 32 },
    { cpu: 'tiny-wide', bits: 64 },
  ],
  sample: 'PMSAMPLE',
};

export const conformance: Conformance = { programs, code: writer, use, manual } as Conformance;
