/** The ops can say what an accumulator machine with flags needs: Intel SDM volume 2, ADC and RCL. Results by hand. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FLAGS, GENERAL } from './testing/arch.ts';
import { Foreign, RAM } from './testing/foreign.ts';
import { helpers, set0 } from './testing/x86.ts';

const machine = (): Foreign => new Foreign({ set0, helpers });
const number = (name: string): number => GENERAL.indexOf(name);
const RDX = number('RDX');
const RBX = number('RBX');
const RDI = number('RDI');
const ONES = 0xffff_ffff_ffff_ffffn;

/** 'C A Z' and so on: which of the flags are set, in the order of EFLAGS. */
const flagsOf = (x: Foreign): string =>
  ['CF', 'PF', 'AF', 'ZF', 'SF', 'OF']
    .filter((f) => x.get(f) === 1n)
    .map((f) => f.charAt(0))
    .join('');
const setFlags = (x: Foreign, letters: string): void => {
  for (const flag of FLAGS) x.set(flag, letters.includes(flag.charAt(0)) ? 1n : 0n);
};

describe('ADC', () => {
  // AF: the low nibbles and CF together exceed 15. PF: an even number of ones in the low byte. OF: two operands of one sign, a sum of the other.
  const rows: readonly (readonly [
    size: number,
    d: bigint,
    s: bigint,
    carry: string,
    sum: bigint,
    flags: string,
    why: string,
  ])[] = [
    [8, 0x7fn, 0x00n, 'C', 0x80n, 'ASO', 'f + 0 + 1 carries out of bit 3; one 1: odd; + and + gave -'],
    [8, 0xffn, 0x00n, 'C', 0x00n, 'CPAZ', 'ff + 1 wraps; no ones: even; - and + cannot overflow'],
    [8, 0x80n, 0x80n, '', 0x00n, 'CPZO', 'no carry out of bit 3; - and - gave +'],
    [8, 0x80n, 0xffn, '', 0x7fn, 'CO', '0 + f = f: no AF; seven ones: odd; - and - gave +'],
    [8, 0x80n, 0xffn, 'C', 0x80n, 'CAS', '0 + f + 1 = 10: AF; -128 - 1 + 1 = -128: no OF'],
    [8, 0x0fn, 0x01n, '', 0x10n, 'A', 'carry out of bit 3 alone; one 1: odd'],
    [8, 0x01n, 0x02n, '', 0x03n, 'P', 'two ones: even'],
    [8, 0x1122_3344_5566_77ffn, 0x01n, '', 0x1122_3344_5566_7700n, 'CPAZ', 'bits 63:8 of the register stay'],
    [16, 0x7fffn, 0x0000n, 'C', 0x8000n, 'PASO', 'the low byte is 0: even, whatever the high byte holds'],
    [16, 0xffffn, 0xffffn, 'C', 0xffffn, 'CPAS', '-1 - 1 + 1 = -1; eight ones in the low byte: even'],
    [16, 0xaaaa_0000_0000_8000n, 0x8000n, '', 0xaaaa_0000_0000_0000n, 'CPZO', 'bits 63:16 stay'],
    [32, 0x7fff_ffffn, 0x0000_0000n, 'C', 0x8000_0000n, 'PASO', 'the largest + 1'],
    [32, 0xffff_ffffn, 0xffff_ffffn, 'C', 0xffff_ffffn, 'CPAS', 'carry in and out at once'],
    [32, 0xdead_beef_8000_0000n, 0x8000_0000n, '', 0x0000_0000n, 'CPZO', 'bits 63:32 become 0'],
    [32, 0x0000_0001_ffff_fff0n, 0x0000_0000_0000_000fn, 'C', 0x0000_0000n, 'CPAZ', '0 + f + 1 carries all the way'],
    [64, 0x7fff_ffff_ffff_ffffn, 0n, 'C', 0x8000_0000_0000_0000n, 'PASO', 'the largest + 1'],
    [64, ONES, ONES, 'C', ONES, 'CPAS', '-1 - 1 + 1 = -1'],
    [64, 0x8000_0000_0000_0000n, 0x8000_0000_0000_0000n, '', 0n, 'CPZO', 'the least, twice'],
    [
      64,
      0xffff_ffffn,
      0n,
      'C',
      0x1_0000_0000n,
      'PA',
      'a carry from the low half into the high one is none out of bit 63',
    ],
  ];
  it.each(rows)('%i bits: 0x%s + 0x%s', (size, d, s, carry, sum, flags) => {
    const x = machine().put({ RDX: d, RBX: s });
    x.load(RAM, x.encode(`adc${size}`, RDX, RBX));
    setFlags(x, carry);
    expect(x.run(1)).toBe(1);
    expect(x.get('RDX').toString(16)).toBe(sum.toString(16));
    expect(flagsOf(x)).toBe(flags);
    expect(x.get('RBX')).toBe(s);
    expect(x.get('PC')).toBe(RAM + 3n);
  });

  it('to itself: both inputs are read before the output is written', () => {
    const x = machine().put({ RDX: 0x8000_0000_0000_0001n, CF: 1n });
    x.load(RAM, x.encode('adc64', RDX, RDX)).run(1);
    // 2 × 0x8000000000000001 + 1 = 1_0000000000000003: CF; two ones: PF; low nibbles 1 + 1 + 1: no AF; - and - gave +: OF.
    expect(x.get('RDX')).toBe(3n);
    expect(flagsOf(x)).toBe('CPO');
  });

  it('to memory, across a page end: 0xff + 0 + CF', () => {
    const at = RAM + 0x2ffen;
    const x = machine().put({ RDI: at, RBX: 0n, CF: 1n });
    x.bytes(at, 4).set([0xff, 0xff, 0xff, 0xff]);
    x.load(RAM, x.encode('adc32 to memory', RDI, RBX)).run(1);
    expect([...x.bytes(at, 4)]).toEqual([0, 0, 0, 0]);
    expect(flagsOf(x)).toBe('CPAZ');
    expect(x.signals()).toEqual({ instruction: 1, cycle: 1, load: 1, store: 1, access: 2, unaligned: 1 });
  });

  it('to memory that cannot be written: a fault at this instruction, flags and memory as before', () => {
    const at = RAM + 0x3000n;
    const x = machine().put({ RDI: at, RBX: 1n });
    x.pages.set(at >> 12n, { physical: at, write: false });
    x.bytes(at, 1).set([0xff]);
    x.load(RAM, x.encode('adc8 to memory', RDI, RBX));
    setFlags(x, 'SP');
    const before = [x.all(), x.ram()];
    expect(x.run(1)).toBe(0);
    expect(x.taken).toEqual([{ kind: 'page-fault', address: at, syndrome: 1n, pc: RAM }]);
    expect([x.all(), x.ram()]).toEqual(before);
    expect(x.signals()).toEqual({});
  });

  /** The manual's words once more, from scratch: signed ranges, nibbles and counted bits instead of sums of flags. */
  function model(size: number, d: bigint, s: bigint, carry: bigint): { sum: bigint; flags: string } {
    const range = 2n ** BigInt(size);
    const [x, y] = [d % range, s % range];
    const sum = (x + y + carry) % range;
    const signed = (v: bigint): bigint => (v >= range / 2n ? v - range : v);
    const exact = signed(x) + signed(y) + carry;
    let ones = 0;
    for (let i = 0n; i < 8n; i++) if ((sum / 2n ** i) % 2n === 1n) ones++;
    const set = {
      C: x + y + carry >= range,
      P: ones % 2 === 0,
      A: (x % 16n) + (y % 16n) + carry > 15n,
      Z: sum === 0n,
      S: signed(sum) < 0n,
      O: exact < -(range / 2n) || exact >= range / 2n,
    };
    const kept = size >= 32 ? 0n : d - x;
    return {
      sum: kept + sum,
      flags: Object.entries(set)
        .filter(([, on]) => on)
        .map(([letter]) => letter)
        .join(''),
    };
  }

  const edge = fc.constantFrom(
    0n,
    1n,
    0xfn,
    0x10n,
    0x7fn,
    0x80n,
    0xffn,
    0x7fffn,
    0x8000n,
    0xffffn,
    0x7fff_ffffn,
    0x8000_0000n,
    0xffff_ffffn,
    1n << 63n,
    (1n << 63n) - 1n,
    ONES,
  );
  const word = fc.oneof(edge, fc.bigInt({ min: 0n, max: ONES }));

  it.each([8, 16, 32, 64])('%i bits, any operands: as an independent model says', (size) => {
    const x = machine();
    x.load(RAM, x.encode(`adc${size}`, RDX, RBX));
    fc.assert(
      fc.property(word, word, fc.constantFrom(0n, 1n), (d, s, carry) => {
        x.put({ RDX: d, RBX: s, CF: carry, PC: RAM }).run(1);
        expect({ sum: x.get('RDX'), flags: flagsOf(x) }).toEqual(model(size, d, s, carry));
      }),
      { numRuns: 500 },
    );
  });
});

describe('RCL', () => {
  const all = 'PAZS';
  // The operand with CF on top is a ring of size + 1 bits. 8 and 16 bits: the count, masked to 5 bits, modulo 9 and 17.
  const rows: readonly (readonly [
    size: number,
    d: bigint,
    carry: string,
    count: bigint,
    result: bigint,
    flags: string,
    why: string,
  ])[] = [
    [8, 0x80n, '', 0n, 0x80n, '', 'count 0: nothing, not even a flag'],
    [8, 0x80n, 'CO', 0n, 0x80n, 'CO', 'count 0 leaves CF and OF set, too'],
    [8, 0x80n, '', 1n, 0x00n, 'CO', 'bit 7 to CF; OF: 0 xor 1'],
    [8, 0x80n, 'C', 1n, 0x01n, 'CO', 'CF to bit 0'],
    [8, 0xc0n, '', 1n, 0x80n, 'C', 'OF: 1 xor 1'],
    [8, 0x40n, '', 1n, 0x80n, 'O', 'OF: 1 xor 0'],
    [8, 0xffff_ff01n, 'C', 1n, 0xffff_ff03n, '', 'bits 63:8 stay'],
    [8, 0x5an, 'C', 9n, 0x5an, 'C', 'once around: 9 modulo 9'],
    [8, 0x81n, '', 8n, 0x40n, 'C', 'seven back is two on: ring 0_10000001, one to the right is 1_01000000'],
    [8, 0x80n, '', 10n, 0x00n, 'C', '10 modulo 9 = 1'],
    [8, 0x80n, '', 31n, 0x04n, '', '31 modulo 9 = 4: bit 7 goes to 11 modulo 9 = 2'],
    [8, 0x80n, '', 32n, 0x80n, '', '32 masked is 0'],
    [8, 0x80n, '', 33n, 0x00n, 'CO', '33 masked is 1, so OF is defined'],
    [16, 0x8001n, 'C', 1n, 0x0003n, 'CO', 'both ends at once'],
    [16, 0x8001n, 'C', 17n, 0x8001n, 'C', 'once around'],
    [16, 0x8001n, '', 18n, 0x0002n, 'C', '18 modulo 17 = 1'],
    [32, 0xffff_ffff_8000_0000n, '', 1n, 0x0000_0000n, 'CO', 'bits 63:32 become 0'],
    [32, 0x8000_0000n, 'C', 32n, 0x8000_0000n, 'C', '32 masked is 0'],
    [32, 0x0000_0003n, '', 31n, 0x8000_0000n, 'C', 'two to the right in a ring of 33: bits 1:0 become CF and bit 31'],
    [64, 0x8000_0000_0000_0001n, '', 1n, 0x2n, 'CO', 'bit 63 to CF, CF to bit 0'],
    [64, 0x8000_0000_0000_0000n, 'C', 64n, 0x8000_0000_0000_0000n, 'C', '64 masked is 0'],
    [64, 0x8000_0000_0000_0000n, 'C', 65n, 0x1n, 'CO', '65 masked is 1'],
    [64, 0x3n, '', 63n, 0x8000_0000_0000_0000n, 'C', 'two to the right in a ring of 65'],
    [64, 0x0n, 'C', 33n, 0x1_0000_0000n, '', 'CF to bit 32'],
  ];
  it.each(rows)('%i bits: 0x%s, CF %s, by %s', (size, d, carry, count, result, flags) => {
    for (const others of ['', all]) {
      const x = machine().put({ RDX: d, RCX: count });
      x.load(RAM, x.encode(`rcl${size}`, RDX));
      setFlags(x, carry + others);
      x.run(1);
      expect(x.get('RDX').toString(16)).toBe(result.toString(16));
      // PF, AF, ZF and SF are never touched.
      expect([...flagsOf(x)].sort().join('')).toBe([...flags, ...others].sort().join(''));
    }
  });

  it.each([8, 16, 32, 64])('%i bits, any count: as the loop in the manual turns it', (size) => {
    const x = machine();
    x.load(RAM, x.encode(`rcl${size}`, RDX));
    const range = 2n ** BigInt(size);
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: ONES }),
        fc.integer({ min: 0, max: 255 }),
        fc.constantFrom(0n, 1n),
        (d, count, carry) => {
          x.put({ RDX: d, RCX: BigInt(count), CF: carry, OF: 0n, PC: RAM }).run(1);
          let value = d % range;
          let out: bigint = carry;
          const masked = count % (size === 64 ? 64 : 32);
          const turns = size < 32 ? masked % (size + 1) : masked;
          for (let i = 0; i < turns; i++) {
            const top = value / (range / 2n);
            value = (value * 2n + out) % range;
            out = top;
          }
          expect(x.get('RDX')).toBe(size < 32 ? d - (d % range) + value : value);
          expect(x.get('CF')).toBe(out);
          if (masked === 1) expect(x.get('OF')).toBe((value / (range / 2n)) ^ out);
        },
      ),
      { numRuns: 500 },
    );
  });
});
