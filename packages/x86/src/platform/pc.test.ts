import { readFileSync } from 'node:fs';
import type { Arch } from '@countervisor/contract';
import { boot, Machine } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { x86 } from '../index.ts';
import { here, image } from '../testing/machines.ts';
import { still } from '../testing/still.ts';

describe('an image', () => {
  it.each(Object.keys(x86.cpus))('boots on %s, which prints its own signature', (cpu) => {
    const domain = here('hello', { cpu });
    expect(domain.ended).toEqual({ reason: 'poweroff', status: 1 });
    const signature = x86.cpus[cpu]?.identity.SIGNATURE?.toString(16);
    expect(domain.console).toContain(`CPUID.1:EAX 0x${signature}, bootargs ''`);
  });

  it('does the same at any slice', () => {
    const whole = here('hello');
    for (const slice of [7, 1000]) {
      const one = here('hello', { slice });
      expect([one.console, one.instructions()]).toEqual([whole.console, whole.instructions()]);
    }
  });

  it('is the same whether its own header or the ELF header says where it goes', () => {
    const bytes = new Uint8Array(readFileSync(image('hello')));
    // The Multiboot header stands at the first byte of the text, offset 0x1000: without its magic the file is an ELF image alone.
    const plain = bytes.slice();
    plain.set([0, 0, 0, 0], 0x1000);
    const run = (file: Uint8Array): string => {
      const machine = new Machine({ arch: x86 as Arch });
      const domain = machine.addDomain({ name: 'd', vcpus: 1, memory: 16 << 20, vpmu: false });
      boot(machine, domain, { bytes: file, file: 'a/hello.elf', bootargs: 'x' });
      machine.run();
      return domain.console;
    };
    expect(run(plain)).toBe(run(bytes));
    expect(run(bytes)).toContain("bootargs 'x'");
  });
});

describe('the entry state', () => {
  it('is what a Multiboot loader leaves', () => {
    const machine = new Machine({ arch: x86 as Arch });
    const domain = machine.addDomain({ name: 'd', vcpus: 1, memory: 16 << 20, vpmu: false });
    boot(machine, domain, { bytes: readFileSync(image('hello')), file: 'a/hello.elf', bootargs: 'x y' });
    const v = domain.vcpus[0]?.handle;
    // Multiboot 0.6.96, 3.2.
    expect(v?.get('RAX')).toBe(0x2bad_b002n);
    expect([v?.get('CR0'), v?.get('EFER'), v?.get('RFLAGS')]).toEqual([0x11n, 0n, 2n]);
    const block = v?.get('RBX') ?? 0n;
    const words = new DataView((domain.memory.slice(block, 88) as Uint8Array).slice().buffer);
    const [flags, lower, upper] = [0, 4, 8].map((at) => words.getUint32(at, true));
    expect([flags, lower, upper]).toEqual([0x245, 639, 15 * 1024]);
    const line = domain.memory.slice(BigInt(words.getUint32(16, true)), 14) as Uint8Array;
    expect(new TextDecoder().decode(line)).toBe('hello.elf x y\0');
  });
});

describe('INIT', () => {
  it('cannot be sent to the vCPU that boots the domain', () => {
    const made = still({ vcpus: 2 });
    made.write('lapic', 0xf0, 0x1ff, 4, 1);
    made.write('lapic', 0x310, 0, 4, 1);
    expect(() => made.write('lapic', 0x300, 0x4500, 4, 1)).toThrowError(/vCPU 1 sends INIT to vCPU 0/);
  });
});
