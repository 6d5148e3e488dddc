/** Is this the state of such a machine? Every number, name and length is looked at before a restore changes anything. */
import type { DeviceState } from '@countervisor/contract';
import type { Domain } from '../domain.ts';
import { calledWith } from '../load/owner.ts';
import type { Machine } from '../machine.ts';
import { PAGE } from '../memory/layout.ts';
import { fail } from '../report/errors.ts';

type Thing = Readonly<Record<string, unknown>>;

function refuse(why: string): never {
  throw fail('CV_STATE', { why });
}

/** What a value is, in a word or as it stands. */
function what(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null || typeof value === 'object')
    return Array.isArray(value) ? `a list of ${value.length}` : 'an object';
  return typeof value === 'string' && value.length > 60 ? `a text of ${value.length} characters` : String(value);
}

function object(where: string, value: unknown): Thing {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    refuse(`has ${what(value)} at ${where}, not an object`);
  return value as Thing;
}

function list(where: string, value: unknown, length?: number): readonly unknown[] {
  if (!Array.isArray(value)) refuse(`has ${what(value)} at ${where}, not a list`);
  if (length !== undefined && value.length !== length)
    refuse(`has ${value.length} entries at ${where}, where ${length} belong`);
  return value;
}

function same(where: string, value: unknown, mine: unknown): void {
  if (value !== mine) refuse(`has ${what(value)} at ${where}; this machine has ${what(mine)}`);
}

function whole(where: string, thing: Thing, names: readonly string[], least = 0): void {
  for (const name of names) {
    const value = thing[name];
    if (!Number.isSafeInteger(value) || (value as number) < least)
      refuse(`has ${what(value)} at ${where}.${name}, not a whole number`);
  }
}

function truth(where: string, thing: Thing, names: readonly string[]): void {
  for (const name of names)
    if (typeof thing[name] !== 'boolean') refuse(`has ${what(thing[name])} at ${where}.${name}, not true or false`);
}

/** Hexadecimal bytes; how many, when that is known. */
function bytes(where: string, value: unknown, count?: number): void {
  if (typeof value !== 'string' || value.length % 2 !== 0 || /[^0-9a-f]/i.test(value))
    refuse(`has ${what(value)} at ${where}, not hexadecimal bytes`);
  if (count !== undefined && value.length !== 2 * count)
    refuse(`holds ${value.length / 2} bytes at ${where}, where ${count} belong`);
}

function remainders(where: string, value: unknown, length: number): void {
  for (const [i, n] of list(where, value, length).entries()) whole(`${where}[${i}]`, { n }, ['n']);
}

const kindOf = (value: unknown): string => (Array.isArray(value) ? `list of ${typeof value[0]}` : typeof value);

function device(where: string, value: unknown, mine: DeviceState): void {
  const thing = object(where, value);
  const [there, here] = [thing, mine].map((names) => Object.keys(names).sort().join());
  if (there !== here) refuse(`has ${there} at ${where}, where ${here} belongs`);
  for (const [name, here] of Object.entries(mine)) {
    const there = thing[name];
    const empty = Array.isArray(there) && Array.isArray(here) && (there.length === 0 || here.length === 0);
    if (!empty && kindOf(there) !== kindOf(here))
      refuse(`has a ${kindOf(there)} at ${where}.${name}, where a ${kindOf(here)} belongs`);
  }
}

function vcpu(where: string, value: unknown, domain: Domain, index: number): void {
  const thing = object(where, value);
  truth(where, thing, ['on', 'waiting']);
  whole(where, thing, ['level', 'instructions', 'cycles', 'turn', 'barren', 'switches']);
  whole(where, thing, ['roundStart'], Number.MIN_SAFE_INTEGER);
  if ((thing.level as number) >= domain.arch.levels.length) refuse(`has the level ${thing.level} at ${where}`);
  const exits = object(`${where}.exits`, thing.exits);
  whole(`${where}.exits`, exits, Object.keys(exits));
  remainders(`${where}.remainders`, thing.remainders, domain.vcpus[index]?.bank?.remainders.length ?? 0);
  const carried = list(`${where}.carried`, thing.carried);
  remainders(`${where}.carried`, carried, carried.length === 0 ? 0 : domain.arch.counters.length);
}

function domainState(where: string, value: unknown, domain: Domain): void {
  const thing = object(where, value);
  const { layout } = domain.memory;
  const memory = domain.memory.ranges.reduce((sum, range) => sum + range.bytes, 0);
  same(`${where}.name`, thing.name, domain.name);
  same(`${where}.policy`, thing.policy, domain.policyName);
  same(`${where}.memory`, thing.memory, memory);
  for (const [i, v] of list(`${where}.vcpus`, thing.vcpus, domain.vcpus.length).entries())
    vcpu(`${where}.vcpus[${i}]`, v, domain, i);
  whole(where, thing, ['round', 'turn', 'dropped']);
  truth(where, thing, ['paused']);
  if (thing.ended !== undefined) {
    const ended = object(`${where}.ended`, thing.ended);
    if (typeof ended.reason !== 'string') refuse(`has ${what(ended.reason)} at ${where}.ended.reason, not a text`);
    whole(`${where}.ended`, ended, ['status']);
  }
  bytes(`${where}.console`, thing.console);
  bytes(`${where}.blocks`, thing.blocks, layout.block * domain.vcpus.length);
  for (const [i, entry] of list(`${where}.ram`, thing.ram).entries()) {
    const [offset, page] = list(`${where}.ram[${i}]`, entry, 2);
    whole(`${where}.ram[${i}]`, { offset }, ['offset']);
    if ((offset as number) % PAGE !== 0 || layout.ram + (offset as number) + PAGE > layout.bytes)
      refuse(`has a page at ${offset}, outside the memory of ${domain.name}`);
    bytes(`${where}.ram[${i}]`, page, PAGE);
  }
  const devices = object(`${where}.devices`, thing.devices);
  const mine = domain.devices();
  same(`${where}.devices`, Object.keys(devices).sort().join(), [...mine.keys()].sort().join());
  for (const [name, states] of mine) {
    const there = list(`${where}.devices.${name}`, devices[name], states.length);
    for (const [i, here] of states.entries()) device(`${where}.devices.${name}[${i}]`, there[i], here);
  }
}

/** @throws CV_STATE for the state of another machine, and for what is none. */
export function check(machine: Machine, state: unknown): void {
  const s = object('its top', state);
  const { arch } = machine;
  same('contract', s.contract, arch.arch.contract);
  same('arch', s.arch, calledWith(arch.arch));
  same('cpu', s.cpu, arch.cpu.name);
  same('personality', s.personality, machine.personality.name);
  same('mode', s.mode, machine.mode);
  const domains = list('domains', s.domains, machine.domains.length);
  for (const [i, domain] of machine.domains.entries()) domainState(`domains[${i}]`, domains[i], domain);
  const loaded = new Set<string>();
  for (const [i, value] of list('pcpus', s.pcpus, machine.pcpus.length).entries()) {
    const where = `pcpus[${i}]`;
    const p = object(where, value);
    bytes(`${where}.rest`, p.rest, arch.bankSlots * 8);
    remainders(`${where}.remainders`, p.remainders, arch.counters.length);
    whole(where, p, ['cycles', 'idle', 'instructions', 'switches', 'next']);
    if (p.current === undefined) continue;
    const [d, v] = list(`${where}.current`, p.current, 2);
    if (machine.domains[d as number]?.vcpus[v as number] === undefined)
      refuse(`has a vCPU at ${where}.current that does not exist`);
    if (loaded.size === loaded.add(`${d} ${v}`).size) refuse(`has one vCPU on two physical CPUs`);
  }
}
