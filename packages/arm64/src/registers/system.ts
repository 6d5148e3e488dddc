/**
 * Operations that A64 writes as system registers with op0 = 1: TLB, cache and address translation. Arm DDI 0487, C5.3 to C5.5.
 * Range, outer shareable and nXS forms of TLBI, DC CVADP and PAN forms of AT belong to features that no model has.
 */
import type { PhysicalMemory, Vcpu } from '@countervisor/contract';
import { sysreg } from '../address.ts';
import { FSC } from '../isa/exceptions.ts';
import { type Page, rights, walk } from '../isa/mmu.ts';
import { type Row, type Rows, slot, whole } from './row.ts';

type Place = readonly [op1: number, crn: number, crm: number, op2: number];

const operation = (
  [op1, crn, crm, op2]: Place,
  means: string,
  write: (vcpu: Vcpu, value: bigint) => void,
  more: Partial<Row> = {},
): Row => ({
  at: sysreg(1, op1, crn, crm, op2),
  width: 64,
  reset: 0n,
  read: 'never',
  write: 'el1',
  fields: whole(means),
  derive: () => 0n,
  action: { write },
  ...more,
});

/** What a TLBI names. The soft-TLB has no tags: each of them drops everything, which the architecture permits at any time. */
const TLBI: readonly (readonly [name: string, op2: number, means: string])[] = [
  ['VMALLE1', 0, 'Every translation of the EL1&0 regime.'],
  ['VAE1', 1, 'By address and ASID.'],
  ['ASIDE1', 2, 'By ASID.'],
  ['VAAE1', 3, 'By address, every ASID.'],
  ['VALE1', 5, 'By address and ASID, last level.'],
  ['VAALE1', 7, 'By address, every ASID, last level.'],
];

/** Inner shareable forms reach every vCPU of the domain. */
function forget(vcpu: Vcpu, everywhere: boolean): void {
  vcpu.changed('translation');
  if (!everywhere) return;
  for (let index = 0; index < vcpu.siblings; index++) {
    if (index !== vcpu.index) vcpu.domain.vcpu(index).changed('translation');
  }
}

const tlbi: Rows = Object.fromEntries(
  TLBI.flatMap(([name, op2, means]) => [
    [`TLBI_${name}`, operation([0, 8, 7, op2], means, (vcpu) => forget(vcpu, false))],
    [`TLBI_${name}IS`, operation([0, 8, 3, op2], `${means} Inner shareable.`, (vcpu) => forget(vcpu, true))],
  ]),
);

/** Caches hold nothing back here. An address that does not translate is not looked at, where the manual has a fault. */
const nothing = (): void => {};
const atEl0 = (group: string): Partial<Row> => ({ write: 'el0', traps: [group] });

const caches: Rows = {
  IC_IALLUIS: operation([0, 7, 1, 0], 'Instruction caches, inner shareable.', nothing),
  IC_IALLU: operation([0, 7, 5, 0], 'Instruction caches.', nothing),
  IC_IVAU: operation([3, 7, 5, 1], 'Instruction caches by address.', nothing, atEl0('UCI')),
  DC_IVAC: operation([0, 7, 6, 1], 'Invalidate by address.', nothing),
  DC_ISW: operation([0, 7, 6, 2], 'Invalidate by set and way.', nothing),
  DC_CSW: operation([0, 7, 10, 2], 'Clean by set and way.', nothing),
  DC_CISW: operation([0, 7, 14, 2], 'Clean and invalidate by set and way.', nothing),
  DC_CVAC: operation([3, 7, 10, 1], 'Clean by address.', nothing, atEl0('UCI')),
  DC_CVAU: operation([3, 7, 11, 1], 'Clean to the point of unification.', nothing, atEl0('UCI')),
  DC_CVAP: operation([3, 7, 12, 1], 'Clean to the point of persistence.', nothing, { ...atEl0('UCI'), needs: 'dpb' }),
  DC_CIVAC: operation([3, 7, 14, 1], 'Clean and invalidate by address.', nothing, atEl0('UCI')),
  // The instruction's own row stores the zeros, once this one has said that it may.
  DC_ZVA: operation([3, 7, 4, 1], 'Zero by address.', nothing, atEl0('DZE')),
};

/** PAR_EL1 after a fault: F, FST, and bit 11, which is 1. */
const failed = (fsc: number): bigint => 0x801n | (BigInt(fsc) << 1n);

/** PAR_EL1 after success: PA[47:12], memory attributes, shareability, bit 11. Device and non-cacheable memory is outer shareable. */
function found(page: Page): bigint {
  const address = BigInt(page.physical) & 0xffff_ffff_f000n;
  const uncached = (page.attributes & 0xf0) === 0 || page.attributes === 0x44;
  const shareability = BigInt(uncached ? 2 : page.shareability);
  return (BigInt(page.attributes) << 56n) | address | 0x800n | (shareability << 7n);
}

/** AT S1E<level>{R,W}: as an access of that kind from that level would find. PAN does not ask. */
function translateAt(vcpu: Vcpu, virtual: bigint, level: 0 | 1, kind: 'read' | 'write'): void {
  const memory: PhysicalMemory = {
    read(physical, size) {
      const bytes = vcpu.domain.read(physical, size);
      if (bytes === undefined) return undefined;
      let value = 0n;
      for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
      return value;
    },
    write: () => false,
  };
  const sctlr = Number(vcpu.get('SCTLR_EL1') & 0xffff_ffffn);
  const page = walk(vcpu, virtual, sctlr, memory);
  let par: bigint;
  if (typeof page === 'number') par = failed(page);
  else if ((sctlr & 1) !== 0 && !rights(page, level, false, false)[kind]) par = failed(FSC.permission + page.level);
  else par = found(page);
  vcpu.set('PAR_EL1', par);
}

const at: Rows = {
  AT_S1E1R: operation([0, 7, 8, 0], 'Translate as EL1 reads.', (vcpu, value) => translateAt(vcpu, value, 1, 'read')),
  AT_S1E1W: operation([0, 7, 8, 1], 'Translate as EL1 writes.', (vcpu, value) => translateAt(vcpu, value, 1, 'write')),
  AT_S1E0R: operation([0, 7, 8, 2], 'Translate as EL0 reads.', (vcpu, value) => translateAt(vcpu, value, 0, 'read')),
  AT_S1E0W: operation([0, 7, 8, 3], 'Translate as EL0 writes.', (vcpu, value) => translateAt(vcpu, value, 0, 'write')),
};

export const system: Rows = {
  ...tlbi,
  ...caches,
  ...at,
  /** The function number of a hypercall: 32 bits, whatever is above them (SMCCC, DEN 0028 2.7). */
  W0: slot('Bits 31:0 of X0.', 0n, { write: 'never', derive: (view) => view.get('X0') & 0xffff_ffffn }),
};
