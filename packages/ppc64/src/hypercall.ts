/**
 * Hypercalls of a PAPR partition, by sc 1: number in r3, arguments from r4 on, status in r3, more results from r4 on. Linux on Power Architecture Reference
 * (LoPAR) 1.1, chapter 14 (logical partitioning option); H_RTAS is QEMU's, docs/specs/ppc-spapr-hcalls.
 *
 * H_PERFMON stands with the PMU.
 */
import type { HypercallService, Hypercalls, Outcome, Vcpu, View } from '@countervisor/contract';
import type { Partition } from './isa/mmu.ts';
import { H, VTY } from './platform/papr.ts';
import type { Processor } from './platform/processor.ts';
import { rtas } from './platform/rtas.ts';
import { LPCR } from './registers/hypervisor.ts';
import { MSR, setMsr } from './registers/msr.ts';

/** 0 stands for the one console, too. */
const isVty = (unit: bigint): boolean => unit === 0n || unit === VTY;

const everyVcpu = (vcpu: Vcpu): readonly Vcpu[] =>
  Array.from({ length: vcpu.siblings }, (_, index) => vcpu.domain.vcpu(index));

function setLpcr(vcpu: Vcpu, mask: bigint, value: bigint): void {
  for (const one of everyVcpu(vcpu)) one.set('LPCR', (one.get('LPCR') & ~mask) | value);
}

function putTermChar(vcpu: Vcpu, [unit = 0n, length = 0n, first = 0n, second = 0n]: readonly bigint[]): bigint {
  if (!isVty(unit) || length > 16n) return H.PARAMETER;
  const both = (first << 64n) | second;
  for (let n = 0n; n < length; n++) vcpu.console(Number((both >> (120n - 8n * n)) & 0xffn));
  return H.SUCCESS;
}

/** There is nothing to read, ever. */
function getTermChar(vcpu: Vcpu, [unit = 0n]: readonly bigint[]): bigint {
  if (!isVty(unit)) return H.PARAMETER;
  for (const name of ['GPR4', 'GPR5', 'GPR6']) vcpu.set(name, 0n);
  return H.SUCCESS;
}

/** Resources of H_SET_MODE: where interrupts go, and in which byte order they are taken. LoPAR, 14.5.4.3. */
function setMode(vcpu: Vcpu, [flags = 0n, resource = 0n, first = 0n, second = 0n]: readonly bigint[]): bigint {
  if (!vcpu.cpu.features.has('isa-2.07')) return H.FUNCTION;
  if (resource !== 3n && resource !== 4n) return H.P2;
  if (first !== 0n) return H.P3;
  if (second !== 0n) return H.P4;
  if (resource === 4n) {
    if (flags > 1n) return H.UNSUPPORTED_FLAG;
    setLpcr(vcpu, LPCR.ILE, flags === 0n ? 0n : LPCR.ILE);
    return H.SUCCESS;
  }
  const offered = flags === 0n || flags === 3n || (flags === 2n && !vcpu.cpu.features.has('isa-3.1'));
  if (!offered) return H.UNSUPPORTED_FLAG;
  setLpcr(vcpu, LPCR.AIL, flags << LPCR.AIL_SHIFT);
  return H.SUCCESS;
}

/** Waits with interrupts enabled until one is pending or another thread prods. LoPAR, 14.11.3.3. */
function cede(vcpu: Vcpu): bigint {
  const processor = vcpu.device<Processor>('processor');
  setMsr(vcpu, vcpu.get('MSR') | MSR.EE);
  if (processor.prodded !== 0) {
    processor.prodded = 0;
    return H.SUCCESS;
  }
  // The run latch goes off with the thread; software puts it on again.
  vcpu.set('CTRL', vcpu.get('CTRL') & ~1n);
  vcpu.domain.wait();
  return H.SUCCESS;
}

const known = (vcpu: Vcpu, thread: bigint): boolean => thread < BigInt(vcpu.siblings);

function prod(vcpu: Vcpu, [thread = 0n]: readonly bigint[]): bigint {
  if (!known(vcpu, thread)) return H.PARAMETER;
  vcpu.device<Processor>('processor', Number(thread)).prodded = 1;
  vcpu.domain.vcpu(Number(thread)).changed('interrupts');
  return H.SUCCESS;
}

function confer(vcpu: Vcpu, [thread = 0n]: readonly bigint[]): bigint {
  // All ones: to whoever needs it.
  if (!known(vcpu, thread) && thread !== BigInt.asUintN(64, -1n)) return H.PARAMETER;
  vcpu.domain.yield();
  return H.SUCCESS;
}

function number(vcpu: Vcpu, at: bigint, size: 2 | 4): number | undefined {
  const bytes = vcpu.domain.read(at, size);
  if (bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return size === 2 ? view.getUint16(0) : view.getUint32(0);
}

const acrossPages = (at: bigint, size: number): boolean => at >> 12n !== (at + BigInt(size) - 1n) >> 12n;

const VPA_LEAST = 640;
/** Byte 9 of the area: the processor is shared. */
const VPA_SHARED = 9n;
const LINE = 128n;

/** Subfunctions of H_REGISTER_VPA, in bits 16:18 of the flags. LoPAR, 14.11.3.2. */
function registerVpa(vcpu: Vcpu, [flags = 0n, thread = 0n, at = 0n]: readonly bigint[]): bigint {
  if (!known(vcpu, thread)) return H.PARAMETER;
  const processor = vcpu.device<Processor>('processor', Number(thread));
  const subfunction = (flags >> 45n) & 7n;
  if (flags !== subfunction << 45n) return H.PARAMETER;
  switch (subfunction) {
    case 1n: {
      if (at === 0n) return H.HARDWARE;
      if (at % LINE !== 0n) return H.PARAMETER;
      const size = number(vcpu, at + 4n, 2);
      if (size === undefined || size < VPA_LEAST || acrossPages(at, size)) return H.PARAMETER;
      const shared = vcpu.domain.read(at + VPA_SHARED, 1);
      if (shared === undefined) return H.PARAMETER;
      vcpu.domain.write(at + VPA_SHARED, Uint8Array.of((shared[0] ?? 0) | 2));
      processor.vpa = at;
      return H.SUCCESS;
    }
    case 2n:
    case 3n: {
      const least = subfunction === 2n ? 48 : 8;
      if (at === 0n) return H.HARDWARE;
      const size = number(vcpu, at + 4n, 4);
      if (size === undefined || size < least) return H.PARAMETER;
      if (subfunction === 3n && acrossPages(at, size)) return H.PARAMETER;
      if (processor.vpa === 0n) return H.RESOURCE;
      processor[subfunction === 2n ? 'dispatchLog' : 'slbShadow'] = at;
      return H.SUCCESS;
    }
    case 5n:
      if (processor.dispatchLog !== 0n || processor.slbShadow !== 0n) return H.RESOURCE;
      processor.vpa = 0n;
      return H.SUCCESS;
    case 6n:
      processor.dispatchLog = 0n;
      return H.SUCCESS;
    case 7n:
      processor.slbShadow = 0n;
      return H.SUCCESS;
    default:
      return H.PARAMETER;
  }
}

/** Flags of H_REGISTER_PROCESS_TABLE. LoPAR, 14.5.4.6. */
const MODIFY = 0x10n;
const REGISTER = 8n;
const RADIX = 4n;
const HASH_SEGMENTS = 2n;
const GTSE = 1n;

function registerProcessTable(
  vcpu: Vcpu,
  [flags = 0n, table = 0n, pageSize = 0n, size = 0n]: readonly bigint[],
): bigint | Outcome {
  if (!vcpu.cpu.features.has('isa-3.0')) return H.FUNCTION;
  if (flags > 0x1fn) return H.PARAMETER;
  const partition = vcpu.device<Partition>('partition');
  if ((flags & MODIFY) !== 0n && (flags & REGISTER) !== 0n) {
    if ((flags & RADIX) === 0n) {
      if ((flags & HASH_SEGMENTS) !== 0n) return H.PARAMETER;
      return {
        then: 'unmodelled',
        code: 'CV_UNMODELLED_HASH_MMU',
        message: `the guest registers a hashed page table, which is not modelled on ${vcpu.cpu.name}.`,
        remedy: 'Boot the guest with radix translation (Linux: without disable_radix).',
      };
    }
    if ((table & 0xfffn) !== 0n || table >> 60n !== 0n) return H.P2;
    if (pageSize !== 0n) return H.P3;
    if (size > 24n) return H.P4;
    partition.processTable = table | size;
  } else if ((flags & MODIFY) !== 0n) {
    partition.processTable = 0n;
  } else if ((flags & RADIX) === 0n) {
    return H.PARAMETER;
  }
  const radix = (flags & (RADIX | HASH_SEGMENTS)) !== 0n ? LPCR.UPRT | LPCR.HR : 0n;
  setLpcr(vcpu, LPCR.UPRT | LPCR.HR | LPCR.GTSE, radix | ((flags & GTSE) !== 0n ? LPCR.GTSE : 0n));
  vcpu.changed('translation');
  return H.SUCCESS;
}

const SIZES: readonly bigint[] = [1n, 2n, 4n, 8n];

/** Access to memory in real mode, without caching: RAM alone. Big-endian, as QEMU does it. */
function logicalLoad(vcpu: Vcpu, [size = 0n, at = 0n]: readonly bigint[]): bigint {
  const bytes = SIZES.includes(size) ? vcpu.domain.read(at, Number(size)) : undefined;
  if (bytes === undefined) return H.PARAMETER;
  vcpu.set(
    'GPR4',
    bytes.reduce((all, byte) => (all << 8n) | BigInt(byte), 0n),
  );
  return H.SUCCESS;
}

function logicalStore(vcpu: Vcpu, [size = 0n, at = 0n, value = 0n]: readonly bigint[]): bigint {
  if (!SIZES.includes(size)) return H.PARAMETER;
  const bytes = Uint8Array.from({ length: Number(size) }, (_, n) =>
    Number((value >> (8n * (size - 1n - BigInt(n)))) & 0xffn),
  );
  return vcpu.domain.write(at, bytes) ? H.SUCCESS : H.PARAMETER;
}

interface Row {
  readonly number: number;
  readonly name: string;
  readonly source: string;
  call(vcpu: Vcpu, args: readonly bigint[]): bigint | Outcome;
}

const ROWS: readonly Row[] = [
  // QEMU stores it nowhere, and says so.
  { number: 0x28, name: 'H_SET_DABR', source: 'LoPAR 14.5.4.3.5', call: () => H.HARDWARE },
  { number: 0x3c, name: 'H_LOGICAL_CI_LOAD', source: 'LoPAR 14.5.4.2.1', call: logicalLoad },
  { number: 0x40, name: 'H_LOGICAL_CI_STORE', source: 'LoPAR 14.5.4.2.2', call: logicalStore },
  { number: 0x54, name: 'H_GET_TERM_CHAR', source: 'LoPAR 16.5.2.3.1', call: getTermChar },
  { number: 0x58, name: 'H_PUT_TERM_CHAR', source: 'LoPAR 16.5.2.3.2', call: putTermChar },
  { number: 0xdc, name: 'H_REGISTER_VPA', source: 'LoPAR 14.11.3.2', call: registerVpa },
  { number: 0xe0, name: 'H_CEDE', source: 'LoPAR 14.11.3.3', call: cede },
  { number: 0xe4, name: 'H_CONFER', source: 'LoPAR 14.11.3.4', call: confer },
  { number: 0xe8, name: 'H_PROD', source: 'LoPAR 14.11.3.5', call: prod },
  { number: 0x31c, name: 'H_SET_MODE', source: 'LoPAR 14.5.4.3.9', call: setMode },
  { number: 0x37c, name: 'H_REGISTER_PROCESS_TABLE', source: 'LoPAR 14.5.4.6', call: registerProcessTable },
  {
    number: 0xf000,
    name: 'H_RTAS',
    source: 'QEMU docs/specs/ppc-spapr-hcalls',
    call: (vcpu, [at = 0n]) => rtas(vcpu, at),
  },
];

/** sc 1 of problem state is refused, whatever the number. LoPAR, 14.1.2. */
const fromSupervisor =
  (call: Row['call']): Row['call'] =>
  (vcpu, args) =>
    vcpu.level === 0 ? H.PRIVILEGE : call(vcpu, args);

/** A service as this architecture offers it: what the PMU's calls are put through as well. */
export const service = ({ number, name, source, call }: Row): readonly [string, HypercallService] => [
  String(number),
  { name, source, call: fromSupervisor(call) },
];

export const services: Readonly<Record<string, HypercallService>> = Object.fromEntries(ROWS.map(service));

export const hypercalls: Hypercalls = {
  convention: {
    number: 'GPR3',
    arguments: ['GPR4', 'GPR5', 'GPR6', 'GPR7', 'GPR8', 'GPR9', 'GPR10', 'GPR11', 'GPR12'],
    result: 'GPR3',
  },
  services,
  names: {
    '4': 'H_REMOVE',
    '8': 'H_ENTER',
    '12': 'H_READ',
    '16': 'H_CLEAR_MOD',
    '20': 'H_CLEAR_REF',
    '24': 'H_PROTECT',
    '28': 'H_GET_TCE',
    '32': 'H_PUT_TCE',
    '36': 'H_SET_SPRG0',
    '44': 'H_PAGE_INIT',
    '80': 'H_SET_XDABR',
    '96': 'H_IPI',
    '100': 'H_EOI',
    '104': 'H_CPPR',
    '108': 'H_IPOLL',
    '112': 'H_XIRR',
    '124': 'H_PERFMON',
    '252': 'H_REG_CRQ',
    '276': 'H_REGISTER_LOGICAL_LAN',
    '488': 'H_BULK_REMOVE',
    '664': 'H_JOIN',
    '712': 'H_GET_CPU_CHARACTERISTICS',
    '768': 'H_RANDOM',
    '784': 'H_COP',
    '788': 'H_GET_EM_PARMS',
    '896': 'H_SIGNAL_SYS_RESET',
    '936': 'H_INT_GET_SOURCE_INFO',
    '61568': 'H_GET_PERF_COUNTER_INFO',
  },
  unknown: (view: View) => (view.level === 0 ? H.PRIVILEGE : H.FUNCTION),
};
