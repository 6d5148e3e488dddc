/** A guest program on a whole machine, for tests: assembled, booted, run until it powers off, its registers read. */
import { boot, Machine, type MachineConfig } from '@countervisor/core';
import { program as assemble, hvc, type Item, load } from '../asm.ts';
import { arm64 } from '../index.ts';

const BASE = 0x4008_0000n;
const SYSTEM_OFF = 0x8400_0008;
const LIMIT = 1_000_000;

/** PSCI SYSTEM_OFF: the end of every program. */
export const off: readonly Item[] = [load('X0', SYSTEM_OFF), hvc(0)];

export interface Guest {
  readonly name?: string;
  readonly program: readonly Item[];
  readonly vpmu?: boolean;
  readonly policy?: 'off' | 'passthrough' | 'switched' | 'emulated' | 'mediated';
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
}

/** Boots the guests; nothing has run yet. */
export function booted(config: Partial<MachineConfig>, ...guests: readonly Guest[]): Machine {
  const made = new Machine({ arch: arm64, ...config });
  guests.forEach(({ name, program, vpmu, policy, settings }, n) => {
    const domain = made.addDomain({
      name: name ?? `d${n}`,
      vcpus: 1,
      memory: 8 * 1024 * 1024,
      vpmu: vpmu ?? true,
      ...(policy !== undefined && { policy }),
      ...(settings !== undefined && { settings }),
    });
    boot(made, domain, { bytes: assemble([...program, off], BASE).bytes, file: domain.name, kind: 'flat' });
  });
  return made;
}

/** Boots the guests, runs them to their ends, and gives the machine back. */
export function machine(config: Partial<MachineConfig>, ...guests: readonly Guest[]): Machine {
  const made = booted(config, ...guests);
  made.run({ until: LIMIT });
  return made;
}

/** What registers of one guest hold at its end. */
export function left(made: Machine, name: string, ...registers: readonly string[]): readonly bigint[] {
  const { ended, vcpus } = made.domain(name);
  if (ended?.reason !== 'poweroff')
    throw new Error(`${name} ended by ${ended?.reason ?? 'running out of instructions'}`);
  return registers.map((register) => vcpus[0]?.handle.get(register) ?? -1n);
}

/** One guest: the registers that it leaves. */
export function run(
  program: readonly Item[],
  config: Partial<MachineConfig>,
  ...registers: readonly string[]
): readonly bigint[] {
  return left(machine(config, { program }), 'd0', ...registers);
}
