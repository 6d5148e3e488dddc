/**
 * What CPUID answers: leaves as rows, each a function of the CPU model and, in a few places, of what is switched on. Intel SDM volume 2, CPUID; AMD APM volume 3,
 * appendix E. CPUID is a trap to the hypervisor here, as it always is under VMX; `traps.ts` answers from this table.
 */
import type { View } from '@countervisor/contract';
import { FEATURES, type Output, PERFMON, REPEATED } from '../features.ts';
import { perfmon } from './perfmon.ts';
import type { Rows } from './row.ts';

export type Answer = Readonly<Record<Output, bigint>>;

const NOTHING: Answer = { EAX: 0n, EBX: 0n, ECX: 0n, EDX: 0n };

/** A leaf of CPUID; subleaf is ECX. */
export type Leaf = (view: View, subleaf: number) => Partial<Answer>;

const EXTENDED = 0x8000_0000;

const id = (view: View, name: string): bigint => view.cpu.identity[name] ?? 0n;
const bit = (n: number): bigint => 1n << BigInt(n);

/** A guest without a vPMU is not told of the performance monitors; one without PEBS not of the debug store. */
export function hidden(view: View, feature: string): boolean {
  if (!Object.hasOwn(PERFMON, feature)) return false;
  if (view.settings.vpmu === false) return true;
  // What a hypervisor does not pass on, by name.
  const { hides } = view.settings;
  if (typeof hides === 'string' && hides.split(' ').includes(feature)) return true;
  return view.settings.pebs === 'off' && ['ds', 'dtes64', 'pebs', 'pebs_baseline'].includes(feature);
}

/** Feature bits of one leaf and output. */
function shown(view: View, leaf: number, subleaf: number, output: Output): bigint {
  let value = 0n;
  for (const [name, feature] of Object.entries(FEATURES)) {
    if (!view.cpu.features.has(name) || hidden(view, name)) continue;
    for (const [l, s, o, at] of feature.shows) {
      if (l === leaf && s === subleaf && o === output) value |= bit(at);
    }
  }
  return value;
}

/** Leaf 0x80000001 of AMD's CPUs repeats bits of leaf 1. */
function repeated(view: View): bigint {
  if (!view.cpu.features.has('amd')) return 0n;
  let value = 0n;
  for (const name of REPEATED) {
    const at = FEATURES[name]?.shows[0]?.[3];
    if (at !== undefined && view.cpu.features.has(name)) value |= bit(at);
  }
  return value;
}

/** CPUID.1:EDX.APIC follows APIC_BASE.ENABLE; CPUID.1:ECX.OSXSAVE would follow CR4. */
function leaf1(view: View): Partial<Answer> {
  const apicOff = view.field('APIC_BASE', 'ENABLE') === 0n;
  const hypervisor = typeof view.settings.hypervisor === 'string' ? bit(31) : 0n;
  let edx = shown(view, 1, 0, 'EDX');
  if (apicOff) edx &= ~bit(9);
  // HTT: bits 23:16 of EBX say how many.
  if (view.siblings > 1) edx |= bit(28);
  return {
    EAX: id(view, 'SIGNATURE'),
    EBX: (BigInt(view.index) << 24n) | (BigInt(view.siblings) << 16n) | (8n << 8n),
    ECX: shown(view, 1, 0, 'ECX') | hypervisor,
    EDX: edx,
  };
}

/** One thread in each core, all cores in one package: leaf 0xB. */
function topology(view: View, subleaf: number): Partial<Answer> {
  const index = BigInt(view.index);
  const shift = BigInt(32 - Math.clz32(view.siblings - 1));
  if (subleaf === 0) return { EBX: 1n, ECX: 0x100n, EDX: index };
  if (subleaf === 1) return { EAX: shift, EBX: BigInt(view.siblings), ECX: 0x201n, EDX: index };
  return { ECX: BigInt(subleaf & 0xff), EDX: index };
}

const vendor = (view: View): Partial<Answer> => ({
  EBX: id(view, 'VENDOR_EBX'),
  ECX: id(view, 'VENDOR_ECX'),
  EDX: id(view, 'VENDOR_EDX'),
});

const brand =
  (n: number): Leaf =>
  (view) => ({
    EAX: id(view, `BRAND_${4 * n}`),
    EBX: id(view, `BRAND_${4 * n + 1}`),
    ECX: id(view, `BRAND_${4 * n + 2}`),
    EDX: id(view, `BRAND_${4 * n + 3}`),
  });

const features =
  (leaf: number): Leaf =>
  (view, subleaf) => ({
    EAX: shown(view, leaf, subleaf, 'EAX'),
    EBX: shown(view, leaf, subleaf, 'EBX'),
    ECX: shown(view, leaf, subleaf, 'ECX'),
    EDX: shown(view, leaf, subleaf, 'EDX'),
  });

/** TSC ticks in a second of the domain's clock, of which a cycle is a nanosecond. */
const tscRate = (view: View): bigint => BigInt(view.cpu.settings.tsc as number) * 1_000_000n;

/** Architectural performance monitoring: volume 3, 20.2.1 to 20.2.5. */
function monitors(view: View): Partial<Answer> {
  const { vendor, version: own, general, width, fixed, fixedWidth, missing } = perfmon(view);
  // A hypervisor may know no later version, and report the last one that it knows.
  const { most_version: most } = view.settings;
  const version = typeof most === 'number' ? Math.min(own, most) : own;
  if (vendor !== 'intel' || version === 0 || hidden(view, 'perfmon')) return {};
  return {
    EAX: BigInt(version | (general << 8) | (width << 16) | (7 << 24)),
    EBX: BigInt(missing),
    ECX: version >= 5 ? (1n << BigInt(fixed)) - 1n : 0n,
    // AnyThread is deprecated from version 5 on.
    EDX: version >= 2 ? BigInt(fixed | (fixedWidth << 5)) | (version >= 5 ? bit(15) : 0n) : 0n,
  };
}

/** Architectural last branch records: volume 3, 19.2 and volume 2, CPUID leaf 1CH. */
function records(view: View): Partial<Answer> {
  if (!view.cpu.features.has('arch_lbr') || hidden(view, 'arch_lbr')) return {};
  const depth = perfmon(view).lbr?.depth ?? 0;
  return { EAX: (1n << BigInt(depth / 8)) - 1n, EBX: 7n, ECX: 7n };
}

/** Leaves that are not all zero. */
export const LEAVES: Readonly<Record<number, Leaf>> = {
  0: (view) => ({ EAX: id(view, 'LEAVES'), ...vendor(view) }),
  1: leaf1,
  // Descriptors: none; the lowest byte is how often to ask.
  2: (view) => (view.cpu.features.has('intel') ? { EAX: 1n } : {}),
  6: features(6),
  7: (view, subleaf) => (subleaf === 0 ? features(7)(view, 0) : {}),
  10: monitors,
  11: (view, subleaf) => (view.cpu.features.has('intel') ? topology(view, subleaf) : {}),
  28: records,
  // A crystal of 1 GHz: the domain's clock.
  21: (view) => ({ EAX: 1000n, EBX: BigInt(view.cpu.settings.tsc as number), ECX: 1_000_000_000n }),
  22: (view) => ({ EAX: tscRate(view) / 1_000_000n, EBX: tscRate(view) / 1_000_000n, ECX: 100n }),
  [EXTENDED]: (view) => ({ EAX: id(view, 'EXTENDED_LEAVES'), ...(view.cpu.features.has('amd') ? vendor(view) : {}) }),
  [EXTENDED + 1]: (view) => ({
    ...features(EXTENDED + 1)(view, 0),
    EAX: view.cpu.features.has('amd') ? id(view, 'SIGNATURE') : 0n,
    EDX: shown(view, EXTENDED + 1, 0, 'EDX') | repeated(view),
  }),
  [EXTENDED + 2]: brand(0),
  [EXTENDED + 3]: brand(1),
  [EXTENDED + 4]: brand(2),
  [EXTENDED + 7]: features(EXTENDED + 7),
  [EXTENDED + 0x22]: (view) =>
    view.cpu.features.has('perfmon_v2') && !hidden(view, 'perfmon_v2')
      ? { ...features(EXTENDED + 0x22)(view, 0), EBX: BigInt(perfmon(view).general) }
      : {},
  [EXTENDED + 8]: (view) => ({
    ...features(EXTENDED + 8)(view, 0),
    EAX: id(view, 'PHYSICAL_BITS') | (48n << 8n),
    ECX: view.cpu.features.has('amd') ? BigInt(view.siblings - 1) : 0n,
  }),
  [EXTENDED + 0x21]: features(EXTENDED + 0x21),
};

/** The leaf that answers for a number: beyond the highest basic one Intel's CPUs answer with that one, AMD's with zeros. */
function resolve(view: View, leaf: number): number | undefined {
  const basic = Number(id(view, 'LEAVES'));
  const limited = view.cpu.features.has('intel') && view.field('MISC_ENABLE', 'LIMIT_CPUID') === 1n;
  const most = limited ? Math.min(basic, 2) : basic;
  if (leaf >= EXTENDED && leaf <= Number(id(view, 'EXTENDED_LEAVES'))) return leaf;
  if (leaf <= most) return leaf;
  return view.cpu.features.has('amd') ? undefined : most;
}

/** Bytes of a text as EBX, ECX, EDX have them. */
function words(text: string): Partial<Answer> {
  const at = (n: number): bigint => {
    let value = 0n;
    for (let i = 3; i >= 0; i--) value = (value << 8n) | BigInt(text.charCodeAt(n + i) || 0);
    return value;
  };
  return { EBX: at(0), ECX: at(4), EDX: at(8) };
}

/** Leaf 0x40000000: the hypervisor's name, where the personality gives one (`settings.hypervisor`). */
function hypervisor(view: View, leaf: number): Partial<Answer> | undefined {
  const name = view.settings.hypervisor;
  if (typeof name !== 'string' || leaf < 0x4000_0000 || leaf > 0x4000_ffff) return undefined;
  return leaf === 0x4000_0000 ? { EAX: 0x4000_0001n, ...words(name) } : {};
}

export function cpuid(view: View, leaf: number, subleaf: number): Answer {
  const own = hypervisor(view, leaf);
  if (own !== undefined) return { ...NOTHING, ...own };
  const resolved = resolve(view, leaf);
  if (resolved === undefined) return NOTHING;
  const row = LEAVES[resolved];
  return { ...NOTHING, ...row?.(view, subleaf) };
}

/** CPUID is an instruction, not a register: no register identifies the CPU by an address of its own. */
export const identity: Rows = {};
