/** Causes, handlers and outcomes; each is told with its rule, and hypervisor exits are counted. */
import type { Arch, HypercallService, Outcome, Personality, Trap, TrapHandler, Vcpu } from '@countervisor/contract';
import { asm, template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import type { EventMap } from '../report/events.ts';
import { type Asked, type Guest, guest, type Line, SERVICE, times, toUser, vector } from '../testing/guest.ts';

const { label, movi, nop, readreg, trap, wait, writereg } = asm;

const plain = template.personalities.plain as Personality;
const personality = (more: Partial<Personality>): Arch =>
  ({ ...template, personalities: { plain: { ...plain, ...more } } }) as unknown as Arch;
const handled = (handlers: Readonly<Record<string, TrapHandler>>): Arch => personality({ handlers: () => handlers });

interface Told {
  readonly g: Guest;
  readonly traps: readonly EventMap['trap'][];
  readonly exceptions: readonly EventMap['exception'][];
}

function told(lines: readonly Line[], asked: Asked = {}): Told {
  const g = guest(lines, asked);
  const traps: EventMap['trap'][] = [];
  const exceptions: EventMap['exception'][] = [];
  g.machine.events.on('trap', (e) => traps.push(e));
  g.machine.events.on('exception', (e) => exceptions.push(e));
  g.run();
  return { g, traps, exceptions };
}

describe('a trap', () => {
  it('is told: place, cause, who it goes to, register, outcome and rule', () => {
    const { traps } = told([nop(), readreg('R3', 'PMSTAT')]);
    expect(traps[0]).toEqual({
      domain: 'a',
      vcpu: 0,
      pc: 0x1004n,
      level: 'kernel',
      cause: 'pmu',
      to: 'hypervisor',
      register: 'PMSTAT',
      outcome: 'complete',
      rule: 'TPM (HCTL.TPM is 1: registers/control.ts)',
      icount: 1,
    });
    expect(traps[1]).toMatchObject({
      cause: 'hypercall',
      outcome: 'complete',
      rule: 'The guest called the hypervisor.',
    });
    expect(traps[1]).not.toHaveProperty('register');
  });

  it('of the guest to its own kernel is told, and is no exit', () => {
    const { g, traps } = told([...vector('on'), ...toUser('user'), readreg('R3', 'PMC2'), label('on')]);
    expect(traps[0]).toMatchObject({
      level: 'user',
      cause: 'user-pmu',
      to: 'guest',
      register: 'PMC2',
      outcome: 'inject privileged',
    });
    expect(Object.fromEntries(g.v.exits)).toEqual({ hypercall: 1 });
  });

  const asked: Trap[] = [];
  const answers: readonly [name: string, outcome: Outcome, word: string][] = [
    ['complete', { then: 'complete' }, 'complete'],
    ['complete with a value', { then: 'complete', value: 0xabn }, 'complete with 0xab'],
    ['inject', { then: 'inject', exception: { kind: 'undefined' } }, 'inject undefined'],
    ['exit', { then: 'exit', reason: 'crash', status: 4 }, 'exit crash'],
    ['unmodelled', { then: 'unmodelled', code: 'CV_TEST', message: 'no such thing.', remedy: 'None.' }, 'exit CV_TEST'],
  ];
  it.each(answers)('answered: %s', (_, outcome, word) => {
    asked.length = 0;
    const arch = handled({
      pmu: (_vcpu, trap) => {
        asked.push(trap);
        return outcome;
      },
    });
    const { g, traps } = told([...vector('on'), movi('R2', 9), writereg('PMINTEN', 'R2'), label('on')], { arch });
    expect(traps[0]).toMatchObject({ cause: 'pmu', outcome: word });
    expect(asked).toEqual([
      {
        cause: 'pmu',
        pc: 0x100cn,
        bits: 0x0e20_0014n, // opcode 0x0e, R2, register 0x14
        argument: 0n,
        access: { register: 'PMINTEN', address: { space: 'control', index: 0x14 }, write: 9n },
        group: 'TPM',
      },
    ]);
    const ends = { exit: { reason: 'crash', status: 4 }, unmodelled: { reason: 'unmodelled', status: 0 } }[
      outcome.then as string
    ];
    expect(g.domain.ended).toEqual(ends ?? { reason: 'poweroff', status: 0 });
    if (outcome.then === 'unmodelled') expect(g.said).toEqual(['CV_TEST a: no such thing.']);
  });

  it('retried, it comes again, and is told each time', () => {
    let calls = 0;
    const { g, traps } = told([readreg('R3', 'PMINTEN')], {
      arch: handled({ pmu: () => (++calls < 3 ? { then: 'retry' } : { then: 'complete' }) }),
    });
    expect(traps.slice(0, 3).map((t) => [t.outcome, t.icount, t.pc])).toEqual([
      ['retry', 0, 0x1000n],
      ['retry', 0, 0x1000n],
      ['complete', 0, 0x1000n],
    ]);
    expect(g.v.exits.get('pmu')).toBe(3);
  });

  it('retried for ever, its domain is given up by name', () => {
    const { g } = told([nop(), readreg('R3', 'PMINTEN')], { arch: handled({ pmu: () => ({ then: 'retry' }) }) });
    expect(g.domain.ended).toEqual({ reason: 'retry-loop', status: 0 });
    expect(g.said).toEqual([
      "CV_RETRIED_FOR_EVER a: the handler of 'pmu' has asked 1000 times in a row for the instruction at pc 0x1004 to be run again.",
    ]);
  });

  it("a personality's handler may do what a vCPU can", () => {
    const arch = handled({
      hypercall: (vcpu: Vcpu) => {
        vcpu.set('R4', vcpu.get('R4') + 1n);
        vcpu.console(0x78);
        return vcpu.get('R4') === 3n ? { then: 'exit', reason: 'poweroff', status: 9 } : { then: 'complete' };
      },
    });
    const { g } = told([movi('R4', 0), ...times(5, trap(0))], { arch });
    expect([g.domain.ended, g.domain.console, g.domain.instructions()]).toEqual([
      { reason: 'poweroff', status: 9 },
      'xxx',
      3,
    ]);
  });

  it('a trap that waits', () => {
    const { g, traps } = told([wait()]);
    expect(traps[0]).toMatchObject({ cause: 'wait', to: 'hypervisor', outcome: 'complete' });
    expect(g.v.exits.get('wait')).toBe(1);
  });
});

describe('hypercalls', () => {
  const service = (call: HypercallService['call']): HypercallService => ({ name: 'test', source: 'here', call });

  it('number and arguments come from the convention, the result goes there', () => {
    const seen: (readonly bigint[])[] = [];
    const call: HypercallService['call'] = (_, args) => {
      seen.push(args);
      return 0x1234_5678_9abc_def0n;
    };
    const arch = personality({ services: { '77': service(call) } });
    const { g } = told(
      [movi('R0', 77), movi('R1', 1), movi('R2', -1), movi('R3', 3), trap(0), asm.addi('R4', 'R0', 0)],
      { arch },
    );
    expect(seen).toEqual([[1n, 2n ** 64n - 1n, 3n]]);
    expect(g.get('R4')).toBe(0x1234_5678_9abc_def0n);
  });

  it("a personality's service goes before the architecture's", () => {
    const arch = personality({ services: { [SERVICE.version]: service(() => 5n) } });
    expect(told([movi('R0', SERVICE.version), trap(0), asm.addi('R4', 'R0', 0)], { arch }).g.get('R4')).toBe(5n);
  });

  it('a service may answer with an outcome', () => {
    const arch = personality({
      services: {
        '77': service(() => ({ then: 'inject', exception: { kind: 'privileged', syndrome: 7n } })),
        '78': service(() => ({ then: 'exit', reason: 'reset', status: 1 })),
      },
    });
    const injected = told([...vector('on'), movi('R0', 77), trap(0), label('on'), readreg('R5', 'CAUSE')], { arch });
    expect(injected.g.get('R5')).toBe(0x702n);
    expect(injected.exceptions[0]).toMatchObject({ exception: 'privileged', pc: 0x100cn });
    expect(told([movi('R0', 78), trap(0)], { arch }).g.domain.ended).toEqual({ reason: 'reset', status: 1 });
  });

  it('an unknown number is answered as the architecture says, and said by name', () => {
    const { g } = told([movi('R0', 99), trap(0), asm.addi('R4', 'R0', 0)]);
    expect(g.get('R4')).toBe(2n ** 64n - 1n);
    expect(g.said).toEqual([
      'CV_UNKNOWN_HYPERCALL a: the guest called the hypervisor with number 0x63 at pc 0x1004, which no service answers.',
    ]);
  });

  it('one that specifications have a name for is told by it', () => {
    const arch = {
      ...template,
      hypercalls: { ...template.hypercalls, names: { '99': 'MAKE_TEA' } },
    } as unknown as Arch;
    expect(told([movi('R0', 99), trap(0)], { arch }).g.said[0]).toContain('with number 0x63 (MAKE_TEA) at pc 0x1004');
  });

  it('start: of a vCPU that is not there, or is on already, and of one that is off', () => {
    const start = (index: number): Line[] => [
      movi('R0', SERVICE.start),
      movi('R1', index),
      movi('R2', 0x1000),
      movi('R3', 42),
      trap(0),
    ];
    const { g } = told(
      [
        ...start(2),
        asm.addi('R4', 'R0', 0),
        ...start(0),
        asm.addi('R5', 'R0', 0),
        ...start(1),
        asm.addi('R6', 'R0', 0),
        ...start(1),
        asm.addi('R7', 'R0', 0),
      ],
      { vcpus: 2 },
    );
    const off = 2n ** 64n - 1n;
    expect(g.all('R4', 'R5', 'R6', 'R7')).toEqual([off, off, 0n, off]);
    expect(g.domain.vcpus[1]?.on).toBe(true);
  });
});
