/**
 * The pinned debug store of 2014 on a Silvermont: each of the patch's seven defects bites under compat, is named in the trace, and is not there under strict.
 * Facts: "KVM: x86/pmu: PEBS virtualization", 2014, part 4, and its review.
 */
import { describe, expect, it } from 'vitest';
import { type Item, jmp, mem, mov, nop, op } from '../asm.ts';
import { DATA, type Guest, guest, rdmsr, wrmsr } from '../testing/long.ts';

const RECORD = 192n;
const PAGE = 0x1000n;

interface Setting {
  readonly mode: 'compat' | 'strict';
  readonly area?: bigint;
  readonly base: bigint;
  readonly maximum: bigint;
  readonly index?: bigint;
  /** Behind the write of PEBS_ENABLE, before counting starts. */
  readonly between?: readonly Item[];
  /** Instead of selector, then PEBS_ENABLE. */
  readonly late?: boolean;
  /** Changes memory before the guest runs. */
  readonly prepare?: (g: Guest) => void;
}

/** PMC0 counts instructions from -1: one nop overflows, the next is recorded. */
function run({ mode, area = DATA, base, maximum, index = base, between = [], late = false, prepare }: Setting): {
  g: Guest;
  notes: string[];
} {
  // BR_INST_RETIRED.ALL_BRANCHES is precise on Silvermont, instructions are not: count branches.
  const select = wrmsr(0x186, 0x43_00c4n);
  const enable = wrmsr(0x3f1, 1n);
  const g = guest(
    [
      wrmsr(0x38f, 0n),
      wrmsr(0x4c1, 0xff_ffff_ffffn),
      wrmsr(0x600, area),
      ...(late ? [select, enable] : [enable, select]),
      ...between,
      wrmsr(0x38f, 1n),
      jump(),
      jump(),
      nop(),
      wrmsr(0x38f, 0n),
      rdmsr(0x38e),
    ],
    { cpu: 'silvermont', policy: 'emulated', settings: { pebs: 'pin', pebs_mode: mode } },
  );
  const notes: string[] = [];
  g.machine.events.on('note', ({ rule }) => notes.push(rule));
  prepare?.(g);
  for (const [offset, value] of [
    [0x20n, base],
    [0x28n, index],
    [0x30n, maximum],
    [0x38n, maximum],
  ] as const) {
    // Behind RAM there is nothing to write to.
    if (area + offset + 8n <= 0x40_0000n) g.write(area + offset, value);
  }
  g.run();
  return { g, notes };
}

let made = 0;
/** A branch to the next instruction. */
function jump(): Item {
  made++;
  const name = `on${made}`;
  return [jmp(name), { label: name }];
}

const recorded = (g: Guest, area: bigint, index: bigint): boolean => g.word(area + 0x28n) === index + RECORD;

describe.each(['compat', 'strict'] as const)('%s', (mode) => {
  const compat = mode === 'compat';

  it('writes a record to a buffer of one page', () => {
    const base = DATA + PAGE;
    const { g, notes } = run({ mode, base, maximum: base + PAGE });
    expect(recorded(g, DATA, base)).toBe(true);
    expect(notes).toEqual([]);
  });

  it('a buffer whose base is not aligned: its last page is stepped over', () => {
    const base = DATA + PAGE + 0xf80n;
    const { g, notes } = run({ mode, base, maximum: base + 0x180n });
    expect(recorded(g, DATA, base)).toBe(!compat);
    if (compat) expect(notes).toContain('pin-unaligned-step');
    else expect(notes).toEqual([]);
  });

  it('a debug store on two pages, the second of which is not mapped', () => {
    const area = 0x3f_ffd0n;
    const { g, notes } = run({
      mode,
      area,
      base: DATA + PAGE,
      maximum: DATA + 2n * PAGE,
      // The third entry of the page directory: 0x400000 to 0x5fffff.
      prepare: (one) => one.write(0x3010n, 0n),
    });
    expect(g.word(DATA + PAGE)).toBe(0n);
    if (compat) expect(notes).toContain('pin-ds-straddle');
    expect(g.get('IA32_PEBS_ENABLE')).toBe(compat ? 1n : 0n);
  });

  it('a page that cannot be pinned: a line in the log, and the write succeeds', () => {
    const base = 0x40_0000n;
    const { g, notes } = run({
      mode,
      base,
      maximum: base + PAGE,
      prepare: (one) => one.write(0x3010n, 0n),
    });
    expect(g.get('IA32_PEBS_ENABLE')).toBe(compat ? 1n : 0n);
    if (compat) expect(notes).toContain('pin-failure-ignored');
  });

  it('a buffer of 18 pages: the store and 16 are pinned', () => {
    const base = DATA + PAGE;
    const maximum = base + 18n * PAGE;
    const inside = run({ mode, base, maximum, index: base + 15n * PAGE });
    expect(recorded(inside.g, DATA, base + 15n * PAGE)).toBe(compat);
    const beyond = run({ mode, base, maximum, index: base + 16n * PAGE });
    expect(recorded(beyond.g, DATA, base + 16n * PAGE)).toBe(false);
    if (compat) expect(beyond.notes).toContain('pin-seventeen-pages');
    // strict does not begin what it cannot hold.
    expect(beyond.g.get('IA32_PEBS_ENABLE')).toBe(compat ? 1n : 0n);
  });

  it('a buffer that is mapped elsewhere after it was pinned', () => {
    const base = 0x60_0000n + 8n * PAGE;
    const low = 0x60_0000n;
    // The fourth entry of the directory: first to 0x200000, then to 0x0.
    const { g } = run({
      mode,
      base,
      maximum: base + PAGE,
      prepare: (one) => one.write(0x3018n, 0x20_0087n),
      between: [
        mov('RDI', 0x3018),
        mov('RAX', 0x87),
        mov(mem('RDI'), 'RAX'),
        mov('RAX', low),
        op('INVLPG', [mem('RAX')]),
      ],
    });
    expect(recorded(g, DATA, base)).toBe(!compat);
  });

  it('PEBS_ENABLE written again with its value', () => {
    const base = DATA + PAGE;
    const { g, notes } = run({ mode, base, maximum: base + PAGE, between: [wrmsr(0x3f1, 1n)] });
    expect(recorded(g, DATA, base)).toBe(true);
    expect(notes).toEqual(compat ? ['pin-not-again'] : []);
  });

  it('DS_AREA moved while PEBS is on', () => {
    const base = DATA + 4n * PAGE;
    const other = DATA + 2n * PAGE;
    const { g, notes } = run({
      mode,
      base,
      maximum: base + PAGE,
      between: [wrmsr(0x600, other)],
      prepare(one) {
        for (const [offset, value] of [
          [0x20n, base],
          [0x28n, base],
          [0x30n, base + PAGE],
          [0x38n, base + PAGE],
        ] as const) {
          one.write(other + offset, value);
        }
      },
    });
    expect(recorded(g, other, base)).toBe(!compat);
    if (compat) expect(notes).toContain('pin-not-again');
  });

  it('a selector written before PEBS is enabled', () => {
    const base = DATA + PAGE;
    const { g } = run({ mode, base, maximum: base + PAGE, late: true });
    expect(recorded(g, DATA, base)).toBe(!compat);
    // An ordinary overflow, where it is not precise.
    expect(g.get('RAX') !== 0n || g.get('IA32_PERF_GLOBAL_STATUS') !== 0n).toBe(compat);
  });

  it('DS_AREA set back to 0: its entry stays in the list of VM entry', () => {
    const base = DATA + PAGE;
    const { g, notes } = run({ mode, base, maximum: base + PAGE, between: [wrmsr(0x600, 0n)] });
    expect(recorded(g, DATA, base)).toBe(compat);
    if (compat) expect(notes).toContain('stale-ds-entry');
  });
});
