/** The door of the toolstack: configurations in, domain creation checked, capabilities out. */
export { type Affinity, type CpuList, type CpuTerm, pcpusFor } from './affinity.ts';
export {
  type DomainConfig as XlDomainConfig,
  type Ending as XlEnding,
  type ReadConfig,
  readDomainConfig,
} from './config.ts';
export {
  COMMON_CHECKS,
  createdomain,
  type DomctlAccepted,
  type DomctlRefused,
  type DomctlResult,
  type DomctlRewrite,
} from './domctl.ts';
export {
  CDF,
  checkConstructors,
  constructors,
  DOMCTL_BITS,
  type FlagList,
  type FlagRow,
  GRANT_VERSION_MASK,
  IOMMU,
  names as flagNames,
  PHYSCAP,
  word as flagWord,
} from './flags.ts';
export {
  type Created,
  type Creation,
  type CreationRefused,
  createDomain,
  LIBXL_CHECKS,
  refusalError,
} from './libxl.ts';
export { type HostFacts, type Physinfo, physinfo, virtCaps, xenHost } from './physinfo.ts';
export {
  COMMAND_LINE,
  parseXlConfig,
  printXlConfig,
  type XlAtom,
  type XlConfig,
  type XlList,
  type XlSetting,
  type XlValue,
} from './xlcfg.ts';
export { ACTIONS, type Action, IGNORED_KEYS, KEYS } from './xlkeys.ts';
