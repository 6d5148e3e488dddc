import type { PolicyName } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { add, addi, type Line, label, movi, nop, readreg, syscall, sysret, writereg } from '../asm.ts';
import { EVENT_IDS } from '../events.ts';
import { runLines } from '../testing/run.ts';
import { testVcpu } from '../testing/vcpu.ts';
import { pmu } from './pmu.ts';

const write = (register: Parameters<typeof writereg>[0], value: number | string): Line[] => [
  movi('R2', value),
  writereg(register, 'R2'),
];
const nops = (count: number): Line[] => Array.from({ length: count }, nop);

describe('effects of PMU writes', () => {
  it('PMCTL.R clears every counter, and nothing else does', () => {
    const vcpu = testVcpu({ PMC0: 1n, PMC1: 2n, PMC2: 3n, PMC3: 4n });
    pmu.PMCTL.wrote?.(vcpu, 0b01n, 0n);
    expect(vcpu.values).toEqual({ PMC0: 1n, PMC1: 2n, PMC2: 3n, PMC3: 4n });
    pmu.PMCTL.wrote?.(vcpu, 0b10n, 0n);
    expect(vcpu.values).toEqual({ PMC0: 0n, PMC1: 0n, PMC2: 0n, PMC3: 0n });
  });

  it('PMINC adds one to each counter named that selects INCREMENT', () => {
    const vcpu = testVcpu({ PMSEL0: 0n, PMSEL1: 1n, PMSEL2: 0n, PMSEL3: 0n });
    pmu.PMINC.wrote?.(vcpu, 0b0111n, 0n);
    expect(vcpu.calls).toEqual(['count PMC0 1', 'count PMC2 1']);
  });
});

const NU = 31;
const NK = 30;

/** A selector with one high bit set: 1 is doubled as often as it takes, for immediates have 16 bits. */
const filtered = (selector: 'PMSEL0' | 'PMSEL1' | 'PMSEL2' | 'PMSEL3', bit: number, event: number): Line[] => [
  movi('R2', 1),
  ...Array.from({ length: bit }, () => add('R2', 'R2', 'R2')),
  addi('R2', 'R2', event),
  writereg(selector, 'R2'),
];

const policies: readonly PolicyName[] = ['passthrough', 'switched', 'emulated', 'mediated'];

describe.each(policies)('the PMU as a guest sees it, under %s', (policy) => {
  it('PMENSET sets, PMENCLR clears, and both read the same', () => {
    const { get } = runLines(
      [
        ...write('PMENSET', 0b0110),
        ...write('PMENSET', 0b0001), // 0111
        ...write('PMENCLR', 0b1010), // 0101
        readreg('R3', 'PMENSET'),
        readreg('R4', 'PMENCLR'),
      ],
      { policy },
    );
    expect([get('R3'), get('R4')]).toEqual([0b0101n, 0b0101n]);
  });

  it('a counter that this CPU lacks reads as 0 and cannot be enabled', () => {
    const { get } = runLines(
      [
        ...write('PMENSET', 0b1111),
        readreg('R3', 'PMENSET'),
        ...write('PMC1', 7),
        ...write('PMC2', 7),
        readreg('R4', 'PMC1'),
        readreg('R5', 'PMC2'),
        readreg('R6', 'PMINFO'),
      ],
      { policy, cpuSettings: { counters: 2 } },
    );
    expect([get('R3'), get('R4'), get('R5'), get('R6')]).toEqual([0b0011n, 7n, 0n, 2n]);
  });

  it('a counter has 32 bits, or 64', () => {
    const lines = [...write('PMC0', -1), readreg('R3', 'PMC0')];
    expect(runLines(lines, { policy }).get('R3')).toBe(0xffff_ffffn);
    expect(runLines(lines, { policy, cpu: 'tiny,+wide' }).get('R3')).toBe(0xffff_ffff_ffff_ffffn);
  });

  it('a reserved bit of a selector is refused, and the selector keeps what it held', () => {
    const { get, domain } = runLines(
      [
        ...write('VECTOR', 'handler'),
        ...write('PMSEL0', 5),
        ...write('PMSEL0', 0x100), // undefined
        movi('R1', 1), // never reached
        label('handler'),
        readreg('R3', 'CAUSE'),
        readreg('R4', 'PMSEL0'),
        readreg('R5', 'EPC'),
      ],
      { policy },
    );
    // Kind 1, detail the opcode of writereg; EPC is the sixth instruction.
    expect([get('R3'), get('R4'), get('R5')]).toEqual([0x0e01n, 5n, 0x1014n]);
    expect(domain.instructions()).toBe(5 + 3 + 3);
  });

  it('PMINC adds to enabled counters that select INCREMENT, each its own bit', () => {
    const { get } = runLines(
      [
        ...write('PMCTL', 2), // all counters are 0
        ...write('PMSEL2', EVENT_IDS.LOADS),
        ...write('PMENSET', 0b0101), // 0 and 2; 1 selects INCREMENT but is not enabled
        ...write('PMCTL', 1),
        ...write('PMINC', 0b1111),
        ...write('PMINC', 0b0001),
        ...write('PMINC', 0b0010),
        readreg('R3', 'PMC0'),
        readreg('R4', 'PMC1'),
        readreg('R5', 'PMC2'),
      ],
      { policy },
    );
    expect([get('R3'), get('R4'), get('R5')]).toEqual([2n, 0n, 0n]);
  });

  it('CARRY counts the wraps of the even counter below, at the same boundary', () => {
    const { get } = runLines(
      [
        ...write('PMSEL0', EVENT_IDS.INSTRUCTIONS),
        ...write('PMSEL1', EVENT_IDS.CARRY),
        ...write('PMC0', -3), // 3 before the wrap
        ...write('PMC1', 0),
        ...write('PMENSET', 0b0011),
        ...write('PMCTL', 1),
        ...nops(2), // PMC0 is 2^32 - 1
        readreg('R3', 'PMC1'), // 0 when read; wraps as this retires
        readreg('R4', 'PMC1'), // 1
        readreg('R5', 'PMC0'), // 1: the read before this one
        readreg('R6', 'PMSTAT'),
      ],
      { policy },
    );
    expect([get('R3'), get('R4'), get('R5'), get('R6')]).toEqual([0n, 1n, 1n, 0b01n]);
  });

  it('counts one level or the other; an exception is counted at the level it was taken from', () => {
    const { get } = runLines(
      [
        ...write('VECTOR', 'handler'),
        ...write('EPC', 'user'),
        ...filtered('PMSEL0', NU, EVENT_IDS.INSTRUCTIONS),
        ...filtered('PMSEL1', NK, EVENT_IDS.INSTRUCTIONS),
        ...filtered('PMSEL2', NU, EVENT_IDS.EXCEPTIONS),
        ...filtered('PMSEL3', NK, EVENT_IDS.EXCEPTIONS),
        ...write('PMCTL', 2), // all counters are 0
        ...write('PMENSET', 0b1111),
        ...write('STATUS', 0), // sysret goes to the user level
        ...write('PMCTL', 1),
        sysret(), // kernel 1
        label('user'),
        ...nops(4), // user 4
        syscall(0), // user 5, and an exception of the user level
        label('handler'),
        readreg('R3', 'PMC0'), // reads 1
        readreg('R4', 'PMC1'), // 5
        readreg('R5', 'PMC2'), // 0
        readreg('R6', 'PMC3'), // 1
      ],
      { policy },
    );
    expect([get('R3'), get('R4'), get('R5'), get('R6')]).toEqual([1n, 5n, 0n, 1n]);
  });

  it('the user level may read counters once PMUSER.EN is set', () => {
    const { get } = runLines(
      [
        ...write('VECTOR', 'handler'),
        ...write('EPC', 'user'),
        ...write('STATUS', 0),
        ...write('PMC0', 123),
        ...write('PMUSER', 1),
        sysret(),
        label('user'),
        readreg('R3', 'PMC0'),
        readreg('R4', 'PMCTL'), // not readable at this level at all: undefined
        label('handler'),
        readreg('R5', 'CAUSE'),
      ],
      { policy },
    );
    expect([get('R3'), get('R5')]).toEqual([123n, 0x0d01n]);
  });
});

describe('who sees an access', () => {
  const lines = [...write('PMSEL0', 1), readreg('R3', 'PMC0'), readreg('R4', 'PMINFO'), readreg('R5', 'CPUID')];

  it.each([
    ['passthrough', 0],
    ['switched', 0],
    // One trap bit for the whole PMU: selector, counter and PMINFO exit; CPUID is no PMU register.
    ['emulated', 3],
    ['mediated', 3],
  ] as const)('under %s: %i exits', (policy, exits) => {
    expect(runLines(lines, { policy }).exits.pmu ?? 0).toBe(exits);
  });

  it('the user level without leave is the guest kernel’s affair: no exit', () => {
    const { exits, get } = runLines([
      ...write('VECTOR', 'handler'),
      ...write('EPC', 'user'),
      ...write('STATUS', 0),
      sysret(),
      label('user'),
      readreg('R3', 'PMC0'),
      label('handler'),
      readreg('R5', 'CAUSE'),
    ]);
    expect(get('R5')).toBe(0x1c02n);
    expect(exits).toEqual({ hypercall: 1 });
  });
});
