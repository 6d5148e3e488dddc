/** The machine as a whole: interrupts to exceptions, entry and start states, what a domain's end means. */
import type { BootFacts } from '@countervisor/contract';
import { boot, Machine } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { arm64 } from '../index.ts';
import { Board, type BoardOptions } from '../testing/board.ts';
import { defaultPlatform, platforms } from './index.ts';
import { virt } from './virt.ts';

const facts = (options: BoardOptions = {}, more: Partial<BootFacts> = {}): BootFacts => ({
  memory: 128n << 20n,
  vcpus: options.vcpus ?? 1,
  bootargs: '',
  entry: 0x4008_0000n,
  imageEnd: 0x4009_0000n,
  deviceTree: 0x4400_0000n,
  view: new Board(options).cpu(),
  ...more,
});

const values = (writes: readonly (readonly [string, bigint])[]): ReadonlyMap<string, bigint> => new Map(writes);

describe('virt', () => {
  it('is the default', () => {
    expect(platforms[defaultPlatform]).toBe(virt);
  });

  it('enters at EL1h, all masked, the tree in X0, every other general register 0', () => {
    const entry = values(virt.entry(facts()));
    const expected = { PC: 0x4008_0000n, X0: 0x4400_0000n, EL: 1n, SPSEL: 1n, DAIF: 0x3c0n, SP: 0n, IL: 0n, PAN: 0n };
    for (const [name, value] of Object.entries(expected)) expect([name, entry.get(name)]).toEqual([name, value]);
    for (let n = 1; n <= 30; n++) expect([n, entry.get(`X${n}`)]).toEqual([n, 0n]);
    // Each register once, and each exists.
    expect(new Set(entry.keys()).size).toBe(virt.entry(facts()).length);
    const cpu = new Board().cpu();
    for (const name of entry.keys()) expect(cpu.row(name)).toBeDefined();
    // Translation is off from reset on.
    expect(cpu.get('SCTLR_EL1') & 0x1005n).toBe(0n);
  });

  it('starts another vCPU like the first: context in X0, translation and caches off', () => {
    const cpu = new Board({ vcpus: 2 }).cpu(1).put({ SCTLR_EL1: 0x30d8_19ffn });
    const start = values(virt.start(cpu, 0x4008_1234n, 99n));
    const expected = { PC: 0x4008_1234n, X0: 99n, X30: 0n, EL: 1n, SPSEL: 1n, DAIF: 0x3c0n, SCTLR_EL1: 0x30d0_09e0n };
    for (const [name, value] of Object.entries(expected)) expect([name, start.get(name)]).toEqual([name, value]);
  });

  it('refuses more vCPUs than a GICv2 has interfaces', () => {
    expect(() => virt.entry(facts({ vcpus: 9 }))).toThrow(expect.objectContaining({ code: 'CV_GIC_VCPUS' }));
    expect(() => virt.entry(facts({ vcpus: 8 }))).not.toThrow();
    expect(() => virt.entry(facts({ vcpus: 9, gic: 3 }))).not.toThrow();
  });

  it('gives an interrupt to the vCPU whose masks allow it, IRQs and FIQs apart', () => {
    const made = new Board();
    const cpu = made.cpu();
    const GICD = 0x0800_0000n;
    const GICC = 0x0801_0000n;
    made.store(GICD, 1);
    made.store(GICD + 0x100n, 1 << 30);
    made.store(GICC + 4n, 0xff);
    cpu.wires.add('physical-timer');
    const taken = (fiqs: boolean): readonly (string | undefined)[] => {
      made.store(GICC, fiqs ? 9 : 1);
      return [0n, 0x80n, 0x40n, 0xc0n, 0x300n].map((daif) => virt.interrupt(cpu.put({ DAIF: daif }))?.kind);
    };
    expect(taken(false)).toEqual(['irq', undefined, 'irq', undefined, 'irq']);
    expect(taken(true)).toEqual(['fiq', 'fiq', undefined, undefined, 'fiq']);
  });

  it.each([
    [0, '', 'passed'],
    [1, '', 'failed'],
    [0, 'a\nEXIT: STATUS=1\n', 'passed'],
    [0, 'a\nEXIT: STATUS=3\n', 'failed'],
    [0, 'EXIT: STATUS=127\n', 'failed'],
    [1, 'EXIT: STATUS=1\n', 'passed'],
    // The last one counts; a line that only mentions one does not.
    [0, 'EXIT: STATUS=3\nEXIT: STATUS=1\n', 'passed'],
    [0, 'EXIT: STATUS=1\nsaid EXIT: STATUS=3\n', 'passed'],
    [0, 'EXIT: STATUS=1\r\n', 'passed'],
  ] as const)('status %i with console %j: %s', (status, console, verdict) => {
    expect(virt.verdict(status, console)).toBe(verdict);
  });
});

/** An ELF executable for AArch64 with one segment of one NOP at 0x40080000 (gABI chapters 4 and 5: file header, program header). */
function elf(wide: boolean, little: boolean): Uint8Array {
  const [header, segment] = wide ? [64, 56] : [52, 32];
  const view = new DataView(new ArrayBuffer(header + segment + 4));
  const u16 = (at: number, value: number): void => view.setUint16(at, value, little);
  const u32 = (at: number, value: number): void => view.setUint32(at, value, little);
  const word = (at: number, value: number): void =>
    wide ? view.setBigUint64(at, BigInt(value), little) : u32(at, value);
  [0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, little ? 1 : 2, 1].forEach((byte, i) => {
    view.setUint8(i, byte);
  });
  u16(16, 2);
  u16(18, 183);
  u32(20, 1);
  word(24, 0x4008_0000);
  word(wide ? 32 : 28, header);
  u16(wide ? 52 : 40, header);
  u16(wide ? 54 : 42, segment);
  u16(wide ? 56 : 44, 1);
  u16(wide ? 58 : 46, wide ? 64 : 40);
  const [offset, vaddr, paddr, filesz, memsz] = wide ? [8, 16, 24, 32, 40] : [4, 8, 12, 16, 20];
  u32(header, 1);
  word(header + (offset as number), header + segment);
  word(header + (vaddr as number), 0x4008_0000);
  word(header + (paddr as number), 0x4008_0000);
  word(header + (filesz as number), 4);
  word(header + (memsz as number), 4);
  view.setUint32(header + segment, 0xd503_201f, true);
  return new Uint8Array(view.buffer);
}

describe('images', () => {
  const load = (bytes: Uint8Array): bigint => {
    const machine = new Machine({ arch: arm64 });
    const domain = machine.addDomain({ name: 'd', vcpus: 1, memory: 1 << 20, vpmu: false });
    return boot(machine, domain, { bytes, file: 'a.elf' }).entry;
  };

  it('are 64-bit and little-endian', () => {
    expect(load(elf(true, true))).toBe(0x4008_0000n);
  });

  it.each([
    [true, false, 'a.elf is big-endian; this platform loads little-endian.'],
    [false, true, 'a.elf is ELF32; this platform loads ELF64.'],
  ])('of 64 bits: %s, little-endian: %s: refused by name', (wide, little, message) => {
    expect(() => load(elf(wide, little))).toThrow(expect.objectContaining({ code: 'CV_ELF_KIND', message }));
  });
});
