/** Hypercalls (`trap`): the calling convention as data, services as rows. The number is in R0, arguments in R1 to R3, the result in R0. */
import type { Hypercalls, Vcpu } from '@countervisor/contract';
import type { GeneralName } from './registers/general.ts';

export type ServiceName = 'version' | 'console' | 'exit' | 'start' | 'yield';

export const SERVICES: Readonly<Record<ServiceName, number>> = { version: 0, console: 1, exit: 2, start: 3, yield: 4 };

/** What an unknown number answers: -1. */
export const UNKNOWN = 0xffff_ffff_ffff_ffffn;

const source = 'hypercall.ts';

export const hypercalls: Hypercalls<GeneralName> = {
  convention: { number: 'R0', arguments: ['R1', 'R2', 'R3'], result: 'R0' },
  services: {
    [SERVICES.version]: { name: 'version', source, call: () => 1n },
    [SERVICES.console]: {
      name: 'console',
      source,
      call(vcpu: Vcpu, [byte = 0n]): bigint {
        vcpu.console(Number(byte & 0xffn));
        return 0n;
      },
    },
    [SERVICES.exit]: {
      name: 'exit',
      source,
      call(vcpu: Vcpu, [status = 0n]): bigint {
        vcpu.domain.exit('poweroff', Number(status & 0xffff_ffffn));
        return 0n;
      },
    },
    [SERVICES.start]: {
      name: 'start',
      source,
      // R1: which vCPU, R2: its first instruction, R3: what it finds in R0. Answers 0, or -1 for one that does not exist or is on.
      call(vcpu: Vcpu, [index = 0n, entry = 0n, argument = 0n]): bigint {
        if (index >= BigInt(vcpu.siblings)) return UNKNOWN;
        return vcpu.domain.start(Number(index), entry, argument) ? 0n : UNKNOWN;
      },
    },
    [SERVICES.yield]: {
      name: 'yield',
      source,
      call(vcpu: Vcpu): bigint {
        vcpu.domain.yield();
        return 0n;
      },
    },
  },
  unknown: () => UNKNOWN,
};
