/** An architecture's half of the toolstack for tests: it takes everything, and shows that core needs no real one. */
import type { ToolstackHalf } from '@countervisor/contract';

export interface TestHost {
  readonly vpmu: boolean;
  readonly paging?: 'hap' | 'shadow' | 'none';
}

export interface TestRequest {
  readonly colour: string;
}

export const HALF: ToolstackHalf<TestRequest, TestHost> = {
  host: ({ cpu }) => ({ vpmu: cpu.features.has('pmu') }),
  defaultType: 'pvh',
  pvBecomes: { type: 'pvh', because: 'tests have no pv' },
  trapUnmappedAccesses: true,
  enabledPassthrough: ({ has }) => (has('iommu_hap_pt_share') ? 'share_pt' : 'sync_pt'),
  keys: [
    {
      name: 'colour',
      kind: 'choice',
      choices: ['red', 'green', 'blue'],
      anyCase: true,
      default: 'green',
      means: 'a key of this architecture alone',
    },
  ],
  libxl: [
    {
      stage: 'arch_build_info',
      rc: 'ERROR_FAIL',
      key: 'colour',
      source: 'test',
      remedy: 'Choose green.',
      when: ({ values }) => values.get('colour') === 'blue',
      message: () => 'blue is for the sky',
    },
  ],
  prepare: ({ values }) => ({ colour: String(values.get('colour')) }),
  vpmuAvailable: ({ vpmu }) => vpmu,
  physcaps: ({ paging = 'hap' }) => (paging === 'none' ? ['hvm'] : ['hvm', paging]),
  info: () => [['lines', 'the architecture’s']],
  checks: [
    {
      check: 1,
      errno: 'EINVAL',
      key: 'colour',
      source: 'test',
      when: ({ arch }) => arch.colour === 'red',
      message: () => 'red is refused',
    },
  ],
};
