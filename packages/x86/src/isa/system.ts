/** The helpers that lifts of system instructions call, by the names of isa/calls.ts. */
import type { Vcpu } from '@countervisor/contract';
import { attempt, Draft } from './draft.ts';
import { farCall, farJump, farReturn, iret } from './far.ts';
import { interrupt, ioFault } from './interrupts.ts';
import { accessRights, checkAccess, loadLocal, loadSegment, loadTask, segmentLimit, verify } from './segments.ts';
import { syscall, sysenter, sysexit, sysret } from './syscall.ts';

type Helper = (vcpu: Vcpu, args: readonly bigint[]) => bigint;

export const systemCalls: Readonly<Record<string, Helper>> = {
  interrupt: (vcpu, [vector = 0n, next = 0n, kind = 0n]) => interrupt(vcpu, vector, next, kind),
  iret: (vcpu, [size = 0n]) => iret(vcpu, size),
  'far-jump': (vcpu, [selector = 0n, offset = 0n, size = 0n]) => farJump(vcpu, selector, offset, size),
  'far-call': (vcpu, [selector = 0n, offset = 0n, size = 0n, next = 0n]) => farCall(vcpu, selector, offset, size, next),
  'far-return': (vcpu, [size = 0n, release = 0n]) => farReturn(vcpu, size, release),
  'load-segment': (vcpu, [number = 0n, selector = 0n]) =>
    attempt(vcpu, (draft) => loadSegment(draft, Number(number), selector & 0xffffn)),
  'load-ldtr': (vcpu, [selector = 0n]) => attempt(vcpu, (draft) => loadLocal(draft, selector & 0xffffn)),
  'load-tr': (vcpu, [selector = 0n]) => attempt(vcpu, (draft) => loadTask(draft, selector & 0xffffn)),
  'access-rights': (vcpu, [selector = 0n]) => accessRights(new Draft(vcpu), selector & 0xffffn),
  'segment-limit': (vcpu, [selector = 0n]) => segmentLimit(new Draft(vcpu), selector & 0xffffn),
  verify: (vcpu, [selector = 0n, write = 0n]) => verify(new Draft(vcpu), selector & 0xffffn, write === 1n),
  syscall: (vcpu, [next = 0n]) => syscall(vcpu, next),
  sysret: (vcpu, [size = 0n]) => sysret(vcpu, size),
  sysenter: (vcpu) => sysenter(vcpu),
  sysexit: (vcpu, [size = 0n]) => sysexit(vcpu, size),
  'io-fault': (vcpu, [port = 0n, bytes = 0n]) => ioFault(vcpu, port, bytes),
  invlpg(vcpu) {
    vcpu.changed('translation');
    return 0n;
  },
  'segment-fault': (vcpu, [number = 0n, offset = 0n, bytes = 0n, write = 0n]) =>
    attempt(vcpu, () => checkAccess(vcpu, Number(number), offset, bytes, write === 1n)),
};
