/** From what was named to what will be made: configurations read and defaulted, creation checked, machine chosen. Nothing is created here. */
import type { Arch, CountervisorError, CpuModel, DomctlHost, Place, ToolstackHalf } from '@countervisor/contract';
import {
  type Creation,
  cpuModel,
  createDomain,
  type DomainConfig,
  pcpusFor,
  readDomainConfig,
  refusalError,
  type XlDomainConfig,
  xenHost,
} from '@countervisor/core';
import { chooseArchitecture } from './architecture.ts';
import { InputError, UnsupportedError } from './exit.ts';
import { withExtensions } from './extension.ts';
import { type Host, readHost } from './host.ts';
import { type GuestSource, type Image, readGuest } from './input/guest.ts';
import type { Io } from './io.ts';
import { type Selected, type SelectionFlags, select } from './selection.ts';
import { plainHalf } from './toolstack.ts';

/** More than any hypervisor here allows; its own checks are stricter. */
const MOST_VCPUS = 512;
const MIB = 1024 * 1024;

export interface Toolstack {
  readonly half: ToolstackHalf;
  readonly host: DomctlHost;
  readonly cpu: CpuModel;
  /** May a domain have a vPMU, as its creator sees it? */
  readonly pmu: boolean;
}

export interface PlannedGuest {
  readonly source: GuestSource;
  readonly xl: XlDomainConfig;
  readonly image: Image;
  readonly domain: DomainConfig;
  readonly creation: Creation | undefined;
  readonly warnings: readonly CountervisorError[];
}

export interface Plan {
  readonly selected: Selected;
  readonly toolstack: Toolstack;
  readonly guests: readonly PlannedGuest[];
  readonly until: number | undefined;
}

export function toolstackOf(selected: Selected, host: Host): Toolstack {
  const { arch, machine } = selected;
  const half = arch.toolstack ?? plainHalf(arch);
  const cpu = cpuModel(arch, machine.cpu, machine.cpuSettings);
  const { gic, xen } = host.file;
  const facts = Object.fromEntries(Object.entries(xen ?? {}).filter(([, value]) => value !== undefined));
  const made = xenHost(half, half.host({ cpu, settings: gic === undefined ? {} : { gic } }), facts);
  const vmm = selected.personality.createdBy === 'vmm' ? half.hasPmu?.(cpu) : undefined;
  return { half, host: made, cpu, pmu: vmm ?? made.vpmu_is_available };
}

/** libxl's way; or that of a VMM, where the vPMU is the one thing that creation can fail on (`undefined`: nobody asked more). */
function create(xl: XlDomainConfig, selected: Selected, toolstack: Toolstack): Creation | undefined {
  const creation = createDomain(xl, toolstack.host, toolstack.half);
  if (selected.personality.createdBy !== 'vmm') return creation;
  if (xl.vpmu && !toolstack.pmu) {
    throw new InputError(
      'CV_NO_VPMU',
      `${selected.personality.name} cannot give '${xl.name}' a vPMU: the CPU ${toolstack.cpu.name} has no PMU.`,
      'Write vpmu = 0, or choose a CPU model with a PMU.',
      xl.places.get('vpmu'),
    );
  }
  return creation.outcome === 'created' ? creation : undefined;
}

function checkSize(xl: XlDomainConfig, arch: Arch, platformName: string): void {
  const platform = arch.platforms[platformName];
  const start: Place = { file: xl.file, line: 1, column: 1 };
  const most = platform === undefined ? 0n : platform.ram.most;
  if (BigInt(xl.memory) * BigInt(MIB) > most) {
    throw new InputError(
      'CV_MEMORY_RANGE',
      `'${xl.name}' asks for ${xl.memory} MiB, and the platform ${platformName} has room for ${most / BigInt(MIB)}.`,
      'Lower memory.',
      xl.places.get('memory') ?? start,
    );
  }
  if (xl.vcpus > MOST_VCPUS) {
    throw new InputError(
      'CV_VCPUS_RANGE',
      `'${xl.name}' asks for ${xl.vcpus} vCPUs, and at most ${MOST_VCPUS} are run.`,
      'Lower vcpus.',
      xl.places.get('vcpus') ?? start,
    );
  }
  if (xl.ramdisk !== undefined) {
    throw new UnsupportedError(
      'CV_RAMDISK',
      `'${xl.name}' has a ramdisk, and none is loaded into guests yet.`,
      'Link it into the kernel image.',
      xl.places.get('ramdisk') ?? start,
    );
  }
}

export interface Checked {
  readonly xl: XlDomainConfig;
  readonly creation: Creation | undefined;
  readonly warnings: readonly CountervisorError[];
  readonly image: Image;
}

/** A guest alone has no configuration that could say so: its PMU is on where there is one, as it is under QEMU. */
function withVpmu(source: GuestSource, xl: XlDomainConfig, toolstack: Toolstack): XlDomainConfig {
  if (!source.bare || xl.places.has('vpmu') || !toolstack.pmu) return xl;
  return { ...xl, vpmu: true, values: new Map([...xl.values, ['vpmu', true]]) };
}

/** Reads one configuration with the architecture's keys, and asks the creation checks. Refusals are returned, other mistakes thrown. */
export function checkGuest(source: GuestSource, selected: Selected, toolstack: Toolstack): Checked {
  const { config, warnings } = readDomainConfig(source.xl, toolstack.half);
  const xl = withVpmu(source, config, toolstack);
  const creation = create(xl, selected, toolstack);
  if (creation?.outcome !== 'refused') {
    checkSize(xl, selected.arch, selected.machine.platform ?? selected.arch.defaultPlatform);
    if (source.image !== undefined) toolstack.half.refuse?.(source.image.bytes, source.image.file);
  }
  // readDomainConfig has thrown where there is no kernel, and reading it has where there is no file.
  return { xl, creation, warnings, image: source.image as Image };
}

export function domainOf(checkedGuest: Checked, selected: Selected, toolstack: Toolstack, host: Host): DomainConfig {
  const { xl, creation } = checkedGuest;
  const pcpus = selected.machine.pcpus ?? 1;
  const pinned = xl.affinity.every !== undefined || xl.affinity.each.length > 0;
  const gic = host.file.gic === undefined ? {} : { gic: host.file.gic };
  const granted = creation?.outcome === 'created' ? toolstack.half.settings?.(creation.request.arch) : undefined;
  return {
    name: xl.name,
    vcpus: xl.vcpus,
    memory: xl.memory * MIB,
    vpmu: xl.vpmu,
    settings: { ...gic, ...granted },
    ...(selected.policy !== undefined && xl.vpmu && { policy: selected.policy }),
    ...(pinned && { pins: Array.from({ length: xl.vcpus }, (_, vcpu) => pcpusFor(xl.affinity, vcpu, pcpus)) }),
  };
}

/** Things that are read and do not happen. */
export function notes(xl: XlDomainConfig, selected: Selected): string[] {
  const said: string[] = [];
  if (xl.maxvcpus > xl.vcpus)
    said.push(
      `${xl.name}: the ${xl.maxvcpus - xl.vcpus} vCPUs beyond 'vcpus' are never there: hotplug is not modelled.`,
    );
  if (selected.policy !== undefined && !xl.vpmu)
    said.push(`${xl.name}: the policy '${selected.policy}' has no effect, since it has no vPMU (vpmu = 0).`);
  return said;
}

export interface Sources {
  readonly host: Host;
  readonly selected: Selected;
  readonly toolstack: Toolstack;
}

/** The machine for guests that are read already. */
export async function choose(io: Io, flags: SelectionFlags, sources: readonly GuestSource[]): Promise<Sources> {
  const host = readHost(io, flags.host);
  const selected = select(
    await withExtensions(io, flags, (asked) => chooseArchitecture(io, asked, host, sources)),
    flags,
    host,
  );
  return { host, selected, toolstack: toolstackOf(selected, host) };
}

/** Everything up to creation. @throws CountervisorError: the first thing that is wrong, refusals included */
export async function plan(
  io: Io,
  flags: SelectionFlags,
  files: readonly string[],
  overrides: readonly string[],
): Promise<Plan> {
  const sources = files.map((file) => readGuest(io, file, overrides));
  const { host, selected, toolstack } = await choose(io, flags, sources);
  const guests: PlannedGuest[] = [];
  for (const source of sources) {
    const one = checkGuest(source, selected, toolstack);
    if (one.creation?.outcome === 'refused') throw refusalError(one.xl, one.creation);
    unique(one.xl, guests);
    guests.push({ ...one, source, domain: domainOf(one, selected, toolstack, host) });
  }
  return { selected, toolstack, guests, until: flags.until };
}

export function unique(xl: XlDomainConfig, before: readonly { readonly xl: XlDomainConfig }[]): void {
  const same = before.find((other) => other.xl.name === xl.name);
  if (same === undefined) return;
  const place = xl.places.get('name') ?? { file: xl.file, line: 1, column: 1 };
  throw new InputError(
    'CV_SAME_NAME',
    `The name '${xl.name}' is taken by ${same.xl.file}.`,
    'Give every domain a name of its own.',
    place,
  );
}
