/** Counting rule 8 (ARCHITECTURE.md): the hypervisor's work, at its own level, on the physical CPU's counters. */
import { asm } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { disable, enable, prepare } from '../testing/counters.ts';
import {
  beside,
  constant,
  event,
  guest,
  H,
  type Line,
  NK,
  NU,
  ran,
  SERVICE,
  times,
  vector,
  WITH_PMU,
} from '../testing/guest.ts';

const { label, movi, nop, readreg, trap, writereg } = asm;

const withHost = (n: 0 | 1, name: string, filters: bigint): Line[] => [
  ...prepare(n, name),
  ...constant('R4', filters | BigInt(event(name))),
  writereg(`PMSEL${n}`, 'R4'),
];
const call: readonly Line[] = [movi('R0', SERVICE.version), trap(0)]; // 2
const cost = { trap: { instructions: 100, cycles: 300 } };

describe("rule 8: the hypervisor's work", () => {
  it('rule 8: is counted by whoever asks for its level, and by nobody else', () => {
    const { all, domain } = ran(
      [
        ...withHost(0, 'INSTRUCTIONS', H),
        ...withHost(1, 'CYCLES', H | NK | NU),
        ...prepare(2, 'INSTRUCTIONS'),
        ...prepare(3, 'CYCLES'),
        ...enable(15),
        ...call, // 2, and 100 of 300 cycles
        ...call, // 4
        ...disable, // 6
      ],
      { policy: 'passthrough', hypervisor: cost },
    );
    expect(all('PMC0', 'PMC1', 'PMC2', 'PMC3')).toEqual([206n, 600n, 6n, 6n]);
    // The domain's own instructions: 4 · 4 + 2 · 34 to prepare, 4 + 6, 3 to exit.
    expect(domain.instructions()).toBe(97);
    const [pcpu] = domain.machine.pcpus;
    expect([pcpu?.instructions, pcpu?.cycles]).toEqual([97 + 300, 97 + 900]); // the exit is a trap, too
  });

  it('rule 8: costs as many cycles as instructions, unless it is said', () => {
    const g = ran([...withHost(0, 'CYCLES', H), ...enable(), ...call, ...disable], {
      policy: 'passthrough',
      hypervisor: { trap: { instructions: 70 } },
    });
    expect(g.get('PMC0')).toBe(74n);
  });

  it('rule 8: is nothing, unless it is said', () => {
    for (const policy of WITH_PMU) {
      expect(ran([...withHost(0, 'CYCLES', H), ...enable(), ...call, ...disable], { policy }).get('PMC0')).toBe(4n);
    }
  });

  it("rule 8: does not reach a vCPU's own counters, which run only while it does", () => {
    const g = ran([...withHost(0, 'INSTRUCTIONS', H), ...enable(), ...call, readreg('R5', 'PMC0'), ...disable], {
      policy: 'emulated',
      hypervisor: cost,
    });
    expect(g.get('PMC0')).toBe(5n);
  });

  it('rule 8: every trapped access costs it', () => {
    // Mediated: the same counters as passthrough, and each access of this PMU traps. Behind the enabling write: a read and the disabling write.
    const g = ran([...withHost(0, 'INSTRUCTIONS', H), ...enable(), readreg('R5', 'PMSTAT'), ...disable], {
      policy: 'mediated',
      hypervisor: cost,
    });
    expect(g.get('PMC0')).toBe(3n + 200n);
  });

  it('rule 8: can be what overflows, and the interrupt comes behind the instruction that trapped', () => {
    const g = ran(
      [
        ...vector('handler'),
        ...withHost(0, 'INSTRUCTIONS', H | NK),
        movi('R2', -50),
        writereg('PMC0', 'R2'),
        movi('R2', 1),
        writereg('PMINTEN', 'R2'),
        writereg('STATUS', 'R2'),
        ...enable(),
        nop(),
        ...call,
        label('behind'),
        nop(),
        nop(),
        label('handler'),
        readreg('R4', 'EPC'),
        movi('R5', 'behind'),
        readreg('R6', 'PMC0'),
      ],
      { policy: 'passthrough', hypervisor: cost },
    );
    expect(g.get('R4')).toBe(g.get('R5'));
    expect(g.get('R6')).toBe(50n);
  });

  it("rule 8: advances no virtual clock, and the machine's own", () => {
    const lines = [readreg('R4', 'TIME'), ...call, readreg('R5', 'TIME')];
    for (const [time, passed] of [
      ['virtual', 3n],
      ['machine', 303n],
    ] as const) {
      const g = ran(lines, { time, hypervisor: cost });
      expect(g.get('R5') - g.get('R4'), time).toBe(passed);
    }
  });

  it('rule 8: a switch costs, too; under passthrough its guest sees it', () => {
    // Both counters go on while the neighbour runs: 34 + 4 + 4 instructions before counting, then 60 and 2.
    const g = guest(
      [...withHost(0, 'INSTRUCTIONS', H), ...prepare(1, 'INSTRUCTIONS'), ...enable(3), ...times(60, nop()), ...disable],
      {
        policy: 'passthrough',
        slice: 10,
        hypervisor: { switch: { instructions: 1000, cycles: 5000 } },
      },
    );
    beside(g.machine, 'b', times(300, nop()), { policy: 'passthrough' });
    g.run();
    // Prepared after 4 + 34 + 4 + 4 = 46 instructions, disabled at 108: slices end at 50, 60 … 100, six of them, each two switches.
    expect(g.get('PMC0') - g.get('PMC1')).toBe(12_000n);
    expect(g.get('PMC1')).toBe(62n + 60n);
    expect(g.machine.pcpus[0]?.cycles).toBe(
      g.machine.domains.reduce((sum, d) => sum + d.instructions(), 0) + 5000 * (g.machine.pcpus[0]?.switches ?? 0),
    );
  });

  it('rule 8: a switch that carries the counters finds them standing still', () => {
    const g = guest([...withHost(0, 'INSTRUCTIONS', H), ...enable(1), ...times(60, nop()), ...disable], {
      policy: 'switched',
      slice: 10,
      hypervisor: { switch: { instructions: 1000 } },
    });
    beside(g.machine, 'b', times(300, nop()), { policy: 'switched' });
    g.run();
    expect(g.get('PMC0')).toBe(62n);
  });

  it('rule 8: an observer sees it at its own level', () => {
    const g = guest([...call, nop()], { hypervisor: cost });
    const o = g.domain.observe();
    g.run();
    expect([o.count('instruction', 2), o.count('cycle', 2), o.count('instruction', 1)]).toEqual([200, 600, 6]);
  });
});
