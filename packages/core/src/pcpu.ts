/** A physical CPU: its PMU bank and hypervisor control registers, and who is on it. */
import type { Handle } from './handle.ts';
import type { CompiledArch } from './load/compile.ts';
import { Bank } from './pmu/bank.ts';
import type { VcpuRuntime } from './vcpu.ts';

export class Pcpu {
  readonly index: number;
  /** The bank's registers while nobody runs; else they are in the live bank of the running vCPU (engine constraint 1). */
  readonly rest: Int32Array;
  readonly bank: Bank;
  /** The vCPU whose registers and address space are loaded. */
  current: VcpuRuntime | undefined;
  /** Its bank as seen through the vCPU that runs. */
  view: Handle | undefined;
  /** Cycles it has spent, hypervisor included. */
  cycles = 0;
  /** Cycles of its clock while it had nothing to do, under `time: machine`. */
  idle = 0;
  instructions = 0;
  switches = 0;
  /** Position in the round-robin over its vCPUs. */
  next = 0;

  constructor(index: number, arch: CompiledArch) {
    this.index = index;
    this.rest = new Int32Array(arch.bankSlots * 2);
    this.bank = new Bank('pcpu', arch);
  }

  /** The clock of `time: machine`. */
  get clock(): number {
    return this.cycles + this.idle;
  }
}
