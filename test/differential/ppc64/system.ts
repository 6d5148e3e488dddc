/** Supervisor-state cases, translation off, on qemu-system-ppc64's pseries: a driver in place of the firmware, cases and results in a file that is its memory. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beside } from '../place.ts';
import { fill, type Order, TRAP_WORD, WINDOW, WORDS } from './cases.ts';

/** System mode's layout, as in system.s. Code is traps all over but for the case's own words; behind data lies what it holds between cases. */
export const SYSTEM_CODE = 0x100_0000n;
export const SYSTEM_CODE_SIZE = 0x10000;
export const SYSTEM_DATA = 0x108_0000n;
export const SYSTEM_DATA_SIZE = 0x3000;
const SHADOW = SYSTEM_DATA + 0x10_0000n;
const VARIABLES = 0x2000;
const CASES = 0x500_0000;
const RESULTS = 0x600_0000;
const MEMORY = 256;

export interface SystemCase {
  readonly row: string;
  readonly order: Order;
  readonly words: readonly number[];
  readonly pc: bigint;
  readonly gpr: readonly bigint[];
  readonly ctr: bigint;
  readonly lr: bigint;
  readonly xer: bigint;
  readonly cr: bigint;
  readonly msr: bigint;
  readonly fscr: bigint;
  readonly window: bigint;
  readonly bytes: Uint8Array;
  /** What the manual leaves undefined, as of the cases of problem state. */
  readonly open?: { readonly gpr: number; readonly bits: bigint; readonly cr0: boolean };
}

/** What came of it, as an interrupt's handler finds it. `ran`: the interrupt was that of the trap behind it. */
export interface SystemResult {
  readonly ran: boolean;
  readonly vector: number;
  readonly gpr: readonly bigint[];
  readonly ctr: bigint;
  readonly lr: bigint;
  readonly xer: bigint;
  readonly cr: bigint;
  readonly srr0: bigint;
  readonly srr1: bigint;
  readonly dar: bigint;
  readonly bytes: Uint8Array;
}

const RECORD = 536;
const BYTES = 344;
/** Cases go to QEMU so many at a time. */
const BATCH = 16_000;

const TRAP_REASON = 0x2_0000n;

/** The interrupt is a trap's, behind the case's own instructions. */
export const isEnd = (c: SystemCase, vector: number, srr0: bigint, srr1: bigint): boolean =>
  vector === 0x700 && (srr1 & TRAP_REASON) !== 0n && (srr0 < c.pc || srr0 >= c.pc + BigInt(4 * c.words.length));

function record(c: SystemCase): Buffer {
  const all = Buffer.alloc(RECORD);
  [...c.gpr, c.ctr, c.lr, c.xer, c.cr, c.pc, c.window, c.msr, c.fscr].forEach((value, n) => {
    all.writeBigUInt64BE(BigInt.asUintN(64, value), 8 * n);
  });
  for (let i = 0; i < WORDS; i++) {
    const word = c.words[i] ?? TRAP_WORD;
    if (c.order === 'big') all.writeUInt32BE(word, 320 + 4 * i);
    else all.writeUInt32LE(word, 320 + 4 * i);
  }
  all.set(c.bytes, BYTES);
  return all;
}

function result(c: SystemCase, all: Buffer): SystemResult {
  const value = (n: number): bigint => all.readBigUInt64BE(8 * n);
  // LR of the stub: four instructions behind the vector.
  const vector = Number(value(40)) - 16;
  const [srr0, srr1] = [value(36), value(37)];
  return {
    ran: isEnd(c, vector, srr0, srr1),
    vector,
    gpr: Array.from({ length: 32 }, (_, n) => value(n)),
    ctr: value(32),
    lr: value(33),
    xer: value(34),
    cr: value(35),
    srr0,
    srr1,
    dar: value(38),
    bytes: Uint8Array.from(all.subarray(BYTES, BYTES + WINDOW)),
  };
}

/** Memory as the driver wants it, but for the cases; gives its variables, which stand in its own image. */
function lay(file: number, count: number, order: Order): Buffer {
  const code = Buffer.alloc(SYSTEM_CODE_SIZE);
  for (let at = 0; at < SYSTEM_CODE_SIZE; at += 4) {
    if (order === 'big') code.writeUInt32BE(TRAP_WORD, at);
    else code.writeUInt32LE(TRAP_WORD, at);
  }
  writeSync(file, code, 0, code.length, Number(SYSTEM_CODE));
  const data = Buffer.from(Uint8Array.from({ length: SYSTEM_DATA_SIZE }, (_, i) => fill(SYSTEM_DATA + BigInt(i))));
  writeSync(file, data, 0, data.length, Number(SYSTEM_DATA));
  writeSync(file, data, 0, data.length, Number(SHADOW));
  const variables = Buffer.alloc(0x60);
  variables.writeBigUInt64BE(BigInt(CASES), 0);
  variables.writeBigUInt64BE(BigInt(RESULTS), 8);
  variables.writeBigUInt64BE(BigInt(count), 16);
  code.copy(variables, 24, 0, 8);
  // RTAS power-off: its token on QEMU's pseries, two arguments, one result.
  [0x2003, 2, 1].forEach((word, i) => {
    variables.writeUInt32BE(word, 0x40 + 4 * i);
  });
  return variables;
}

/** A built driver; `close` removes it. */
export interface SystemMode {
  /** All cases must be of this order. */
  run(cases: readonly SystemCase[], order: Order, cpu: string): SystemResult[];
  close(): void;
}

export function systemMode(): SystemMode {
  const folder = mkdtempSync(join(tmpdir(), 'countervisor-system-'));
  const [object, linked, driver, memory] = ['d.o', 'd.elf', 'd.bin', 'memory'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
    string,
  ];
  execFileSync('powerpc64-linux-gnu-as', ['-a64', '-mpower10', '-mbig', beside('ppc64/system.s'), '-o', object]);
  execFileSync('powerpc64-linux-gnu-ld', ['-Ttext=0', '-e', '0x100', object, '-o', linked]);
  execFileSync('powerpc64-linux-gnu-objcopy', ['-O', 'binary', '-j', '.text', linked, driver]);
  const built = readFileSync(driver);
  const ram = `memory-backend-file,id=ram,size=${MEMORY}M,mem-path=${memory},share=on`;
  const machine = 'pseries,memory-backend=ram,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off';
  return {
    run: (cases, order, cpu) => {
      const results: SystemResult[] = [];
      for (let first = 0; first < cases.length; first += BATCH) {
        const batch = cases.slice(first, first + BATCH);
        rmSync(memory, { force: true });
        const file = openSync(memory, 'w+');
        ftruncateSync(file, MEMORY * 2 ** 20);
        const image = Buffer.from(built);
        lay(file, batch.length, order).copy(image, VARIABLES);
        writeFileSync(driver, image);
        const all = Buffer.concat(batch.map(record));
        writeSync(file, all, 0, all.length, CASES);
        const options = ['-M', machine, '-cpu', cpu, '-m', `${MEMORY}M`, '-object', ram, '-bios', driver];
        const silent = ['-nodefaults', '-display', 'none', '-serial', 'none', '-monitor', 'none', '-no-reboot'];
        const { status, stderr, signal } = spawnSync('qemu-system-ppc64', [...options, ...silent], {
          timeout: 120_000,
        });
        const left = Buffer.alloc(8);
        readSync(file, left, 0, 8, VARIABLES + 16);
        if (status !== 0 || left.readBigUInt64BE() !== 0n) {
          const undone = batch[batch.length - Number(left.readBigUInt64BE())];
          throw new Error(
            `qemu-system-ppc64 ended with ${status ?? signal}, ${left.readBigUInt64BE()} of ${batch.length} cases left, at ${undone?.row} ${undone?.words.map((w) => w.toString(16))}: ${stderr}`,
          );
        }
        const out = Buffer.alloc(RECORD);
        batch.forEach((c, i) => {
          readSync(file, out, 0, RECORD, RESULTS + RECORD * i);
          results.push(result(c, out));
        });
        closeSync(file);
      }
      return results;
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
