import { describe, expect, it } from 'vitest';
import { FEATURES } from '../features.ts';
import { buckets, instruction, rowOf } from './decode.ts';
import { encode, rowNamed } from './encode.ts';
import { ABSENT } from './instructions/absent.ts';
import { OVERLAPS, rows } from './instructions/index.ts';
import { costs, fieldsOf, layout, type Row, row } from './row.ts';

const overlap = (a: Row, b: Row): boolean => ((a.match ^ b.match) & a.mask & b.mask) === 0;

/** Features of encoding groups of floating point and of FEAT_LOR, that no CPU model has yet. */
const UNCLAIMED = ['aes', 'sha1', 'fp16', 'rdm', 'lor'];

describe('the instruction table', () => {
  it('names each row once', () => {
    expect(new Set(rows.map((r) => r.name)).size).toBe(rows.length);
  });

  it('has no overlap but those on the list, and on the list no row pair that does not overlap', () => {
    const found: string[] = [];
    rows.forEach((a, i) => {
      for (const b of rows.slice(i + 1)) if (overlap(a, b)) found.push([a.name, b.name].sort().join(' | '));
    });
    expect(found.sort()).toEqual(OVERLAPS.map((pair) => [...pair].sort().join(' | ')).sort());
  });

  it('lets the specific row of an overlap fix every bit that the general one fixes', () => {
    for (const [specific, general] of OVERLAPS) {
      const [s, g] = [rowNamed(specific), rowNamed(general)];
      expect((s.mask & g.mask) >>> 0, specific).toBe(g.mask);
      expect(rowOf(s.match)?.name).toBe(specific);
    }
  });

  it('finds an overlap that somebody adds', () => {
    const twin = row('ADD (twin)', 'alu', '1 0 0 01011 000 Rm imm6 Rn Rd', () => {});
    expect(rows.filter((r) => overlap(r, twin)).map((r) => r.name)).toEqual(['ADD (shifted register)']);
  });

  it('stands in every bucket that its pattern allows', () => {
    const table = buckets(rows);
    for (const r of rows) {
      const here = table.filter((bucket) => bucket.includes(r)).length;
      const free = 8 - [...((r.mask >>> 21) & 0xff).toString(2)].filter((bit) => bit === '1').length;
      expect(here, r.name).toBe(2 ** free);
    }
  });

  it('costs what the cost table knows, and needs features that exist', () => {
    for (const r of rows) {
      expect(Object.keys(costs)).toContain(r.cost);
      if (r.needs !== undefined) expect([...Object.keys(FEATURES), ...UNCLAIMED], r.name).toContain(r.needs);
    }
  });

  it('signals a load of what loads, a store of what stores, an access each time, and a branch of every branch', () => {
    for (const r of rows) {
      const has = (signal: string): boolean => r.signals.some((s) => s === signal);
      if (r.cost === 'load') expect(has('load') && has('access') && !has('store'), r.name).toBe(true);
      if (r.cost === 'store') expect(has('store') && !has('load'), r.name).toBe(true);
      if (r.cost === 'branch') expect(has('branch') !== has('exception-return'), r.name).toBe(true);
      if (['alu', 'multiply', 'divide', 'nop'].includes(r.cost)) expect(r.signals, r.name).toEqual([]);
    }
    expect(rowNamed('BL').signals).toEqual(['branch', 'branch-immediate', 'call', 'taken']);
    expect(rowNamed('LDP X (offset)').signals.filter((s) => s === 'access')).toHaveLength(2);
  });

  it('leaves what is absent undefined, each with its reason', () => {
    for (const absent of ABSENT) {
      expect(absent.because.length, absent.name).toBeGreaterThan(20);
    }
    // HLT #0, DCPS1, PACIA X0, X1, IRG X0, X1: assembled by hand.
    for (const word of [0xd4400000, 0xd4a00001, 0xdac10020, 0x9adf1020]) expect(rowOf(word)).toBeUndefined();
  });
});

describe('patterns', () => {
  it('must make 32 bits of fields that are known', () => {
    expect(() => layout('short', '1 0 Rd')).toThrow('short: the pattern has 7 bits.');
    expect(() => layout('odd', 'Rd Rq')).toThrow("odd: the pattern names 'Rq', which is no field.");
  });

  it('give fields from their places', () => {
    // ADD X3, X5, #0x123, LSL #12
    const found = instruction(0x91448ca3);
    expect(found?.name).toBe('ADD (immediate)');
    expect(found?.fields).toEqual({ sf: 1, sh: 1, imm12: 0x123, Rn: 5, Rd: 3 });
    expect(fieldsOf(rowNamed('ADD (immediate)'), 0x91448ca3)).toEqual(found?.fields);
  });
});

describe('encoding', () => {
  it('is decoding backwards, for every row', () => {
    for (const r of rows.filter(({ pattern }) => !pattern.includes('x'))) {
      const fields = fieldsOf(r, r.match);
      if (r.allocated(fields)) expect(encode(r.name, fields)).toBe(r.match);
    }
  });

  it('refuses what cannot be', () => {
    expect(() => encode('ADDQ', {})).toThrow("no row 'ADDQ'");
    expect(() => encode('BR', { Rn: 32 })).toThrow('BR: Rn is 32, and should be 0 to 31.');
    expect(() => encode('BR', {})).toThrow('BR: Rn is undefined');
    expect(() => encode('BR', { Rn: 1, Rm: 2 })).toThrow('BR has no field Rm.');
    expect(() => encode('ADC', { sf: 1, Rm: 1, Rn: 1, Rd: 1.5 })).toThrow('ADC: Rd is 1.5');
    expect(() => encode('MOVZ', { sf: 0, hw: 2, imm16: 1, Rd: 0 })).toThrow('not allocated');
  });
});
