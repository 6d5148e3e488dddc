/** Observers: told of everything, and able to change nothing that a guest sees. */
import { asm, template } from '@countervisor/template';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Machine } from '../machine.ts';
import { state } from '../snapshot/state.ts';
import { bootFlat } from '../testing/boot.ts';
import { event, guest, type Line, times, vector, WITH_PMU } from '../testing/guest.ts';
import { BASE } from '../testing/model.ts';
import { assembly, bodies, program } from '../testing/random.ts';
import { type EventMap, type EventName, Events } from './events.ts';

const { label, movi, nop, readreg, store, syscall, sysret, trap, writereg } = asm;

const NAMES: Readonly<Record<EventName, true>> = {
  access: true,
  trap: true,
  switch: true,
  overflow: true,
  irq: true,
  exception: true,
  console: true,
  exit: true,
  diagnostic: true,
};
const names = Object.keys(NAMES) as EventName[];

describe('the history a guest sees', () => {
  const pair = fc.sample(bodies, { seed: 11, numRuns: 4 });
  const history = (
    a: (typeof pair)[number],
    b: (typeof pair)[number],
    policy: (typeof WITH_PMU)[number],
    listen: readonly EventName[],
    observed: boolean,
  ): [string, number] => {
    const machine = new Machine({
      arch: template as never,
      slice: 17,
      costs: { memory: { backend: 5 } },
      hypervisor: { trap: { instructions: 7, cycles: 9 } },
    });
    let heard = 0;
    for (const name of listen) machine.events.on(name, () => heard++);
    for (const [i, body] of [a, b].entries()) {
      const domain = machine.addDomain({ name: `d${i}`, vcpus: 1, memory: 0x10000, vpmu: true, policy });
      bootFlat(machine, domain, asm.assemble(assembly(program(body, true), BASE)));
      if (observed) domain.observe();
    }
    machine.run({ until: 3000 });
    return [JSON.stringify(state(machine), (_, v) => (typeof v === 'bigint' ? `${v}n` : v)), heard];
  };

  it.each(WITH_PMU)(
    'is the same with every listener and with none: %s',
    (policy) => {
      for (let i = 0; i < pair.length; i += 2) {
        const [a, b] = [pair[i], pair[i + 1]] as [(typeof pair)[number], (typeof pair)[number]];
        const [alone] = history(a, b, policy, [], false);
        const [watched, heard] = history(a, b, policy, names, true);
        expect(heard).toBeGreaterThan(50);
        expect(watched).toBe(alone);
        for (const name of names) expect(history(a, b, policy, [name], false)[0], name).toBe(alone);
      }
    },
    60_000,
  );
});

describe('what is told', () => {
  const lines: readonly Line[] = [
    ...vector('handler'), // 2
    movi('R2', event('INSTRUCTIONS')), // 3
    writereg('PMSEL0', 'R2'), // 4
    movi('R2', -3), // 5
    writereg('PMC0', 'R2'), // 6
    movi('R2', 1), // 7
    writereg('PMENSET', 'R2'), // 8
    writereg('PMINTEN', 'R2'), // 9
    writereg('STATUS', 'R2'), // 10
    writereg('PMCTL', 'R2'), // 11
    ...times(3, nop()), // 14
    label('here'),
    syscall(4),
    label('handler'),
    movi('R3', 0),
    writereg('PMCTL', 'R3'),
  ];
  function heard<Name extends EventName>(name: Name, policy: 'switched' | 'emulated'): EventMap[Name][] {
    const g = guest(lines, { policy });
    const all: EventMap[Name][] = [];
    g.machine.events.on(name, (e) => all.push(e));
    g.run();
    return all;
  }
  const here = 0x1000n + 4n * 14n;

  it.each([
    ['switched', 'pcpu'],
    ['emulated', 'vcpu'],
  ] as const)('an overflow: where, which counter, whose bank, and its line: %s', (policy, bank) => {
    expect(heard('overflow', policy)).toEqual([
      { domain: 'a', vcpu: 0, pc: here, bank, counter: 'PMC0', icount: 14, line: true },
    ]);
  });

  it('an interrupt, and the exception it is', () => {
    expect(heard('irq', 'emulated')).toEqual([{ domain: 'a', vcpu: 0, pc: here, exception: 'interrupt', icount: 14 }]);
    expect(heard('exception', 'emulated')).toEqual([
      { domain: 'a', vcpu: 0, pc: here, level: 'kernel', exception: 'interrupt', icount: 14 },
    ]);
  });

  it('an exception with its address', () => {
    const g = guest([...vector('on'), movi('R3', 0x800), store('R3', 'R3', 0), label('on')]);
    const all: EventMap['exception'][] = [];
    g.machine.events.on('exception', (e) => all.push(e));
    g.run();
    expect(all).toEqual([
      { domain: 'a', vcpu: 0, pc: 0x100cn, level: 'kernel', exception: 'bus', address: 0x800n, icount: 3 },
    ]);
  });

  it('an end, with what was retired by then', () => {
    expect(heard('exit', 'emulated')).toEqual([{ domain: 'a', reason: 'poweroff', status: 0, icount: 18 }]);
  });

  it('a diagnostic with its remedy', () => {
    const g = guest([movi('R0', 55), trap(0), readreg('R3', 'TIME'), sysret()]);
    const all: EventMap['diagnostic'][] = [];
    g.machine.events.on('diagnostic', (e) => all.push(e));
    g.run(2);
    expect(all).toEqual([
      {
        domain: 'a',
        code: 'CV_UNKNOWN_HYPERCALL',
        message: 'a: the guest called the hypervisor with number 0x37 at pc 0x1004, which no service answers.',
        remedy:
          "It was told that there is none. To answer it, add a service with the number '55' to the hypercalls of template.",
      },
    ]);
  });
});

describe('listening', () => {
  it('ends when one says so; others go on', () => {
    const events = new Events();
    const heard: string[] = [];
    const stop = events.on('console', ({ byte }) => heard.push(`one ${byte}`));
    events.on('console', ({ byte }) => heard.push(`two ${byte}`));
    events.tell('console', { domain: 'a', byte: 1 });
    stop();
    expect(events.wanted('console')).toBe(true);
    events.tell('console', { domain: 'a', byte: 2 });
    events.tell('exit', { domain: 'a', reason: 'x', status: 0, icount: 0 });
    expect(heard).toEqual(['one 1', 'two 1', 'two 2']);
    expect([events.wanted('exit'), new Events().wanted('console')]).toEqual([false, false]);
  });
});
