/** The law of lifts, row by row, in every mode: what can stop an instruction comes before its first change, and a fault has changed nothing. */
import { describe, expect, it } from 'vitest';
import { bitHelpers } from './bits.ts';
import { modeOf } from './decode.ts';
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

const GPRS = Array.from({ length: 32 }, (_, n) => `GPR${n}`);
const PIECES = ['SO', 'OV', 'CA', 'OV32', 'CA32', ...Array.from({ length: 8 }, (_, n) => `CR${n}`)];

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

const FACILITIES = 0xffff_ffffn;

function machine(kind: 'all' | 'none' | 'read', msr: bigint): Machine & { readonly memory: ReturnType<typeof memory> } {
  // All bases are multiples of 16, so that nothing that needs it faults for its alignment.
  const registers = new Map(GPRS.map((name, n) => [name, BigInt(0x1000 * (n + 1))]));
  for (const name of PIECES) registers.set(name, 1n);
  for (const name of ['LR', 'CTR', 'TAR']) registers.set(name, 0x8000n);
  registers.set('MSR', msr).set('FSCR', FACILITIES).set('RESERVE_SIZE', 0n);
  const others = ['rfid', 'rfscv', 'rfebb', 'mtmsr', 'mtmsrd', 'tlbie', 'clrbhrb', 'mfbhrbe'];
  return {
    registers,
    memory: memory(kind),
    road: { read: () => 0n, write: () => true },
    helpers: { ...bitHelpers, ...Object.fromEntries(others.map((name) => [name, () => 0x8000n])) },
  };
}

/** 12 words of the row, its fields at random; displacements and indices stay multiples of 16 by the registers and masks below. */
function trials(row: Row): (readonly [word: number, suffix: number])[] {
  const next = words(row.match);
  const found: (readonly [number, number])[] = [];
  for (let tries = 0; tries < 20_000 && found.length < 12; tries++) {
    const word = ((next() & ~row.mask) | row.match) >>> 0;
    const suffix = row.suffix ? ((next() & ~row.suffix.mask) | row.suffix.match) >>> 0 : 0;
    if (row.allocated(fieldsOf(row, word, suffix))) found.push([word, suffix]);
  }
  return found;
}

/** 64-bit big-endian; little-endian; 32-bit before version 3.0. */
const MODES = [0, 1, 6];
const SUPERVISOR = 1n << 63n;
const PROBLEM = SUPERVISOR | (1n << 14n);

const lift = (row: Row, [word, suffix]: readonly [number, number], m: Machine, mode: number) =>
  evaluate((b) => row.lift(b, fieldsOf(row, word, suffix), modeOf(mode)), 0x4000n, m, row.suffix ? 8 : 4);

const shown = (m: Machine): string => JSON.stringify([...m.registers].map(String));

describe('the law of lifts', () => {
  it.each(rows.map((row) => [row.name, row] as const))('%s', (_name, row) => {
    const all = trials(row);
    expect(all.length).toBeGreaterThan(0);
    for (const word of all) {
      for (const msr of [SUPERVISOR, PROBLEM]) {
        for (const mode of MODES) {
          // The evaluator throws where the law is broken.
          expect(() => lift(row, word, machine('all', msr), mode)).not.toThrow();
          for (const kind of ['none', 'read'] as const) {
            const m = machine(kind, msr);
            const before = shown(m);
            const { end } = lift(row, word, m, mode);
            if (end.kind === 'next') continue;
            expect(shown(m), `${word.map((w) => w.toString(16))} ${end.kind}`).toBe(before);
            expect(m.memory.written.size).toBe(0);
          }
        }
      }
    }
  });

  it('loads and stores fault where there is no memory, and everything else does not look', () => {
    const looks = rows.filter((row) =>
      trials(row).some((word) => {
        const { end } = lift(row, word, machine('none', SUPERVISOR), 0);
        return end.kind === 'fault' && end.why === 'memory';
      }),
    );
    const signals = (row: Row) =>
      typeof row.signals === 'function' ? row.signals(fieldsOf(row, row.match)) : row.signals;
    // Cache operations look like loads to storage protection and count as none.
    const expected = rows.filter((row) => signals(row).includes('access') || /^(dcbf|dcbst|icbi)$/.test(row.name));
    expect(looks.map(({ name }) => name).sort()).toEqual(expected.map(({ name }) => name).sort());
  });

  it('privileged instructions are so: in problem state a program interrupt, and nothing else of them happens', () => {
    const refused = rows.filter((row) =>
      trials(row).every((word) => {
        const { end } = lift(row, word, machine('all', PROBLEM), 0);
        return end.kind === 'raise' && end.exception === 'program' && end.syndrome === 0x4_0000n;
      }),
    );
    expect(refused.map(({ name }) => name).sort()).toEqual(
      [
        ...['rfid', 'rfscv', 'hrfid', 'mfmsr', 'mtmsr', 'mtmsrd', 'stop', 'tlbie', 'tlbiel', 'tlbsync'],
        ...['slbie', 'slbieg', 'slbia', 'slbsync', 'slbmte', 'slbmfev', 'slbmfee', 'slbfee.'],
        ...['nap', 'doze', 'sleep', 'rvwinkle', 'msgsnd', 'msgclr', 'msgsync'],
        ...['lbzcix', 'lhzcix', 'lwzcix', 'ldcix', 'stbcix', 'sthcix', 'stwcix', 'stdcix'],
      ].sort(),
    );
  });
});
