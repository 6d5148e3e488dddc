import type { Lifter, Value } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { FEATURES } from '../features.ts';
import { arithmetic } from './arithmetic.ts';
import { CALLS } from './calls.ts';
import { type Instruction, instruction } from './decode.ts';
import { isa } from './index.ts';
import { ABSENT } from './instructions/absent.ts';
import { rows } from './instructions/index.ts';
import { MODE } from './mode.ts';
import { costs, type Row, row } from './row.ts';
import { samples } from './testing/operands.ts';

/** Features of rows that no CPU model has. */
const UNCLAIMED = ['xsave', 'sse3'];
const ALL: ReadonlySet<string> = new Set(rows.flatMap((r) => (r.needs === undefined ? [] : [r.needs])));

const modeOf = (bits: 16 | 32 | 64): number =>
  (bits === 64 ? 2 : bits === 32 ? 1 : 0) | MODE.protected | (bits === 16 ? 0 : MODE.stack32);

function decoded(bytes: readonly number[], bits: 16 | 32 | 64, features = ALL): Instruction | undefined {
  const code = { u8: (offset: number) => bytes[offset] ?? 0x90, u32: () => undefined };
  const found = instruction(code, modeOf(bits), features);
  return found !== undefined && 'row' in found ? found : undefined;
}

/** Sizes of code that it can stand in. REX.W is of 64-bit mode alone. */
const sizes = (r: Row): readonly (16 | 32 | 64)[] =>
  r.w === 1 ? [64] : r.only === '64' ? [64] : r.only === 'legacy' ? [16, 32] : [16, 32, 64];

describe('the instruction table', () => {
  it('names each row once', () => {
    expect(new Set(rows.map((r) => r.name)).size).toBe(rows.length);
  });

  it('costs what the cost table knows, and needs features that exist', () => {
    for (const r of rows) {
      expect(Object.keys(costs)).toContain(r.cost);
      if (r.needs !== undefined) expect([...Object.keys(FEATURES), ...UNCLAIMED], r.name).toContain(r.needs);
    }
  });

  it('calls helpers that there are, and every helper is on the list', () => {
    expect(Object.keys(isa.helpers).sort()).toEqual(Object.keys(CALLS).sort());
    expect(Object.keys(arithmetic).every((name) => name in CALLS)).toBe(true);
  });

  it('decodes what it encodes: each row, in code of each size, with registers and memory', () => {
    let tried = 0;
    for (const r of rows) {
      for (const bits of sizes(r)) {
        const all = samples(r, bits);
        expect(all.length, `${r.name} in ${bits}-bit code`).toBeGreaterThan(0);
        for (const { bytes, operands, size } of all) {
          const found = decoded(bytes, bits);
          const shown = `${r.name}: ${bytes.map((b) => b.toString(16)).join(' ')}`;
          expect(found?.name, shown).toBe(r.name);
          expect(found?.length, shown).toBe(bytes.length);
          expect(found?.operands, shown).toEqual(operands);
          if (r.slots.length > 0 && r.sizing === undefined && r.prefix !== '66') expect(found?.size, shown).toBe(size);
          tried += 1;
        }
      }
    }
    expect(tried).toBeGreaterThan(2 * rows.length);
  });

  it('lets LOCK stand where the manual does, and nowhere else', () => {
    const allowed = new Set<string>();
    for (const r of rows) {
      for (const bits of sizes(r)) {
        for (const { bytes, operands } of samples(r, bits)) {
          const locked = decoded([0xf0, ...bytes], bits) !== undefined;
          expect(locked, r.name).toBe(r.lock && operands[0]?.kind === 'memory');
          if (locked) allowed.add(r.mnemonic);
        }
      }
    }
    // SDM volume 2, LOCK.
    const manual = 'ADD ADC AND BTC BTR BTS CMPXCHG CMPXCHG8B CMPXCHG16B DEC INC NEG NOT OR SBB SUB XOR XADD XCHG';
    expect([...allowed].sort()).toEqual(manual.split(' ').sort());
  });

  it('has what a CPU without a feature has: TZCNT is BSF, LZCNT is BSR, the rest is undefined', () => {
    const none = new Set<string>();
    expect(decoded([0xf3, 0x0f, 0xbc, 0xc1], 64, none)?.name).toBe('BSF Gv,Ev');
    expect(decoded([0xf3, 0x0f, 0xbd, 0xc1], 64, none)?.name).toBe('BSR Gv,Ev');
    expect(decoded([0xf3, 0x0f, 0xb8, 0xc1], 64, none)).toBeUndefined();
    expect(decoded([0x0f, 0x38, 0xf0, 0x01], 64, none)).toBeUndefined();
    expect(decoded([0x0f, 0x44, 0xc1], 64, none)).toBeUndefined();
  });

  it('knows what 64-bit mode and real mode lack', () => {
    for (const code of [0x06, 0x27, 0x37, 0x60, 0x9a, 0xce, 0xd5, 0xea])
      expect(decoded([code, 0, 0, 0, 0, 0, 0], 64)).toBeUndefined();
    expect(decoded([0x63, 0xc1], 32)?.name).toBe('ARPL Ew,Gw');
    expect(decoded([0x63, 0xc1], 64)?.name).toBe('MOVSXD Gv,Ez');
    const real = { u8: (offset: number) => [0x0f, 0x00, 0xd8][offset], u32: () => undefined };
    expect(instruction(real, 0, ALL)).toBeUndefined();
    expect(instruction(real, MODE.protected, ALL)?.name).toBe('LTR Ew');
  });

  it('leaves what is absent undefined, each with its reason', () => {
    for (const { name, bytes, because } of ABSENT) {
      expect(decoded(bytes, 64), name).toBeUndefined();
      expect(because.length, name).toBeGreaterThan(20);
    }
  });

  it('takes 15 bytes, and makes 16 a #GP', () => {
    const nops = (count: number): number[] => [...Array.from({ length: count }, () => 0x66), 0x90];
    expect(decoded(nops(14), 64)?.length).toBe(15);
    const code = { u8: (offset: number) => nops(15)[offset], u32: () => undefined };
    expect(instruction(code, modeOf(64), ALL)?.name).toBe('longer than 15 bytes');
  });
});

/** Counts loads and stores that happen in any case. */
class Counting {
  loads = 0;
  stores = 0;
  depth = 0;
  lifter(): Lifter {
    const value = 0 as unknown as Value;
    return new Proxy({} as Lifter, {
      get: (_target, name) => {
        if (name === 'pc') return 0x1000n;
        if (name === 'next') return 0x1003n;
        return (...args: unknown[]) => {
          if (name === 'load' && this.depth === 0) this.loads += 1;
          if (name === 'store' && this.depth === 0) this.stores += 1;
          if (name === 'when') {
            this.depth += 1;
            (args[1] as () => void)();
            this.depth -= 1;
          }
          return value;
        };
      },
    });
  }
}

describe('signals', () => {
  /** Helpers reach memory for these, or they do so under a condition. */
  const OTHERWISE =
    /^(JMP far|CALL far|RET far|INT|IRET|SYS|F|BOUND|L[EDSFG]S|ARPL|MOV Sw|[SL][GI]DT|INS|OUTS|IN|OUT|ENTER|PUSHA|POPA|CMPXCHG16B)/;

  it('a load of what loads, a store of what stores, an access each time', () => {
    for (const r of rows) {
      if (OTHERWISE.test(r.name)) continue;
      for (const bits of sizes(r)) {
        for (const { bytes } of samples(r, bits)) {
          const found = decoded(bytes, bits) as Instruction;
          const counting = new Counting();
          found.lift(counting.lifter());
          const has = (signal: string): number => found.signals.filter((s) => s === signal).length;
          // An instruction with two loads is one that loads.
          expect(has('load') > 0, `${r.name}: load`).toBe(counting.loads > 0);
          expect(has('store') > 0, `${r.name}: store`).toBe(counting.stores > 0);
          expect(has('access'), `${r.name}: accesses`).toBe(counting.loads + counting.stores);
        }
      }
    }
  });

  it('a branch of every branch', () => {
    for (const r of rows) {
      const has = (signal: string): boolean => r.signals.some((s) => s === signal);
      if (r.cost === 'branch' && r.mnemonic !== 'INTO') expect(has('branch'), r.name).toBe(true);
      else if (r.cost !== 'branch') expect(has('branch') || has('taken'), r.name).toBe(false);
    }
    const of = (name: string): readonly string[] => rows.find((r) => r.name === name)?.signals ?? [];
    expect(of('CALL Jz')).toEqual(['branch-immediate', 'branch', 'call', 'taken', 'store', 'access']);
    expect(of('RET')).toEqual(['branch', 'return', 'taken', 'load', 'access']);
    expect(of('Jcc Jb')).toEqual(['branch', 'branch-immediate']);
    expect(of('SYSCALL')).toEqual(['branch', 'far', 'exception']);
    expect(of('IRET')).toEqual(['branch', 'far', 'exception-return']);
  });
});

describe('encodings', () => {
  it('must say an opcode, in words that are known', () => {
    expect(() => row('X', 'NP', '', 'alu', () => {})).toThrow('no opcode');
    expect(() => row('X', '0F ZZ', '', 'alu', () => {})).toThrow("'ZZ'");
  });

  it('are read as the manual writes them', () => {
    expect(row('X', 'F3 0F B8', 'Gv= Ev', 'alu', () => {})).toMatchObject({
      map: 1,
      opcode: 0xb8,
      prefix: 'F3',
      modrm: true,
    });
    expect(row('X', '0F 38 F0', 'Gv= Mv', 'alu', () => {})).toMatchObject({ map: 2, opcode: 0xf0, form: 'mem' });
    expect(row('X', 'W1 0F C7 /1', 'Mx+', 'alu', () => {})).toMatchObject({ w: 1, digit: 1, form: 'mem' });
    expect(row('X', '0F 01 C1', '', 'alu', () => {})).toMatchObject({ exact: 0xc1, exactSpan: 1, modrm: true });
    expect(row('X', 'D8 C0+i', '', 'alu', () => {})).toMatchObject({ exact: 0xc0, exactSpan: 8 });
    expect(row('X', '70+c', 'Jb', 'alu', () => {})).toMatchObject({ opcode: 0x70, span: 16, modrm: false });
  });
});
