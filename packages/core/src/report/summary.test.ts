/** What a run did, as a report. Counts were made by hand. */
import { asm } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { disable, enable, prepare } from '../testing/counters.ts';
import { beside, event, exit, guest, SERVICE, times } from '../testing/guest.ts';
import { summaries, summary } from './summary.ts';

const { jump, label, movi, nop, readreg, trap, wait, writereg } = asm;

describe('a report', () => {
  it('has end, work, exits by cause, switches and counters', () => {
    const g = guest(
      [
        ...prepare(0, 'INSTRUCTIONS'), // 4 instructions, 2 accesses
        ...prepare(1, 'CYCLES'), // 4, 2
        ...prepare(2, 'LOADS'), // 4, 2
        movi('R2', 0x55),
        writereg('PMSEL3', 'R2'), // an event that does not exist
        movi('R2', 0),
        writereg('PMC3', 'R2'), // 4, 2
        ...enable(15), // 4, 2
        nop(), // 1
        movi('R0', SERVICE.console),
        movi('R1', 0x41),
        trap(0), // 3
        ...disable, // 2, 1
      ],
      { costs: { plain: { backend: 1 } } },
    );
    g.run();
    expect(summary(g.domain)).toEqual({
      name: 'a',
      policy: 'emulated',
      console: 'A',
      end: { reason: 'poweroff', status: 0, verdict: 'passed' },
      instructions: 29,
      // Of 2 cycles: two each to prepare, two to enable; nop, two before the call, one that disables, two before the exit.
      cycles: 29 + 8 + 2 + 1 + 2 + 1 + 2,
      traps: { pmu: 11, hypercall: 2 },
      exits: 13,
      switches: 1,
      counters: [
        [
          { counter: 'PMC0', event: 'INSTRUCTIONS', value: 6n },
          { counter: 'PMC1', event: 'CYCLES', value: 10n },
          { counter: 'PMC2', event: 'LOADS', value: 0n },
          { counter: 'PMC3', event: undefined, value: 0n },
        ],
      ],
    });
  });

  it('is of each vCPU, and of counters that exist', () => {
    const g = guest([movi('R2', event('STORES')), writereg('PMSEL1', 'R2')], {
      vcpus: 2,
      cpuSettings: { counters: 2 },
    }).run();
    expect(summary(g.domain).counters.map((all) => all.map((c) => c.event))).toEqual([
      ['INCREMENT', 'STORES'],
      ['INCREMENT', 'INCREMENT'],
    ]);
    expect(summary(guest([], { cpu: 'tiny-none', policy: 'off' }).run().domain).counters).toEqual([[]]);
  });

  it.each([
    ['passed', exit(0)],
    ['failed', exit(3)],
    ['faulted', [wait()]],
    ['faulted', [movi('R2', 0x800), writereg('VECTOR', 'R2'), readreg('R2', 0x999)]],
  ] as const)('%s', (verdict, lines) => {
    expect(summary(guest(lines).run().domain).end?.verdict).toBe(verdict);
  });

  it('of a run that a limit stopped has no end', () => {
    const g = guest([label('on'), jump('on')]).run(1000);
    expect(summary(g.domain)).toMatchObject({ end: undefined, instructions: 1000, cycles: 1000, switches: 1 });
  });

  it('of several domains, in their order; switches count who was switched to', () => {
    const a = guest(times(17, nop()), { slice: 10 });
    beside(a.machine, 'b', times(7, nop()), { policy: 'switched' });
    a.run();
    // 20 and 10 instructions: a, b, a.
    expect(summaries(a.machine).map((r) => [r.name, r.policy, r.switches, r.instructions])).toEqual([
      ['a', 'emulated', 2, 20],
      ['b', 'switched', 1, 10],
    ]);
  });

  it('an exception loop is given up by name', () => {
    const g = guest([movi('R2', 0x800), writereg('VECTOR', 'R2'), readreg('R2', 0x999)]).run();
    expect(g.domain.ended).toEqual({ reason: 'exception-loop', status: 0 });
    expect(g.said.at(-1)).toBe(
      "CV_EXCEPTION_LOOP a: vCPU 0 took 1000 exceptions in a row without retiring an instruction, the last one 'bus' to pc 0x800.",
    );
    expect(g.domain.instructions()).toBe(2);
  });
});
