/**
 * The device tree of the `virt` machine: what kvm-unit-tests and Linux look for, with QEMU's names and addresses.
 * Devicetree Specification v0.4; Linux bindings arm/cpus, arm/psci, arm/pmu, timer/arm,arch_timer, interrupt-controller/arm,gic and arm,gic-v3,
 * serial/pl011.
 */
import type { BootFacts, FdtNode, FdtValue } from '@countervisor/contract';
import { pmuVersion } from '../features.ts';
import { affinity, pmuHidden } from '../registers/identity.ts';
import { gicVersion } from './gic.ts';
import { REDISTRIBUTORS } from './gicv3.ts';

/** Interrupt specifiers: type, number within the type, flags. */
const SPI = 0;
const PPI = 1;
const LEVEL_HIGH = 4;

const GIC = { phandle: 'gic' } as const;
const CLOCK = { phandle: 'clk24mhz' } as const;

/** A PPI of every vCPU. GICv2 wants the CPUs' mask in bits 15:8. */
function ppi(facts: BootFacts, intid: number): readonly [number, number, number] {
  const cpus = gicVersion(facts.view) === 2 ? ((1 << facts.vcpus) - 1) << 8 : 0;
  return [PPI, intid - 16, cpus | LEVEL_HIGH];
}

function cpus(facts: BootFacts): FdtNode {
  const children = Array.from({ length: facts.vcpus }, (_, index): FdtNode => {
    const reg = Number(affinity(index));
    return {
      name: `cpu@${reg.toString(16)}`,
      properties: {
        device_type: 'cpu',
        compatible: ['arm,armv8'],
        reg,
        ...(facts.vcpus > 1 && { 'enable-method': 'psci' }),
      },
    };
  });
  return { name: 'cpus', properties: { '#address-cells': 1, '#size-cells': 0 }, children };
}

function interruptController(facts: BootFacts): FdtNode {
  const common: Record<string, FdtValue> = {
    'interrupt-controller': true,
    '#interrupt-cells': 3,
    '#address-cells': 0,
  };
  if (gicVersion(facts.view) === 2) {
    return {
      name: 'intc@8000000',
      label: 'gic',
      properties: {
        compatible: 'arm,cortex-a15-gic',
        reg: [0x0800_0000n, 0x1_0000n, 0x0801_0000n, 0x1_0000n],
        ...common,
      },
    };
  }
  return {
    name: 'intc@8000000',
    label: 'gic',
    properties: {
      compatible: 'arm,gic-v3',
      reg: [0x0800_0000n, 0x1_0000n, 0x080a_0000n, BigInt(REDISTRIBUTORS)],
      '#redistributor-regions': 1,
      ...common,
    },
  };
}

/** Has the guest a PMU: one that its policy gives it, and that its own ID_AA64DFR0_EL1 shows? */
const hasPmu = ({ view }: BootFacts): boolean =>
  view.policy !== 'off' && pmuVersion(view.cpu.features) !== 0 && !pmuHidden(view);

export function deviceTree(facts: BootFacts): FdtNode {
  const chosen: Record<string, FdtValue> = { 'stdout-path': '/pl011@9000000' };
  if (facts.bootargs !== '') chosen.bootargs = facts.bootargs;
  return {
    name: '',
    properties: {
      'interrupt-parent': GIC,
      model: 'linux,dummy-virt',
      compatible: 'linux,dummy-virt',
      '#address-cells': 2,
      '#size-cells': 2,
    },
    children: [
      { name: 'chosen', properties: chosen },
      { name: 'memory@40000000', properties: { device_type: 'memory', reg: [0x4000_0000n, facts.memory] } },
      cpus(facts),
      {
        name: 'psci',
        properties: { compatible: ['arm,psci-1.0', 'arm,psci-0.2'], method: 'hvc' },
      },
      interruptController(facts),
      {
        name: 'timer',
        properties: {
          compatible: ['arm,armv8-timer', 'arm,armv7-timer'],
          // Secure physical, physical, virtual, hypervisor; the first and last never fire.
          interrupts: [29, 30, 27, 26].flatMap((intid) => ppi(facts, intid)),
          'always-on': true,
        },
      },
      ...(hasPmu(facts)
        ? [{ name: 'pmu', properties: { compatible: 'arm,armv8-pmuv3', interrupts: ppi(facts, 23) } }]
        : []),
      {
        name: 'apb-pclk',
        label: 'clk24mhz',
        properties: {
          compatible: 'fixed-clock',
          '#clock-cells': 0,
          'clock-frequency': 24_000_000,
          'clock-output-names': 'clk24mhz',
        },
      },
      {
        name: 'pl011@9000000',
        properties: {
          compatible: ['arm,pl011', 'arm,primecell'],
          reg: [0x0900_0000n, 0x1000n],
          interrupts: [SPI, 1, LEVEL_HIGH],
          clocks: [CLOCK, CLOCK],
          'clock-names': ['uartclk', 'apb_pclk'],
        },
      },
    ],
  };
}

const MIB = 0x10_0000n;
const up = (value: bigint, to: bigint): bigint => ((value + to - 1n) / to) * to;

/**
 * Behind the image and 2 MiB aligned. An image's end may not say where its zeroed data and stack end, so the tree keeps away: half of memory or
 * 128 MiB from the start, whichever is less, as QEMU does; nearer where memory is small; and in the last 2 MiB when all else is taken.
 */
export function treeAddress(facts: BootFacts, bytes: number): bigint {
  const base = 0x4000_0000n;
  const end = base + facts.memory;
  const half = facts.memory / 2n < 128n * MIB ? facts.memory / 2n : 128n * MIB;
  const far = up(base + half, 2n * MIB);
  const near = up(facts.imageEnd + MIB, 2n * MIB);
  const at = far > near ? far : near;
  if (at + BigInt(bytes) <= end) return at;
  if (near + BigInt(bytes) <= end) return near;
  const last = ((end - BigInt(bytes)) / 8n) * 8n;
  return last > facts.imageEnd ? last : up(facts.imageEnd, 8n);
}
