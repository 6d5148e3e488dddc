/** The same image on this machine and on QEMU's: what each printed. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Arch } from '@countervisor/contract';
import { boot, type Domain, Machine } from '@countervisor/core';
import { x86 } from '../index.ts';

export interface Run {
  readonly cpu?: string;
  readonly vcpus?: number;
  readonly bootargs?: string;
  readonly vpmu?: boolean;
  readonly slice?: number;
}

/** An image of guests/x86, by its name; or a file, by its path. */
export const image = (name: string): string =>
  name.endsWith('.elf') ? name : fileURLToPath(new URL(`../../../../guests/x86/images/${name}.elf`, import.meta.url));

const FLAGS = [
  '-m32 -std=gnu11 -O1 -ffreestanding -fno-pie -no-pie -nostdlib -static -fno-stack-protector -fno-asynchronous-unwind-tables',
  '-mgeneral-regs-only -fcf-protection=none -fno-builtin -w -Wl,--build-id=none -Wl,-Ttext=0x100000 -Wl,-z,max-page-size=4096',
  '-Wl,-z,noexecstack -Wl,--no-warn-rwx-segments',
].flatMap((line) => line.split(' '));

/** Builds a program of 32-bit code that stands beside this file, for as long as `use` runs. */
export function built<Result>(source: string, use: (elf: string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'countervisor-guest-'));
  try {
    const elf = join(folder, 'guest.elf');
    const from = fileURLToPath(new URL(source, import.meta.url));
    const { error, status, stderr } = spawnSync('gcc', [...FLAGS, '-o', elf, from], { encoding: 'utf8' });
    if (error !== undefined || status !== 0) throw new Error(`gcc: ${error?.message ?? stderr}`);
    return use(elf);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs an image here until it ends. */
export function here(
  name: string,
  { cpu = 'icelake-server', vcpus = 1, bootargs = '', vpmu = true, slice }: Run = {},
): Domain {
  const machine = new Machine({ arch: x86 as Arch, cpu, ...(slice !== undefined && { slice }) });
  const domain = machine.addDomain({ name: 'd', vcpus, memory: 64 * 1024 * 1024, vpmu });
  boot(machine, domain, { bytes: readFileSync(image(name)), file: image(name), bootargs });
  machine.run({ until: 100_000_000 });
  return domain;
}

/** Runs it on QEMU's `pc`, without its own devices, and returns what came out of COM1. */
export function onQemu(name: string, { vcpus = 1, bootargs = '' }: Run = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'countervisor-qemu-'));
  const serial = join(folder, 'serial');
  const argv = [
    ...['-cpu', 'max', '-m', '64', '-smp', `${vcpus}`, '-kernel', image(name), '-append', bootargs],
    ...['-display', 'none', '-monitor', 'none', '-no-reboot', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
    ...['-serial', `file:${serial}`],
  ];
  try {
    const { error, stderr } = spawnSync('qemu-system-x86_64', argv, { encoding: 'utf8', timeout: 120_000 });
    if (error !== undefined) throw new Error(`${error.message}\n${stderr}`);
    return readFileSync(serial, 'latin1');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
