/** Guests of template assembly on a machine of the test's own making: lines in, registers and counts out. */
import type { Arch, PolicyName } from '@countervisor/contract';
import { asm, template } from '@countervisor/template';
import type { Domain } from '../domain.ts';
import { Machine, type MachineConfig } from '../machine.ts';
import type { VcpuRuntime } from '../vcpu.ts';
import { bootFlat } from './boot.ts';

export type Line = asm.Line;
export type GeneralName = Parameters<typeof asm.movi>[0];

const { add, addi, assemble, label, movi, sysret, trap, writereg } = asm;

/** Where the template's devices are, and what its hypercalls are called: their own modules are not at the package's door. */
export const CONSOLE = 0x100;
export const TIMER = 0x200;
export const RAM = 0x1000;
export const SERVICE = { version: 0, console: 1, exit: 2, start: 3, yield: 4 } as const;
/** Policies whose guest-visible history is its own (counting rule 11), and has a PMU in it. */
export const COUNTING: readonly PolicyName[] = ['switched', 'emulated', 'mediated'];
export const WITH_PMU: readonly PolicyName[] = ['passthrough', ...COUNTING];

/** Selector bits of the template: nothing at the user level, nothing at the kernel level, the hypervisor level too. */
export const NU = 1n << 31n;
export const NK = 1n << 30n;
export const H = 1n << 29n;

/** An event's number, by its name in the template's table. */
export function event(name: string): number {
  const row = template.pmu.events.find((e) => e.name === name);
  if (row === undefined) throw new RangeError(`the template has no event ${name}`);
  return row.id;
}

/** Exit with this status: three instructions; uses R0 and R1. */
export const exit = (status = 0): Line[] => [movi('R1', status), movi('R0', SERVICE.exit), trap(0)];

export const times = (count: number, ...lines: Line[]): Line[] => Array.from({ length: count }, () => lines).flat();

/** Any 45-bit constant, by doubling: 33 instructions. */
export function constant(register: GeneralName, value: bigint): Line[] {
  const part = (at: bigint): number => Number((value >> at) & 0x7fffn);
  const up = times(15, add(register, register, register));
  return [
    movi(register, part(30n)),
    ...up,
    addi(register, register, part(15n)),
    ...up,
    addi(register, register, part(0n)),
  ];
}

/** The exception handler stands at a label: two instructions; uses R2. */
export const vector = (to: string): Line[] => [movi('R2', to), writereg('VECTOR', 'R2')];

/** On to the user level at a label: five instructions; uses R2. The `sysret` still is the kernel's. */
export const toUser = (to: string): Line[] => [
  movi('R2', to),
  writereg('EPC', 'R2'),
  movi('R2', 0),
  writereg('STATUS', 'R2'),
  sysret(),
  label(to),
];

export interface Asked extends Partial<MachineConfig> {
  readonly policy?: PolicyName;
  readonly vpmu?: boolean;
  readonly vcpus?: number;
  readonly pins?: readonly (readonly number[])[];
  /** Raw register values of the boot vCPU, before its first instruction. */
  readonly set?: Readonly<Record<string, bigint>>;
}

export interface Guest {
  readonly machine: Machine;
  readonly domain: Domain;
  readonly v: VcpuRuntime;
  /** Code and sentence of each diagnostic. */
  readonly said: readonly string[];
  get(register: string): bigint;
  /** Several at once. */
  all(...registers: string[]): bigint[];
  /** To its end, or to `until` retired instructions. */
  run(until?: number): Guest;
}

/** One more domain for a machine. */
export function beside(machine: Machine, name: string, lines: readonly Line[], asked: Asked = {}): Guest {
  const { policy, vpmu = true, vcpus = 1, pins, set = {} } = asked;
  const said: string[] = [];
  machine.events.on('diagnostic', ({ domain, code, message }) => {
    if (domain === name) said.push(`${code} ${message}`);
  });
  const domain = machine.addDomain({
    name,
    vcpus,
    memory: 0x10000,
    vpmu,
    ...(policy !== undefined && { policy }),
    ...(pins !== undefined && { pins }),
  });
  bootFlat(machine, domain, assemble([...lines, ...exit()]));
  const [v] = domain.vcpus;
  if (v === undefined) throw new RangeError('a domain has a vCPU');
  for (const [register, value] of Object.entries(set)) v.handle.set(register, value);
  const made: Guest = {
    machine,
    domain,
    v,
    said,
    get: (register) => v.handle.get(register),
    all: (...registers) => registers.map((register) => v.handle.get(register)),
    run(until = 1_000_000) {
      machine.run({ until });
      return made;
    },
  };
  return made;
}

/** A machine with one domain `a`; exit with status 0 is appended to its lines. */
export function guest(lines: readonly Line[], asked: Asked = {}): Guest {
  const { policy, vpmu, vcpus, pins, set, ...config } = asked;
  return beside(new Machine({ arch: template as Arch, ...config }), 'a', lines, asked);
}

/** The same, run to its end. */
export const ran = (lines: readonly Line[], asked: Asked = {}): Guest => guest(lines, asked).run();
