import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readElf } from './elf.ts';
import type { ElfSymbols } from './elf-symbols.ts';
import { type MadeSymbol, makeElf } from './testing/make-elf.ts';

const [NOTYPE, OBJECT, FUNC, SECTION, FILE] = [0, 1, 2, 3, 4];

/** Symbols of a .text at 0x1000, 0x100 bytes long. */
function table(
  symbols: readonly MadeSymbol[],
  kind: { class: 32 | 64; order: 'little' | 'big' } = { class: 64, order: 'little' },
): ElfSymbols {
  const segments = [{ vaddr: 0x1000n, bytes: new Uint8Array(0x100) }];
  return readElf(makeElf({ ...kind, type: 2, machine: 1, entry: 0x1000n, segments, symbols }), 'x').symbols;
}

/** `name+offset`, as a trace prints it. */
const at = (symbols: ElfSymbols, address: bigint): string | undefined => {
  const found = symbols.find(address);
  return found && `${found.symbol.name}+${found.offset}`;
};

describe('ElfSymbols', () => {
  it.each([
    { class: 64, order: 'little' },
    { class: 64, order: 'big' },
    { class: 32, order: 'little' },
    { class: 32, order: 'big' },
  ] as const)('reads entries: %o', (kind) => {
    const symbols = table([{ name: 'f', value: 0x1010n, size: 8n, type: FUNC, bind: 2 }], kind);
    expect([...symbols]).toEqual([
      { name: '', value: 0n, size: 0n, type: 'NOTYPE', binding: 'LOCAL', section: 0 },
      { name: 'f', value: 0x1010n, size: 8n, type: 'FUNC', binding: 'WEAK', section: 1 },
    ]);
    expect([symbols.at(-1), symbols.at(2), symbols.at(0.5)]).toEqual([undefined, undefined, undefined]);
  });

  it('prints types and bindings that it does not know as numbers', () => {
    expect(table([{ name: 'odd', value: 0n, type: 13, bind: 13 }]).at(1)).toMatchObject({
      type: 'STT_13',
      binding: 'STB_13',
    });
  });

  it('cuts a name of more than 4,096 bytes, visibly', () => {
    const [exact, longer] = ['a'.repeat(4096), 'b'.repeat(4097)];
    const symbols = table([
      { name: exact, value: 0x1000n },
      { name: longer, value: 0x1001n },
    ]);
    expect(symbols.at(1)?.name).toBe(exact);
    expect(symbols.at(2)?.name).toBe(`${'b'.repeat(4096)}…`);
  });

  it('finds by name: global before local, defined before undefined, whole names', () => {
    const symbols = table([
      { name: 'run', value: 1n, section: 0, bind: 1 },
      { name: 'runner', value: 2n, bind: 1 },
      { name: 'run', value: 3n },
      { name: 'run', value: 4n, bind: 1 },
      { name: 'alone', value: 5n },
    ]);
    expect(symbols.named('run')?.value).toBe(4n);
    expect(symbols.named('alone')?.value).toBe(5n);
    expect(symbols.named('ru')).toBeUndefined();
    expect(symbols.named('alone and more')).toBeUndefined();
  });

  it('finds the symbol around an address', () => {
    const symbols = table([
      { name: 'first', value: 0x1010n, size: 0x20n, type: FUNC },
      { name: 'loop', value: 0x1018n, type: NOTYPE },
      { name: 'second', value: 0x1040n, size: 0x10n, type: FUNC },
      { name: 'inner', value: 0x1044n, size: 4n, type: OBJECT },
      { name: 'label', value: 0x1060n, type: NOTYPE },
      { name: 'last', value: 0x10f0n, type: NOTYPE },
    ]);
    for (const [address, expected] of [
      [0x100fn, undefined], // before all
      [0x1010n, 'first+0'],
      [0x1017n, 'first+7'],
      [0x1018n, 'loop+0'], // a label inside a function is nearer
      [0x102fn, 'loop+23'], // and ends with the function
      [0x1030n, undefined], // between two functions
      [0x1043n, 'second+3'],
      [0x1044n, 'inner+0'],
      [0x1047n, 'inner+3'],
      [0x1048n, 'second+8'], // behind what it encloses
      [0x1050n, undefined],
      [0x10efn, 'label+143'], // no size: to the next symbol
      [0x10ffn, 'last+15'], // or to the section's end, 0x1100
      [0x1100n, undefined],
      [(1n << 64n) - 1n, undefined],
    ] as const) {
      expect([address.toString(16), at(symbols, address)]).toEqual([address.toString(16), expected]);
    }
  });

  it('of several at one address: a function, then the larger, then a global one, then the first', () => {
    const choice = (...symbols: Omit<MadeSymbol, 'value'>[]) =>
      table(symbols.map((one) => ({ ...one, value: 0x1000n }))).find(0x1000n)?.symbol.name;
    expect(choice({ name: 'label', bind: 1 }, { name: 'f', type: FUNC })).toBe('f');
    expect(choice({ name: 'object', type: OBJECT, size: 8n }, { name: 'f', type: FUNC, size: 4n })).toBe('f');
    expect(choice({ name: 'small', type: FUNC, size: 4n }, { name: 'large', type: FUNC, size: 8n })).toBe('large');
    expect(choice({ name: 'local', type: FUNC }, { name: 'global', type: FUNC, bind: 1 })).toBe('global');
    expect(choice({ name: 'one', type: FUNC }, { name: 'two', type: FUNC })).toBe('one');
    expect(choice({ name: 'f', type: FUNC }, { name: 'i', type: 10, size: 4n })).toBe('i'); // STT_GNU_IFUNC is a function
  });

  it('passes over what is no place: sections, files, undefined, absolute, mapping symbols, empty names', () => {
    const symbols = table([
      { name: 'file', value: 0x1000n, type: FILE },
      { name: 'section', value: 0x1000n, type: SECTION },
      { name: 'undefined', value: 0x1000n, section: 0 },
      { name: 'absolute', value: 0x1000n, section: 0xfff1 },
      { name: '$x', value: 0x1000n },
      { name: '', value: 0x1000n },
    ]);
    expect(symbols.find(0x1000n)).toBeUndefined();
  });

  it('moves with the image, absolute symbols excepted', () => {
    const symbols = table([
      { name: 'f', value: 0x1010n, size: 8n, type: FUNC },
      { name: 'constant', value: 0x20n, section: 0xfff1 },
    ]).biased(0x4000_0000n);
    expect(symbols.at(1)?.value).toBe(0x4000_1010n);
    expect(symbols.at(2)?.value).toBe(0x20n);
    expect(at(symbols, 0x4000_1012n)).toBe('f+2');
    expect(symbols.find(0x1012n)).toBeUndefined();
  });

  it('agrees with a search through all of them', () => {
    const some = fc.uniqueArray(fc.record({ value: fc.bigInt(0x1000n, 0x1040n), size: fc.bigInt(1n, 0x20n) }), {
      selector: ({ value }) => value,
      maxLength: 20,
    });
    fc.assert(
      fc.property(some, (places) => {
        const symbols = table(places.map((place, i) => ({ ...place, name: `s${i}`, type: FUNC })));
        for (let address = 0xff0n; address < 0x1070n; address++) {
          // The nearest start of those that reach so far; starts are distinct.
          const around = places
            .filter(({ value, size }) => value <= address && address < value + size)
            .sort((a, b) => Number(b.value - a.value))[0];
          expect(symbols.find(address)?.symbol.value).toBe(around?.value);
        }
      }),
      { seed: 20, numRuns: 200 },
    );
  });
});
