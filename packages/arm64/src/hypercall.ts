/**
 * PSCI 1.1 and the SMC calling convention's own calls, by HVC. Arm DEN 0022 (PSCI) chapter 5, DEN 0028 (SMCCC) chapters 2 and 7.
 *
 * A call is answered whatever the HVC immediate is, as by QEMU. The function number is in W0: bits 63:32 of X0 are not looked at.
 */
import type { HypercallService, Hypercalls, Vcpu, View } from '@countervisor/contract';

/** PSCI return codes, as 64-bit values (DEN 0022, 5.2.2). */
export const PSCI: Readonly<
  Record<'SUCCESS' | 'NOT_SUPPORTED' | 'INVALID_PARAMETERS' | 'ALREADY_ON' | 'INVALID_ADDRESS', bigint>
> = {
  SUCCESS: 0n,
  NOT_SUPPORTED: BigInt.asUintN(64, -1n),
  INVALID_PARAMETERS: BigInt.asUintN(64, -2n),
  ALREADY_ON: BigInt.asUintN(64, -4n),
  INVALID_ADDRESS: BigInt.asUintN(64, -9n),
};

const ON = 0n;
const OFF = 1n;

/** Affinity fields of MPIDR_EL1, from level 0 up. */
const AFFINITY = [0xffn, 0xff00n, 0xff_0000n, 0xff_0000_0000n] as const;
const ALL = 0xff_00ff_ffffn;

/** vCPUs of the domain whose affinity agrees with `target` from `lowest` up. A vCPU's own fields come from its MPIDR_EL1. */
function named(vcpu: Vcpu, target: bigint, lowest: number): readonly number[] {
  let mask = ALL;
  for (let level = 0; level < lowest; level++) mask &= ~(AFFINITY[level] as bigint);
  const found: number[] = [];
  for (let index = 0; index < vcpu.siblings; index++) {
    const mpidr = vcpu.domain.vcpu(index).get('MPIDR_EL1');
    if (((mpidr ^ target) & mask) === 0n) found.push(index);
  }
  return found;
}

/** Bits that must be zero in a target_cpu argument. */
const strayBits = (target: bigint): boolean => (target & ~ALL) !== 0n;

function cpuOn(vcpu: Vcpu, args: readonly bigint[]): bigint {
  const [target = 0n, entry = 0n, context = 0n] = args;
  const [index] = named(vcpu, target, 0);
  if (strayBits(target) || index === undefined) return PSCI.INVALID_PARAMETERS;
  if (vcpu.domain.isOn(index)) return PSCI.ALREADY_ON;
  if (vcpu.domain.read(entry, 4) === undefined) return PSCI.INVALID_ADDRESS;
  return vcpu.domain.start(index, entry, context) ? PSCI.SUCCESS : PSCI.ALREADY_ON;
}

function affinityInfo(vcpu: Vcpu, args: readonly bigint[]): bigint {
  const [target = 0n, lowest = 0n] = args;
  if (strayBits(target) || lowest > 3n) return PSCI.INVALID_PARAMETERS;
  const found = named(vcpu, target, Number(lowest));
  if (found.length === 0) return PSCI.INVALID_PARAMETERS;
  return found.some((index) => vcpu.domain.isOn(index)) ? ON : OFF;
}

/** Standby, whatever state is asked for: a power-down that keeps its context, which the interface allows to be demoted (5.4.1). */
function cpuSuspend(vcpu: Vcpu): bigint {
  vcpu.domain.wait();
  return PSCI.SUCCESS;
}

/** The SMC32 form takes 32-bit arguments. */
const narrow =
  (call: (vcpu: Vcpu, args: readonly bigint[]) => bigint) =>
  (vcpu: Vcpu, args: readonly bigint[]): bigint =>
    call(
      vcpu,
      args.map((arg) => arg & 0xffff_ffffn),
    );

interface Row {
  readonly number: number;
  readonly name: string;
  readonly source: string;
  call(vcpu: Vcpu, args: readonly bigint[]): bigint;
  /** PSCI_FEATURES does not list it, though it is answered. */
  readonly unlisted?: true;
}

/** Asks whether a number is answered: PSCI_FEATURES and SMCCC_ARCH_FEATURES know different halves. */
const answers = (number: bigint, psci: boolean): boolean =>
  ROWS.some((row) => BigInt(row.number) === number && (psci ? row.unlisted !== true : row.number < 0x8400_0000));

const ROWS: readonly Row[] = [
  { number: 0x8400_0000, name: 'PSCI_VERSION', source: 'DEN 0022, 5.3', call: () => 0x1_0001n },
  { number: 0x8400_0001, name: 'CPU_SUSPEND', source: 'DEN 0022, 5.4', call: cpuSuspend },
  { number: 0xc400_0001, name: 'CPU_SUSPEND', source: 'DEN 0022, 5.4', call: cpuSuspend },
  {
    number: 0x8400_0002,
    name: 'CPU_OFF',
    source: 'DEN 0022, 5.5',
    call(vcpu) {
      vcpu.domain.stop();
      return PSCI.SUCCESS;
    },
  },
  { number: 0x8400_0003, name: 'CPU_ON', source: 'DEN 0022, 5.6', call: narrow(cpuOn) },
  { number: 0xc400_0003, name: 'CPU_ON', source: 'DEN 0022, 5.6', call: cpuOn },
  { number: 0x8400_0004, name: 'AFFINITY_INFO', source: 'DEN 0022, 5.7', call: narrow(affinityInfo) },
  { number: 0xc400_0004, name: 'AFFINITY_INFO', source: 'DEN 0022, 5.7', call: affinityInfo },
  // 2: no Trusted OS, so nothing to migrate.
  { number: 0x8400_0006, name: 'MIGRATE_INFO_TYPE', source: 'DEN 0022, 5.9', call: () => 2n },
  {
    number: 0x8400_0008,
    name: 'SYSTEM_OFF',
    source: 'DEN 0022, 5.10',
    call(vcpu) {
      vcpu.domain.exit('poweroff', 0);
      return PSCI.SUCCESS;
    },
  },
  {
    number: 0x8400_0009,
    name: 'SYSTEM_RESET',
    source: 'DEN 0022, 5.11',
    call(vcpu) {
      vcpu.domain.exit('reset', 0);
      return PSCI.SUCCESS;
    },
  },
  {
    number: 0x8400_000a,
    name: 'PSCI_FEATURES',
    source: 'DEN 0022, 5.15',
    // 0 for CPU_SUSPEND, too: the original power_state format, no OS-initiated mode.
    call: (_vcpu, [number = 0n]) => (answers(number & 0xffff_ffffn, true) ? PSCI.SUCCESS : PSCI.NOT_SUPPORTED),
  },
  { number: 0x8000_0000, name: 'SMCCC_VERSION', source: 'DEN 0028, 7.2', call: () => 0x1_0001n },
  {
    number: 0x8000_0001,
    name: 'SMCCC_ARCH_FEATURES',
    source: 'DEN 0028, 7.3',
    unlisted: true,
    call: (_vcpu, [number = 0n]) => (answers(number & 0xffff_ffffn, false) ? PSCI.SUCCESS : PSCI.NOT_SUPPORTED),
  },
];

export const services: Readonly<Record<string, HypercallService>> = Object.fromEntries(
  ROWS.map(({ number, name, source, call }) => [String(number), { name, source, call }]),
);

export const hypercalls: Hypercalls = {
  convention: { number: 'W0', arguments: ['X1', 'X2', 'X3'], result: 'X0' },
  services,
  unknown: (_view: View, _number: bigint) => PSCI.NOT_SUPPORTED,
};
