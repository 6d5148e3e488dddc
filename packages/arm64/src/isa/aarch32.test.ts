import { CountervisorError } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { refuseAArch32 } from './aarch32.ts';

describe('32-bit guests', () => {
  const elf = (elfClass: number, machine: number, big = false) => {
    const bytes = new Uint8Array(64);
    bytes.set([0x7f, 0x45, 0x4c, 0x46, elfClass, big ? 2 : 1, 1]);
    new DataView(bytes.buffer).setUint16(18, machine, !big);
    return bytes;
  };
  const zImage = () => {
    const bytes = new Uint8Array(64);
    bytes.set([0x18, 0x28, 0x6f, 0x01], 0x24);
    return bytes;
  };

  it.each([
    ['an ELF image for 32-bit Arm', elf(1, 40)],
    ['an ELF image for 32-bit Arm', elf(1, 40, true)],
    ['an ILP32 ELF image', elf(1, 183)],
    ['a 32-bit Arm zImage', zImage()],
  ])('%s is refused by name', (what, image) => {
    const run = () => refuseAArch32(image, 'guest.elf');
    expect(run).toThrow(CountervisorError);
    expect(run).toThrow(`guest.elf is ${what}, and AArch32 guests are not modelled.`);
  });

  it.each([
    ['AArch64', elf(2, 183)],
    ['another machine, which the loader refuses', elf(1, 3)],
    ['a raw image', new Uint8Array(64)],
    ['a short file', new Uint8Array(3)],
    ['a cut ELF header', elf(1, 40).subarray(0, 19)],
    ['nothing', new Uint8Array(0)],
  ])('%s is not its business', (_, image) => {
    expect(() => refuseAArch32(image, 'guest.elf')).not.toThrow();
  });
});
