/** Xen's vPMU, row by row. Expectations by hand from arch/x86/cpu/vpmu.c, vpmu_intel.c and vpmu_amd.c. */
import { Machine, type MachineConfig } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { cpuid, type Item, mov, nop, or, rdmsr, rdpmc, shl, wrmsr as write } from '../asm.ts';
import { x86 } from '../index.ts';
import { type Asked, beside, DATA, wrmsr } from '../testing/long.ts';
import { faults, keep, prepared, read } from '../testing/suite.ts';
import { parseBoot, xen } from './xen.ts';

const on = (vpmu = 'yes', more: Partial<Asked> = {}): Asked => ({
  cpu: 'skylake',
  personality: 'xen-x86',
  options: { vpmu },
  ...more,
});

/** Words that a program leaves. */
function words(count: number, program: Item, asked: Asked): bigint[] {
  const made = prepared(program, asked).run();
  expect(made.domain.ended?.reason).toBe('poweroff');
  return Array.from({ length: count }, (_, n) => made.word(DATA + 8n * BigInt(n)));
}

const writing = (n: number, msr: number, value: bigint): Item =>
  faults(n, mov('ECX', msr), mov('EAX', value & 0xffff_ffffn), mov('EDX', value >> 32n), write());
const reading = (n: number, msr: number): Item => faults(n, mov('ECX', msr), rdmsr());

/** Does each write raise #GP? */
function refused(list: readonly (readonly [msr: number, value: bigint])[], asked: Asked): string {
  const found = words(
    list.length,
    list.map(([msr, value], n) => writing(n, msr, value)),
    asked,
  );
  return found.map((word) => (word === 1n ? 'G' : '.')).join('');
}

describe('the boot option', () => {
  const word = (text: string): string => {
    const { on: enabled, bts, ipc, arch, unknown, replaced } = parseBoot(text);
    const features = [bts && 'bts', ipc && 'ipc', arch && 'arch', replaced && 'rtm', ...unknown.map((u) => `?${u}`)];
    return [enabled ? 'on' : 'off', ...features.filter((f) => f !== false)].join(' ');
  };
  it.each([
    ['true', 'on'],
    ['vpmu', 'on'],
    ['no-vpmu', 'off'],
    ['false', 'off'],
    ['bts', 'on bts'],
    ['ipc', 'on ipc'],
    ['arch', 'on arch'],
    ['ipc,arch', 'on ipc arch'],
    ['bts,false', 'off'],
    ['false,bts', 'on bts'],
    ['bts,false,ipc', 'on ipc'],
    ['true,false', 'off'],
    ['rtm-abort=false', 'off rtm'],
    ['true,rtm-abort', 'on rtm'],
    ['nonsense', 'off ?nonsense'],
    ['nonsense,bts', 'on bts ?nonsense'],
  ])('vpmu=%s: %s', (text, expected) => expect(word(text)).toBe(expected));

  it('decides for every domain, whatever it asks for; the NMI watchdog turns it off', () => {
    for (const asks of [true, false]) {
      expect(xen.policy('compat', asks, { vpmu: 'yes', watchdog: 'no' })).toBe('switched');
      expect(xen.policy('compat', asks, { vpmu: 'off', watchdog: 'no' })).toBe('off');
      expect(xen.policy('compat', asks, { vpmu: 'yes', watchdog: 'yes' })).toBe('off');
    }
  });

  it.each([
    ['yes', 'yes', /the NMI watchdog has the counters/],
    ['yes,wrong', 'no', /tokens that Xen does not know \(wrong\)/],
    ['yes,rtm-abort', 'no', /rtm-abort does nothing/],
  ])('vpmu=%s, watchdog=%s is told', (vpmu, watchdog, message) => {
    const made = prepared(nop(), on('yes', { options: { vpmu, watchdog } }));
    const told: string[] = [];
    made.machine.events.on('diagnostic', ({ message: text }) => told.push(text));
    made.run();
    expect(told).toEqual([expect.stringMatching(message)]);
  });
});

describe('the gate, with vpmu off', () => {
  it('reads are 0, writes are dropped, MISC_ENABLE is left alone', () => {
    const off = on('off');
    const program: Item = [
      [writing(0, 0xc1, 5n), read(0xc1), keep(1), writing(2, 0x38f, 1n << 60n), read(0x38f), keep(3)],
      [writing(4, 0x186, -1n & 0xffff_ffff_ffff_ffffn), read(0x186), keep(5)],
      [writing(6, 0x1a0, 1n), read(0x1a0), keep(7)],
    ];
    // No monitors, no BTS, no PEBS: bits 7, 11, 12.
    expect(words(8, program, off)).toEqual([0n, 0n, 0n, 0n, 0n, 0n, 0n, 0x1801n]);
  });
  it('RDPMC is #GP, and CPUID has no leaf 0xA', () => {
    const program: Item = [faults(0, mov('ECX', 0), rdpmc()), mov('EAX', 10), cpuid(), keep(1)];
    expect(words(2, program, on('off'))).toEqual([1n, 0n]);
  });
});

describe('what is written', () => {
  it('fixed counters: bits beyond their 48', () =>
    expect(
      refused(
        [
          [0x309, (1n << 48n) - 1n],
          [0x309, 1n << 48n],
        ],
        on(),
      ),
    ).toBe('.G'));
  it('OVF_CTRL: 63, 62, 61, fixed and general; nothing else', () =>
    expect(
      refused(
        [
          [0x390, 0xe000_0007_0000_000fn],
          [0x390, 1n << 60n],
          [0x390, 1n << 35n],
          [0x390, 1n << 4n],
        ],
        on(),
      ),
    ).toBe('.GGG'));
  it('GLOBAL_STATUS is read-only', () => expect(refused([[0x38e, 0n]], on())).toBe('G'));
  it('PEBS_ENABLE: 0 does nothing, more is refused; under ipc and arch 0 as well', () => {
    const list = [
      [0x3f1, 0n],
      [0x3f1, 1n],
    ] as const;
    expect(refused(list, on())).toBe('.G');
    expect(refused(list, on('ipc'))).toBe('GG');
    expect(refused(list, on('arch'))).toBe('GG');
  });
  it('DS_AREA: with bts, canonical', () => {
    const list = [
      [0x600, 0x1000n],
      [0x600, 1n << 60n],
    ] as const;
    expect(refused(list, on())).toBe('GG');
    expect(refused(list, on('bts'))).toBe('.G');
  });
  it('GLOBAL_CTRL: counters that are there', () =>
    expect(
      refused(
        [
          [0x38f, 0x7_0000_000fn],
          [0x38f, 1n << 4n],
          [0x38f, 1n << 35n],
        ],
        on(),
      ),
    ).toBe('.GG'));
  it('FIXED_CTR_CTRL: AnyThread is reserved', () =>
    expect(
      refused(
        [
          [0x38d, 0xbbbn],
          [0x38d, 4n],
          [0x38d, 0x1000n],
        ],
        on(),
      ),
    ).toBe('.GG'));
  it('EVNTSEL: bits 63:32, 21 and 19', () =>
    expect(
      refused(
        [
          [0x186, 0xffd7_ffffn],
          [0x186, 1n << 19n],
          [0x186, 1n << 21n],
          [0x186, 1n << 32n],
          [0x186, 1n << 63n],
        ],
        on(),
      ),
    ).toBe('.GGGG'));
  it('ipc and arch: their events alone', () => {
    const events = [0x003cn, 0x013cn, 0x00c0n, 0x4f2en, 0x412en, 0x00c4n, 0x00c5n, 0x01c0n, 0x20c4n];
    const list = events.map((event) => [0x186, 0x43_0000n | event] as const);
    expect(refused(list, on())).toBe('.........');
    expect(refused(list, on('ipc'))).toBe('...GGGGGG');
    expect(refused(list, on('arch'))).toBe('.......GG');
  });
  it('MISC_ENABLE: what it was; PEBS shows as unavailable, BTS as available with bts alone', () => {
    const shown = (vpmu: string): bigint => words(1, [read(0x1a0), keep(0)], on(vpmu))[0] ?? 0n;
    expect(shown('yes') & 0x1800n).toBe(0x1000n);
    expect(shown('bts') & 0x1800n).toBe(0x1000n);
    expect(
      refused(
        [
          [0x1a0, shown('yes')],
          [0x1a0, shown('yes') ^ 1n],
        ],
        on(),
      ),
    ).toBe('.G');
  });
  it('status, that can be set, and PERF_CAPABILITIES are no MSRs of it', () => {
    expect(refused([[0x391, 1n]], on())).toBe('G');
    expect(words(2, [reading(0, 0x392), reading(1, 0x345)], on())).toEqual([1n, 1n]);
  });
  it('AMD: bits 63:42, 39:36, 21 and 19', () => {
    const asked = on('yes', { cpu: 'zen2' });
    const bits = [19, 21, 36, 39, 42, 63].map((n) => [0xc001_0200, 1n << BigInt(n)] as const);
    expect(refused([[0xc001_0200, 0x100_0043_00c0n], ...bits], asked)).toBe('.GGGGGG');
    expect(refused([[0xc000_0301, 1n]], on('yes', { cpu: 'zen4' }))).toBe('G');
  });
});

describe('what exits', () => {
  /** Exits by MSR of a program. */
  const exits = (program: Item, asked: Asked): number => {
    const made = prepared(program, asked).run();
    return made.domain.vcpus[0]?.exits.get('msr') ?? 0;
  };
  const base = (asked: Asked): number => exits([], asked);
  const many = (line: Item): Item => Array.from({ length: 10 }, () => line);

  it('before the first access everything does; loaded, counters pass, selectors are read past it and written not', () => {
    const asked = on();
    const idle = base(asked); // GLOBAL_CTRL is written once
    const extra = (line: Item): number => exits(many(line), asked) - idle;
    expect(extra(read(0xc1))).toBe(0);
    expect(extra(wrmsr(0xc1, 1n))).toBe(0);
    expect(extra(read(0x4c1))).toBe(0);
    expect(extra(read(0x309))).toBe(0);
    expect(extra(read(0x186))).toBe(0);
    expect(extra(read(0x38d))).toBe(0);
    expect(extra(wrmsr(0x186, 0n))).toBe(10);
    expect(extra(wrmsr(0x38d, 0n))).toBe(10);
    expect(extra(read(0x38e))).toBe(10);
    expect(extra(read(0x38f))).toBe(10);
  });

  it('reads of EVNTSEL4 to 7 while nothing is loaded: #GP in compat, the value in strict', () => {
    const first: Item = [reading(0, 0x18a), reading(1, 0x189)];
    const asked = on('yes', { cpu: 'icelake-server' });
    const fresh = (mode: 'compat' | 'strict'): bigint[] => {
      const made = prepared(first, { ...asked, mode });
      // `prepared` has stopped GLOBAL_CTRL by then, which loads: as if a switch had been since.
      made.run(11);
      expect(made.get('RIP')).toBe(made.label('prepared'));
      made.set('VPMU_FLAGS', 1n);
      made.run();
      return [made.word(DATA), made.word(DATA + 8n)];
    };
    expect(fresh('compat')).toEqual([1n, 0n]);
    expect(fresh('strict')).toEqual([0n, 0n]);
  });
});

describe('switching', () => {
  const RUN: Item = [
    wrmsr(0x38f, 0n),
    wrmsr(0xc1, 0n),
    wrmsr(0x186, 0x43_00c0n),
    wrmsr(0x38f, 1n),
    Array.from({ length: 3000 }, () => nop()),
    wrmsr(0x38f, 0n), // four
    [mov('ECX', 0), rdpmc(), shl('RDX', 32), or('RAX', 'RDX'), mov('R15', 'RAX')],
  ];
  const two = (slice: number, config: Partial<MachineConfig> = {}) => {
    const machine = new Machine({
      arch: x86,
      cpu: 'skylake',
      personality: 'xen-x86',
      options: { vpmu: 'yes' },
      slice,
      ...config,
    });
    const notes: string[] = [];
    machine.events.on('note', ({ what }) => notes.push(what));
    const guests = ['a', 'b'].map((name) => beside(machine, name, [RUN]));
    machine.run({ until: 100_000 });
    return { counts: guests.map((g) => g.get('R15')), notes };
  };
  it.each([7, 100, 1_000_000])('two domains count their own, %i instructions at a time', (slice) => {
    expect(two(slice).counts).toEqual([3004n, 3004n]);
  });
  it('what runs is saved and loaded, with LVTPC; what does not is not loaded', () => {
    const { notes } = two(1000);
    expect(notes).toContain('vPMU saved, LVTPC masked');
    expect(notes).toContain('vPMU loaded, LVTPC 0x100f9');
    expect(notes).toContain('vPMU not running: every MSR of it exits');
  });
});

describe('CPUID', () => {
  it.each([
    ['core2', 2n],
    ['haswell', 3n],
    ['skylake', 3n],
    ['sapphire-rapids', 3n],
  ])('%s: version %i', (cpu, version) => {
    const [eax] = words(1, [mov('EAX', 10), cpuid(), keep(0)], on('yes', { cpu }));
    expect((eax ?? 0n) & 0xffn).toBe(version);
  });
  it('the debug store with bts alone', () => {
    const ds = (vpmu: string): bigint =>
      ((words(1, [mov('EAX', 1), cpuid(), mov('EAX', 'EDX'), keep(0)], on(vpmu))[0] ?? 0n) >> 21n) & 1n;
    expect([ds('yes'), ds('bts')]).toEqual([0n, 1n]);
  });
});
