/** IA32_DEBUGCTL: bits that branches, freezing and the debug store ask for. Volume 3, 18.4.1. */
type Bits<Name extends string> = Readonly<Record<Name, bigint>>;

export const DEBUGCTL: Bits<
  'LBR' | 'BTF' | 'TR' | 'BTS' | 'BTINT' | 'BTS_OFF_OS' | 'BTS_OFF_USR' | 'FREEZE_LBRS_ON_PMI' | 'FREEZE_PERFMON_ON_PMI'
> = {
  LBR: 1n << 0n,
  BTF: 1n << 1n,
  TR: 1n << 6n,
  BTS: 1n << 7n,
  BTINT: 1n << 8n,
  BTS_OFF_OS: 1n << 9n,
  BTS_OFF_USR: 1n << 10n,
  FREEZE_LBRS_ON_PMI: 1n << 11n,
  FREEZE_PERFMON_ON_PMI: 1n << 12n,
};

/** IA32_PERF_GLOBAL_STATUS. Volume 3, 20.2.4. */
export const STATUS: Bits<'LBR_FRZ' | 'CTR_FRZ' | 'ASCI' | 'OVF_BUF' | 'COND_CHGD'> = {
  LBR_FRZ: 1n << 58n,
  CTR_FRZ: 1n << 59n,
  ASCI: 1n << 60n,
  OVF_BUF: 1n << 62n,
  COND_CHGD: 1n << 63n,
};
