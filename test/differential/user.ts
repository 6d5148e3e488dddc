/** EL0 cases on qemu-aarch64: builds the driver, feeds it records, reads what came of them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Case, type Result, WINDOW } from './cases.ts';
import { beside } from './place.ts';

/** Sizes of the records of user.c, bytes. */
const IN = 8 * (31 + 4) + 4 * 6 + WINDOW;
const OUT = 8 * (31 + 4) + 4 * 2 + WINDOW;

const SIGILL = 4;
const SIGTRAP = 5;
const SIGBUS = 7;

/** The signal handler's cases go to QEMU so many at a time. */
const BATCH = 4000;

function write(cases: readonly Case[]): Buffer {
  const all = Buffer.alloc(8 + cases.length * IN);
  all.writeBigUInt64LE(BigInt(cases.length), 0);
  cases.forEach((c, i) => {
    const base = 8 + i * IN;
    [...c.x, c.sp, BigInt(c.nzcv), c.pc, c.window].forEach((value, n) => {
      all.writeBigUInt64LE(value, base + 8 * n);
    });
    const tail = base + 8 * 35;
    all.writeUInt32LE(c.words.length, tail);
    c.words.forEach((word, n) => {
      all.writeUInt32LE(word, tail + 8 + 4 * n);
    });
    all.set(c.bytes, tail + 24);
  });
  return all;
}

function read(c: Case, out: Buffer, base: number): Result {
  const value = (n: number): bigint => out.readBigUInt64LE(base + 8 * n);
  const pc = value(33);
  const signal = out.readUInt32LE(base + 8 * 35);
  const here = pc >= c.pc && pc < c.pc + BigInt(4 * c.words.length);
  let end: Result['end'] = 'ran';
  if (signal === SIGILL) end = 'undefined';
  // A fault elsewhere is the fetch of what a branch went to.
  else if (signal !== SIGTRAP && here) end = signal === SIGBUS ? 'alignment' : 'memory';
  return {
    end,
    pc,
    address: value(34),
    x: Array.from({ length: 31 }, (_, n) => value(n)),
    sp: value(31),
    nzcv: Number(value(32)),
    stray: out.readUInt32LE(base + 8 * 35 + 4) !== 0,
    bytes: Uint8Array.from(out.subarray(base + 8 * 35 + 8, base + OUT)),
  };
}

/** A built driver; `close` removes it. */
export interface UserMode {
  run(cases: readonly Case[], cpu: string): Result[];
  close(): void;
}

export function userMode(): UserMode {
  const folder = mkdtempSync(join(tmpdir(), 'countervisor-user-'));
  const driver = join(folder, 'driver');
  const source = beside('user.c');
  execFileSync('aarch64-linux-gnu-gcc', ['-static', '-O1', '-Wall', '-Werror', '-o', driver, source]);
  return {
    run: (cases, cpu) => {
      const results: Result[] = [];
      for (let first = 0; first < cases.length; first += BATCH) {
        const batch = cases.slice(first, first + BATCH);
        const { stdout, status, stderr, signal } = spawnSync('qemu-aarch64', ['-cpu', cpu, driver], {
          input: write(batch),
          maxBuffer: 1 << 30,
        });
        if (status !== 0 || stdout.length !== batch.length * OUT) {
          throw new Error(`qemu-aarch64 ended with ${status ?? signal} and ${stdout.length} bytes: ${stderr}`);
        }
        batch.forEach((c, i) => {
          results.push(read(c, stdout, i * OUT));
        });
      }
      return results;
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
