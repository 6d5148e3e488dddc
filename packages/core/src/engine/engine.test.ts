import { describe, expect, it } from 'vitest';
import { PAGE, POOL_CONSTANTS, TLB_ENTRIES } from '../memory/layout.ts';
import { SIGNAL_INDEX } from '../pmu/classes.ts';
import { ATTENTION, type Running } from './engine.ts';
import { step } from './stepper.ts';
import type { Options, Row } from './testing/arch.ts';
import { backEnd, Foreign, RAM } from './testing/foreign.ts';

/** So many lifts in the stepper; the translator lifts once more for itself. */
const times = (count: number): unknown => (backEnd.name === 'stepper' ? count : expect.any(Number));

const DATA = RAM + 0x4000n;
const SIZE = { size: 8 } as const;

const rows: readonly Row[] = [
  { name: 'nop', lift: () => {} },
  { name: 'load', lift: (b) => b.set('RAX', b.load(b.get('RSI'), SIZE)) },
  { name: 'store', lift: (b) => b.store(b.get('RDI'), b.get('RAX'), SIZE) },
  { name: 'back', operands: 1, lift: (b, [by = 0]) => b.jump(b.constant(b.pc - BigInt(by))) },
  { name: 'level', operands: 1, lift: (b, [to = 0]) => b.set('LEVEL', b.constant(to)) },
  { name: 'root', lift: (b) => b.set('ROOT', b.constant(1)) },
];

function machine(options: Options = {}): Foreign {
  return new Foreign({ set0: rows, ...options });
}

/** Loads one instruction and runs it; how many questions the page tables were asked. */
function once(x: Foreign, name: string, at = DATA): number {
  x.put({ RSI: at, RDI: at });
  const code = RAM + (name === 'load' ? 0n : 0x100n);
  const before = x.translations;
  x.set('PC', code);
  x.run(1);
  return x.translations - before;
}

function prepared(options: Options = {}): Foreign {
  const x = machine(options);
  x.load(RAM, x.encode('load'));
  x.load(RAM + 0x100n, x.encode('store'));
  // The code page is known from here on.
  once(x, 'load');
  once(x, 'store');
  return x;
}

describe('the soft-TLB', () => {
  it('asks once for a page, whatever is accessed there', () => {
    const x = prepared();
    x.x.flush();
    // One for the code, one for the data; the code page's question is asked again for nothing.
    expect(once(x, 'load')).toBe(2);
    expect(once(x, 'load', DATA + 8n)).toBe(0);
    expect(once(x, 'load', DATA + 3n)).toBe(0);
    expect(once(x, 'store', DATA + 0xff8n)).toBe(0);
    expect(once(x, 'store', DATA + 0xff9n)).toBe(1);
    expect(once(x, 'store', DATA + 0xff9n)).toBe(0);
  });

  it('holds what it was told until it is flushed', () => {
    const x = prepared();
    x.memory.write(DATA, 8, 1n);
    x.memory.write(DATA + 0x1000n, 8, 2n);
    once(x, 'load');
    x.pages.set(DATA >> 12n, { physical: DATA + 0x1000n });
    once(x, 'load');
    expect(x.get('RAX')).toBe(1n);
    x.x.flush();
    once(x, 'load');
    expect(x.get('RAX')).toBe(2n);
    x.pages.set(DATA >> 12n, undefined);
    once(x, 'load');
    expect(x.taken).toEqual([]);
    x.x.flush();
    once(x, 'load');
    expect(x.taken).toMatchObject([{ kind: 'page-fault', address: DATA }]);
  });

  it('is flushed by a register that affects translation', () => {
    const x = prepared();
    x.load(RAM + 0x200n, x.encode('root')).run(1);
    expect(x.get('ROOT')).toBe(1n);
    expect(once(x, 'load')).toBe(2);
  });

  it('knows reading, writing and fetching apart', () => {
    const x = prepared();
    x.pages.set(DATA >> 12n, { physical: DATA, write: false });
    x.x.flush();
    once(x, 'load');
    once(x, 'store');
    expect(x.taken).toMatchObject([{ kind: 'page-fault', address: DATA, syndrome: 1n }]);
    x.pages.set(DATA >> 12n, { physical: DATA, read: false });
    x.x.flush();
    once(x, 'store');
    once(x, 'load');
    expect(x.taken[1]).toMatchObject({ address: DATA, syndrome: 0n });
    x.pages.set(DATA >> 12n, { physical: DATA, fetch: false });
    x.x.flush();
    once(x, 'load');
    x.set('PC', DATA);
    expect(x.run(1)).toBe(0);
    expect(x.taken[2]).toMatchObject({ address: DATA, syndrome: 2n, pc: DATA });
  });

  it('has room for one of the pages that are as far apart as it is long', () => {
    const x = prepared();
    const far = DATA + BigInt(TLB_ENTRIES * PAGE);
    x.pages.set(far >> 12n, { physical: DATA });
    once(x, 'load');
    expect(once(x, 'load')).toBe(0);
    expect(once(x, 'load', far)).toBe(1);
    expect(once(x, 'load', far)).toBe(0);
    expect(once(x, 'load')).toBe(1);
  });

  it('does not take one page for another that differs in its highest bits alone', () => {
    const x = prepared();
    for (const bit of [40n, 52n, 63n]) {
      const far = DATA + (1n << bit);
      x.pages.set(far >> 12n, undefined);
      once(x, 'load');
      once(x, 'load', far);
      expect(x.taken.pop()).toMatchObject({ address: far });
    }
  });

  it('keeps a set for each level', () => {
    const x = prepared();
    x.pages.set(DATA >> 12n, { physical: DATA, system: true });
    x.load(RAM + 0x200n, x.encode('level', 1), x.encode('level', 0));
    x.x.flush();
    x.set('PC', RAM + 0x200n);
    x.run(1);
    expect(x.x.v.level).toBe(1);
    expect(once(x, 'load')).toBe(2);
    expect(once(x, 'load')).toBe(0);
    x.set('PC', RAM + 0x202n);
    x.run(1);
    once(x, 'load');
    expect(x.taken).toMatchObject([{ kind: 'page-fault', address: DATA }]);
    // Back again: nothing was forgotten.
    x.set('PC', RAM + 0x200n);
    x.run(1);
    expect(once(x, 'load')).toBe(0);
  });

  it('belongs to the vCPU that runs on the physical CPU', () => {
    const x = prepared({ vcpus: 2, pcpus: 2 });
    const [a, b] = x.vcpus as readonly [Running, Running];
    once(x, 'load');
    x.x.enter(a, 0);
    expect(once(x, 'load')).toBe(0);
    // Another physical CPU has a set of its own, and the first one keeps its.
    x.x.enter(a, 1);
    expect(once(x, 'load')).toBe(2);
    x.x.enter(a, 0);
    expect(once(x, 'load')).toBe(0);
    // Another vCPU begins anew, and then so does the first; the second physical CPU has seen nothing of it.
    x.x.enter(b, 0);
    expect(once(x, 'load')).toBe(2);
    x.x.enter(a, 0);
    expect(once(x, 'load')).toBe(2);
    x.x.enter(a, 1);
    expect(once(x, 'load')).toBe(0);
  });

  it('keeps registers of vCPUs apart', () => {
    const x = prepared({ vcpus: 2 });
    const [a, b] = x.vcpus as readonly [Running, Running];
    x.memory.write(DATA, 8, 5n);
    x.x.enter(b, 0);
    once(x, 'load');
    expect(x.get('RAX')).toBe(5n);
    x.x.enter(a, 0);
    expect(x.get('RAX')).toBe(0n);
  });
});

describe('pages with decoded code', () => {
  /** Runs through what is written there. */
  const lifts = (): { x: Foreign; count: () => number } => {
    let count = 0;
    const x = machine({
      set0: [
        ...rows,
        {
          name: 'counted',
          operands: 1,
          lift(b, [value = 0]) {
            count++;
            b.set('RBX', b.constant(value));
          },
        },
      ],
    });
    return { x, count: () => count };
  };

  it('are decoded once', () => {
    const { x, count } = lifts();
    x.load(RAM, x.encode('counted', 3), x.encode('back', 2));
    expect(x.run(1000)).toBe(1000);
    expect(count()).toEqual(times(1));
  });

  it('are decoded anew after a store, of whatever address of theirs', () => {
    const { x, count } = lifts();
    x.load(RAM, x.encode('counted', 3), x.encode('store'), x.encode('back', 3));
    x.put({ RDI: RAM + 0x800n });
    x.run(9);
    expect(count()).toEqual(times(3));
    expect(x.get('RBX')).toBe(3n);
  });

  it('are not touched by stores to others', () => {
    const { x, count } = lifts();
    x.load(RAM, x.encode('counted', 3), x.encode('store'), x.encode('back', 3));
    x.put({ RDI: DATA });
    x.run(9);
    expect(count()).toEqual(times(1));
  });

  it('an earlier write to the page does not blind the next one', () => {
    const { x } = lifts();
    // The page is known for writing before anything there is decoded.
    x.load(RAM, x.encode('store'), x.encode('nop'));
    x.put({ RDI: DATA, RAX: 0n }).run(1);
    x.load(DATA, x.encode('counted', 7), x.encode('back', 2));
    x.run(2);
    expect(x.get('RBX')).toBe(7n);
    const [op, , ...back] = [...x.encode('counted', 9), ...x.encode('back', 2), 0, 0, 0, 0];
    const word = [op, 9, ...back].reduce<bigint>((w, byte, i) => w | (BigInt(byte as number) << BigInt(8 * i)), 0n);
    x.put({ PC: RAM, RDI: DATA, RAX: word }).run(1);
    x.put({ PC: DATA }).run(1);
    expect(x.get('RBX')).toBe(9n);
  });

  it('the store may change the very next instruction, and its own', () => {
    const { x } = lifts();
    x.load(RAM, x.encode('store'), x.encode('counted', 1), x.encode('nop'), x.encode('nop'), x.encode('nop'));
    const bytes = [...x.encode('store'), ...x.encode('counted', 2), 0, 0, 0, 0, 0];
    const word = bytes.reduce((w, byte, i) => w | (BigInt(byte) << BigInt(8 * i)), 0n);
    x.put({ RDI: RAM, RAX: word });
    expect(x.run(2)).toBe(2);
    expect(x.get('RBX')).toBe(2n);
    // Itself becomes a `counted`, its next one reads from there.
    const self = [...x.encode('counted', 5), 0, 0, 0, 0, 0, 0].reduce(
      (w, byte, i) => w | (BigInt(byte) << BigInt(8 * i)),
      0n,
    );
    x.put({ PC: RAM, RAX: self });
    expect(x.run(1)).toBe(1);
    expect(x.get('PC')).toBe(RAM + 1n);
    x.put({ PC: RAM }).run(1);
    expect(x.get('RBX')).toBe(5n);
  });

  it('`step` itself stops behind such a store, so that nothing stale can run', () => {
    const { x } = lifts();
    x.load(RAM, x.encode('store'), x.encode('counted', 1));
    x.put({ RDI: RAM + 0x800n });
    expect(step(x.x, 10)).toBe(1);
    expect(x.x.attention & ATTENTION.decode).toBe(ATTENTION.decode);
  });

  it('a load from the page does not hide the next store to it', () => {
    const { x } = lifts();
    x.load(RAM, x.encode('load'), x.encode('store'), x.encode('counted', 1));
    x.put({ RSI: DATA, RDI: DATA }).run(3);
    expect(x.get('RBX')).toBe(1n);
    x.x.flush();
    const word = [...x.encode('load'), ...x.encode('store'), ...x.encode('counted', 2), 0, 0, 0, 0];
    x.put({ PC: RAM, RSI: RAM, RDI: RAM }).run(1);
    x.put({ RAX: word.reduce((w, byte, i) => w | (BigInt(byte) << BigInt(8 * i)), 0n) }).run(2);
    expect(x.get('RBX')).toBe(2n);
  });

  it('a store across into the page counts, too', () => {
    const { x, count } = lifts();
    x.load(RAM + 0x1000n, x.encode('counted', 3), x.encode('back', 2));
    x.run(4);
    x.load(RAM, x.encode('store'));
    x.put({ RDI: RAM + 0xffcn, RAX: BigInt(x.encode('counted', 8)[0] as number) << 32n }).run(1);
    x.put({ PC: RAM + 0x1000n }).run(1);
    expect(count()).toEqual(times(2));
    expect(x.get('RBX')).toBe(0n);
  });

  it('seen at two virtual addresses is two instructions, and a store through either changes both', () => {
    const { x } = lifts();
    x.pages.set(0x700n, { physical: RAM + 0x1000n });
    x.pages.set(0x701n, { physical: RAM + 0x1000n });
    x.load(RAM + 0x1000n, x.encode('counted', 3), x.encode('back', 2));
    for (const page of [0x70_0000n, 0x70_1000n]) {
      x.put({ PC: page }).run(2);
      expect(x.get('PC')).toBe(page);
    }
    x.load(RAM, x.encode('store'));
    const word = [...x.encode('counted', 4), ...x.encode('back', 2), 0, 0, 0, 0].reduce(
      (w, byte, i) => w | (BigInt(byte) << BigInt(8 * i)),
      0n,
    );
    x.put({ RDI: 0x70_1000n, RAX: word }).run(1);
    x.put({ PC: 0x70_0000n }).run(1);
    expect(x.get('RBX')).toBe(4n);
  });

  it('are another page for each mode', () => {
    const { x, count } = lifts();
    x.load(RAM, x.encode('counted', 3), x.encode('back', 2));
    x.run(4);
    for (const mode of [1n, 0n]) {
      x.put({ MODE: mode });
      x.x.attention |= ATTENTION.decode;
      x.settle();
    }
    x.put({ PC: RAM }).run(4);
    expect(count()).toEqual(times(1));
  });
});

describe('the constant pool', () => {
  it('gives one place to one value, and as many places as it has', () => {
    const { x } = machine();
    const first = x.constant(0x1234_5678_9abc_def0n);
    expect(x.constant(0x1234_5678_9abc_def0n)).toBe(first);
    expect([x.m[first], x.m[first + 1]]).toEqual([0x9abc_def0 | 0, 0x1234_5678]);
    for (let i = 1; i < POOL_CONSTANTS; i++) expect(x.constant(BigInt(i))).toBeGreaterThan(first);
    expect(x.constant(BigInt(POOL_CONSTANTS))).toBe(-1);
    expect(x.constant(5n)).toBeGreaterThan(0);
    x.dropCode();
    expect(x.constant(BigInt(POOL_CONSTANTS))).toBe(first);
  });

  it('and the code go together: afterwards no page is watched', () => {
    const x = machine();
    x.load(RAM, x.encode('nop')).run(1);
    expect(x.memory.watched.some((w) => w !== 0)).toBe(true);
    x.x.dropCode();
    expect(x.memory.watched.every((w) => w === 0)).toBe(true);
    x.x.touch(x.bytes(RAM, 1).byteOffset);
    expect(x.x.attention).toBe(0);
  });

  it('when full is emptied with all code, which is lifted again: nobody notices', () => {
    let lifts = 0;
    // Sixteen constants each: 16 n, 16 n + 1 …, so that 600 instructions need 9,600, more than there are.
    const x = machine({
      set0: [
        {
          name: 'sixteen',
          operands: 2,
          lift(b, [high = 0, low = 0]) {
            lifts++;
            let sum = b.get('RAX');
            for (let i = 0; i < 16; i++) sum = b.add(sum, b.constant(16 * (256 * high + low) + i));
            b.set('RAX', sum);
          },
        },
        { name: 'again', lift: (b) => b.jump(b.constant(RAM)) },
      ],
    });
    expect(600 * 16).toBeGreaterThan(POOL_CONSTANTS);
    x.load(RAM, ...Array.from({ length: 600 }, (_, n) => x.encode('sixteen', n >> 8, n & 255)), x.encode('again'));
    // 0 + 1 + … + 9599 = 9599 × 9600 / 2.
    for (const turn of [1n, 2n, 3n]) {
      expect(x.run(601)).toBe(601);
      expect(x.get('RAX')).toBe(turn * 46_075_200n);
      expect(x.get('PC')).toBe(RAM);
    }
    expect(x.signals().instruction).toBe(1803);
    expect(lifts).toBeGreaterThan(600);
    // What is lifted again is watched again.
    x.x.touch(x.bytes(RAM, 1).byteOffset);
    expect(x.x.attention).toBe(ATTENTION.decode);
  });
});

describe('decoded code', () => {
  // Translated code goes from page to page without asking: it decodes nothing, so there never is more of it.
  it.skipIf(backEnd.name === 'translator')(
    `is dropped on the way to another page when there is too much: nobody notices${backEnd.name === 'translator' ? ' [absent: translated code decodes nothing on its way]' : ''}`,
    () => {
      let lifts = 0;
      const x = machine({
        set0: [
          { name: 'more', lift: (b) => b.set('RAX', b.add(b.get('RAX'), b.constant(++lifts > 0 ? 3 : 0))) },
          { name: 'there', lift: (b) => b.jump(b.constant(RAM + 0x1000n)) },
          { name: 'back', lift: (b) => b.jump(b.constant(RAM)) },
        ],
      });
      x.load(RAM + 0x1000n, x.encode('more'), x.encode('back'));
      x.load(RAM, x.encode('more'), x.encode('there'));
      expect(x.run(400)).toBe(400);
      expect([x.get('RAX'), lifts]).toEqual([600n, 2]);
      x.x.code.made = 2 ** 19;
      expect(x.run(400)).toBe(400);
      expect([x.get('RAX'), x.get('PC'), lifts]).toEqual([1200n, RAM, 4]);
      expect(x.x.code.made).toBeLessThan(100);
      // What is lifted again is watched again.
      x.x.touch(x.bytes(RAM, 1).byteOffset);
      expect(x.x.attention).toBe(ATTENTION.decode);
    },
  );
});

describe('what core looks up for', () => {
  it('a signal that may overflow a counter, and no other', () => {
    const { x } = machine();
    x.critical = 1 << SIGNAL_INDEX.taken;
    x.emit(SIGNAL_INDEX.load, 1);
    expect(x.attention).toBe(0);
    x.emit(SIGNAL_INDEX.taken, 3);
    expect(x.attention).toBe(ATTENTION.pmu);
    expect(x.extra[SIGNAL_INDEX.taken]).toBe(3);
  });

  it('a store to a page without code is nothing to look up for', () => {
    const x = machine();
    x.x.touch(x.bytes(DATA, 1).byteOffset);
    expect(x.x.attention).toBe(0);
  });
});
