/** The ops can say what a big-endian machine with XER and CR needs: Power ISA 3.0B, addeo., mulldo., rlwimi, lwbrx, stdu, mtcrf. Results by hand. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CR_FIELDS, XER_BITS } from './testing/arch.ts';
import { Foreign, RAM } from './testing/foreign.ts';
import { set1 } from './testing/power.ts';

const machine = (): Foreign => new Foreign({ set1 }).put({ MODE: 1n });
const ONES = 0xffff_ffff_ffff_ffffn;
const LEAST = 0x8000_0000_0000_0000n;

/** Names of the XER bits that are set, in the order of the register. */
const xerOf = (x: Foreign): string => XER_BITS.filter((bit) => x.get(bit) === 1n).join(' ');
/** CR0 in the letters of the assembler. */
const cr0Of = (x: Foreign): string =>
  ['lt', 'gt', 'eq', 'so'].filter((_, i) => ((x.get('CR0') >> BigInt(3 - i)) & 1n) === 1n).join(' ');
const setXer = (x: Foreign, bits: string): void => {
  for (const bit of XER_BITS) x.set(bit, bits.split(' ').includes(bit) ? 1n : 0n);
};

describe('addeo.', () => {
  const rows: readonly (readonly [
    a: bigint,
    b: bigint,
    xer: string,
    sum: bigint,
    xerAfter: string,
    cr0: string,
    why: string,
  ])[] = [
    [1n, 2n, '', 3n, '', 'gt', ''],
    [1n, 2n, 'CA', 4n, '', 'gt', 'CA in, none out'],
    [0n, 0n, '', 0n, '', 'eq', ''],
    [ONES, 0n, 'CA', 0n, 'CA CA32', 'eq', 'carries out of bits 63 and 31'],
    [ONES, ONES, 'CA', ONES, 'CA CA32', 'lt', '-1 - 1 + 1 = -1'],
    [
      0x7fff_ffff_ffff_ffffn,
      0n,
      'CA',
      LEAST,
      'SO OV CA32',
      'lt so',
      '63 ones + 1: overflow; the low words carry; ffffffff + 1 is no signed overflow',
    ],
    [LEAST, LEAST, '', 0n, 'SO OV CA', 'eq so', 'the least twice; the low words are 0'],
    [0xffff_ffffn, 1n, '', 0x1_0000_0000n, 'CA32', 'gt', 'a carry between the words is CA32 alone'],
    [0x7fff_ffffn, 1n, '', 0x8000_0000n, 'OV32', 'gt', 'overflow of the low words is OV32, not OV, and SO follows OV'],
    [0x8000_0000n, 0x8000_0000n, '', 0x1_0000_0000n, 'OV32 CA32', 'gt', ''],
    [1n, 1n, 'SO OV OV32', 2n, 'SO', 'gt so', 'OV is written anew, SO stays'],
  ];
  it.each(rows)('0x%s + 0x%s, XER %s', (a, b, xer, sum, xerAfter, cr0) => {
    const x = machine().put({ GPR4: a, GPR5: b, CR1: 15n });
    setXer(x, xer);
    x.load(RAM, x.encode('addeo.', 3, 4, 5));
    expect(x.run(1)).toBe(1);
    expect(x.get('GPR3').toString(16)).toBe(sum.toString(16));
    expect(xerOf(x)).toBe(xerAfter);
    expect(cr0Of(x)).toBe(cr0);
    expect(x.get('CR1')).toBe(15n);
    expect(x.get('PC')).toBe(RAM + 4n);
  });

  it('into one of its operands', () => {
    const x = machine().put({ GPR3: LEAST, CA: 1n });
    x.load(RAM, x.encode('addeo.', 3, 3, 3)).run(1);
    expect(x.get('GPR3')).toBe(1n);
    expect([xerOf(x), cr0Of(x)]).toEqual(['SO OV CA', 'gt so']);
  });
});

describe('mulldo.', () => {
  const rows: readonly (readonly [
    a: bigint,
    b: bigint,
    xer: string,
    product: bigint,
    xerAfter: string,
    cr0: string,
    why: string,
  ])[] = [
    [6n, 7n, '', 42n, '', 'gt', ''],
    [ONES, 7n, 'CA CA32', BigInt.asUintN(64, -7n), 'CA CA32', 'lt', 'CA and CA32 are left alone'],
    [ONES, ONES, '', 1n, '', 'gt', '-1 × -1'],
    [1n << 32n, 1n << 31n, '', LEAST, 'SO OV OV32', 'lt so', '2^63 does not fit'],
    [1n << 32n, BigInt.asUintN(64, -(1n << 31n)), '', LEAST, '', 'lt', '-2^63 fits'],
    [1n << 32n, 1n << 32n, '', 0n, 'SO OV OV32', 'eq so', '2^64: low half 0'],
    [LEAST, ONES, '', LEAST, 'SO OV OV32', 'lt so', '-2^63 × -1'],
    [LEAST, 1n, 'OV OV32', LEAST, '', 'lt', 'OV is cleared when it fits'],
    [0n, LEAST, 'SO', 0n, 'SO', 'eq so', 'SO stays'],
  ];
  it.each(rows)('0x%s × 0x%s, XER %s', (a, b, xer, product, xerAfter, cr0) => {
    const x = machine().put({ GPR4: a, GPR5: b });
    setXer(x, xer);
    x.load(RAM, x.encode('mulldo.', 3, 4, 5));
    expect(x.run(1)).toBe(1);
    expect(x.get('GPR3').toString(16)).toBe(product.toString(16));
    expect(xerOf(x)).toBe(xerAfter);
    expect(cr0Of(x)).toBe(cr0);
  });
});

describe('addeo. and mulldo. by an independent model', () => {
  const edge = fc.constantFrom(
    0n,
    1n,
    ONES,
    LEAST,
    LEAST - 1n,
    0x7fff_ffffn,
    0x8000_0000n,
    0xffff_ffffn,
    1n << 32n,
    BigInt.asUintN(64, -(1n << 31n)),
  );
  const word = fc.oneof(edge, fc.bigInt({ min: 0n, max: ONES }));
  const bit = fc.constantFrom(0n, 1n);
  const fits = (v: bigint, bits: bigint): boolean => v >= -(2n ** (bits - 1n)) && v < 2n ** (bits - 1n);
  const signed = (v: bigint, bits: bigint): bigint =>
    v % 2n ** bits >= 2n ** (bits - 1n) ? (v % 2n ** bits) - 2n ** bits : v % 2n ** bits;
  const compared = (exact: bigint, summary: bigint): bigint => {
    const v = signed(((exact % 2n ** 64n) + 2n ** 64n) % 2n ** 64n, 64n);
    return (v < 0n ? 8n : v > 0n ? 4n : 2n) + summary;
  };

  it.each([
    [
      'addeo.',
      (a: bigint, b: bigint, ca: bigint) => {
        const exact = signed(a, 64n) + signed(b, 64n) + ca;
        const low = signed(a, 32n) + signed(b, 32n) + ca;
        const OV = fits(exact, 64n) ? 0n : 1n;
        const CA = a + b + ca >= 2n ** 64n ? 1n : 0n;
        const CA32 = (a % 2n ** 32n) + (b % 2n ** 32n) + ca >= 2n ** 32n ? 1n : 0n;
        return { exact, xer: { OV, CA, OV32: fits(low, 32n) ? 0n : 1n, CA32 } };
      },
    ],
    [
      'mulldo.',
      (a: bigint, b: bigint, ca: bigint, ca32: bigint) => {
        const exact = signed(a, 64n) * signed(b, 64n);
        const OV = fits(exact, 64n) ? 0n : 1n;
        return { exact, xer: { OV, CA: ca, OV32: OV, CA32: ca32 } };
      },
    ],
  ] as const)('%s', (name, model) => {
    const x = machine();
    x.load(RAM, x.encode(name, 3, 4, 5));
    fc.assert(
      fc.property(word, word, bit, bit, bit, bit, (a, b, SO, OV, CA, CA32) => {
        x.put({ GPR4: a, GPR5: b, SO, OV, OV32: OV, CA, CA32, PC: RAM }).run(1);
        const { exact, xer } = model(a, b, CA, CA32);
        const summary = SO === 1n || xer.OV === 1n ? 1n : 0n;
        const found = Object.fromEntries(['OV', 'CA', 'OV32', 'CA32', 'SO', 'CR0', 'GPR3'].map((r) => [r, x.get(r)]));
        const sum = ((exact % 2n ** 64n) + 2n ** 64n) % 2n ** 64n;
        expect(found).toEqual({ ...xer, SO: summary, CR0: compared(exact, summary), GPR3: sum });
      }),
      { numRuns: 500 },
    );
  });
});

describe('rlwimi', () => {
  const rows: readonly (readonly [
    s: bigint,
    a: bigint,
    sh: number,
    mb: number,
    me: number,
    result: bigint,
    why: string,
  ])[] = [
    [0x1234_5678n, ONES, 0, 0, 31, 0xffff_ffff_1234_5678n, 'the low word; the high one stays'],
    [0xdead_beef_1234_5678n, 0n, 8, 0, 31, 0x3456_7812n, 'only the low word turns'],
    [
      0x0000_00abn,
      0x1111_1111_1111_1111n,
      8,
      16,
      23,
      0x1111_1111_1111_ab11n,
      'insert a byte: manual bits 16 to 23 are our 15 to 8',
    ],
    [0x8000_0000n, 0n, 1, 31, 31, 1n, 'the sign bit to bit 0'],
    [0xffff_ffffn, 0n, 0, 4, 4, 0x0800_0000n, 'one bit: manual bit 4 is our 27'],
    // MB > ME: the mask wraps through the whole high word, and ROTL32 has a copy of the low word there.
    [0x1234_5678n, 0xaaaa_aaaa_aaaa_aaaan, 0, 24, 7, 0x1234_5678_12aa_aa78n, 'wraps: high word, top byte and low byte'],
    [0x8000_0001n, 0n, 1, 31, 0, 0x0000_0003_0000_0001n, 'wraps by one bit each side; bit 31 of 00000003 is 0'],
  ];
  it.each(rows)('0x%s into 0x%s, %i %i %i', (s, a, sh, mb, me, result) => {
    const x = machine().put({ GPR4: s, GPR5: a, CR0: 5n });
    x.load(RAM, x.encode('rlwimi', 4, 5, sh, mb, me)).run(1);
    expect(x.get('GPR5').toString(16)).toBe(result.toString(16));
    expect(x.get('GPR4')).toBe(s);
    expect(x.get('CR0')).toBe(5n);
  });
});

describe('memory of a big-endian machine', () => {
  const at = RAM + 0x2000n;

  it('lwz reads the first byte as the most significant, lwbrx as the least; both clear the high word', () => {
    const x = machine().put({ GPR1: at, GPR2: 4n, GPR3: ONES, GPR4: ONES });
    x.bytes(at + 4n, 4).set([0x81, 0x02, 0x03, 0x04]);
    x.load(RAM, x.encode('lwz', 3, 1, 0, 0, 4), x.encode('lwbrx', 4, 1, 2)).run(2);
    expect(x.get('GPR3')).toBe(0x8102_0304n);
    expect(x.get('GPR4')).toBe(0x0403_0281n);
    expect(x.signals()).toEqual({ instruction: 2, cycle: 2, load: 2, access: 2 });
  });

  it('lwbrx with register 0 as its base takes the number 0', () => {
    const x = machine().put({ GPR0: 0x9999_9999n, GPR2: at });
    x.bytes(at, 4).set([1, 2, 3, 4]);
    x.load(RAM, x.encode('lwbrx', 4, 0, 2)).run(1);
    expect(x.get('GPR4')).toBe(0x0403_0201n);
  });

  it('lwbrx across a page end', () => {
    const x = machine().put({ GPR2: at + 0xffen });
    x.bytes(at + 0xffen, 4).set([1, 2, 3, 4]);
    x.load(RAM, x.encode('lwbrx', 4, 0, 2)).run(1);
    expect(x.get('GPR4')).toBe(0x0403_0201n);
    expect(x.signals().unaligned).toBe(1);
  });

  it('stdu: the most significant byte first, and the base becomes the address', () => {
    const x = machine().put({ GPR1: at + 0x20n, GPR3: 0x0102_0304_0506_0708n });
    // Displacement -0x10, 15 bits: 0x7ff0.
    x.load(RAM, x.encode('stdu', 3, 1, 31, 31, 16)).run(1);
    expect([...x.bytes(at + 0x10n, 8)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(x.get('GPR1')).toBe(at + 0x10n);
  });

  it('stdu of its own base stores what it was', () => {
    const x = machine().put({ GPR1: at });
    x.load(RAM, x.encode('stdu', 1, 1, 0, 0, 8)).run(1);
    expect([...x.bytes(at + 8n, 8)]).toEqual([0, 0, 0, 0, 0, 1, 0x20, 0]);
    expect(x.get('GPR1')).toBe(at + 8n);
  });

  it('stdu across a page end', () => {
    const x = machine().put({ GPR1: at + 0xff4n, GPR3: 0x0102_0304_0506_0708n });
    x.load(RAM, x.encode('stdu', 3, 1, 0, 0, 8)).run(1);
    expect([...x.bytes(at + 0xffcn, 8)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('stdu whose second page cannot be written: nothing stored, the base as it was', () => {
    const x = machine().put({ GPR1: at + 0xff4n, GPR3: ONES });
    x.pages.set((at >> 12n) + 1n, { physical: at + 0x1000n, write: false });
    x.load(RAM, x.encode('stdu', 3, 1, 0, 0, 8));
    const before = [x.all(), x.ram()];
    expect(x.run(1)).toBe(0);
    expect(x.taken).toEqual([{ kind: 'page-fault', address: at + 0x1000n, syndrome: 1n, pc: RAM }]);
    expect([x.all(), x.ram()]).toEqual(before);
  });
});

describe('mtcrf and XER', () => {
  const fields = (x: Foreign): bigint[] => CR_FIELDS.map((field) => x.get(field));

  it('CR0 is the most significant nibble of the low word, FXM its most significant bit', () => {
    const x = machine().put({ GPR3: 0xffff_ffff_1234_5678n });
    x.load(RAM, x.encode('mtcrf', 3, 0, 0, 0xff >> 5, 0xff & 31)).run(1);
    expect(fields(x)).toEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n]);
  });

  it.each([
    [0x80, [1n, 9n, 9n, 9n, 9n, 9n, 9n, 9n]],
    [0x01, [9n, 9n, 9n, 9n, 9n, 9n, 9n, 8n]],
    [0x41, [9n, 2n, 9n, 9n, 9n, 9n, 9n, 8n]],
    [0x00, [9n, 9n, 9n, 9n, 9n, 9n, 9n, 9n]],
  ])('FXM 0x%i: the other fields stay', (fxm, after) => {
    const x = machine().put({ GPR3: 0x1234_5678n, ...Object.fromEntries(CR_FIELDS.map((f) => [f, 9n])) });
    x.load(RAM, x.encode('mtcrf', 3, 0, 0, fxm >> 5, fxm & 31)).run(1);
    expect(fields(x)).toEqual(after);
  });

  it('mfcr gives back what mtcrf took', () => {
    const x = machine().put({ GPR3: 0x9abc_def0n, GPR4: ONES });
    x.load(RAM, x.encode('mtcrf', 3, 0, 0, 7, 31), x.encode('mfcr', 4)).run(2);
    expect(x.get('GPR4')).toBe(0x9abc_def0n);
  });

  it.each([
    [0x8000_0000n, 'SO'],
    [0x4000_0000n, 'OV'],
    [0x2000_0000n, 'CA'],
    [0x0008_0000n, 'OV32'],
    [0x0004_0000n, 'CA32'],
    [0xffff_ffff_e00c_0000n, 'SO OV CA OV32 CA32'],
    [0x1ff3_ffffn, ''],
  ])('XER 0x%s', (value, bits) => {
    const x = machine().put({ GPR3: value });
    x.load(RAM, x.encode('mtxer', 3), x.encode('mfxer', 4)).run(2);
    expect(xerOf(x)).toBe(bits);
    expect(x.get('GPR4')).toBe(value & 0xe00c_0000n);
  });

  it('a chain: mtxer sets CA and SO, addeo. uses and keeps them, mfcr and mfxer show it', () => {
    const x = machine().put({ GPR3: 0xa000_0000n, GPR4: 0x7fff_ffff_ffff_ffffn });
    x.load(RAM, x.encode('mtxer', 3), x.encode('addeo.', 5, 4, 6), x.encode('mfcr', 7), x.encode('mfxer', 8)).run(4);
    // 63 ones + CA = the least: OV and SO; the low words carry: CA32; CA itself goes. CR0: lt so = 1001.
    expect(x.get('GPR5')).toBe(LEAST);
    expect(x.get('GPR7')).toBe(0x9000_0000n);
    expect(x.get('GPR8')).toBe(0xc004_0000n);
  });
});

it('the same bytes in the other instruction set are another instruction', () => {
  const nop = { name: 'nop', lift: () => {} };
  const x = new Foreign({ set0: [nop], set1 }).put({ GPR0: 3n });
  x.load(RAM, x.encode('addeo.', 0, 0, 0));
  expect(x.encode('addeo.', 0, 0, 0)).toEqual([0, 0, 0, 0]);
  x.run(1);
  expect([x.get('PC'), x.get('GPR0')]).toEqual([RAM + 1n, 3n]);
  x.put({ PC: RAM, MODE: 1n });
  x.x.attention = 16;
  x.settle();
  x.run(1);
  expect([x.get('PC'), x.get('GPR0')]).toEqual([RAM + 4n, 6n]);
});
