/**
 * The `virt` machine: QEMU's memory map, so that images made for it run unmodified.
 * QEMU docs/system/arm/virt.rst; interrupts PPI 7 (PMU, INTID 23), PPI 11 and 14 (timers, 27 and 30), SPI 1 (PL011, 33).
 */
import { type BootFacts, CountervisorError, type Exception, type Platform, type View } from '@countervisor/contract';
import { edge, gicVersion, isFiq, signalled } from './gic.ts';
import { gicd } from './gicd.ts';
import { gicc } from './gicv2.ts';
import { gicr } from './gicv3.ts';
import { pl011, uartLine } from './pl011.ts';
import { physical, timerDeadline, timerLine, virtual } from './timer.ts';
import { deviceTree, treeAddress } from './tree.ts';

const UART_INTID = 33;

/** PSTATE.I and PSTATE.F in DAIF. */
const IRQ_MASKED = 0x80n;
const FIQ_MASKED = 0x40n;

function interrupt(view: View): Exception | undefined {
  const masks = view.get('DAIF') & (IRQ_MASKED | FIQ_MASKED);
  if (masks === (IRQ_MASKED | FIQ_MASKED)) return undefined;
  const found = signalled(view);
  if (found === undefined) return undefined;
  const fiq = isFiq(view, found.group);
  if ((masks & (fiq ? FIQ_MASKED : IRQ_MASKED)) !== 0n) return undefined;
  return { kind: fiq ? 'fiq' : 'irq' };
}

/** General registers are 0 at entry, as QEMU leaves them; X0 is the only one with a meaning. */
const CLEAR: readonly (readonly [string, bigint])[] = Array.from({ length: 30 }, (_, i) => [`X${i + 1}`, 0n] as const);

/** EL1h, everything masked, translation and caches off: the state in which an image or a started vCPU begins. */
const RESET: readonly (readonly [string, bigint])[] = [
  ...CLEAR,
  ['SP', 0n],
  ['EL', 1n],
  ['SPSEL', 1n],
  ['DAIF', 0x3c0n],
  ['IL', 0n],
  ['SS', 0n],
  ['PAN', 0n],
  ['EXCLUSIVE_SIZE', 0n],
];

/** SCTLR_EL1 bits that must be 0 where a vCPU starts: M, A, C, SA, SA0, I, WXN. */
const CONTROLS = 0x8_101fn;

function entry(facts: BootFacts): readonly (readonly [string, bigint])[] {
  if (gicVersion(facts.view) === 2 && facts.vcpus > 8) {
    throw new CountervisorError(
      'CV_GIC_VCPUS',
      `A GICv2 serves 8 vCPUs, and the domain has ${facts.vcpus}.`,
      'Ask for a GICv3 (gic_version = "v3" in the domain\'s file), or for fewer vCPUs.',
    );
  }
  return [...RESET, ['X0', facts.deviceTree], ['PC', facts.entry]];
}

/** What kvm-unit-tests prints as it ends: (code << 1) | 1. */
const STATUS = /^EXIT: STATUS=(-?\d{1,15})/gm;

/** The exit code in the last such line: the status without its lowest bit. */
function told(console: string): number | undefined {
  const last = [...console.matchAll(STATUS)].at(-1)?.[1];
  return last === undefined ? undefined : Math.floor(Number(last) / 2);
}

export const virt: Platform = {
  name: 'virt',
  means: "QEMU's virt machine: RAM at 1 GiB, PL011, GICv2 or GICv3 (setting gic), generic timer, PSCI by HVC.",
  ram: { base: 0x4000_0000n, most: 0xff_0000_0000n - 0x4000_0000n },
  devices: [
    gicd(0x0800_0000n),
    gicc(0x0801_0000n),
    gicr(0x080a_0000n),
    pl011(0x0900_0000n, (view) => edge(view, UART_INTID)),
  ],
  images: { elf: [183], classes: [64], orders: ['little'], elfBase: 0x4008_0000n, flat: 0x4008_0000n },
  sources: {
    'virtual-timer': (view) => timerLine(view, virtual),
    'physical-timer': (view) => timerLine(view, physical),
    uart: uartLine,
  },
  interrupt,
  wakes: (view) => signalled(view) !== undefined,
  deadline: timerDeadline,
  deviceTree,
  treeAddress,
  entry,
  start: (view, at, argument) => [
    ...RESET,
    ['SCTLR_EL1', view.get('SCTLR_EL1') & ~CONTROLS],
    ['X0', argument],
    ['PC', at],
  ],
  code: (_status, console) => told(console),
  verdict: (status, console) => ((told(console) ?? status) === 0 ? 'passed' : 'failed'),
};
