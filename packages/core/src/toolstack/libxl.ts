/** Domain creation at the toolstack: libxl's defaults and refusals, the request it makes, and what the hypervisor answers (Xen tools/libs/light/libxl_create.c). */
import {
  type CdfFlag,
  CountervisorError,
  type DomctlHost,
  type DomctlRequest,
  type IommuOpt,
  type LibxlCheck,
  type LibxlError,
  type LibxlFacts,
  type LibxlStage,
  type Place,
  type ToolstackHalf,
} from '@countervisor/contract';
import type { DomainConfig } from './config.ts';
import { createdomain, type DomctlRefused, type DomctlRewrite } from './domctl.ts';
import { CDF, GRANT_VERSION_MASK, hex, IOMMU, names, word } from './flags.ts';
import { physinfo } from './physinfo.ts';

/** The way through a configuration; within a stage our rows stand before the architecture's. */
const STAGES: readonly LibxlStage[] = [
  'create_info',
  'passthrough',
  'memory',
  'arch_build_info',
  'build_info',
  'config',
  'prepare_config',
];

const CONFIG_SOURCE = 'tools/libs/light/libxl_create.c: libxl__domain_config_setdefault';

/** Populate on demand: fewer pages at first than the domain may have. */
function pod({ type, values }: LibxlFacts): boolean {
  return type !== 'pv' && Number(values.get('memory')) < Number(values.get('maxmem') ?? values.get('memory'));
}

function passesThrough({ values }: LibxlFacts): boolean {
  return !['default', 'disabled'].includes(String(values.get('passthrough')));
}

function alternates({ type, values }: LibxlFacts): boolean {
  return type !== 'pv' && values.get('altp2m') !== 'disabled';
}

/** What libxl refuses on every architecture, in its order. */
export const LIBXL_CHECKS: readonly LibxlCheck[] = [
  {
    stage: 'create_info',
    rc: 'ERROR_INVAL',
    key: 'type',
    source: 'tools/libs/light/libxl_create.c: libxl__domain_create_info_setdefault',
    remedy: 'Choose a host with hardware-assisted or shadow paging, or a pv domain.',
    when: ({ type, has }) => type !== 'pv' && !has('hap') && !has('shadow'),
    message: () => 'the host has neither hardware-assisted nor shadow paging',
  },
  {
    stage: 'passthrough',
    rc: 'ERROR_INVAL',
    key: 'passthrough',
    source: CONFIG_SOURCE,
    remedy: 'Remove passthrough, or choose a host with an IOMMU.',
    when: (facts) => passesThrough(facts) && !facts.has('directio'),
    message: () => 'this platform cannot pass devices through',
  },
  {
    stage: 'memory',
    rc: 'ERROR_INVAL',
    key: 'maxmem',
    source: CONFIG_SOURCE,
    remedy: 'Remove maxmem or passthrough.',
    when: (facts) => passesThrough(facts) && pod(facts),
    message: () => 'passthrough needs all memory at the start, and maxmem is above memory',
  },
  {
    stage: 'build_info',
    rc: 'ERROR_INVAL',
    key: 'max_grant_version',
    source: 'tools/libs/light/libxl_create.c: libxl__domain_build_info_setdefault',
    remedy: `Write at most ${GRANT_VERSION_MASK}.`,
    when: ({ values }) => (Number(values.get('max_grant_version') ?? 0) & ~GRANT_VERSION_MASK) !== 0,
    message: ({ values }) => `grant version ${values.get('max_grant_version')} is out of range`,
  },
  {
    stage: 'config',
    rc: 'ERROR_INVAL',
    key: 'nestedhvm',
    source: CONFIG_SOURCE,
    remedy: 'Remove one of them.',
    when: (facts) => facts.values.get('nestedhvm') === true && alternates(facts),
    message: () => 'nestedhvm and altp2m exclude each other',
  },
  {
    stage: 'config',
    rc: 'ERROR_INVAL',
    key: 'altp2m',
    source: CONFIG_SOURCE,
    remedy: 'Remove maxmem or altp2m.',
    when: (facts) => alternates(facts) && pod(facts),
    message: () => 'altp2m needs all memory at the start, and maxmem is above memory',
  },
  {
    stage: 'config',
    rc: 'ERROR_INVAL',
    key: 'vpmu',
    source: CONFIG_SOURCE,
    remedy: 'Write vpmu = 0, or choose a host whose CPU has a PMU that can be exposed.',
    when: ({ values, has }) => values.get('vpmu') === true && !has('vpmu'),
    message: () => 'this platform has no vPMU',
  },
];

export interface Created<A = unknown> {
  readonly outcome: 'created';
  readonly request: DomctlRequest<A>;
  /** The domain's flag word, verbatim. */
  readonly options: number;
  readonly rewrites: readonly DomctlRewrite[];
}

export interface CreationRefused {
  readonly outcome: 'refused';
  /** What libxl returns to its caller. */
  readonly rc: LibxlError;
  readonly by: 'libxl' | 'domctl';
  readonly message: string;
  readonly remedy: string;
  readonly place: Place;
  readonly source: string;
  /** The hypervisor's answer; for a request that libxl kept back, what it would have been, if it is a refusal. */
  readonly domctl: DomctlRefused | undefined;
}

export type Creation<A = unknown> = Created<A> | CreationRefused;

/** Creates a domain as libxl does: defaults, its own refusals, the request, the hypervisor's checks. Pure. */
export function createDomain<A, H>(config: DomainConfig, host: DomctlHost<H>, half: ToolstackHalf<A, H>): Creation<A> {
  const { caps } = physinfo(half, host);
  const facts: LibxlFacts<H> = { type: config.type, values: config.values, host, has: (cap) => caps.has(cap) };
  const request = prepareRequest(config, facts, half);
  const answer = createdomain(request, host, half.checks);
  const refused = answer.accepted ? undefined : answer;

  const rows: readonly LibxlCheck<H>[] = [...LIBXL_CHECKS, ...half.libxl];
  for (const stage of STAGES) {
    const row = rows.find((check) => check.stage === stage && check.when(facts));
    if (row === undefined) continue;
    return {
      outcome: 'refused',
      rc: row.rc,
      by: 'libxl',
      message: row.message(facts),
      remedy: row.remedy,
      place: placeOf(config, row.key),
      source: row.source,
      domctl: refused,
    };
  }
  if (!answer.accepted) {
    return {
      outcome: 'refused',
      rc: 'ERROR_FAIL',
      by: 'domctl',
      message: 'domain creation fail',
      remedy: `The request had the flags ${hex(request.flags)}: ${names(CDF, request.flags).join(' ')}.`,
      place: placeOf(config, answer.key),
      source: answer.source,
      domctl: answer,
    };
  }
  return { outcome: 'created', request: answer.request, options: answer.options, rewrites: answer.rewrites };
}

/** The refusal as an error: CV_LIBXL_REFUSED or CV_DOMCTL_REFUSED, with both reasons where there are two. */
export function refusalError(config: Pick<DomainConfig, 'name'>, refusal: CreationRefused): CountervisorError {
  const { domctl, place, remedy, message, rc } = refusal;
  const check =
    domctl === undefined
      ? ''
      : `${domctl.errno} from ${domctl.where === 'common' ? 'common' : 'architecture'} check ${domctl.check}: ${domctl.message}`;
  if (refusal.by === 'libxl') {
    const also = check === '' ? '' : `\nThe hypervisor would have refused it too, with ${check}.`;
    const sentence = `libxl refuses to create '${config.name}' with ${rc}: ${message}.`;
    return new CountervisorError('CV_LIBXL_REFUSED', sentence, `${remedy}${also}`, place);
  }
  const sentence = `The hypervisor refuses to create '${config.name}' with ${check}; libxl returns ${rc} (${message}).`;
  return new CountervisorError('CV_DOMCTL_REFUSED', sentence, remedy, place);
}

/** The request as libxl__domain_make builds it. */
function prepareRequest<A, H>(config: DomainConfig, facts: LibxlFacts<H>, half: ToolstackHalf<A, H>): DomctlRequest<A> {
  const { type, values, has } = facts;
  const flags: CdfFlag[] = [];
  if (type !== 'pv') {
    flags.push('hvm');
    if (values.get('hap') ?? has('hap')) flags.push('hap');
    if (values.get('oos') === false) flags.push('oos_off');
    if (values.get('nestedhvm') === true) flags.push('nested_virt');
  }
  if (config.vpmu) flags.push('vpmu');
  if (values.get('trap_unmapped_accesses') ?? half.trapUnmappedAccesses) flags.push('trap_unmapped_accesses');

  const iommu: IommuOpt[] = [];
  if (passesThrough(facts)) {
    const asked = values.get('passthrough');
    flags.push('iommu');
    if ((asked === 'enabled' ? half.enabledPassthrough(facts) : asked) === 'sync_pt') iommu.push('no_sharept');
  }

  const altp2m = ['disabled', 'mixed', 'external', 'limited'].indexOf(String(values.get('altp2m')));
  const version = Number(values.get('max_grant_version') ?? (has('gnttab_v2') ? 2 : has('gnttab_v1') ? 1 : 0));
  return {
    flags: word(CDF, flags),
    iommu_opts: word(IOMMU, iommu),
    max_vcpus: config.maxvcpus,
    max_evtchn_port: Number(values.get('max_event_channels')) || 1023,
    max_grant_frames: Number(values.get('max_grant_frames') ?? -1),
    max_maptrack_frames: Number(values.get('max_maptrack_frames') ?? -1),
    grant_opts: version & GRANT_VERSION_MASK,
    altp2m: { opts: altp2m, nr: Number(values.get('altp2m_count') ?? (type === 'hvm' && altp2m > 0 ? 10 : 0)) },
    // Rounded up to a page.
    vmtrace_size: Math.ceil((Number(values.get('vmtrace_buf_kb')) * 1024) / 4096) * 4096,
    arch: half.prepare(facts),
  };
}

function placeOf(config: DomainConfig, key: string | undefined): Place {
  return (key === undefined ? undefined : config.places.get(key)) ?? { file: config.file, line: 1, column: 1 };
}
