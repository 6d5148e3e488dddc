/** PSCI and SMCCC calls: numbers, arguments and answers from DEN 0022 and DEN 0028. */
import { describe, expect, it } from 'vitest';
import { hypercalls, services } from './hypercall.ts';
import { Board } from './testing/board.ts';

const call = (made: Board, number: number, args: readonly bigint[] = [], vcpu = 0): unknown =>
  services[String(number)]?.call(made.cpu(vcpu), [...args, 0n, 0n, 0n].slice(0, 3));
const minus = (n: bigint): bigint => (1n << 64n) - n;

const VERSION = 0x8400_0000;
const CPU_OFF = 0x8400_0002;
const CPU_ON = 0xc400_0003;
const CPU_ON_32 = 0x8400_0003;
const AFFINITY_INFO = 0xc400_0004;
const FEATURES = 0x8400_000a;
const ENTRY = 0x4000_0000n;

describe('PSCI', () => {
  it('is version 1.1, needs no Trusted OS', () => {
    expect(call(new Board(), VERSION)).toBe(0x1_0001n);
    expect(call(new Board(), 0x8400_0006)).toBe(2n);
  });
  it('CPU_ON starts a vCPU at its entry with its context, once', () => {
    const made = new Board({ vcpus: 2 });
    expect(call(made, CPU_ON, [1n, ENTRY, 0xc0ffee_0000_0001n])).toBe(0n);
    expect(made.started).toEqual([[1, ENTRY, 0xc0ffee_0000_0001n]]);
    expect(call(made, CPU_ON, [1n, ENTRY])).toBe(minus(4n));
    expect(call(made, CPU_ON, [0n, ENTRY])).toBe(minus(4n));
  });
  it('CPU_ON of the 32-bit convention looks at 32 bits', () => {
    const made = new Board({ vcpus: 2 });
    expect(call(made, CPU_ON_32, [0xdead_0000_0001n, 0xffff_ffff_4000_0000n, 0x5_0000_0006n])).toBe(0n);
    expect(made.started).toEqual([[1, ENTRY, 6n]]);
  });
  it('CPU_ON refuses: no such CPU, bits that must be 0, no memory at the entry', () => {
    const made = new Board({ vcpus: 2 });
    expect(call(made, CPU_ON, [2n, ENTRY])).toBe(minus(2n));
    expect(call(made, CPU_ON, [0x8000_0001n, ENTRY])).toBe(minus(2n));
    expect(call(made, CPU_ON, [0x1_0000_0001n, ENTRY])).toBe(minus(2n));
    expect(call(made, CPU_ON, [1n, 0n])).toBe(minus(9n));
    expect(made.started).toEqual([]);
  });
  it('finds vCPUs by Aff1 and Aff0', () => {
    const made = new Board({ vcpus: 18 });
    expect(call(made, CPU_ON, [0x101n, ENTRY])).toBe(0n);
    expect(made.started).toEqual([[17, ENTRY, 0n]]);
  });
  it('CPU_OFF stops the caller', () => {
    const made = new Board({ vcpus: 2 });
    call(made, CPU_ON, [1n, ENTRY]);
    call(made, CPU_OFF, [], 1);
    expect(made.on).toEqual([true, false]);
  });
  it('AFFINITY_INFO: 0 on, 1 off, of a CPU or of all that share higher fields', () => {
    const made = new Board({ vcpus: 18 });
    expect(call(made, AFFINITY_INFO, [0n, 0n])).toBe(0n);
    expect(call(made, AFFINITY_INFO, [1n, 0n])).toBe(1n);
    expect(call(made, AFFINITY_INFO, [0x102n, 0n])).toBe(minus(2n));
    // Level 1: cluster 0 has vCPU 0, which is on; cluster 1 has none that is.
    expect(call(made, AFFINITY_INFO, [0xffn, 1n])).toBe(0n);
    expect(call(made, AFFINITY_INFO, [0x1ffn, 1n])).toBe(1n);
    expect(call(made, AFFINITY_INFO, [0x200n, 1n])).toBe(minus(2n));
    expect(call(made, AFFINITY_INFO, [0xffffn, 2n])).toBe(0n);
    expect(call(made, AFFINITY_INFO, [0n, 4n])).toBe(minus(2n));
    expect(call(made, 0x8400_0004, [0x9_0000_0001n, 0x7_0000_0000n])).toBe(1n);
  });
  it('CPU_SUSPEND waits', () => {
    const made = new Board();
    expect(call(made, 0xc400_0001, [0n, ENTRY])).toBe(0n);
    expect(call(made, 0x8400_0001, [0x1_0000n, ENTRY])).toBe(0n);
    expect(made.cpu().waits).toBe(2);
  });
  it('SYSTEM_OFF and SYSTEM_RESET end the domain', () => {
    const off = new Board();
    call(off, 0x8400_0008);
    expect(off.ended).toEqual(['poweroff', 0]);
    const reset = new Board();
    call(reset, 0x8400_0009);
    expect(reset.ended).toEqual(['reset', 0]);
  });
  it('PSCI_FEATURES knows exactly what is answered', () => {
    const made = new Board();
    const known = [0, 1, 2, 3, 4, 6, 8, 9, 0xa].map((n) => 0x8400_0000 + n);
    for (const number of [...known, 0xc400_0001, 0xc400_0003, 0xc400_0004, 0x8000_0000]) {
      expect([number, call(made, FEATURES, [BigInt(number)])]).toEqual([number, 0n]);
    }
    // MIGRATE, SYSTEM_RESET2, 64-bit forms of calls that have none, SMCCC_ARCH_FEATURES, nothing.
    for (const number of [0x8400_0005, 0x8400_0012, 0xc400_0000, 0xc400_0008, 0x8000_0001, 0]) {
      expect([number, call(made, FEATURES, [BigInt(number)])]).toEqual([number, minus(1n)]);
    }
  });
});

describe('SMCCC', () => {
  it('is version 1.1, and lists its own calls', () => {
    expect(call(new Board(), 0x8000_0000)).toBe(0x1_0001n);
    expect(call(new Board(), 0x8000_0001, [0x8000_0000n])).toBe(0n);
    expect(call(new Board(), 0x8000_0001, [0x8000_0001n])).toBe(0n);
    // ARCH_WORKAROUND_1, and a PSCI number.
    expect(call(new Board(), 0x8000_0001, [0x8000_8000n])).toBe(minus(1n));
    expect(call(new Board(), 0x8000_0001, [0x8400_0000n])).toBe(minus(1n));
  });
  it('takes the number from W0', () => {
    const cpu = new Board().cpu().put({ X0: 0xffff_ffff_8400_0000n });
    expect(cpu.get(hypercalls.convention.number)).toBe(BigInt(VERSION));
    expect(hypercalls.convention.arguments).toEqual(['X1', 'X2', 'X3']);
    expect(hypercalls.convention.result).toBe('X0');
  });
  it('an unknown call is not supported', () => {
    expect(hypercalls.unknown(new Board().cpu(), 0x539n)).toBe(minus(1n));
    expect(services[String(0x539)]).toBeUndefined();
  });
});
