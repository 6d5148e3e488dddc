/** Cases of x86 at CPL 3 on qemu-x86_64 and qemu-i386, or on an x86 machine itself: builds the driver, feeds it records, reads what came of them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beside } from './place.ts';
import { type Bits, FPU, WINDOW, type X86Case, type X86Result } from './x86-cases.ts';

/** Sizes of the records of x86.c, bytes. */
const IN = 8 * 19 + 4 * 2 + 16 + WINDOW + FPU;
const OUT = 8 * 19 + 4 * 4 + WINDOW + FPU;
const BATCH = 4000;

/** Where the drivers themselves lie: where no edge of a number is an address of theirs. */
export const DRIVER = 0x6b5a_0000n;
export const DRIVER_SIZE = 0x4_0000n;

const SIGILL = 4;
const SIGTRAP = 5;
const SIGBUS = 7;
const SIGFPE = 8;
const SIGSEGV = 11;
/** si_code of what the kernel has no address for. */
const SI_KERNEL = 0x80;

/** The exception behind a signal. Those that Linux does not tell apart have one name here. */
function nameOf(signal: number, code: number): string {
  if (signal === SIGILL) return '#UD';
  if (signal === SIGFPE) return code === 1 ? '#DE' : '#MF';
  if (signal === SIGBUS && code === SI_KERNEL) return '#SS';
  if (signal !== SIGSEGV) return `signal ${signal}`;
  return code === SI_KERNEL ? '#GP' : '#PF';
}

/** What our own names are as signals tell them. */
export const AS_SIGNAL: Readonly<Record<string, string>> = { '#BR': '#GP', '#OF': '#GP' };

function write(cases: readonly X86Case[]): Buffer {
  const all = Buffer.alloc(8 + cases.length * IN);
  all.writeBigUInt64LE(BigInt(cases.length), 0);
  cases.forEach((c, i) => {
    const base = 8 + i * IN;
    [...c.r, ...Array.from({ length: 16 - c.r.length }, () => 0n), c.rip, c.flags, c.window].forEach((value, n) => {
      all.writeBigUInt64LE(value, base + 8 * n);
    });
    const tail = base + 8 * 19;
    all.writeUInt32LE(c.code.length, tail);
    all.writeUInt32LE(c.state === undefined ? 0 : 1, tail + 4);
    all.set(c.code, tail + 8);
    all.set(c.bytes, tail + 24);
    if (c.state !== undefined) all.set(c.state, tail + 24 + WINDOW);
  });
  return all;
}

function read(c: X86Case, out: Buffer, base: number): X86Result {
  const value = (n: number): bigint => out.readBigUInt64LE(base + 8 * n);
  const tail = base + 8 * 19;
  const signal = out.readUInt32LE(tail + 8);
  const rip = value(16);
  const ran = signal === SIGTRAP;
  // A fetch that faults elsewhere is that of what a branch went to.
  const fetched = !ran && rip !== c.rip;
  return {
    end: ran || fetched ? 'ran' : nameOf(signal, out.readUInt32LE(tail)),
    // Behind INT3.
    rip: ran ? rip - 1n : rip,
    address: value(18),
    r: c.r.map((_, n) => value(n)),
    flags: value(17),
    stray: out.readUInt32LE(tail + 12) !== 0,
    bytes: Uint8Array.from(out.subarray(tail + 16, tail + 16 + WINDOW)),
    ...(c.state !== undefined && { state: Uint8Array.from(out.subarray(tail + 16 + WINDOW, base + OUT)) }),
  };
}

export interface X86UserMode {
  run(cases: readonly X86Case[]): X86Result[];
  close(): void;
}

/** `native`: without QEMU, on this machine's own processor. */
export function x86UserMode(native = false): X86UserMode {
  const folder = mkdtempSync(join(tmpdir(), 'countervisor-x86-'));
  const options = [
    '-static',
    '-nostdlib',
    '-ffreestanding',
    '-fno-pic',
    '-fno-stack-protector',
    '-fno-builtin',
    '-mgeneral-regs-only',
    '-no-pie',
  ];
  const away = `-Wl,-Ttext-segment=0x${DRIVER.toString(16)}`;
  const drivers = new Map<Bits, string>();
  for (const bits of [32, 64] as const) {
    const driver = join(folder, `driver${bits}`);
    execFileSync('gcc', [`-m${bits}`, ...options, '-O1', '-Wall', '-Werror', away, '-o', driver, beside('x86.c')]);
    drivers.set(bits, driver);
  }
  const ask = (bits: Bits, batch: readonly X86Case[]): X86Result[] => {
    const driver = drivers.get(bits) as string;
    const emulator = bits === 64 ? 'qemu-x86_64' : 'qemu-i386';
    const [command, args] = native ? [driver, []] : [emulator, ['-cpu', 'max', driver]];
    const { stdout, status, stderr, signal } = spawnSync(command, args, { input: write(batch), maxBuffer: 1 << 30 });
    if (status !== 0 || stdout.length !== batch.length * OUT) {
      throw new Error(`${command} ended with ${status ?? signal} and ${stdout.length} bytes: ${stderr}`);
    }
    return batch.map((c, i) => read(c, stdout, i * OUT));
  };
  return {
    run: (cases) => {
      const results = new Map<X86Case, X86Result>();
      for (const bits of [32, 64] as const) {
        const mine = cases.filter((c) => c.bits === bits);
        for (let first = 0; first < mine.length; first += BATCH) {
          const batch = mine.slice(first, first + BATCH);
          for (const [i, result] of ask(bits, batch).entries()) results.set(batch[i] as X86Case, result);
        }
      }
      return cases.map((c) => results.get(c) as X86Result);
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
