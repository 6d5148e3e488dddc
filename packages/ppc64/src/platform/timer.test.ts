/** The time base and the decrementer as functions of time; values worked out by hand from 64 ticks for 125 cycles. */
import type { Vcpu, View } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { addi, b, bcond, cmpdi, label, li, load, mfspr, mtmsrd, mtspr, nop, op } from '../asm.ts';
import { BASE, hcall, left, NOTES, notes, run } from '../testing/guest.ts';
import {
  cycleOf,
  decrementer,
  decrementerDeadline,
  decrementerException,
  latchDecrementer,
  setDecrementer,
  timeBase,
  tookDecrementer,
} from './timer.ts';

const LD = 1n << 17n;

/** Just what the timer asks for. */
function timed(kind: 'edge' | 'level', bits: number) {
  const registers = new Map<string, bigint>([['LPCR', bits > 32 ? LD : 0n]]);
  const vcpu = {
    now: 0n,
    cpu: { settings: { decrementer: bits, 'decrementer-exception': kind } },
    get: (name: string) => registers.get(name) ?? 0n,
    set: (name: string, value: bigint) => void registers.set(name, value),
  };
  return { vcpu: vcpu as unknown as Vcpu & { now: bigint }, view: vcpu as unknown as View & { now: bigint } };
}

describe('the time base', () => {
  it('has 64 ticks in 125 cycles', () => {
    expect([0n, 1n, 2n, 124n, 125n, 1_000_000_000n].map((now) => timeBase({ now }))).toEqual([
      0n,
      0n,
      1n,
      63n,
      64n,
      512_000_000n,
    ]);
  });
  it('has each value first at the cycle that is foretold', () => {
    for (let tick = 1n; tick < 1000n; tick++) {
      expect(timeBase({ now: cycleOf(tick) })).toBe(tick);
      expect(timeBase({ now: cycleOf(tick) - 1n })).toBe(tick - 1n);
    }
  });
});

describe('the decrementer', () => {
  it('counts down, through 0 to all ones', () => {
    const { vcpu } = timed('level', 32);
    setDecrementer(vcpu, 0xdead_0000_0003n);
    const at = (now: bigint): bigint => {
      vcpu.now = now;
      return decrementer(vcpu);
    };
    expect([0n, 2n, 4n, 6n, 8n, 10n].map(at)).toEqual([3n, 2n, 1n, 0n, 0xffff_ffffn, 0xffff_fffen]);
  });
  it('is sign-extended when it is large', () => {
    const { vcpu } = timed('level', 56);
    setDecrementer(vcpu, 0x7f_ffff_ffff_ffffn);
    expect(decrementer(vcpu)).toBe(0x7f_ffff_ffff_ffffn);
    setDecrementer(vcpu, 0x80_0000_0000_0000n);
    expect(decrementer(vcpu)).toBe(0xff80_0000_0000_0000n);
    setDecrementer(vcpu, 0xff00_0000_0000_0000n);
    expect(decrementer(vcpu)).toBe(0n);
  });
  it.each([32, 56])('of %d bits: its exception is its sign, and the deadline is when that changes', (bits) => {
    const { vcpu, view } = timed('level', bits);
    const half = 1n << BigInt(bits - 1);
    for (const value of [0n, 5n, half - 1n, half, half + 5n, 2n * half - 1n]) {
      vcpu.now = 1000n;
      setDecrementer(vcpu, value);
      const negative = value >= half;
      expect(decrementerException(view)).toBe(negative);
      vcpu.now = decrementerDeadline(view) - 1n;
      expect(decrementerException(view)).toBe(negative);
      vcpu.now += 1n;
      expect(decrementerException(view)).toBe(!negative);
      tookDecrementer(vcpu);
      expect(decrementerException(view)).toBe(!negative);
    }
  });
  it('as an edge: once for each time it turns negative, by itself or by a write', () => {
    const { vcpu, view } = timed('edge', 32);
    const seen = (): boolean => {
      latchDecrementer(vcpu);
      return decrementerException(view);
    };
    setDecrementer(vcpu, 0xffff_fff0n);
    // 0 to begin with, and so not negative: the write is an edge.
    expect(seen()).toBe(true);
    tookDecrementer(vcpu);
    expect(seen()).toBe(false);
    setDecrementer(vcpu, 0xffff_ff00n);
    expect(seen()).toBe(false);
    setDecrementer(vcpu, 10n);
    expect(seen()).toBe(false);
    vcpu.now = decrementerDeadline(view);
    expect(seen()).toBe(true);
    // It waits, though DEC is written again.
    setDecrementer(vcpu, 10n);
    expect(seen()).toBe(true);
    tookDecrementer(vcpu);
    expect(seen()).toBe(false);
  });
});

const EE = 0x8000;
/** Interrupts on: r31 has MSR with EE. */
const enable = [op('mfmsr', 'r31'), op('ori', 'r31', 'r31', EE), mtmsrd('r31', 1)];
/** Notes where it came from and when, and makes DEC positive. */
const handler = [
  mfspr('r20', 26),
  load('r21', NOTES),
  op('std', 'r20', 0, 'r21'),
  mfspr('r20', 'TB'),
  op('std', 'r20', 8, 'r21'),
  load('r20', 0x7fff_ffff),
  mtspr('DEC', 'r20'),
  op('rfid'),
];

describe.each(['970', 'power8', 'power9', 'power10'])('its interrupt on a %s', (cpu) => {
  it('comes at the first boundary at which DEC is negative', () => {
    // Instruction n of the program begins at cycle n. li 1, mtspr 2: DEC 10 is written at cycle 8 or so; every tick is nearly two cycles.
    const machine = run({
      cpu,
      vectors: { 2304: handler },
      program: [li('r5', 10), mtspr('DEC', 'r5'), enable, Array.from({ length: 40 }, nop)],
    });
    const [from = 0n, when] = notes(machine, 2);
    // mtspr is the second instruction and sees cycle 1, tick 0: DEC is negative from tick 11, cycle 22 (11 * 125 / 64 = 21.5). 22 instructions have retired then.
    expect((from - BASE) / 4n).toBe(22n);
    // Three instructions of the handler come before the one that reads the time base.
    expect(when).toBe((25n * 64n) / 125n);
  });

  it('waits for EE, and is there as long as DEC is negative', () => {
    const machine = run({
      cpu,
      vectors: {
        2304: [addi('r10', 'r10', 1), op('cmpi', 'cr0', 0, 'r10', 3), bcond('ne', 8), mtspr('DEC', 'r11'), op('rfid')],
      },
      start: { GPR11: 0x7fff_ffffn },
      program: [li('r5', -1), mtspr('DEC', 'r5'), nop(), nop(), mfspr('r12', 'DEC'), enable, nop(), nop()],
    });
    expect(left(machine, 'GPR10')).toEqual([3n]);
  });

  it('ends a cede, at once and not earlier', () => {
    const machine = run({
      cpu,
      vectors: { 2304: handler },
      program: [load('r5', 1000), mtspr('DEC', 'r5'), hcall(0xe0), load('r6', NOTES), op('std', 'r3', 16, 'r6')],
    });
    const [from = 0n, when, result] = notes(machine, 3);
    // Behind sc: 4 instructions; DEC was written at cycle 1, so the time base has 1001 at cycle 1956; the handler reads it three instructions on.
    expect([(from - BASE) / 4n, when, result]).toEqual([4n, ((1956n + 3n) * 64n) / 125n, 0n]);
  });
});

it('wait goes on when the decrementer has something, without EE', () => {
  const machine = run({
    cpu: 'power9',
    program: [
      load('r5', 1000),
      mtspr('DEC', 'r5'),
      op('wait', 0, 0),
      mfspr('r6', 'TB'),
      label('spin'),
      cmpdi('r6', 0),
      bcond('eq', 'spin'),
      b(4),
    ],
  });
  // Tick 1001 begins at cycle 1956, one instruction later it is read.
  expect(left(machine, 'GPR6')).toEqual([(1956n * 64n) / 125n]);
});
