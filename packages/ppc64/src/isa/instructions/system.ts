/** System calls, returns, traps, SPRs, storage control and synchronization. Power ISA 3.0B, books I (2.6, 3.3.11, 3.3.17), II (4) and III (3.3, 4.3, 4.4, 5.9). */
import type { Lifter, Value } from '@countervisor/contract';
import { SPR } from '../../address.ts';
import { address, FACILITY, facility, facilityOfUser, gpr, indexed, privileged, setGpr, signed } from '../operands.ts';
import { bin, type Mode, PRIVILEGED, type Row, row, TRAP, type Version } from '../row.ts';
import { xForm } from './forms.ts';

const calls: readonly Row[] = [
  row('sc', 'system', '010001 ///// ///// //// LEV /// 1 /', 'LEV', '2.6', (b, f) => {
    // All but the last bit of LEV is reserved and ignored.
    if ((f.LEV & 1) === 1) b.trap('hypercall', b.constant(1));
    else b.raise('system-call', b.constant(0), true);
  }),
  row(
    'scv',
    'system',
    '010001 ///// ///// //// LEV /// 01',
    'LEV',
    '2.6',
    (b, f) => {
      facility(b, FACILITY.SCV);
      b.raise('system-call-vectored', b.constant(f.LEV), true);
    },
    { needs: 'isa-3.0' },
  ),
];

const nothing = (xo: number): string => `010011 ///// ///// ///// ${bin(xo, 10)} /`;

const returns: readonly Row[] = [
  ...(
    [
      ['rfid', 18, undefined],
      ['rfscv', 82, 'isa-3.0'],
    ] as const
  ).map(([name, xo, needs]) =>
    row(
      name,
      'branch',
      nothing(xo),
      '',
      'book III, 3.3.1',
      (b) => {
        privileged(b);
        b.jump(b.call(name));
      },
      { signals: ['exception-return'], ...(needs && { needs }) },
    ),
  ),
  row(
    'rfebb',
    'branch',
    '010011 ///// ///// //// S 0010010010 /',
    'S',
    'book II, 7.2.1',
    (b, f) => {
      facilityOfUser(b, FACILITY.EBB);
      b.jump(b.call('rfebb', b.constant(f.S)));
    },
    { needs: 'isa-2.07' },
  ),
];

/** A trap's condition: TO's bits are a < b, a > b and a = b signed, then a < b and a > b unsigned. */
function trapped(b: Lifter, to: number, a: Value, c: Value, width: 32 | 64): void {
  const raise = (): void => b.raise('program', b.constant(TRAP));
  if (to === 31) {
    raise();
    return;
  }
  const parts: Value[] = [];
  if (to & 16) parts.push(b.lts(a, c, width));
  if (to & 8) parts.push(b.lts(c, a, width));
  if (to & 4) parts.push(b.eq(a, c, width));
  if (to & 2) parts.push(b.ltu(a, c, width));
  if (to & 1) parts.push(b.ltu(c, a, width));
  const [first, ...rest] = parts;
  if (first !== undefined)
    b.when(
      rest.reduce((all, part) => b.or(all, part), first),
      raise,
    );
}

const traps: readonly Row[] = [
  row('twi', 'system', '000011 TO RA SI', 'TO RA SI', '3.3.11', (b, f) =>
    trapped(b, f.TO, gpr(b, f.RA), b.constant(signed(f.SI, 16)), 32),
  ),
  row('tdi', 'system', '000010 TO RA SI', 'TO RA SI', '3.3.11', (b, f) =>
    trapped(b, f.TO, gpr(b, f.RA), b.constant(signed(f.SI, 16)), 64),
  ),
  xForm({ name: 'tw', xo: 4, source: '3.3.11', cost: 'system' }, 'TO RA RB', 'TO RA RB', (b, f) =>
    trapped(b, f.TO, gpr(b, f.RA), gpr(b, f.RB), 32),
  ),
  xForm({ name: 'td', xo: 68, source: '3.3.11', cost: 'system' }, 'TO RA RB', 'TO RA RB', (b, f) =>
    trapped(b, f.TO, gpr(b, f.RA), gpr(b, f.RB), 64),
  ),
];

const SPRS = '3.3.17';

/**
 * LR and CTR are general registers that these two happen to name by number: nothing can stop an access, branches reach them without one, and every
 * function has one. All other numbers go the access road.
 */
const BRANCH_REGISTERS: ReadonlyMap<number, string> = new Map([
  [8, 'LR'],
  [9, 'CTR'],
]);

const registers: readonly Row[] = [
  row('mtspr', 'system', '011111 RS spr4:0 spr9:5 0111010011 /', 'spr RS', SPRS, (b, f) => {
    const name = BRANCH_REGISTERS.get(f.spr);
    if (name === undefined) b.write(SPR, b.constant(f.spr), gpr(b, f.RS));
    else b.set(name, gpr(b, f.RS));
  }),
  row('mfspr', 'system', '011111 RT spr4:0 spr9:5 0101010011 /', 'RT spr', SPRS, (b, f) => {
    const name = BRANCH_REGISTERS.get(f.spr);
    const value = name === undefined ? b.read(SPR, b.constant(f.spr)) : b.get(name);
    setGpr(b, f.RT, value);
  }),
  // The time base by its own instruction; any other number is reserved and goes the same road.
  row('mftb', 'system', '011111 RT spr4:0 spr9:5 0101110011 /', 'RT spr', 'book II, 6.1', (b, f) => {
    const value = b.read(SPR, b.constant(f.spr));
    setGpr(b, f.RT, value);
  }),
  row('mfmsr', 'system', '011111 RT ///// ///// 0001010011 /', 'RT', 'book III, 4.4.3', (b, f) => {
    privileged(b);
    setGpr(b, f.RT, b.get('MSR'));
  }),
  ...(['mtmsr', 'mtmsrd'] as const).map((name, i) =>
    row(
      name,
      'system',
      `011111 RS //// L ///// ${bin(i === 0 ? 146 : 178, 10)} /` as string,
      'RS L',
      'book III, 4.4.3',
      (b, f) => {
        privileged(b);
        b.call(name, gpr(b, f.RS), b.constant(f.L));
      },
    ),
  ),
  row('clrbhrb', 'system', '011111 ///// ///// ///// 0110101110 /', '', 'book II, 8.2', (b) => void b.call('clrbhrb'), {
    needs: 'isa-2.07',
  }),
  row(
    'mfbhrbe',
    'system',
    '011111 RT BHRBE 0100101110 /',
    'RT BHRBE',
    'book II, 8.2',
    (b, f) => {
      const value = b.call('mfbhrbe', b.constant(f.BHRBE));
      setGpr(b, f.RT, value);
    },
    { needs: 'isa-2.07' },
  ),
];

/** The block that dcbz clears, bytes: of every modelled CPU. */
const BLOCK = 128;

/** A cache operation that storage access control treats as a load of the byte addressed. Book II, 4.3. */
const asLoad = (name: string, xo: number, operands: string, syntax: string): Row =>
  xForm({ name, xo, source: 'book II, 4.3', cost: 'barrier' }, operands, syntax, (b, f, mode) =>
    b.probe(address(b, mode, indexed(b, f.RA, f.RB)), 1, false),
  );

/** A hint: no access, no fault. */
const hint = (name: string, xo: number, operands: string, syntax: string, needs?: Version): Row =>
  xForm({ name, xo, source: 'book II, 4.3', cost: 'nop', ...(needs && { needs }) }, operands, syntax, () => {});

const caches: readonly Row[] = [
  asLoad('dcbf', 86, '// L3 RA RB', 'RA RB L3'),
  asLoad('dcbst', 54, '///// RA RB', 'RA RB'),
  asLoad('icbi', 982, '///// RA RB', 'RA RB'),
  hint('dcbt', 278, 'TH RA RB', 'RA RB TH'),
  hint('dcbtst', 246, 'TH RA RB', 'RA RB TH'),
  hint('icbt', 22, '/ CT RA RB', 'CT RA RB', 'isa-2.07'),
  row(
    'dcbz',
    'store',
    '011111 ///// RA RB 1111110110 /',
    'RA RB',
    'book II, 4.3.2',
    (b, f, mode) => {
      const at = address(b, mode, indexed(b, f.RA, f.RB));
      // A fault reports the address given, not the block's; both are in one page.
      b.probe(at, 1, true);
      const block = b.and(at, b.constant(BigInt(-BLOCK)));
      for (let i = 0; i < BLOCK; i += 8) {
        b.store(i === 0 ? block : b.add(block, b.constant(i)), b.constant(0), { size: 8 });
      }
    },
    { signals: ['store', 'access'] },
  ),
];

/** LPCR's bit. */
const GTSE = 0x400;

/** What invalidates on all processors is the hypervisor's, unless from version 3.0 on LPCR[GTSE] gives it away. Book III, 5.9.3.3. */
function shared(b: Lifter, mode: Mode, body: () => void): void {
  const refuse = (): void => b.raise('program', b.constant(PRIVILEGED));
  if (!mode.low) {
    refuse();
    return;
  }
  b.when(b.eq(b.and(b.get('LPCR'), b.constant(GTSE)), b.constant(0)), refuse);
  body();
}

/** Memory is sequentially consistent here: vCPUs take turns. */
const barriers: readonly Row[] = [
  row('sync', 'barrier', '011111 // L3 /// SC ///// 1001010110 /', 'L3 SC', 'book II, 4.6.3', () => {}),
  row('eieio', 'barrier', '011111 ///// ///// ///// 1101010110 /', '', 'book II, 4.6.3', () => {}),
  row('isync', 'barrier', nothing(150), '', 'book II, 4.6.1', () => {}),
  row('tlbsync', 'barrier', '011111 ///// ///// ///// 1000110110 /', '', 'book III, 5.9.3.3', (b, _f, mode) => {
    privileged(b);
    shared(b, mode, () => {});
  }),
  row(
    'wait',
    'system',
    '011111 /// WC /// PL ///// 0000011110 /',
    'WC PL',
    'book II, 4.6.4',
    (b, f) => {
      // A wait with a condition may end at any time: at once.
      if (f.WC === 0) b.trap('wait', b.constant(0));
    },
    { needs: 'isa-3.0' },
  ),
  row(
    'stop',
    'system',
    nothing(370),
    '',
    'book III, 3.3.2',
    (b) => {
      privileged(b);
      b.trap('wait', b.constant(1));
    },
    { needs: 'isa-3.0' },
  ),
];

/** The SLB is always empty here (real mode, or radix), so there is nothing to invalidate; what fills or shows it is not modelled. */
const emptySlb = (name: string, xo: number, operands: string, syntax: string, needs?: Version): Row =>
  xForm({ name, xo, source: 'book III, 5.9.3', cost: 'system', ...(needs && { needs }) }, operands, syntax, privileged);

const hash = (name: string, xo: number, operands: string, syntax: string, rc: '/' | '1' = '/', needs?: Version): Row =>
  row(
    name,
    'system',
    `011111 ${operands} ${bin(xo, 10)} ${rc}` as string,
    syntax,
    'book III, 5.9.3',
    (b) => {
      privileged(b);
      b.trap('unmodelled', b.constant(0));
    },
    needs === undefined ? {} : { needs },
  );

/** RIC, PRS and R came with version 3.0; before it they are reserved, and 0. */
const invalidate = (name: string, xo: number): Row =>
  row(
    name,
    'system',
    `011111 RS / RIC PRS R RB ${bin(xo, 10)} /` as string,
    'RB RS RIC PRS R',
    'book III, 5.9.3.3',
    (b, f, mode) => {
      privileged(b);
      const operate = (): void => {
        const said = [f.RIC, f.PRS, f.R].map((n) => b.constant(n));
        b.call('tlbie', ...said, gpr(b, f.RS), gpr(b, f.RB), b.constant(name === 'tlbiel' ? 1 : 0));
      };
      if (name === 'tlbie') shared(b, mode, operate);
      else operate();
    },
  );

const translation: readonly Row[] = [
  invalidate('tlbie', 306),
  invalidate('tlbiel', 274),
  emptySlb('slbie', 434, '///// ///// RB', 'RB'),
  emptySlb('slbieg', 466, 'RS ///// RB', 'RS RB', 'isa-3.0'),
  emptySlb('slbia', 498, '// IH ///// /////', 'IH'),
  emptySlb('slbsync', 338, '///// ///// /////', '', 'isa-3.0'),
  hash('slbmte', 402, 'RS ///// RB', 'RS RB'),
  hash('slbmfev', 851, 'RT //// L RB', 'RT RB L'),
  hash('slbmfee', 915, 'RT //// L RB', 'RT RB L'),
  hash('slbfee.', 979, 'RT ///// RB', 'RT RB', '1', 'isa-2.05'),
];

/** The hypervisor's alone; a guest is never it. Book III, 6.5.9: with LPCR[EVIRT] 0 a program interrupt, privileged instruction. */
const HYPERVISOR: readonly (readonly [name: string, pattern: string, syntax: string, needs?: string])[] = [
  ['hrfid', nothing(274), ''],
  ['nap', nothing(434), '', 'power-saving'],
  ['doze', nothing(402), '', 'power-saving'],
  ['sleep', nothing(466), '', 'power-saving'],
  ['rvwinkle', nothing(498), '', 'power-saving'],
  ['msgsnd', '011111 ///// ///// RB 0011001110 /', 'RB', 'isa-2.07'],
  ['msgclr', '011111 ///// ///// RB 0011101110 /', 'RB', 'isa-2.07'],
  ['msgsync', '011111 ///// ///// ///// 1101110110 /', '', 'isa-3.0'],
  ...(
    [
      ['lwzcix', 'RT', 789],
      ['lhzcix', 'RT', 821],
      ['lbzcix', 'RT', 853],
      ['ldcix', 'RT', 885],
      ['stwcix', 'RS', 917],
      ['sthcix', 'RS', 949],
      ['stbcix', 'RS', 981],
      ['stdcix', 'RS', 1013],
    ] as const
  ).map(
    ([name, register, xo]) =>
      [name, `011111 ${register} RA RB ${bin(xo, 10)} /`, `${register} RA RB`, 'isa-2.05' as Version] as const,
  ),
];

const hypervisor: readonly Row[] = HYPERVISOR.map(([name, pattern, syntax, needs]) =>
  row(
    name,
    'system',
    pattern,
    syntax,
    'book III, 6.5.9',
    (b) => b.raise('program', b.constant(PRIVILEGED)),
    needs === undefined ? {} : { needs },
  ),
);

export const system: readonly Row[] = [
  ...calls,
  ...returns,
  ...traps,
  ...registers,
  ...caches,
  ...barriers,
  ...translation,
  ...hypervisor,
];
