/** x87. Intel SDM volume 2, by mnemonic and table A-7 and on (escape opcodes); volume 1, chapter 8. The work is done by the helper of isa/x87.ts. */
import type { Signal, Value } from '@countervisor/contract';
import type { Body } from '../operands.ts';
import { type More, type Row, row } from '../row.ts';
import { KINDS, UNMODELLED, type X87, x87Index } from '../x87.ts';

/** EM or TS of CR0. */
const NOT_AVAILABLE = 0xcn;
/** ES of the status word. */
const PENDING = 0x80n;

function available(x: Body): void {
  const { b } = x;
  b.when(b.and(b.get('CR0'), b.constant(NOT_AVAILABLE)), () => x.raise('#NM'));
}

/** Instructions without N in their name wait for what is pending. */
function waiting(x: Body): void {
  const { b } = x;
  available(x);
  b.when(b.and(b.get('FSW'), b.constant(PENDING)), () => x.raise('#MF'));
}

const perform = (x: Body, name: X87, a: Value = x.constant(0), c: Value = x.constant(0)): Value =>
  x.call('x87', x.constant(x87Index(name)), a, c);

/** A helper's operation on two numbers. */
const plain =
  (name: X87, a = 0, c = 0) =>
  (x: Body): void => {
    waiting(x);
    perform(x, name, x.constant(a), x.constant(c));
  };

/** Without waiting. */
const quickly =
  (name: X87) =>
  (x: Body): void => {
    available(x);
    perform(x, name);
  };

/** The same with the number of a stack register, from ModRM. */
const withRegister =
  (name: X87, c = 0) =>
  (x: Body): void => {
    waiting(x);
    perform(x, name, x.constant(x.i.rm), x.constant(c));
  };

const withWhich =
  (name: X87, which: number) =>
  (x: Body): void => {
    waiting(x);
    perform(x, name, x.constant(which), x.constant(x.i.rm));
  };

const bytesOf = (kind: number): 2 | 4 | 8 => (Math.abs(KINDS[kind] as number) / 8) as 2 | 4 | 8;

const fromMemory =
  (name: X87, which: number, kind: number) =>
  (x: Body): void => {
    waiting(x);
    perform(x, name, x.constant(which), x.b.load(x.address(0, false, bytesOf(kind)), { size: bytesOf(kind) }));
  };

/** The place is tried, then the helper works, then the store follows, unless an exception holds it back. */
const toMemory =
  (name: X87, kind: number, pops: number) =>
  (x: Body): void => {
    const { b } = x;
    waiting(x);
    const size = bytesOf(kind);
    const at = x.address(0, true, size);
    b.probe(at, size, true);
    const value = perform(x, name, x.constant(kind), x.constant(pops));
    b.when(b.eq(b.get('X87_HELD'), b.constant(0)), () => b.store(at, value, { size }));
  };

function loadExtended(x: Body): void {
  const { b } = x;
  waiting(x);
  const at = x.address(0, false, 10);
  const low = b.load(at, { size: 8 });
  perform(x, 'load-extended', low, b.load(x.beyond(at, 8), { size: 2 }));
}

function storeExtended(x: Body): void {
  const { b } = x;
  waiting(x);
  const at = x.address(0, true, 10);
  b.probe(at, 10, true);
  const low = perform(x, 'store-extended');
  b.when(b.eq(b.get('X87_HELD'), b.constant(0)), () => {
    b.store(at, low, { size: 8 });
    b.store(x.beyond(at, 8), b.get('X87_HIGH'), { size: 2 });
  });
}

/** ZF, PF and CF; OF, SF and AF become 0. Bit 63 of the answer: nothing is to change. */
const toFlags =
  (name: X87) =>
  (x: Body): void => {
    const { b } = x;
    waiting(x);
    const flags = perform(x, name, x.constant(x.i.rm));
    b.when(b.eq(b.shr(flags, b.constant(63)), b.constant(0)), () => {
      const parity = b.and(b.shr(flags, b.constant(2)), b.constant(1));
      const result = b.xor(parity, b.constant(1));
      b.set('CF', b.and(flags, b.constant(1)));
      b.set('OF', b.constant(0));
      b.set('NONZERO', b.xor(b.and(flags, b.constant(0x40)), b.constant(0x40)));
      b.set('RESULT', result);
      b.set('AUX', b.constant(0));
    });
  };

/** FCMOVcc: B, E, BE, U, or not. */
const conditional =
  (condition: (x: Body) => Value, wanted: boolean) =>
  (x: Body): void => {
    const { b } = x;
    waiting(x);
    const holds = condition(x);
    const moves = wanted ? b.ne(holds, b.constant(0)) : b.eq(holds, b.constant(0));
    perform(x, 'conditional-move', b.constant(x.i.rm), moves);
  };

const CONDITIONS: readonly (readonly [name: string, code: number, holds: (x: Body) => Value])[] = [
  ['B', 0xc0, (x) => x.get('CF')],
  ['E', 0xc8, (x) => x.b.eq(x.get('NONZERO'), x.constant(0))],
  ['BE', 0xd0, (x) => x.b.select(x.get('NONZERO'), x.get('CF'), x.constant(1))],
  ['U', 0xd8, (x) => x.b.xor(x.b.and(x.b.popcnt(x.b.zext8(x.get('RESULT'))), x.constant(1)), x.constant(1))],
];

function storeControl(x: Body): void {
  available(x);
  x.write(0, x.get('FCW'));
}

function loadControl(x: Body): void {
  waiting(x);
  perform(x, 'control', x.unsigned(0));
}

function storeStatus(x: Body): void {
  available(x);
  x.write(0, x.get('FSW'));
}

const unmodelled = (name: string): ((x: Body) => void) => plain('unmodelled', UNMODELLED.indexOf(name));

const wait = (x: Body): void => {
  const { b } = x;
  // MP and TS together.
  b.when(b.eq(b.and(b.get('CR0'), b.constant(0xa)), b.constant(0xa)), () => x.raise('#NM'));
  b.when(b.and(b.get('FSW'), b.constant(PENDING)), () => x.raise('#MF'));
};

const fpu: More = { needs: 'fpu' };
const cmov: More = { needs: 'cmov' };

const MNEMONICS = ['FADD', 'FMUL', 'FCOM', 'FCOMP', 'FSUB', 'FSUBR', 'FDIV', 'FDIVR'];
const hex = (n: number): string => n.toString(16).toUpperCase().padStart(2, '0');
const isComparison = (n: number): boolean => n === 2 || n === 3;

/** D8, DA, DC and DE with memory: kind and operand letter of each. */
const FORMS: readonly (readonly [opcode: string, kind: number, operand: string, prefix: string])[] = [
  ['D8', 0, 'Md', 'F'],
  ['DC', 1, 'Mq', 'F'],
  ['DE', 2, 'Mw', 'FI'],
  ['DA', 3, 'Md', 'FI'],
];

const inMemory = FORMS.flatMap(([opcode, kind, operand, prefix]) =>
  MNEMONICS.map((name, n) =>
    row(
      `${prefix}${name.slice(1)}`,
      `${opcode} /${n}`,
      operand,
      'float',
      fromMemory('memory', n | (kind << 8), kind),
      fpu,
    ),
  ),
);

/** With ST(0) as destination; then ST(i), where SUB and SUBR, DIV and DIVR change places; then the same with a pop. */
const inRegisters = MNEMONICS.flatMap((name, n) => {
  const code = hex(0xc0 + 8 * n);
  if (isComparison(n)) return [row(name, `D8 ${code}+i`, '', 'float', withRegister(n === 2 ? 'fcom' : 'fcomp'), fpu)];
  const swapped = n < 4 ? n : n ^ 1;
  return [
    row(name, `D8 ${code}+i`, '', 'float', withWhich('st0-sti', n), { ...fpu, form: 'ST,STi' }),
    row(MNEMONICS[swapped] as string, `DC ${code}+i`, '', 'float', withWhich('sti-st0', swapped), {
      ...fpu,
      form: 'STi,ST',
    }),
    row(`${MNEMONICS[swapped]}P`, `DE ${code}+i`, '', 'float', withWhich('sti-st0', swapped | 0x100), fpu),
  ];
});

const moves = [
  row('FLD', 'D9 /0', 'Md', 'float', fromMemory('load', 0, 0), fpu),
  row('FLD', 'DD /0', 'Mq', 'float', fromMemory('load', 1, 1), fpu),
  row('FLD', 'DB /5', 'Mt', 'float', loadExtended, fpu),
  row('FLD', 'D9 C0+i', '', 'float', withRegister('load-register'), { ...fpu, form: 'STi' }),
  row('FILD', 'DF /0', 'Mw', 'float', fromMemory('load', 2, 2), fpu),
  row('FILD', 'DB /0', 'Md', 'float', fromMemory('load', 3, 3), fpu),
  row('FILD', 'DF /5', 'Mq', 'float', fromMemory('load', 4, 4), fpu),
  row('FST', 'D9 /2', 'Md=', 'float', toMemory('store', 0, 0), fpu),
  row('FSTP', 'D9 /3', 'Md=', 'float', toMemory('store', 0, 1), fpu),
  row('FST', 'DD /2', 'Mq=', 'float', toMemory('store', 1, 0), fpu),
  row('FSTP', 'DD /3', 'Mq=', 'float', toMemory('store', 1, 1), fpu),
  row('FSTP', 'DB /7', 'Mt=', 'float', storeExtended, fpu),
  row('FST', 'DD D0+i', '', 'float', withRegister('store-register', 0), { ...fpu, form: 'STi' }),
  row('FSTP', 'DD D8+i', '', 'float', withRegister('store-register', 1), { ...fpu, form: 'STi' }),
  row('FIST', 'DF /2', 'Mw=', 'float', toMemory('store', 2, 0), fpu),
  row('FISTP', 'DF /3', 'Mw=', 'float', toMemory('store', 2, 1), fpu),
  row('FIST', 'DB /2', 'Md=', 'float', toMemory('store', 3, 0), fpu),
  row('FISTP', 'DB /3', 'Md=', 'float', toMemory('store', 3, 1), fpu),
  row('FISTP', 'DF /7', 'Mq=', 'float', toMemory('store', 4, 1), fpu),
  row('FISTTP', 'DF /1', 'Mw=', 'float', toMemory('store-truncated', 2, 1), { needs: 'sse3' }),
  row('FISTTP', 'DB /1', 'Md=', 'float', toMemory('store-truncated', 3, 1), { needs: 'sse3' }),
  row('FISTTP', 'DD /1', 'Mq=', 'float', toMemory('store-truncated', 4, 1), { needs: 'sse3' }),
  row('FXCH', 'D9 C8+i', '', 'float', withRegister('exchange'), fpu),
  ...CONDITIONS.flatMap(([name, code, holds]) => [
    row(`FCMOV${name}`, `DA ${hex(code)}+i`, '', 'float', conditional(holds, true), cmov),
    row(`FCMOVN${name}`, `DB ${hex(code)}+i`, '', 'float', conditional(holds, false), cmov),
  ]),
];

const comparisons = [
  row('FUCOM', 'DD E0+i', '', 'float', withRegister('fucom'), fpu),
  row('FUCOMP', 'DD E8+i', '', 'float', withRegister('fucomp'), fpu),
  row('FUCOMPP', 'DA E9', '', 'float', withRegister('fucompp'), fpu),
  row('FCOMPP', 'DE D9', '', 'float', withRegister('fcompp'), fpu),
  row('FCOMI', 'DB F0+i', '', 'float', toFlags('fcomi'), cmov),
  row('FUCOMI', 'DB E8+i', '', 'float', toFlags('fucomi'), cmov),
  row('FCOMIP', 'DF F0+i', '', 'float', toFlags('fcomip'), cmov),
  row('FUCOMIP', 'DF E8+i', '', 'float', toFlags('fucomip'), cmov),
  row('FTST', 'D9 E4', '', 'float', plain('ftst'), fpu),
  row('FXAM', 'D9 E5', '', 'float', plain('fxam'), fpu),
];

const LOADED = ['FLD1', 'FLDL2T', 'FLDL2E', 'FLDPI', 'FLDLG2', 'FLDLN2', 'FLDZ'];

const stored: readonly Signal[] = ['store', 'access'];

const others = [
  ...LOADED.map((name, n) => row(name, `D9 ${hex(0xe8 + n)}`, '', 'float', plain('constant', n), fpu)),
  row('FCHS', 'D9 E0', '', 'float', plain('fchs'), fpu),
  row('FABS', 'D9 E1', '', 'float', plain('fabs'), fpu),
  row('FSQRT', 'D9 FA', '', 'float', plain('fsqrt'), fpu),
  row('FRNDINT', 'D9 FC', '', 'float', plain('frndint'), fpu),
  row('FSCALE', 'D9 FD', '', 'float', plain('fscale'), fpu),
  row('FXTRACT', 'D9 F4', '', 'float', plain('fxtract'), fpu),
  row('FPREM', 'D9 F8', '', 'float', plain('fprem'), fpu),
  row('FPREM1', 'D9 F5', '', 'float', plain('fprem1'), fpu),
  row('FDECSTP', 'D9 F6', '', 'float', plain('rotate', -1), fpu),
  row('FINCSTP', 'D9 F7', '', 'float', plain('rotate', 1), fpu),
  row('FFREE', 'DD C0+i', '', 'float', withRegister('ffree', 0), fpu),
  row('FFREEP', 'DF C0+i', '', 'float', withRegister('ffree', 1), fpu),
  row('FNOP', 'D9 D0', '', 'float', waiting, fpu),
  row('FWAIT', '9B', '', 'float', wait, fpu),
  row('FNCLEX', 'DB E2', '', 'float', quickly('fnclex'), fpu),
  row('FNINIT', 'DB E3', '', 'float', quickly('fninit'), fpu),
  row('FLDCW', 'D9 /5', 'Mw', 'float', loadControl, fpu),
  row('FNSTCW', 'D9 /7', 'Mw=', 'float', storeControl, fpu),
  row('FNSTSW', 'DD /7', 'Mw=', 'float', storeStatus, fpu),
  row('FNSTSW', 'DF E0', 'AX=', 'float', storeStatus, fpu),
  row('FLDENV', 'D9 /4', 'M', 'float', loadEnvironment, { ...fpu, signals: ['load', 'access'] }),
  row('FNSTENV', 'D9 /6', 'M', 'float', storeEnvironment, { ...fpu, signals: stored }),
  row('FRSTOR', 'DD /4', 'M', 'float', restore, { ...fpu, signals: ['load', 'access'] }),
  row('FNSAVE', 'DD /6', 'M', 'float', save, { ...fpu, signals: stored }),
  row('F2XM1', 'D9 F0', '', 'float', unmodelled('F2XM1'), fpu),
  row('FYL2X', 'D9 F1', '', 'float', unmodelled('FYL2X'), fpu),
  row('FPTAN', 'D9 F2', '', 'float', unmodelled('FPTAN'), fpu),
  row('FPATAN', 'D9 F3', '', 'float', unmodelled('FPATAN'), fpu),
  row('FYL2XP1', 'D9 F9', '', 'float', unmodelled('FYL2XP1'), fpu),
  row('FSINCOS', 'D9 FB', '', 'float', unmodelled('FSINCOS'), fpu),
  row('FSIN', 'D9 FE', '', 'float', unmodelled('FSIN'), fpu),
  row('FCOS', 'D9 FF', '', 'float', unmodelled('FCOS'), fpu),
  row('FBLD', 'DF /4', 'M', 'float', unmodelled('FBLD'), fpu),
  row('FBSTP', 'DF /6', 'M', 'float', unmodelled('FBSTP'), fpu),
];

/** Bytes of the environment of protected mode: seven words of 32 bits. */
const ENVIRONMENT = 28;
const SAVED = ENVIRONMENT + 80;

/** Real mode and 16-bit operands have a format of their own. */
function isNarrow(x: Body): boolean {
  if (x.size !== 16 || x.bits === 64) return false;
  perform(x, 'unmodelled', x.constant(UNMODELLED.indexOf('the 16-bit x87 environment')));
  return true;
}

/** What the environment's words are; the upper halves of the first three, and the last one's, are ones. */
function environment(x: Body): readonly Value[] {
  const { b } = x;
  const reserved = b.constant(0xffff_0000);
  const tags = perform(x, 'tags');
  const [control, status, tag] = [b.get('FCW'), b.get('FSW'), tags].map((value) => b.or(value, reserved));
  return [control, status, tag, b.get('FIP'), b.get('FOP'), b.get('FDP'), reserved] as Value[];
}

/** Everything is masked afterwards. */
function storeEnvironment(x: Body): void {
  const { b } = x;
  available(x);
  if (isNarrow(x)) return;
  const at = x.address(0, true, ENVIRONMENT);
  b.probe(at, ENVIRONMENT, true);
  environment(x).forEach((value, n) => {
    b.store(x.beyond(at, 4 * n), value, { size: 4 });
  });
  b.set('FCW', b.or(b.get('FCW'), b.constant(0x3f)));
}

function save(x: Body): void {
  const { b } = x;
  available(x);
  if (isNarrow(x)) return;
  const at = x.address(0, true, SAVED);
  b.probe(at, SAVED, true);
  const words = environment(x);
  const registers = Array.from(
    { length: 8 },
    (_, i) => [perform(x, 'peek', b.constant(i)), b.get('X87_HIGH')] as const,
  );
  words.forEach((value, n) => {
    b.store(x.beyond(at, 4 * n), value, { size: 4 });
  });
  registers.forEach(([low, high], i) => {
    b.store(x.beyond(at, ENVIRONMENT + 10 * i), low, { size: 8 });
    b.store(x.beyond(at, ENVIRONMENT + 10 * i + 8), high, { size: 2 });
  });
  perform(x, 'fninit');
}

/** The words that are loaded, before anything changes. */
function loadedEnvironment(x: Body, at: Value): { readonly apply: () => void; readonly settle: () => void } {
  const { b } = x;
  const words = Array.from({ length: 7 }, (_, n) => b.load(x.beyond(at, 4 * n), { size: 4 }));
  const [control, status, tags, ip, opcode, dp] = words as [Value, Value, Value, Value, Value, Value];
  return {
    apply: () => {
      const both = b.or(b.zext16(control), b.shl(b.zext16(status), b.constant(16)));
      perform(x, 'environment', b.zext16(tags), both);
    },
    settle: () => {
      b.set('FIP', ip);
      b.set('FOP', b.and(opcode, b.constant(0x7ff)));
      b.set('FDP', dp);
    },
  };
}

function loadEnvironment(x: Body): void {
  waiting(x);
  if (isNarrow(x)) return;
  const { apply, settle } = loadedEnvironment(x, x.address(0, false, ENVIRONMENT));
  apply();
  settle();
}

function restore(x: Body): void {
  const { b } = x;
  waiting(x);
  if (isNarrow(x)) return;
  const at = x.address(0, false, SAVED);
  const { apply, settle } = loadedEnvironment(x, at);
  const registers = Array.from({ length: 8 }, (_, i) => {
    const low = b.load(x.beyond(at, ENVIRONMENT + 10 * i), { size: 8 });
    return [low, b.load(x.beyond(at, ENVIRONMENT + 10 * i + 8), { size: 2 })] as const;
  });
  apply();
  registers.forEach(([low, high], i) => {
    perform(x, 'place', low, b.or(high, b.constant(i << 16)));
  });
  settle();
}

export const float: readonly Row[] = [...inMemory, ...inRegisters, ...moves, ...comparisons, ...others];
