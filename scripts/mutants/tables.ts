/** Single mutants of an architecture's tables: one slip each, of the kind that a person makes. Only slips that can matter: a reset value that nothing stores is not changed. */
import type { Arch, Conformance, Field, FieldWrite, PmuRole, PolicyName, Register, View } from '@countervisor/contract';
import type { Tested } from './build.ts';

export interface TableMutant {
  readonly kind: string;
  readonly what: string;
  /** Checks to try first: parts of their names, or suites. */
  readonly first: readonly string[];
  make(): Arch;
}

type Rows = Readonly<Record<string, Register>>;

const withRows = (arch: Arch, name: string, change: Partial<Register>): Arch => ({
  ...arch,
  registers: { ...(arch.registers as Rows), [name]: { ...(arch.registers as Rows)[name], ...change } as Register },
});

const lowest = ({ bits }: Field): bigint => 1n << BigInt(typeof bits === 'number' ? bits : bits[1]);

const WRITES: Readonly<Record<FieldWrite, FieldWrite>> = {
  plain: 'ignored',
  'one-sets': 'plain',
  'one-clears': 'plain',
  ignored: 'zero',
  zero: 'plain',
  one: 'zero',
  'must-be-0': 'zero',
  'must-be-1': 'one',
};

const ROLES: readonly PmuRole[] = [
  'counter',
  'selector',
  'enable',
  'global',
  'overflow',
  'interrupt',
  'identity',
  'user-access',
];

/** Does any CPU model that the manual tells of let a guest, or a hypervisor, at this register? The fifteenth breakpoint of a CPU that has six is nowhere. */
function reached({ manual }: Conformance, name: string): boolean {
  const row = manual?.registers[name];
  if (manual === undefined || row === undefined) return true;
  const levels = [row.levels, ...manual.models.map((model) => model.registers[name]?.levels)];
  return levels.some((pair) => pair?.some((level) => level !== 'never') === true) || row.reset !== undefined;
}

/** Values of general registers are set at entry, so their resets never show: only registers that the manual tells of are changed. */
export function tableMutants({ arch, kit }: Tested): TableMutant[] {
  const all: TableMutant[] = [];
  const told = new Set(Object.keys(kit.manual?.registers ?? arch.registers).filter((name) => reached(kit, name)));
  const add = (kind: string, what: string, first: readonly string[], make: () => Arch): void => {
    all.push({ kind, what, first, make });
  };
  const levels = arch.levels;
  const kernel = levels.length - 2;

  for (const [name, row] of Object.entries(arch.registers as Rows)) {
    if (!told.has(name)) continue;
    const own = [`registers/${name}:`, `registers/${name} `, `access/${name}:`, `access/${name} under`];
    const made = row.derive !== undefined || row.view !== undefined;
    const entry = Object.entries(row.fields).find(([, field]) => (field.write ?? 'plain') === 'plain');
    const silent = row.at === undefined && kit.manual !== undefined && kit.manual.registers[name]?.reset === undefined;
    if (!made && !silent && typeof row.reset !== 'function' && entry !== undefined) {
      const reset = row.reset === 'unknown' ? 0n : row.reset ^ lowest(entry[1]);
      add('reset', `${name} resets to 0x${reset.toString(16)}`, [`registers/${name} after`], () =>
        withRows(arch, name, { reset }),
      );
    }
    const { derive, reset: makes } = row;
    if (derive !== undefined && row.read === 'never') {
      // Nothing shows what an operation is made of.
    } else if (derive !== undefined) {
      const other = (view: View): bigint => derive(view) ^ 1n;
      add('derived', `${name} is made with its lowest bit turned`, own, () => withRows(arch, name, { derive: other }));
    } else if (typeof makes === 'function') {
      const other = (view: View): bigint => makes(view) ^ 1n;
      add('derived', `${name} resets with its lowest bit turned`, own, () => withRows(arch, name, { reset: other }));
    }
    if (row.at === undefined) continue;
    add('row', `${name} is not in the tables`, ['registers/the manual'], () => {
      const { [name]: _, ...rest } = arch.registers as Rows;
      return { ...arch, registers: rest };
    });
    const writable = row.write !== 'never' && levels.indexOf(row.write) <= kernel;
    if (writable && row.derive === undefined && row.action === undefined && row.wrote === undefined) {
      for (const [field, about] of Object.entries(row.fields)) {
        const write = WRITES[about.write ?? 'plain'];
        // Bits that an `implemented` hides stay hidden whatever their field says.
        if (row.implemented !== undefined && about.write === 'zero') continue;
        add('write behaviour', `${name}.${field} is ${write}`, own, () =>
          withRows(arch, name, { fields: { ...row.fields, [field]: { ...about, write } } }),
        );
      }
    }
    for (const which of ['read', 'write'] as const) {
      const at = row[which] === 'never' ? kernel + 1 : levels.indexOf(row[which]);
      const other = at > 0 ? levels[at - 1] : levels[at + 1];
      // Operations cannot be read by any instruction.
      if (which === 'read' && row.at.index >> 14 === 1 && row.at.space === 'sysreg') continue;
      add('privilege', `${name} may be ${which === 'read' ? 'read' : 'written'} from ${other} on`, own, () =>
        withRows(arch, name, { [which]: other }),
      );
    }
    const traps = row.traps ?? [];
    for (const [n, group] of traps.entries()) {
      add('trap group', `${name} is not stopped by ${group}`, [`access/${name}:`, `registers/${name}:`], () =>
        withRows(arch, name, { traps: traps.filter((_, at) => at !== n) }),
      );
      const next = traps[n + 1];
      // One about reads and one about writes never meet.
      const [a, b] = [arch.trapGroups[group]?.on, next === undefined ? undefined : arch.trapGroups[next]?.on];
      if (next === undefined || (a !== 'both' && b !== 'both' && a !== b)) continue;
      add('trap order', `${name} asks ${next} before ${group}`, [`access/${name}:`], () =>
        withRows(arch, name, { traps: traps.with(n, next).with(n + 1, group) }),
      );
    }
    if (row.role !== undefined) {
      const role = ROLES[(ROLES.indexOf(row.role) + 1) % ROLES.length] as PmuRole;
      add('role', `${name} has the role ${role}`, ['the role'], () => withRows(arch, name, { role }));
    }
    if (row.needs !== undefined) {
      const { needs: _, ...rest } = row;
      add('feature', `${name} needs no ${row.needs}`, [`registers/${name} is not there`], () => ({
        ...arch,
        registers: { ...(arch.registers as Rows), [name]: rest },
      }));
    }
  }

  for (const [name, group] of Object.entries(arch.trapGroups)) {
    if (typeof group.when === 'function' || !('register' in group.when)) continue;
    const { when } = group;
    const stopped = Object.entries(arch.registers as Rows)
      .filter(([one, row]) => told.has(one) && row.traps?.includes(name) === true)
      .slice(0, 3)
      .map(([one]) => `access/${one}:`);
    add('trap control', `${name} is armed by the opposite`, stopped, () => ({
      ...arch,
      trapGroups: { ...arch.trapGroups, [name]: { ...group, when: { ...when, is: when.is === 0n ? 1n : 0n } } },
    }));
    // A level at which nobody may access any register of the group has nothing to be stopped.
    const meets = (level: string): boolean =>
      Object.values(arch.registers as Rows).some(
        ({ traps, read, write }) =>
          traps?.includes(name) === true &&
          [group.on === 'write' ? write : read, group.on === 'read' ? read : write].some(
            (least) => least !== 'never' && levels.indexOf(least) <= levels.indexOf(level),
          ),
      );
    for (const level of group.at.filter(meets)) {
      add('trap level', `${name} does not stop ${level}`, stopped, () => ({
        ...arch,
        trapGroups: { ...arch.trapGroups, [name]: { ...group, at: group.at.filter((one) => one !== level) } },
      }));
    }
  }

  const { switching } = arch;
  for (const list of ['controls', 'counters'] as const) {
    for (const register of switching[list]) {
      add('carried', `${register} does not travel`, [`switching/${register} under`], () => ({
        ...arch,
        switching: { ...switching, [list]: switching[list].filter((one) => one !== register) },
      }));
    }
  }
  for (const [register] of switching.freeze) {
    add('freeze', `${register} is not frozen`, ['travels', 'switching'], () => ({
      ...arch,
      switching: { ...switching, freeze: switching.freeze.filter(([one]) => one !== register) },
    }));
    add('order', `${register} is saved behind the freeze`, ['travels', 'switching'], () => ({
      ...arch,
      switching: {
        ...switching,
        controls: switching.controls.filter((one) => one !== register),
        counters: [register, ...switching.counters],
      },
    }));
  }
  add('order', 'controls in the opposite order', ['travels'], () => ({
    ...arch,
    switching: { ...switching, controls: switching.controls.toReversed() },
  }));

  for (const [n, event] of arch.pmu.events.entries()) {
    const change = (more: object): Arch => ({
      ...arch,
      pmu: { ...arch.pmu, events: arch.pmu.events.with(n, { ...event, ...more }) },
    });
    const signal = event.counts[0] === 'load' ? 'store' : 'load';
    add('event signal', `${event.name} counts ${signal}`, ['every event', 'rule 7'], () =>
      change({ counts: [signal] }),
    );
    add('event number', `${event.name} is event 0x77`, ['every event', 'names no event', 'rule 7'], () =>
      change({ id: 0x77 }),
    );
    add('event signal', `${event.name} counts twice`, ['every event', 'rule 7'], () =>
      change({ counts: [...event.counts, ...event.counts] }),
    );
  }

  for (const [n, counter] of arch.pmu.counters.entries()) {
    const change = (more: object): Arch => ({
      ...arch,
      pmu: { ...arch.pmu, counters: arch.pmu.counters.with(n, { ...counter, ...more }) },
    });
    add('counter', `counter ${n} never counts`, [`counter ${n} `], () => change({ counting: () => false }));
    add('counter', `counter ${n} always counts`, [`counter ${n} `], () => change({ counting: () => true }));
    add('counter', `counter ${n} overflows at 16 bits`, [`counter ${n} sets`], () =>
      change({ overflowWidth: () => 16 }),
    );
  }

  for (const [number, service] of Object.entries(arch.hypercalls.services)) {
    add('hypercall', `${service.name} answers one more`, [`${service.name}(`], () => ({
      ...arch,
      hypercalls: {
        ...arch.hypercalls,
        services: {
          ...arch.hypercalls.services,
          [number]: {
            ...service,
            call(vcpu, args) {
              const result = service.call(vcpu, args);
              return typeof result === 'bigint' ? BigInt.asUintN(64, result + 1n) : result;
            },
          },
        },
      },
    }));
  }
  const [example] = Object.values(arch.hypercalls.services);
  if (example !== undefined) {
    add('hypercall', 'there is a service that nobody tells of', ['hypercalls/the manual'], () => ({
      ...arch,
      hypercalls: { ...arch.hypercalls, services: { ...arch.hypercalls.services, '987654321': example } },
    }));
  }
  const [named] = Object.entries(arch.registers as Rows).filter(([, { at }]) => at !== undefined);
  if (named?.[1].at !== undefined) {
    const [, row] = named;
    const at = { ...named[1].at, index: 0x7ff1 };
    add('row', 'there is a register that nobody tells of', ['registers/the manual'], () => ({
      ...arch,
      registers: { ...(arch.registers as Rows), NOBODY: { ...row, at } },
    }));
  }
  for (const [name, personality] of Object.entries(arch.personalities)) {
    const policy = (): PolicyName => 'nothing' as PolicyName;
    add('personality', `${name} chooses a policy that is none`, [`the personality ${name}`], () => ({
      ...arch,
      personalities: { ...arch.personalities, [name]: { ...personality, policy } },
    }));
  }
  add('enforce', 'what is enforced is off by a bit', ['after power-on', 'access'], () => ({
    ...arch,
    enforce: (demand, view) => arch.enforce(demand, view).map(([register, value]) => [register, value ^ 1n] as const),
  }));
  add('enforce', 'nothing is enforced', ['access', 'policy'], () => ({ ...arch, enforce: () => [] }));
  add('overflow', 'an overflow sets no status', ['overflow'], () => ({
    ...arch,
    pmu: { ...arch.pmu, overflow: () => {} },
  }));
  add('overflow', 'the line is always down', ['overflow'], () => ({
    ...arch,
    pmu: { ...arch.pmu, line: () => false },
  }));
  add('overflow', 'the line is always up', ['overflow'], () => ({ ...arch, pmu: { ...arch.pmu, line: () => true } }));
  return all;
}
