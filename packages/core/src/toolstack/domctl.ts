/** Domain creation at the hypervisor: the common checks in their order, then the architecture's (Xen common/domain.c, sanitise_domain_config; domctl interface 0x18). */
import type {
  DomctlCheck,
  DomctlErrno,
  DomctlHost,
  DomctlRefusalRow,
  DomctlRequest,
  DomctlRewriteRow,
} from '@countervisor/contract';
import { all, CDF, DOMCTL_BITS, GRANT_VERSION_MASK, hex, IOMMU } from './flags.ts';

const SOURCE = 'xen/common/domain.c: sanitise_domain_config';

/** The 9 common checks; the tenth is the architecture's list. They never rewrite. */
export const COMMON_CHECKS: readonly DomctlRefusalRow[] = [
  {
    check: 1,
    errno: 'EINVAL',
    source: SOURCE,
    when: (request) => (request.flags & ~all(CDF)) !== 0,
    message: (request) => `unknown CDF flags ${hex(request.flags)}`,
  },
  {
    check: 2,
    errno: 'EINVAL',
    key: 'max_grant_version',
    source: SOURCE,
    when: (request) => (request.grant_opts & ~GRANT_VERSION_MASK) !== 0,
    message: (request) => `unknown grant options ${hex(request.grant_opts)}`,
  },
  {
    check: 3,
    errno: 'EINVAL',
    key: 'vcpus',
    source: SOURCE,
    when: (request) => request.max_vcpus < 1,
    message: () => 'no vCPUs',
  },
  {
    check: 4,
    errno: 'EINVAL',
    key: 'hap',
    source: SOURCE,
    when: (request, _, bits) => (request.flags & bits.cdf('hap')) !== 0 && (request.flags & bits.cdf('hvm')) === 0,
    message: () => 'HAP for a domain that is not HVM',
  },
  {
    check: 5,
    errno: 'EINVAL',
    source: SOURCE,
    when: (request, _, bits) => (request.flags & bits.cdf('iommu')) !== 0 && (request.iommu_opts & ~all(IOMMU)) !== 0,
    message: (request) => `unknown IOMMU options ${hex(request.iommu_opts)}`,
  },
  {
    check: 6,
    errno: 'EINVAL',
    key: 'passthrough',
    source: SOURCE,
    when: (request, host, bits) => (request.flags & bits.cdf('iommu')) !== 0 && !host.iommu_enabled,
    message: () => 'the IOMMU is requested but unavailable',
  },
  {
    check: 7,
    errno: 'EINVAL',
    source: SOURCE,
    when: (request, _, bits) => (request.flags & bits.cdf('iommu')) === 0 && request.iommu_opts !== 0,
    message: () => 'IOMMU options without a request for the IOMMU',
  },
  {
    check: 8,
    errno: 'EINVAL',
    key: 'vmtrace_buf_kb',
    source: SOURCE,
    when: (request, host) => request.vmtrace_size !== 0 && !host.vmtrace_available,
    message: () => 'vmtrace is requested but unavailable',
  },
  {
    check: 9,
    errno: 'EINVAL',
    key: 'vpmu',
    source: SOURCE,
    when: (request, host, bits) => (request.flags & bits.cdf('vpmu')) !== 0 && !host.vpmu_is_available,
    message: () => 'the vPMU cannot be enabled this way',
  },
];

/** A row that changed the request. */
export interface DomctlRewrite {
  readonly check: number;
  readonly note: string;
}

export interface DomctlAccepted<A = unknown> {
  readonly accepted: true;
  /** As it goes back to the caller, rewrites included. */
  readonly request: DomctlRequest<A>;
  /** What the domain keeps as its options: the flag word, verbatim. */
  readonly options: number;
  readonly rewrites: readonly DomctlRewrite[];
}

export interface DomctlRefused {
  readonly accepted: false;
  readonly errno: DomctlErrno;
  readonly where: 'common' | 'arch';
  /** Number of the check in its list. */
  readonly check: number;
  readonly message: string;
  /** The configuration key most likely to blame. */
  readonly key: string | undefined;
  readonly source: string;
}

export type DomctlResult<A = unknown> = DomctlAccepted<A> | DomctlRefused;

/** Runs the common checks and then the architecture's rows; the first that refuses decides. Pure. */
export function createdomain<A, H>(
  request: DomctlRequest<A>,
  host: DomctlHost<H>,
  archChecks: readonly DomctlCheck<A, H>[],
): DomctlResult<A> {
  let current = request;
  const rewrites: DomctlRewrite[] = [];
  const lists = [
    ['common', COMMON_CHECKS],
    ['arch', archChecks],
  ] as const;
  for (const [where, rows] of lists) {
    for (const row of rows) {
      if (!row.when(current, host, DOMCTL_BITS)) continue;
      if (isRewrite(row)) {
        current = row.rewrite(current, host, DOMCTL_BITS);
        rewrites.push({ check: row.check, note: row.note });
        continue;
      }
      const message = row.message(current, host, DOMCTL_BITS);
      return { accepted: false, errno: row.errno, where, check: row.check, message, key: row.key, source: row.source };
    }
  }
  return { accepted: true, request: current, options: current.flags, rewrites };
}

function isRewrite<A, H>(row: DomctlCheck<A, H>): row is DomctlRewriteRow<A, H> {
  return 'rewrite' in row;
}
