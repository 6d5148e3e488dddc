/** Overflow: the status bit, and who is told. Intel SDM volume 3, 20.2.4 and 20.4.9; AMD64 volume 2, 13.2.3. */
import type { Vcpu, View } from '@countervisor/contract';
import { amdOverflow } from './registers/amd.ts';
import { MOST_GENERAL, perfmon } from './registers/perfmon.ts';
import { FIXED_CTRL, fixedControl, requestInterrupt, SELECT, statusOf } from './registers/pmu.ts';
import { preciseNow } from './sampling/pebs.ts';

const asks = (view: View, counter: number): boolean =>
  counter < MOST_GENERAL
    ? (view.get(`IA32_PERFEVTSEL${counter}`) & SELECT.INT) !== 0n
    : (fixedControl(view, counter - MOST_GENERAL) & FIXED_CTRL.PMI) !== 0n;

/** A counter wrapped. One that PEBS is enabled for only arms: its record says the rest, an event later (sampling/pebs.ts). */
export function overflow(vcpu: Vcpu, counter: number): void {
  if (perfmon(vcpu).vendor === 'amd') {
    amdOverflow(vcpu, counter);
    return;
  }
  if (perfmon(vcpu).version >= 2) {
    vcpu.set('IA32_PERF_GLOBAL_STATUS', vcpu.get('IA32_PERF_GLOBAL_STATUS') | statusOf(counter));
  }
  if (preciseNow(vcpu, counter)) vcpu.set('PEBS_ARMED', vcpu.get('PEBS_ARMED') | statusOf(counter));
  else if (asks(vcpu, counter)) requestInterrupt(vcpu);
}

/** The edge that the local APIC has not seen yet: it takes it away (platform: `latch`). */
export function line(view: View): boolean {
  return view.get('PMI') === 1n;
}
