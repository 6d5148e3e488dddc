/** Runs machine code on a machine of one physical CPU, to its end. */
import type { BootFacts, PolicyName } from '@countervisor/contract';
import { type Domain, Machine } from '@countervisor/core';
import { assemble, type Line, movi, trap } from '../asm.ts';
import { SERVICES } from '../hypercall.ts';
import { template } from '../index.ts';
import { RAM } from '../platform/tiny.ts';

export interface Choices {
  readonly policy?: PolicyName;
  readonly cpu?: string;
  readonly cpuSettings?: Readonly<Record<string, number>>;
  readonly slice?: number;
  /** Raw register values from outside, before the first instruction. */
  readonly set?: Readonly<Record<string, bigint>>;
}

export interface Ran {
  readonly domain: Domain;
  get(register: string): bigint;
  /** Exits to the hypervisor, by cause. */
  readonly exits: Readonly<Record<string, number>>;
  /** Code and sentence of what was not modelled. */
  readonly diagnostics: readonly string[];
}

/** Bytes of RAM that every test guest has. */
export const MEMORY = 0x10000;

export function run(code: Uint8Array, choices: Choices = {}): Ran {
  const { policy = 'emulated', cpu = 'tiny', cpuSettings = {}, slice = 10_000, set = {} } = choices;
  const machine = new Machine({ arch: template, cpu, cpuSettings, slice });
  const diagnostics: string[] = [];
  machine.events.on('diagnostic', ({ code, message }) => diagnostics.push(`${code} ${message}`));
  const domain = machine.addDomain({ name: 'guest', vcpus: 1, memory: MEMORY, vpmu: true, policy });
  const [vcpu] = domain.vcpus;
  if (vcpu === undefined) throw new Error('A domain without a vCPU.');
  domain.memory.slice(RAM, code.length)?.set(code);
  const facts = { entry: RAM, memory: BigInt(MEMORY), view: vcpu.handle } as unknown as BootFacts;
  machine.power(vcpu, domain.platform.entry(facts));
  for (const [register, value] of Object.entries(set)) vcpu.handle.set(register, value);
  machine.run({ until: 100_000 });
  return { domain, get: (register) => vcpu.handle.get(register), exits: Object.fromEntries(vcpu.exits), diagnostics };
}

/** Lines, and then the end: exit with status 0. Registers but R0 and R1 are as the lines left them. */
export function runLines(lines: readonly Line[], choices: Choices = {}): Ran {
  return run(assemble([...lines, movi('R1', 0), movi('R0', SERVICES.exit), trap(0)]), choices);
}
