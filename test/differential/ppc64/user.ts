/** Problem-state cases on qemu-ppc64 and qemu-ppc64le: builds the driver, feeds it records, reads what came of them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beside } from '../place.ts';
import { type Case, type End, type Order, type Result, WINDOW, WORDS } from './cases.ts';

/** Sizes of the records of user.c, bytes: doublewords, words, window. */
const DOUBLES = 32 + 6;
const IN = 8 * DOUBLES + 4 * (2 + WORDS) + WINDOW;
const OUT = 8 * DOUBLES + 4 * 4 + WINDOW;

const SIGILL = 4;
const SIGTRAP = 5;
const SIGBUS = 7;
const ILL_PRVOPC = 5;

/** The signal handler's cases go to QEMU so many at a time. */
const BATCH = 4000;

function write(cases: readonly Case[], big: boolean): Buffer {
  const all = Buffer.alloc(8 + cases.length * IN);
  const double = (value: bigint, at: number): number =>
    big ? all.writeBigUInt64BE(value, at) : all.writeBigUInt64LE(value, at);
  const word = (value: number, at: number): number =>
    big ? all.writeUInt32BE(value, at) : all.writeUInt32LE(value, at);
  double(BigInt(cases.length), 0);
  cases.forEach((c, i) => {
    const base = 8 + i * IN;
    [...c.gpr, c.ctr, c.lr, c.xer, c.cr, c.pc, c.window].forEach((value, n) => {
      double(value, base + 8 * n);
    });
    const tail = base + 8 * DOUBLES;
    word(c.words.length, tail);
    c.words.forEach((value, n) => {
      word(value, tail + 8 + 4 * n);
    });
    all.set(c.bytes, tail + 8 + 4 * WORDS);
  });
  return all;
}

function read(c: Case, out: Buffer, base: number, big: boolean): Result {
  const value = (n: number): bigint => (big ? out.readBigUInt64BE(base + 8 * n) : out.readBigUInt64LE(base + 8 * n));
  const tail = base + 8 * DOUBLES;
  const word = (n: number): number => (big ? out.readUInt32BE(tail + 4 * n) : out.readUInt32LE(tail + 4 * n));
  const pc = value(36);
  const [signal, code, stray] = [word(0), word(1), word(2)];
  const here = pc >= c.pc && pc < c.pc + BigInt(4 * c.words.length);
  let end: End = 'ran';
  if (signal === SIGILL) end = code === ILL_PRVOPC ? 'privileged' : 'illegal';
  else if (signal === SIGTRAP) end = here ? 'trap' : 'ran';
  // A fault elsewhere is the fetch of what a branch went to.
  else if (here) end = signal === SIGBUS ? 'alignment' : 'memory';
  return {
    end,
    pc,
    address: value(37),
    gpr: Array.from({ length: 32 }, (_, n) => value(n)),
    ctr: value(32),
    lr: value(33),
    xer: value(34),
    cr: value(35),
    stray: stray !== 0,
    bytes: Uint8Array.from(out.subarray(tail + 16, base + OUT)),
  };
}

/** Built drivers for both byte orders; `close` removes them. */
export interface UserMode {
  /** All cases must be of this order. */
  run(cases: readonly Case[], order: Order, cpu: string): Result[];
  close(): void;
}

const PREFIXES: Readonly<Record<Order, string>> = { big: 'powerpc64', little: 'powerpc64le' };

export function userMode(): UserMode {
  const folder = mkdtempSync(join(tmpdir(), 'countervisor-user-'));
  const driver = (order: Order): string => join(folder, `driver-${order}`);
  const flags = ['-static', '-O1', '-fno-stack-protector', '-Wall', '-Werror'];
  for (const order of ['big', 'little'] as const) {
    execFileSync(`${PREFIXES[order]}-linux-gnu-gcc`, [...flags, '-o', driver(order), beside('ppc64/user.c')]);
  }
  return {
    run: (cases, order, cpu) => {
      const big = order === 'big';
      const qemu = big ? 'qemu-ppc64' : 'qemu-ppc64le';
      const results: Result[] = [];
      for (let first = 0; first < cases.length; first += BATCH) {
        const batch = cases.slice(first, first + BATCH);
        const { stdout, status, stderr, signal } = spawnSync(qemu, ['-cpu', cpu, driver(order)], {
          input: write(batch, big),
          maxBuffer: 1 << 30,
        });
        if (status !== 0 || stdout.length !== batch.length * OUT) {
          throw new Error(`${qemu} ended with ${status ?? signal} and ${stdout.length} bytes: ${stderr}`);
        }
        batch.forEach((c, i) => {
          results.push(read(c, stdout, i * OUT, big));
        });
      }
      return results;
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
