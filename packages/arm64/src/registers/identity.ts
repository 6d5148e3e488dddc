/**
 * Identification registers. Arm DDI 0487, D24.2; the reserved ones of the feature space read as 0 (D23.3).
 *
 * A CPU model's table holds what its silicon shows. What a guest reads is that, less what is not modelled (models.ts lists it), with the fields
 * of the features the CPU has (features.ts), and with PMUVer as the policy and the personality will have it.
 */
import { insert, type View } from '@countervisor/contract';
import { generic, sysreg } from '../address.ts';
import { type IdRegister, show } from '../features.ts';
import { gicVersion } from '../platform/gic.ts';
import { type Fields, field, type Row, type Rows, res0, res1, whole } from './row.ts';

/** Bits that are shown as the silicon has them; all others are 0 unless a feature or a rule below sets them. */
const KEPT: Readonly<Record<string, bigint>> = {
  // CSV3, CSV2: branch prediction and speculation leak nothing, and there is none here.
  ID_AA64PFR0_EL1: 0xff00_0000_0000_0000n,
  // DoubleLock, CTX_CMPs, WRPs, BRPs, DebugVer.
  ID_AA64DFR0_EL1: 0x0000_00f0_f0f0_f00fn,
  // SNSMem, ASIDBits, PARange.
  ID_AA64MMFR0_EL1: 0xf0ffn,
  // VMIDBits.
  ID_AA64MMFR1_EL1: 0xf0n,
  // CCIDX: the format of CCSIDR_EL1.
  ID_AA64MMFR2_EL1: 0x00f0_0000n,
};

const silicon = (view: View, name: string): bigint => view.cpu.identity[name] ?? 0n;
const shown = (view: View, name: string): bigint => silicon(view, name) & (KEPT[name] ?? 0n);
const featured = (view: View, name: IdRegister): bigint => show(name, shown(view, name), view.cpu.features);

/** Is the PMU hidden from this guest's identification registers? A personality may say; else it is with policy `off`. */
export function pmuHidden(view: View): boolean {
  const { pmuver } = view.settings;
  return pmuver === undefined ? view.policy === 'off' : pmuver === 'hidden';
}

/** MPIDR_EL1's affinity: 16 to a cluster, as KVM and QEMU's `virt` with a GICv3 number them. Aff1 in 15:8, Aff0 in 7:0. */
export function affinity(index: number): bigint {
  return (BigInt(index >> 4) << 8n) | BigInt(index & 15);
}

/** What ID_AA64PFR0_EL1 adds: AArch64 alone at EL0 and EL1, EL2 and EL3 where the host's value is shown, the GIC's registers. */
function pfr0(view: View): bigint {
  let value = shown(view, 'ID_AA64PFR0_EL1') | 0x11n;
  if (view.settings.levels === 'host') value |= 0x1100n;
  if (gicVersion(view) === 3) value = insert(value, [27, 24], 1n);
  return value;
}

/** 4 KiB granules alone: TGran16 0 is "not supported", TGran64 0xF is, TGran4 0 is "supported" (D24.2.88). */
const granules = (value: bigint): bigint => insert(insert(value, [27, 24], 0xfn), [23, 20], 0n);

const VALUES: Readonly<Record<string, (view: View) => bigint>> = {
  ID_AA64PFR0_EL1: pfr0,
  ID_AA64DFR0_EL1: (view) => {
    const value = featured(view, 'ID_AA64DFR0_EL1');
    return pmuHidden(view) ? insert(value, [11, 8], 0n) : value;
  },
  ID_AA64ISAR0_EL1: (view) => featured(view, 'ID_AA64ISAR0_EL1'),
  ID_AA64ISAR1_EL1: (view) => featured(view, 'ID_AA64ISAR1_EL1'),
  ID_AA64MMFR0_EL1: (view) => granules(shown(view, 'ID_AA64MMFR0_EL1')),
  ID_AA64MMFR1_EL1: (view) => featured(view, 'ID_AA64MMFR1_EL1'),
  ID_AA64MMFR2_EL1: (view) => shown(view, 'ID_AA64MMFR2_EL1'),
};

/** The manual's names in the feature space op0 = 3, op1 = 0, CRn = 0, by CRm and op2. */
const SPACE: Readonly<Record<string, string>> = {
  '1.0': 'ID_PFR0_EL1',
  '1.1': 'ID_PFR1_EL1',
  '1.2': 'ID_DFR0_EL1',
  '1.3': 'ID_AFR0_EL1',
  '1.4': 'ID_MMFR0_EL1',
  '1.5': 'ID_MMFR1_EL1',
  '1.6': 'ID_MMFR2_EL1',
  '1.7': 'ID_MMFR3_EL1',
  '2.0': 'ID_ISAR0_EL1',
  '2.1': 'ID_ISAR1_EL1',
  '2.2': 'ID_ISAR2_EL1',
  '2.3': 'ID_ISAR3_EL1',
  '2.4': 'ID_ISAR4_EL1',
  '2.5': 'ID_ISAR5_EL1',
  '2.6': 'ID_MMFR4_EL1',
  '2.7': 'ID_ISAR6_EL1',
  '3.0': 'MVFR0_EL1',
  '3.1': 'MVFR1_EL1',
  '3.2': 'MVFR2_EL1',
  '3.4': 'ID_PFR2_EL1',
  '3.5': 'ID_DFR1_EL1',
  '3.6': 'ID_MMFR5_EL1',
  '4.0': 'ID_AA64PFR0_EL1',
  '4.1': 'ID_AA64PFR1_EL1',
  '4.2': 'ID_AA64PFR2_EL1',
  '4.4': 'ID_AA64ZFR0_EL1',
  '4.5': 'ID_AA64SMFR0_EL1',
  '4.7': 'ID_AA64FPFR0_EL1',
  '5.0': 'ID_AA64DFR0_EL1',
  '5.1': 'ID_AA64DFR1_EL1',
  '5.2': 'ID_AA64DFR2_EL1',
  '5.4': 'ID_AA64AFR0_EL1',
  '5.5': 'ID_AA64AFR1_EL1',
  '6.0': 'ID_AA64ISAR0_EL1',
  '6.1': 'ID_AA64ISAR1_EL1',
  '6.2': 'ID_AA64ISAR2_EL1',
  '6.3': 'ID_AA64ISAR3_EL1',
  '7.0': 'ID_AA64MMFR0_EL1',
  '7.1': 'ID_AA64MMFR1_EL1',
  '7.2': 'ID_AA64MMFR2_EL1',
  '7.3': 'ID_AA64MMFR3_EL1',
  '7.4': 'ID_AA64MMFR4_EL1',
};

/** Fields of the registers that say something here. Each is four bits wide. */
const FIELDS: Readonly<Record<string, Fields>> = {
  ID_AA64PFR0_EL1: nibbles('EL0 EL1 EL2 EL3 FP AdvSIMD GIC RAS SVE SEL2 MPAM AMU DIT RME CSV2 CSV3'),
  ID_AA64DFR0_EL1: nibbles(
    'DebugVer TraceVer PMUVer BRPs PMSS WRPs SEBEP CTX_CMPs PMSVer DoubleLock TraceFilt TraceBuffer MTPMU BRBE ExtTrcBuff HPMN0',
  ),
  ID_AA64ISAR0_EL1: nibbles('RES0_3_0 AES SHA1 SHA2 CRC32 Atomic TME RDM SHA3 SM3 SM4 DP FHM TS TLB RNDR'),
  ID_AA64ISAR1_EL1: nibbles('DPB APA API JSCVT FCMA LRCPC GPA GPI FRINTTS SB SPECRES BF16 DGH I8MM XS LS64'),
  ID_AA64MMFR0_EL1: nibbles(
    'PARange ASIDBits BigEnd SNSMem BigEndEL0 TGran16 TGran64 TGran4 TGran16_2 TGran64_2 TGran4_2 ExS RES0_51_48 RES0_55_52 FGT ECV',
  ),
  ID_AA64MMFR1_EL1: nibbles('HAFDBS VMIDBits VH HPDS LO PAN SpecSEI XNX TWED ETS HCX AFP nTLBPA TIDCP1 CMOW ECBHB'),
  ID_AA64MMFR2_EL1: nibbles('CnP UAO LSM IESB VARange CCIDX NV ST AT IDS FWB RES0_47_44 TTL BBM EVT E0PD'),
};

function nibbles(names: string): Fields {
  return Object.fromEntries(
    names.split(' ').map((name, i) => [name, field([4 * i + 3, 4 * i], `Feature field ${name}.`, 'ignored')]),
  );
}

function space(): Rows {
  const rows: Record<string, Row> = {};
  for (let crm = 1; crm <= 7; crm++) {
    for (let op2 = 0; op2 <= 7; op2++) {
      const at = sysreg(3, 0, 0, crm, op2);
      const name = SPACE[`${crm}.${op2}`] ?? generic(at.index);
      rows[name] = {
        at,
        width: 64,
        reset: 0n,
        read: 'el1',
        write: 'never',
        fields:
          FIELDS[name] ??
          whole(VALUES[name] === undefined ? 'Nothing of this is here, or reserved: 0.' : name, 'ignored'),
        derive: VALUES[name] ?? (() => 0n),
        traps: ['TID3'],
        ...(name === 'ID_AA64DFR0_EL1' && { role: 'identity' as const }),
      };
    }
  }
  return rows;
}

const constant = (
  address: readonly [op0: number, op1: number, crn: number, crm: number, op2: number],
  fields: Fields,
  derive: (view: View) => bigint,
  more: Partial<Row> = {},
): Row => ({
  at: sysreg(...address),
  width: 64,
  reset: 0n,
  read: 'el1',
  write: 'never',
  fields,
  derive,
  ...more,
});

export const identity: Rows = {
  ...space(),
  MIDR_EL1: constant(
    [3, 0, 0, 0, 0],
    {
      Revision: field([3, 0], 'Minor revision.', 'ignored'),
      PartNum: field([15, 4], 'Part number.', 'ignored'),
      Architecture: field([19, 16], '0xF: the ID registers tell.', 'ignored'),
      Variant: field([23, 20], 'Major revision.', 'ignored'),
      Implementer: field([31, 24], 'Implementer; 0x41 is Arm.', 'ignored'),
      ...res0([63, 32]),
    },
    (view) => silicon(view, 'MIDR_EL1'),
  ),
  MPIDR_EL1: constant(
    [3, 0, 0, 0, 5],
    {
      Aff0: field([7, 0], 'Number in its cluster.', 'ignored'),
      Aff1: field([15, 8], 'Cluster.', 'ignored'),
      Aff2: field([23, 16], 'Second level.', 'ignored'),
      MT: field(24, 'Lowest level is threads.', 'ignored'),
      ...res0([29, 25]),
      U: field(30, 'The only one.', 'ignored'),
      ...res1(31),
      Aff3: field([39, 32], 'Third level.', 'ignored'),
      ...res0([63, 40]),
    },
    (view) => 0x8000_0000n | affinity(view.index),
    { reset: 0x8000_0000n },
  ),
  REVIDR_EL1: constant([3, 0, 0, 0, 6], whole('Minor revisions.', 'ignored'), (view) => silicon(view, 'REVIDR_EL1'), {
    traps: ['TID1'],
  }),
  AIDR_EL1: constant([3, 1, 0, 0, 7], whole('Nothing is defined here.', 'ignored'), () => 0n, { traps: ['TID1'] }),
  CTR_EL0: constant(
    [3, 3, 0, 0, 1],
    {
      IminLine: field([3, 0], 'log2 of words in the smallest instruction cache line.', 'ignored'),
      ...res0([13, 4]),
      L1Ip: field([15, 14], 'Instruction cache policy.', 'ignored'),
      DminLine: field([19, 16], 'log2 of words in the smallest data cache line.', 'ignored'),
      ERG: field([23, 20], 'Exclusives reservation granule.', 'ignored'),
      CWG: field([27, 24], 'Cache write-back granule.', 'ignored'),
      IDC: field(28, 'Data needs no clean for instructions to see it.', 'ignored'),
      DIC: field(29, 'Instructions need no invalidation.', 'ignored'),
      ...res0(30),
      ...res1(31),
      ...res0([63, 32]),
    },
    (view) => silicon(view, 'CTR_EL0'),
    { read: 'el0', traps: ['UCT', 'TID2'], reset: 0x8000_0000n },
  ),
  DCZID_EL0: constant(
    [3, 3, 0, 0, 7],
    {
      BS: field([3, 0], 'log2 of words that DC ZVA clears.', 'ignored'),
      DZP: field(4, 'DC ZVA is prohibited at this level.', 'ignored'),
      ...res0([63, 5]),
    },
    (view) => silicon(view, 'DCZID_EL0') | (view.level === 0 && view.field('SCTLR_EL1', 'DZE') === 0n ? 0x10n : 0n),
    { read: 'el0' },
  ),
  CLIDR_EL1: constant([3, 1, 0, 0, 1], whole('Caches by level.', 'ignored'), (view) => silicon(view, 'CLIDR_EL1'), {
    traps: ['TID2'],
  }),
  CSSELR_EL1: {
    at: sysreg(3, 2, 0, 0, 0),
    width: 64,
    reset: 'unknown',
    read: 'el1',
    write: 'el1',
    fields: {
      InD: field(0, 'Instruction cache (0: data or unified).'),
      Level: field([3, 1], 'Cache level, from 0.'),
      ...res0([63, 4]),
    },
    traps: ['TID2'],
  },
  CCSIDR_EL1: constant(
    [3, 1, 0, 0, 0],
    whole('Geometry of the cache that CSSELR_EL1 selects.', 'ignored'),
    (view) => silicon(view, `CCSIDR_EL1.${CACHES[Number(view.get('CSSELR_EL1') & 15n)] ?? 'none'}`),
    { traps: ['TID2'], source: 'D24.2.32: UNKNOWN for a cache that is not there, 0 here' },
  ),
};

/** By CSSELR_EL1.{Level, InD}. */
const CACHES: Readonly<Record<number, string>> = { 0: 'L1D', 1: 'L1I', 2: 'L2' };
