/** QEMU as a runner: the guest's flat image, and the CPU time of QEMU's threads when the guest's marks appear. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootargs, imageBytes, KERNELS, Marks, type Run, type Runner } from './kernels.ts';

const QEMU = 'qemu-system-aarch64';
/** Longest wait for one run, milliseconds of wall time. */
const PATIENCE = 120_000;

/** Ways to run QEMU: its translator alone, with exact instruction counts, and with one instruction per block. */
export type Flavour = 'icount-singlestep' | 'icount' | 'tcg';

const ICOUNT = ['-icount', 'shift=0,sleep=off'];

export interface Qemu {
  readonly version: string;
  runner(flavour: Flavour): Runner;
  close(): void;
}

/** Bytes in memory from the lowest loaded address on: QEMU gives a device tree, and so boot arguments, to flat images only. */
export function flat(elf: Uint8Array): Uint8Array {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  const table = Number(view.getBigUint64(32, true)); // e_phoff
  const size = view.getUint16(54, true); // e_phentsize
  const segments = Array.from({ length: view.getUint16(56, true) }, (_, i) => table + i * size)
    .filter((at) => view.getUint32(at, true) === 1) // PT_LOAD
    .map((at) => {
      const offset = Number(view.getBigUint64(at + 8, true));
      const physical = Number(view.getBigUint64(at + 24, true));
      return { physical, bytes: elf.subarray(offset, offset + Number(view.getBigUint64(at + 32, true))) };
    })
    .filter(({ bytes }) => bytes.length > 0);
  const base = Math.min(...segments.map((s) => s.physical));
  const out = new Uint8Array(Math.max(...segments.map((s) => s.physical + s.bytes.length)) - base);
  for (const { physical, bytes } of segments) out.set(bytes, physical - base);
  return out;
}

/** CPU seconds of all threads of a process: the first figure of each schedstat, in nanoseconds. */
function cpuSeconds(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).reduce((sum, id) => {
    try {
      const [ns] = readFileSync(`${tasks}/${id}/schedstat`, 'utf8').split(' ');
      return sum + Number(ns) / 1e9;
    } catch {
      // A thread that has just ended.
      return sum;
    }
  }, 0);
}

/** One instruction per block was an option of its own until QEMU 8.1 made it a property of the accelerator. */
function singlestep(version: string): readonly string[] {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 8 || (major === 8 && minor >= 1) ? ['-accel', 'tcg,one-insn-per-tb=on'] : ['-singlestep'];
}

function run(argv: readonly string[], kernel: string, repeat: number): Promise<Run> {
  return new Promise((resolve, reject) => {
    const qemu = spawn(QEMU, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    const marks = new Marks();
    let complaint = '';
    let start: number | undefined;
    let spent: number | undefined;
    let done: Run | undefined;
    const timer = setTimeout(() => qemu.kill('SIGKILL'), PATIENCE);
    qemu.stderr.on('data', (data: Buffer) => {
      complaint += data;
    });
    qemu.stdout.on('data', (data: Buffer) => {
      const { started, ended, result } = marks.add(data.toString('latin1'));
      if (started) start ??= cpuSeconds(qemu.pid as number);
      if (ended) spent ??= cpuSeconds(qemu.pid as number) - (start as number);
      if (result === undefined) return;
      done ??= { repeat, seconds: spent as number, result };
      qemu.kill('SIGKILL');
    });
    qemu.on('error', reject);
    qemu.on('close', () => {
      clearTimeout(timer);
      if (done !== undefined) resolve(done);
      else reject(new Error(`${QEMU} ran ${kernel} without a result. It said:\n${complaint}\n${marks.text}`));
    });
  });
}

/** QEMU as it is installed here; a sentence why it can't be used otherwise. */
export function findQemu(mmu: boolean): Qemu | string {
  const { stdout, error } = spawnSync(QEMU, ['--version'], { encoding: 'utf8' });
  if (error !== undefined)
    return `${QEMU} is not installed (Debian: qemu-system-arm), so there is nothing to compare with.`;
  if (!existsSync('/proc/self/schedstat'))
    return 'There is no /proc/PID/schedstat here, which gives the CPU time of QEMU.';
  const version = /version (\S+)/.exec(stdout)?.[1] ?? '0';
  const flavours: Readonly<Record<Flavour, readonly string[]>> = {
    'icount-singlestep': [...ICOUNT, ...singlestep(version)],
    icount: ICOUNT,
    tcg: [],
  };
  const folder = mkdtempSync(join(tmpdir(), 'countervisor-bench-'));
  for (const kernel of KERNELS) writeFileSync(join(folder, kernel), flat(imageBytes(kernel)));
  // It stays after the guest's power-off, so that its threads' times can still be read.
  const common = '-M virt -cpu cortex-a57 -nic none -display none -serial stdio -monitor none -no-shutdown'.split(' ');
  return {
    version,
    runner: (flavour) => (kernel, repeat) => {
      const image = ['-kernel', join(folder, kernel), '-append', bootargs(repeat, mmu)];
      return run([...common, ...flavours[flavour], ...image], kernel, repeat);
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
