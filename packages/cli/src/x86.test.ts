/** The house end to end on x86: real Multiboot images, through the command. */
import { fileURLToPath } from 'node:url';
import type { Arch } from '@countervisor/contract';
import { x86 } from '@countervisor/x86';
import { afterAll, describe, expect, it } from 'vitest';
import type { RunJson } from './schemas/run.ts';
import { World } from './testing/world.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const house = new World({ cwd: root, architectures: [x86 as unknown as Arch] });
const IMAGES = 'guests/x86/images';
const own = new World({
  architectures: [x86 as unknown as Arch],
  files: { 'hello.cfg': `name = "hello"\nkernel = "${root}${IMAGES}/hello.elf"\nmemory = 16\ncmdline = "a b"\n` },
});
afterAll(() => {
  house.remove();
  own.remove();
});

describe('an image on the pc machine', () => {
  it('boots by its Multiboot header, prints, and ends with its own status', async () => {
    const said = await own.run('run', 'hello.cfg', '--json');
    expect(said.code).toBe(0);
    const [domain] = (JSON.parse(said.out) as RunJson).domains;
    // 0x506e3 is a Skylake's signature.
    expect(domain?.console).toBe(
      "hello from CPL 0, GenuineIntel, CPUID.1:EAX 0x506e3, bootargs 'a b'\n\nEXIT: STATUS=1\n",
    );
  });

  it('is the CPU that was asked for', async () => {
    const said = await house.run('run', `${IMAGES}/hello.elf`, '--cpu', 'zen4', '--json');
    const [domain] = (JSON.parse(said.out) as RunJson).domains;
    expect(domain?.console).toMatch(/^hello from CPL 0, AuthenticAMD, CPUID\.1:EAX 0xa10f11, bootargs ''/);
  });
});
