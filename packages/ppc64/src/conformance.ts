/** What the conformance kit needs to test this architecture: machine code for its neutral steps, how the PMU is used, and the programs. */
import {
  type Address,
  type Code,
  type CodeWriter,
  type Conformance,
  type GuestWrites,
  none,
  type PmuUse,
  type Step,
} from '@countervisor/contract';
import { type Item, load, mfspr, mr, mtmsrd, mtspr, nop, op, program, sc } from './asm.ts';
import { down, ENTRY, LITTLE, powerOff, programs, VECTORS } from './programs.ts';
import { MMCR0, mmcr2 } from './registers/mmcr.ts';
import type { Level } from './registers/row.ts';

const LENGTH = 4;
const SLOTS = ['GPR8', 'GPR9', 'GPR10', 'GPR11', 'GPR12', 'GPR13'] as const;
const EE_RI = 0x8002;
/** Between the code and the handler, bytes: whoever comes there did not walk. */
const GAP = 64;

const registerOf = (slot: string): string => `r${slot.slice(3)}`;

/** Puts `ba handler` at every vector; the handler keeps where it came from, and ends. */
function vectors(handler: number, order: 'big' | 'little'): Item {
  return [
    // Opcode 18 with AA: the handler lies in the low 32 MiB.
    load('r4', 0x4800_0002 | handler),
    VECTORS.map((vector) => [
      load('r5', vector),
      order === 'big' ? op('stw', 'r4', 0, 'r5') : op('stwbrx', 'r4', 'r0', 'r5'),
    ]),
  ];
}

/** Straight-line code, step by step. Where the handler lies is known once all else has been placed. */
function write(steps: readonly Step[], order: 'big' | 'little'): Code {
  const start: Item = order === 'little' ? LITTLE : [];
  const placed = (handler: number): { readonly blocks: readonly Item[]; readonly end: number } => {
    let problem = false;
    const items = (step: Step, at: number): Item => {
      switch (step.do) {
        case 'nop':
          return Array.from({ length: step.times }, () => nop());
        case 'read':
          return mfspr('r7', step.from.index);
        case 'keep':
          return mr(registerOf(SLOTS[step.slot] as string), 'r7');
        case 'write':
          if (step.bits === undefined) return [load('r6', step.value), mtspr(step.to.index, 'r6')];
          return [
            mfspr('r6', step.to.index),
            load('r5', ~step.bits),
            op('and', 'r6', 'r6', 'r5'),
            load('r5', step.value & step.bits),
            op('or', 'r6', 'r6', 'r5'),
            mtspr(step.to.index, 'r6'),
          ];
        case 'level':
          if (problem || step.level !== 'problem') {
            throw new RangeError(`there is no way to the level ${step.level} from here`);
          }
          problem = true;
          return down(`level${at}`, order);
        case 'catch':
          return [load('r15', 0), vectors(handler, order)];
        case 'interrupts':
          return [load('r5', 0x7fff_ffff), mtspr('DEC', 'r5'), load('r5', EE_RI), mtmsrd('r5', 1)];
        case 'repeat':
          throw new RangeError('no instruction repeats itself');
        case 'exception':
          return sc(0);
        case 'call':
          return [step.arguments.map((value, n) => load(`r${4 + n}`, value)), load('r3', step.number), sc(1)];
        case 'end':
          return problem ? sc(0) : powerOff(order);
      }
    };
    const blocks = steps.map(items);
    const words = blocks.reduce((sum: number, block) => sum + count(block), count(start));
    return { blocks, end: Number(ENTRY) + LENGTH * words + GAP };
  };
  // The address is of one length wherever it lies.
  const { end } = placed(Number(ENTRY) + 4);
  return finish(start, placed(end).blocks, order);
}

function finish(start: Item, blocks: readonly Item[], order: 'big' | 'little'): Code {
  let before = count(start);
  const places = blocks.map((block) => {
    const place = { at: ENTRY + BigInt(before * LENGTH), before, instructions: count(block) };
    before += place.instructions;
    return place;
  });
  // Handlers are entered big-endian.
  const main = program(blocks as Item[], ENTRY + BigInt(count(start) * LENGTH), order).bytes;
  const head = program([start], ENTRY).bytes;
  const tail = program([mfspr('r15', 'SRR0'), powerOff()], 0n).bytes;
  const bytes = new Uint8Array(head.length + main.length + GAP + tail.length);
  bytes.set(head);
  bytes.set(main, head.length);
  bytes.set(tail, head.length + main.length + GAP);
  return { bytes, places };
}

function count(item: Item): number {
  if (Array.isArray(item)) {
    if (typeof item[0] === 'number') return item.length;
    return item.reduce((sum: number, inner: Item) => sum + count(inner), 0);
  }
  return typeof item === 'object' ? 0 : 1;
}

const writer = (order: 'big' | 'little'): CodeWriter => ({
  value: 'GPR7',
  slots: SLOTS,
  caught: 'GPR15',
  reaches: ({ space }: Address) => space === 'spr',
  repeats: none('every instruction retires when it has been executed once'),
  write: (steps) => write(steps, order),
});

/** PMC1 to PMC4 count what MMCR1 selects, PMC5 run instructions, PMC6 run cycles. Positions are one less. */
const SELECTED = [0, 1, 2, 3] as const;
const ALL = [1, 2, 3, 4, 5, 6] as const;
const sum = (bits: readonly bigint[]): bigint => bits.reduce((all, one) => all | one, 0n);
/** A counter is off while it is frozen whatever MSR[PMM] is. */
const frozen = (n: number): bigint => mmcr2(n, 'M0') | mmcr2(n, 'M1');
const freezes = (counters: readonly number[]): bigint => sum(counters.map((n) => frozen(n + 1)));
const EVERY = sum(ALL.map((n) => frozen(n) | mmcr2(n, 'H')));
const CONDITIONS = MMCR0.PMAE | MMCR0.PMC1CE | MMCR0.PMCjCE;

/** Models of an event that not all of them have, as Linux lists them. */
const ONLY: Readonly<Record<number, readonly string[]>> = {
  65640: ['power8'],
  65774: ['power8'],
  65788: ['power9', 'power10'],
  315486: ['power9', 'power10'],
  65554: ['power9'],
  192586: ['power10'],
  131094: ['power10'],
  131312: ['power8', 'power9'],
  131316: ['power8', 'power9'],
  262394: ['power8', 'power9'],
  // The 970's.
  9895937: [],
  9895943: [],
};
/** Events are PMC, unit and selector, as Linux writes them; without a PMC each of the four has it. */
const counterOf = (event: number): number => (event >> 16) & 15;

function select(counter: number, event: number, except: readonly string[], hypervisor: boolean): GuestWrites {
  const n = counter + 1;
  const group = mmcr2(n, 'S') | mmcr2(n, 'P0') | mmcr2(n, 'H');
  const filter =
    (except.includes('supervisor') ? mmcr2(n, 'S') : 0n) |
    (except.includes('problem') ? mmcr2(n, 'P0') : 0n) |
    (hypervisor ? 0n : mmcr2(n, 'H'));
  const filters = ['MMCR2', filter, group] as const;
  if (counter > 3) return [filters];
  const byte = BigInt(8 * (3 - counter));
  const unit = BigInt(60 - 4 * counter);
  const value = (BigInt(event & 0xff) << byte) | (BigInt((event >> 12) & 15) << unit);
  return [['MMCR1', value, (0xffn << byte) | (15n << unit)], filters];
}

const use: PmuUse<string, Level> = {
  counters: SELECTED,
  can: (counter, event, cpu) =>
    (counterOf(event) === 0 || counterOf(event) === counter + 1) && (ONLY[event]?.includes(cpu) ?? true),
  fixed: { 4: 0x500fa, 5: 0x600f4 },
  quiet: [
    ['MMCR0', MMCR0.FC],
    ['MMCRA', 0n],
    ['MMCR1', 0n],
    ['MMCR2', EVERY],
    ...ALL.map((n) => [`PMC${n}`, 0n] as const),
    ['CTRLT', 1n],
  ],
  select: (counter, event, except = []) => select(counter, event, except, false),
  include: (counter, event) => select(counter, event, [], true),
  value: (n) => `PMC${n + 1}`,
  enable: (counters): GuestWrites => [['MMCR2', 0n, freezes(counters)]],
  disable: (counters): GuestWrites => [['MMCR2', freezes(counters), freezes(counters)]],
  start: [['MMCR0', 0n, MMCR0.FC]],
  stop: [['MMCR0', MMCR0.FC, MMCR0.FC]],
  interrupt: (): GuestWrites => [['MMCR0', CONDITIONS, CONDITIONS]],
  status: 'NEGATIVE',
  bit: (n) => 1n << BigInt(n),
  clear: (counters): GuestWrites => [...counters.map((n) => [`PMC${n + 1}`, 0n] as const), ['MMCR0', 0n, MMCR0.PMAO]],
  overflows: [
    { cpu: 'power8', bits: 31 },
    { cpu: 'power9', bits: 31 },
    { cpu: 'power10', bits: 31 },
    { cpu: 'power9', bits: 31, of: [4, 5] },
  ],
};

export const conformance: Conformance = { programs, code: writer('big'), use, missing: 'ignored' };
/** Code for the same steps, in little-endian mode; the programs are big-endian. */
export const littleEndian: CodeWriter = writer('little');
