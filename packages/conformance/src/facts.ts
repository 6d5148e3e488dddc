/** What the checks are made from: the manual's facts, or, where an architecture gives none, what its own tables say, which then are tested against core alone. */
import {
  type Arch,
  type Conformance,
  type Control,
  type FieldWrite,
  type Manual,
  mask,
  type Register,
  type RegisterFacts,
  type Writes,
} from '@countervisor/contract';
import type { Subject } from './check.ts';

/** The loud pattern of what the manual leaves unknown. */
export const LOUD = 0x1de7_ec7e_dbad_c0den;

const bitsOf = (row: Register, write: FieldWrite): bigint =>
  Object.values(row.fields).reduce(
    (bits, field) => ((field.write ?? 'plain') === write ? bits | mask(field.bits) : bits),
    0n,
  );

function fromRow(row: Register): RegisterFacts {
  const made = row.derive !== undefined || row.view !== undefined;
  return {
    levels: [row.read, row.write],
    ...(typeof row.reset !== 'function' && !made && { reset: row.reset }),
    plain: bitsOf(row, 'plain'),
    sets: bitsOf(row, 'one-sets'),
    clears: bitsOf(row, 'one-clears'),
    keeps: bitsOf(row, 'ignored'),
    ones: bitsOf(row, 'one') | bitsOf(row, 'must-be-1'),
    refuses: bitsOf(row, 'must-be-0'),
    controls: row.traps ?? [],
    ...(made && { made: true as const }),
    ...((row.implemented ?? row.accepts ?? row.wrote ?? row.action ?? row.view) !== undefined && {
      acts: 'its row has functions, and there is no manual to say what they do',
    }),
    ...(row.role !== undefined && { role: row.role }),
    ...(row.needs !== undefined && { needs: row.needs }),
  };
}

function controlOf(arch: Arch, name: string): Control {
  const { when, at, on, cause } = arch.trapGroups[name] as Arch['trapGroups'][string];
  const base = {
    levels: at,
    to: arch.causes[cause]?.to === 'hypervisor' ? ('hypervisor' as const) : ('kernel' as const),
    ...(on !== 'both' && { stops: on }),
  };
  if (typeof when === 'function' || !('register' in when)) {
    return {
      ...base,
      on: [],
      off: [],
      because: 'no field of a register arms it, and there is no manual to say what does',
    };
  }
  const field = arch.registers[when.register]?.fields[when.field];
  const bits = field === undefined ? 0n : mask(field.bits);
  const low = bits === 0n ? 0n : bits & -bits;
  const armed = when.is * low;
  const writes = (value: bigint): Writes => [[when.register, value]];
  return { ...base, on: writes(armed), off: writes(armed === 0n ? bits : 0n) };
}

/** The tables' own words as facts. */
export function fromTables(arch: Arch): Manual {
  return {
    cpu: arch.defaultCpu,
    registers: Object.fromEntries(Object.entries(arch.registers).map(([name, row]) => [name, fromRow(row)])),
    models: [],
    controls: Object.fromEntries(Object.keys(arch.trapGroups).map((name) => [name, controlOf(arch, name)])),
    policies: {},
    events: Object.fromEntries(arch.pmu.events.map(({ id, counts }) => [id, counts])),
    order: [],
    carried: [...arch.switching.controls, ...arch.switching.counters],
    calls: [],
  };
}

/** Facts of a register on a CPU model that the manual tells of. */
export function factsOn({ facts }: Subject, name: string, cpu: string): RegisterFacts | undefined {
  const own = facts.registers[name];
  return own && { ...own, ...facts.models.find((model) => model.cpu === cpu)?.registers[name] };
}

export function subject(arch: Arch, kit: Conformance): Subject {
  return { arch, kit, facts: kit.manual ?? fromTables(arch) };
}
