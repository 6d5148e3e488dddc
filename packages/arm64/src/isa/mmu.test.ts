/** Stage 1 translation: each fault at each level in tables built by hand, the permission table cell by cell, and random tables against a second walker. */
import type { AccessKind, Exception, Translation } from '@countervisor/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Board, type FakeVcpu } from '../testing/board.ts';
import { type Kind, reference, rightsOf, STATUS } from '../testing/walker.ts';
import { checksAlignment, regime, regimes } from './mmu.ts';

const RAM = 0x4000_0000n;
/** Tables in RAM, a page each. */
const L0 = RAM;
const L1 = RAM + 0x1000n;
const L2 = RAM + 0x2000n;
const L3 = RAM + 0x3000n;

const TABLE = 3n;
const BLOCK = 1n;
const PAGE = 3n;
const AF = 1n << 10n;
const NORMAL = 0n << 2n;
const DEVICE = 1n << 2n;
/** AttrIndx 0: Normal write-back; 1: Device-nGnRE. */
const MAIR = 0x04ffn;
const ap = (bits: bigint): bigint => bits << 6n;
const UXN = 1n << 54n;
const PXN = 1n << 53n;

const M = 1n;
const A = 2n;
const WXN = 1n << 19n;

/** 48 bits below, 48 above, 4 KiB both, 48 bits out. */
const TCR = 16n | (16n << 16n) | (2n << 30n) | (5n << 32n);

/** 0x8000_4060_3000: index 1 at level 0, 1 at level 1, 3 at level 2, 3 at level 3. */
const VA = (1n << 39n) | (1n << 30n) | (3n << 21n) | (3n << 12n);

interface Entries {
  readonly l0?: bigint;
  readonly l1?: bigint;
  readonly l2?: bigint;
  readonly l3?: bigint;
}

function board(entries: Entries = {}, registers: Readonly<Record<string, bigint>> = {}): FakeVcpu {
  const made = new Board({ cpu: 'neoverse-n2' });
  const { l0 = L1 | TABLE, l1 = L2 | TABLE, l2 = L3 | TABLE, l3 = RAM | 0x8_0000n | PAGE | AF | NORMAL } = entries;
  made.word(L0 + 8n, l0);
  made.word(L1 + 8n, l1);
  made.word(L2 + 24n, l2);
  made.word(L3 + 24n, l3);
  return made
    .cpu()
    .put({ SCTLR_EL1: M, TCR_EL1: TCR, TTBR0_EL1: L0, TTBR1_EL1: L0, MAIR_EL1: MAIR, PAN: 0n, ...registers });
}

const ask = (vcpu: FakeVcpu, kind: AccessKind = 'read', level = 1, va = VA + 0x123n): Translation | Exception =>
  vcpu.translate(va, kind, level);

const dataAbort = (iss: bigint, address = VA + 0x123n): Exception => ({ kind: 'data-abort', syndrome: iss, address });

describe('a walk', () => {
  it('of four levels finds the page', () => {
    expect(ask(board())).toEqual({ physical: 0x4008_0123n, read: true, write: true, fetch: true, strict: false });
  });
  it('ends at a 2 MiB block', () => {
    const vcpu = board({ l2: 0x8020_0000n | BLOCK | AF });
    expect(ask(vcpu)).toMatchObject({ physical: 0x8020_3123n });
  });
  it('ends at a 1 GiB block', () => {
    const vcpu = board({ l1: 0x1_4000_0000n | BLOCK | AF });
    expect(ask(vcpu)).toMatchObject({ physical: 0x1_4060_3123n });
  });
  it('ignores the contiguous bit, nG, SH and software bits', () => {
    const vcpu = board({ l3: RAM | PAGE | AF | (1n << 52n) | (1n << 11n) | (3n << 8n) | (0xfn << 55n) });
    expect(ask(vcpu)).toMatchObject({ physical: RAM + 0x123n });
  });
  // bits, start level, what an index of 1 at the start level is worth; the table is aligned to its size.
  it.each([
    [48, 0, 1n << 39n],
    [40, 0, 1n << 39n],
    [39, 1, 1n << 30n],
    [31, 1, 1n << 30n],
    [30, 2, 1n << 21n],
    [25, 2, 1n << 21n],
  ] as const)('of %i address bits starts at level %i', (bits, level, one) => {
    const vcpu = board({}, { TCR_EL1: (TCR & ~63n) | BigInt(64 - bits) });
    const start = RAM + 0x8000n;
    vcpu.set('TTBR0_EL1', start);
    vcpu.board.word(start + 8n, level === 0 ? 0n : 0x2_8000_0000n | BLOCK | AF);
    // Level 0 has no blocks, so an invalid entry tells the level there.
    if (level === 0) expect(ask(vcpu, 'read', 1, one)).toEqual(dataAbort(0x04n, one));
    else expect(ask(vcpu, 'read', 1, one + 0x55n)).toMatchObject({ physical: 0x2_8000_0055n });
  });
  it('takes TTBR1 for addresses whose bit 55 is 1', () => {
    const vcpu = board();
    vcpu.set('TTBR0_EL1', 0n);
    expect(ask(vcpu, 'read', 1, VA | 0xffff_0000_0000_0000n)).toMatchObject({ physical: RAM + 0x8_0000n });
  });
  it('drops the bits of the table address that its size says are 0', () => {
    expect(ask(board({}, { TTBR0_EL1: L0 | 0xffen }))).toMatchObject({ physical: 0x4008_0123n });
    // 40 bits: two entries at level 0, 16 bytes. An entry of 0 at RAM + 0x10 and a table at RAM + 0x18.
    const small = board({}, { TCR_EL1: (TCR & ~63n) | 24n, TTBR0_EL1: L0 | 0x1en });
    small.board.word(L0 + 0x18n, L1 | TABLE);
    small.board.word(L0 + 8n, 0n);
    expect(ask(small)).toMatchObject({ physical: 0x4008_0123n });
  });
  it('keeps ASID and CnP out of the table address', () => {
    expect(ask(board({}, { TTBR0_EL1: L0 | 1n | (0xabcdn << 48n) }))).toMatchObject({ physical: 0x4008_0123n });
  });
});

describe('faults', () => {
  const at = (level: 0 | 1 | 2 | 3, entry: bigint): FakeVcpu => board({ [`l${level}`]: entry });
  const big = 1n << 44n;
  const small = { TCR_EL1: (TCR & ~(7n << 32n)) | (4n << 32n) };

  it.each([0, 1, 2, 3] as const)('translation, level %i: an invalid entry, with every other bit set', (level) => {
    const fsc = 0x04n + BigInt(level);
    expect(ask(at(level, 0xffff_ffff_ffff_fffen))).toEqual(dataAbort(fsc));
    expect(ask(at(level, 0n), 'write')).toEqual(dataAbort(fsc | 0x40n));
    expect(ask(at(level, 0n), 'fetch')).toEqual({ kind: 'instruction-abort', syndrome: fsc, address: VA + 0x123n });
  });
  it('translation: a block at level 0, and what would be one at level 3', () => {
    expect(ask(at(0, RAM | BLOCK | AF))).toEqual(dataAbort(0x04n));
    expect(ask(at(3, RAM | BLOCK | AF))).toEqual(dataAbort(0x07n));
  });
  it.each([1, 2, 3] as const)('access flag, level %i', (level) => {
    expect(ask(at(level, RAM | (level === 3 ? PAGE : BLOCK)))).toEqual(dataAbort(0x08n + BigInt(level)));
  });
  it.each([1, 2, 3] as const)('permission, level %i', (level) => {
    const vcpu = at(level, RAM | (level === 3 ? PAGE : BLOCK) | AF | ap(2n));
    expect(ask(vcpu, 'write')).toEqual(dataAbort(0x4cn + BigInt(level)));
  });
  it.each([0, 1, 2, 3] as const)('address size, level %i: beyond TCR_EL1.IPS', (level) => {
    const leaf = level === 3 ? PAGE : level === 0 ? TABLE : BLOCK;
    expect(ask(board({ [`l${level}`]: big | leaf | AF }, small))).toEqual(dataAbort(BigInt(level)));
  });
  it.each([1, 2] as const)('address size, level %i: of the next table', (level) => {
    expect(ask(board({ [`l${level}`]: big | TABLE }, small))).toEqual(dataAbort(BigInt(level)));
  });
  it('address size, level 0: of the first table', () => {
    expect(ask(board({}, { ...small, TTBR0_EL1: big }))).toEqual(dataAbort(0x00n));
  });
  it('address size comes before the access flag, the access flag before permission', () => {
    expect(ask(board({ l3: big | PAGE }, small))).toEqual(dataAbort(0x03n));
    expect(ask(at(3, RAM | PAGE | ap(2n)), 'write')).toEqual(dataAbort(0x4bn));
  });
  it('the CPU’s own size counts where IPS is larger', () => {
    // Cortex-A57: PARange 4, 44 bits.
    const made = new Board({ cpu: 'cortex-a57' });
    made.word(L0 + 8n, big | TABLE);
    const vcpu = made.cpu().put({ SCTLR_EL1: M, TCR_EL1: TCR, TTBR0_EL1: L0, MAIR_EL1: MAIR });
    expect(ask(vcpu)).toEqual(dataAbort(0x00n));
  });
  it.each([0, 1, 2, 3] as const)(
    'external abort on the walk, level %i: no memory where the table should be',
    (level) => {
      const nowhere = 0x2000_0000n;
      const vcpu = level === 0 ? board({}, { TTBR0_EL1: nowhere }) : board({ [`l${level - 1}`]: nowhere | TABLE });
      expect(ask(vcpu)).toEqual(dataAbort(0x14n + BigInt(level)));
    },
  );
  it('translation, level 0: bits above the range differ', () => {
    for (const va of [1n << 48n, 0xfffe_ffff_ffff_ffffn & ~(1n << 55n), 0xfffe_8000_0000_0000n, 1n << 63n]) {
      expect(ask(board(), 'read', 1, va)).toEqual(dataAbort(0x04n, va));
    }
    const narrow = { TCR_EL1: (TCR & ~63n) | 39n };
    expect(ask(board({}, narrow), 'read', 1, 1n << 25n)).toEqual(dataAbort(0x04n, 1n << 25n));
  });
  it('translation, level 0: EPD0 and EPD1 forbid walks', () => {
    const high = VA | 0xffff_0000_0000_0000n;
    expect(ask(board({}, { TCR_EL1: TCR | 0x80n }))).toEqual(dataAbort(0x04n));
    expect(ask(board({}, { TCR_EL1: TCR | 0x80n }), 'read', 1, high)).toHaveProperty('physical');
    expect(ask(board({}, { TCR_EL1: TCR | 0x80_0000n }), 'read', 1, high)).toEqual(dataAbort(0x04n, high));
    expect(ask(board({}, { TCR_EL1: TCR | 0x80_0000n }))).toHaveProperty('physical');
  });
  it('give the address as it was, tag and all', () => {
    const tagged = (0xabn << 56n) | VA;
    expect(ask(board({ l3: 0n }, { TCR_EL1: TCR | (1n << 37n) }), 'read', 1, tagged)).toEqual(dataAbort(0x07n, tagged));
  });
});

describe('top byte ignore', () => {
  const high = VA | 0x00ff_0000_0000_0000n;
  it.each([
    [37n, (0xabn << 56n) | VA, true],
    [38n, (0xabn << 56n) | VA, false],
    [38n, (0xabn << 56n) | high, true],
    [37n, (0xabn << 56n) | high, false],
  ] as const)('TCR_EL1 bit %s, address %s: %s', (position, va, found) => {
    const result = ask(board({}, { TCR_EL1: TCR | (1n << position) }), 'read', 1, va);
    if (found) expect(result).toMatchObject({ physical: RAM + 0x8_0000n });
    else expect(result).toEqual(dataAbort(0x04n, va));
  });
  it('does not excuse bits 55 to 48', () => {
    const va = (0xabn << 56n) | (1n << 50n) | VA;
    expect(ask(board({}, { TCR_EL1: TCR | (1n << 37n) }), 'read', 1, va)).toEqual(dataAbort(0x04n, va));
  });
});

describe('granules other than 4 KiB', () => {
  it.each([
    ['TG0 1', TCR | (1n << 14n), VA],
    ['TG0 2', TCR | (2n << 14n), VA],
    ['TG0 3', TCR | (3n << 14n), VA],
    ['TG1 0', TCR & ~(3n << 30n), VA | 0xffff_0000_0000_0000n],
    ['TG1 1', (TCR & ~(3n << 30n)) | (1n << 30n), VA | 0xffff_0000_0000_0000n],
    ['TG1 3', TCR | (3n << 30n), VA | 0xffff_0000_0000_0000n],
  ] as const)('%s is refused by name', (_name, tcr, va) => {
    const vcpu = board({}, { TCR_EL1: tcr });
    expect(() => ask(vcpu, 'read', 1, va)).toThrow(expect.objectContaining({ code: 'CV_UNMODELLED_GRANULE' }));
  });
  it('do not matter where no walk is made', () => {
    expect(ask(board({}, { TCR_EL1: TCR | (3n << 30n) }))).toHaveProperty('physical');
    expect(ask(board({}, { TCR_EL1: TCR | (1n << 14n) | 0x80n }))).toEqual(dataAbort(0x04n));
  });
});

describe('the permission table', () => {
  const KINDS = { read: 'r', write: 'w', fetch: 'x' } as const;
  const bits = [0n, 1n] as const;
  const cells = [0n, 1n, 2n, 3n].flatMap((a) =>
    bits.flatMap((uxn) =>
      bits.flatMap((pxn) =>
        bits.flatMap((wxn) => bits.flatMap((pan) => ([0, 1] as const).map((el) => ({ a, uxn, pxn, wxn, pan, el })))),
      ),
    ),
  );

  it('has 128 cells', () => expect(cells.length).toBe(128));

  it.each(cells)('AP $a UXN $uxn PXN $pxn WXN $wxn PAN $pan EL$el', ({ a, uxn, pxn, wxn, pan, el }) => {
    const rights = rightsOf(a.toString(2).padStart(2, '0'), `${uxn}`, `${pxn}`, el, {
      wxn: wxn === 1n,
      pan: pan === 1n,
    });
    const vcpu = board(
      { l3: RAM | PAGE | AF | ap(a) | (uxn * UXN) | (pxn * PXN) },
      { SCTLR_EL1: M | (wxn * WXN), PAN: pan },
    );
    const wanted = { read: rights.includes('r'), write: rights.includes('w'), fetch: rights.includes('x') };
    for (const [kind, letter] of Object.entries(KINDS)) {
      const result = ask(vcpu, kind as AccessKind, el);
      if (rights.includes(letter)) expect(result).toMatchObject(wanted);
      else expect(result).toMatchObject({ syndrome: kind === 'write' ? 0x4fn : 0x0fn });
    }
  });

  it('in words: the corners that a table of cells hides', () => {
    // EL0 may execute what it may not read.
    expect(rightsOf('00', '0', '1', 0, { wxn: false, pan: false })).toBe('--x');
    // EL1 never executes what EL0 may write, whatever PXN says.
    expect(rightsOf('01', '0', '0', 1, { wxn: false, pan: false })).toBe('rw-');
    // PAN keeps EL1 from data of EL0's, not from code.
    expect(rightsOf('11', '0', '0', 1, { wxn: false, pan: true })).toBe('--x');
    // WXN: writable by EL1 alone stays executable for EL0.
    expect(rightsOf('00', '0', '0', 0, { wxn: true, pan: false })).toBe('--x');
  });

  it('tables take rights away, from any level above the page', () => {
    const APTABLE_USER = 1n << 61n;
    const APTABLE_READONLY = 1n << 62n;
    const UXNTABLE = 1n << 60n;
    const PXNTABLE = 1n << 59n;
    const open = RAM | PAGE | AF | ap(1n);
    for (const level of ['l0', 'l1', 'l2'] as const) {
      const table = { l0: L1, l1: L2, l2: L3 }[level] | TABLE;
      const fsc = 0x0fn;
      const with_ = (bit: bigint, l3 = open): FakeVcpu => board({ [level]: table | bit, l3 });
      expect(ask(with_(APTABLE_USER), 'read', 0)).toMatchObject({ syndrome: fsc });
      expect(ask(with_(APTABLE_USER), 'read', 1)).toMatchObject({ read: true, write: true, fetch: true });
      expect(ask(with_(APTABLE_READONLY), 'read', 0)).toMatchObject({ read: true, write: false, fetch: true });
      expect(ask(with_(APTABLE_READONLY), 'write', 1)).toMatchObject({ syndrome: fsc | 0x40n });
      expect(ask(with_(UXNTABLE), 'fetch', 0)).toMatchObject({ syndrome: fsc });
      expect(ask(with_(PXNTABLE, RAM | PAGE | AF), 'fetch', 1)).toMatchObject({ syndrome: fsc });
      expect(ask(with_(PXNTABLE, RAM | PAGE | AF), 'fetch', 0)).toMatchObject({ fetch: true });
    }
  });
});

describe('memory types', () => {
  it('device memory is strict', () => {
    for (const [attribute, strict] of [
      [0x00n, true],
      [0x04n, true],
      [0x08n, true],
      [0x0cn, true],
      [0x44n, false],
      [0xffn, false],
      [0xbbn, false],
    ] as const) {
      const vcpu = board({ l3: RAM | PAGE | AF | DEVICE }, { MAIR_EL1: attribute << 8n });
      expect([attribute, ask(vcpu)]).toEqual([attribute, expect.objectContaining({ strict })]);
    }
  });
  it('SCTLR_EL1.A checks every access, and leaves the memory what it is', () => {
    expect(ask(board({}, { SCTLR_EL1: M | A }))).toMatchObject({ strict: false });
    expect(checksAlignment(board({}, { SCTLR_EL1: M | A }))).toBe(true);
    expect(checksAlignment(board({}, { SCTLR_EL1: M }))).toBe(false);
  });
});

describe('translation off', () => {
  it('is flat, strict, open to all, and asks no table', () => {
    const vcpu = board({}, { SCTLR_EL1: WXN, TTBR0_EL1: 0n, PAN: 1n });
    for (const level of [0, 1]) {
      for (const kind of ['read', 'write', 'fetch'] as const) {
        expect(ask(vcpu, kind, level, 0x1_2345_6789n)).toEqual({
          physical: 0x1_2345_6789n,
          read: true,
          write: true,
          fetch: true,
          strict: true,
        });
      }
    }
  });
  it('faults beyond the physical address bits: address size, level 0', () => {
    // Neoverse N2: PARange 5, 48 bits.
    const vcpu = board({}, { SCTLR_EL1: 0n });
    expect(ask(vcpu, 'read', 1, 0xffff_ffff_ffffn)).toMatchObject({ physical: 0xffff_ffff_ffffn });
    expect(ask(vcpu, 'write', 1, 1n << 48n)).toEqual(dataAbort(0x40n, 1n << 48n));
  });
  it('ignores the top byte when asked to', () => {
    const vcpu = board({}, { SCTLR_EL1: 0n, TCR_EL1: 1n << 37n });
    expect(ask(vcpu, 'read', 1, 0xab00_0000_4000_0000n)).toMatchObject({ physical: RAM });
  });
});

describe('regimes', () => {
  it('keep EL0, EL1 and EL1 with PAN apart', () => {
    const vcpu = board();
    const seen = [
      regime(vcpu, 0),
      regime(vcpu.put({ PAN: 1n }), 0),
      regime(vcpu.put({ PAN: 0n }), 1),
      regime(vcpu.put({ PAN: 1n }), 1),
    ];
    expect(seen[0]).toBe(seen[1]);
    expect(new Set(seen).size).toBe(3);
    expect(Math.max(...seen)).toBeLessThan(regimes);
  });
});

describe('random tables', () => {
  const POOL = 6;
  const SLOTS = [0, 1, 2, 255, 511] as const;
  const slot = fc.constantFrom(...SLOTS);
  const anyBit = fc.constantFrom(0n, 1n);
  const often = fc.constantFrom(1n, 1n, 1n, 0n);

  /** An address: mostly within RAM, sometimes large. */
  const output = fc.oneof(
    { weight: 8, arbitrary: fc.bigInt({ min: 0n, max: (1n << 36n) - 1n }) },
    { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: (1n << 48n) - 1n }) },
  );
  const bitsAt = (...positions: number[]): fc.Arbitrary<bigint> =>
    fc
      .tuple(...positions.map(() => anyBit))
      .map((all) => all.reduce<bigint>((v, b, i) => v | (b << BigInt(positions[i] as number)), 0n));

  const leaf = fc
    .record({
      out: output,
      af: often,
      form: fc.constantFrom(1n, 3n),
      attribute: fc.bigInt({ min: 0n, max: 7n }),
      more: bitsAt(6, 7, 53, 54, 11, 52, 55),
    })
    .map(
      ({ out, af, form, attribute, more }) => (out & 0xffff_ffff_f000n) | form | (af << 10n) | (attribute << 2n) | more,
    );
  const table = fc
    .record({
      n: fc.integer({ min: 0, max: POOL }),
      more: bitsAt(59, 60, 61, 62),
      rare: fc.integer({ min: 0, max: 9 }),
    })
    .map(({ n, more, rare }) => {
      // Pool tables; sometimes one without memory, sometimes a strange address.
      const address = n === POOL ? 0x1000n : RAM + BigInt(n) * 0x1000n;
      // Hierarchical bits in a third of them, lest nothing is left to read.
      return address | 3n | (rare < 3 ? more : 0n);
    });
  const descriptor = fc.oneof(
    { weight: 5, arbitrary: table },
    { weight: 5, arbitrary: leaf },
    { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }) },
  );
  // An entry for every slot of every table: walks go deep.
  const places = Array.from({ length: POOL }, (_, n) => SLOTS.map((at) => RAM + BigInt(n * 4096 + at * 8))).flat();
  const tables = fc.array(descriptor, { minLength: places.length, maxLength: places.length });

  const tcr = fc
    .record({
      t0: fc.integer({ min: 12, max: 42 }),
      t1: fc.integer({ min: 12, max: 42 }),
      plain: often,
      epd: bitsAt(7, 23),
      tbi: bitsAt(37, 38),
      ips: fc.constantFrom(0n, 1n, 2n, 5n, 5n, 6n),
      rare: fc.integer({ min: 0, max: 9 }),
    })
    .map(({ t0, t1, plain, epd, tbi, ips, rare }) => {
      const sizes = plain === 1n ? 16n | (16n << 16n) : BigInt(t0) | (BigInt(t1) << 16n);
      return sizes | (rare === 0 ? epd : 0n) | tbi | (ips << 32n) | (2n << 30n);
    });
  const virtual = fc
    .record({
      l0: slot,
      l1: slot,
      l2: slot,
      l3: slot,
      offset: fc.integer({ min: 0, max: 4095 }),
      upper: anyBit,
      tag: fc.constantFrom(0n, 0n, 0n, 0xa5n),
      stray: fc.constantFrom(-1, -1, -1, -1, 47, 48, 54),
      short: fc.constantFrom(48n, 48n, 39n, 30n, 25n),
    })
    .map(({ l0, l1, l2, l3, offset, upper, tag, stray, short }) => {
      const low =
        (BigInt(l0) << 39n) | (BigInt(l1) << 30n) | (BigInt(l2) << 21n) | (BigInt(l3) << 12n) | BigInt(offset);
      const cut = BigInt.asUintN(Number(short), low);
      const signed = upper === 1n ? BigInt.asUintN(64, cut | (-1n << short)) : cut;
      const odd = stray === -1 ? signed : signed ^ (1n << BigInt(stray));
      return tag === 0n ? odd : (odd & ((1n << 56n) - 1n)) | (tag << 56n);
    });

  it('agree with a second walker, written apart', () => {
    const outcomes = new Map<string, number>();
    fc.assert(
      fc.property(
        fc.record({
          tables,
          tcr,
          virtual,
          cpu: fc.constantFrom('neoverse-n2', 'cortex-a57'),
          el: fc.constantFrom(0, 1) as fc.Arbitrary<0 | 1>,
          kind: fc.constantFrom<Kind>('read', 'write', 'fetch'),
          on: fc.constantFrom(true, true, true, true, true, true, false),
          wxn: fc.boolean(),
          pan: fc.boolean(),
          base: fc.integer({ min: 0, max: POOL }),
          stray: fc.constantFrom(0n, 0n, 0n, 1n, 0x10n, 0x800n, 0xffen),
          mair: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        }),
        (c) => {
          const made = new Board({ cpu: c.cpu });
          for (const [n, place] of places.entries()) made.word(place, c.tables[n] as bigint);
          const ttbr = (c.base === POOL ? 0x2000n : RAM + BigInt(c.base) * 0x1000n) | c.stray;
          const vcpu = made.cpu().put({
            SCTLR_EL1: (c.on ? M : 0n) | (c.wxn ? WXN : 0n),
            TCR_EL1: c.tcr,
            TTBR0_EL1: ttbr,
            TTBR1_EL1: ttbr,
            MAIR_EL1: c.mair,
            PAN: c.pan ? 1n : 0n,
          });
          const settings = {
            on: c.on,
            wxn: c.wxn,
            pan: c.pan,
            tcr: c.tcr,
            ttbr: [ttbr, ttbr] as const,
            mair: c.mair,
            physical: c.cpu === 'cortex-a57' ? 44 : 48,
          };
          const wanted = reference(settings, c.virtual, c.el, c.kind, (address) => made.memory.read(address, 8));
          const got = vcpu.translate(c.virtual, c.kind, c.el);
          const name = 'status' in wanted ? `${wanted.status} ${wanted.level}` : c.on ? 'found' : 'off';
          outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
          if ('status' in wanted) {
            const iss = (STATUS[wanted.status] as bigint) + BigInt(wanted.level) + (c.kind === 'write' ? 0x40n : 0n);
            const kind = c.kind === 'fetch' ? 'instruction-abort' : 'data-abort';
            expect(got).toEqual({ kind, syndrome: iss, address: c.virtual });
          } else {
            expect(got).toEqual({
              physical: wanted.address,
              read: wanted.rights.includes('r'),
              write: wanted.rights.includes('w'),
              fetch: wanted.rights.includes('x'),
              strict: wanted.device,
            });
          }
        },
      ),
      { numRuns: 6000, seed: 20260 },
    );
    // The generator reaches every kind of end; else the agreement would say little.
    const reached = [...outcomes.keys()];
    for (const end of ['found', 'off', 'translation 0', 'translation 1', 'translation 2', 'translation 3'])
      expect(reached).toContain(end);
    for (const end of [
      'access flag 1',
      'access flag 2',
      'access flag 3',
      'permission 1',
      'permission 2',
      'permission 3',
    ]) {
      expect(reached).toContain(end);
    }
    for (const end of [
      'address size 0',
      'address size 1',
      'address size 2',
      'address size 3',
      'walk 0',
      'walk 1',
      'walk 2',
      'walk 3',
    ]) {
      expect(reached).toContain(end);
    }
  });
});
