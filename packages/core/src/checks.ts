/** What a machine and a domain are asked for, looked at before anything is made: a slice of 0 would run for ever, a pin to nowhere never. */
import type { Personality, PersonalityOptions } from '@countervisor/contract';
import type { DomainConfig } from './domain.ts';
import type { Machine, MachineConfig } from './machine.ts';
import { PAGE } from './memory/layout.ts';
import { fail } from './report/errors.ts';
import { near } from './report/near.ts';

/** Physical CPUs of one machine, and vCPUs of one domain. */
const MOST_CPUS = 512;
/** What is beyond is not counted exactly. */
const MOST = Number.MAX_SAFE_INTEGER;

const ENGINES: readonly string[] = ['auto', 'translator', 'stepper'];

function whole(where: string, value: number | undefined, least: number, most: number = MOST): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= least && value <= most)) return;
  const allowed = most === MOST ? `a whole number from ${least}` : `a whole number from ${least} to ${most}`;
  throw fail('CV_VALUE', { where, value: String(value), allowed });
}

/** @throws CV_VALUE, CV_UNKNOWN_NAME */
export function checkMachine(config: MachineConfig): void {
  const { pcpus, slice, quantum, hypervisor, engine = 'auto', costs = {} } = config;
  if (!ENGINES.includes(engine))
    throw fail('CV_VALUE', { where: 'engine', value: engine, allowed: ENGINES.join(', ') });
  whole('pcpus', pcpus, 1, MOST_CPUS);
  whole('slice', slice, 1);
  whole('quantum', quantum, 1);
  for (const what of ['trap', 'switch'] as const) {
    whole(`hypervisor.${what}.instructions`, hypervisor?.[what]?.instructions, 0);
    whole(`hypervisor.${what}.cycles`, hypervisor?.[what]?.cycles, 0);
  }
  const known = Object.keys(config.arch.isa.costs);
  for (const [name, cost] of Object.entries(costs)) {
    if (!known.includes(name)) {
      throw fail('CV_UNKNOWN_NAME', { where: 'costs', kind: 'cost class', name, near: near(name, known), known });
    }
    whole(`costs.${name}.backend`, cost.backend, 0, 1_000_000);
    whole(`costs.${name}.frontend`, cost.frontend, 0, 1_000_000);
  }
}

/**
 * Each option of the personality with its value.
 * @throws CV_VALUE, CV_UNKNOWN_NAME
 */
export function chosenOptions(personality: Personality, asked: PersonalityOptions = {}): PersonalityOptions {
  const { options = {}, name: who } = personality;
  const known = Object.keys(options);
  for (const [name, value] of Object.entries(asked)) {
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined) {
      throw fail('CV_UNKNOWN_NAME', { where: who, kind: 'option', name, near: near(name, known), known });
    }
    const { values } = option;
    const problem = option.problem?.(value);
    if (values === 'text' ? problem === undefined : values.includes(value)) continue;
    const allowed = values === 'text' ? (problem as string) : values.join(', ');
    throw fail('CV_VALUE', { where: `the option ${name} of ${who}`, value, allowed });
  }
  return Object.fromEntries(Object.entries(options).map(([name, row]) => [name, asked[name] ?? row.default]));
}

/** @throws CV_VALUE */
export function checkDomain(machine: Machine, config: DomainConfig): void {
  const { name, vcpus, memory, pins } = config;
  const where = (what: string): string => `${what} of the domain ${name}`;
  if (machine.domains.some((d) => d.name === name)) {
    throw fail('CV_VALUE', {
      where: 'the name of a domain',
      value: name,
      allowed: 'any name that no other domain has',
    });
  }
  const most = Number(machine.platform(config.platform).ram.most);
  whole(where('vcpus'), vcpus, 1, MOST_CPUS);
  whole(where('memory'), memory, PAGE, most);
  if (memory % PAGE !== 0)
    throw fail('CV_VALUE', { where: where('memory'), value: String(memory), allowed: `a multiple of ${PAGE}` });
  for (const [vcpu, at] of (pins ?? []).entries()) {
    if (at.length === 0)
      throw fail('CV_VALUE', { where: where(`pins[${vcpu}]`), value: 'empty', allowed: 'a list with a physical CPU' });
    for (const pcpu of at) whole(where(`pins[${vcpu}]`), pcpu, 0, machine.pcpus.length - 1);
  }
}
