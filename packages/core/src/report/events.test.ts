/** Observers: told of everything, and able to change nothing that a guest sees. */
import { CountervisorError } from '@countervisor/contract';
import { asm, template } from '@countervisor/template';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Machine } from '../machine.ts';
import { restore, state } from '../snapshot/state.ts';
import { bootFlat } from '../testing/boot.ts';
import {
  beside,
  event,
  type Guest,
  guest,
  H,
  type Line,
  SERVICE,
  times,
  toUser,
  vector,
  WITH_PMU,
} from '../testing/guest.ts';
import { BASE } from '../testing/model.ts';
import { assembly, bodies, program } from '../testing/random.ts';
import { EVENTS, type EventMap, type EventName, Events } from './events.ts';
import { summary } from './summary.ts';

const { add, label, movi, nop, readreg, store, syscall, sysret, trap, writereg } = asm;

const names: readonly EventName[] = EVENTS;

describe('the history a guest sees', () => {
  const pair = fc.sample(bodies, { seed: 11, numRuns: 12 });
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
    // And one that looks at everything there is to look at.
    if (observed) {
      const look = (): void => {
        for (const domain of machine.domains) {
          for (const v of domain.vcpus) for (const register of machine.arch.registers) v.handle.get(register.name);
          summary(domain);
        }
        state(machine);
      };
      for (const name of names) machine.events.on(name, () => heard++ % 16 === 0 && look());
      machine.events.on('access', () => heard++, { register: ['PMC0', 'PMCTL'] });
    }
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
      {
        domain: 'a',
        vcpu: 0,
        pc: here,
        bank,
        counter: 'PMC0',
        icount: 14,
        line: true,
        rule: 'counting rule 6: PMC0 carried out of bit 31; the interrupt line is up',
      },
    ]);
  });

  it('an interrupt, and the exception it is', () => {
    const rule = 'asserted: pmu; the vCPU accepts interrupt at kernel';
    const exception = { domain: 'a', vcpu: 0, pc: here, exception: 'interrupt', icount: 14 };
    expect(heard('irq', 'emulated')).toEqual([{ ...exception, rule }]);
    expect(heard('exception', 'emulated')).toEqual([
      { ...exception, level: 'kernel', rule: `${rule}; counting rule 5: counted at the level left, kernel` },
    ]);
  });

  it('an exception with its address', () => {
    const g = guest([...vector('on'), movi('R3', 0x800), store('R3', 'R3', 0), label('on')]);
    const all: EventMap['exception'][] = [];
    g.machine.events.on('exception', (e) => all.push(e));
    g.run();
    const place = { domain: 'a', vcpu: 0, pc: 0x100cn, level: 'kernel', icount: 3 };
    const rule = 'nothing answers the write at physical 0x800; counting rule 5: counted at the level left, kernel';
    expect(all).toEqual([{ ...place, exception: 'bus', address: 0x800n, rule }]);
  });

  it.each<readonly [string, readonly Line[], string]>([
    ['a register that is not there', [readreg('R3', 0x55)], 'no table declares the register'],
    ['one that no guest may write', [writereg('TIME', 'R3')], 'TIME is never writable'],
    ['a value that is refused', [movi('R3', 0x100), writereg('PMSEL0', 'R3')], 'PMSEL0: bit 8 must be 0'],
    ['bits that are no instruction', [() => 0xffff_ffff], 'no instruction of this CPU has these bits'],
    ['a call to the kernel', [syscall(4)], 'the instruction raises it'],
  ])('an exception says why it is taken: %s', (_, culprit, why) => {
    const g = guest([...vector('on'), ...culprit, label('on')], { policy: 'passthrough' });
    const rules: string[] = [];
    g.machine.events.on('exception', ({ rule }) => rules.push(rule));
    g.run();
    expect(rules).toEqual([`${why}; counting rule 5: counted at the level left, kernel`]);
  });

  it("an exception says why: the guest's own trap, and a handler that injects one", () => {
    const all: string[] = [];
    const lines = [...vector('on'), ...toUser('user'), readreg('R3', 'PMC0'), label('on')];
    const g = guest(lines, { policy: 'passthrough' });
    g.machine.events.on('exception', ({ rule }) => all.push(rule));
    g.run();
    const off = guest([...vector('on'), readreg('R3', 'PMC0'), label('on')], { policy: 'off' });
    off.machine.events.on('exception', ({ rule }) => all.push(rule));
    off.run();
    expect(all).toEqual([
      'USER_PMU (PMUSER.EN is 0: registers/pmu.ts); counting rule 5: counted at the level left, user',
      'TPM (HCTL.TPM is 1: registers/control.ts); this domain has no vPMU; counting rule 5: counted at the level left, kernel',
    ]);
  });

  it("an overflow by the hypervisor's own work says so", () => {
    const g = guest(
      [
        movi('R2', event('INSTRUCTIONS')),
        movi('R3', Number(H >> 16n)),
        ...times(16, add('R3', 'R3', 'R3')),
        add('R2', 'R2', 'R3'),
        writereg('PMSEL0', 'R2'),
        movi('R2', -20),
        writereg('PMC0', 'R2'),
        movi('R2', 1),
        writereg('PMENSET', 'R2'),
        writereg('PMCTL', 'R2'),
        movi('R0', SERVICE.version),
        trap(0),
      ],
      { policy: 'switched', hypervisor: { trap: { instructions: 1000 } } },
    );
    const rules: string[] = [];
    g.machine.events.on('overflow', ({ rule }) => rules.push(rule));
    g.run();
    expect(rules).toEqual([
      "counting rule 8: PMC0 carried out of bit 31, by the hypervisor's own work; the interrupt line is down",
    ]);
  });

  it('a switch says what becomes of the registers, and who leaves at the end', () => {
    const a = guest([nop()], { policy: 'switched' });
    beside(a.machine, 'b', [nop()], { policy: 'emulated' });
    const all: string[] = [];
    a.machine.events.on('switch', ({ from, to, rule }) => all.push(`${from} ${to}: ${rule}`));
    a.run();
    const carry = 'policy switched: the PMU registers are saved and restored';
    const virtual = 'policy emulated: its PMU registers never are on the pCPU';
    expect(all).toEqual([`idle a: ${carry}`, `a idle: ${carry}`, `idle b: ${virtual}`, `b idle: ${virtual}`]);
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

  it('to some of them: by the value of a member, or by several', () => {
    const g = guest([writereg('PMC0', 'R3'), writereg('PMC1', 'R3'), readreg('R3', 'PMC1'), writereg('PMCTL', 'R3')]);
    const heard: string[] = [];
    const { events } = g.machine;
    events.on('access', ({ register, write }) => heard.push(`${register} ${write}`), {
      register: ['PMC1', 'PMCTL'],
      write: true,
    });
    events.on('access', () => heard.push('another domain'), { domain: 'b' });
    events.on('trap', ({ outcome }) => heard.push(outcome), { cause: 'hypercall' });
    g.run();
    expect(heard).toEqual(['PMC1 true', 'PMCTL true', 'complete']);
  });

  it('to what there is not is refused, with what there is', () => {
    const { events } = guest([]).machine;
    const on = events.on.bind(events) as (...of: unknown[]) => void;
    expect(() => on('acces', () => {})).toThrow("events.on names the event 'acces', which does not exist.");
    expect(() => on('access', () => {}, { regster: 'PMC0' })).toThrow(
      "the filter of 'access' names the member 'regster'",
    );
    expect(() => on('access', () => {}, { register: ['PMC0', 'PMCO'] })).toThrow("names the register 'PMCO'");
    expect(() => on('overflow', () => {}, { counter: 'PMC9' })).toThrow("names the counter 'PMC9'");
    expect(() => on('trap', () => {}, { cause: 'pmuu' })).toThrow("names the cause 'pmuu'");
    expect(() => on('irq', () => {}, { level: 'kernel' })).toThrow("names the member 'level'");
    expect(names.filter((name) => events.wanted(name))).toEqual(['diagnostic']);
  });

  it('those who come during an event are told from the next one on', () => {
    const events = new Events();
    const heard: string[] = [];
    events.on('console', ({ byte }) => {
      heard.push(`one ${byte}`);
      if (byte === 1) events.on('console', (e) => heard.push(`two ${e.byte}`));
    });
    events.tell('console', { domain: 'a', byte: 1 });
    events.tell('console', { domain: 'a', byte: 2 });
    expect(heard).toEqual(['one 1', 'one 2', 'two 2']);
  });
});

describe('an observer that would change something', () => {
  const lines: readonly Line[] = [
    ...vector('on'),
    writereg('PMC0', 'R3'),
    readreg('R4', 'PMC0'),
    syscall(1),
    label('on'),
    movi('R0', SERVICE.version),
    trap(0),
  ];
  const started = (): Guest => guest(lines, { policy: 'emulated', slice: 4 });
  const seen = (g: Guest): string => JSON.stringify(state(g.machine), (_, v) => (typeof v === 'bigint' ? `${v}n` : v));
  const undisturbed = seen(started().run());

  /** Runs to the end whatever comes out on the way; returns the errors. */
  function errors(g: Guest): string[] {
    const all: string[] = [];
    for (let turn = 0; turn < 100; turn++) {
      try {
        if (!g.machine.pass()) break;
      } catch (error) {
        all.push((error as Error).message);
      }
    }
    return all;
  }

  it('by throwing: the guest goes on as if nothing had been, the error comes out at the end of the turn, and it hears no more', () => {
    for (const name of ['access', 'trap', 'exception', 'switch', 'exit'] as const) {
      const g = started();
      let heard = 0;
      g.machine.events.on(name, () => {
        heard++;
        throw new TypeError('full');
      });
      let others = 0;
      g.machine.events.on(name, () => others++);
      expect(errors(g), name).toEqual(['full']);
      expect([heard, others > 0]).toEqual([1, true]);
      expect(seen(g)).toBe(undisturbed);
    }
    // Nor does an error of the project end a domain.
    const g = started();
    g.machine.events.on('access', () => {
      throw new CountervisorError('CV_X', 'No.', '');
    });
    expect(() => g.machine.run()).toThrow('No.');
    g.run();
    expect(seen(g)).toBe(undisturbed);
  });

  type Act = readonly [what: string, act: (g: Guest) => void];
  it.each<Act>([
    ['Machine.run', (g) => g.machine.run()],
    ['Machine.pass', (g) => g.machine.pass()],
    ['Machine.addDomain', (g) => g.machine.addDomain({ name: 'x', vcpus: 1, memory: 0x1000, vpmu: false })],
    ['Machine.power', (g) => g.machine.power(g.v, [['PC', 0n]])],
    ['Vcpu.set', (g) => g.v.handle.set('R4', 9n)],
    ['Vcpu.set', (g) => g.v.handle.set('PMC0', 9n)],
    ['Vcpu.changed', (g) => g.v.handle.changed('translation')],
    ['Vcpu.count', (g) => g.v.handle.count('PMC0', 3)],
    ['Vcpu.emit', (g) => g.v.handle.emit('load')],
    ['Domain.print', (g) => g.v.handle.console(65)],
    ['Domain.end', (g) => g.domain.end('crash', 1)],
    ['Domain.writeMemory', (g) => g.domain.writeMemory(0x1000n, 4, 0n)],
    ['Domain.setDevices', (g) => g.domain.setDevices({})],
    ['Domain.setConsole', (g) => g.domain.setConsole(new Uint8Array(1), 0)],
    ['Domain.stopAt', (g) => g.domain.stopAt(0n)],
    ['DomainControl.exit', (g) => g.v.handle.domain.exit('crash', 1)],
    ['DomainControl.start', (g) => void g.v.handle.domain.start(0, 0n, 0n)],
    ['DomainControl.stop', (g) => g.v.handle.domain.stop()],
    ['DomainControl.wait', (g) => g.v.handle.domain.wait()],
    ['DomainControl.yield', (g) => g.v.handle.domain.yield()],
    ['DomainControl.write', (g) => void g.v.handle.domain.write(0x1000n, new Uint8Array(4))],
    ['restore', (g) => restore(g.machine, state(g.machine))],
  ])('by %s: refused, and the guest sees nothing of it', (what, act) => {
    const g = started();
    g.machine.events.on('access', () => act(g));
    expect(errors(g)).toEqual([`A listener of 'access' called ${what}, which could change what a guest sees.`]);
    expect(seen(g)).toBe(undisturbed);
  });

  it('by the event itself: it is frozen', () => {
    const g = started();
    g.machine.events.on('access', (event) => {
      (event as { value: bigint }).value = 1n;
    });
    expect(errors(g)).toEqual([expect.stringContaining('read only')]);
    expect(seen(g)).toBe(undisturbed);
    const other = started();
    other.machine.events.on('switch', ({ steps }) => (steps as string[]).push('more'));
    expect(errors(other)).toEqual([expect.stringContaining('not extensible')]);
    expect(seen(other)).toBe(undisturbed);
  });

  it('by what a device holds: it gets a copy', () => {
    const g = started();
    g.machine.events.on('trap', () => {
      for (const [name, states] of g.domain.devices()) {
        for (const device of [...states, g.v.handle.device<Record<string, unknown>>(name)]) {
          for (const key of Object.keys(device)) (device as Record<string, unknown>)[key] = 99n;
        }
      }
    });
    expect(errors(g)).toEqual([]);
    expect(g.v.exits.size).toBeGreaterThan(0);
    expect(seen(g)).toBe(undisturbed);
  });

  it('a question that brings counts up to date is no change: an overflow in the middle of it is told in its place', () => {
    const g = guest([...times(3, nop()), writereg('PMC0', 'R3')]);
    g.machine.events.on('access', () => g.machine.events.apart(() => expect(g.machine.events.telling).toBe(undefined)));
    g.run();
    expect(g.machine.events.telling).toBe(undefined);
  });

  it('a pause may be asked for', () => {
    const g = started();
    g.machine.events.on('access', () => {
      g.domain.paused = true;
    });
    g.run();
    expect(g.domain.ended).toBe(undefined);
    for (let turn = 0; turn < 10; turn++) {
      g.domain.paused = false;
      g.run();
    }
    expect(g.domain.ended?.reason).toBe('poweroff');
  });
});
