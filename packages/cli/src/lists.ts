/** What there is, as rows: events, registers, CPU models, personalities, policies, the host. */
import type { Arch, CpuModel, Personality } from '@countervisor/contract';
import { COUNTER_SIGNALS, POLICY_TABLE, physinfo } from '@countervisor/core';
import { GENERIC } from './input/events.ts';
import type { Toolstack } from './plan.ts';
import { grouped } from './print/number.ts';
import type { ListJson } from './schemas/list.ts';
import type { Selected } from './selection.ts';

export type Row = ListJson['rows'][number];

export interface List {
  readonly rows: readonly Row[];
  /** Cells of the text form, in the order of the rows. */
  readonly text: readonly (readonly string[])[];
  readonly head: readonly string[];
}

function list(head: readonly string[], rows: readonly (readonly [Row, readonly string[]])[]): List {
  return { head, rows: rows.map(([row]) => row), text: rows.map(([, text]) => text) };
}

export function events(arch: Arch, cpu: CpuModel): List {
  const generic = Object.entries(GENERIC).map(([name, { means }]): [Row, string[]] => [
    { name, number: null, generic: true, supported: true, observable: true, means },
    [name, '', 'yes', means],
  ]);
  const own = arch.pmu.events.map((event): [Row, string[]] => {
    const supported = event.needs === undefined || cpu.features.has(event.needs);
    const observable = supported && !event.counts.some((signal) => COUNTER_SIGNALS.includes(signal));
    const number = `r${event.id.toString(16).padStart(2, '0')}`;
    const word = supported ? (observable ? 'yes' : 'counter only') : 'no';
    return [
      { name: event.name, number, generic: false, supported, observable, means: event.means },
      [event.name, number, word, event.means],
    ];
  });
  return list(['EVENT', 'NUMBER', 'COUNTED', 'MEANING'], [...generic, ...own]);
}

export function registers(arch: Arch, cpu: CpuModel): List {
  const rows = Object.entries(arch.registers).map(([name, row]): [Row, string[]] => {
    const address =
      row.at === undefined
        ? null
        : (arch.describe?.(row.at.space, row.at.index).text ?? `${row.at.space}(0x${row.at.index.toString(16)})`);
    const exists = row.needs === undefined || cpu.features.has(row.needs);
    return [
      {
        name,
        address,
        width: row.width,
        read: row.read,
        write: row.write,
        role: row.role ?? null,
        exists,
        source: row.source ?? null,
      },
      [
        name,
        address ?? '-',
        `${row.width}`,
        row.read,
        row.write,
        row.role ?? '-',
        exists ? 'yes' : `no: needs ${row.needs}`,
      ],
    ];
  });
  return list(['REGISTER', 'ADDRESS', 'BITS', 'READ FROM', 'WRITE FROM', 'PMU ROLE', 'HERE'], rows);
}

export function cpus(arch: Arch): List {
  const rows = Object.entries(arch.cpus).map(([name, cpu]): [Row, string[]] => [
    {
      name,
      default: name === arch.defaultCpu,
      means: cpu.means,
      features: [...cpu.features],
      optional: [...(cpu.optional ?? [])],
      settings: { ...cpu.settings },
      deviations: [...cpu.deviations],
    },
    [
      name === arch.defaultCpu ? `${name} *` : name,
      cpu.features.join(','),
      Object.entries(cpu.settings)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
      cpu.means,
    ],
  ]);
  return list(['CPU (* default)', 'FEATURES', 'SETTINGS', 'MEANING'], rows);
}

const options = (p: Personality): string =>
  Object.entries(p.options ?? {})
    .map(([name, o]) => `${name}=${o.values === 'text' ? '…' : o.values.join('|')} (${o.default || "''"})`)
    .join(' ') || '-';

export function personalities(arch: Arch): List {
  const rows = Object.entries(arch.personalities).map(([name, p], i): [Row, string[]] => [
    {
      name,
      default: i === 0,
      means: p.means,
      policies: [...p.policies],
      options: Object.fromEntries(
        Object.entries(p.options ?? {}).map(([option, o]) => [
          option,
          `${o.means} ${o.values === 'text' ? 'A text' : o.values.join(', ')}; default '${o.default}' (${o.source})`,
        ]),
      ),
      quirks: Object.fromEntries(p.quirks.map((quirk) => [quirk.name, `${quirk.means} (${quirk.source})`])),
    },
    [
      i === 0 ? `${name} *` : name,
      p.policies.join(','),
      options(p),
      p.quirks.map((quirk) => quirk.name).join(',') || '-',
      p.means,
    ],
  ]);
  return list(['PERSONALITY (* default)', 'POLICIES', 'OPTIONS (default)', 'QUIRKS OF COMPAT', 'MEANING'], rows);
}

export function policies(arch: Arch): List {
  const rows = Object.entries(POLICY_TABLE).map(([name, policy]): [Row, string[]] => {
    const offered = (arch.offers.policies as readonly string[]).includes(name);
    return [
      {
        name,
        offered,
        home: policy.home,
        onSwitch: policy.onSwitch,
        independent: policy.independent,
        means: policy.means,
      },
      [name, offered ? 'yes' : 'no', policy.home, policy.onSwitch, policy.independent ? 'yes' : 'no', policy.means],
    ];
  });
  return list(['POLICY', 'OFFERED', 'REGISTERS LIVE', 'ON A SWITCH', 'INDEPENDENT', 'MEANING'], rows);
}

/** The lines of `xl info` that the model has something to say about, under its names. */
export function host(selected: Selected, toolstack: Toolstack): List {
  const info = physinfo(toolstack.half, toolstack.host);
  const { machine, personality, mode, arch } = selected;
  const lines: [string, string][] = [
    ['machine', arch.name],
    ['nr_cpus', `${machine.pcpus ?? 1}`],
    ['cpu_model', toolstack.cpu.name],
    ['personality', `${personality.name}:${mode}`],
    ['platform', machine.platform ?? arch.defaultPlatform],
    ['slice', grouped(machine.slice ?? 10_000)],
    ['physcaps', `0x${info.capabilities.toString(16)}`],
    ['virt_caps', info.virtCaps.join(' ')],
    ...info.lines.map(([name, value]): [string, string] => [name, value]),
  ];
  return list(
    [],
    lines.map(([name, value]): [Row, string[]] => [{ name, value }, [name, value]]),
  );
}
