/**
 * Code of 16 and 32 bits, by hand: what user-mode oracles do not show. And every row in every mode: whatever may stop an instruction comes before its first change, which
 * core's builder checks. Intel SDM volume 1, 3.6 (sizes) and 6.2 (stacks); volume 3, 5.3 (limits), chapter 20 (real mode).
 */
import { describe, expect, it } from 'vitest';
import * as a from '../asm.ts';
import { type Guest, guest } from '../testing/long.ts';
import { rows } from './instructions/index.ts';
import type { CodeSize } from './mode.ts';
import { samples } from './testing/operands.ts';

const { mem } = a;
const CODE = 0x1_0000n;
const DATA = 0x2_0000n;

interface State {
  readonly bits: CodeSize;
  readonly set: Readonly<Record<string, bigint>>;
}

const segments = (base: (name: string) => bigint, limit: bigint, data: bigint, code: bigint): Record<string, bigint> =>
  Object.fromEntries(
    ['CS', 'DS', 'ES', 'SS', 'FS', 'GS'].flatMap((name) => [
      [name, base(name) >> 4n],
      [`${name}_BASE`, base(name)],
      [`${name}_LIMIT`, limit],
      [`${name}_AR`, name === 'CS' ? code : data],
    ]),
  );

const at = (name: string): bigint => (name === 'CS' ? CODE : DATA);
const NONE = { CR4: 0n, EFER: 0n };

/** CS at 64 KiB, the others at 128 KiB. */
const REAL: State = { bits: 16, set: { ...NONE, CR0: 0x10n, ...segments(at, 0xffffn, 0x93n, 0x9bn) } };
const PROTECTED16: State = { bits: 16, set: { ...NONE, CR0: 0x11n, ...segments(at, 0xffffn, 0x93n, 0x9bn) } };
const BENT32: State = { bits: 32, set: { ...NONE, CR0: 0x11n, ...segments(at, 0xfffn, 0x4093n, 0x409bn) } };
const FLAT32: State = { bits: 32, set: { ...NONE, CR0: 0x11n, ...segments(() => 0n, 0xffff_ffffn, 0xc093n, 0xc09bn) } };
const COMPATIBLE: State = { bits: 32, set: segments(() => 0n, 0xffff_ffffn, 0xc093n, 0xc09bn) };
const LONG: State = { bits: 64, set: {} };

/** Puts code and registers there; every vector of protected mode is absent, so a fault that is not expected ends the domain. */
function prepared(state: State, items: readonly a.Item[], more: Readonly<Record<string, bigint>> = {}): Guest {
  const g = guest([a.nop()]);
  const { bytes } = a.program(
    items,
    state.set.CS_BASE === undefined || state.set.CS_BASE === 0n ? CODE : 0n,
    state.bits,
  );
  bytes.forEach((value, n) => {
    g.write(CODE + BigInt(n), BigInt(value), 1);
  });
  for (const [name, value] of Object.entries({ ...state.set, RIP: CODE, RSP: 0x800n, RFLAGS: 2n, ...more }))
    g.set(name, value);
  return g;
}

/** So many instructions. */
function run(
  state: State,
  items: readonly a.Item[],
  count: number,
  more: Readonly<Record<string, bigint>> = {},
): Guest {
  return prepared(state, items, more).run(count);
}

const word = (g: Guest, offset: bigint, size: 1 | 2 | 4 | 8 = 2): bigint => g.word(DATA + offset, size);

describe('16-bit code in real mode', () => {
  it('adds words, and leaves the upper half', () => {
    const g = run(REAL, [a.add('AX', 'CX'), a.adc('DX', 0)], 2, { RAX: 0x1_ffffn, RCX: 1n, RDX: 5n });
    expect([g.get('RAX'), g.get('RDX'), g.get('RIP')]).toEqual([0x1_0000n, 6n, CODE + 5n]);
  });

  it('makes addresses of 16 bits, which wrap', () => {
    // 0xfff0 + 0x20 + 0x10 = 0x10020, modulo 64 KiB 0x20.
    const g = run(REAL, [a.mov(mem('BX', 0x10, 'SI'), 'AX'), a.lea('CX', mem('BX', 0x10, 'SI'))], 2, {
      RAX: 0x1234n,
      RBX: 0xfff0n,
      RSI: 0x20n,
    });
    expect([word(g, 0x20n), g.get('RCX')]).toEqual([0x1234n, 0x20n]);
  });

  it('pushes and pops with SP, which wraps; calls and returns with IP', () => {
    const g = run(REAL, [a.push('AX'), a.call('on'), a.hlt(), a.label('on'), a.ret()], 3, {
      RAX: 0xabcdn,
      RSP: 0xffff_0000n,
    });
    // SP 0 goes to 0xfffe, and there the upper half of ESP is not touched.
    expect([word(g, 0xfffen), word(g, 0xfffcn), g.get('RSP'), g.get('RIP')]).toEqual([
      0xabcdn,
      4n,
      0xffff_fffen,
      CODE + 4n,
    ]);
  });

  it('uses BP with SS, and another segment on request', () => {
    const g = run(REAL, [a.mov('AX', mem('BP', 2)), a.mov('CX', a.inSegment('CS', mem('BX')))], 2, {
      SS_BASE: 0x3_0000n,
      SS: 0x3000n,
      RBP: 0x10n,
      RBX: 0n,
    });
    expect(g.get('RCX')).toBe(0x468bn); // its own first bytes: 8B 46 02
    g.write(0x3_0012n, 0x77n, 2);
    g.set('RIP', CODE);
    expect(g.run(3).get('RAX') & 0xffffn).toBe(0x77n);
  });

  it('moves strings with CX, SI and DI, and repeats', () => {
    const g = prepared(REAL, [a.repMovs(16)], { RCX: 0x5_0003n, RSI: 0x7_0000n, RDI: 0x100n });
    for (const [n, value] of [1n, 2n, 3n].entries()) g.write(DATA + 2n * BigInt(n), value, 2);
    g.run(1);
    expect([0x100n, 0x102n, 0x104n].map((o) => word(g, o))).toEqual([1n, 2n, 3n]);
    expect([g.get('RCX'), g.get('RSI'), g.get('RDI')]).toEqual([0x5_0000n, 0x7_0006n, 0x106n]);
  });

  it('reaches 32 bits with prefixes: MOV EAX, LGDT and MOV CR0, as start-up code does', () => {
    const g = prepared(REAL, [a.lgdt(mem('BX')), a.mov('EAX', 'CR0'), a.or('EAX', 1), a.mov('CR0', 'EAX')], {
      RBX: 0x40n,
    });
    g.write(DATA + 0x40n, 0x17n, 2);
    g.write(DATA + 0x42n, 0x5512_3456n, 4);
    g.run(4);
    // Without a prefix the base has 24 bits.
    expect([g.get('GDTR_LIMIT'), g.get('GDTR_BASE'), g.get('CR0')]).toEqual([0x17n, 0x12_3456n, 0x11n]);
  });

  it('jumps within 64 KiB: JCXZ and LOOP count CX', () => {
    const g = run(REAL, [a.label('again'), a.inc('AX'), a.loop('again'), a.hlt()], 6, { RAX: 0n, RCX: 0x7_0003n });
    expect([g.get('RAX'), g.get('RCX'), g.get('RIP')]).toEqual([3n, 0x7_0000n, CODE + 3n]);
  });

  it('adjusts decimals: 19 + 28 = 47', () => {
    const g = run(REAL, [a.add('AL', 'BL'), a.op('DAA'), a.op('AAM', [10])], 3, { RAX: 0x19n, RBX: 0x28n });
    // 0x41 + 6 = 0x47 = 71; 71 / 10 = 7 and 1.
    expect(g.get('RAX')).toBe(0x0701n);
  });
});

/** Where the vectors of real mode lead: each to its number times 16. */
function vectors(g: Guest): void {
  for (let n = 0n; n < 32n; n++) g.write(4n * n, (0x9000n << 16n) | (n * 16n), 4);
  for (let n = 0n; n < 32n; n++) g.write(0x9_0000n + 16n * n, 0xfeebn, 2);
  g.set('IDTR_BASE', 0n);
  g.set('IDTR_LIMIT', 0x3ffn);
}
const vector = (g: Guest): bigint => (g.get('RIP') - 0x9_0000n) / 16n;

describe('limits', () => {
  const faults: readonly (readonly [
    name: string,
    items: readonly a.Item[],
    more: Readonly<Record<string, bigint>>,
    vector: bigint,
  ])[] = [
    ['a word at 0xffff', [a.mov('AX', mem('BX'))], { RBX: 0xffffn }, 13n],
    ['a byte at 0xffff', [a.mov('AL', mem('BX')), a.hlt()], { RBX: 0xffffn }, -1n],
    ['a word at 0xffff of the stack', [a.mov('AX', mem('BP'))], { RBP: 0xffffn }, 12n],
    ['a doubleword at 0xfffd', [a.mov(mem('BX'), 'EAX')], { RBX: 0xfffdn }, 13n],
    ['an address of 32 bits beyond 64 KiB', [a.mov('AX', mem('EBX'))], { RBX: 0x1_0000n }, 13n],
    ['a jump beyond 64 KiB', [a.jmp('EAX')], { RAX: 0x1_0000n }, 13n],
  ];
  it.each(faults)('real mode: %s', (_name, items, more, expected) => {
    const g = prepared(REAL, items, more);
    vectors(g);
    g.run(2);
    if (expected === -1n) expect(g.get('RIP')).toBe(CODE + 3n);
    else expect(vector(g)).toBe(expected);
    if (expected !== -1n) expect(word(g, BigInt.asUintN(16, g.get('RSP')))).toBe(0n);
  });

  it('a push with SP 1: the fault finds no room on the stack either, and the CPU shuts down', () => {
    const g = prepared(REAL, [a.push('AX')], { RSP: 1n });
    vectors(g);
    expect(g.run(2).domain.ended?.reason).toBe('reset');
  });

  it('an instruction beyond the limit of CS faults', () => {
    const g = prepared(REAL, [a.mov('EAX', 0x1234)], { CS_LIMIT: 4n });
    vectors(g);
    g.run(1);
    expect(vector(g)).toBe(13n);
    expect(
      prepared(REAL, [a.mov('EAX', 0x1234)], { CS_LIMIT: 5n })
        .run(1)
        .get('RAX'),
    ).toBe(0x1234n);
  });

  it('a null selector, a read-only segment and one that expands downwards', () => {
    const tries: readonly (readonly [more: Readonly<Record<string, bigint>>, offset: bigint, works: boolean])[] = [
      [{ DS_AR: 0x1_0093n }, 0n, false],
      [{ DS_AR: 0x4091n }, 0n, false],
      [{}, 0xffcn, true],
      [{}, 0xffdn, false],
      // Expand-down: what lies beyond the limit is in it.
      [{ DS_AR: 0x4097n }, 0xfffn, false],
      [{ DS_AR: 0x4097n }, 0x1000n, true],
    ];
    for (const [more, offset, works] of tries) {
      const g = prepared(BENT32, [a.mov(mem('EBX'), 'EAX')], { RAX: 0x55n, RBX: offset, ...more, IDTR_LIMIT: 0n });
      g.run(1);
      // Without an IDT the fault becomes a triple one.
      expect(g.domain.ended === undefined, `${offset}`).toBe(works);
      if (works) expect(word(g, offset, 4)).toBe(0x55n);
    }
  });
});

describe('32-bit code', () => {
  it('with a base: near calls save offsets', () => {
    const g = run(BENT32, [a.call('on'), a.hlt(), a.label('on'), a.mov('EAX', mem('ESP'))], 2);
    expect([g.get('RAX'), g.get('RSP'), g.get('RIP')]).toEqual([5n, 0x7fcn, CODE + 9n]);
  });

  it('in compatibility mode: 32-bit results clear upper halves, addresses have 32 bits', () => {
    const g = run(COMPATIBLE, [a.add('EAX', 1), a.mov('ECX', mem('EBX', -4))], 2, {
      RAX: 0x7_ffff_ffffn,
      RBX: 0xf_0000_0000n + DATA + 4n,
    });
    expect([g.get('RAX'), g.get('RCX')]).toEqual([0n, word(g, 0n, 4)]);
  });

  it('ENTER with a display, and LEAVE', () => {
    const g = prepared(FLAT32, [a.op('ENTER', [8, 2]), a.leave()], { RSP: DATA + 0x100n, RBP: DATA + 0x200n });
    g.write(DATA + 0x1fcn, 0x1111n, 4);
    g.run(1);
    // EBP, the first display entry, the new frame pointer; then 8 bytes.
    expect([0xfcn, 0xf8n, 0xf4n].map((o) => word(g, o, 4))).toEqual([DATA + 0x200n, 0x1111n, DATA + 0xfcn]);
    expect([g.get('RBP'), g.get('RSP')]).toEqual([DATA + 0xfcn, DATA + 0xecn]);
    g.run(2);
    expect([g.get('RBP'), g.get('RSP')]).toEqual([DATA + 0x200n, DATA + 0x100n]);
  });

  it('BOUND, ARPL, INTO that does nothing', () => {
    const g = prepared(FLAT32, [a.op('BOUND', ['EAX', mem('EBX')]), a.op('ARPL', ['CX', 'DX']), a.op('INTO')], {
      RAX: 5n,
      RBX: DATA,
      RCX: 0x10n,
      RDX: 3n,
    });
    g.write(DATA, 5n, 4);
    g.write(DATA + 4n, 5n, 4);
    g.run(3);
    expect([g.get('RCX'), g.get('RFLAGS') & 0x40n, g.domain.ended]).toEqual([0x13n, 0x40n, undefined]);
  });
});

/** Puts other code and other registers into a guest that there is already. */
function again(g: Guest, state: State, code: readonly number[], more: Readonly<Record<string, bigint>>): void {
  code.forEach((value, n) => {
    g.domain.writeMemory(CODE + BigInt(n), 1, BigInt(value));
  });
  for (const [name, value] of Object.entries({ ...state.set, RIP: CODE, RSP: 0x800n, RFLAGS: 2n, ...more }))
    g.set(name, value);
}

const GDT = 0x7000n;
const IDT = 0x8000n;
const HANDLER = 0x9000n;

/** Vectors of protected mode that all lead to a jump to itself, so that a fault does not end the domain: that would cost a new one. */
function catching(g: Guest, long: boolean): void {
  g.write(GDT + 8n, long ? 0x00af_9b00_0000_ffffn : 0x00cf_9b00_0000_ffffn);
  g.write(GDT + 0x10n, 0x00cf_9300_0000_ffffn);
  for (let n = 0n; n < 32n; n++) {
    // Present, interrupt gate of the mode, selector 8.
    const at = IDT + (long ? 16n : 8n) * n;
    g.write(at, HANDLER | (8n << 16n) | (0x8e00n << 32n));
    if (long) g.write(at + 8n, 0n);
  }
  g.write(HANDLER, 0xfeebn);
}
const CATCHES = { GDTR_BASE: GDT, GDTR_LIMIT: 0x17n, IDTR_BASE: IDT, IDTR_LIMIT: 0x1ffn };

describe('every row, in every mode', () => {
  it.each([
    ['real mode', REAL],
    ['protected mode of 16 bits', PROTECTED16],
    ['protected mode with limits', BENT32],
    ['flat protected mode', FLAT32],
    ['compatibility mode', COMPATIBLE],
    ['64-bit mode', LONG],
  ] as const)('%s: core accepts its lift', (name, state) => {
    const refused: string[] = [];
    let tried = 0;
    let g: Guest | undefined;
    for (const row of rows) {
      const missing =
        row.only === (state.bits === 64 ? 'legacy' : '64') || (row.only === 'protected' && name === 'real mode');
      // Features that no model has; and what is not modelled says so.
      if (missing || row.needs === 'sse3' || row.needs === 'xsave') continue;
      if (/^(F2XM1|FYL2X|FPTAN|FPATAN|FSIN|FCOS|FB)/.test(row.name)) continue;
      for (const { bytes } of samples(row, state.bits)) {
        if (g === undefined || g.domain.ended !== undefined) {
          g = prepared(state, []);
          if (state !== REAL) catching(g, state === COMPATIBLE || state === LONG);
          g.machine.events.on('diagnostic', ({ code, message }) => {
            if (code === 'CV_LIFT') refused.push(message);
          });
        }
        const caught = state === REAL ? {} : CATCHES;
        again(g, state, bytes, { RBX: 0x100n, RSI: 0x100n, RDI: 0x100n, RCX: 1n, ...caught });
        g.run(g.domain.instructions() + 1);
        tried += 1;
      }
    }
    expect(refused).toEqual([]);
    expect(tried).toBeGreaterThan(rows.length);
  });
});
