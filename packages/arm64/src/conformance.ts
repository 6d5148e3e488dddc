/** What the conformance kit needs to test this architecture: machine code for its neutral steps, how the PMU is used, the programs, and the manual. */
import {
  type Address,
  type Code,
  type CodeWriter,
  type Conformance,
  none,
  type PmuUse,
  type Step,
  type Writes,
} from '@countervisor/contract';
import {
  adr,
  b,
  data,
  eret,
  hvc,
  type Item,
  label,
  load,
  mem,
  mov,
  movz,
  mrs,
  msr,
  nop,
  program,
  str,
  svc,
} from './asm.ts';
import { manual } from './manual.ts';
import { programs } from './programs.ts';
import type { Level } from './registers/row.ts';

/** Where flat images go on `virt`. */
const BASE = 0x4008_0000n;
const LENGTH = 4;

/** PSCI SYSTEM_OFF. */
const OFF: Item = [load('X0', 0x8400_0008), hvc(0)];
const PMU_INTID = 23;
const MASKED = 0x3c0;

/** MRS or SYSL, MSR or SYS: the address stands in bits 20:5 as in `Address.index`. */
const access = (base: number, { index }: Address, rt: number): number => (base | (index << 5) | rt) >>> 0;
const readInto = (from: Address, rt: number): number => access(0xd520_0000, from, rt);
const writeFrom = (to: Address, rt: number): number => access(0xd500_0000, to, rt);

/** Whatever is taken ends the domain; X15 tells where. One table for EL1 and EL0, synchronous and IRQ. */
const HANDLERS: Item = [
  label('handler'),
  mrs('X15', 'ELR_EL1'),
  OFF,
  data(new Uint8Array(0), 2048),
  label('vectors'),
  [0x200, 0x280, 0x400, 0x480].map((offset, n, all): Item => {
    const before = n === 0 ? 0 : (all[n - 1] as number) + LENGTH;
    return [data(new Uint8Array(offset - before)), b('handler')];
  }),
];

/** A GICv2 that lets the PMU's interrupt through, then PSTATE. */
const LISTEN: Item = [
  load('X1', 0x0801_0000), // the CPU interface
  movz('X2', 0xf0),
  str('W2', mem('X1', 4)), // GICC_PMR
  movz('X2', 1),
  str('W2', mem('X1')), // GICC_CTLR
  load('X1', 0x0800_0000), // the distributor
  load('X3', 1 << PMU_INTID),
  str('W3', mem('X1', 0x100)), // GICD_ISENABLER0
  str('W2', mem('X1')), // GICD_CTLR
  msr('DAIF', 'XZR'),
];

const SLOTS = ['X8', 'X9', 'X10', 'X11', 'X12', 'X13'] as const;

/** Straight-line code, step by step. */
function write(steps: readonly Step[]): Code {
  let el0 = false;
  let masks = MASKED;

  const items = (step: Step, at: number): Item => {
    switch (step.do) {
      case 'nop':
        return Array.from({ length: step.times }, () => nop());
      case 'read':
        return readInto(step.from, 7);
      case 'keep':
        return mov(SLOTS[step.slot] as string, 'X7');
      case 'write':
        return [load('X0', step.value), writeFrom(step.to, 0)];
      case 'level': {
        if (el0 || step.level !== 'el0') throw new RangeError(`there is no way to the level ${step.level} from here`);
        el0 = true;
        const to = `level${at}`;
        return [adr('X0', to), msr('ELR_EL1', 'X0'), movz('X0', masks), msr('SPSR_EL1', 'X0'), eret(), label(to)];
      }
      case 'catch':
        return [movz('X15', 0), adr('X0', 'vectors'), msr('VBAR_EL1', 'X0')];
      case 'interrupts':
        masks = 0;
        return LISTEN;
      case 'repeat':
        throw new RangeError('no instruction repeats itself');
      case 'exception':
        return svc(0);
      case 'call':
        return [step.arguments.map((value, n) => load(`X${n + 1}`, value)), load('X0', step.number), hvc(0)];
      case 'end':
        return el0 ? svc(0) : OFF;
    }
  };

  const count = (item: Item): number => {
    if (Array.isArray(item)) return item.reduce((sum: number, inner: Item) => sum + count(inner), 0);
    return typeof item === 'object' ? 0 : 1;
  };
  const blocks = steps.map(items);
  let before = 0;
  const places = blocks.map((block) => {
    const place = { at: BASE + BigInt(before * LENGTH), before, instructions: count(block) };
    before += place.instructions;
    return place;
  });
  return { bytes: program([...blocks, HANDLERS], BASE).bytes, places };
}

const code: CodeWriter = {
  value: 'X7',
  slots: SLOTS,
  caught: 'X15',
  /** MRS and MSR name op0 2 and 3; operations (op0 1) are written only. */
  reaches: ({ space, index }, writing) => space === 'sysreg' && (index >> 14 >= 2 || (index >> 14 === 1 && writing)),
  repeats: none('every instruction retires when it has been executed once'),
  write,
};

const CYCLE = 31;
const ALL = 0xffff_ffffn;
/** Filters of PMEVTYPER<n>_EL0 and PMCCFILTR_EL0: EL1 is not counted, EL0 is not counted, EL2 is. */
const P = 1n << 31n;
const U = 1n << 30n;
const NSH = 1n << 27n;
/** PMCR_EL0. */
const E = 1n;
const D = 8n;
const LC = 0x40n;
const LP = 0x80n;

const mask = (counters: readonly number[]): bigint => counters.reduce((bits, n) => bits | (1n << BigInt(n)), 0n);
const selector = (n: number): string => (n === CYCLE ? 'PMCCFILTR_EL0' : `PMEVTYPER${n}_EL0`);

const use: PmuUse<string, Level> = {
  counters: Array.from({ length: 31 }, (_, n) => n),
  fixed: { [CYCLE]: 0x11 },
  quiet: [
    ['PMCR_EL0', 0n],
    ['PMCNTENCLR_EL0', ALL],
    ['PMINTENCLR_EL1', ALL],
    ['PMOVSCLR_EL0', ALL],
    ['PMCCFILTR_EL0', 0n],
  ],
  select(n, event, except = []): Writes {
    const filter = (except.includes('el1') ? P : 0n) | (except.includes('el0') ? U : 0n);
    return [[selector(n), (n === CYCLE ? 0n : BigInt(event)) | filter]];
  },
  include: (n, event): Writes => [[selector(n), (n === CYCLE ? 0n : BigInt(event)) | NSH]],
  value: (n) => (n === CYCLE ? 'PMCCNTR_EL0' : `PMEVCNTR${n}_EL0`),
  enable: (counters): Writes => [['PMCNTENSET_EL0', mask(counters)]],
  disable: (counters): Writes => [['PMCNTENCLR_EL0', mask(counters)]],
  start: [['PMCR_EL0', E]],
  stop: [['PMCR_EL0', 0n]],
  interrupt: (counters): Writes => [['PMINTENSET_EL1', mask(counters)]],
  status: 'PMOVSCLR_EL0',
  bit: (n) => 1n << BigInt(n),
  clear: (counters): Writes => [['PMOVSCLR_EL0', mask(counters)]],
  increment: { event: 0x00, by: (counters): Writes => [['PMSWINC_EL0', mask(counters)]] },
  carry: 0x1e,
  divides: [{ counter: CYCLE, start: [['PMCR_EL0', E | D]], by: 64 }],
  overflows: [
    { cpu: 'cortex-a57', bits: 32 },
    { cpu: 'neoverse-n2', bits: 32 },
    { cpu: 'neoverse-n2', start: [['PMCR_EL0', E | LP]], bits: 64 },
    { cpu: 'cortex-a57', bits: 32, of: [CYCLE] },
    { cpu: 'cortex-a57', start: [['PMCR_EL0', E | LC]], bits: 64, of: [CYCLE] },
  ],
};

export const conformance: Conformance = { programs, code, use, manual };
