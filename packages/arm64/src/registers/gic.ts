/**
 * The GICv3 CPU interface as system registers. Arm IHI 0069, 12.2; Arm DDI 0487, D24.8. State is the device `gicc`'s, so every row derives what it shows.
 * ICC_AP0R1_EL1 to ICC_AP0R3_EL1 and their Group 1 twins are absent: 5 priority bits need one of each.
 */
import type { Field, TrapGroup } from '@countervisor/contract';
import { sysreg } from '../address.ts';
import { cpuInterface, gicVersion, running } from '../platform/gic.ts';
import {
  answer,
  binaryPoint,
  end,
  endActive,
  generate,
  pending,
  setBinaryPoint,
  setMask,
  take,
} from '../platform/gicv3.ts';
import { type Fields, field, type Level, type Row, type Rows, res0, whole } from './row.ts';

export const gicGroups: Readonly<Record<string, TrapGroup<string, Level, string>>> = {
  NO_GIC_REGISTERS: {
    when: (view) => gicVersion(view) !== 3,
    on: 'both',
    at: ['el1'],
    cause: 'undefined',
    source:
      'the domain has a GICv2, whose CPU interface is memory-mapped (ID_AA64PFR0_EL1.GIC is 0), Arm DDI 0487 D24.2.94',
  },
};

const icc = (crn: number, crm: number, op2: number, fields: Fields, more: Partial<Row>): Row => ({
  at: sysreg(3, 0, crn, crm, op2),
  width: 64,
  reset: 0n,
  read: 'el1',
  write: 'el1',
  fields,
  traps: ['NO_GIC_REGISTERS'],
  derive: () => 0n,
  ...more,
});

const one = (bits: Field['bits'], name: string, means: string, write?: Field['write']): Fields => {
  const high = typeof bits === 'number' ? bits : bits[0];
  return { [name]: field(bits, means, write), ...res0([63, high + 1]) };
};

const INTID: Fields = one([23, 0], 'INTID', 'Interrupt number; 1023: none.');
const SGI: Fields = {
  TargetList: field([15, 0], 'vCPUs of the cluster, by Aff0.'),
  Aff1: field([23, 16], 'Affinity level 1.'),
  INTID: field([27, 24], 'The SGI.'),
  ...res0([31, 28]),
  Aff2: field([39, 32], 'Affinity level 2.'),
  IRM: field(40, 'Everyone but this vCPU.'),
  ...res0([43, 41]),
  RS: field([47, 44], 'Which 16 values of Aff0.'),
  Aff3: field([55, 48], 'Affinity level 3.'),
  ...res0([63, 56]),
};

/** Rows that come once for each group. `crm` of IAR, EOIR, HPPIR and BPR, and where the active priorities are. */
function grouped(
  group: 0 | 1,
  crm: number,
  active: readonly [crm: number, op2: number],
  enable: number,
  sgi: number,
): Rows {
  return {
    [`ICC_IAR${group}_EL1`]: icc(12, crm, 0, INTID, {
      write: 'never',
      derive: (view) => BigInt(answer(view, group)),
      action: { read: (vcpu) => take(vcpu, group) },
    }),
    [`ICC_EOIR${group}_EL1`]: icc(12, crm, 1, INTID, {
      read: 'never',
      action: { write: (vcpu, value) => end(vcpu, group, value) },
    }),
    [`ICC_HPPIR${group}_EL1`]: icc(12, crm, 2, INTID, { write: 'never', derive: (view) => pending(view, group) }),
    [`ICC_BPR${group}_EL1`]: icc(12, crm, 3, one([2, 0], 'BinaryPoint', 'Where priorities split.'), {
      derive: (view) => BigInt(binaryPoint(view, group)),
      action: { write: (vcpu, value) => setBinaryPoint(vcpu, group, value) },
    }),
    [`ICC_AP${group}R0_EL1`]: icc(12, active[0], active[1], one([31, 0], 'ACTIVE', 'Active priorities, a bit each.'), {
      derive: (view) => BigInt.asUintN(32, BigInt(cpuInterface(view).active[group] as number)),
      action: {
        write: (vcpu, value) => {
          cpuInterface(vcpu).active[group] = Number(BigInt.asIntN(32, value));
          vcpu.changed('interrupts');
        },
      },
    }),
    [`ICC_IGRPEN${group}_EL1`]: icc(12, 12, enable, one(0, 'Enable', `Group ${group} interrupts are signalled.`), {
      derive: (view) => BigInt(cpuInterface(view).enabled[group] as number),
      action: {
        write: (vcpu, value) => {
          cpuInterface(vcpu).enabled[group] = Number(value & 1n);
          vcpu.changed('interrupts');
        },
      },
    }),
    [`ICC_SGI${group}R_EL1`]: icc(12, 11, sgi, SGI, {
      read: 'never',
      action: { write: (vcpu, value) => generate(vcpu, group, value) },
    }),
  };
}

export const gic: Rows = {
  ICC_PMR_EL1: icc(4, 6, 0, one([7, 0], 'Priority', 'Only lower values are signalled.'), {
    derive: (view) => BigInt(cpuInterface(view).pmr),
    action: { write: setMask },
  }),
  ...grouped(0, 8, [8, 4], 6, 7),
  ...grouped(1, 12, [9, 0], 7, 5),
  // With one Security state, Group 1 of the other one is Group 0 here.
  ICC_ASGI1R_EL1: icc(12, 11, 6, SGI, {
    read: 'never',
    action: { write: (vcpu, value) => generate(vcpu, 0, value) },
  }),
  ICC_DIR_EL1: icc(12, 11, 1, INTID, { read: 'never', action: { write: endActive } }),
  ICC_RPR_EL1: icc(12, 11, 3, one([7, 0], 'Priority', 'The running priority; 0xFF when idle.'), {
    write: 'never',
    derive: (view) => BigInt(running(cpuInterface(view))),
  }),
  ICC_CTLR_EL1: icc(
    12,
    12,
    4,
    {
      CBPR: field(0, 'ICC_BPR0_EL1 serves both groups.'),
      EOImode: field(1, 'EOIR drops the priority only; DIR deactivates.'),
      ...res0([5, 2]),
      PMHE: field(6, 'Priority mask hint; none here.', 'zero'),
      ...res0(7),
      PRIbits: field([10, 8], 'Priority bits less 1.', 'ignored'),
      IDbits: field([13, 11], '0: 16 bits of INTID.', 'ignored'),
      SEIS: field(14, 'Locally generated SErrors; none.', 'ignored'),
      A3V: field(15, 'Aff3 is supported.', 'ignored'),
      ...res0([63, 16]),
    },
    {
      // PRIbits = 4, A3V.
      derive: (view) => BigInt(cpuInterface(view).common | (cpuInterface(view).split << 1)) | 0x8400n,
      wrote: (vcpu, value) => {
        const gicc = cpuInterface(vcpu);
        gicc.common = Number(value & 1n);
        gicc.split = Number((value >> 1n) & 1n);
        vcpu.changed('interrupts');
      },
    },
  ),
  ICC_SRE_EL1: icc(12, 12, 5, whole('System registers, no bypass: SRE, DFB and DIB read as 1.', 'ignored'), {
    derive: () => 7n,
    wrote: () => {},
  }),
};
