/** A guest's call to its hypervisor: number and arguments from the registers of the convention, the service from the table, the result back. */
import type { Outcome } from '@countervisor/contract';
import { hex, told } from '../report/errors.ts';
import type { VcpuRuntime } from '../vcpu.ts';

export function hypercall(v: VcpuRuntime): Outcome {
  const { handle } = v;
  const { hypercalls } = v.domain.arch.arch;
  const { convention } = hypercalls;
  const number = handle.get(convention.number);
  const service = v.domain.services[number.toString()] ?? hypercalls.services[number.toString()];
  if (service === undefined) {
    const facts = { domain: v.domain.name, arch: v.domain.arch.arch.name, pc: hex(v.domain.pc(v)) };
    const name = hypercalls.names?.[number.toString()];
    v.domain.diagnose(...told('CV_UNKNOWN_HYPERCALL', { ...facts, number: number.toString(), hex: hex(number), name }));
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
