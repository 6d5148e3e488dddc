/**
 * The `pc` machine: QEMU's ports and addresses, so that images made for `qemu-system-x86_64 -kernel` with a Multiboot header run unmodified; an ELF image without one
 * starts the same way. No firmware, no ACPI tables (a guest that looks for the RSDP finds none), no PCI devices, no interrupt wires: the local APICs are
 * what interrupts. The A20 gate is open.
 */
import type { BootBlock, BootFacts, Platform, Vcpu, View, Writes } from '@countervisor/contract';
import { lapic } from './apicregs.ts';
import { ioapic } from './ioapic.ts';
import { boundary, interrupt, latchBoundary, pending, performanceInterrupt, wakes } from './lapic.ts';
import { ports } from './ports.ts';
import { latchTimer, timerDeadline, timerDue } from './timer.ts';
import { com1 } from './uart.ts';

const IOAPIC_BASE = 0xfec0_0000n;
const LAPIC_BASE = 0xfee0_0000n;

/** Where QEMU's option ROM leaves the information block. */
const BLOCK = 0x9500n;

const GENERAL = [
  'RAX', 'RCX', 'RDX', 'RBX', 'RSP', 'RBP', 'RSI', 'RDI', 'R8', 'R9', 'R10', 'R11', 'R12', 'R13', 'R14', 'R15',
]; // biome-ignore format: one line, in the order of their numbers

const SEGMENTS = ['ES', 'SS', 'DS', 'FS', 'GS'];

/** What INIT leaves: SDM volume 3, table 10-1. MSRs keep their values. */
const RESET: Writes = [
  ...GENERAL.map((name) => [name, 0n] as const),
  ['CR0', 0x6000_0010n],
  ['CR2', 0n],
  ['CR3', 0n],
  ['CR4', 0n],
  ['EFER', 0n],
  ['CPL', 0n],
  ['RFLAGS', 2n],
  ['DR6', 0xffff_0ff0n],
  ['DR7', 0x400n],
  ...SEGMENTS.flatMap(
    (name) =>
      [
        [name, 0n],
        [`${name}_BASE`, 0n],
        [`${name}_LIMIT`, 0xffffn],
        [`${name}_AR`, 0x93n],
      ] as const,
  ),
  ['CS_LIMIT', 0xffffn],
  ['CS_AR', 0x9bn],
  ['LDTR', 0n],
  ['LDTR_BASE', 0n],
  ['LDTR_LIMIT', 0xffffn],
  ['LDTR_AR', 0x82n],
  ['TR', 0n],
  ['TR_BASE', 0n],
  ['TR_LIMIT', 0xffffn],
  ['TR_AR', 0x8bn],
  ['GDTR_BASE', 0n],
  ['GDTR_LIMIT', 0xffffn],
  ['IDTR_BASE', 0n],
  ['IDTR_LIMIT', 0xffffn],
  ['NMI_BLOCKED', 0n],
  ['SHADOW', 0x8000_0000_0000_0000n],
  ['SHADOW_SINCE', 0n],
  ['STEP_SINCE', 0n],
];

/** Multiboot 0.6.96, 3.2: 32-bit protected mode, flat segments, paging off, A20 open. Selectors are those of QEMU's option ROM. */
function entry(facts: BootFacts): Writes {
  const flat = (name: string, selector: bigint, ar: bigint): Writes => [
    [name, selector],
    [`${name}_BASE`, 0n],
    [`${name}_LIMIT`, 0xffff_ffffn],
    [`${name}_AR`, ar],
  ];
  return [
    ...RESET,
    ['CR0', 0x11n],
    ...flat('CS', 8n, 0xc09bn),
    ...SEGMENTS.flatMap((name) => flat(name, 0x10n, 0xc093n)),
    ['RAX', 0x2bad_b002n],
    ['RBX', BLOCK],
    ['RIP', facts.entry],
  ];
}

/** Real mode at a page below 1 MiB: what a start-up message asks for. SDM volume 3, 8.4.4. */
function start(view: View, at: bigint): Writes {
  return [...RESET, ['RDX', view.cpu.identity.SIGNATURE ?? 0n], ['CS', at >> 4n], ['CS_BASE', at], ['RIP', at]];
}

const KIB = 1024n;
const MIB = 1024n * KIB;

/** Memory as QEMU's firmware reports it: 639 KiB, the hole, and what is above 1 MiB. */
function bootBlock(facts: BootFacts, file: string): BootBlock {
  const low = 639n * KIB;
  const upper = facts.memory > MIB ? facts.memory - MIB : 0n;
  return {
    format: 'multiboot',
    address: BLOCK,
    lower: low,
    upper,
    commandLine: facts.bootargs === '' ? file : `${file} ${facts.bootargs}`,
    loader: 'countervisor',
    map: [
      { base: 0n, length: low, usable: true },
      { base: low, length: MIB - low, usable: false },
      { base: MIB, length: upper, usable: true },
      { base: LAPIC_BASE, length: 0x1000n, usable: false },
    ],
  };
}

/** Edges become requests: the timer's, and that of the PMU's line. */
function latch(vcpu: Vcpu): void {
  latchBoundary(vcpu);
  latchTimer(vcpu);
  // The monitors' request is an edge: it is gone once the local APIC has looked, whether LVTPC took it or not.
  if (vcpu.line('pmu')) {
    performanceInterrupt(vcpu);
    vcpu.set('PMI', 0n);
  }
}

const earlier = (a: bigint | undefined, b: bigint | undefined): bigint | undefined =>
  a === undefined || (b !== undefined && b < a) ? b : a;

export const pc: Platform = {
  name: 'pc',
  means:
    "QEMU's pc machine: Multiboot, COM1, local APICs, I/O APIC, masked 8259s, fw_cfg, exit port 0xF4. No ACPI tables.",
  ram: { base: 0n, most: 0xe000_0000n },
  devices: [ioapic(IOAPIC_BASE), lapic(LAPIC_BASE), com1(0x3f8n), ...ports],
  images: {
    elf: [3, 62],
    classes: [32, 64],
    orders: ['little'],
    elfBase: 0x10_0000n,
    flat: 0x10_0000n,
    multiboot: true,
  },
  sources: { timer: (view) => timerDue(view), interrupt: (view) => pending(view) >= 0 },
  latch,
  interrupt,
  wakes: (view) => wakes(view) || (timerDue(view) && (view.get('SYSTEM_FLAGS') & 0x200n) !== 0n),
  deadline: (view) => earlier(boundary(view), timerDeadline(view)),
  bootBlock,
  entry,
  start,
  // What kvm-unit-tests writes to port 0xF4 comes back as (code << 1) | 1.
  code: (status) => ((status & 1) === 1 ? status >>> 1 : undefined),
  verdict: (status) => (status === 1 ? 'passed' : 'failed'),
};
