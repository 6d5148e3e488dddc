import { describe, expect, it } from 'vitest';
import { headerOf, loadByHeader, packBootBlock } from './multiboot.ts';

const RAM = [{ base: 0n, bytes: 0x40_0000 }];

/** Words as they stand in a file. */
function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [n, value] of values.entries()) view.setUint32(4 * n, value, true);
  return bytes;
}

const checksum = (flags: number): number => -(0x1bad_b002 + flags) >>> 0;

describe('a Multiboot header', () => {
  it('is found at any multiple of four within 8 KiB, by magic and checksum together', () => {
    expect(headerOf(words(0x1bad_b002, 3, checksum(3)), 'a')).toEqual({ at: 0 });
    expect(headerOf(words(0x1bad_b002, 3, 1, 0x1bad_b002, 0, checksum(0)), 'a')).toEqual({ at: 12 });
    const late = new Uint8Array(8192 + 12);
    late.set(words(0x1bad_b002, 0, checksum(0)), 8192 - 12);
    expect(headerOf(late, 'a')).toEqual({ at: 8180 });
    late.copyWithin(8184, 8180, 8192);
    late.fill(0, 8180, 8184);
    expect(headerOf(late, 'a')).toBeUndefined();
    expect(headerOf(new Uint8Array(4), 'a')).toBeUndefined();
  });

  it('is refused by name when it demands a video mode, or is cut off', () => {
    expect(() => headerOf(words(0x1bad_b002, 4, checksum(4)), 'a.bin')).toThrowError(
      /a\.bin has a Multiboot header that demands what is not offered \(flags 0x4\)/,
    );
    expect(() => headerOf(words(0x1bad_b002, 0x1_0000, checksum(0x1_0000), 1), 'a')).toThrowError(/cut off/);
  });

  it('with addresses says which bytes go where', () => {
    // Four bytes before the header, which is at 0x100010: the image begins at 0x10000c. Eight bytes of it, then zeros.
    const flags = 0x1_0000;
    const bytes = words(7, 0x1bad_b002, flags, checksum(flags), 0x10_0010, 0x10_000c, 0x10_0014, 0x10_0100, 0x10_0010);
    const header = headerOf(bytes, 'a');
    expect(header?.at).toBe(4);
    if (header?.addresses === undefined) throw new Error('no addresses');
    const loaded = loadByHeader(bytes, 'a', header.at, header.addresses, RAM);
    expect(loaded.entry).toBe(0x10_0010n);
    expect(loaded.end).toBe(0x10_0100n);
    expect(loaded.segments).toEqual([{ address: 0x10_000cn, bytes: bytes.subarray(0, 8), size: 0xf4 }]);
  });

  it.each([
    ['no byte of the file', { header: 0x10_0000, load: 0x10_0008, loadEnd: 0, bssEnd: 0, entry: 0x10_0008 }],
    ['the file has 64', { header: 0x10_0000, load: 0x10_0000, loadEnd: 0x10_0100, bssEnd: 0, entry: 0x10_0000 }],
    ['before what it loads', { header: 0x10_0000, load: 0x10_0000, loadEnd: 0, bssEnd: 0x10_0001, entry: 0x10_0000 }],
    ['outside what it loads', { header: 0x10_0000, load: 0x10_0000, loadEnd: 0, bssEnd: 0, entry: 0x20_0000 }],
    ["the domain's RAM", { header: 0x50_0000, load: 0x50_0000, loadEnd: 0, bssEnd: 0, entry: 0x50_0000 }],
  ])('is refused: %s', (text, addresses) => {
    expect(() => loadByHeader(new Uint8Array(64), 'a', 0, addresses, RAM)).toThrowError(new RegExp(text));
  });
});

describe('the information block', () => {
  const block = {
    format: 'multiboot',
    address: 0x9500n,
    lower: 639n * 1024n,
    upper: 0x300_0000n,
    commandLine: 'k a',
    loader: 'L',
    map: [
      { base: 0n, length: 0x9_fc00n, usable: true },
      { base: 0x1_0000_0000n, length: 0x1000n, usable: false },
    ],
  } as const;

  it('is what the specification draws, byte for byte', () => {
    const bytes = packBootBlock(block, 'f');
    // 3.3: flags, mem_lower, mem_upper (KiB), boot_device, cmdline, mods 0 0, syms 4 × 0, mmap_length, mmap_addr, drives 0 0, config_table, boot_loader_name, …
    const information = [0x245, 639, 0xc000, 0, 0x9588, 0, 0, 0, 0, 0, 0, 48, 0x9558, 0, 0, 0, 0x958c, 0, 0, 0, 0, 0];
    const map = [20, 0, 0, 0x9_fc00, 0, 1, 20, 0, 1, 0x1000, 0, 2];
    const strings = [...new TextEncoder().encode('k a\0L\0')];
    expect([...bytes]).toEqual([...words(...information, ...map), ...strings]);
  });

  it('is refused where it cannot hold what it is given', () => {
    expect(() => packBootBlock({ ...block, commandLine: 'x'.repeat(5000) }, 'f')).toThrowError(/5001 bytes/);
    expect(() => packBootBlock({ ...block, commandLine: 'a\0b' }, 'f')).toThrowError(/zero byte/);
  });
});
