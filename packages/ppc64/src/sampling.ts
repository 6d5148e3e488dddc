/**
 * What an alert leaves: SIAR, SDAR and SIER; and the branch history. Power ISA 3.0B, book III, 9.4.8 to 9.5; book II, 8 (BHRB).
 *
 * Sampling is continuous: the instruction at whose boundary the alert occurs is the one. Random sampling and thresholds (MMCRA[SAMPLE_ENABLE]) are not
 * modelled: with it set, SIAR is the same.
 */
import type { Branch, Counted, Isa, Retired, Sampling, Vcpu, View } from '@countervisor/contract';
import { note } from './overflow.ts';
import { frozenByState, HYPERVISOR, isModern, MMCR0, MMCRA, PROBLEM } from './registers/mmcr.ts';
import { BHRB_ENTRIES } from './registers/sampling.ts';

function boundary(vcpu: Vcpu, counted: readonly Counted[], retired: Retired): undefined {
  const alerted = Number(vcpu.get('ALERTED')) - 1;
  if (counted.some(({ counter, wrapped }) => wrapped && counter === alerted)) note(vcpu, retired);
}

/**
 * Branches are written down while alerts are enabled and the buffer is not frozen with the counters; from version 3.1 on in problem state alone, and while
 * MMCRA does not disable it. MMCRA's filters are not modelled.
 */
function branches(view: View, level: number): boolean {
  if (!isModern(view) || level === HYPERVISOR) return false;
  const mmcr0 = view.get('MMCR0');
  if ((mmcr0 & MMCR0.PMAE) === 0n || frozenByState(mmcr0, level)) return false;
  if (!view.cpu.features.has('isa-3.1')) return true;
  return level === PROBLEM && (view.get('MMCRA') & MMCRA.BHRB_DISABLE) === 0n;
}

const TARGET = 2n;

function push(vcpu: Vcpu, entry: bigint): void {
  const next = Number(vcpu.get('BHRB_NEXT'));
  vcpu.set(`BHRB_${next}`, entry);
  vcpu.set('BHRB_NEXT', BigInt((next + 1) % BHRB_ENTRIES));
}

/** A branch whose target its instruction does not say has two entries: the target's is the older. Book II, 8.1. */
function branched(vcpu: Vcpu, { from, to, kind, name }: Branch): undefined {
  if (kind === 'exception' || kind === 'exception-return') return;
  if (/^bc?(lr|ctr|tar)/.test(name)) push(vcpu, (to & ~3n) | TARGET);
  push(vcpu, from & ~3n);
}

export const sampling: Sampling = { boundary, branches, branched };

/** mfbhrbe: entry n, the youngest first; 0 beyond the last. clrbhrb: all are 0. */
export const bhrb: Isa['helpers'] = {
  mfbhrbe: (vcpu, [n = 0n]) => {
    if (n >= BigInt(BHRB_ENTRIES)) return 0n;
    const next = Number(vcpu.get('BHRB_NEXT'));
    return vcpu.get(`BHRB_${(next - 1 - Number(n) + 2 * BHRB_ENTRIES) % BHRB_ENTRIES}`);
  },
  clrbhrb: (vcpu) => {
    for (let n = 0; n < BHRB_ENTRIES; n++) vcpu.set(`BHRB_${n}`, 0n);
    vcpu.set('BHRB_NEXT', 0n);
    return 0n;
  },
};
