import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Body, Bytes, F64, I32, I64 } from './encode.ts';
import { encodeModule } from './module.ts';

const hex = (bytes: Bytes): string => Buffer.from(bytes.done()).toString('hex');
const written = (write: (b: Bytes) => void): string => {
  const bytes = new Bytes();
  write(bytes);
  return hex(bytes);
};

describe('LEB128', () => {
  // W3C Core 5.2.2; the first three are those of the DWARF standard's figure.
  it.each([
    [2, '02'],
    [127, '7f'],
    [12857, 'b964'],
    [0xffff_ffff, 'ffffffff0f'],
  ])('%i unsigned is %s', (value, text) => expect(written((b) => b.u32(value))).toBe(text));

  it.each([
    [0n, '00'],
    [-2n, '7e'],
    [63n, '3f'],
    [64n, 'c000'],
    [-64n, '40'],
    [-65n, 'bf7f'],
    [-129n, 'ff7e'],
    [0x7fff_ffff_ffff_ffffn, 'ffffffffffffffffff00'],
    [-(2n ** 63n), '8080808080808080807f'],
  ])('%s signed is %s', (value, text) => expect(written((b) => b.s64(value))).toBe(text));

  it('of 32 bits is that of 64', () => {
    fc.assert(
      fc.property(fc.integer(), (v) => {
        expect(written((b) => b.s32(v))).toBe(written((b) => b.s64(BigInt(v))));
      }),
      { seed: 3 },
    );
  });
});

/** Runs a function of one i64. */
function run(build: (body: Body) => void): (value: bigint) => bigint {
  const body = new Body(1);
  build(body);
  const type = { parameters: [I64], results: [I64] };
  const bytes = encodeModule({ types: [type], pages: 1, functions: [{ name: 'f', type: 0, body }] });
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { m: { m: memory } });
  return exports.f as unknown as (value: bigint) => bigint;
}

describe('functions', () => {
  it('constants of every size come through', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        expect(run((b) => void b.i64(value))(0n)).toBe(value);
      }),
      { seed: 4 },
    );
  });

  it('branches leave the blocks they name, from any depth', () => {
    // The value says which of three nested blocks to leave; each adds its own digit behind it.
    const f = run((b) => {
      const sum = b.local(I64);
      const outer = b.block();
      const middle = b.block();
      const inner = b.block();
      b.get(0).op('i32.wrap_i64').brTable([inner, middle], outer);
      b.end();
      b.get(sum).i64(1n).op('i64.add').set(sum);
      b.end();
      b.get(sum).i64(10n).op('i64.add').set(sum);
      b.end();
      b.get(sum);
    });
    expect([0n, 1n, 2n, 7n].map(f)).toEqual([11n, 10n, 0n, 0n]);
  });

  it('loops go back', () => {
    const f = run((b) => {
      const sum = b.local(I64);
      const top = b.loop();
      b.get(sum).get(0).op('i64.add').set(sum);
      b.get(0).i64(1n).op('i64.sub').tee(0).i64(0n).op('i64.ne').brIf(top);
      b.end();
      b.get(sum);
    });
    expect(f(100n)).toBe(5050n);
  });

  it('memory is reached with an offset, locals of several types stand beside each other', () => {
    const f = run((b) => {
      const [at, value, float] = [b.local(I32), b.local(I64), b.local(F64)] as const;
      b.i32(8).set(at);
      b.get(at).get(0).memory('i64.store', 16);
      b.i32(0).memory('i64.load', 24).set(value);
      b.f64(1.5).set(float);
      b.get(at).get(float).memory('f64.store', 24);
      b.get(value).i32(0).memory('i64.load', 32).op('i64.add');
    });
    expect(f(5n)).toBe(0x3ff8_0000_0000_0000n + 5n);
  });

  it('what is still open is said', () => {
    const body = new Body(0);
    body.block();
    expect(() => body.finish()).toThrow('1 blocks are still open');
  });
});
