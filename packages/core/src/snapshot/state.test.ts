/** A machine as plain data and back: at any place, whatever waits, and nothing else than its own. */
import type { Arch } from '@countervisor/contract';
import { asm, template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import type { Machine } from '../machine.ts';
import { counters, disable, enable, prepare } from '../testing/counters.ts';
import { type Asked, beside, exit, guest, type Line, SERVICE, times, vector } from '../testing/guest.ts';
import { type MachineState, restore, state } from './state.ts';

const { addi, bnez, jump, label, load, movi, nop, readreg, store, sysret, trap, wait, writereg } = asm;

const text = (s: MachineState): string => JSON.stringify(s, (_, v) => (typeof v === 'bigint' ? `${v}n` : v));

/** Two vCPUs: the first counts in memory under a timer, waits twice and prints; the second stores and waits. */
const lively: readonly Line[] = [
  ...vector('handler'),
  movi('R2', 1),
  writereg('STATUS', 'R2'),
  movi('R0', SERVICE.start),
  movi('R1', 1),
  movi('R2', 'second'),
  trap(0),
  movi('R6', 0x200),
  movi('R7', 90),
  store('R7', 'R6', 0),
  movi('R5', 12),
  label('count'),
  load('R4', 'R6', 0x2e00),
  addi('R4', 'R4', 1),
  store('R4', 'R6', 0x2e00),
  addi('R5', 'R5', -1),
  bnez('R5', 'count'),
  wait(), // until 90
  movi('R7', 2000),
  store('R7', 'R6', 0),
  wait(), // until 2,000
  movi('R0', SERVICE.console),
  movi('R1', 0x21),
  trap(0),
  ...exit(),
  label('handler'),
  readreg('R3', 'TIME'),
  store('R3', 'R6', 0x2e08),
  movi('R3', 0),
  store('R3', 'R6', 0),
  sysret(),
  label('second'),
  ...vector('handler'),
  movi('R6', 0x200),
  movi('R7', 1500),
  store('R7', 'R6', 0),
  ...times(7, store('R7', 'R6', 0x2e10)),
  wait(),
  jump('second'),
];
/** Counts every fourth instruction under its policy, and prints. */
const divided: readonly Line[] = [
  ...prepare(0, 'INSTRUCTIONS', -5),
  ...prepare(1, 'CARRY'),
  ...enable(3),
  ...times(40, nop()),
  readreg('R4', 'PMC0'),
  ...times(9, nop()),
  ...disable,
];
const arch = counters((_, n) => (n === 0 ? { divisor: () => 4 } : {}));

function machine(asked: Asked = {}): Machine {
  const a = guest(lively, { arch, vcpus: 2, quantum: 20, slice: 7, pcpus: 2, ...asked });
  for (const policy of ['switched', 'emulated', 'mediated'] as const) beside(a.machine, policy, divided, { policy });
  return a.machine;
}
const run = (m: Machine): string => {
  m.run({ until: 3000 });
  return text(state(m));
};

/** Runs may take their time on a loaded machine. */
const PATIENCE = 60_000;

describe('saved, restored, saved again', () => {
  for (const [name, asked] of [
    ['one physical CPU', { pcpus: 1 }],
    ['two', {}],
    ['two, under the clock of the machine', { time: 'machine' }],
  ] as const) {
    it(
      `is the same at every place, and ends the same: ${name}`,
      () => {
        const end = run(machine(asked));
        const m = machine(asked);
        // A machine that has run elsewhere before: what it decoded and translated must not show.
        const other = machine(asked);
        other.run({ until: 30 });
        let waited = 0;
        let remainders = 0;
        for (let passes = 0; m.pass({ until: 3000 }); passes++) {
          const saved = state(m);
          if (saved.domains.some((d) => d.vcpus.some((v) => v.waiting))) waited++;
          if (
            saved.pcpus.some((p) => p.remainders[0] !== 0) ||
            saved.domains.some((d) => d.vcpus.some((v) => v.carried[0]))
          )
            remainders++;
          if (passes % 4 !== 0) continue;
          const second = passes % 3 === 0 ? machine(asked) : other;
          restore(second, structuredClone(saved));
          expect(state(second)).toEqual(saved);
          expect(run(second)).toBe(end);
        }
        expect(text(state(m))).toBe(end);
        // Under the machine's clock neighbours take so long that its timer comes before the first vCPU waits for it.
        const first = name.includes('clock') ? [undefined, ''] : ['poweroff', '!'];
        const others = [1, 2, 3].map(() => ['poweroff', '']);
        expect(m.domains.map((d) => [d.ended?.reason, d.console])).toEqual([first, ...others]);
        expect([waited > 5, remainders > 5]).toEqual([true, true]);
      },
      PATIENCE,
    );
  }

  it('the copy and the machine share nothing', () => {
    const m = machine();
    m.run({ until: 20 });
    const saved = state(m);
    const before = text(saved);
    m.run({ until: 60 });
    expect(text(saved)).toBe(before);
    restore(m, saved);
    m.run({ until: 60 });
    expect(text(saved)).toBe(before);
  });

  it('an end, a pause, and lists in devices come back', () => {
    const tiny = template.platforms.tiny as (typeof template.platforms)[string];
    const list = { name: 'list', per: 'domain', sizes: [8], state: () => ({ numbers: [1, 2, 3], text: 'x' }) } as const;
    const made = { ...template, platforms: { tiny: { ...tiny, devices: [...tiny.devices, list] } } } as unknown as Arch;
    const g = guest([nop()], { arch: made });
    const other = guest([nop()], { arch: made });
    g.run();
    g.domain.paused = true;
    (g.domain.device('list', 0).numbers as number[]).push(4);
    restore(other.machine, state(g.machine));
    expect(other.domain.ended).toEqual({ reason: 'poweroff', status: 0 });
    expect(other.domain.paused).toBe(true);
    expect(other.domain.device('list', 0)).toEqual({ numbers: [1, 2, 3, 4], text: 'x' });
    expect(other.domain.device('list', 0).numbers).not.toBe(g.domain.device('list', 0).numbers);
  });
});
