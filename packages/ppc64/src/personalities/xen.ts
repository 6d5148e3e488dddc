/**
 * Xen on PowerPC 970, until 2008: H_PERFMON turns the monitor on, and MMCR0[FCH] keeps the hypervisor out of the counts.
 *
 * compat with `built=2007` is the code of July 2007 (Xen 4d5616b775, arch/powerpc), quirks and all; with `built=plan` what the thread on xen-ppc-devel asked
 * for before it was written (2007, xenoprof on Power). strict is LoPAR's text (logical partitioning option, H_PERFMON).
 *
 * Every domain has the physical registers; what is saved and restored is done here, in the order of the real code, and not by core's policy.
 */
import type { HypercallService, Mode, Personality, PersonalityOptions, SwitchPlan, Vcpu } from '@countervisor/contract';
import { service } from '../hypercall.ts';
import { H } from '../platform/papr.ts';
import { MONITOR } from '../registers/kept.ts';
import { isModern, MMCR0 } from '../registers/mmcr.ts';
import { MSR } from '../registers/msr.ts';

/** Which Xen: `View.settings.xen`. */
type Which = '2007' | 'plan' | 'lopar';
const which = (vcpu: Vcpu): Which => vcpu.settings.xen as Which;

const ENABLE = 1n << 63n;
/** 0: low, 1: high. Accepted and ignored. */
const GRANULARITY = 1n << 62n;
const MODES = ENABLE | GRANULARITY;

const LATER: ReadonlySet<string> = new Set(['MMCR2', 'MMCR3']);
const OLD: ReadonlySet<string> = new Set(['PMC7', 'PMC8']);

/** Those of the monitor's registers that this CPU has. */
const monitor = (vcpu: Vcpu): readonly string[] =>
  MONITOR.filter((name) => {
    if (name === 'MMCR3') return vcpu.cpu.features.has('isa-3.1');
    return isModern(vcpu) ? !OLD.has(name) : !LATER.has(name);
  });

const hex = (value: bigint): string => `0x${value.toString(16)}`;
const RULE: Readonly<Record<Which, string>> = {
  '2007': 'xen-ppc, built 2007: Xen 4d5616b775',
  plan: 'xen-ppc, the plan: context_switch',
  lopar: 'LoPAR, H_PERFMON',
};

function write(vcpu: Vcpu, verb: string, name: string, value: bigint): void {
  vcpu.set(name, value);
  vcpu.note(`${verb} ${name} ${hex(value)}`, RULE[which(vcpu)]);
}

function save(vcpu: Vcpu): void {
  for (const name of monitor(vcpu)) {
    const value = vcpu.get(name);
    vcpu.set(`KEPT_${name}`, value);
    vcpu.note(`save ${name} ${hex(value)}`, RULE[which(vcpu)]);
  }
  vcpu.set('KEPT', 1n);
}

/** Counters first, then MMCRA, MMCR1; MMCR0 last, which starts them. */
function load(vcpu: Vcpu, from: 'KEPT_' | 'CLEAR_'): void {
  const names = monitor(vcpu);
  const counters = names.filter((name) => name.startsWith('PMC'));
  const controls = names.filter((name) => !name.startsWith('PMC')).reverse();
  for (const name of [...counters, ...controls]) write(vcpu, 'restore', name, vcpu.get(`${from}${name}`));
}

const monitored = (vcpu: Vcpu): boolean => (vcpu.get('MODES') & ENABLE) !== 0n;

/** Entering the hypervisor sets FCH, in what the guest will read as well. */
function entered(vcpu: Vcpu): void {
  const mmcr0 = vcpu.get('MMCR0');
  if ((mmcr0 & MMCR0.FCH) === 0n) vcpu.set('MMCR0', mmcr0 | MMCR0.FCH);
}

function warnOfBadDomain(vcpu: Vcpu): void {
  const marked = (vcpu.get('MSR') & MSR.PMM) !== 0n;
  const counts = (vcpu.get('MMCR0') & MMCR0.FC) === 0n;
  if (!marked && !counts) return;
  const what = marked ? (counts ? 'counts and has MSR[PMM] set' : 'has MSR[PMM] set') : 'counts';
  vcpu.note(`bad domain: vCPU ${vcpu.index} ${what}`, RULE.plan);
  vcpu.warn(
    'CV_BAD_DOMAIN',
    `bad domain: it ${what}, and never asked for the performance monitor.`,
    'Let the guest call H_PERFMON (0x7C) with the enable bit, 1 << 63, before it uses the monitor.',
  );
}

function contextSwitchFrom(vcpu: Vcpu): void {
  if (which(vcpu) === 'lopar') return;
  entered(vcpu);
  if (monitored(vcpu)) save(vcpu);
  else if (which(vcpu) === 'plan') warnOfBadDomain(vcpu);
  if (which(vcpu) === 'plan') write(vcpu, 'freeze', 'MMCR0', vcpu.get('MMCR0') | MMCR0.FC);
}

function contextSwitchTo(vcpu: Vcpu): void {
  if (which(vcpu) === 'lopar') return;
  if (monitored(vcpu)) load(vcpu, which(vcpu) === 'plan' || vcpu.get('KEPT') !== 0n ? 'KEPT_' : 'CLEAR_');
  entered(vcpu);
}

/** The code of 2007. R4 stays what it was; with no enable bit in either word the error is overwritten by the way out. */
function built2007(vcpu: Vcpu, set: bigint, clear: bigint): bigint {
  if (((set | clear) & ~MODES) !== 0n) return H.PARAMETER;
  if ((set & clear) !== 0n) return H.RESOURCE;
  const users = vcpu.get('USERS');
  if ((set & ENABLE) !== 0n && !monitored(vcpu)) {
    // The first user finds what is "clear" in the live registers.
    if (users === 0n) for (const name of monitor(vcpu)) vcpu.set(`CLEAR_${name}`, vcpu.get(name));
    vcpu.set('MODES', ENABLE);
    vcpu.set('USERS', users + 1n);
  } else if ((clear & ENABLE) !== 0n && monitored(vcpu)) {
    vcpu.set('MODES', 0n);
    vcpu.set('USERS', users > 0n ? users - 1n : 0n);
  }
  return H.SUCCESS;
}

/** What the plan leaves open is as LoPAR has it, but for R4: the monitor is clear and frozen when it is turned on, and frozen when it is turned off. */
function planned(vcpu: Vcpu, set: bigint, clear: bigint): bigint {
  if (((set | clear) & ~MODES) !== 0n) return H.PARAMETER;
  if ((set & clear) !== 0n) return H.RESOURCE;
  if ((set & ENABLE) !== 0n && !monitored(vcpu)) {
    for (const name of monitor(vcpu)) {
      const value = name === 'MMCR0' ? MMCR0.FC | MMCR0.FCH : 0n;
      vcpu.set(`KEPT_${name}`, value);
      vcpu.set(name, value);
    }
  }
  if ((clear & ENABLE) !== 0n && monitored(vcpu)) vcpu.set('MMCR0', vcpu.get('MMCR0') | MMCR0.FC);
  vcpu.set('MODES', (vcpu.get('MODES') | set) & ~clear);
  return H.SUCCESS;
}

/** LoPAR: set bits are looked at first, then reset bits; both are applied in that order, and R4 has the modes. A bit in both is logically impossible. */
function lopar(vcpu: Vcpu, set: bigint, clear: bigint): bigint {
  if (vcpu.settings.busy === 'once' && vcpu.get('ASKED') === 0n) {
    vcpu.set('ASKED', 1n);
    return H.BUSY;
  }
  if ((set & ~MODES) !== 0n || (clear & ~MODES) !== 0n) return H.PARAMETER;
  if ((set & clear) !== 0n) return H.RESOURCE;
  const modes = (vcpu.get('MODES') | set) & ~clear;
  vcpu.set('MODES', modes);
  vcpu.set('GPR4', modes);
  return H.SUCCESS;
}

function call(vcpu: Vcpu, [set = 0n, clear = 0n]: readonly bigint[]): bigint {
  const xen = which(vcpu);
  if (xen === 'lopar') return lopar(vcpu, set, clear);
  entered(vcpu);
  return xen === 'plan' ? planned(vcpu, set, clear) : built2007(vcpu, set, clear);
}

const [perfmonNumber, perfmon] = service({ number: 0x7c, name: 'H_PERFMON', source: 'LoPAR, H_PERFMON', call });
export const services: Readonly<Record<string, HypercallService>> = { [perfmonNumber]: perfmon };

const whichOf = (mode: Mode, options: PersonalityOptions): Which =>
  mode === 'strict' ? 'lopar' : options.built === 'plan' ? 'plan' : '2007';

export const xen: Personality = {
  name: 'xen-ppc',
  means:
    'Xen on PowerPC, until 2008: H_PERFMON turns the performance monitor on; MMCR0[FCH] keeps the hypervisor out of the counts.',
  // Every domain has the physical registers, and no hardware bit to keep it off them; strict is a monitor of one's own.
  policy: (mode) => (mode === 'strict' ? 'switched' : 'passthrough'),
  policies: ['passthrough', 'switched'],
  options: {
    built: {
      means: 'In compat: the code of 2007, or what was agreed before it was written.',
      values: ['2007', 'plan'],
      default: '2007',
      source: 'xen-ppc-devel, 2007; Xen 4d5616b775',
    },
    busy: {
      means: 'In strict: does H_PERFMON answer H_BUSY to a vCPU’s first call?',
      values: ['never', 'once'],
      default: 'never',
      source: 'LoPAR, H_PERFMON: H_Busy, the caller tries again',
    },
  },
  quirks: [
    {
      name: 'no-bit-succeeds',
      means:
        'H_PERFMON without the enable bit in either word answers H_Success: the error is overwritten on the way out.',
      source: 'Xen 4d5616b775, arch/powerpc',
    },
    {
      name: 'no-state-in-r4',
      means: 'H_PERFMON leaves R4 alone, which must hold the modes that are on.',
      source: 'Xen 4d5616b775, arch/powerpc',
    },
    {
      name: 'clear-is-what-was-there',
      means: 'What a vCPU’s monitor begins with is what the live registers held when the first user turned it on.',
      source: 'Xen 4d5616b775, arch/powerpc',
    },
    {
      name: 'disable-does-not-stop',
      means: 'Turning the monitor off stops no counter; what was saved is loaded again when it is turned on later.',
      source: 'Xen 4d5616b775, arch/powerpc',
    },
    {
      name: 'no-freeze-for-others',
      means: 'A vCPU with its monitor off runs with the previous user’s registers, reads them, and counts in them.',
      source: 'Xen 4d5616b775, arch/powerpc',
    },
    {
      name: 'no-bad-domain',
      means: 'Nobody is told of a domain that counts, or sets MSR[PMM], without having asked.',
      source: 'xen-ppc-devel, 2007, against Xen 4d5616b775',
    },
    {
      name: 'users-by-physical-cpu',
      means: 'Of the model: users are counted on each physical CPU, where Xen had one count for the machine.',
      source: 'this model',
    },
  ],
  settings: (mode, vpmu, options) => ({
    vpmu,
    xen: whichOf(mode, options),
    busy: options.busy ?? 'never',
    fch: 'entry',
  }),
  handlers: () => ({}),
  switching: (): Partial<SwitchPlan> => ({ contextSwitchFrom, contextSwitchTo }),
  services,
  interrupt: () => true,
};
