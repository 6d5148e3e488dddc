/** The instruction table as a table: encodings, overlaps, what is absent, byte order, versions. */
import { describe, expect, it } from 'vitest';
import { decode, EARLY, instruction, LITTLE_ENDIAN, mode, NARROW, rowOf } from './decode.ts';
import { encode, rowNamed } from './encode.ts';
import { ABSENT } from './instructions/absent.ts';
import { OVERLAPS, rows } from './instructions/index.ts';
import { fieldsOf, layout, VERSIONS } from './row.ts';

const EVERYTHING = new Set<string>([...VERSIONS, 'power-saving']);
const cpu = (features: ReadonlySet<string>) => ({
  cpu: { name: 'test', features, settings: {}, identity: {}, deviations: [] },
});

/** A reader over words as they stand in big-endian memory. */
const reader = (...words: number[]) => {
  const bytes = Buffer.alloc(4 * words.length);
  words.forEach((word, i) => {
    bytes.writeUInt32BE(word, 4 * i);
  });
  return {
    u8: (at: number) => bytes[at],
    u32: (at: number) => (at + 4 <= bytes.length ? bytes.readUInt32LE(at) : undefined),
  };
};
const swapped = (word: number): number => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(word);
  return bytes.readUInt32LE();
};

describe('the table', () => {
  it('names each instruction once', () => {
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
  });

  it('overlaps where it says so and nowhere else', () => {
    const meet = (x: { mask: number; match: number }, y: { mask: number; match: number }): boolean =>
      ((x.match ^ y.match) & x.mask & y.mask) === 0;
    const found = rows.flatMap((a, i) =>
      rows
        .slice(i + 1)
        .filter((b) => meet(a, b) && (!a.suffix || !b.suffix || meet(a.suffix, b.suffix)))
        .map((b) => [a.name, b.name].sort().join(' and ')),
    );
    expect(found.sort()).toEqual(OVERLAPS.map((pair) => [...pair].sort().join(' and ')).sort());
  });

  it('needs versions that there are', () => {
    const needs = new Set(rows.flatMap((row) => row.needs ?? []));
    expect([...needs].filter((name) => !EVERYTHING.has(name))).toEqual([]);
  });

  it('leaves what is absent illegal, each with its reason', () => {
    for (const absent of ABSENT) {
      expect(absent.because.length, absent.name).toBeGreaterThan(20);
      expect(rowOf(absent.match), absent.name).toBeUndefined();
      const clash = rows.filter((r) => ((r.match ^ absent.match) & r.mask & absent.mask) === 0);
      expect(
        clash.map(({ name }) => name),
        absent.name,
      ).toEqual([]);
    }
  });

  it('says what each instruction counts', () => {
    const signals = (name: string, fields = fieldsOf(rowNamed(name), rowNamed(name).match)) => {
      const { signals: said } = rowNamed(name);
      return typeof said === 'function' ? said(fields) : said;
    };
    expect(signals('ld')).toEqual(['load', 'access']);
    expect(signals('std')).toEqual(['store', 'access']);
    expect(signals('bl')).toEqual(['branch', 'branch-immediate', 'call', 'taken']);
    // blr, and bclr with BH 1, which is no return; bnelr says the rest as it runs.
    const bclr = (BO: number, BH: number) =>
      signals('bclr', fieldsOf(rowNamed('bclr'), encode('bclr', { BO, BI: 2, BH })[0] as number));
    expect(bclr(20, 0)).toEqual(['branch', 'taken', 'return']);
    expect(bclr(20, 1)).toEqual(['branch', 'taken']);
    expect(bclr(4, 0)).toEqual(['branch']);
    expect(signals('lmw', fieldsOf(rowNamed('lmw'), encode('lmw', { RT: 29, RA: 1, D: 0 })[0] as number))).toEqual([
      'load',
      ...['access', 'access', 'access'],
    ]);
    expect(signals('rfid')).toEqual(['exception-return']);
  });
});

describe('patterns', () => {
  it('must make 32 or 64 bits of fields that are known', () => {
    expect(() => layout('short', '1 0 RT')).toThrow('short: the pattern has 7 bits.');
    expect(() => layout('odd', 'RT RQ')).toThrow("odd: the pattern names 'RQ', which is no field.");
    expect(() => layout('across', '0000000000000000000000000000 RT')).toThrow('across: RT goes across the end');
  });

  it('put the parts of a field together', () => {
    // sradi r3, r5, 37: sh is 5 + 32 in two places; rldicl r3, r5, 37, 42; mtspr 815, r7: halves the other way round.
    expect(instruction(0x7ca32e76, 0, 0)?.fields).toEqual({ RS: 5, RA: 3, sh: 37 });
    expect(instruction(0x78a32aa2, 0, 0)?.fields).toEqual({ RS: 5, RA: 3, sh: 37, mb: 42 });
    expect(instruction(0x7cefcba6, 0, 0)?.fields).toEqual({ RS: 7, spr: 815 });
    // pld r3, 0x123456789(r4).
    expect(instruction(0x04012345, 0xe4646789, 0)?.fields).toEqual({ R: 0, RT: 3, RA: 4, D34: 0x123456789 });
  });
});

describe('decoding', () => {
  const ADD = 0x7c642a14;
  const PADDI = [0x06000000, 0x38600001] as const;

  it('reads memory in either byte order', () => {
    expect(decode(reader(ADD), 0n, 0, cpu(EVERYTHING))?.name).toBe('add');
    expect(decode(reader(swapped(ADD)), 0n, LITTLE_ENDIAN, cpu(EVERYTHING))?.name).toBe('add');
    expect(decode(reader(ADD), 0n, LITTLE_ENDIAN, cpu(EVERYTHING))?.name).not.toBe('add');
    const little = decode(reader(...PADDI.map(swapped)), 0n, LITTLE_ENDIAN, cpu(EVERYTHING));
    expect([little?.name, little?.length]).toEqual(['paddi', 8]);
    expect(decode({ u8: () => undefined, u32: () => undefined }, 0n, 0, cpu(EVERYTHING))).toBeUndefined();
  });

  it('knows what came with which version', () => {
    const here = (word: readonly number[], ...features: string[]): string | undefined =>
      decode(reader(...word), 0n, 0, cpu(new Set(features)))?.name;
    expect(here([ADD])).toBe('add');
    expect(here(encode('popcntd', { RS: 1, RA: 2 }), 'isa-2.05')).toBeUndefined();
    expect(here(encode('popcntd', { RS: 1, RA: 2 }), 'isa-2.05', 'isa-2.06')).toBe('popcntd');
    expect(here(PADDI, 'isa-3.0')).toBeUndefined();
    expect(here(PADDI, 'isa-3.1')).toBe('paddi');
    expect(here([PADDI[0]], 'isa-3.1')).toBeUndefined();
    expect(here(encode('nap', {}), 'isa-3.0')).toBeUndefined();
  });

  it('refuses a prefix whose suffix lies behind a 64-byte boundary', () => {
    const at = (pc: bigint) => decode(reader(...PADDI), pc, 0, cpu(EVERYTHING))?.name;
    expect([at(0x1038n), at(0x103cn), at(0x1040n)]).toEqual(['paddi', 'prefix-across-64', 'paddi']);
    // A word that is no prefix may stand there.
    expect(decode(reader(ADD), 0x103cn, 0, cpu(EVERYTHING))?.name).toBe('add');
  });

  it('takes its mode from MSR and the version', () => {
    const of = (msr: bigint, ...features: string[]) => mode({ get: () => msr, cpu: cpu(new Set(features)).cpu });
    expect(of(1n << 63n, 'isa-3.0')).toBe(0);
    expect(of((1n << 63n) | 1n, 'isa-3.0')).toBe(LITTLE_ENDIAN);
    expect(of(0n, 'isa-2.07')).toBe(NARROW | EARLY);
  });

  it('finds invalid forms illegal, whatever the table would say of their opcode', () => {
    // lwzu r3, 8(r3); lwzu r3, 8(0); stwu r3, 8(0); ldux r4, r4, r5; lq r3, 0(r6); lmw r5, 0(r7); lswi r3, r4, 8; bcctr 16, 0.
    const forms = [0x84630008, 0x84600008, 0x94600008, 0x7c84286a, 0xe0660000, 0xb8a70000, 0x7c6444aa, 0x4e000420];
    expect(forms.map((word) => rowOf(word)?.name)).toEqual(forms.map(() => undefined));
    // Their neighbours are valid: stwu r3, 8(r3); lq r4, 0(r6); lmw r8, 0(r7); lswi r3, r5, 8; bcctr 20, 0.
    const valid = [0x94630008, 0xe0860000, 0xb9070000, 0x7c6544aa, 0x4e800420];
    expect(valid.map((word) => rowOf(word)?.name)).toEqual(['stwu', 'lq', 'lmw', 'lswi', 'bcctr']);
  });

  it('ignores reserved bits', () => {
    // mfcr r3 with its reserved places filled; lwzx with Rc.
    expect([rowOf(0x7c6ff827)?.name, rowOf(0x7c64282f)?.name]).toEqual(['mfcr', 'lwzx']);
  });
});

describe('encoding', () => {
  it('is decoding backwards, for every row', () => {
    for (const r of rows.filter(({ pattern }) => !pattern.includes('/'))) {
      const fields = fieldsOf(r, r.match, r.suffix?.match);
      if (!r.allocated(fields)) continue;
      const words = encode(r.name, fields);
      expect(words).toEqual(r.suffix ? [r.match, r.suffix.match] : [r.match]);
    }
  });

  it('refuses what cannot be', () => {
    expect(() => encode('addq', {})).toThrow("no row 'addq'");
    expect(() => encode('add', { RT: 32, RA: 0, RB: 0 })).toThrow('add: RT is 32, and should be 0 to 31.');
    expect(() => encode('add', { RT: 3, RA: 0 })).toThrow('add: RB is undefined');
    expect(() => encode('neg', { RT: 1, RA: 1, RB: 2 })).toThrow('neg has no field RB.');
    expect(() => encode('lwzu', { RT: 1, RA: 0, D: 0 })).toThrow('lwzu: this form is invalid');
  });
});
