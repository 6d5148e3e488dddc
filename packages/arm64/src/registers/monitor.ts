/**
 * PMCR_EL0 and MDCR_EL2 bit by bit: the fields, and from them the masks by name. Arm DDI 0487, D24.5.8 and D24.3.17.
 */
import { mask } from '@countervisor/contract';
import { type Fields, field, res0 } from './row.ts';

/** A mask for each field that has a name of its own. */
const masks = <Name extends string>(fields: Fields, ...names: readonly Name[]): Readonly<Record<Name, bigint>> =>
  Object.fromEntries(
    names.map((name) => {
      const one = fields[name];
      if (one === undefined) throw new RangeError(`there is no field ${name}`);
      return [name, mask(one.bits)];
    }),
  ) as Record<Name, bigint>;

/** Bits 7:0 of PMCR_EL0; what is above them does not control. */
export const PMCR_CONTROLS: Fields = {
  E: field(0, 'The guest’s counters and the cycle counter run.'),
  P: field(1, 'Written 1: event counters become 0. Reads as 0.', 'zero'),
  C: field(2, 'Written 1: the cycle counter becomes 0. Reads as 0.', 'zero'),
  D: field(3, 'The cycle counter counts every 64th cycle, while LC is 0.'),
  X: field(4, 'Events are exported; to nobody here.'),
  DP: field(5, 'The cycle counter stops where event counting is prohibited.'),
  LC: field(6, 'The cycle counter overflows beyond 64 bits (0: 32).'),
  LP: field(7, 'Event counters overflow beyond 64 bits (0: 32). From PMUv3p5 on.'),
};

export const MDCR_FIELDS: Fields = {
  HPMN: field([4, 0], 'Event counters below it are the guest’s, the others the hypervisor’s. Resets to their number.'),
  TPMCR: field(5, 'EL1 and EL0 accesses to PMCR_EL0 trap.'),
  TPM: field(6, 'EL1 and EL0 accesses to the Performance Monitors trap.'),
  HPME: field(7, 'The hypervisor’s event counters run.'),
  TDE: field(8, 'Debug exceptions go to EL2; TDRA, TDOSA and TDA are as if set.'),
  TDA: field(9, 'Accesses to debug registers trap.'),
  TDOSA: field(10, 'Accesses to the OS lock’s registers trap.'),
  TDRA: field(11, 'Accesses to MDRAR_EL1 trap.'),
  ...res0([16, 12]),
  HPMD: field(17, 'The guest’s event counters stop at EL2. From PMUv3p1 on.'),
  ...res0([22, 18]),
  HCCD: field(23, 'The cycle counter stops at EL2. From PMUv3p5 on.'),
  ...res0([25, 24]),
  HLP: field(26, 'The hypervisor’s event counters overflow beyond 64 bits. From PMUv3p5 on.'),
  ...res0(27),
  MTPME: field(28, 'Multithreaded counting; RES0, there is none.', 'zero'),
  HPMFZO: field(29, 'Freeze on overflow; RES0 before PMUv3p7.', 'zero'),
  ...res0([63, 30]),
};

type PmcrName = 'E' | 'P' | 'C' | 'D' | 'X' | 'DP' | 'LC' | 'LP';
type MdcrName = 'HPMN' | 'TPMCR' | 'TPM' | 'HPME' | 'TDE' | 'TDA' | 'TDOSA' | 'TDRA' | 'HPMD' | 'HCCD' | 'HLP';

export const PMCR: Readonly<Record<PmcrName, bigint>> = masks(
  PMCR_CONTROLS,
  ...(['E', 'P', 'C', 'D', 'X', 'DP', 'LC', 'LP'] as const),
);

export const MDCR: Readonly<Record<MdcrName, bigint>> = masks(
  MDCR_FIELDS,
  ...(['HPMN', 'TPMCR', 'TPM', 'HPME', 'TDE', 'TDA', 'TDOSA', 'TDRA', 'HPMD', 'HCCD', 'HLP'] as const),
);
