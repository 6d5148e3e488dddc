/** The formats that the guest `paging` cannot show, which runs in 64-bit mode: 32-bit tables and PAE. Entries by hand, after SDM volume 3, 4.3 and 4.4. */
import type { AccessKind, PhysicalMemory, View } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { still } from '../testing/still.ts';
import { translate, walk } from './mmu.ts';

const PSE = 0x10n;
const PAE = 0x20n;

interface Made {
  readonly view: View;
  readonly memory: PhysicalMemory;
  readonly words: Map<bigint, bigint>;
}

/** Tables at the addresses given, CR3 at 0x1000. */
function made(
  cr4: bigint,
  entries: Readonly<Record<number, bigint>>,
  more: { readonly nxe?: true; readonly cr0?: bigint; readonly cpu?: string } = {},
): Made {
  const { vcpu } = still({ ...(more.cpu !== undefined && { cpu: more.cpu }) });
  vcpu.set('CR0', 0x8001_0011n | (more.cr0 ?? 0n));
  vcpu.set('CR3', 0x1000n);
  vcpu.set('CR4', cr4);
  if (more.nxe) vcpu.set('EFER', 0x800n);
  const words = new Map(Object.entries(entries).map(([at, value]) => [BigInt(at), value]));
  return {
    view: vcpu,
    words,
    memory: {
      read: (at) => words.get(at) ?? 0n,
      write(at, _size, value) {
        words.set(at, value);
        return true;
      },
    },
  };
}

const USER = 0;
const SUPERVISOR = 1;

function answer({ view, memory }: Made, address: bigint, kind: AccessKind, level: number): bigint | string {
  const found = translate(view, address, kind, level, memory);
  return 'kind' in found ? `${found.kind} ${found.syndrome}` : found.physical;
}

describe('32-bit paging', () => {
  // Directory entry 1 (0x400000): a table at 0x2000; its entry 3 (0x403000): the frame 0x77000.
  const tables = (pde: bigint, pte: bigint) => made(PSE, { 4100: 0x2000n | pde, 8204: 0x7_7000n | pte });

  it('goes through two levels of 1,024 entries', () => {
    const one = tables(7n, 7n);
    expect(answer(one, 0x40_3abcn, 'read', USER)).toBe(0x7_7abcn);
    expect(answer(one, 0x40_4000n, 'read', USER)).toBe('#PF 4');
    expect(answer(one, 0x80_3000n, 'write', SUPERVISOR)).toBe('#PF 2');
  });

  it.each([
    // Directory entry, table entry, access, level, answer: rights are those that both give.
    [7n, 5n, 'write', USER, '#PF 7'],
    [5n, 7n, 'write', USER, '#PF 7'],
    [3n, 7n, 'read', USER, '#PF 5'],
    [7n, 3n, 'read', USER, '#PF 5'],
    [7n, 5n, 'write', SUPERVISOR, '#PF 3'],
    [3n, 3n, 'write', SUPERVISOR, 0x7_7000n],
    // Without NXE and SMEP a fetch is not told apart.
    [3n, 3n, 'fetch', USER, '#PF 5'],
  ] as const)('entries %i and %i, %s at level %i: %s', (pde, pte, kind, level, expected) => {
    expect(answer(tables(pde, pte), 0x40_3000n, kind, level)).toBe(expected);
  });

  it('lets supervisors write read-only pages while CR0.WP is 0', () => {
    const one = made(PSE, { 4100: 0x2005n, 8204: 0x7_7005n });
    (one.view as unknown as { set(name: string, value: bigint): void }).set('CR0', 0x8000_0011n);
    expect(answer(one, 0x40_3000n, 'write', SUPERVISOR)).toBe(0x7_7000n);
    expect(answer(one, 0x40_3000n, 'write', USER)).toBe('#PF 7');
  });

  it('sets accessed flags at both levels, and dirty for a write at the last', () => {
    const one = tables(7n, 7n);
    answer(one, 0x40_3000n, 'read', USER);
    expect([one.words.get(0x1004n), one.words.get(0x200cn)]).toEqual([0x2027n, 0x7_7027n]);
    answer(one, 0x40_3000n, 'write', USER);
    expect([one.words.get(0x1004n), one.words.get(0x200cn)]).toEqual([0x2027n, 0x7_7067n]);
  });

  it('sets no flag when the access faults', () => {
    const one = tables(7n, 1n);
    expect(answer(one, 0x40_3000n, 'read', USER)).toBe('#PF 5');
    expect([one.words.get(0x1004n), one.words.get(0x200cn)]).toEqual([0x2007n, 0x7_7001n]);
  });

  it('has pages of 4 MiB with CR4.PSE, whose bits 20:13 reach beyond 4 GiB', () => {
    expect(answer(made(PSE, { 4100: 0x80_0087n }), 0x40_3abcn, 'read', USER)).toBe(0x80_3abcn);
    // Bit 13 is physical bit 32; bit 21 is reserved, and so is bit 20 where the CPU has 36 bits.
    expect(answer(made(PSE, { 4100: 0x80_2087n }), 0x40_0000n, 'read', USER)).toBe(0x1_0080_0000n);
    expect(answer(made(PSE, { 4100: 0xa0_0087n }), 0x40_0000n, 'read', USER)).toBe('#PF 13');
    expect(answer(made(PSE, { 4100: 0x82_0087n }, { cpu: 'core2' }), 0x40_0000n, 'read', USER)).toBe('#PF 13');
    // Without PSE the bit means nothing, and a table follows.
    expect(answer(made(0n, { 4100: 0x2087n, 8204: 0x7_7007n }), 0x40_3000n, 'read', USER)).toBe(0x7_7000n);
  });

  it('knows 32 bits of an address', () => {
    const one = tables(7n, 7n);
    expect(walk(one.view, 0x1_0040_3000n, 'read', { user: true, lax: false }, one.memory)).toMatchObject({
      physical: 0x7_7000n,
    });
  });
});

describe('PAE', () => {
  // Pointer 1 (0x40000000): a directory at 0x3000; its entry 2 (0x40400000): a table at 0x4000; its entry 5: a frame beyond 4 GiB.
  const tables = (pde: bigint, pte: bigint, pdpte = 1n, more = {}) =>
    made(PAE, { 4104: 0x3000n | pdpte, 12304: 0x4000n | pde, 16424: 0x7_1234_5000n | pte }, more);
  const AT = 0x4040_5678n;

  it('goes through four pointers and two levels of 512 entries', () => {
    expect(answer(tables(7n, 7n), AT, 'read', USER)).toBe(0x7_1234_5678n);
    expect(answer(tables(7n, 7n), 0x8040_5678n, 'read', USER)).toBe('#PF 4');
  });

  it('asks the pointers for no rights, and leaves them as they are', () => {
    const one = tables(7n, 7n);
    expect(answer(one, AT, 'write', USER)).toBe(0x7_1234_5678n);
    expect([one.words.get(0x1008n), one.words.get(0x3010n), one.words.get(0x4028n)]).toEqual([
      0x3001n,
      0x4027n,
      0x7_1234_5067n,
    ]);
  });

  it.each([
    ['a pointer with R/W', tables(7n, 7n, 3n), '#PF 13'],
    ['bit 63 without NXE', tables(7n, 7n | (1n << 63n)), '#PF 13'],
    ['bit 52', tables(7n, 7n | (1n << 52n)), '#PF 13'],
    ['a bit above MAXPHYADDR', tables(7n, 7n | (1n << 39n)), '#PF 13'],
    ['bit 13 of a page of 2 MiB', tables(0x2087n, 0n), '#PF 13'],
  ] as const)('has reserved bits: %s', (_what, one, expected) => {
    expect(answer(one, AT, 'read', USER)).toBe(expected);
  });

  it('has execute disable, and then tells fetches apart', () => {
    const one = tables(7n, 7n | (1n << 63n), 1n, { nxe: true });
    expect(answer(one, AT, 'read', USER)).toBe(0x7_1234_5678n);
    expect(answer(one, AT, 'fetch', USER)).toBe('#PF 21');
    expect(answer(tables(7n, 0n, 1n, { nxe: true }), AT, 'fetch', SUPERVISOR)).toBe('#PF 16');
  });

  it('has pages of 2 MiB', () => {
    expect(answer(made(PAE, { 4104: 0x3001n, 12304: 0x20_0087n }), AT, 'read', USER)).toBe(0x20_5678n);
  });
});

describe('without paging', () => {
  it('an address is itself', () => {
    const { vcpu } = still();
    const memory: PhysicalMemory = { read: () => undefined, write: () => false };
    expect(translate(vcpu, 0xfee0_0000n, 'write', SUPERVISOR, memory)).toEqual({
      physical: 0xfee0_0000n,
      read: true,
      write: true,
      fetch: true,
    });
  });
});
