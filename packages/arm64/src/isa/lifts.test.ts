/** Lifts against results worked out by hand from the manual's pseudocode; the differential run against QEMU has the breadth. */
import { type AccessShape, type Lifter, PURE_OPS } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import * as a from '../asm.ts';
import { instruction } from './decode.ts';
import { encode } from './encode.ts';
import { rows } from './instructions/index.ts';
import { fieldsOf } from './row.ts';
import { type End, evaluate, memoryOf, type Passed } from './testing/evaluate.ts';

interface Setting {
  readonly registers?: Readonly<Record<string, bigint>>;
  /** Bytes from an address on. */
  readonly memory?: Readonly<Record<string, readonly number[]>>;
  readonly pc?: bigint;
}

interface Outcome {
  readonly end: End;
  readonly passed: readonly Passed[];
  readonly get: (name: string) => bigint;
  readonly bytes: (at: bigint, count: number) => (number | undefined)[];
  /** N, Z, C, V as a word: 'NzCv'. */
  readonly flags: string;
}

function run(word: number, { registers = {}, memory = {}, pc = 0x1000n }: Setting = {}): Outcome {
  const state = new Map(Object.entries(registers));
  const bytes = new Map<bigint, number>();
  for (const [at, list] of Object.entries(memory)) {
    list.forEach((byte, i) => {
      bytes.set(BigInt(at) + BigInt(i), byte);
    });
  }
  const store = memoryOf(bytes);
  const decoded = instruction(word);
  if (decoded === undefined) throw new Error(`${word.toString(16)} is no instruction`);
  const { end, passed } = evaluate(decoded.lift, pc, { registers: state, memory: store });
  const get = (name: string): bigint => state.get(name) ?? 0n;
  return {
    end,
    passed,
    get,
    bytes: (at, count) => Array.from({ length: count }, (_, i) => store.bytes.get(at + BigInt(i))),
    flags: ['N', 'Z', 'C', 'V'].map((flag) => (get(flag) === 1n ? flag : flag.toLowerCase())).join(''),
  };
}

const TOP = 1n << 63n;
const ALL = 2n ** 64n - 1n;

describe('flags', () => {
  it.each([
    ['5 - 5', 5n, 5n, 'nZCv'],
    ['5 - 6', 5n, 6n, 'Nzcv'],
    ['0 - least', 0n, TOP, 'NzcV'],
    ['least - 1', TOP, 1n, 'nzCV'],
    ['-1 - 1', ALL, 1n, 'NzCv'],
  ])('CMP %s', (_what, x1, x2, flags) => {
    expect(run(a.cmp('X1', 'X2'), { registers: { X1: x1, X2: x2 } }).flags).toBe(flags);
  });

  it.each([
    ['-1 + 1', ALL, 1n, 'nZCv'],
    ['greatest + 1', TOP - 1n, 1n, 'NzcV'],
    ['least + least', TOP, TOP, 'nZCV'],
    ['1 + 1', 1n, 1n, 'nzcv'],
  ])('CMN %s', (_what, x1, x2, flags) => {
    expect(run(a.cmn('X1', 'X2'), { registers: { X1: x1, X2: x2 } }).flags).toBe(flags);
  });

  it('ignore the upper halves at 32 bits and clear them in the result', () => {
    const out = run(a.adds('W0', 'W1', 'W2'), { registers: { X0: ALL, X1: 0xdead_ffff_ffffn, X2: 0xbeef_0000_0001n } });
    expect(out.get('X0')).toBe(0n);
    expect(out.flags).toBe('nZCv');
  });

  it('carry through ADCS and SBCS: C is "no borrow"', () => {
    const registers = { X1: ALL, X2: 0n, C: 1n };
    const sum = run(a.adcs('X0', 'X1', 'X2'), { registers });
    expect([sum.get('X0'), sum.flags]).toEqual([0n, 'nZCv']);
    const less = run(a.sbcs('X0', 'X2', 'X2'), { registers: { ...registers, C: 0n } });
    expect([less.get('X0'), less.flags]).toEqual([ALL, 'Nzcv']);
  });

  it('of TST: C and V are 0', () => {
    expect(run(a.tst('X1', TOP), { registers: { X1: ALL, C: 1n, V: 1n } }).flags).toBe('Nzcv');
  });

  it('of CCMP are compared or given', () => {
    const registers = { X1: 3n, X2: 3n };
    expect(run(a.ccmp('X1', 'X2', 0b1001, 'EQ'), { registers: { ...registers, Z: 1n } }).flags).toBe('nZCv');
    expect(run(a.ccmp('X1', 'X2', 0b1001, 'EQ'), { registers }).flags).toBe('NzcV');
    expect(run(a.ccmp('X1', 'X2', 0b0110, 'NE'), { registers: { ...registers, Z: 1n } }).flags).toBe('nZCv');
  });
});

describe('conditions', () => {
  /** Each holds for exactly these settings of N, Z, C, V (bits 3 to 0): the manual's table C1-1. */
  const TABLE: Readonly<Record<string, (n: boolean, z: boolean, c: boolean, v: boolean) => boolean>> = {
    EQ: (_n, z) => z,
    CS: (_n, _z, c) => c,
    MI: (n) => n,
    VS: (_n, _z, _c, v) => v,
    HI: (_n, z, c) => c && !z,
    GE: (n, _z, _c, v) => n === v,
    GT: (n, z, _c, v) => !z && n === v,
  };
  const OPPOSITE: Readonly<Record<string, string>> = {
    EQ: 'NE',
    CS: 'CC',
    MI: 'PL',
    VS: 'VC',
    HI: 'LS',
    GE: 'LT',
    GT: 'LE',
  };

  it.each(Object.keys(TABLE))('%s and its opposite, in CSET, CSEL, CSNEG and B.cond', (name) => {
    for (let nzcv = 0; nzcv < 16; nzcv++) {
      const [n, z, c, v] = [8, 4, 2, 1].map((bit) => (nzcv & bit) !== 0) as [boolean, boolean, boolean, boolean];
      const registers = { N: BigInt(n), Z: BigInt(z), C: BigInt(c), V: BigInt(v), X1: 7n, X2: 9n };
      const holds = TABLE[name]?.(n, z, c, v) === true;
      for (const [code, yes] of [
        [name, holds],
        [OPPOSITE[name] as string, !holds],
      ] as const) {
        expect(run(a.cset('X0', code), { registers }).get('X0'), `${code} ${nzcv}`).toBe(yes ? 1n : 0n);
        expect(run(a.csel('X0', 'X1', 'X2', code), { registers }).get('X0')).toBe(yes ? 7n : 9n);
        expect(run(a.csneg('W0', 'W1', 'W2', code), { registers }).get('X0')).toBe(yes ? 7n : 0xfffffff7n);
        const { end } = run(a.bcond(code, 0x40) as number, { registers });
        expect(end).toEqual({ kind: 'next', pc: yes ? 0x1040n : 0x1004n, signals: yes ? ['taken'] : [] });
      }
    }
  });

  it('AL and NV both always hold', () => {
    for (const code of ['AL', 'NV']) {
      expect(run(a.csel('X0', 'X1', 'X2', code), { registers: { X1: 7n } }).get('X0')).toBe(7n);
      // CSET of AL has the condition code of NV, and NV holds: the plain source, which is the zero register.
      expect(run(a.cset('X0', code), { registers: { X0: 5n } }).get('X0')).toBe(0n);
    }
  });
});

describe('operands', () => {
  const registers = { X1: 0x1000n, X2: 0xffff_ffff_ffff_ff80n };
  it.each([
    ['UXTB', 0x1080n],
    ['UXTH', 0x10f80n],
    ['UXTW', 0x1_0000_0f80n],
    ['SXTB', 0xf80n],
    ['SXTW #2', 0xe00n],
    ['UXTB #4', 0x1800n],
  ])('extended by %s', (how, sum) => {
    expect(run(a.add('X0', 'X1', 'W2', how), { registers }).get('X0')).toBe(sum);
  });

  it('31 is the zero register or the stack pointer', () => {
    const given = { SP: 0x8000n, X1: 1n };
    expect(run(a.add('X0', 'SP', 16), { registers: given }).get('X0')).toBe(0x8010n);
    expect(run(a.add('X0', 'XZR', 'X1'), { registers: given }).get('X0')).toBe(1n);
    expect(run(a.sub('SP', 'SP', 'X1'), { registers: given }).get('SP')).toBe(0x7fffn);
    expect(run(a.subs('XZR', 'X1', 'X1'), { registers: given }).get('SP')).toBe(0x8000n);
  });

  it('moves', () => {
    expect(run(a.mov('W0', 'W1'), { registers: { X1: ALL } }).get('X0')).toBe(0xffffffffn);
    expect(run(a.movn('X0', 0x1234, 16)).get('X0')).toBe(0xffff_ffff_edcb_ffffn);
    expect(run(a.movn('W0', 0)).get('X0')).toBe(0xffffffffn);
    expect(run(a.movk('W0', 0xabcd, 16), { registers: { X0: ALL } }).get('X0')).toBe(0xabcdffffn);
    expect(run(a.adr('X0', -4) as number).get('X0')).toBe(0xffcn);
    expect(run(a.adrp('X0', -2), { pc: 0x12345678n }).get('X0')).toBe(0x12343000n);
  });
});

describe('bit fields', () => {
  const registers = { X0: ALL, X1: 0x0123_4567_89ab_cdefn };
  it.each([
    ['UBFX X0, X1, #8, #16', a.ubfx('X0', 'X1', 8, 16), 0xabcdn],
    ['SBFX X0, X1, #8, #16', a.sbfx('X0', 'X1', 8, 16), 0xffff_ffff_ffff_abcdn],
    ['SBFX W0, W1, #8, #16', a.sbfx('W0', 'W1', 8, 16), 0xffff_abcdn],
    ['BFI X0, X1, #40, #8', a.bfi('X0', 'X1', 40, 8), 0xffff_efff_ffff_ffffn],
    ['BFXIL W0, W1, #4, #8', a.bfxil('W0', 'W1', 4, 8), 0xffff_ffden],
    ['LSL X0, X1, #60', a.lsl('X0', 'X1', 60), 0xf000_0000_0000_0000n],
    ['LSR W0, W1, #28', a.lsr('W0', 'W1', 28), 8n],
    ['ASR W0, W1, #28', a.asr('W0', 'W1', 28), 0xffff_fff8n],
    ['ROR X0, X1, #4', a.ror('X0', 'X1', 4), 0xf012_3456_789a_bcden],
    ['EXTR X0, X1, X0, #8', a.extr('X0', 'X1', 'X0', 8), 0xefff_ffff_ffff_ffffn],
    ['EXTR X0, X1, X0, #0', a.extr('X0', 'X1', 'X0', 0), ALL],
    ['SBFIZ: SBFM X0, X1, #60, #3', a.sbfm('X0', 'X1', 60, 3), 0xffff_ffff_ffff_fff0n],
    ['UBFIZ: UBFM X0, X1, #60, #3', a.ubfm('X0', 'X1', 60, 3), 0xf0n],
  ])('%s', (_text, word, value) => {
    expect(run(word, { registers }).get('X0')).toBe(value);
  });

  it('counts and reversals', () => {
    const given = { X1: 0x0000_0001_ffff_0000n };
    expect(run(a.clz('X0', 'X1'), { registers: given }).get('X0')).toBe(31n);
    expect(run(a.cls('W0', 'W1'), { registers: given }).get('X0')).toBe(15n);
    expect(run(a.cls('X0', 'X1'), { registers: { X1: 0n } }).get('X0')).toBe(63n);
    expect(run(a.rbit('X0', 'X1'), { registers: { X1: 1n } }).get('X0')).toBe(TOP);
    expect(run(a.rev16('X0', 'X1'), { registers }).get('X0')).toBe(0x2301_6745_ab89_efcdn);
    expect(run(a.rev32('X0', 'X1'), { registers }).get('X0')).toBe(0x6745_2301_efcd_ab89n);
    expect(run(a.rev('W0', 'W1'), { registers }).get('X0')).toBe(0xefcd_ab89n);
  });
});

describe('products and quotients', () => {
  it('keep signs and halves apart', () => {
    const registers = { X1: 0xffff_ffffn, X2: 0xffff_ffffn, X3: 1n };
    expect(run(a.umaddl('X0', 'W1', 'W2', 'X3'), { registers }).get('X0')).toBe(0xffff_fffe_0000_0002n);
    expect(run(a.smaddl('X0', 'W1', 'W2', 'X3'), { registers }).get('X0')).toBe(2n);
    expect(run(a.smulh('X0', 'X1', 'X2'), { registers: { X1: ALL, X2: ALL } }).get('X0')).toBe(0n);
    expect(run(a.umulh('X0', 'X1', 'X2'), { registers: { X1: ALL, X2: ALL } }).get('X0')).toBe(ALL - 1n);
  });
  it('divide by zero and the least by -1', () => {
    expect(run(a.udiv('X0', 'X1', 'X2'), { registers: { X1: 5n } }).get('X0')).toBe(0n);
    expect(run(a.sdiv('X0', 'X1', 'X2'), { registers: { X1: TOP, X2: ALL } }).get('X0')).toBe(TOP);
    expect(run(a.sdiv('W0', 'W1', 'W2'), { registers: { X1: 0xffff_fff9n, X2: 2n } }).get('X0')).toBe(0xffff_fffdn);
  });
});

describe('branches', () => {
  it('leave the return address and take their target before', () => {
    const out = run(a.blr('X30'), { registers: { X30: 0x2000n } });
    expect(out.end).toMatchObject({ kind: 'next', pc: 0x2000n });
    expect(out.get('X30')).toBe(0x1004n);
    expect(run(a.bl(-16) as number).end).toMatchObject({ pc: 0xff0n });
    expect(run(a.b(-0x2000) as number).end).toMatchObject({ pc: 0xffff_ffff_ffff_f000n });
  });
  it('test a register or one bit of it', () => {
    const registers = { X1: 0xffff_ffff_0000_0000n };
    expect(run(a.cbz('W1', 8) as number, { registers }).end).toMatchObject({ pc: 0x1008n });
    expect(run(a.cbz('X1', 8) as number, { registers }).end).toMatchObject({ pc: 0x1004n });
    expect(run(a.tbnz('X1', 32, 8) as number, { registers }).end).toMatchObject({ pc: 0x1008n });
    expect(run(a.tbz('X1', 31, 8) as number, { registers }).end).toMatchObject({ pc: 0x1008n });
  });
});

describe('memory', () => {
  const memory = { 8192: [0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0, 0, 0, 0, 0, 0, 0, 0] };

  it('sign-extends to the width that the opcode says', () => {
    const registers = { X1: 0x2000n };
    expect(run(a.ldrsb('W0', a.mem('X1')), { registers, memory }).get('X0')).toBe(0xffff_ff81n);
    expect(run(a.ldrsb('X0', a.mem('X1')), { registers, memory }).get('X0')).toBe(0xffff_ffff_ffff_ff81n);
    expect(run(a.ldrsw('X0', a.mem('X1', 4)), { registers, memory }).get('X0')).toBe(0xffff_ffff_8887_8685n);
    expect(run(a.ldrh('W0', a.mem('X1', 1)), { registers, memory }).get('X0')).toBe(0x8382n);
  });

  it('moves the base after the access, and the base wins over a target', () => {
    const out = run(a.ldr('X1', a.post('X1', 8)) as number, { registers: { X1: 0x2000n }, memory });
    expect(out.get('X1')).toBe(0x2008n);
    const stored = run(a.str('X1', a.pre('X1', 8)), { registers: { X1: 0x2000n }, memory });
    expect(stored.bytes(0x2008n, 3)).toEqual([0, 0x20, 0]);
    expect(stored.get('X1')).toBe(0x2008n);
  });

  it('changes nothing where the second of a pair faults', () => {
    const registers = { X1: 0x2008n, X2: 1n, X3: 2n };
    for (const word of [a.ldp('X2', 'X3', a.post('X1', 16)), a.stp('X2', 'X3', a.pre('X1', 0))]) {
      const out = run(word, { registers, memory });
      expect(out.end).toMatchObject({ kind: 'fault', why: 'memory', address: 0x2010n });
      expect(['X1', 'X2', 'X3'].map(out.get)).toEqual([0x2008n, 1n, 2n]);
      expect(out.bytes(0x2008n, 8)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    }
  });

  it('accesses as EL0 does in the unprivileged forms, and as itself in all others', () => {
    const levels = new Set<string>();
    for (const r of rows.filter(({ cost }) => cost === 'load' || cost === 'store')) {
      const shapes: AccessShape[] = [];
      const b = new Proxy({} as Lifter, {
        get: (_target, property) =>
          property === 'pc'
            ? 0x1000n
            : (...args: unknown[]) => {
                if (property === 'load' || property === 'store') shapes.push(args.at(-1) as AccessShape);
                return 0;
              },
      });
      r.lift(b, fieldsOf(r, r.match));
      for (const { level } of shapes) levels.add(`${r.name.includes('unprivileged')} ${level}`);
    }
    expect([...levels].sort()).toEqual(['false undefined', 'true 0']);
  });

  it('faults misaligned where the manual asks for alignment, whatever QEMU 7.2 does', () => {
    const registers = { X1: 0x2001n };
    const words = [
      a.ldar('X0', 'X1'),
      a.stlr('X0', 'X1'),
      a.ldxr('W0', 'X1'),
      a.ldapr('W0', 'X1', 'H'),
      a.cas('X0', 'X2', 'X1'),
    ];
    for (const word of words) {
      expect(run(word, { registers, memory }).end).toMatchObject({ kind: 'fault', why: 'alignment', address: 0x2001n });
    }
    expect(run(a.ldar('W0', 'X1', 'B'), { registers, memory }).get('X0')).toBe(0x82n);
    expect(run(a.ldxp('X0', 'X2', 'X1'), { registers: { X1: 0x2008n }, memory }).end).toMatchObject({
      why: 'alignment',
    });
  });

  it('checks the stack pointer as a base, and only that, where SCTLR_EL1 asks at this level', () => {
    const load = a.ldr('X0', a.mem('SP')) as number;
    const cases = [
      { el: 1n, control: 1n << 3n, faults: true },
      { el: 1n, control: 1n << 4n, faults: false },
      { el: 0n, control: 1n << 4n, faults: true },
      { el: 0n, control: 1n << 3n, faults: false },
    ];
    for (const { el, control, faults } of cases) {
      const registers = { SP: 0x2008n, EL: el, SCTLR_EL1: control };
      expect(run(load, { registers, memory }).end.kind).toBe(faults ? 'raise' : 'next');
      expect(run(load, { registers: { ...registers, SP: 0x2000n }, memory }).end.kind).toBe('next');
      expect(
        run(a.ldr('X0', a.mem('X1')) as number, { registers: { ...registers, X1: 0x2008n }, memory }).end.kind,
      ).toBe('next');
    }
    // A prefetch is no access.
    const hint = encode('PRFM (unsigned offset)', { imm12: 0, Rn: 31, Rt: 0 });
    expect(run(hint, { registers: { SP: 1n, EL: 1n, SCTLR_EL1: 8n } }).end.kind).toBe('next');
  });
});

describe('exclusives', () => {
  const memory = { 8192: Array.from({ length: 16 }, (_, i) => i) };
  const mark = { EXCLUSIVE_ADDRESS: 0x2000n, EXCLUSIVE_SIZE: 8n, EXCLUSIVE_LOW: 0x0706050403020100n };

  it('store where the mark still holds, and open the monitor either way', () => {
    const registers = { ...mark, X1: 0x2000n, X2: ALL };
    const out = run(a.stxr('W0', 'X2', 'X1'), { registers, memory });
    expect(out.get('X0')).toBe(0n);
    expect(out.bytes(0x2000n, 9)).toEqual([255, 255, 255, 255, 255, 255, 255, 255, 8]);
    expect(out.get('EXCLUSIVE_SIZE')).toBe(0n);
    expect(out.end).toMatchObject({ signals: ['store', 'access'] });
  });

  it.each([
    ['another address', { ...mark, EXCLUSIVE_ADDRESS: 0x2008n }],
    ['another size', { ...mark, EXCLUSIVE_SIZE: 4n }],
    ['another value since', { ...mark, EXCLUSIVE_LOW: 1n }],
    ['an open monitor', { ...mark, EXCLUSIVE_SIZE: 0n }],
  ])('fail after %s', (_what, marked) => {
    const out = run(a.stxr('W0', 'X2', 'X1'), { registers: { ...marked, X1: 0x2000n, X2: ALL }, memory });
    expect(out.get('X0')).toBe(1n);
    expect(out.bytes(0x2000n, 2)).toEqual([0, 1]);
    expect(out.get('EXCLUSIVE_SIZE')).toBe(0n);
    expect(out.end).toMatchObject({ signals: [] });
  });

  it('hold pairs of words as one doubleword', () => {
    const out = run(a.ldxp('W0', 'W2', 'X1'), { registers: { X1: 0x2000n }, memory });
    expect([out.get('X0'), out.get('X2')]).toEqual([0x03020100n, 0x07060504n]);
    expect(out.get('EXCLUSIVE_SIZE')).toBe(8n);
  });
});

describe('exceptions', () => {
  it('SVC retires, BRK does not', () => {
    expect(run(a.svc(0x1234)).end).toEqual({ kind: 'raise', exception: 'svc', syndrome: 0x1234n, retires: true });
    expect(run(a.brk(7)).end).toEqual({ kind: 'raise', exception: 'brk', syndrome: 7n, retires: false });
  });

  it('HVC, SMC and ERET are undefined at EL0', () => {
    for (const word of [a.hvc(1), a.smc(1), a.eret()]) {
      expect(run(word, { registers: { EL: 0n } }).end).toMatchObject({ kind: 'raise', exception: 'undefined' });
    }
    expect(run(a.hvc(5), { registers: { EL: 1n } }).passed).toEqual([{ cause: 'hypercall', argument: 5n }]);
    expect(run(a.smc(6), { registers: { EL: 1n } }).passed).toEqual([{ cause: 'smc', argument: 6n }]);
  });

  it('WFI and WFE wait, or trap to EL1 from an EL0 that may not', () => {
    // CV = 1, COND = 0b1110, TI = 0 or 1.
    const iss = (ti: bigint): bigint => 0x1e00000n | ti;
    expect(run(a.wfi(), { registers: { EL: 1n } }).passed).toEqual([{ cause: 'wait', argument: 0n }]);
    expect(run(a.wfe(), { registers: { EL: 1n } }).passed).toEqual([{ cause: 'wait-event', argument: 0n }]);
    expect(run(a.wfi(), { registers: { EL: 0n } }).end).toMatchObject({ exception: 'wfi-trap', syndrome: iss(0n) });
    expect(run(a.wfe(), { registers: { EL: 0n } }).end).toMatchObject({ exception: 'wfi-trap', syndrome: iss(1n) });
    expect(run(a.wfi(), { registers: { EL: 0n, SCTLR_EL1: 1n << 16n } }).passed).toHaveLength(1);
    expect(run(a.wfe(), { registers: { EL: 0n, SCTLR_EL1: 1n << 18n } }).passed).toHaveLength(1);
  });

  it('masks: DAIFSet and DAIFClr, for EL0 only with SCTLR_EL1.UMA', () => {
    expect(run(a.msrImmediate('DAIFSet', 5), { registers: { EL: 1n, DAIF: 0x80n } }).get('DAIF')).toBe(0x1c0n);
    expect(run(a.msrImmediate('DAIFClr', 2), { registers: { EL: 1n, DAIF: 0x3c0n } }).get('DAIF')).toBe(0x340n);
    // Op0 0, Op2 6, Op1 3, CRn 4, Rt 31, CRm 5, a write.
    const iss = (6n << 17n) | (3n << 14n) | (4n << 10n) | (31n << 5n) | (5n << 1n);
    expect(run(a.msrImmediate('DAIFSet', 5)).end).toMatchObject({ exception: 'sysreg-trap', syndrome: iss });
    expect(run(a.msrImmediate('DAIFSet', 5), { registers: { SCTLR_EL1: 1n << 9n } }).get('DAIF')).toBe(0x140n);
  });
});

describe('the cost of a lift', () => {
  /** Pure ops that a lift asks for, constants folded or not. */
  function ops(word: number): number {
    let count = 0;
    const b = new Proxy({} as Lifter, {
      get: (_target, property) =>
        property === 'pc' || property === 'next'
          ? 0x1000n
          : (...args: unknown[]) => {
              if (Object.hasOwn(PURE_OPS, property)) count += 1;
              if (property === 'when') (args[1] as () => void)();
              return 0;
            },
    });
    instruction(word)?.lift(b);
    return count;
  }

  it.each([
    ['CMP X1, X2', a.cmp('X1', 'X2'), 6],
    ['CMP X1, #5', a.cmp('X1', 5), 6],
    ['ADDS X0, X1, X2', a.adds('X0', 'X1', 'X2'), 5],
    ['ADD X0, X1, X2', a.add('X0', 'X1', 'X2'), 1],
    ['MOV X0, X1', a.mov('X0', 'X1'), 0],
    ['MOV X0, SP', a.mov('X0', 'SP'), 0],
    ['MOVZ X0, #5', a.movz('X0', 5), 0],
    ['TST X1, #1', a.tst('X1', 1), 3],
    ['CSET X0, EQ', a.cset('X0', 'EQ'), 1],
    ['CSEL X0, X1, X2, NE', a.csel('X0', 'X1', 'X2', 'NE'), 1],
    ['B.EQ', a.bcond('EQ', 8) as number, 0],
    ['B.HI', a.bcond('HI', 8) as number, 1],
    ['CBZ X0', a.cbz('X0', 8) as number, 1],
    ['UBFX X0, X1, #8, #8', a.ubfx('X0', 'X1', 8, 8), 2],
    ['LSL X0, X1, #3', a.lsl('X0', 'X1', 3), 1],
    ['LDR X0, [X1]', a.ldr('X0', a.mem('X1')) as number, 0],
    ['LDR X0, [X1, X2, LSL #3]', a.ldr('X0', a.mem('X1', 'X2', 'LSL #3')) as number, 2],
    ['NOP', a.nop(), 0],
  ])('%s takes no more than it must', (_text, word, most) => {
    expect(ops(word)).toBeLessThanOrEqual(most);
  });
});
