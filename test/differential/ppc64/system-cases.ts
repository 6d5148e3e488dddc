/** Cases in supervisor state with translation off: 32-bit mode and the interrupts that user mode does not show; and the product under test for them. */
import type { Arch, CpuRow } from '@countervisor/contract';
import { ppc64 } from '../../../packages/ppc64/src/index.ts';
import { encode, rowNamed } from '../../../packages/ppc64/src/isa/encode.ts';
import { rows } from '../../../packages/ppc64/src/isa/instructions/index.ts';
import { type Fields, fieldsOf, type Row } from '../../../packages/ppc64/src/isa/row.ts';
import type { Random } from '../random.ts';
import { fill, type Order, TRAP_WORD, WINDOW } from './cases.ts';
import { company, fitsForQemu, form, reach, undefinedPart, withoutOverflow } from './generate.ts';
import { assembled, of, vectorTexts } from './gnu.ts';
import { everything, guest } from './stepper.ts';
import {
  isEnd,
  SYSTEM_CODE,
  SYSTEM_CODE_SIZE,
  SYSTEM_DATA,
  SYSTEM_DATA_SIZE,
  type SystemCase,
  type SystemResult,
} from './system.ts';

/** Rows that are not tried here, each with its reason. */
export const NOT_HERE: Readonly<Record<string, string>> = {
  bca: 'its targets are the driver',
  bcla: 'its targets are the driver',
  wait: 'it would wait for ever',
  stop: 'it would wait for ever',
  mftb: 'the time differs',
  rfebb: 'needs registers of the PMU',
  clrbhrb: 'needs registers of the PMU',
  mfbhrbe: 'needs registers of the PMU',
  slbmte: 'is refused by name',
  slbmfev: 'is refused by name',
  slbmfee: 'is refused by name',
  'slbfee.': 'is refused by name',
  icbt: 'QEMU 7.2 knows it for embedded CPUs alone (book II, 4.3.2)',
};

export const isHere = (row: Row): boolean => !Object.hasOwn(NOT_HERE, row.name) && row.needs !== 'power-saving';

/** What POWER8 has of them, all but the vector facility, which is the same. */
export const isEarly = (row: Row): boolean =>
  isHere(row) && row.cost !== 'vector' && (row.needs === undefined || EARLY.features.includes(row.needs));

/** Words of the floating-point and vector rows, as GNU as makes them. */
export type VectorWords = ReadonlyMap<string, readonly (readonly number[])[]>;

export function vectorWords(): VectorWords {
  const texts = rows
    .filter(({ cost }) => cost === 'vector')
    .flatMap((row) => vectorTexts(row.name).map((text) => ({ row, text: of(row.name, text) })));
  const made = assembled(
    texts.map(({ text }) => text),
    'big',
  );
  const words = new Map<string, (readonly number[])[]>();
  texts.forEach(({ row }, i) => {
    const [word, suffix] = made[i] as readonly [number, number];
    words.set(row.name, [...(words.get(row.name) ?? []), row.suffix === undefined ? [word] : [word, suffix]]);
  });
  return words;
}

/** The CPU model that stands for the versions before 3.0. */
const EARLY = ppc64.cpus.power8 as CpuRow;

const SF = 1n << 63n;
const LE = 1n;
const RI = 2n;

/** What a case may put into MSR: no interrupts, no translation, no problem state, no tracing, no units. */
const SAFE = SF | RI;

const high = (random: Random, narrow: boolean): bigint => (narrow ? BigInt(random.u32()) << 32n : 0n);
const cut = (value: bigint): bigint => BigInt.asUintN(64, value);

/** Somewhere in the code, a multiple of 4 mostly. */
const somewhere = (random: Random): bigint =>
  SYSTEM_CODE + BigInt(random.below(SYSTEM_CODE_SIZE / 4) * 4) + BigInt(random.once(5) ? random.below(4) : 0);

/** A branch whose target lies in the code, and is not itself nor just behind it. */
function within(row: Row, f: Fields, random: Random, pc: bigint): readonly number[] {
  const far = 8 + random.below(0x1000);
  const by = (random.once(2) ? -far : far) * 4;
  if (f.BD !== undefined) return encode(row.name, { ...f, BD: (by / 4) & 0x3fff });
  const to = row.name.endsWith('a') ? Number(pc) + by : by;
  return encode(row.name, { ...f, LI: (to / 4) & 0xff_ffff });
}

/** One case for a row. */
export function generateSystem(
  row: Row,
  random: Random,
  order: Order,
  vectors: VectorWords,
  early = false,
): SystemCase {
  for (;;) {
    const made = form(row, random);
    const { f } = made;
    const given = vectors.get(row.name);
    const words = given === undefined ? made.words : random.one(given);
    const narrow = random.below(4) < 3;
    const gpr = Array.from({ length: 32 }, () => random.edge());
    const pc = SYSTEM_CODE + 0x6000n + BigInt(random.one([0, 4, 0x3c, random.below(0x1000) * 4]));
    const msr = (narrow ? 0n : SF) | (order === 'little' ? LE : 0n) | (random.once(2) ? RI : 0n);
    const common = {
      ...{ row: row.name, order, pc, gpr, msr, window: SYSTEM_DATA },
      bytes: Uint8Array.from({ length: WINDOW }, () => random.below(256)),
      // Before version 3.0 there were no OV32 and CA32.
      xer: random.u64() & (early ? 0xe000_007fn : 0xe00c_007fn),
      cr: random.u64() & 0xffff_ffffn,
      ctr: random.one([0n, 1n, 2n, 0x1_0000_0001n, random.edge()]),
      lr: random.edge(),
      fscr: 0xffffn,
    };
    // All but LEV 0 are the hypervisor's.
    if (row.name === 'sc') return { ...common, words: encode('sc', { LEV: random.below(64) * 2 }) };
    if (row.name === 'scv') return { ...common, words, fscr: random.once(4) ? 0xefffn : 0xffffn };
    if (/^mtmsrd?$/.test(row.name)) {
      gpr[f.RS] = (random.u64() & SAFE) | (order === 'little' ? LE : 0n);
      return { ...common, words };
    }
    if (row.name === 'rfid' || row.name === 'rfscv') {
      const [first, second] = row.name === 'rfid' ? [26, 27] : [8, 9];
      gpr[5] = somewhere(random) | high(random, true);
      gpr[6] = (random.u64() & SAFE) | (order === 'little' ? LE : 0n);
      // In 64-bit mode the address has all its bits.
      if ((gpr[6] & SF) !== 0n) gpr[5] &= 0xffff_ffffn;
      const set = [...encode('mtspr', { spr: first, RS: 5 }), ...encode('mtspr', { spr: second, RS: 6 })];
      return { ...common, words: [...set, ...words] };
    }
    if (/^b(cl|l|c)?l?a?$/.test(row.name)) return { ...common, words: within(row, f, random, pc) };
    const target = cut(somewhere(random) | high(random, narrow));
    const loops = BigInt.asUintN(32, target - pc + 32n) < 64n;
    if (/^b(clr|cctr|ctar)l?$/.test(row.name)) {
      if (loops) continue;
      gpr[5] = target;
      return {
        ...common,
        ...(row.name.startsWith('bclr') && { lr: target }),
        ...(row.name.startsWith('bcctr') && { ctr: target }),
        words: company(row, words, f, random),
      };
    }
    const access = row.cost === 'vector' ? undefined : reach(row, f);
    if (access === undefined) {
      const open = undefinedPart(row, f, gpr);
      return { ...common, words: company(row, words, f, random), ...(open && { open }) };
    }
    const { bytes } = access;
    const inside = SYSTEM_DATA + BigInt(random.below(0x2000 - bytes));
    const unit = random.once(3) ? BigInt(access.align) : 16n;
    const to =
      access.aligned || random.once(2) ? inside - (inside % (access.aligned ? BigInt(access.align) : unit)) : inside;
    const window = ((bytes === 128 ? to & ~127n : to & ~15n) - 32n) as bigint;
    const at = { window: window < SYSTEM_DATA ? SYSTEM_DATA : window };
    if (f.R === 1) {
      const D34 = Number(BigInt.asUintN(34, to - pc));
      return { ...common, ...at, words: encode(row.name, { ...f, D34 }) };
    }
    if (access.offset !== undefined && f.RA === 0) continue;
    const sum = cut(to + high(random, narrow));
    if (access.offset !== undefined) gpr[f.RA] = cut(sum - access.offset);
    else if (f.RA === 0) gpr[f.RB] = sum;
    else if (f.RA === f.RB) {
      if (to % 2n !== 0n) continue;
      gpr[f.RA] = to / 2n;
    } else gpr[f.RA] = cut(sum - (gpr[f.RB] as bigint));
    return { ...common, ...at, words: company(row, words, f, random) };
  }
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

export function describeSystemCase(c: SystemCase): string {
  const regs = c.gpr.map((v, n) => `R${n}=${hex(v)}`).join(' ');
  const words = c.words.map((w) => w.toString(16).padStart(8, '0')).join(' ');
  return `${c.row}: ${words} at ${hex(c.pc)}, MSR=${hex(c.msr)} CTR=${hex(c.ctr)} LR=${hex(c.lr)} XER=${hex(c.xer)} CR=${hex(c.cr)} window=${hex(c.window)}\n    ${regs}`;
}

const ORDER_BITS = 0xe000_0000n;

/** A prefix whose suffix lies behind a 64-byte boundary: no access, so no address that DAR could hold. */
const atEnd = (c: SystemCase): boolean => (c.pc & 63n) === 60n && (c.words[0] as number) >>> 26 === 1;

/** VSX unavailable as vector unavailable. */
const asVector = (result: SystemResult): SystemResult => ({
  ...result,
  vector: result.vector === 0xf40 ? 0xf20 : result.vector,
});

/** Where QEMU is wrong, by name, with the manual's section; and what of a result that touches. */
const FAULTS: readonly {
  readonly rows: RegExp;
  readonly when: (c: SystemCase) => boolean;
  readonly apart: (result: SystemResult, c: SystemCase) => SystemResult;
  readonly why: string;
}[] = [
  {
    rows: /^(l|st)[bhwd][za]?ux?$/,
    when: (c) => (c.msr & SF) === 0n,
    apart: (result, c) => {
      const { RA } = fieldsOf(rowNamed(c.row), c.words[0] as number);
      return { ...result, gpr: result.gpr.map((value, n) => (n === RA ? value & 0xffff_ffffn : value)) };
    },
    why: 'in 32-bit mode QEMU clears the high word of an update form’s RA (book I, 1.11.3 and 3.3.2: RA gets all of the sum)',
  },
  {
    rows: /^(l|st)(mw|sw[ix])$/,
    when: (c) => (c.msr & LE) !== 0n,
    apart: (result) => ({ ...result, dar: 0n }),
    why: 'QEMU does not set DAR when little-endian mode refuses a multiple or a string (book III, 6.5.8)',
  },
  {
    // With nothing to move they are no exception to little-endian mode's rule in QEMU.
    rows: /^(l|st)swx$/,
    when: (c) => (c.msr & LE) !== 0n && (c.xer & 127n) === 0n,
    apart: (result, c) => ({ ...result, ran: true, vector: 0, srr0: 0n, srr1: c.msr, dar: 0n }),
    why: 'QEMU raises the alignment interrupt for a string of no bytes in little-endian mode (book III, 6.5.8)',
  },
  {
    rows: /^(lxsd, lxssp|plxsd)$/,
    when: () => true,
    apart: asVector,
    why: 'QEMU asks for VSX where the target is a vector register (book I, 7.6.1: lxsd and plxsd write VRT)',
  },
  {
    rows: /^(l|st)xv(b16|h8)x$/,
    when: (c) => ((c.words[0] as number) & 1) === 1,
    apart: asVector,
    why: 'QEMU asks for VSX where TX or SX is 1 and the manual for VEC (book I, 7.6.3)',
  },
  {
    rows: /./,
    when: (c) => (c.words[0] as number) >>> 26 === 1,
    apart: (result) => ({ ...result, srr1: result.srr1 & ~0x2000_0000n }),
    why: 'QEMU 7.2 does not say in SRR1 that an instruction was prefixed (3.1B, book III, 7.5)',
  },
  {
    rows: /^divdeo?\.?$/,
    when: fitsForQemu,
    apart: withoutOverflow,
    why: 'a quotient of divde between 2^63 and 2^64 does not overflow in QEMU (book I, 3.3.9)',
  },
];

/** How the product and QEMU differ, and QEMU's fault where that is all of it. */
export function systemVerdict(
  c: SystemCase,
  ours: SystemResult,
  theirs: SystemResult,
): readonly [differs: string | undefined, why?: string] {
  const differs = systemDifference(c, ours, theirs);
  if (differs === undefined) return [undefined];
  let still = differs;
  let [mine, its] = [ours, theirs];
  for (const { rows: named, when, apart, why } of FAULTS) {
    if (!named.test(c.row) || !when(c)) continue;
    [mine, its] = [apart(mine, c), apart(its, c)];
    const left = systemDifference(c, mine, its);
    if (left === undefined) return [differs, why];
    still = left;
  }
  return [still];
}

/** How two results differ, in words; undefined when they agree. */
function systemDifference(c: SystemCase, ours: SystemResult, theirs: SystemResult): string | undefined {
  const all: string[] = [];
  const say = (what: string, mine: bigint, its: bigint): void => {
    if (mine !== its) all.push(`${what} ${hex(mine)}, QEMU ${hex(its)}`);
  };
  say('vector', BigInt(ours.vector), BigInt(theirs.vector));
  const open = ours.ran ? c.open : undefined;
  for (let n = 0; n < 32; n++) {
    const compared = open?.gpr === n ? ~open.bits : -1n;
    say(`GPR${n}`, (ours.gpr[n] as bigint) & compared, (theirs.gpr[n] as bigint) & compared);
  }
  say('CTR', ours.ctr, theirs.ctr);
  say('LR', ours.lr, theirs.lr);
  say('XER', ours.xer, theirs.xer & 0xe00c_007fn);
  const fields = open?.cr0 ? ~ORDER_BITS : -1n;
  say('CR', ours.cr & fields, theirs.cr & fields);
  // scv leaves SRR0 and SRR1 alone.
  if (ours.vector < 0x1_0000) {
    say('SRR0', ours.srr0, theirs.srr0);
    say('SRR1', ours.srr1, theirs.srr1);
  }
  if (ours.vector === 0x600 && !atEnd(c)) say('DAR', ours.dar, theirs.dar);
  const [mine, its] = [ours, theirs].map(({ bytes }) => Buffer.from(bytes).toString('hex')) as [string, string];
  if (mine !== its) all.push(`memory ${mine}, QEMU ${its}`);
  return all.length === 0 ? undefined : all.join('; ');
}

/** b . */
const HALT = 0x48000000;
const PIECES: readonly (readonly [string, number])[] = [
  ...([
    ['SO', 31],
    ['OV', 30],
    ['CA', 29],
    ['OV32', 19],
    ['CA32', 18],
    ['XER_COUNT', 0],
  ] as const),
];

export interface SystemBackend {
  run(c: SystemCase): SystemResult;
}

/** The plugin on core's stepper, as the driver has QEMU's machine. */
export function systemStepper(arch: Arch = everything(), cpu = 'everything'): SystemBackend {
  const g = guest(arch, cpu);
  for (let at = 0x100n; at < 0x2000n; at += 4n) g.word(at, HALT);
  for (let at = 0x1_7000n; at < 0x1_8000n; at += 4n) g.word(at, HALT);
  const data = g.domain.memory.slice(SYSTEM_DATA, SYSTEM_DATA_SIZE);
  if (data === undefined) throw new Error('The data pages are no memory.');
  for (let i = 0; i < data.length; i++) data[i] = fill(SYSTEM_DATA + BigInt(i));
  const shadow = data.slice();
  let filled: Order | undefined;
  const traps = (order: Order): void => {
    if (filled === order) return;
    filled = order;
    for (let at = 0n; at < BigInt(SYSTEM_CODE_SIZE); at += 4n) g.word(SYSTEM_CODE + at, TRAP_WORD, order === 'little');
  };
  return {
    run: (c) => {
      const little = c.order === 'little';
      traps(c.order);
      c.words.forEach((word, i) => {
        g.word(c.pc + BigInt(4 * i), word, little);
      });
      const window = Number(c.window - SYSTEM_DATA);
      data.set(c.bytes, window);
      c.gpr.forEach((value, n) => {
        g.set(`GPR${n}`, value);
      });
      for (const [name, low] of PIECES) g.set(name, (c.xer >> BigInt(low)) & (low === 0 ? 127n : 1n));
      for (let n = 0; n < 8; n++) g.set(`CR${n}`, (c.cr >> BigInt(28 - 4 * n)) & 15n);
      g.set('CTR', c.ctr);
      g.set('LR', c.lr);
      g.set('FSCR', c.fscr);
      g.set('RESERVE_SIZE', 0n);
      g.set('DAR', 0n);
      g.set('SRR0', c.pc);
      g.set('SRR1', c.msr);
      g.set('MSR', c.msr);
      g.set('NIA', c.pc);
      g.run(c.words.length + 1);
      const bytes = data.slice(window, window + WINDOW);
      data.set(shadow.subarray(window, window + WINDOW), window);
      c.words.forEach((_, i) => {
        g.word(c.pc + BigInt(4 * i), TRAP_WORD, little);
      });
      const at = Number(g.get('NIA'));
      let cr = 0n;
      for (let n = 0; n < 8; n++) cr = (cr << 4n) | g.get(`CR${n}`);
      const [srr0, srr1] = [g.get('SRR0'), g.get('SRR1')];
      return {
        ran: isEnd(c, at, srr0, srr1),
        vector: at,
        gpr: c.gpr.map((_, n) => g.get(`GPR${n}`)),
        ctr: g.get('CTR'),
        lr: g.get('LR'),
        xer: PIECES.reduce((all, [name, low]) => all | (g.get(name) << BigInt(low)), 0n),
        cr,
        srr0,
        srr1,
        dar: g.get('DAR'),
        bytes,
      };
    },
  };
}
