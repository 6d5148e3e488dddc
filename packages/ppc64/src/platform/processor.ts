/** What the hypervisor keeps for each virtual processor beside its registers. LoPAR 1.1, 14.11 (shared processor LPAR option). */
import type { Device } from '@countervisor/contract';

export interface Processor extends Record<string, number | bigint> {
  /** H_PROD came: the next H_CEDE returns at once. */
  prodded: number;
  /** Guest real addresses that H_REGISTER_VPA gave; 0: none. */
  vpa: bigint;
  slbShadow: bigint;
  dispatchLog: bigint;
}

export const processor: Device = {
  name: 'processor',
  per: 'vcpu',
  sizes: [],
  state: () => ({ prodded: 0, vpa: 0n, slbShadow: 0n, dispatchLog: 0n }),
};

/** What it keeps for the partition: the second doubleword of its partition table entry. */
export const partition: Device = {
  name: 'partition',
  per: 'domain',
  sizes: [],
  state: () => ({ processTable: 0n }),
};
