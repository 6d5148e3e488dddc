/** The house end to end: real ppc64 images of both byte orders, through the command. */
import { fileURLToPath } from 'node:url';
import type { Arch } from '@countervisor/contract';
import { ppc64 } from '@countervisor/ppc64';
import { afterAll, describe, expect, it } from 'vitest';
import { World } from './testing/world.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

// A few words of Power, assembled by hand; checked with powerpc64-linux-gnu-objdump.
const words = (...list: readonly number[]): Uint8Array => {
  const bytes = new DataView(new ArrayBuffer(4 * list.length));
  for (const [n, word] of list.entries()) bytes.setUint32(4 * n, word);
  return new Uint8Array(bytes.buffer);
};

const house = new World({ cwd: root, architectures: [ppc64 as unknown as Arch] });
const own = new World({
  architectures: [ppc64 as unknown as Arch],
  files: {
    // mfmsr r4; ori r4, r4, 0x10 (DR); mtmsrd r4; lwz r5, 0(r0)
    'relocate.bin': words(0x7c8000a6, 0x60840010, 0x7c800164, 0x80a00000),
    // li r3, 0x60 (H_IPI); sc 1; mfspr r5, 700; b .
    'unknown.bin': words(0x38600060, 0x44000022, 0x7cbcaaa6, 0x48000000),
  },
});
afterAll(() => {
  house.remove();
  own.remove();
});

describe('hello', () => {
  it.each([
    ['power8', 'hello', 'big', '0x4d0200'],
    ['power9', 'hello', 'big', '0x4e1200'],
    ['970', 'hello', 'big', '0x390202'],
    ['power8', 'hello-le', 'little', '0x4d0200'],
    ['power10', 'hello-le', 'little', '0x800200'],
  ])('on a %s, %s', async (cpu, image, order, pvr) => {
    const said = await house.run('run', `guests/ppc64/images/${image}.elf`, '--cpu', cpu);
    expect([said.code, said.err]).toEqual([0, '']);
    expect(said.out).toContain(`hello from supervisor state, ${order}-endian, PVR ${pvr}, bootargs ''`);
  });
});

describe('what is not modelled is named', () => {
  it('translation by a hashed page table', async () => {
    const { code, err } = await own.run('run', 'relocate.bin', '--cpu', 'power8');
    expect(code).toBe(5);
    expect(err).toContain('CV_UNMODELLED_HASH_MMU');
    expect(err).toContain('MSR[DR] is 1 at pc 0x40000c, and power8 translates by a hashed page table');
  });

  it('a hypercall without a service, a register without a row', async () => {
    const { err } = await own.run('run', 'unknown.bin', '--cpu', 'power9', '--until', '100');
    expect(err).toContain('number 0x60 (H_IPI) at pc 0x400004');
    expect(err).toContain('the guest read spr(700) at pc 0x400008');
  });
});
