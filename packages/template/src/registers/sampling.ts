/** The sampling register: where the last overflow was seen. What is written there, and when, is in `../sampling.ts`. */
import type { Register } from '@countervisor/contract';
import { control as at } from '../address.ts';
import type { Level } from '../features.ts';
import type { GroupName } from '../traps.ts';

export type SamplingName = 'PMSAMPLE';

type Row = Register<SamplingName, Level, GroupName>;

export const samplingRegisters: Readonly<Record<SamplingName, Row>> = {
  PMSAMPLE: {
    at: at(0x20),
    width: 64,
    reset: 0n,
    read: 'kernel',
    write: 'kernel',
    role: 'sampling',
    traps: ['USER_PMU', 'TPM'],
    needs: 'sample',
    fields: { ADDRESS: { bits: [63, 0], means: 'PC at the boundary at which a counter last overflowed.' } },
  },
};
