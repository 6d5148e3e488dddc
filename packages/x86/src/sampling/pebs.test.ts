/** When a record is written, and when not: thresholds, limits, faults, counters that are disarmed, hostile stores. Places were counted by hand. */
import { describe, expect, it } from 'vitest';
import { type Item, jmp, label, mem, mov, nop, op } from '../asm.ts';
import { DATA, type Guest, guest, rdmsr, wrmsr } from '../testing/long.ts';

const BUFFER = DATA + 0x1000n;
const OVF_BUF = 1n << 62n;

interface Setting {
  readonly cpu?: string;
  readonly body: readonly Item[];
  /** Of PMC0: instructions from -1, unless said. */
  readonly select?: bigint;
  readonly start?: bigint;
  readonly fields?: Readonly<Record<number, bigint>>;
  readonly area?: bigint;
  readonly set?: Readonly<Record<string, string | number>>;
  readonly before?: readonly Item[];
  readonly prepare?: (g: Guest) => void;
}

function made({
  cpu = 'skylake',
  body,
  select = 0x43_00c0n,
  start = 0xffff_ffff_ffffn,
  fields = {},
  area = DATA,
  set = {},
  before = [],
  prepare,
}: Setting): Guest {
  const g = guest(
    [
      wrmsr(0x38f, 0n),
      wrmsr(0x186, select),
      wrmsr(0x4c1, start),
      wrmsr(0x600, area),
      wrmsr(0x3f1, 1n),
      before,
      wrmsr(0x38f, 1n),
      label('work'),
      body,
      wrmsr(0x38f, 0n),
      rdmsr(0x38e),
      mov('RDI', 'RAX'),
    ],
    { cpu, policy: 'emulated', cpuSettings: set },
  );
  for (const [offset, value] of Object.entries({
    32: BUFFER,
    40: BUFFER,
    48: BUFFER + 0x1000n,
    56: BUFFER + 0x1000n,
    ...fields,
  })) {
    if (g.domain.memory.slice(area + BigInt(offset), 8) !== undefined) g.write(area + BigInt(offset), value);
  }
  prepare?.(g);
  return g;
}

const run = (setting: Setting): Guest => made(setting).run();
/** Bytes of Skylake's record. */
const SIZE = 200n;
const records = (g: Guest, area = DATA): number => Number((g.word(area + 0x28n) - BUFFER) / SIZE);
/** Eventing addresses, in nops from `work`. */
const places = (g: Guest): number[] =>
  Array.from({ length: records(g) }, (_, n) => Number(g.word(BUFFER + SIZE * BigInt(n) + 0xb0n) - g.label('work')));

const nops = (n: number): Item[] => Array.from({ length: n }, () => nop());

describe('a record', () => {
  it('is of the event behind the overflow, and again and again from the reset value', () => {
    // From -2: events 2, then one more: 3. Reset to -3: overflow 3 later, record 4 later: 7, 11.
    const g = run({ body: nops(12), start: 0xffff_ffff_fffen, fields: { 64: 0xffff_ffff_fffdn } });
    expect(places(g)).toEqual([2, 6, 10, 22]);
    // The fourth is of the third MOV, behind twelve bytes of nops and ten of MOVs; then the write: one event from -3.
    expect(g.get('IA32_PMC0')).toBe(0xffff_ffff_fffen);
  });

  it('raises bit 62 at the threshold, not before', () => {
    const fields = { 64: 0xffff_ffff_ffffn, 56: BUFFER + 2n * SIZE };
    expect(run({ body: nops(2), fields: { ...fields, 56: BUFFER + 8n * SIZE } }).get('RDI') & OVF_BUF).toBe(0n);
    expect(run({ body: nops(8), fields }).get('RDI') & OVF_BUF).toBe(OVF_BUF);
  });

  it('is written while it fits under the absolute maximum, wherever that is', () => {
    const reset = { 64: 0xffff_ffff_ffffn };
    // 12 nops, 3 movs and the write: an event each, a record at every second.
    for (const [maximum, expected] of [
      [BUFFER + 3n * SIZE, 3],
      [BUFFER + 3n * SIZE - 1n, 2],
      [BUFFER + 3n * SIZE + 1n, 3],
      [BUFFER, 0],
    ] as const) {
      expect(records(run({ body: nops(12), fields: { ...reset, 48: maximum } }))).toBe(expected);
    }
  });

  it('leaves no status bit of its counter behind, and no interrupt', () => {
    const g = run({ body: nops(4), select: 0x53_00c0n });
    expect(g.get('RDI')).toBe(0n);
    expect(g.get('PMI')).toBe(0n);
  });

  it('is not of a counter that was disarmed: an ordinary overflow stays', () => {
    // The nop overflows and arms; the write that disables PEBS is an event too, and still records (counting rule 6c).
    const armed = run({ body: [nop(), wrmsr(0x3f1, 0n)] });
    expect(records(armed)).toBe(1);
    // Loads do not happen in it: the counter stays armed until PEBS is off, and is forgotten.
    const load = op('MOV', ['RBX', mem('RSI')]);
    const setup = [mov('RSI', DATA + 0x800n)];
    const g = run({ before: setup, select: 0x43_81d0n, body: [load, wrmsr(0x3f1, 0n), load, load] });
    expect(records(g)).toBe(0);
    expect(g.get('RDI') & 1n).toBe(1n);
  });

  it('has the address of the data where its event is of loads or stores', () => {
    const body = [mov('RSI', DATA + 0x800n), op('MOV', ['RBX', mem('RSI')]), op('MOV', ['RBX', mem('RSI', 16)]), nop()];
    const g = run({ select: 0x43_81d0n, body });
    expect(records(g)).toBe(1);
    expect(g.word(BUFFER + 0x98n)).toBe(DATA + 0x810n);
    expect(g.word(BUFFER + 0xa0n)).toBe(1n);
    const stores = [
      mov('RSI', DATA + 0x800n),
      op('MOV', [mem('RSI'), 'RBX']),
      op('MOV', [mem('RSI', 24), 'RBX']),
      nop(),
    ];
    expect(run({ select: 0x43_82d0n, body: stores }).word(BUFFER + 0x98n)).toBe(DATA + 0x818n);
  });

  it('goes to two pages when it lies on both', () => {
    const index = BUFFER + 0xfc0n;
    const g = run({ body: nops(4), fields: { 40: index, 48: BUFFER + 0x2000n, 56: BUFFER + 0x2000n } });
    expect(g.word(DATA + 0x28n)).toBe(index + SIZE);
    expect(g.word(index + 0xb0n)).toBe(g.label('work') + 1n);
  });
});

describe('a record that runs into a fault', () => {
  // 0x400000 to 0x5fffff are mapped, and there is no memory.
  const nowhere = { 32: 0x40_0000n, 40: 0x40_0000n, 48: 0x40_1000n, 56: 0x40_1000n };
  const unmapped = (g: Guest): void => g.write(0x3010n, 0n);

  it('of the second stage is lost, whatever the CPU', () => {
    for (const ds_fault of ['lose-record', 'restartable']) {
      const g = run({ body: nops(4), fields: nowhere, set: { ds_fault } });
      expect(g.domain.ended?.reason).toBe('poweroff');
      expect(g.word(DATA + 0x28n)).toBe(0x40_0000n);
      expect(g.get('RDI')).toBe(0n);
    }
  });

  it('of the guest’s own tables is lost where the assist cannot be restarted', () => {
    const g = run({ body: nops(4), fields: nowhere, prepare: unmapped, set: { ds_fault: 'lose-record' } });
    expect([g.word(DATA + 0x28n), g.get('RDI')]).toEqual([0x40_0000n, 0n]);
  });

  it('is the guest’s page fault where it can: without an IDT, the end of it', () => {
    const g = run({ body: nops(4), fields: nowhere, prepare: unmapped, set: { ds_fault: 'restartable' } });
    expect(g.domain.ended?.reason).not.toBe('poweroff');
    expect(g.get('CR2')).toBe(0x40_0000n);
  });

  it('in the store itself: nothing is written at all', () => {
    const g = run({ body: nops(4), area: 0x40_0000n, set: { ds_fault: 'lose-record' } });
    expect(g.domain.ended?.reason).toBe('poweroff');
    expect(g.word(BUFFER)).toBe(0n);
  });
});

describe('hostile debug stores', () => {
  it('never harm the host: random stores, indices and areas', () => {
    const seed = Number(process.env.CV_SEED ?? 20_261_121);
    const cases = Number(process.env.CV_CASES ?? 4000);
    let state = seed >>> 0 || 1;
    const random = (): number => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      state >>>= 0;
      return state;
    };
    const any = (): bigint => {
      const near = [
        BUFFER,
        DATA,
        0x3f_fff8n,
        0x40_0000n,
        0x8000_0000n,
        0xfee0_0000n,
        0n,
        (1n << 47n) - 8n,
        (1n << 64n) - 8n,
        1n << 47n,
      ];
      const base = near[random() % near.length] as bigint;
      const step = BigInt((random() % 512) - 256);
      return BigInt.asUintN(64, random() % 4 === 0 ? (BigInt(random()) << 32n) | BigInt(random()) : base + step);
    };
    // A loop that never ends; the counter starts again at -1 each time.
    const begin = (): Guest =>
      made({
        body: [label('again'), nop(), jmp('again')],
        fields: { 64: 0xffff_ffff_ffffn },
        set: { ds_fault: 'lose-record' },
      }).run(200);
    let g = begin();
    const tables = g.read(0x1000n, 0x4000);
    const code = g.read(0x10_0000n, 0x200);
    let written = 0;
    let ended = 0;
    for (let n = 0; n < cases; n++) {
      const area = random() % 4 === 0 ? any() : DATA + BigInt((random() % 64) * 8);
      for (let offset = 0n; offset < 0x60n; offset += 8n) g.write(DATA + BigInt((random() % 64) * 8) + offset, any());
      g.set('IA32_DS_AREA', BigInt.asUintN(64, BigInt.asIntN(48, area)));
      g.set('IA32_PMC0', 0xffff_ffff_ffffn);
      g.set('IA32_PERF_GLOBAL_STATUS', 0n);
      g.domain.memory.slice(0x1000n, tables.length)?.set(tables);
      g.domain.memory.slice(0x10_0000n, code.length)?.set(code);
      g.set('RIP', g.label('again'));
      const before = g.word(DATA + 0x28n);
      g.run(g.domain.instructions() + 6);
      if (g.word(DATA + 0x28n) !== before) written++;
      if (g.domain.ended === undefined) continue;
      // A record over its own page tables or code is the guest's own affair.
      ended++;
      g = begin();
    }
    console.log(
      `hostile debug stores: ${cases} cases, seed ${seed}, ${written} moved an index, ${ended} guests harmed themselves`,
    );
    expect(written).toBeGreaterThan(0);
  });
});
