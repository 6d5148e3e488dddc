/** The toolstack's half for an architecture that brings none: no keys and no checks of its own. */
import type { Arch, ToolstackHalf } from '@countervisor/contract';

interface PlainHost {
  readonly pmu: boolean;
}

export function plainHalf(arch: Arch): ToolstackHalf {
  const half: ToolstackHalf<object, PlainHost> = {
    defaultType: 'pvh',
    trapUnmappedAccesses: true,
    enabledPassthrough: () => 'share_pt',
    keys: [],
    libxl: [],
    // A PMU is there when the CPU has what one of the counters needs.
    host: ({ cpu }) => ({ pmu: arch.pmu.counters.some(({ needs }) => needs === undefined || cpu.features.has(needs)) }),
    prepare: () => ({}),
    vpmuAvailable: ({ pmu }) => pmu,
    physcaps: () => ['hvm', 'hap'],
    info: () => [],
    checks: [],
  };
  return half as ToolstackHalf;
}
