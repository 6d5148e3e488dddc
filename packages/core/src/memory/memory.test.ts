import { describe, expect, it } from 'vitest';
import type { Layout } from './layout.ts';
import { DomainMemory } from './memory.ts';

const KIB = 1024;
const RAM = 64 * KIB;
const LAYOUT: Layout = {
  temporaries: 0,
  counts: 0,
  signals: 0,
  pool: 0,
  jumps: 0,
  tlb: 0,
  tlbSet: 0,
  regimes: 1,
  vcpus: 0,
  block: 0,
  live: 0,
  ram: RAM,
  bytes: 2 * RAM,
};

/** Two ranges that touch, 8 and 4 KiB, and one apart, of 6 bytes; in host memory they stand one behind the other. */
const memory = () =>
  new DomainMemory(LAYOUT, [
    { base: 0x4000_0000n, bytes: 8 * KIB },
    { base: 0x4000_2000n, bytes: 4 * KIB },
    { base: 0x8000_0000n, bytes: 6 },
  ]);

describe('the page map', () => {
  it.each([
    [0x4000_0000n, RAM],
    [0x4000_1fffn, RAM + 0x1fff],
    [0x4000_2000n, RAM + 0x2000],
    [0x8000_0005n, RAM + 0x3005],
    [0x3fff_ffffn, -1],
    [0x4000_3000n, -1],
    [0x8000_0006n, -1],
    [2n ** 64n - 1n, -1],
  ])('%#x is at host offset %i', (physical, host) => {
    expect(memory().host(physical)).toBe(host);
    expect(memory().page(physical)).toBe(host < 0 ? -1 : host - (host % 4096));
  });

  it('reads and writes little-endian, of every size, across pages and ranges that touch', () => {
    const m = memory();
    expect(m.write(0x4000_1ffcn, 8, 0x8877_6655_4433_2211n)).toBe(true);
    expect(m.read(0x4000_1ffcn, 8)).toBe(0x8877_6655_4433_2211n);
    expect(m.read(0x4000_1ffen, 4)).toBe(0x6655_4433n);
    expect(m.read(0x4000_1fffn, 2)).toBe(0x5544n);
    expect(m.read(0x4000_2003n, 1)).toBe(0x88n);
    expect([...(m.slice(0x4000_1ffen, 4) ?? [])]).toEqual([0x33, 0x44, 0x55, 0x66]);
    m.write(0x4000_0000n, 4, 0xaaaa_bbbb_ccccn);
    m.write(0x4000_0000n, 2, 0x1_1234n);
    m.write(0x4000_0001n, 1, 0x156n);
    expect(m.read(0x4000_0000n, 8)).toBe(0xbbbb_5634n);
  });

  it('has nothing of what is not all there, and changes nothing then', () => {
    const m = memory();
    expect(m.read(0x8000_0002n, 8)).toBeUndefined();
    expect(m.read(0x8000_0002n, 4)).toBe(0n);
    expect(m.read(0x4000_2ffcn, 8)).toBeUndefined();
    expect(m.write(0x8000_0004n, 4, 0xffff_ffffn)).toBe(false);
    expect(m.read(0x8000_0004n, 2)).toBe(0n);
    expect(m.slice(0x8000_0000n, 7)).toBeUndefined();
    expect(m.slice(0x8000_0000n, -1)).toBeUndefined();
  });
});
