/**
 * The `pseries` machine: a PAPR partition as QEMU has it, entered without firmware by the flattened device tree. Memory from 0, no devices in it: console, power
 * and processors are hypercalls. QEMU docs/system/ppc/pseries; Linux Documentation/arch/powerpc/bootwrapper (r3 = tree, r5 = 0).
 */
import type { BootFacts, Exception, Platform, Vcpu, View } from '@countervisor/contract';
import { branchDue, latchTimeBase, timeBaseDeadline } from '../overflow.ts';
import { MSR } from '../registers/msr.ts';
import { type Processor, partition, processor } from './processor.ts';
import { decrementerDeadline, decrementerException, latchDecrementer } from './timer.ts';
import { deviceTree, treeAddress } from './tree.ts';

/** Where QEMU puts a kernel, and enters it. */
const KERNEL = 0x40_0000n;

/** What waits to be taken when EE is 1, in this order. Nothing raises an external interrupt: there is no interrupt controller. */
function pending(view: View): Exception | undefined {
  if (decrementerException(view)) return { kind: 'decrementer' };
  return view.line('pmu') ? { kind: 'performance-monitor' } : undefined;
}

function interrupt(view: View): Exception | undefined {
  const due = view.get('TRACE_DUE');
  if (due !== 0n) return { kind: 'trace', syndrome: due };
  if (branchDue(view)) return { kind: 'event-based-branch' };
  return (view.get('MSR') & MSR.EE) === 0n ? undefined : pending(view);
}

function latch(vcpu: Vcpu): void {
  latchDecrementer(vcpu);
  latchTimeBase(vcpu);
}

function deadline(view: View): bigint {
  const decrementer = decrementerDeadline(view);
  const event = timeBaseDeadline(view);
  return event !== undefined && event < decrementer ? event : decrementer;
}

/** Every register that an instruction reaches by name starts at 0, as QEMU leaves them. */
const CLEAR: readonly (readonly [string, bigint])[] = [
  ...Array.from({ length: 32 }, (_, n) => [`GPR${n}`, 0n] as const),
  ...Array.from({ length: 8 }, (_, n) => [`CR${n}`, 0n] as const),
  ...['SO', 'OV', 'CA', 'OV32', 'CA32', 'XER_COUNT', 'LR', 'CTR', 'RESERVE_SIZE', 'TRACE_DUE'].map(
    (name) => [name, 0n] as const,
  ),
];

/** 32-bit mode, big-endian, real mode, interrupts off. ME is the hypervisor's, which sets it for its guests (KVM does; QEMU's TCG leaves it 0). */
const ENTRY = MSR.ME;

const state = (entry: bigint, argument: bigint): readonly (readonly [string, bigint])[] => [
  ...CLEAR,
  ['MSR', ENTRY],
  ['GPR3', argument],
  ['NIA', entry],
];

/** What kvm-unit-tests prints as it ends: (code << 1) | 1. */
const STATUS = /^EXIT: STATUS=(-?\d{1,15})/gm;

/** The exit code in the last such line: the status without its lowest bit. */
function told(console: string): number | undefined {
  const last = [...console.matchAll(STATUS)].at(-1)?.[1];
  return last === undefined ? undefined : Math.floor(Number(last) / 2);
}

export const pseries: Platform = {
  name: 'pseries',
  means:
    "QEMU's pseries machine without its firmware: RAM at 0, hcall console, RTAS, decrementer; entered by device tree.",
  ram: { base: 0n, most: 1n << 50n },
  devices: [processor, partition],
  images: {
    elf: [21],
    classes: [64],
    orders: ['big', 'little'],
    elfBase: KERNEL,
    flat: KERNEL,
    descriptors: '.opd',
  },
  sources: { decrementer: decrementerException },
  latch,
  interrupt,
  // A thread that has ceded has EE set; one in wait wakes for what is masked, too.
  wakes: (view) => pending(view) !== undefined || view.device<Processor>('processor').prodded !== 0,
  deadline,
  deviceTree,
  treeAddress,
  entry: (facts: BootFacts) => state(facts.entry, facts.deviceTree),
  start: (_view, at, argument) => state(at, argument),
  code: (_status, console) => told(console),
  verdict: (status, console) => ((told(console) ?? status) === 0 ? 'passed' : 'failed'),
};
