/** Guests of the benchmark that are written here: loops of counter reads, the same handler called and as an interrupt, machines full of vCPUs, new code without end. */

import { arm64, asm } from '@countervisor/arm64';
import type { PolicyName } from '@countervisor/contract';
import { boot, type Domain, type DomainConfig, Machine, type MachineConfig } from '@countervisor/core';

const {
  add,
  adr,
  b,
  bcond,
  bl,
  cbnz,
  data,
  eret,
  hvc,
  label,
  ldr,
  load,
  mem,
  movz,
  mrs,
  msr,
  nop,
  ret,
  str,
  sub,
  subs,
} = asm;
type Item = asm.Item;

const BASE = 0x4008_0000n;
const INST_RETIRED = 0x08;
const OFF: Item = [load('X0', 0x8400_0008), hvc(0)];
const IRQ = 0x280;

const image = (...items: readonly Item[]): Uint8Array => asm.program(items, BASE).bytes;

/** GICv2: the PMU's interrupt enabled, any priority let through. */
const listen: Item = [
  load('X2', 0x0801_0000),
  movz('X3', 0xf0),
  str('W3', mem('X2', 4)),
  movz('X3', 1),
  str('W3', mem('X2')),
  load('X2', 0x0800_0000),
  load('X4', 1 << 23),
  str('W4', mem('X2', 0x100)),
  str('W3', mem('X2')),
];

/** Counter 0 counts instructions and wraps after `period` of them. */
const counting = (period: number): Item => [
  load('X25', BigInt.asUintN(32, -BigInt(period))),
  load('X0', 0xffff_ffff),
  msr('PMOVSCLR_EL0', 'X0'),
  msr('PMINTENCLR_EL1', 'X0'),
  msr('PMCNTENCLR_EL0', 'X0'),
  movz('X0', INST_RETIRED),
  msr('PMEVTYPER0_EL0', 'X0'),
  msr('PMEVCNTR0_EL0', 'X25'),
  movz('X0', 1),
  msr('PMINTENSET_EL1', 'X0'),
  msr('PMCNTENSET_EL0', 'X0'),
  msr('PMCR_EL0', 'X0'),
];

/** What a handler of the PMU's interrupt does: eleven instructions, two of them to the interrupt controller. */
const handler: Item = [
  mrs('X10', 'PMOVSCLR_EL0'),
  msr('PMOVSCLR_EL0', 'X10'),
  msr('PMEVCNTR0_EL0', 'X25'),
  load('X11', 0x0801_0000),
  ldr('W12', mem('X11', 0xc)),
  str('W12', mem('X11', 0x10)),
  add('X20', 'X20', 1),
];

/** Some arithmetic: six instructions. */
const work: Item = [add('X5', 'X5', 3), sub('X6', 'X5', 1), add('X7', 'X6', 'X5'), add('X8', 'X8', 'X7'), nop()];

export const programs = {
  /** Reads the cycle counter, four instructions each time. */
  reads: (times: number): Uint8Array =>
    image(
      load('X1', times),
      movz('X0', 1),
      msr('PMCR_EL0', 'X0'),
      load('X0', 0x8000_0000),
      msr('PMCNTENSET_EL0', 'X0'),
      label('again'),
      mrs('X4', 'PMCCNTR_EL0'),
      add('X5', 'X5', 'X4'),
      subs('X1', 'X1', 1),
      bcond('NE', 'again'),
      OFF,
    ),
  /** Works until so many interrupts have come, each after `period` instructions. */
  interrupted: (period: number, times: number): Uint8Array =>
    image(
      adr('X1', 'vectors'),
      msr('VBAR_EL1', 'X1'),
      listen,
      load('X21', times),
      counting(period),
      msr('DAIF', 'XZR'),
      label('again'),
      work,
      sub('X9', 'X20', 'X21'),
      cbnz('X9', 'again'),
      OFF,
      data(new Uint8Array(0), 2048),
      label('vectors'),
      data(new Uint8Array(IRQ)),
      handler,
      eret(),
    ),
  /** Calls the same handler as often, as many instructions apart, the PMU masked. */
  called: (period: number, times: number): Uint8Array =>
    image(
      listen,
      load('X21', times),
      label('again'),
      load('X1', Math.round(period / 8)),
      label('inner'),
      work,
      sub('X9', 'X20', 'X21'),
      subs('X1', 'X1', 1),
      bcond('NE', 'inner'),
      bl('handler'),
      sub('X9', 'X20', 'X21'),
      cbnz('X9', 'again'),
      OFF,
      label('handler'),
      handler,
      ret(),
    ),
  /** Programs the PMU and works for ever. */
  busy: (): Uint8Array => image(counting(1_000_000_000), label('again'), work, b('again')),
  /** Writes a function anew, calls it some thousand times, and so on for ever. */
  rewriting: (): Uint8Array =>
    image(
      load('X22', 0x9100_0400), // ADD X0, X0, #1
      label('again'),
      adr('X1', 'function'),
      add('X22', 'X22', 0x400), // the immediate grows
      load('X3', 0x913f_fc00),
      asm.and('X22', 'X22', 'X3'),
      load('X3', 0x9100_0000),
      asm.orr('X22', 'X22', 'X3'),
      str('W22', mem('X1')),
      load('X4', 5000),
      label('inner'),
      bl('function'),
      subs('X4', 'X4', 1),
      bcond('NE', 'inner'),
      b('again'),
      data(new Uint8Array(0), 4096),
      label('function'),
      nop(),
      add('X5', 'X5', 1),
      ret(),
    ),
} as const;

export function machine(config: Partial<MachineConfig>): Machine {
  const made = new Machine({ arch: arm64, cpu: 'neoverse-n1', personality: 'plain', ...config });
  made.events.on('diagnostic', ({ message }) => console.error(message));
  return made;
}

export function domain(
  on: Machine,
  name: string,
  bytes: Uint8Array,
  policy: PolicyName,
  more: Partial<DomainConfig> = {},
): Domain {
  const made = on.addDomain({ name, vcpus: 1, memory: 1024 * 1024, vpmu: true, policy, ...more });
  boot(on, made, { bytes, file: name, kind: 'flat' });
  return made;
}
