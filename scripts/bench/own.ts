/** Our engine as a runner: each run in a process of its own, like QEMU's. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { arm64 } from '@countervisor/arm64';
import { boot, Machine } from '@countervisor/core';
import { bootargs, type CountedRun, imageBytes, imageFile, Marks } from './kernels.ts';

const MEMORY = 64 * 1024 * 1024;

/** The option that makes this program the process of one run. */
export const CHILD = '--own';

/** Our back ends. */
export type Own = 'translator' | 'stepper';

/** The process of one run: prints what it measured as JSON. */
export function child(engine: Own, kernel: string, repeat: number, mmu: boolean): void {
  const machine = new Machine({ arch: arm64, cpu: 'cortex-a57', engine });
  const domain = machine.addDomain({ name: kernel, vcpus: 1, memory: MEMORY, vpmu: false });
  boot(machine, domain, { bytes: imageBytes(kernel), file: imageFile(kernel), bootargs: bootargs(repeat, mmu) });
  const marks = new Marks();
  let start: { readonly cpu: NodeJS.CpuUsage; readonly instructions: number } | undefined;
  let spent: Omit<CountedRun, 'result'> | undefined;
  let done: CountedRun | undefined;
  machine.events.on('console', ({ byte }) => {
    const { started, ended, result } = marks.add(String.fromCharCode(byte));
    if (started) start ??= { cpu: process.cpuUsage(), instructions: domain.instructions() };
    if (ended && start !== undefined && spent === undefined) {
      const { user, system } = process.cpuUsage(start.cpu);
      spent = { repeat, seconds: (user + system) / 1e6, instructions: domain.instructions() - start.instructions };
    }
    if (result !== undefined && spent !== undefined) done ??= { ...spent, result };
  });
  machine.events.on('diagnostic', ({ message }) => console.error(message));
  while (done === undefined && machine.pass());
  process.stdout.write(JSON.stringify(done ?? {}));
}

/** A runner of our engine. `nodeOptions`: for the process of each run. */
export function own(
  engine: Own,
  mmu: boolean,
  nodeOptions: readonly string[],
): (kernel: string, repeat: number) => Promise<CountedRun> {
  return (kernel, repeat) =>
    new Promise((resolve, reject) => {
      const argv = [
        ...nodeOptions,
        fileURLToPath(import.meta.url),
        CHILD,
        engine,
        kernel,
        String(repeat),
        ...(mmu ? ['--mmu'] : []),
      ];
      const node = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
      let text = '';
      node.stdout.on('data', (data: Buffer) => {
        text += data;
      });
      node.on('error', reject);
      node.on('close', () => {
        try {
          resolve(JSON.parse(text));
        } catch {
          reject(new Error(`the ${engine} ran ${kernel} without a result. It said: ${text}`));
        }
      });
    });
}
