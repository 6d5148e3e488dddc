/** EL1 and EL0 cases under a driver at EL2, on qemu-system-aarch64: exceptions, system registers, process state. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beside } from './place.ts';

/** System mode's layout, as in system.c. */
export const SYSTEM_CODE = 0x4300_0000n;
export const SYSTEM_CODE_SIZE = 0x10000;

/** Registers that only store, set before and read after every case: 64 bits, but for one that has 32. */
export const STORAGE = [
  'TPIDR_EL0',
  'TPIDRRO_EL0',
  'TPIDR_EL1',
  'CONTEXTIDR_EL1',
  'MAIR_EL1',
  'FAR_EL1',
  'TTBR0_EL1',
  'TTBR1_EL1',
] as const;
export const NARROW: readonly string[] = ['CONTEXTIDR_EL1'];

/** PSTATE as SPSR_EL2 has it: NZCV in 31:28, PAN 22, DAIF in 9:6, EL in 3:2, SPSel in 0. */
export interface SystemCase {
  readonly row: string;
  readonly word: number;
  readonly pc: bigint;
  readonly x: readonly bigint[];
  readonly sp: readonly [el0: bigint, el1: bigint];
  readonly pstate: number;
  readonly SCTLR_EL1: bigint;
  readonly CPACR_EL1: bigint;
  readonly ELR_EL1: bigint;
  readonly SPSR_EL1: bigint;
  readonly storage: readonly bigint[];
}

/** What came of it: it ran, or an exception was taken to EL1, or it was trapped to EL2. */
export interface SystemResult {
  readonly end: 'ran' | 'el1' | 'el2';
  /** Where it continued; the preferred return address of an exception to EL1; for a trap, the instruction. */
  readonly pc: bigint;
  /** Exception class and ISS of an exception or trap; 0 when it ran. */
  readonly ec: number;
  readonly iss: number;
  readonly x: readonly bigint[];
  readonly sp: readonly [el0: bigint, el1: bigint];
  /** PSTATE afterwards; of an exception, as it was saved. */
  readonly pstate: number;
  readonly storage: readonly bigint[];
}

const IN = 8 * (31 + 8 + 8 + 1);
const OUT = 8 * (31 + 2 + 4 + 4 + 8);
const SENTINEL = 0xfff0;
const EC_HVC = 0x16;
const EC_BRK = 0x3c;
/** N, Z, C, V, PAN, IL, D, A, I, F and M: what the model has of PSTATE. */
const PSTATE = 0xf05003df;

function write(cases: readonly SystemCase[]): Buffer {
  const all = Buffer.alloc(8 + cases.length * IN);
  all.writeBigUInt64LE(BigInt(cases.length), 0);
  cases.forEach((c, i) => {
    const base = 8 + i * IN;
    const quads = [
      ...c.x,
      ...c.sp,
      c.pc,
      BigInt(c.pstate),
      c.SCTLR_EL1,
      c.CPACR_EL1,
      c.ELR_EL1,
      c.SPSR_EL1,
      ...c.storage,
    ];
    quads.forEach((value, n) => {
      all.writeBigUInt64LE(value, base + 8 * n);
    });
    all.writeUInt32LE(c.word, base + 8 * quads.length);
  });
  return all;
}

function read(out: Buffer, base: number): SystemResult {
  const value = (n: number): bigint => out.readBigUInt64LE(base + 8 * n);
  const number = (n: number): number => Number(value(n) & 0xffff_ffffn);
  const [elr2, spsr2, esr2, esr1, elr1, spsr1] = [value(33), number(34), number(35), number(37), value(38), number(39)];
  const ec2 = esr2 >>> 26;
  const iss2 = esr2 & 0x1ffffff;
  const common = {
    x: Array.from({ length: 31 }, (_, n) => value(n)),
    sp: [value(31), value(32)] as const,
    storage: STORAGE.map((_, n) => value(41 + n)),
  };
  if (ec2 === EC_BRK && iss2 === SENTINEL) {
    return { ...common, end: 'ran', pc: elr2, ec: 0, iss: 0, pstate: (spsr2 & PSTATE) >>> 0 };
  }
  // Exceptions to EL1 overwrite what they save: these registers are no storage then.
  if (ec2 === EC_BRK && iss2 >= 0xe00 && iss2 < 0xe10) {
    return { ...common, end: 'el1', pc: elr1, ec: esr1 >>> 26, iss: esr1 & 0x1ffffff, pstate: (spsr1 & PSTATE) >>> 0 };
  }
  const pc = ec2 === EC_HVC ? elr2 - 4n : elr2;
  return { ...common, end: 'el2', pc, ec: ec2, iss: iss2, pstate: (spsr2 & PSTATE) >>> 0 };
}

export interface SystemMode {
  run(cases: readonly SystemCase[], cpu: string): SystemResult[];
  close(): void;
}

export function systemMode(): SystemMode {
  const folder = mkdtempSync(join(tmpdir(), 'countervisor-system-'));
  const image = join(folder, 'driver.elf');
  const source = beside('system.c');
  const flags = [
    '-O1',
    '-Wall',
    '-Werror',
    '-Wno-main',
    '-ffreestanding',
    '-mgeneral-regs-only',
    '-nostdlib',
    '-static',
  ];
  const link = ['-Wl,-Ttext=0x40080000', '-Wl,-e,_start', '-Wl,--build-id=none', '-o', image, source];
  execFileSync('aarch64-linux-gnu-gcc', [...flags, ...link]);
  return {
    run: (cases, cpu) => {
      if (cases.length === 0) return [];
      writeFileSync(join(folder, 'cases.bin'), write(cases));
      rmSync(join(folder, 'results.bin'), { force: true });
      const machine = ['-M', 'virt,virtualization=on,gic-version=3', '-cpu', cpu, '-m', '512M', '-display', 'none'];
      const rest = ['-nic', 'none', '-monitor', 'none', '-serial', 'none', '-semihosting', '-kernel', image];
      const cases_ = ['-device', 'loader,file=cases.bin,addr=0x44000000,force-raw=on'];
      execFileSync('qemu-system-aarch64', [...machine, ...rest, ...cases_], { cwd: folder, timeout: 600_000 });
      const out = readFileSync(join(folder, 'results.bin'));
      if (out.length !== cases.length * OUT)
        throw new Error(`The driver wrote ${out.length} bytes, not ${cases.length * OUT}.`);
      return cases.map((_, i) => read(out, i * OUT));
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** TTBR<n>_EL1.CnP. */
const COMMON_NOT_PRIVATE = 1n;

/**
 * QEMU 7.2 reports a trapped MSR DAIFSet or DAIFClr of EL0 with op1 and op2 in each other's place (daif_check hands them over swapped); the
 * manual's ISS for EC 0x18 has op1 = 3 and op2 = 6 or 7.
 */
function mended(c: SystemCase, { ec, iss }: SystemResult): number {
  if (ec !== 0x18 || !c.row.startsWith('MSR DAIF')) return iss;
  const [op2, op1] = [(iss >> 14) & 7, (iss >> 17) & 7];
  return (iss & ~((7 << 14) | (7 << 17))) | (op1 << 14) | (op2 << 17);
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** How two results differ, in words. */
export function systemDifference(c: SystemCase, ours: SystemResult, theirs: SystemResult): string | undefined {
  const all: string[] = [];
  const say = (what: string, mine: bigint | number | string, its: bigint | number | string): void => {
    const show = (v: typeof mine): string => (typeof v === 'string' ? v : hex(v));
    if (mine !== its) all.push(`${what} ${show(mine)}, QEMU ${show(its)}`);
  };
  say('end', ours.end, theirs.end);
  say('pc', ours.pc, theirs.pc);
  say('EC', ours.ec, theirs.ec);
  say('ISS', ours.iss, mended(c, theirs));
  say('PSTATE', ours.pstate, theirs.pstate);
  for (let n = 0; n < 31; n++) say(`X${n}`, ours.x[n] as bigint, theirs.x[n] as bigint);
  say('SP_EL0', ours.sp[0], theirs.sp[0]);
  say('SP_EL1', ours.sp[1], theirs.sp[1]);
  STORAGE.forEach((name, n) => {
    // What an exception to EL1 writes has been compared above.
    if (ours.end === 'el1' && name === 'FAR_EL1') return;
    // QEMU keeps what is written to RES0 bits, and its CPU has FEAT_TTCNP, which no modelled one shows.
    const kept = NARROW.includes(name) ? 0xffff_ffffn : name.startsWith('TTBR') ? ~COMMON_NOT_PRIVATE : -1n;
    say(name, (ours.storage[n] as bigint) & kept, (theirs.storage[n] as bigint) & kept);
  });
  return all.length === 0 ? undefined : all.join('; ');
}
