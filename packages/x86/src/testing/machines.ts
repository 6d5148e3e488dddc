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

/** An image of guests/x86, by its name. */
export const image = (name: string): string =>
  fileURLToPath(new URL(`../../../../guests/x86/images/${name}.elf`, import.meta.url));

/** Runs an image here until it ends. */
export function here(
  name: string,
  { cpu = 'icelake-server', vcpus = 1, bootargs = '', vpmu = true, slice }: Run = {},
): Domain {
  const machine = new Machine({ arch: x86 as Arch, cpu, ...(slice !== undefined && { slice }) });
  const domain = machine.addDomain({ name: 'd', vcpus, memory: 64 * 1024 * 1024, vpmu });
  boot(machine, domain, { bytes: readFileSync(image(name)), file: `${name}.elf`, bootargs });
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
