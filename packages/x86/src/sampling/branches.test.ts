/** Last branch records and the branch trace store, on every generation: which branches, where they stand, what is filtered. Places were counted by hand. */
import { describe, expect, it } from 'vitest';
import { call, type Item, jmp, label, mem, mov, nop, op, ret } from '../asm.ts';
import { PERFMON } from '../registers/perfmon.ts';
import { DATA, type Guest, ran, rdmsr, wrmsr } from '../testing/long.ts';
import { kindOf } from './branches.ts';

/** Six branches that are taken: relative jump, call, return, indirect call, its return, indirect jump; and one conditional that is, one that is not. */
const BODY: readonly Item[] = [
  label('a'),
  jmp('b'),
  nop(),
  label('b'),
  call('f'),
  label('c'),
  mov('RSI', DATA),
  label('d'),
  op('CALL', [mem('RSI')]),
  label('e'),
  op('JMP', [mem('RSI', 8)]),
  nop(),
  label('g'),
  op('CMP', ['RAX', 'RAX']),
  label('h'),
  op('Jcc', ['i'], { condition: 'E' }),
  nop(),
  label('i'),
  op('Jcc', ['j'], { condition: 'NE' }),
  nop(),
  label('j'),
  jmp('out'),
  label('f'),
  ret(),
  label('out'),
];
/** From and to, by label. */
const TAKEN: readonly (readonly [from: string, to: string])[] = [
  ['a', 'b'],
  ['b', 'f'],
  ['f', 'c'],
  ['d', 'f'],
  ['f', 'e'],
  ['e', 'g'],
  ['h', 'i'],
  ['j', 'out'],
];

const table = (g: Guest): void => {
  g.write(DATA, g.label('f'));
  g.write(DATA + 8n, g.label('g'));
};

function run(
  cpu: string,
  before: readonly Item[],
  after: readonly Item[],
  prepare: (g: Guest) => void = () => {},
): Guest {
  return ran([...before, ...BODY, ...after], {
    cpu,
    policy: 'emulated',
    begin(g) {
      table(g);
      prepare(g);
    },
  });
}

const legacy = Object.entries(PERFMON).filter(([, { lbr }]) => lbr !== undefined && lbr.from !== 'architectural');
const ON = [wrmsr(0x1d9, 1n)];
const OFF = [wrmsr(0x1d9, 0n)];

describe.each(legacy)('the last branches of a %s', (cpu, { lbr }) => {
  const depth = lbr?.depth ?? 0;
  const from = lbr?.from === 0x40 ? 0x40 : 0x680;
  const to = lbr?.from === 0x40 ? 0x60 : 0x6c0;

  it('are those taken, in a ring with its top in TOS, and the MSRs show them', () => {
    const read: Item[] = [rdmsr(0x1c9), mov('R8', 'RAX'), rdmsr(from), mov('R9', 'RAX'), rdmsr(to), mov('R10', 'RAX')];
    const g = run(cpu, ON, [...OFF, ...read]);
    expect(g.get('R8')).toBe(BigInt(TAKEN.length % depth));
    for (let n = 0; n < Math.min(depth, TAKEN.length); n++) {
      const position = (TAKEN.length - n) % depth;
      const [at, target] = TAKEN[TAKEN.length - 1 - n] as readonly [string, string];
      expect([g.get(`LBR_FROM_${position}`), g.get(`LBR_TO_${position}`)]).toEqual([g.label(at), g.label(target)]);
    }
    expect([g.get('R9'), g.get('R10')]).toEqual([g.get('LBR_FROM_0'), g.get('LBR_TO_0')]);
  });

  it('there are as many as the generation has', () => {
    // The first MSR behind the last is no MSR: #GP, and without an IDT the end.
    expect(() => run(cpu, [], [rdmsr(from + depth - 1)])).not.toThrow();
    expect(() => run(cpu, [], [rdmsr(from + depth)])).toThrow();
  });

  it('none are written while it is off', () => {
    const g = run(cpu, [], []);
    expect(g.get('LBR_TOS')).toBe(0n);
  });

  const selects = (lbr?.select ?? 0) !== 0;
  it(selects ? 'LBR_SELECT leaves kinds out' : 'there is no LBR_SELECT', () => {
    if (!selects) {
      expect(() => run(cpu, [], [rdmsr(0x1c8)])).toThrow();
      return;
    }
    const only = (select: bigint): number => Number(run(cpu, [wrmsr(0x1c8, select), ...ON], OFF).get('LBR_TOS'));
    const wrapped = (n: number): number => n % depth;
    expect(only(0n)).toBe(wrapped(8));
    expect(only(1n)).toBe(0);
    expect(only(2n)).toBe(wrapped(8));
    expect(only(4n)).toBe(7);
    expect(only(8n)).toBe(7);
    expect(only(16n)).toBe(7);
    expect(only(32n)).toBe(6);
    expect(only(64n)).toBe(7);
    expect(only(128n)).toBe(6);
    expect(only(0xfcn)).toBe(0);
  });
});

describe('architectural last branches', () => {
  const CTL = 0x14ce;
  const ALL = 0x7f_0003n;

  it('entry 0 is the youngest; the type is in LBR_INFO', () => {
    const g = run(
      'sapphire-rapids',
      [wrmsr(CTL, ALL)],
      [
        wrmsr(CTL, 0n),
        rdmsr(0x1500),
        mov('R8', 'RAX'),
        rdmsr(0x1501),
        mov('R9', 'RAX'),
        rdmsr(0x1200),
        mov('R10', 'RAX'),
      ],
    );
    expect([g.get('R8'), g.get('R9')]).toEqual([g.label('j'), g.label('h')]);
    // A relative jump, and its count of cycles is valid.
    expect([(g.get('R10') >> 56n) & 15n, (g.get('R10') >> 60n) & 1n]).toEqual([2n, 1n]);
  });

  it('takes in what its control asks for', () => {
    const count = (control: bigint): number =>
      Number(run('sapphire-rapids', [wrmsr(CTL, control)], [wrmsr(CTL, 0n)]).get('LBR_TOS'));
    expect(count(ALL)).toBe(8);
    expect(count(0x1_0003n)).toBe(1); // conditional
    expect(count(0x20_0003n)).toBe(2); // returns
    expect(count(0x7f_0005n)).toBe(0); // above CPL 0 alone
  });

  it('a new depth forgets all', () => {
    const g = run('sapphire-rapids', [wrmsr(CTL, ALL)], [wrmsr(CTL, 0n), wrmsr(0x14cf, 16n), rdmsr(0x1500)]);
    expect([g.get('LBR_TOS'), g.get('LBR_FROM_8'), g.get('IA32_LBR_DEPTH')]).toEqual([0n, 0n, 16n]);
    expect(() => run('sapphire-rapids', [wrmsr(0x14cf, 7n)], [])).toThrow();
  });
});

describe('the branch trace store', () => {
  const BASE = DATA + 0x1000n;
  const trace = (control: bigint, maximum: bigint, threshold = maximum): Guest =>
    run('skylake', [wrmsr(0x600, DATA + 0x100n), wrmsr(0x1d9, control)], [wrmsr(0x1d9, 0n)], (g) => {
      for (const [n, value] of [BASE, BASE, maximum, threshold].entries())
        g.write(DATA + 0x100n + 8n * BigInt(n), value);
    });
  const written = (g: Guest, n: number): bigint[] =>
    [0n, 8n, 16n].map((offset) => g.word(BASE + 24n * BigInt(n) + offset));

  it('has from, to and a predicted flag of each', () => {
    const g = trace(0xc0n, BASE + 0x1000n);
    expect(g.word(DATA + 0x108n)).toBe(BASE + 24n * 8n);
    for (const [n, [from, to]] of TAKEN.entries()) expect(written(g, n)).toEqual([g.label(from), g.label(to), 0x10n]);
  });

  it('is a ring without BTINT, and stops and interrupts with it', () => {
    const ring = trace(0xc0n, BASE + 24n * 5n);
    expect(ring.word(DATA + 0x108n)).toBe(BASE + 24n * 3n);
    expect(written(ring, 0)[0]).toBe(ring.label('e'));
    const stop = trace(0x1c0n, BASE + 24n * 5n, BASE + 24n * 4n);
    expect(stop.word(DATA + 0x108n)).toBe(BASE + 24n * 5n);
    expect((stop.get('IA32_PERF_GLOBAL_STATUS') >> 62n) & 1n).toBe(1n);
  });

  it('is not of CPL 0 with BTS_OFF_OS', () => {
    expect(trace(0x2c0n, BASE + 0x1000n).word(DATA + 0x108n)).toBe(BASE);
  });
});

describe('kinds of branches', () => {
  it.each([
    ['branch', 'Jcc Jb', 'conditional'],
    ['branch', 'LOOPNE Jb', 'conditional'],
    ['branch', 'JMP Jz', 'relative-jump'],
    ['branch', 'JMP Ev', 'indirect-jump'],
    ['call', 'CALL Jz', 'relative-call'],
    ['call', 'CALL Ev', 'indirect-call'],
    ['return', 'RET Iw', 'near-return'],
    ['branch', 'JMP far Mp', 'far'],
    ['exception', '#PF', 'far'],
    ['exception-return', 'IRET', 'far'],
  ] as const)('%s by %s is %s', (kind, name, expected) => {
    expect(kindOf({ kind, name })).toBe(expected);
  });
});
