import { describe, expect, it } from 'vitest';
import { FEATURES } from '../features.ts';
import { x86 } from '../index.ts';
import { still } from '../testing/still.ts';
import { cpuid } from './identity.ts';
import { signature } from './models.ts';

/** CPUID.1:EAX as the steppings of these cores report it: Intel's and AMD's revision guides, Linux arch/x86/include/asm/intel-family.h. */
const SIGNATURES: Readonly<Record<string, bigint>> = {
  core2: 0x6fbn,
  nehalem: 0x1_06a5n,
  silvermont: 0x3_0678n,
  haswell: 0x3_06c3n,
  skylake: 0x5_06e3n,
  'icelake-server': 0x6_06a6n,
  'sapphire-rapids': 0x8_06f4n,
  'amd-10h': 0x10_0f23n,
  'amd-15h': 0x60_0f12n,
  zen2: 0x83_0f10n,
  zen4: 0xa1_0f11n,
};

const text = (...words: readonly bigint[]): string =>
  words.map((w) => String.fromCharCode(...[0n, 8n, 16n, 24n].map((at) => Number((w >> at) & 0xffn)))).join('');

describe('CPUID', () => {
  it('knows every model by its own signature', () => {
    expect(Object.keys(x86.cpus)).toEqual(Object.keys(SIGNATURES));
    expect(signature(15, 0x21, 3)).toBe(0x2_0f13n);
  });

  it.each(Object.keys(SIGNATURES))('%s: vendor, signature, brand', (cpu) => {
    const { vcpu } = still({ cpu });
    const features = vcpu.cpu.features;
    expect(features.has('intel')).not.toBe(features.has('amd'));
    const { EAX, EBX, ECX, EDX } = cpuid(vcpu, 0, 0);
    expect(text(EBX, EDX, ECX)).toBe(features.has('amd') ? 'AuthenticAMD' : 'GenuineIntel');
    expect(EAX).toBeGreaterThanOrEqual(5n);
    expect(cpuid(vcpu, 1, 0).EAX).toBe(SIGNATURES[cpu]);
    const brand = [2, 3, 4].map((n) => {
      const leaf = cpuid(vcpu, 0x8000_0000 + n, 0);
      return text(leaf.EAX, leaf.EBX, leaf.ECX, leaf.EDX);
    });
    expect(brand.join('')).toMatch(features.has('amd') ? /^AMD [\w() -]+\0+$/ : /^Intel\(R\) [\w() -]+\0+$/);
  });

  it.each(Object.keys(SIGNATURES))('%s: a bit is set where the model has the feature, and nowhere else', (cpu) => {
    const { vcpu } = still({ cpu });
    for (const [name, { shows }] of Object.entries(FEATURES)) {
      for (const [leaf, subleaf, output, bit] of shows) {
        const highest = cpuid(vcpu, leaf >= 0x8000_0000 ? 0x8000_0000 : 0, 0).EAX;
        const told = leaf <= Number(highest) ? (cpuid(vcpu, leaf, subleaf)[output] >> BigInt(bit)) & 1n : 0n;
        const reaches = leaf <= Number(highest);
        expect(told, `${name}, leaf 0x${leaf.toString(16)}`).toBe(vcpu.cpu.features.has(name) && reaches ? 1n : 0n);
      }
    }
  });

  it('has no feature that only a leaf beyond the highest could show', () => {
    for (const cpu of Object.keys(SIGNATURES)) {
      const { vcpu } = still({ cpu });
      const most = [cpuid(vcpu, 0, 0).EAX, cpuid(vcpu, 0x8000_0000, 0).EAX].map(Number) as [number, number];
      for (const name of vcpu.cpu.features) {
        const hidden = (FEATURES[name]?.shows ?? []).filter(
          ([leaf]) => leaf > (leaf >= 0x8000_0000 ? most[1] : most[0]),
        );
        expect(hidden, `${cpu}: ${name}`).toEqual([]);
      }
    }
  });

  it('answers beyond the highest leaf as the vendor does: Intel with the highest, AMD with zeros', () => {
    const intel = still({ cpu: 'nehalem' }).vcpu;
    expect(cpuid(intel, 0xdead, 1)).toEqual(cpuid(intel, 11, 1));
    const amd = still({ cpu: 'zen2' }).vcpu;
    expect(cpuid(amd, 0xdead, 1)).toEqual({ EAX: 0n, EBX: 0n, ECX: 0n, EDX: 0n });
  });

  it('follows APIC_BASE and MISC_ENABLE, and counts vCPUs', () => {
    const { vcpu, of } = still({ vcpus: 4 });
    const apic = (): bigint => (cpuid(vcpu, 1, 0).EDX >> 9n) & 1n;
    expect(apic()).toBe(1n);
    vcpu.set('APIC_BASE', 0xfee0_0100n);
    expect(apic()).toBe(0n);
    expect(cpuid(of(2), 1, 0).EBX >> 24n).toBe(2n);
    expect((cpuid(of(2), 1, 0).EBX >> 16n) & 0xffn).toBe(4n);
    // Leaf 0xB: two bits of the APIC ID tell the four cores apart.
    expect(cpuid(of(3), 11, 1)).toEqual({ EAX: 2n, EBX: 4n, ECX: 0x201n, EDX: 3n });
    expect(cpuid(vcpu, 4096, 0)).not.toEqual(cpuid(vcpu, 2, 0));
    vcpu.set('MISC_ENABLE', vcpu.get('MISC_ENABLE') | (1n << 22n));
    expect(cpuid(vcpu, 4096, 0)).toEqual(cpuid(vcpu, 2, 0));
  });
});
