/**
 * Branches. Power ISA 3.0B, book I, 2.4. Bits of BO that the manual marks z are ignored, and its hints (a, t, BH) say nothing here but that a bclr with
 * BH 0 returns. bcctr with a BO that counts CTR down is invalid, and illegal here.
 */
import type { Lifter, Signal, Value } from '@countervisor/contract';
import { crBit, FACILITY, facilityOfUser, signed } from '../operands.ts';
import { type FieldsOf, type Mode, type Row, row, type Version } from '../row.ts';

const SOURCE = '2.4';

/** Addresses have 32 bits in 32-bit mode, also when they go to LR. */
const cut = (mode: Mode, at: bigint): bigint => BigInt.asUintN(mode.sf ? 64 : 32, at);

const link = (b: Lifter, mode: Mode): void => b.set('LR', b.constant(cut(mode, b.next)));

type Bo = FieldsOf<'BO BI'>;

/** BO's bits, most significant first: whether the condition, and CTR, are left out of it; what they should be. */
const bits = (f: Bo) => ({
  anyCondition: (f.BO & 16) !== 0,
  condition: (f.BO & 8) !== 0,
  anyCount: (f.BO & 4) !== 0,
  zero: (f.BO & 2) !== 0,
});

const always = (f: Bo): boolean => (f.BO & 20) === 20;

/** Counts CTR down where BO says so, and tells whether the branch is taken: not 0. */
function decide(b: Lifter, f: Bo, mode: Mode): Value {
  const { anyCondition, condition, anyCount, zero } = bits(f);
  let taken: Value | undefined;
  if (!anyCondition) {
    const bit = crBit(b, f.BI);
    taken = condition ? bit : b.xor(bit, b.constant(1));
  }
  if (!anyCount) {
    const count = b.sub(b.get('CTR'), b.constant(1));
    const nothing = b.constant(0);
    const right = b[zero ? 'eq' : 'ne'](count, nothing, mode.sf ? 64 : 32);
    b.set('CTR', count);
    taken = taken === undefined ? right : b.and(taken, right);
  }
  return taken ?? b.constant(1);
}

interface Suffix {
  readonly name: string;
  readonly lk: boolean;
}

const LINKS: readonly Suffix[] = [
  { name: '', lk: false },
  { name: 'l', lk: true },
];

const signalsOf = (f: Bo | undefined, immediate: boolean, lk: boolean): readonly Signal[] => [
  'branch',
  ...(immediate ? ['branch-immediate' as const] : []),
  ...(lk ? ['call' as const] : []),
  ...(f === undefined || always(f) ? ['taken' as const] : []),
];

const unconditional: readonly Row[] = [false, true].flatMap((aa) =>
  LINKS.map(({ name, lk }) =>
    row(
      `b${name}${aa ? 'a' : ''}`,
      'branch',
      `010010 LI ${aa ? '1' : '0'} ${lk ? '1' : '0'}` as string,
      'LI',
      SOURCE,
      (b, f, mode) => {
        const to = BigInt(signed(f.LI, 24) * 4) + (aa ? 0n : b.pc);
        if (lk) link(b, mode);
        b.jump(b.constant(cut(mode, to)));
      },
      { signals: signalsOf(undefined, true, lk) },
    ),
  ),
);

const conditional: readonly Row[] = [false, true].flatMap((aa) =>
  LINKS.map(({ name, lk }) =>
    row(
      `bc${name}${aa ? 'a' : ''}`,
      'branch',
      `010000 BO BI BD ${aa ? '1' : '0'} ${lk ? '1' : '0'}` as string,
      'BO BI BD',
      SOURCE,
      (b, f, mode) => {
        const to = cut(mode, BigInt(signed(f.BD, 14) * 4) + (aa ? 0n : b.pc));
        const taken = decide(b, f, mode);
        if (lk) link(b, mode);
        if (always(f)) b.jump(b.constant(to));
        else b.branch(taken, to);
      },
      { signals: (f) => signalsOf(f, true, lk) },
    ),
  ),
);

interface Through {
  readonly name: string;
  readonly register: 'LR' | 'CTR' | 'TAR';
  readonly xo: string;
  readonly needs?: Version;
  /** BO may not count CTR down. */
  readonly plain?: true;
  readonly before?: (b: Lifter) => void;
}

const THROUGH: readonly Through[] = [
  { name: 'bclr', register: 'LR', xo: '0000010000' },
  { name: 'bcctr', register: 'CTR', xo: '1000010000', plain: true },
  {
    name: 'bctar',
    register: 'TAR',
    xo: '1000110000',
    needs: 'isa-2.07',
    before: (b) => facilityOfUser(b, FACILITY.TAR),
  },
];

const registers: readonly Row[] = THROUGH.flatMap(({ name, register, xo, needs, plain, before }) =>
  LINKS.map(({ name: suffix, lk }) =>
    row(
      `${name}${suffix}`,
      'branch',
      `010011 BO BI /// BH ${xo} ${lk ? '1' : '0'}` as string,
      'BO BI BH',
      SOURCE,
      (b, f, mode) => {
        before?.(b);
        const aligned = b.and(b.get(register), b.constant(mode.sf ? ~3n : 0xffff_fffcn));
        const taken = decide(b, f, mode);
        if (lk) link(b, mode);
        if (always(f)) {
          b.jump(aligned);
          return;
        }
        b.when(taken, () => {
          b.emit('taken');
          if (register === 'LR' && !lk && f.BH === 0) b.emit('return');
          b.jump(aligned);
        });
      },
      {
        signals: (f) => [
          ...signalsOf(f, false, lk),
          ...(register === 'LR' && !lk && f.BH === 0 && always(f) ? ['return' as const] : []),
        ],
        ...(needs && { needs }),
        ...(plain && { allocated: (f) => (f.BO & 4) !== 0 }),
      },
    ),
  ),
);

export const branch: readonly Row[] = [...unconditional, ...conditional, ...registers];
