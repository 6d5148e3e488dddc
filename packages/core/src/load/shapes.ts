/** The properties that each part of a plugin may have: one that is misspelt must not be silently absent. The compiler keeps these lists whole. */
import type {
  Address,
  Arch,
  Cost,
  CpuAddition,
  CpuRow,
  CpuSetting,
  Device,
  Extension,
  HypercallConvention,
  HypercallService,
  Hypercalls,
  Images,
  Isa,
  Personality,
  PersonalityOption,
  Platform,
  Pmu,
  Quirk,
  Register,
  SwitchAddition,
} from '@countervisor/contract';

/** Every property of a type, as one would write them in a row. */
type All<Type> = Readonly<Record<keyof Type, 0>>;

const keys = <Type>(all: All<Type>): readonly string[] => Object.keys(all);

type Shape =
  | 'arch'
  | 'offers'
  | 'cpu'
  | 'setting'
  | 'address'
  | 'action'
  | 'pmu'
  | 'isa'
  | 'cost'
  | 'faults'
  | 'hypercalls'
  | 'convention'
  | 'service'
  | 'platform'
  | 'ram'
  | 'device'
  | 'range'
  | 'images'
  | 'personality'
  | 'option'
  | 'quirk'
  | 'extension'
  | 'cpuAddition'
  | 'switchAddition';

export const SHAPES: Readonly<Record<Shape, readonly string[]>> = {
  arch: keys<Arch>({
    name: 0,
    contract: 0,
    exit: 0,
    needs: 0,
    offers: 0,
    levels: 0,
    level: 0,
    describe: 0,
    features: 0,
    cpus: 0,
    defaultCpu: 0,
    settings: 0,
    registers: 0,
    trapGroups: 0,
    causes: 0,
    pmu: 0,
    sampling: 0,
    enforce: 0,
    switching: 0,
    isa: 0,
    hypercalls: 0,
    platforms: 0,
    defaultPlatform: 0,
    personalities: 0,
    toolstack: 0,
    extensions: 0,
  }),
  offers: keys<Arch['offers']>({ policies: 0 }),
  cpu: keys<CpuRow>({
    means: 0,
    features: 0,
    settings: 0,
    identity: 0,
    deviations: 0,
    optional: 0,
  }),
  setting: keys<CpuSetting>({ means: 0, values: 0 }),
  address: keys<Address>({ space: 0, index: 0 }),
  action: keys<NonNullable<Register['action']>>({ read: 0, write: 0 }),
  pmu: keys<Pmu>({ events: 0, counters: 0, exists: 0, overflow: 0, line: 0, source: 0 }),
  isa: keys<Isa>({
    grain: 0,
    longest: 0,
    pc: 0,
    costs: 0,
    mode: 0,
    decode: 0,
    regimes: 0,
    regime: 0,
    checksAlignment: 0,
    translate: 0,
    take: 0,
    faults: 0,
    helpers: 0,
  }),
  cost: keys<Cost>({ backend: 0, frontend: 0 }),
  faults: keys<Isa['faults']>({ undefined: 0, alignment: 0, bus: 0, fetchAlignment: 0, register: 0 }),
  hypercalls: keys<Hypercalls>({ convention: 0, services: 0, unknown: 0, names: 0 }),
  convention: keys<HypercallConvention>({ number: 0, arguments: 0, result: 0 }),
  service: keys<HypercallService>({ name: 0, source: 0, call: 0 }),
  platform: keys<Platform>({
    name: 0,
    means: 0,
    ram: 0,
    devices: 0,
    images: 0,
    sources: 0,
    latch: 0,
    interrupt: 0,
    wakes: 0,
    deadline: 0,
    deviceTree: 0,
    treeAddress: 0,
    bootBlock: 0,
    entry: 0,
    start: 0,
    code: 0,
    verdict: 0,
  }),
  ram: keys<Platform['ram']>({ base: 0, most: 0 }),
  device: keys<Device>({ name: 0, per: 0, space: 0, range: 0, sizes: 0, state: 0, read: 0, reading: 0, write: 0 }),
  range: keys<NonNullable<Device['range']>>({ base: 0, size: 0 }),
  images: keys<Images>({ elf: 0, classes: 0, orders: 0, elfBase: 0, descriptors: 0, flat: 0, multiboot: 0 }),
  personality: keys<Personality>({
    name: 0,
    means: 0,
    policy: 0,
    unable: 0,
    policies: 0,
    options: 0,
    quirks: 0,
    settings: 0,
    handlers: 0,
    enforce: 0,
    switching: 0,
    services: 0,
    interrupt: 0,
    createdBy: 0,
  }),
  option: keys<PersonalityOption>({ means: 0, values: 0, default: 0, problem: 0, source: 0 }),
  quirk: keys<Quirk>({ name: 0, means: 0, source: 0 }),
  extension: keys<Extension>({
    name: 0,
    contract: 0,
    extends: 0,
    after: 0,
    needs: 0,
    features: 0,
    settings: 0,
    cpus: 0,
    models: 0,
    registers: 0,
    traps: 0,
    trapGroups: 0,
    causes: 0,
    events: 0,
    enforce: 0,
    switching: 0,
    services: 0,
    platforms: 0,
    personalities: 0,
  }),
  cpuAddition: keys<CpuAddition>({ features: 0, optional: 0, settings: 0, identity: 0 }),
  switchAddition: keys<SwitchAddition>({
    controls: 0,
    freeze: 0,
    counters: 0,
    because: 0,
    contextSwitchFrom: 0,
    contextSwitchTo: 0,
  }),
};
