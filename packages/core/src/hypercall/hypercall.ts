/** A guest's call to its hypervisor: number and arguments from the registers of the convention, the service from the table, the result back. */
import type { Outcome } from '@countervisor/contract';
import type { VcpuRuntime } from '../vcpu.ts';

export function hypercall(v: VcpuRuntime): Outcome {
  const { handle } = v;
  const { hypercalls } = v.domain.arch.arch;
  const { convention } = hypercalls;
  const number = handle.get(convention.number);
  const service = v.domain.services[number.toString()] ?? hypercalls.services[number.toString()];
  if (service === undefined) {
    v.domain.diagnose(
      'CV_UNKNOWN_HYPERCALL',
      `${v.domain.name}: the guest called the hypervisor with number 0x${number.toString(16)} at pc 0x${v.domain.pc(v).toString(16)}, which no service answers.`,
      `It was told that there is none. To answer it, add a service with the number '${number}' to the hypercalls of ${v.domain.arch.arch.name}.`,
    );
    handle.set(convention.result, hypercalls.unknown(handle, number));
    return { then: 'complete', why: 'no such hypercall' };
  }
  const result = service.call(
    handle,
    convention.arguments.map((name) => handle.get(name)),
  );
  if (typeof result !== 'bigint') return result;
  handle.set(convention.result, result);
  return { then: 'complete', why: service.name };
}
