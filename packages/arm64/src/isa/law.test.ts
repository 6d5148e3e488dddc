/** The law of lifts, row by row: what can stop an instruction comes before its first change, and a fault has changed nothing. */
import { describe, expect, it } from 'vitest';
import { checksums } from './crc32.ts';
import { rows } from './instructions/index.ts';
import { fieldsOf, type Row } from './row.ts';
import { evaluate, type Machine, type Memory } from './testing/evaluate.ts';

/** Weyl sequence through a mixing function: the same words every time. */
function words(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    return (mixed ^ (mixed >>> 13)) >>> 0;
  };
}

const SLOTS = [...Array.from({ length: 31 }, (_, n) => `X${n}`), 'SP', 'N', 'Z', 'C', 'V', 'EXCLUSIVE_SIZE'];

/** Memory everywhere, or nowhere, or only to be read. */
function memory(kind: 'all' | 'none' | 'read'): Memory & { readonly written: Set<bigint> } {
  const written = new Set<bigint>();
  return {
    written,
    read: (address) => (kind === 'none' ? undefined : Number(address & 0xffn)),
    writable: () => kind === 'all',
    write: (address) => {
      written.add(address);
      return true;
    },
  };
}

function machine(kind: 'all' | 'none' | 'read', el: bigint): Machine & { readonly memory: ReturnType<typeof memory> } {
  // All bases are multiples of 16, so that nothing faults for its alignment.
  const registers = new Map(SLOTS.map((name, n) => [name, /^[NZCV]$/.test(name) ? 1n : BigInt(0x1000 * (n + 1))]));
  registers.set('EL', el);
  return {
    registers,
    memory: memory(kind),
    road: { read: () => 0n, write: () => true },
    helpers: { ...checksums, eret: () => 0x8000n, 'fp-access': () => 1n },
  };
}

/** 20 words of the row, its ignored bits and fields at random. */
function trials(row: Row): number[] {
  const next = words(row.match);
  const found: number[] = [];
  for (let tries = 0; tries < 2000 && found.length < 20; tries++) {
    const word = ((next() & ~row.mask) | row.match) >>> 0;
    if (row.allocated(fieldsOf(row, word))) found.push(word);
  }
  return found;
}

const lift = (row: Row, word: number, m: Machine) => evaluate((b) => row.lift(b, fieldsOf(row, word)), 0x4000n, m);

describe('the law of lifts', () => {
  it.each(rows.map((row) => [row.name, row] as const))('%s', (_name, row) => {
    const all = trials(row);
    expect(all.length).toBeGreaterThan(0);
    for (const word of all) {
      for (const el of [0n, 1n]) {
        // The evaluator throws where the law is broken.
        expect(() => lift(row, word, machine('all', el))).not.toThrow();
        for (const kind of ['none', 'read'] as const) {
          const m = machine(kind, el);
          const before = JSON.stringify([...m.registers].map(String));
          const { end } = lift(row, word, m);
          if (end.kind === 'next') continue;
          expect(JSON.stringify([...m.registers].map(String)), `${word.toString(16)} ${end.kind}`).toBe(before);
          expect(m.memory.written.size).toBe(0);
        }
      }
    }
  });

  it('loads and stores fault where there is no memory, and everything else does not look', () => {
    const looks = rows.filter((row) =>
      trials(row).some((word) => lift(row, word, machine('none', 1n)).end.kind === 'fault'),
    );
    const touching = (row: Row): boolean => row.signals.includes('access');
    // A store-exclusive looks at memory only behind its monitor, and says at run time that it did.
    expect(looks.map(({ name }) => name).sort()).toEqual(
      rows
        .filter(touching)
        .map(({ name }) => name)
        .sort(),
    );
  });
});
