/** What an architecture's functions see of a vCPU, and what they may do to it. */
import type { Arch, Counter, HypercallService, Personality, Vcpu } from '@countervisor/contract';
import { asm, template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { Handle } from './handle.ts';
import { switchTo } from './switch/switch.ts';
import { counters, disable, enable, prepare } from './testing/counters.ts';
import { guest, type Line, ran, times, WITH_PMU } from './testing/guest.ts';

const { load, movi, nop, readreg, trap } = asm;

const plain = template.personalities.plain as Personality;

/** The template with a hypercall 77 of the test's own. */
function calling(call: (vcpu: Vcpu) => void, base: Arch = template as Arch): Arch {
  const service: HypercallService = {
    name: 'test',
    source: 'here',
    call: (vcpu) => {
      call(vcpu);
      return 0n;
    },
  };
  return { ...base, personalities: { plain: { ...plain, services: { '77': service } } } } as unknown as Arch;
}
const call: readonly Line[] = [movi('R0', 77), trap(0)]; // 2

describe('a view', () => {
  it('knows whose it is', () => {
    const g = guest([], { vcpus: 2, policy: 'switched', cpu: 'tiny-wide' });
    const second = g.domain.vcpus[1]?.handle as Handle;
    expect([second.index, second.siblings, second.policy, second.level, second.cpu.name, second.now]).toEqual([
      1,
      2,
      'switched',
      0,
      'tiny-wide',
      0n,
    ]);
    expect(g.v.handle.settings).toEqual({ vpmu: true });
  });

  it('reads fields, derived values, windows and registers that are not there', () => {
    const g = guest([], { set: { PMSEL1: 0x8000_0005n, PMENSET: 6n } });
    expect([
      g.v.handle.field('PMSEL1', 'NU'),
      g.v.handle.field('PMSEL1', 'EVENT'),
      g.get('PMENCLR'),
      g.get('CPUID'),
    ]).toEqual([1n, 5n, 6n, 0x7e01n]);
    const none = guest([], { cpu: 'tiny-none', policy: 'off' });
    expect(none.get('PMC0')).toBe(0n);
    const windows = (view: () => 'undefined' | 'ignored'): Arch =>
      ({
        ...template,
        registers: { ...template.registers, SCRATCH: { ...template.registers.SCRATCH, view } },
      }) as unknown as Arch;
    expect([
      guest([], { arch: windows(() => 'undefined') }).get('SCRATCH'),
      guest([], { arch: windows(() => 'ignored') }).get('SCRATCH'),
    ]).toEqual([0n, 0n]);
  });

  it('refuses names that are none, and says which there are', () => {
    const { handle } = guest([]).v;
    for (const bad of [
      () => handle.get('PMC9'),
      () => handle.set('PMC9', 0n),
      () => handle.field('PMCTL', 'F'),
      () => handle.count('PMCTL', 1),
    ]) {
      expect(bad).toThrow(expect.objectContaining({ code: 'CV_UNKNOWN_REGISTER_NAME' }));
    }
    expect(() => handle.get('PMC9')).toThrow('template has no register PMC9');
  });

  it('says where an address leads, and changes nothing', () => {
    const { handle } = guest([], { set: { USER_FROM: 0x3000n } }).v;
    expect(handle.translate(0x2000n, 'read', 1)).toMatchObject({ physical: 0x2000n });
    expect(handle.translate(0x2000n, 'write', 0)).toEqual({ kind: 'access', syndrome: 1n, address: 0x2000n });
  });

  it('sees the lines of its platform: the timer, the PMU, and none that is not there', () => {
    const g = guest([], { set: { PMSTAT: 1n, PMINTEN: 1n } });
    expect([g.v.handle.line('pmu'), g.v.handle.line('timer'), g.v.handle.line('door')]).toEqual([true, false, false]);
    g.domain.device('timer', 0).compare = 1n;
    expect(g.v.handle.line('timer')).toBe(false);
    // A domain that asked for no vPMU has no interrupt of it, whatever its registers hold.
    const without = guest([], { vpmu: false, policy: 'switched', set: { PMSTAT: 1n, PMINTEN: 1n } });
    expect(without.v.handle.line('pmu')).toBe(false);
  });

  it("looks at the guest's own registers, or at those of the physical CPU", () => {
    const g = guest([], { policy: 'emulated' });
    const [pcpu] = g.machine.pcpus;
    if (pcpu !== undefined) switchTo(g.machine, pcpu, g.v);
    const physical = new Handle(g.v, true);
    g.v.handle.set('PMC0', 1n);
    physical.set('PMC0', 2n);
    physical.set('HCTL', 0n);
    expect([g.get('PMC0'), physical.get('PMC0'), g.get('HCTL')]).toEqual([1n, 2n, 0n]);
  });
});

describe('what a vCPU may be told', () => {
  it.each(WITH_PMU)('to add to a counter, as an event would: %s', (policy) => {
    const arch = calling((vcpu) => {
      vcpu.count('PMC0', 5);
      vcpu.count('PMC0', 2);
      vcpu.count('PMC1', 9);
    });
    const g = ran(
      [...prepare(0, 'INCREMENT'), ...prepare(1, 'INCREMENT'), ...enable(1), ...call, ...disable, ...call],
      { arch, policy },
    );
    // Counter 1 is off, and at the second call counter 0 is, too.
    expect(g.all('PMC0', 'PMC1')).toEqual([7n, 0n]);
  });

  it('nothing about a counter that is away with its physical CPU', () => {
    const g = guest([], { policy: 'switched' });
    expect(() => g.v.handle.count('PMC0', 1)).toThrow('a has no PMU bank at hand');
  });

  it.each(WITH_PMU)('to count a signal at the present level: %s', (policy) => {
    const arch = calling((vcpu) => {
      vcpu.emit('load');
      vcpu.emit('load');
    });
    const g = ran(
      [
        ...prepare(0, 'LOADS', -2),
        movi('R5', 0x2000),
        ...enable(1),
        ...call,
        readreg('R6', 'PMSTAT'),
        load('R4', 'R5', 0),
        ...disable,
      ],
      { arch, policy },
    );
    expect(g.all('PMC0', 'R6')).toEqual([1n, 1n]);
  });

  it('what nothing else shows, for the trace; and what the user must know, once', () => {
    const arch = calling((vcpu) => {
      vcpu.note('a page was pinned', 'pin-17');
      vcpu.warn('CV_BAD', 'it counts unasked', 'Ask first.');
    });
    const g = guest([nop(), ...call, ...call], { arch });
    const notes: unknown[] = [];
    g.machine.events.on('note', ({ domain, what, rule, icount }) => notes.push([domain, what, rule, icount]));
    g.run();
    // One nop and the movi before each call.
    expect(notes).toEqual([
      ['a', 'a page was pinned', 'pin-17', 2],
      ['a', 'a page was pinned', 'pin-17', 4],
    ]);
    expect(g.said).toEqual(['CV_BAD a: it counts unasked']);
  });

  it('that counting depends on something that no row names', () => {
    let on = false;
    const base = counters((c) => ({ counting: (view, level) => on && (c as Counter).counting(view, level) }));
    const arch = calling((vcpu) => {
      on = !on;
      vcpu.changed('pmu');
    }, base);
    const g = ran(
      [
        ...prepare(0, 'INSTRUCTIONS'),
        ...enable(1),
        ...times(5, nop()),
        ...call,
        ...times(5, nop()),
        ...call,
        ...times(5, nop()),
      ],
      { arch, policy: 'passthrough' },
    );
    expect(g.get('PMC0')).toBe(7n); // five and the two of the second call
  });

  it('that translations depend on something that no row names', () => {
    let moved = false;
    const base = {
      ...template,
      isa: {
        ...template.isa,
        translate: (...args: Parameters<typeof template.isa.translate>) => {
          const t = template.isa.translate(...args);
          return moved && args[1] === 0x5000n && 'physical' in t ? { ...t, physical: 0x6000n } : t;
        },
      },
    } as unknown as Arch;
    const arch = calling((vcpu) => {
      moved = true;
      vcpu.changed('translation');
    }, base);
    const g = guest([movi('R5', 0x5000), load('R3', 'R5', 0), ...call, load('R4', 'R5', 0)], { arch });
    g.domain.memory.write(0x5000n, 8, 1n);
    g.domain.memory.write(0x6000n, 8, 2n);
    g.run();
    expect(g.all('R3', 'R4')).toEqual([1n, 2n]);
  });

  it("of registers at once: a raw write has none of the effects of a guest's", () => {
    const g = guest([]);
    g.v.handle.set('PMSTAT', 3n); // a guest's write would clear
    g.v.handle.set('CAUSE', 0x55n); // a guest may not
    g.v.handle.set('PMCTL', 2n); // a guest's write would reset the counters
    expect(g.all('PMSTAT', 'CAUSE', 'PMCTL')).toEqual([3n, 0x55n, 2n]);
    g.v.handle.set('PMUSER', 2n ** 40n + 1n);
    expect(g.get('PMUSER')).toBe(1n); // cut to its width
  });
});
