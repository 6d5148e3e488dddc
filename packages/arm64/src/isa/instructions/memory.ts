/**
 * Loads and stores of general registers. Arm DDI 0487, C4.1 (loads and stores), C6.2 for each.
 *
 * CONSTRAINED UNPREDICTABLE choices (K1.2, AArch64), each permitted and each what QEMU does:
 * - Writeback with the base also a target: the access is performed, the base's new value stays. A store stores the old base.
 * - LDP, LDNP and LDPSW with both targets the same: both elements are read, the first stays.
 * - LDXP and LDAXP with both targets the same: the second stays.
 * - STXR, STXP with the status register also a source or the base: the old value is stored, then the status is written.
 * - Store-exclusive without a matching load-exclusive never accesses memory, so it does not fault either (local monitor checked first).
 * - A store-exclusive of another size than the load-exclusive fails.
 */
import type { AccessShape, Lifter, Signal, Value, Width } from '@countervisor/contract';
import { base, indexed, plus, type Writeback } from '../address.ts';
import { extended, setX, signed, x } from '../operands.ts';
import { type Row, row } from '../row.ts';

/** One register's load or store: what `size` and `opc` select. */
interface Kind {
  readonly name: string;
  /** Unscaled and unprivileged mnemonics differ by their second letter part: LDUR, LDTR. */
  readonly stem: string;
  /** The register's name in the row's: W or X. */
  readonly register: 'W' | 'X' | '';
  readonly size: string;
  readonly opc: string;
  readonly bytes: 1 | 2 | 4 | 8;
  readonly load: boolean;
  readonly signed?: boolean;
  readonly width?: Width;
}

const KINDS: readonly Kind[] = [
  { name: 'STRB', stem: 'B', register: '', size: '00', opc: '00', bytes: 1, load: false },
  { name: 'LDRB', stem: 'B', register: '', size: '00', opc: '01', bytes: 1, load: true },
  { name: 'LDRSB', stem: 'SB', register: 'X', size: '00', opc: '10', bytes: 1, load: true, signed: true, width: 64 },
  { name: 'LDRSB', stem: 'SB', register: 'W', size: '00', opc: '11', bytes: 1, load: true, signed: true, width: 32 },
  { name: 'STRH', stem: 'H', register: '', size: '01', opc: '00', bytes: 2, load: false },
  { name: 'LDRH', stem: 'H', register: '', size: '01', opc: '01', bytes: 2, load: true },
  { name: 'LDRSH', stem: 'SH', register: 'X', size: '01', opc: '10', bytes: 2, load: true, signed: true, width: 64 },
  { name: 'LDRSH', stem: 'SH', register: 'W', size: '01', opc: '11', bytes: 2, load: true, signed: true, width: 32 },
  { name: 'STR', stem: '', register: 'W', size: '10', opc: '00', bytes: 4, load: false },
  { name: 'LDR', stem: '', register: 'W', size: '10', opc: '01', bytes: 4, load: true },
  { name: 'LDRSW', stem: 'SW', register: '', size: '10', opc: '10', bytes: 4, load: true, signed: true, width: 64 },
  { name: 'STR', stem: '', register: 'X', size: '11', opc: '00', bytes: 8, load: false },
  { name: 'LDR', stem: '', register: 'X', size: '11', opc: '01', bytes: 8, load: true },
];

const LOAD: readonly Signal[] = ['load', 'access'];
const STORE: readonly Signal[] = ['store', 'access'];

export function shapeOf(kind: Pick<Kind, 'bytes' | 'signed' | 'width'>): AccessShape {
  return { size: kind.bytes, ...(kind.signed && { signed: true, width: kind.width ?? 64 }) };
}

/** The access, and then, nothing more being able to fault, the target and the base. */
function access(b: Lifter, kind: Kind, at: Value, t: number, shape: AccessShape, finish: () => void): void {
  if (kind.load) {
    const value = b.load(at, shape);
    setX(b, t, value);
  } else b.store(at, x(b, t), shape);
  finish();
}

function single(kind: Kind): readonly Row[] {
  const { size, opc } = kind;
  const shape = shapeOf(kind);
  const cost = kind.load ? 'load' : 'store';
  const more = { signals: kind.load ? LOAD : STORE };
  const called = (name: string, form: string): string => `${name}${kind.register && ` ${kind.register}`} (${form})`;
  const letters = kind.load ? 'LD' : 'ST';
  const short = (form: string, name: string, kindOf: string, writeback: Writeback, how: AccessShape) =>
    row(
      called(name, form),
      cost,
      `${size} 111 0 00 ${opc} 0 imm9 ${kindOf} Rn Rt` as string,
      (b, f) => {
        const { at, finish } = indexed(b, f.Rn, signed(f.imm9, 9), writeback);
        access(b, kind, at, f.Rt, how, finish);
      },
      more,
    );
  return [
    row(
      called(kind.name, 'unsigned offset'),
      cost,
      `${size} 111 0 01 ${opc} imm12 Rn Rt` as string,
      (b, f) => {
        const { at, finish } = indexed(b, f.Rn, f.imm12 * kind.bytes, 'offset');
        access(b, kind, at, f.Rt, shape, finish);
      },
      more,
    ),
    short('unscaled', `${letters}UR${kind.stem}`, '00', 'offset', shape),
    short('post-index', kind.name, '01', 'post', shape),
    // At EL0's privilege even at EL1.
    short('unprivileged', `${letters}TR${kind.stem}`, '10', 'offset', { ...shape, level: 0 }),
    short('pre-index', kind.name, '11', 'pre', shape),
    row(
      called(kind.name, 'register'),
      cost,
      `${size} 111 0 00 ${opc} 1 Rm option S 10 Rn Rt` as string,
      (b, f) => {
        const from = base(b, f.Rn);
        const offset = extended(b, f.Rm, f.option, f.S === 1 ? Math.log2(kind.bytes) : 0, 64);
        access(b, kind, f.Rm === 31 ? from : b.add(from, offset), f.Rt, shape, () => {});
      },
      // Bytes and halfwords have no extended form.
      { ...more, allocated: (f) => (f.option & 2) !== 0 },
    ),
  ];
}

/** Loads from a constant address. */
function literal(name: string, opc: string, shape: AccessShape): Row {
  return row(
    `${name} (literal)`,
    'load',
    `${opc} 011 0 00 imm19 Rt` as string,
    (b, f) => {
      const value = b.load(b.constant(b.pc + BigInt(signed(f.imm19, 19) * 4)), shape);
      setX(b, f.Rt, value);
    },
    { signals: LOAD },
  );
}

/** A hint: no access, no fault, no check of the stack pointer. */
const prefetch = (form: string, pattern: string): Row => row(`PRFM (${form})`, 'nop', pattern, () => {});

interface Pair {
  readonly name: string;
  readonly opc: string;
  readonly shape: AccessShape;
}

const PAIRS: readonly Pair[] = [
  { name: 'P W', opc: '00', shape: { size: 4 } },
  { name: 'P X', opc: '10', shape: { size: 8 } },
  { name: 'PSW', opc: '01', shape: { size: 4, signed: true } },
];

function pair({ name, opc, shape }: Pair, load: boolean, form: string, kindOf: string, writeback: Writeback): Row {
  const full = kindOf === '00' ? `${load ? 'LD' : 'ST'}N${name}` : `${load ? 'LD' : 'ST'}${name} (${form})`;
  const { size } = shape;
  return row(
    full,
    load ? 'load' : 'store',
    `${opc} 101 0 0 ${kindOf} ${load ? '1' : '0'} imm7 Rt2 Rn Rt` as string,
    (b, f) => {
      const { at, finish } = indexed(b, f.Rn, signed(f.imm7, 7) * size, writeback);
      const second = plus(b, at, size);
      if (load) {
        const first = b.load(at, shape);
        const other = b.load(second, shape);
        setX(b, f.Rt2, other);
        setX(b, f.Rt, first);
      } else {
        b.probe(at, 2 * size, true, shape);
        b.store(at, x(b, f.Rt), shape);
        b.store(second, x(b, f.Rt2), shape);
      }
      finish();
    },
    { signals: [load ? 'load' : 'store', 'access', 'access'] },
  );
}

function pairs(kind: Pair, load: boolean): readonly Row[] {
  const forms = [
    pair(kind, load, 'post-index', '01', 'post'),
    pair(kind, load, 'offset', '10', 'offset'),
    pair(kind, load, 'pre-index', '11', 'pre'),
  ];
  return kind.name === 'PSW' ? forms : [pair(kind, load, 'offset', '00', 'offset'), ...forms];
}

/** FEAT_LRCPC2: load-acquire RCpc and store-release with an unscaled offset. Ordering adds nothing: vCPUs take turns. */
function ordered(name: string, size: string, opc: string, shape: AccessShape, load: boolean): Row {
  return row(
    name,
    load ? 'load' : 'store',
    `${size} 011001 ${opc} 0 imm9 00 Rn Rt` as string,
    (b, f) => {
      const { at } = indexed(b, f.Rn, signed(f.imm9, 9), 'offset');
      if (load) setX(b, f.Rt, b.load(at, shape));
      else b.store(at, x(b, f.Rt), shape);
    },
    { signals: load ? LOAD : STORE, needs: 'rcpc2' },
  );
}

const unscaledOrdered: readonly Row[] = [
  ordered('STLURB', '00', '00', { size: 1 }, false),
  ordered('LDAPURB', '00', '01', { size: 1 }, true),
  ordered('LDAPURSB X', '00', '10', { size: 1, signed: true }, true),
  ordered('LDAPURSB W', '00', '11', { size: 1, signed: true, width: 32 }, true),
  ordered('STLURH', '01', '00', { size: 2, align: 2 }, false),
  ordered('LDAPURH', '01', '01', { size: 2, align: 2 }, true),
  ordered('LDAPURSH X', '01', '10', { size: 2, align: 2, signed: true }, true),
  ordered('LDAPURSH W', '01', '11', { size: 2, align: 2, signed: true, width: 32 }, true),
  ordered('STLUR W', '10', '00', { size: 4, align: 4 }, false),
  ordered('LDAPUR W', '10', '01', { size: 4, align: 4 }, true),
  ordered('LDAPURSW', '10', '10', { size: 4, align: 4, signed: true }, true),
  ordered('STLUR X', '11', '00', { size: 8, align: 8 }, false),
  ordered('LDAPUR X', '11', '01', { size: 8, align: 8 }, true),
];

export const memory: readonly Row[] = [
  ...KINDS.flatMap(single),
  literal('LDR W', '00', { size: 4 }),
  literal('LDR X', '01', { size: 8 }),
  literal('LDRSW', '10', { size: 4, signed: true }),
  prefetch('literal', '11 011 0 00 imm19 Rt'),
  prefetch('unsigned offset', '11 111 0 01 10 imm12 Rn Rt'),
  prefetch('unscaled', '11 111 0 00 10 0 imm9 00 Rn Rt'),
  row('PRFM (register)', 'nop', '11 111 0 00 10 1 Rm option S 10 Rn Rt', () => {}, {
    allocated: (f) => (f.option & 2) !== 0,
  }),
  ...PAIRS.flatMap((kind) => pairs(kind, true)),
  ...PAIRS.filter((kind) => kind.name !== 'PSW').flatMap((kind) => pairs(kind, false)),
  ...unscaledOrdered,
];
