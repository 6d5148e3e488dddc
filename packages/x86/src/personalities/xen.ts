/**
 * Xen on x86-64 with its boot option `vpmu`: the physical monitors, saved and restored, behind a gate for every MSR that is written.
 *
 * Facts from Xen's own source, staging of August 2026: arch/x86/cpu/vpmu.c (the option, switching), vpmu_intel.c, vpmu_amd.c (MSRs), cpuid policy.
 */
import type {
  Access,
  Outcome,
  Personality,
  PersonalityOptions,
  Trap,
  TrapHandler,
  Vcpu,
  View,
} from '@countervisor/contract';
import { VPMU } from '../registers/hypervisor.ts';
import { isLoaded } from '../registers/intercept.ts';
import { counterBits, perfmon } from '../registers/perfmon.ts';
import { msrHandler, noSuchCounter, refusedHere } from '../traps.ts';

/** What the boot option amounts to. */
export interface BootOption {
  readonly on: boolean;
  readonly bts: boolean;
  readonly ipc: boolean;
  readonly arch: boolean;
  /** Tokens that it does not know: -EINVAL, and the others are applied all the same. */
  readonly unknown: readonly string[];
  /** rtm-abort was given, which the option tsx replaces. */
  readonly replaced: boolean;
}

const YES = ['yes', 'on', 'true', 'enable', '1'];
const NO = ['no', 'off', 'false', 'disable', '0'];

/** Tokens from left to right: `false` forgets the features before it; a feature that is left at the end switches on. Bare `vpmu` is yes, `no-vpmu` no. */
export function parseBoot(text: string): BootOption {
  let on = false;
  let features = new Set<string>();
  const unknown: string[] = [];
  let replaced = false;
  const whole = text === 'vpmu' ? 'yes' : text === 'no-vpmu' ? 'no' : text;
  for (const token of whole.split(',')) {
    if (YES.includes(token)) on = true;
    else if (NO.includes(token)) {
      on = false;
      features = new Set();
    } else if (['bts', 'ipc', 'arch'].includes(token)) features.add(token);
    else if (/^(no-)?rtm-abort(=.*)?$/.test(token)) replaced = true;
    else unknown.push(token);
  }
  return {
    on: on || features.size > 0,
    bts: features.has('bts'),
    ipc: features.has('ipc'),
    arch: features.has('arch'),
    unknown,
    replaced,
  };
}

const booted = (options: PersonalityOptions): BootOption => parseBoot(options.vpmu ?? 'off');
const watched = (options: PersonalityOptions): boolean => options.watchdog === 'yes';
/** Is there a vPMU? The NMI watchdog needs the same counters. */
const isOn = (options: PersonalityOptions): boolean => booted(options).on && !watched(options);

const NOT_ANY = 0x20_0000n;
/** EVNTSEL: pin control and any thread, and the upper half. */
const EVNTSEL_RESERVED = 0xffff_ffff_0000_0000n | NOT_ANY | 0x8_0000n;
/** Unit mask and event. */
const IPC: readonly bigint[] = [0x003cn, 0x013cn, 0x00c0n];
const ARCH: readonly bigint[] = [...IPC, 0x4f2en, 0x412en, 0x00c4n, 0x00c5n];
/** AMD selectors: bits that must be as the hardware has them, 0. */
const AMD_RESERVED = ((0xffff_ffffn << 42n) & 0xffff_ffff_ffff_ffffn) | (0xfn << 36n) | NOT_ANY | 0x8_0000n;
const EN = 1n << 22n;

const canonical = (value: bigint): boolean => BigInt.asIntN(48, value) === BigInt.asIntN(64, value);
const has = (view: Pick<View, 'settings'>, feature: 'bts' | 'ipc' | 'arch'): boolean =>
  view.settings[`vpmu_${feature}`] === true;

/** Done by Xen itself: the value is dropped here. */
const done = (why: string, value = 0n): Outcome => ({ then: 'complete', value, why: `Xen: ${why}` });
const through = (why: string): Outcome => ({ then: 'complete', why: `Xen: ${why}` });
const no = (why: string): Outcome => refusedHere(`Xen: ${why}`);

/** RUNNING follows GLOBAL_CTRL, or DS_AREA; with it the context is loaded. */
function ran(vcpu: Vcpu, running: boolean): void {
  const flags = vcpu.get('VPMU_FLAGS');
  vcpu.set('VPMU_FLAGS', running ? flags | VPMU.RUNNING | VPMU.LOADED : flags & ~VPMU.RUNNING);
}

/** The first access to a monitor that is not loaded loads it. */
function load(vcpu: Vcpu): void {
  vcpu.set('VPMU_FLAGS', vcpu.get('VPMU_FLAGS') | VPMU.LOADED);
}

/** Bits of OVF_CTRL: 63, 62, fixed, general, and 61 for versions above 2. */
function overflowBits(view: View): bigint {
  return counterBits(view) | (3n << 62n) | (Math.min(perfmon(view).version, 3) > 2 ? 1n << 61n : 0n);
}

function selector(vcpu: Vcpu, value: bigint): Outcome {
  if ((value & EVNTSEL_RESERVED) !== 0n) return no('EVNTSEL bits 63:32, 21 and 19 are reserved');
  const event = value & 0xffffn;
  // Both may be given; ipc is the narrower.
  if (has(vcpu, 'ipc') && !IPC.includes(event)) return no('vpmu=ipc has no such event');
  if (has(vcpu, 'arch') && !has(vcpu, 'ipc') && !ARCH.includes(event)) return no('vpmu=arch has no such event');
  return through('EVNTSEL is checked');
}

type Rule = (vcpu: Vcpu, value: bigint) => Outcome;

/** One rule for each kind of MSR that is written; what is refused is -EINVAL in Xen, and #GP to the guest. */
export const WRITES: readonly (readonly [names: RegExp, rule: Rule])[] = [
  [/^IA32_FIXED_CTR\d+$/, (vcpu, value) => (value >> BigInt(perfmon(vcpu).fixedWidth) === 0n ? through('in its width') : no('beyond the width of fixed counters'))],
  [/^IA32_(A_)?PMC\d+$/, () => through('a counter')],
  [/^IA32_PERFEVTSEL\d+$/, selector],
  [/^IA32_FIXED_CTR_CTRL$/, (vcpu, value) => {
    let allowed = 0n;
    for (let i = 0; i < perfmon(vcpu).fixed; i++) allowed |= 11n << BigInt(4 * i);
    return (value & ~allowed) === 0n ? through('four bits for each, less AnyThread') : no('AnyThread, or no such counter');
  }],
  [/^IA32_PERF_GLOBAL_CTRL$/, (vcpu, value) => {
    if ((value & ~counterBits(vcpu)) !== 0n) return no('GLOBAL_CTRL has bits of no counter');
    ran(vcpu, value !== 0n || vcpu.get('IA32_DS_AREA') !== 0n);
    return through(value === 0n ? 'nothing runs' : 'running');
  }],
  [/^IA32_PERF_GLOBAL_STATUS_RESET$/, (vcpu, value) => {
    if ((value & ~overflowBits(vcpu)) !== 0n) return no('OVF_CTRL has reserved bits');
    vcpu.set('IA32_PERF_GLOBAL_STATUS', vcpu.get('IA32_PERF_GLOBAL_STATUS') & ~value);
    return done('cleared, in the stored status and in hardware');
  }],
  [/^IA32_PEBS_ENABLE$/, (vcpu, value) => {
    if (has(vcpu, 'ipc') || has(vcpu, 'arch')) return no('PEBS_ENABLE under vpmu=ipc or arch');
    return value === 0n ? done('PEBS_ENABLE is 0') : no('PEBS is not supported');
  }],
  [/^IA32_DS_AREA$/, (vcpu, value) => {
    if (!has(vcpu, 'bts')) return no('DS_AREA without vpmu=bts');
    if (!canonical(value)) return no('DS_AREA is not canonical');
    ran(vcpu, value !== 0n || vcpu.get('IA32_PERF_GLOBAL_CTRL') !== 0n);
    return through('vpmu=bts');
  }],
  [/^PERF_(EVT_SEL|CTL_CORE)\d+$/, (vcpu, value) => {
    if ((value & AMD_RESERVED) !== 0n) return no('reserved bits of the control register');
    if ((value & EN) !== 0n) ran(vcpu, true);
    return through('the control register');
  }],
  [/^PERF_CTR(_CORE)?\d+$/, () => through('a counter')],
  [/^IA32_DEBUGCTL$/, () => through('DEBUGCTL')],
]; // biome-ignore format: a table

const KNOWN =
  /^(IA32_(A_)?PMC\d+|IA32_FIXED_CTR\d+|IA32_PERFEVTSEL\d+|IA32_FIXED_CTR_CTRL|IA32_PERF_GLOBAL_(STATUS|CTRL|STATUS_RESET)|IA32_PEBS_ENABLE|IA32_DS_AREA|IA32_DEBUGCTL|PERF_(EVT_SEL|CTR|CTL_CORE|CTR_CORE)\d+)$/;
const MISC = 'MISC_ENABLE';
const PEBS_UNAVAILABLE = 1n << 12n;
const BTS_UNAVAILABLE = 1n << 11n;

function misc(vcpu: Vcpu, { write }: Access): Outcome {
  const stored = vcpu.get(MISC);
  if (vcpu.policy === 'off') return through('MISC_ENABLE is left alone');
  const shown = (stored | PEBS_UNAVAILABLE) & (has(vcpu, 'bts') ? ~BTS_UNAVAILABLE : ~0n);
  if (write === undefined) return done('PEBS is shown as unavailable', shown);
  return write === shown ? done('MISC_ENABLE is what it was') : no('MISC_ENABLE may not change');
}

/** EVNTSEL4 to 7 are written through the vPMU and read past it, on VMX. */
const UNROUTED = /^IA32_PERFEVTSEL[4-7]$/;

const handler =
  (compat: boolean): TrapHandler =>
  (vcpu: Vcpu, trap: Trap): Outcome => {
    const { access } = trap;
    if (access === undefined) return msrHandler(vcpu, trap);
    if (access.register === MISC) return misc(vcpu, access);
    if (!KNOWN.test(access.register)) return no(`${access.register} is no MSR of the vPMU`);
    const { write } = access;
    if (compat && write === undefined && UNROUTED.test(access.register)) {
      return no('reads of EVNTSEL4 to 7 go to the generic path, which knows none');
    }
    if (vcpu.policy === 'off') return done(write === undefined ? 'no vPMU: reads as 0' : 'no vPMU: dropped');
    if (noSuchCounter(vcpu, access)) return no('no such counter');
    if (!isLoaded(vcpu)) load(vcpu);
    if (write === undefined) {
      return access.register === 'IA32_PERF_GLOBAL_STATUS_RESET' ? done('OVF_CTRL reads as 0') : through('as it is');
    }
    const rule = WRITES.find(([names]) => names.test(access.register));
    return rule === undefined ? no(`${access.register} is read-only`) : rule[1](vcpu, write);
  };

/** RDPMC does not exit while there is a vPMU. */
const rdpmc: TrapHandler = (vcpu, trap) =>
  vcpu.policy === 'off' ? refusedHere('Xen: no vPMU') : msrHandler(vcpu, trap);

/** vpmu_save: a monitor that does not run is loaded again by the next access. */
function contextSwitchFrom(vcpu: Vcpu): void {
  const flags = vcpu.get('VPMU_FLAGS');
  if ((flags & VPMU.LOADED) === 0n || vcpu.policy !== 'switched') return;
  vcpu.note('vPMU saved, LVTPC masked', 'Xen arch/x86/cpu/vpmu.c, vpmu_save');
  vcpu.set('VPMU_FLAGS', flags & ~VPMU.LOADED);
}

/** vpmu_load, of what runs. */
function contextSwitchTo(vcpu: Vcpu): void {
  for (const name of ['vpmu_unknown', 'vpmu_replaced', 'vpmu_watchdog'] as const) {
    const told = vcpu.settings[name];
    if (typeof told === 'string') vcpu.warn('CV_XEN_VPMU', told, 'Correct the option vpmu, or watchdog, of xen-x86.');
  }
  const flags = vcpu.get('VPMU_FLAGS');
  if (vcpu.policy !== 'switched') return;
  if ((flags & VPMU.RUNNING) !== 0n) {
    vcpu.set('VPMU_FLAGS', flags | VPMU.LOADED);
    vcpu.note(`vPMU loaded, LVTPC 0x${vcpu.get('VPMU_LVTPC').toString(16)}`, 'Xen arch/x86/cpu/vpmu.c, vpmu_load');
  } else vcpu.note('vPMU not running: every MSR of it exits', 'Xen arch/x86/cpu/vpmu_intel.c, core2_vpmu_save');
}

function settings(options: PersonalityOptions): Readonly<Record<string, string | number | boolean>> {
  const boot = booted(options);
  const on = isOn(options);
  const hides = ['pdcm', 'perfmon_v2', 'arch_lbr', 'pebs', 'pebs_baseline', ...(boot.bts ? [] : ['ds', 'dtes64'])];
  return {
    vpmu: on,
    host: 'xen',
    hypervisor: 'XenVMMXenVMM',
    most_version: 3,
    hides: hides.join(' '),
    vpmu_bts: boot.bts,
    vpmu_ipc: boot.ipc,
    vpmu_arch: boot.arch,
    ...(boot.unknown.length > 0 && {
      vpmu_unknown: `the boot option vpmu=${options.vpmu} has tokens that Xen does not know (${boot.unknown.join(', ')}): -EINVAL, and the others apply.`,
    }),
    ...(boot.replaced && { vpmu_replaced: 'rtm-abort does nothing any more: the boot option tsx replaces it.' }),
    ...(boot.on && watched(options) && { vpmu_watchdog: 'the NMI watchdog has the counters, so there is no vPMU.' }),
  };
}

export const xen: Personality = {
  name: 'xen-x86',
  means: 'Xen on x86-64: by its boot option `vpmu`, every HVM domain has the physical monitors, saved and restored.',
  // The boot option alone decides: no domain asks for it.
  policy: (_mode, _vpmu, options) => (isOn(options) ? 'switched' : 'off'),
  policies: ['off', 'switched'],
  options: {
    vpmu: {
      means: 'Xen’s boot option: a list of true, false, bts, ipc, arch, rtm-abort; vpmu alone is yes, no-vpmu is no.',
      values: 'text',
      default: 'off',
      source: 'Xen docs/misc/xen-command-line.pandoc, vpmu; arch/x86/cpu/vpmu.c, parse_vpmu_params',
    },
    watchdog: {
      means: 'The NMI watchdog, which turns the vPMU off.',
      values: ['no', 'yes'],
      default: 'no',
      source: 'Xen arch/x86/cpu/vpmu.c, vpmu_init',
    },
  },
  quirks: [
    {
      name: 'evntsel-read-unrouted',
      means:
        'While nothing is loaded, reads of EVNTSEL4 to 7 do not reach the vPMU, though writes do: they are #GP. While it is loaded they are read past Xen.',
      source: 'Xen arch/x86/hvm/vmx/vmx.c, vmx_msr_read_intercept and vmx_msr_write_intercept',
    },
  ],
  settings: (_mode, _vpmu, options) => settings(options),
  handlers: (mode) => ({ msr: handler(mode === 'compat'), rdpmc }),
  switching: () => ({ contextSwitchFrom, contextSwitchTo }),
  interrupt: (_mode, _vpmu, options) => isOn(options),
  createdBy: 'libxl',
};
