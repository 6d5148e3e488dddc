/** What the checks are made from: the manual's facts, or, where an architecture gives none, what its own tables say, which then are tested against core alone. */
import {
  type Arch,
  type Conformance,
  type Control,
  type FieldWrite,
  type Manual,
  type Model,
  mask,
  type Register,
  type RegisterFacts,
} from '@countervisor/contract';
import { Lack, type Subject } from './check.ts';
import type { Setup } from './target.ts';

/** The loud pattern of what the manual leaves unknown. */
export const LOUD = 0x1de7_ec7e_dbad_c0den;

export const NO_MANUAL: Lack = new Lack('the architecture gives no manual (Conformance.manual)');

const bitsOf = (row: Register, write: FieldWrite): bigint =>
  Object.values(row.fields).reduce(
    (bits, field) => ((field.write ?? 'plain') === write ? bits | mask(field.bits) : bits),
    0n,
  );

function fromRow(row: Register): RegisterFacts {
  const { derive, view, implemented, action, accepts, wrote } = row;
  // Functions decide what such a row shows, or what a write to it does; without a manual nobody says what that must be.
  const made = derive !== undefined || view !== undefined || implemented !== undefined || action !== undefined;
  const acts = made || accepts !== undefined || wrote !== undefined;
  return {
    levels: [row.read, row.write],
    ...(row.at !== undefined && typeof row.reset !== 'function' && !made && { reset: row.reset }),
    plain: bitsOf(row, 'plain'),
    sets: bitsOf(row, 'one-sets'),
    clears: bitsOf(row, 'one-clears'),
    keeps: bitsOf(row, 'ignored'),
    ones: bitsOf(row, 'one') | bitsOf(row, 'must-be-1'),
    refuses: bitsOf(row, 'must-be-0'),
    controls: row.traps ?? [],
    ...(made && { made }),
    ...(acts && { acts: 'its row has functions, and there is no manual to say what they do' }),
    ...(row.role !== undefined && { role: row.role }),
    ...(row.needs !== undefined && { needs: row.needs }),
  };
}

/** A trap group that a whole field arms, all ones or all zeros; others only a manual can tell of. */
function controlOf(arch: Arch, name: string): Control | undefined {
  const { when, at, on, cause } = arch.trapGroups[name] as Arch['trapGroups'][string];
  if (typeof when === 'function' || !('register' in when)) return undefined;
  const field = arch.registers[when.register]?.fields[when.field];
  if (field === undefined) return undefined;
  const bits = mask(field.bits);
  const ones = bits / (bits & -bits);
  if (when.is !== 0n && when.is !== ones) return undefined;
  return {
    register: when.register,
    bits,
    while: when.is === 0n ? 'clear' : 'set',
    levels: at,
    to: arch.causes[cause]?.to === 'hypervisor' ? 'hypervisor' : 'kernel',
    ...(on !== 'both' && { stops: on }),
  };
}

/** The tables' own words as facts. */
export function fromTables(arch: Arch): Manual {
  return {
    cpu: arch.defaultCpu,
    registers: Object.fromEntries(Object.entries(arch.registers).map(([name, row]) => [name, fromRow(row)])),
    models: [],
    controls: Object.fromEntries(
      Object.keys(arch.trapGroups).flatMap((name) => {
        const control = controlOf(arch, name);
        return control === undefined ? [] : [[name, control]];
      }),
    ),
    policies: {},
    events: Object.fromEntries(arch.pmu.events.map(({ id, counts }) => [id, counts])),
    order: [],
    carried: [...arch.switching.controls, ...arch.switching.counters].filter((name) => {
      const needs = arch.registers[name]?.needs;
      return needs === undefined || arch.cpus[arch.defaultCpu]?.features.includes(needs) === true;
    }),
    calls: [],
  };
}

/** Facts of a register on a CPU model that the manual tells of. */
export function factsOn({ facts }: Subject, name: string, cpu: string): RegisterFacts | undefined {
  const own = facts.registers[name];
  return own && { ...own, ...facts.models.find((model) => model.cpu === cpu)?.registers[name] };
}

/** Without a manual: a function of its row decides which bits this register has, so nobody but the row says what a value becomes in it. */
export function vague({ kit, facts }: Subject, name: string): boolean {
  return kit.manual === undefined && facts.registers[name]?.made === true;
}

/** Why nobody can say what becomes of a guest's access to a register, where there is no manual. */
export function untold({ arch, kit, facts }: Subject, name: string): Lack | undefined {
  const row = arch.registers[name];
  if (kit.manual !== undefined || row === undefined) return undefined;
  if (row.needs !== undefined && arch.cpus[facts.cpu]?.features.includes(row.needs) !== true) {
    return new Lack(`${facts.cpu} lacks what it needs, and ${NO_MANUAL}`);
  }
  const group = (row.traps ?? []).find((one) => facts.controls[one] === undefined);
  if (group !== undefined) return new Lack(`no field alone arms the trap group ${group}, and ${NO_MANUAL}`);
  return row.affects === undefined ? undefined : new Lack(`what it holds changes how a guest runs, and ${NO_MANUAL}`);
}

/** What a target is set up with for a model. */
export function setupOf({ cpu, settings, domain }: Model): Pick<Setup, 'cpu' | 'cpuSettings' | 'domain'> {
  return { cpu, ...(settings !== undefined && { cpuSettings: settings }), ...(domain !== undefined && { domain }) };
}

export function subject(arch: Arch, kit: Conformance): Subject {
  return { arch, kit, facts: kit.manual ?? fromTables(arch) };
}
