/**
 * What an alert leaves: SIAR, SDAR and SIER; and the branch history. Power ISA 3.0B, book III, 9.4.8 to 9.5; book II, 8 (BHRB).
 *
 * Sampling is continuous: the instruction at whose boundary the alert occurs is the one. Random sampling and thresholds (MMCRA[SAMPLE_ENABLE]) are not
 * modelled: with it set, SIAR is the same.
 */
import type { Branch, Counted, Isa, Retired, Sampling, Vcpu, View } from '@countervisor/contract';
import { isModern, MMCR0, MMCRA, SIER } from './registers/mmcr.ts';
import { BHRB_ENTRIES } from './registers/sampling.ts';

/** Notes the place of an alert. */
export function note(vcpu: Vcpu, { pc, level, access }: Pick<Retired, 'pc' | 'level' | 'access'>): void {
  vcpu.set('ALERTED', 0n);
  vcpu.set('SIAR', pc);
  if (access !== undefined) vcpu.set('SDAR', access.address);
  const problem = level === 0;
  if (isModern(vcpu)) {
    vcpu.set('SIER', SIER.SIAR_VALID | (access === undefined ? 0n : SIER.SDAR_VALID) | (problem ? SIER.SIPR : 0n));
    return;
  }
  const others = vcpu.get('MMCRA') & ~(MMCRA.SIPR | MMCRA.SIHV);
  vcpu.set('MMCRA', others | (problem ? MMCRA.SIPR : 0n));
}

function boundary(vcpu: Vcpu, _counted: readonly Counted[], retired: Retired): undefined {
  if (vcpu.get('ALERTED') !== 0n) note(vcpu, retired);
}

/** Branches are written down while alerts are enabled, in problem state with BHRBA, or at any level the operating system asks for. */
function branches(view: View, level: number): boolean {
  if (!isModern(view)) return false;
  const mmcr0 = view.get('MMCR0');
  if ((mmcr0 & MMCR0.PMAE) === 0n || (mmcr0 & MMCR0.BHRBA) === 0n) return false;
  if (view.cpu.features.has('isa-3.1') && (view.get('MMCRA') & MMCRA.BHRB_DISABLE) !== 0n) return false;
  return level === 0;
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
