/** Machines from plans. A plan can be made into one again and again; each run starts from the same state. */
import { boot, type Domain, Machine } from '@countervisor/core';
import { at } from './exit.ts';
import type { Plan, PlannedGuest } from './plan.ts';

export interface Guest {
  readonly planned: PlannedGuest;
  readonly domain: Domain;
}

export interface Session {
  readonly plan: Plan;
  readonly machine: Machine;
  readonly guests: readonly Guest[];
}

/** Creates every domain and loads its image. @throws CountervisorError with the place of the configuration's `kernel` */
export function create(plan: Plan): Session {
  const machine = new Machine(plan.selected.machine);
  const guests = plan.guests.map((planned) => {
    const { domain: config, image, xl, source } = planned;
    const place = (key: string) => (source.bare ? undefined : xl.places.get(key));
    const domain = at(place('memory'), () => machine.addDomain(config));
    at(place('kernel'), () => boot(machine, domain, { ...image, bootargs: xl.cmdline }));
    return { planned, domain };
  });
  return { plan, machine, guests };
}
