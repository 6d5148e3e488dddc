/**
 * CPU models: identification, features, and what each lacks of the silicon of its name. Families and models: SDM volume 4, table 2-1; AMD's revision guides.
 * The names are those that Linux and QEMU give these cores.
 */
import type { CpuRow } from '@countervisor/contract';
import { perfmonFeatures } from './perfmon.ts';

const BASE = [
  'fpu', 'de', 'pse', 'tsc', 'msr', 'pae', 'mce', 'cx8', 'apic', 'sep', 'mtrr', 'pge', 'mca', 'cmov', 'pat', 'pse36', 'clfsh',
  'fxsr', 'sse', 'sse2', 'cx16', 'syscall', 'nx', 'lm', 'lahf_lm',
] as const; // biome-ignore format: in the order of their bits

const CORE2 = ['intel', ...BASE, 'constant_tsc'] as const;
const NEHALEM = [...CORE2, 'popcnt', 'rdtscp', 'pdpe1gb'] as const;
const SILVERMONT = [
  ...CORE2, 'popcnt', 'rdtscp', 'movbe', 'tsc_deadline_timer', 'tsc_adjust', 'smep', 'erms', 'prefetchw', 'arat',
] as const; // biome-ignore format: one list
const HASWELL = [
  ...NEHALEM, 'movbe', 'tsc_deadline_timer', 'fsgsbase', 'tsc_adjust', 'bmi1', 'smep', 'erms', 'lzcnt', 'arat', 'spec_ctrl', 'pred_cmd',
] as const; // biome-ignore format: one list
const SKYLAKE = [...HASWELL, 'smap', 'clflushopt', 'prefetchw'] as const;
const ICELAKE = [...SKYLAKE, 'umip', 'arch_capabilities'] as const;
const AMD10 = [
  'amd',
  ...BASE,
  'popcnt',
  'rdtscp',
  'pdpe1gb',
  'lzcnt',
  'prefetchw',
  'constant_tsc',
  'keeps-null-base',
] as const;
const AMD15 = [...AMD10, 'ibpb', 'pred_cmd'] as const;
const ZEN2 = [
  'amd', ...BASE, 'popcnt', 'rdtscp', 'pdpe1gb', 'lzcnt', 'prefetchw', 'constant_tsc', 'ibpb', 'pred_cmd', 'movbe', 'fsgsbase',
  'bmi1', 'smep', 'smap', 'clflushopt', 'umip', 'arat', 'nscb',
] as const; // biome-ignore format: one list

const COMMON = [
  'MMX, SSE and AVX arithmetic, AES, SHA, BMI2, ADX, RDRAND, RDSEED, MONITOR, XSAVE and TSX are hidden and absent.',
  'PCID, INVPCID, protection keys, CET, five-level paging, x2APIC, VMX, SVM and SMX are hidden and absent; setting CR4 bits of theirs is #GP.',
  'Task switches by hardware and virtual-8086 mode end the domain by name; CPUID shows no VME.',
  'Instruction and data breakpoints end the domain by name when DR7 enables one; single step (TF) and INT1 work.',
  'A change of APIC_BASE that moves the local APIC ends the domain by name.',
  'Caches have no timing and no leaf of CPUID; MTRRs and PAT hold what is written and change nothing.',
  'Machine check banks: none. Data where nothing is reads as ones, code there is a machine check; both are named.',
  'RF is not kept behind IRET: there are no instruction breakpoints that it could hold off.',
] as const;

const AMD_MORE = [
  'SYSRET sets the attributes of SS as Intel’s CPUs do.',
  'The events of retired branches leave out interrupts and exceptions, which AMD’s CPUs count among them.',
  '3DNow!, SSE4a, XOP, FMA4, LWP and IBS are hidden and absent.',
] as const;

const VENDORS = { intel: 'GenuineIntel', amd: 'AuthenticAMD' } as const;

/** Four bytes of a text, first in the lowest. */
function word(text: string, at: number): bigint {
  let value = 0n;
  for (let i = 3; i >= 0; i--) value = (value << 8n) | BigInt(text.charCodeAt(at + i) || 0);
  return value;
}

/** CPUID.1:EAX of a family, model and stepping. */
export function signature(family: number, model: number, stepping: number): bigint {
  const base = Math.min(family, 15);
  const extended = family - base;
  return BigInt((extended << 20) | ((model >> 4) << 16) | (base << 8) | ((model & 15) << 4) | stepping);
}

interface Identity {
  readonly vendor: keyof typeof VENDORS;
  readonly brand: string;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  /** Highest basic leaf. */
  readonly leaves: bigint;
  /** Highest extended leaf. */
  readonly extended: bigint;
  readonly physical: bigint;
  /** IA32_BIOS_SIGN_ID: the microcode's revision, in the upper half. */
  readonly microcode: bigint;
  /** IA32_ARCH_CAPABILITIES. */
  readonly capabilities?: bigint;
  /** The silicon has five-level paging: setting CR4.LA57 is then named, and elsewhere #GP. */
  readonly la57?: true;
}

function identity(i: Identity): Readonly<Record<string, bigint>> {
  const brand = i.brand.padEnd(48, '\0');
  const vendor = VENDORS[i.vendor];
  return {
    VENDOR_EBX: word(vendor, 0),
    VENDOR_EDX: word(vendor, 4),
    VENDOR_ECX: word(vendor, 8),
    SIGNATURE: signature(i.family, i.model, i.stepping),
    LEAVES: i.leaves,
    EXTENDED_LEAVES: i.extended,
    PHYSICAL_BITS: i.physical,
    BIOS_SIGN_ID: i.microcode << 32n,
    ARCH_CAPABILITIES: i.capabilities ?? 0n,
    LA57: i.la57 === true ? 1n : 0n,
    ...Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`BRAND_${n}`, word(brand, 4 * n)])),
  };
}

const intel = (i: Omit<Identity, 'vendor' | 'extended'>): Readonly<Record<string, bigint>> =>
  identity({ vendor: 'intel', extended: 0x8000_0008n, ...i });
const amd = (i: Omit<Identity, 'vendor' | 'leaves'> & { readonly leaves?: bigint }): Readonly<Record<string, bigint>> =>
  identity({ vendor: 'amd', leaves: 7n, ...i });

/** Ice Lake's servers are the first whose assists can be restarted; AMD's have none. */
const RESTARTS: readonly string[] = ['icelake-server', 'sapphire-rapids'];

const monitored = (generation: string): Pick<CpuRow, 'settings'> => ({
  settings: { tsc: 1000, perfmon: generation, ds_fault: RESTARTS.includes(generation) ? 'restartable' : 'lose-record' },
});

/** The mitigations that these models need no help with: RDCL_NO, SKIP_L1DFL_VMENTRY, MDS_NO. */
const FIXED = 0x29n;

export const cpus: Readonly<Record<string, CpuRow>> = {
  core2: {
    means: 'Intel Core 2 (Merom), family 6 model 15.',
    features: [...CORE2, ...perfmonFeatures('core2')],
    ...monitored('core2'),
    identity: intel({
      brand: 'Intel(R) Core(TM)2 Duo CPU',
      family: 6,
      model: 15,
      stepping: 11,
      leaves: 10n,
      physical: 36n,
      microcode: 0xban,
    }),
    deviations: COMMON,
  },
  nehalem: {
    means: 'Intel Nehalem (Core i7 9xx), family 6 model 26.',
    features: [...NEHALEM, ...perfmonFeatures('nehalem')],
    ...monitored('nehalem'),
    identity: intel({
      brand: 'Intel(R) Core(TM) i7 CPU (Nehalem)',
      family: 6,
      model: 26,
      stepping: 5,
      leaves: 11n,
      physical: 40n,
      microcode: 0x1dn,
    }),
    deviations: COMMON,
  },
  silvermont: {
    means: 'Intel Silvermont (Atom), family 6 model 55.',
    features: [...SILVERMONT, ...perfmonFeatures('silvermont')],
    ...monitored('silvermont'),
    identity: intel({
      brand: 'Intel(R) Atom(TM) CPU (Silvermont)',
      family: 6,
      model: 55,
      stepping: 8,
      leaves: 11n,
      physical: 36n,
      microcode: 0x838n,
    }),
    deviations: COMMON,
  },
  haswell: {
    means: 'Intel Haswell, family 6 model 60.',
    features: [...HASWELL, ...perfmonFeatures('haswell')],
    ...monitored('haswell'),
    identity: intel({
      brand: 'Intel(R) Core(TM) Processor (Haswell)',
      family: 6,
      model: 60,
      stepping: 3,
      leaves: 13n,
      physical: 39n,
      microcode: 0x28n,
    }),
    deviations: COMMON,
  },
  skylake: {
    means: 'Intel Skylake (client), family 6 model 94.',
    features: [...SKYLAKE, ...perfmonFeatures('skylake')],
    ...monitored('skylake'),
    identity: intel({
      brand: 'Intel(R) Core(TM) Processor (Skylake)',
      family: 6,
      model: 94,
      stepping: 3,
      leaves: 0x16n,
      physical: 39n,
      microcode: 0xf0n,
    }),
    deviations: COMMON,
  },
  'icelake-server': {
    means: 'Intel Ice Lake (server), family 6 model 106.',
    features: [...ICELAKE, ...perfmonFeatures('icelake-server')],
    ...monitored('icelake-server'),
    identity: intel({
      brand: 'Intel(R) Xeon(R) Processor (Icelake)', family: 6, model: 106, stepping: 6, leaves: 0x16n, physical: 46n,
      microcode: 0xd000375n, capabilities: FIXED, la57: true,
    }), // biome-ignore format: one model
    deviations: COMMON,
  },
  'sapphire-rapids': {
    means: 'Intel Sapphire Rapids, family 6 model 143.',
    features: [...ICELAKE, ...perfmonFeatures('sapphire-rapids')],
    ...monitored('sapphire-rapids'),
    identity: intel({
      brand: 'Intel(R) Xeon(R) Processor (SapphireRapids)', family: 6, model: 143, stepping: 4, leaves: 0x20n, physical: 46n,
      microcode: 0x2b000461n, capabilities: FIXED, la57: true,
    }), // biome-ignore format: one model
    deviations: COMMON,
  },
  'amd-10h': {
    means: 'AMD family 10h (Barcelona, Phenom).',
    features: [...AMD10, ...perfmonFeatures('amd-10h')],
    ...monitored('amd-10h'),
    identity: amd({
      brand: 'AMD Phenom(tm) Quad-Core Processor',
      family: 16,
      model: 2,
      stepping: 3,
      leaves: 5n,
      extended: 0x8000_001bn,
      physical: 40n,
      microcode: 0x100_0065n,
    }),
    deviations: [...COMMON, ...AMD_MORE],
  },
  'amd-15h': {
    means: 'AMD family 15h (Bulldozer, Opteron 62xx).',
    features: [...AMD15, ...perfmonFeatures('amd-15h')],
    ...monitored('amd-15h'),
    identity: amd({
      brand: 'AMD Opteron(tm) Processor 62xx',
      family: 21,
      model: 1,
      stepping: 2,
      leaves: 13n,
      extended: 0x8000_001en,
      physical: 40n,
      microcode: 0x600_063en,
    }),
    deviations: [...COMMON, ...AMD_MORE],
  },
  zen2: {
    means: 'AMD Zen 2 (EPYC 7002, Rome), family 17h model 31h.',
    features: [...ZEN2, ...perfmonFeatures('zen2')],
    ...monitored('zen2'),
    identity: amd({
      brand: 'AMD EPYC-Rome Processor',
      family: 23,
      model: 49,
      stepping: 0,
      leaves: 16n,
      extended: 0x8000_0021n,
      physical: 48n,
      microcode: 0x830_107cn,
    }),
    deviations: [...COMMON, ...AMD_MORE],
  },
  zen4: {
    means: 'AMD Zen 4 (EPYC 9004, Genoa), family 19h model 11h.',
    features: [...ZEN2, ...perfmonFeatures('zen4')],
    ...monitored('zen4'),
    identity: amd({
      brand: 'AMD EPYC-Genoa Processor',
      family: 25,
      model: 17,
      stepping: 1,
      leaves: 16n,
      extended: 0x8000_0022n,
      physical: 48n,
      microcode: 0xa10_1148n,
    }),
    deviations: [...COMMON, ...AMD_MORE],
  },
};

export const defaultCpu = 'skylake';
