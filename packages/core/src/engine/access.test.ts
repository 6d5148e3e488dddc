import type { AccessShape, Lifter } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { Foreign, RAM } from './testing/foreign.ts';

/** Page numbers are far apart in RAM, so that two neighbours in virtual memory are none in physical memory. */
const LEFT = RAM + 0x3000n;
const RIGHT = RAM + 0x6000n;
/** Virtual pages that lead there, at both ends of 32 bits and of 64 bits. */
const PLACES: readonly (readonly [what: string, page: bigint])[] = [
  ['in the middle', 0x40_0000n],
  ['below 4 GiB', 0xffff_f000n],
  ['at the top', 0xffff_ffff_ffff_f000n],
];
const BYTES = [0x81, 0x02, 0xf3, 0x04, 0x95, 0x06, 0xa7, 0x08, 0xb9, 0x0a, 0xcb, 0x0c, 0xdd, 0x0e, 0xef, 0x10];

/** One instruction: loads from [RSI] into RAX, or stores RAX to [RDI]; RBX gets the address, so that a fault shows. */
function machine(
  shape: AccessShape,
  lifts: Partial<Record<'load' | 'store', (b: Lifter) => void>> = {},
  ram?: number,
): Foreign {
  const x = new Foreign({
    ...(ram !== undefined && { ram }),
    set0: [
      {
        name: 'load',
        signals: ['load', 'access'],
        lift:
          lifts.load ??
          ((b) => {
            b.set('RAX', b.load(b.get('RSI'), shape));
            b.set('RBX', b.get('RSI'));
          }),
      },
      {
        name: 'store',
        signals: ['store', 'access'],
        lift:
          lifts.store ??
          ((b) => {
            b.store(b.get('RDI'), b.get('RAX'), shape);
            b.set('RBX', b.get('RDI'));
          }),
      },
    ],
  });
  return x.load(CODE.store, x.encode('store')).load(CODE.load, x.encode('load'));
}

/** Two pages side by side at this virtual address. */
function mapped(x: Foreign, page: bigint): Foreign {
  x.pages.set(page >> 12n, { physical: LEFT });
  x.pages.set(BigInt.asUintN(52, (page >> 12n) + 1n), { physical: RIGHT });
  return x;
}

const virtual = (page: bigint, offset: number): bigint => BigInt.asUintN(64, page + BigInt(offset));
/** Where that byte is, physically. */
const physical = (offset: number): bigint => (offset < 4096 ? LEFT + BigInt(offset) : RIGHT + BigInt(offset - 4096));
/** Where the instructions stand. They are written once, so that what the soft-TLB knows stays known. */
const CODE = { load: RAM, store: RAM + 0x100n, probe: RAM + 0x200n };
const load = (x: Foreign, at: bigint): Foreign => {
  x.put({ RSI: at, PC: CODE.load }).run(1);
  return x;
};
const store = (x: Foreign, at: bigint, value: bigint): Foreign => {
  x.put({ RDI: at, RAX: value, PC: CODE.store }).run(1);
  return x;
};

/** In a page, at its end, and across it, each aligned and not. */
const OFFSETS = [0, 1, 2, 3, 4, 7, 8, 4088, 4089, 4092, 4093, 4094, 4095, 4096, 4097];
const SIZES = [1, 2, 4, 8] as const;

/** What the bytes mean, from the definition: most significant last, or first when big. */
function number(bytes: readonly number[], shape: AccessShape): bigint {
  const ordered = shape.big ? bytes : [...bytes].reverse();
  const unsigned = BigInt(`0x${ordered.map((byte) => byte.toString(16).padStart(2, '0')).join('')}`);
  const negative = shape.signed && (ordered[0] as number) >= 0x80;
  const value = negative ? unsigned - (1n << BigInt(8 * bytes.length)) : unsigned;
  return BigInt.asUintN(shape.width ?? 64, value);
}

describe('every shape of access, everywhere', () => {
  for (const [what, page] of PLACES) {
    for (const size of SIZES) {
      for (const big of [false, true]) {
        it(`${size} bytes, ${big ? 'big' : 'little'}-endian, ${what}: stores`, () => {
          for (const offset of OFFSETS) {
            const x = mapped(machine({ size, big }), page);
            const value = 0x1122_3344_5566_7788n;
            // The first time the soft-TLB does not know the page, the second time it does.
            for (let turn = 0; turn < 2; turn++) {
              for (let i = -1; i <= size; i++) if (offset + i >= 0) x.memory.write(physical(offset + i), 1, 0xeen);
              store(x, virtual(page, offset), value);
              expect(x.taken).toEqual([]);
              const written = Array.from({ length: size }, (_, i) => Number(x.memory.read(physical(offset + i), 1)));
              expect(number(written, { size, big })).toBe(BigInt.asUintN(8 * size, value));
              if (offset > 0) expect(x.memory.read(physical(offset - 1), 1)).toBe(0xeen);
              expect(x.memory.read(physical(offset + size), 1)).toBe(0xeen);
            }
            expect(x.signals().unaligned ?? 0).toBe(offset % size === 0 ? 0 : 2);
          }
        });

        const shapes: readonly AccessShape[] = [
          { size, big },
          { size, big, signed: true },
          ...(size === 8 ? [] : ([{ size, big, signed: true, width: 32 }] as const)),
        ];
        for (const shape of shapes) {
          const sign = shape.signed ? `signed to ${shape.width ?? 64}` : 'unsigned';
          it(`${size} bytes, ${big ? 'big' : 'little'}-endian, ${what}: loads, ${sign}`, () => {
            for (const offset of OFFSETS) {
              const x = mapped(machine(shape), page);
              BYTES.forEach((byte, i) => {
                x.memory.write(physical(offset + i), 1, BigInt(byte));
              });
              for (let turn = 0; turn < 2; turn++) {
                load(x, virtual(page, offset));
                expect(x.get('RAX').toString(16)).toBe(number(BYTES.slice(0, size), shape).toString(16));
              }
              // The next bytes have another sign.
              if (offset + 1 + size <= 4096 || offset >= 4096) {
                load(x, virtual(page, offset + 1));
                expect(x.get('RAX')).toBe(number(BYTES.slice(1, 1 + size), shape));
              }
            }
          });
        }
      }
    }
  }
});

describe('an access that faults changes nothing', () => {
  const at = 0x40_0ffcn;
  const faults: readonly (readonly [what: string, change: (x: Foreign) => void, address: bigint])[] = [
    ['the second page is not there', (x) => x.pages.set(0x401n, undefined), 0x40_1000n],
    ['the first page is not there', (x) => x.pages.set(0x400n, undefined), at],
    ['neither is there: the first is named', (x) => void x.pages.set(0x400n, undefined).set(0x401n, undefined), at],
    ['the second page refuses', (x) => x.pages.set(0x401n, { physical: RIGHT, read: false, write: false }), 0x40_1000n],
  ];
  for (const [what, change, address] of faults) {
    for (const kind of ['load', 'store'] as const) {
      for (const known of [false, true]) {
        it(`${kind} across a page end where ${what}${known ? ', which the soft-TLB learns by a flush' : ''}`, () => {
          const x = mapped(machine({ size: 8 }), 0x40_0000n);
          if (known) (kind === 'load' ? load(x, at) : store(x, at, 0n)).x.flush();
          change(x);
          x.put({ RSI: at, RDI: at, RAX: 0x1234n, RBX: 5n });
          x.set('PC', CODE[kind]);
          const before = [x.all(), x.ram(), x.signals()];
          expect(x.run(1)).toBe(0);
          expect(x.taken).toEqual([
            { kind: 'page-fault', address, syndrome: kind === 'load' ? 0n : 1n, pc: CODE[kind] },
          ]);
          expect([x.all(), x.ram(), x.signals()]).toEqual(before);
          expect(x.x.attention).toBe(0);
        });
      }
    }
  }
});

describe('alignment', () => {
  it.each([
    ['of its size', { size: 4, align: 4 }, 2, true],
    ['of its size, aligned', { size: 4, align: 4 }, 4, false],
    ['of less than its size', { size: 8, align: 4 }, 4, false],
    ['of less than its size, and not even that', { size: 8, align: 4 }, 2, true],
    ['of more than its size', { size: 8, align: 16 }, 8, true],
    ['of more than its size, aligned', { size: 8, align: 16 }, 16, false],
  ] as const)('%s', (_what, shape, offset, faults) => {
    for (const kind of ['load', 'store'] as const) {
      const x = machine(shape);
      const at = LEFT + BigInt(offset);
      // Once with an empty soft-TLB, then with the page known to it.
      for (let turn = 0; turn < 2; turn++) {
        x.put({ RSI: at, RDI: at, PC: CODE[kind] });
        expect(x.run(1)).toBe(faults ? 0 : 1);
        if (kind === 'load') load(x, LEFT);
        else store(x, LEFT, 0n);
      }
      const fault = { kind: 'alignment', address: at, syndrome: kind === 'load' ? 0n : 1n, pc: CODE[kind] };
      expect(x.taken).toEqual(faults ? [fault, fault] : []);
    }
  });

  it.each([
    ['load', 0n],
    ['store', 1n],
  ] as const)('of every %s, where the vCPU checks them all: before its pages are asked for', (kind, syndrome) => {
    const x = machine({ size: 4 });
    x.pages.set(0x400n, undefined);
    x.checksAlignment = true;
    const at = 0x40_0002n;
    x.put({ RSI: at, RDI: at, PC: CODE[kind] }).run(1);
    expect(x.taken).toEqual([{ kind: 'alignment', address: at, syndrome, pc: CODE[kind] }]);
    // An aligned one is asked for as ever, and an unaligned one again once nobody checks.
    x.put({ RSI: at + 2n, RDI: at + 2n, PC: CODE[kind] }).run(1);
    x.checksAlignment = false;
    x.put({ RSI: at, RDI: at, PC: CODE[kind] }).run(1);
    expect(x.taken.slice(1).map(({ kind: what, address }) => [what, address])).toEqual([
      ['page-fault', at + 2n],
      ['page-fault', at],
    ]);
    expect(x.signals().unaligned).toBeUndefined();
  });

  it('strict memory takes aligned accesses alone, also when the soft-TLB knows it', () => {
    const x = machine({ size: 4 });
    x.pages.set(0x400n, { physical: LEFT, strict: true });
    for (let turn = 0; turn < 2; turn++) {
      load(x, 0x40_0004n);
      load(x, 0x40_0005n);
      store(x, 0x40_0006n, 1n);
    }
    expect(x.taken.map(({ kind, address }) => [kind, address])).toEqual([
      ['alignment', 0x40_0005n],
      ['alignment', 0x40_0006n],
      ['alignment', 0x40_0005n],
      ['alignment', 0x40_0006n],
    ]);
  });

  it('across from ordinary to strict memory is refused', () => {
    const x = mapped(machine({ size: 8 }), 0x40_0000n);
    x.pages.set(0x401n, { physical: RIGHT, strict: true });
    load(x, 0x40_0ffcn);
    expect(x.taken).toMatchObject([{ kind: 'alignment', address: 0x40_1000n }]);
  });

  it('one signal for each instruction with an unaligned access, when it retires', () => {
    const x = machine(
      { size: 8 },
      {
        load(b) {
          b.load(b.add(b.get('RSI'), b.constant(1)), { size: 8 });
          b.load(b.add(b.get('RSI'), b.constant(2)), { size: 8 });
          b.when(b.get('ZF'), () => b.raise('oops', b.constant(1)));
          b.when(b.get('CF'), () => b.raise('oops', b.constant(2), true));
        },
      },
    );
    expect(load(x, LEFT).signals().unaligned).toBe(1);
    x.set('ZF', 1n);
    expect(load(x, LEFT).signals()).toMatchObject({ instruction: 1, unaligned: 1 });
    x.put({ ZF: 0n, CF: 1n });
    expect(load(x, LEFT).signals()).toMatchObject({ instruction: 2, unaligned: 2 });
    expect(x.x.attention).toBe(0);
    expect(load(x, LEFT + 1n).taken).toHaveLength(3);
  });
});

describe('memory of more than 2 GiB', () => {
  // Host offsets of its upper part are beyond a signed word.
  const GIB = 0x4000_0000;
  it.each(SIZES)('%i bytes at its end, whether or not the soft-TLB knows the page', (size) => {
    const x = machine({ size }, {}, 2 * GIB + 0x10_0000);
    const at = RAM + BigInt(2 * GIB) + 0xf_e000n;
    for (let turn = 0; turn < 2; turn++) {
      for (const offset of [0n, 8n, 9n, 0xffcn]) {
        store(x, at + offset, 0x1122_3344_5566_7788n);
        expect(x.memory.read(at + offset, 1)).toBe(0x88n);
        load(x, at + offset);
        expect(x.get('RAX')).toBe(BigInt.asUintN(8 * size, 0x1122_3344_5566_7788n));
      }
    }
    expect(x.taken).toEqual([]);
  });

  it('code there', () => {
    const x = machine({ size: 8 }, {}, 2 * GIB + 0x10_0000);
    const code = RAM + BigInt(2 * GIB) + 0x1000n;
    for (let turn = 0; turn < 3; turn++) {
      x.put({ RSI: code + 8n, RAX: 0n });
      x.memory.write(code + 8n, 8, 0x1234n);
      x.load(code, x.encode('load'), x.encode('load'));
      expect(x.run(2)).toBe(2);
      expect([x.get('RAX'), x.get('PC')]).toEqual([0x1234n, code + 2n]);
    }
    expect(x.taken).toEqual([]);
  });
});

describe('devices and nothing', () => {
  const DEVICE = 0x8000_0000n;
  function withDevice(shape: AccessShape): Foreign {
    const x = machine(shape);
    x.pages.set(0x500n, { physical: DEVICE });
    x.pages.set(0x501n, { physical: DEVICE + 0x1000n });
    x.device.set(DEVICE + 8n, 0x1122_3344_5566_7788n);
    return x;
  }

  it.each(SIZES)('%i bytes: the low ones of the value', (size) => {
    const x = withDevice({ size });
    expect(load(x, 0x50_0008n).get('RAX')).toBe(BigInt.asUintN(8 * size, 0x1122_3344_5566_7788n));
    store(x, 0x50_0008n, 0xaabb_ccdd_eeff_0011n);
    expect(x.device.get(DEVICE + 8n)).toBe(BigInt.asUintN(8 * size, 0xaabb_ccdd_eeff_0011n));
    expect(x.deviceLog).toEqual([`read ${size} at 80000008`, `write ${size} at 80000008`]);
  });

  it('a big-endian access sees the bytes of a little-endian register swapped', () => {
    const x = withDevice({ size: 4, big: true });
    expect(load(x, 0x50_0008n).get('RAX')).toBe(0x8877_6655n);
    store(x, 0x50_0008n, 0x1234_5678n);
    expect(x.device.get(DEVICE + 8n)).toBe(0x7856_3412n);
  });

  it('a signed load extends what the device gave', () => {
    const x = withDevice({ size: 1, signed: true });
    x.device.set(DEVICE + 8n, 0x80n);
    expect(load(x, 0x50_0008n).get('RAX')).toBe(0xffff_ffff_ffff_ff80n);
  });

  it('are asked every time', () => {
    const x = withDevice({ size: 4 });
    for (let i = 0; i < 3; i++) load(x, 0x50_0008n);
    expect(x.deviceLog).toHaveLength(3);
  });

  it.each(['load', 'store'] as const)('a %s where nothing answers is a bus fault, and nothing changed', (kind) => {
    const x = withDevice({ size: 4 }).put({ RSI: 0x50_0010n, RDI: 0x50_0010n, RAX: 7n });
    x.set('PC', CODE[kind]);
    const before = x.all();
    expect(x.run(1)).toBe(0);
    expect(x.taken).toEqual([{ kind: 'bus', address: 0x50_0010n, syndrome: DEVICE + 0x10n, pc: CODE[kind] }]);
    expect(x.all()).toEqual(before);
  });

  it.each(SIZES)(
    '%i bytes where nothing answers and the architecture knows no fault: ones, and stores are lost',
    (size) => {
      const x = withDevice({ size });
      x.floats = true;
      expect(load(x, 0x50_0010n).get('RAX')).toBe(BigInt.asUintN(8 * size, -1n));
      store(x, 0x50_0010n, 5n);
      expect([x.taken, x.device.has(DEVICE + 0x10n)]).toEqual([[], false]);
      expect(x.deviceLog).toEqual([`read ${size} at 80000010`, `write ${size} at 80000010`]);
    },
  );

  it.each(['load', 'store'] as const)('one %s is never split between a device and anything else', (kind) => {
    for (const neighbour of [DEVICE + 0x1000n, RIGHT]) {
      const x = withDevice({ size: 8 }).put({ RSI: 0x50_0ffcn, RDI: 0x50_0ffcn });
      x.pages.set(0x501n, { physical: neighbour });
      x.put({ PC: CODE[kind] }).run(1);
      expect(x.taken).toMatchObject([{ kind: 'alignment', address: 0x50_0ffcn }]);
      expect(x.deviceLog).toEqual([]);
    }
  });
});

describe('an access at another level', () => {
  const user: AccessShape = { size: 8, level: 0 };
  function asSystem(): Foreign {
    const x = machine(user, {
      store(b) {
        b.store(b.get('RDI'), b.get('RAX'), { size: 8 });
      },
    });
    x.put({ LEVEL: 1n });
    x.x.v.level = 1;
    x.x.relevel();
    x.memory.write(LEFT, 8, 0x77n);
    return x;
  }

  it('finds what that level may do, whatever the soft-TLB knows about the present one', () => {
    const x = asSystem();
    x.pages.set(LEFT >> 12n, { physical: LEFT, system: true });
    store(x, LEFT, 0x99n);
    expect(x.taken).toEqual([]);
    load(x, LEFT);
    expect(x.taken).toMatchObject([{ kind: 'page-fault', address: LEFT }]);
  });

  it('and leaves nothing behind for the present one', () => {
    const x = asSystem();
    load(x, LEFT);
    expect(x.get('RAX')).toBe(0x77n);
    x.pages.set(LEFT >> 12n, { physical: LEFT, write: false });
    store(x, LEFT, 0x99n);
    expect(x.taken).toMatchObject([{ kind: 'page-fault', address: LEFT, syndrome: 1n }]);
  });
});

describe('probe', () => {
  function probing(size: number, write: boolean, shape?: AccessShape): Foreign {
    const x = new Foreign({
      set0: [
        {
          name: 'probe',
          lift(b) {
            b.probe(b.get('RDI'), size, write, shape);
            b.set('RAX', b.constant(1));
          },
        },
      ],
    });
    return x.load(CODE.probe, x.encode('probe'));
  }
  const probe = (x: Foreign, at: bigint): Foreign => {
    x.put({ RDI: at, PC: CODE.probe }).run(1);
    return x;
  };

  it('where all is well changes nothing, not even a count', () => {
    const x = probing(16, true);
    mapped(x, 0x40_0000n);
    const ram = x.ram();
    for (const offset of [0n, 1n, 0xff0n, 0xff1n, 0xfffn]) probe(x, 0x40_0000n + offset);
    expect(x.taken).toEqual([]);
    expect(x.get('RAX')).toBe(1n);
    expect(x.ram()).toBe(ram);
    expect(x.signals()).toEqual({ instruction: 5, cycle: 5 });
  });

  it.each([
    ['read', false, { read: false }, 0n],
    ['write', true, { write: false }, 1n],
  ] as const)(
    'faults as a %s would, on the page that refuses, whether or not the first is known',
    (_what, write, page, syndrome) => {
      const x = mapped(probing(16, write), 0x40_0000n);
      probe(x, 0x40_0000n);
      x.pages.set(0x401n, { physical: RIGHT, ...page });
      probe(x, 0x40_0ff1n);
      expect(x.taken).toEqual([{ kind: 'page-fault', address: 0x40_1000n, syndrome, pc: CODE.probe }]);
      x.pages.set(0x400n, { physical: LEFT, ...page });
      x.x.flush();
      probe(x, 0x40_0ff1n);
      expect(x.taken[1]).toMatchObject({ address: 0x40_0ff1n });
    },
  );

  it('is the other kind of access when it reads or writes', () => {
    const x = mapped(probing(8, false), 0x40_0000n);
    x.pages.set(0x400n, { physical: LEFT, write: false });
    expect(probe(x, 0x40_0000n).taken).toEqual([]);
  });

  it('wraps at the end of the address space', () => {
    const x = probing(16, true);
    const top = 0xffff_ffff_ffff_f000n;
    x.pages.set(top >> 12n, { physical: LEFT });
    x.pages.set(0n, undefined);
    expect(probe(x, top + 0xff8n).taken).toMatchObject([{ kind: 'page-fault', address: 0n }]);
    x.pages.set(0n, { physical: RIGHT });
    expect(probe(x, top + 0xff8n).taken).toHaveLength(1);
  });

  it('keeps the alignment it is given, known page or not', () => {
    const x = probing(16, true, { size: 8, align: 16 });
    probe(x, LEFT);
    probe(x, LEFT + 8n);
    expect(x.taken).toMatchObject([{ kind: 'alignment', address: LEFT + 8n, syndrome: 1n }]);
  });

  it('refuses strict memory what it does not take', () => {
    const x = probing(16, true, { size: 8 });
    x.pages.set(0x400n, { physical: LEFT, strict: true });
    probe(x, 0x40_0008n);
    expect(x.taken).toEqual([]);
    probe(x, 0x40_0004n);
    expect(x.taken).toMatchObject([{ kind: 'alignment', address: 0x40_0004n }]);
  });

  it.each([
    ['behind', LEFT, 0x9000_0000n, 0x40_1000n, 0x9000_0000n],
    ['in front', 0x9000_0000n, RIGHT, 0x40_0ff8n, 0x9000_0ff8n],
  ])(
    'half in memory and half where there is none, %s: a fault, so that no half is written',
    (_what, first, second, address, where) => {
      const x = probing(16, true);
      x.pages.set(0x400n, { physical: first });
      x.pages.set(0x401n, { physical: second });
      probe(x, 0x40_0ff8n);
      expect(x.taken).toEqual([{ kind: 'bus', address, syndrome: where, pc: CODE.probe }]);
    },
  );

  it('on two pages of devices is left to them', () => {
    const x = probing(16, true);
    x.pages.set(0x400n, { physical: 0x9000_0000n });
    x.pages.set(0x401n, { physical: 0x9000_1000n });
    expect(probe(x, 0x40_0ff8n).taken).toEqual([]);
    expect(x.deviceLog).toEqual([]);
  });

  it('at another level asks that level', () => {
    const x = probing(8, true, { size: 8, level: 1 });
    x.pages.set(0x400n, { physical: LEFT, system: true });
    expect(probe(x, 0x40_0000n).taken).toEqual([]);
    const own = probing(8, true, { size: 8 });
    own.pages.set(0x400n, { physical: LEFT, system: true });
    expect(probe(own, 0x40_0000n).taken).toMatchObject([{ kind: 'page-fault' }]);
  });
});
