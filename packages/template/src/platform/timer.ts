/** The timer, one for each vCPU: it asserts its line from the cycle in COMPARE on; 0 switches it off. */
import type { Device } from '@countervisor/contract';

export const TIMER = 0x200n;

export type TimerState = {
  /** Cycle on the domain's clock; 0n: off. */
  compare: bigint;
};

/** Offset of the only register. */
const COMPARE = 0;

export const timer: Device = {
  name: 'timer',
  per: 'vcpu',
  range: { base: TIMER, size: 8 },
  sizes: [8],
  state: (): TimerState => ({ compare: 0n }),
  // `undefined` and false say: no register here. Core then tells the user which offset of which device is missing.
  read: (vcpu, offset) => (offset === COMPARE ? vcpu.device<TimerState>('timer').compare : undefined),
  write(vcpu, offset, _size, value): boolean {
    if (offset !== COMPARE) return false;
    vcpu.device<TimerState>('timer').compare = BigInt(value);
    return true;
  },
};
