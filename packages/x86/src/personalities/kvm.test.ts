/** KVM's two vPMUs, the MSRs without one, what the VMCS holds, and which CPUs each choice needs. Expectations by hand from Linux arch/x86/kvm. */
import { Machine } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { cpuid, type Item, mov, nop, or, rdmsr, rdpmc, shl, wrmsr as write } from '../asm.ts';
import { x86 } from '../index.ts';
import { type Asked, beside, DATA, wrmsr } from '../testing/long.ts';
import { faults, keep, prepared, read } from '../testing/suite.ts';
import { kvm } from './kvm.ts';

const asked = (more: Partial<Asked> = {}): Asked => ({ cpu: 'icelake-server', personality: 'kvm-x86', ...more });

function words(count: number, program: Item, config: Asked): bigint[] {
  const made = prepared(program, config).run();
  expect(made.domain.ended?.reason).toBe('poweroff');
  return Array.from({ length: count }, (_, n) => made.word(DATA + 8n * BigInt(n)));
}
const writing = (n: number, msr: number, value: bigint): Item =>
  faults(n, mov('ECX', msr), mov('EAX', value & 0xffff_ffffn), mov('EDX', value >> 32n), write());
const reading = (n: number, msr: number): Item => faults(n, mov('ECX', msr), rdmsr());

const exits = (program: Item, config: Asked, cause = 'msr'): number =>
  prepared(program, config).run().domain.vcpus[0]?.exits.get(cause) ?? 0;
/** Exits of ten of a line. */
const ten = (line: Item, config: Asked, cause = 'msr'): number =>
  exits(
    Array.from({ length: 10 }, () => line),
    config,
    cause,
  ) - exits([], config, cause);

describe('without a vPMU', () => {
  const off = asked({ vpmu: false });
  // The start of `prepared` writes GLOBAL_CTRL: its #GP is caught as any other.
  const plain = (program: Item): Item => program;
  it('MSRs are #GP, CPUID leaf 0xA is 0; DEBUGCTL reads 0 and forgets LBR and BTF', () => {
    const program: Item = plain([
      [reading(0, 0xc1), writing(1, 0x186, 0n), reading(2, 0x38f), reading(3, 0x345), reading(4, 0x600)],
      [faults(5, mov('ECX', 0), rdpmc()), mov('EAX', 10), cpuid(), keep(6)],
      [writing(7, 0x1d9, 1n), read(0x1d9), keep(8), writing(9, 0x1d9, 0x40n)],
    ]);
    expect(words(10, program, off)).toEqual([1n, 1n, 1n, 1n, 1n, 1n, 0n, 0n, 0n, 1n]);
  });
});

describe('emulated', () => {
  it('every MSR of the monitors exits, and RDPMC', () => {
    for (const msr of [0xc1, 0x4c1, 0x186, 0x309, 0x38d, 0x38e, 0x38f]) expect(ten(read(msr), asked())).toBe(10);
    expect(ten([mov('ECX', 0), rdpmc()], asked(), 'rdpmc')).toBe(10);
  });
  it('counters that the CPU has not are #GP, behind the exit', () => {
    const skylake = asked({ cpu: 'skylake' });
    expect(words(4, [reading(0, 0xc4), reading(1, 0xc5), reading(2, 0x18a), reading(3, 0x30c)], skylake)).toEqual([
      0n,
      1n,
      1n,
      1n,
    ]);
  });
  it('the trace has each exit’s reason and qualification', () => {
    const made = prepared([read(0xc1), wrmsr(0xc1, 0n), mov('ECX', 0), rdpmc(), cpuid()], asked());
    const rules = new Set<string>();
    made.machine.events.on('trap', ({ cause, rule }) => rules.add(`${cause}: ${rule.split('; ')[1]}`));
    made.run();
    expect([...rules].sort()).toEqual([
      'cpuid: VM exit 10, qualification 0x0',
      'hypercall: VM exit 18, qualification 0x0',
      'msr: VM exit 31, qualification 0x0',
      'msr: VM exit 32, qualification 0x0',
      'rdpmc: VM exit 15, qualification 0x0',
    ]);
  });
});

describe('mediated', () => {
  const mediated = asked({ policy: 'mediated' });
  it('counters and global registers are direct, selectors exit, RDPMC does not', () => {
    for (const msr of [0xc1, 0x4c1, 0x309, 0x38e, 0x38f]) expect(ten(read(msr), mediated)).toBe(0);
    for (const msr of [0x186, 0x38d]) expect(ten(read(msr), mediated)).toBe(10);
    expect(ten([mov('ECX', 0), rdpmc()], mediated, 'rdpmc')).toBe(0);
  });
  it('a guest with fewer counters: RDPMC and global registers exit, and the others are not there', () => {
    const four = asked({ policy: 'mediated', options: { counters: '4' } });
    for (const msr of [0x38e, 0x38f]) expect(ten(read(msr), four)).toBe(10);
    expect(ten(read(0xc1), four)).toBe(0);
    expect(ten([mov('ECX', 0), rdpmc()], four, 'rdpmc')).toBe(10);
    const program: Item = [
      [reading(0, 0xc4), reading(1, 0xc5), faults(2, mov('ECX', 4), rdpmc()), writing(3, 0x38f, 0x10n)],
      [mov('EAX', 10), cpuid(), keep(4)],
    ];
    const [pmc3, pmc4, by, global, leaf = 0n] = words(5, program, four);
    expect([pmc3, pmc4, by, global, (leaf >> 8n) & 0xffn]).toEqual([0n, 1n, 1n, 1n, 4n]);
  });
  it.each([
    ['icelake-server', undefined],
    ['skylake', undefined],
    ['zen4', undefined],
    ['haswell', 'version 4'],
    ['core2', 'version 4'],
    ['zen2', 'PerfMonV2'],
  ])('%s: %s', (cpu, why) => {
    const make = () => {
      const machine = new Machine({ arch: x86, cpu, personality: 'kvm-x86' });
      machine.addDomain({ name: 'a', vcpus: 1, memory: 1 << 20, vpmu: true, policy: 'mediated' });
    };
    if (why === undefined) expect(make).not.toThrow();
    else expect(make).toThrow(new RegExp(`kvm-x86 mediates .*${why}`));
  });
  it.each([
    ['pin', 'skylake', /Silvermont alone/],
    ['ept', 'skylake', /Ice Lake servers and later/],
  ])('pebs=%s on %s is refused', (pebs, cpu, why) => {
    const make = () =>
      new Machine({ arch: x86, cpu, personality: 'kvm-x86', options: { pebs } }).addDomain({
        name: 'a',
        vcpus: 1,
        memory: 1 << 20,
        vpmu: true,
      });
    expect(make).toThrow(why);
  });
  it('the VM-entry list and the MSR bitmap, at a switch', () => {
    const made = prepared(nop(), mediated);
    const notes: string[] = [];
    made.machine.events.on('note', ({ what }) => notes.push(what));
    made.run();
    expect(notes).toEqual([
      'MSR bitmap: 0xc1-0xc8 0x4c1-0x4c8 0x309-0x30b 0x38e-0x391 do not exit',
      'VM-entry MSR list: IA32_PERF_GLOBAL_CTRL (0x38f) guest 0xff, host 0x0',
    ]);
  });
});

it.each(['emulated', 'mediated'] as const)('two guests under %s count their own', (policy) => {
  const run: Item = [
    [wrmsr(0x38f, 0n), wrmsr(0xc1, 0n), wrmsr(0x186, 0x43_00c0n), wrmsr(0x38f, 1n)],
    Array.from({ length: 1000 }, () => nop()),
    wrmsr(0x38f, 0n), // four
    [mov('ECX', 0), rdpmc(), shl('RDX', 32), or('RAX', 'RDX'), mov('R15', 'RAX')],
  ];
  for (const slice of [3, 50, 10_000]) {
    const machine = new Machine({ arch: x86, cpu: 'skylake', personality: 'kvm-x86', slice });
    const guests = ['a', 'b'].map((name) => beside(machine, name, [run], { policy }));
    machine.run({ until: 100_000 });
    expect(guests.map((g) => g.get('R15'))).toEqual([1004n, 1004n]);
  }
});

it('names the seven defects of the patch', () => {
  expect(kvm.quirks.filter(({ source }) => source.includes('2014')).length).toBe(7);
});
