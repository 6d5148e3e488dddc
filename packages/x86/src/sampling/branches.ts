/**
 * Branches that are written down: last branch records and the branch trace store. Intel SDM volume 3, 18.4.4 to 18.4.9, 18.9 to 18.12, 19.
 */
import type { Branch, Exception, Vcpu, View } from '@countervisor/contract';
import { DEBUGCTL, STATUS } from '../registers/debugctl.ts';
import { perfmon } from '../registers/perfmon.ts';
import { depth } from '../registers/sampling.ts';
import { buffered } from './pebs.ts';
import { isFault, readStore, wordSize, words, writeLinear, writeStore } from './store.ts';

export type Kind =
  | 'conditional'
  | 'relative-call'
  | 'indirect-call'
  | 'near-return'
  | 'indirect-jump'
  | 'relative-jump'
  | 'far';

/** LBR_SELECT's bit that leaves a kind out; the architectural facility's that takes it in, and its type in LBR_INFO[59:56] (table 19-2). */
const KINDS: Readonly<Record<Kind, { readonly out: number; readonly in: number; readonly type: bigint }>> = {
  conditional: { out: 2, in: 16, type: 0n },
  'relative-call': { out: 3, in: 19, type: 4n },
  'indirect-call': { out: 4, in: 20, type: 3n },
  'near-return': { out: 5, in: 21, type: 5n },
  'indirect-jump': { out: 6, in: 18, type: 1n },
  'relative-jump': { out: 7, in: 17, type: 2n },
  far: { out: 8, in: 22, type: 8n },
};

/** Relative near branches by the operand in their row's name (isa/instructions/branch.ts). */
const relative = (name: string): boolean => /\bJ[bz]\b/.test(name);

export function kindOf({ kind, name }: Pick<Branch, 'kind' | 'name'>): Kind {
  if (kind === 'exception' || kind === 'exception-return') return 'far';
  const [mnemonic, second] = name.split(' ');
  if (second === 'far') return 'far';
  if (mnemonic === 'Jcc' || mnemonic === 'JCXZ' || mnemonic?.startsWith('LOOP') === true) return 'conditional';
  if (mnemonic === 'CALL') return relative(name) ? 'relative-call' : 'indirect-call';
  if (mnemonic === 'RET') return 'near-return';
  if (mnemonic === 'JMP') return relative(name) ? 'relative-jump' : 'indirect-jump';
  return 'far';
}

const architectural = (view: View): boolean => perfmon(view).lbr?.from === 'architectural';

function recording(view: View): boolean {
  if (perfmon(view).lbr === undefined || !view.cpu.features.has('lbr_any')) return false;
  if ((view.get('IA32_PERF_GLOBAL_STATUS') & STATUS.LBR_FRZ) !== 0n) return false;
  return architectural(view)
    ? (view.get('IA32_LBR_CTL') & 1n) !== 0n
    : (view.get('IA32_DEBUGCTL') & DEBUGCTL.LBR) !== 0n;
}

const TRACE = DEBUGCTL.TR | DEBUGCTL.BTS;

function tracing(view: View): boolean {
  return view.cpu.features.has('ds') && (view.get('IA32_DEBUGCTL') & TRACE) === TRACE;
}

/** Are branches written down now? Which ones is asked for each. */
export function writesBranches(view: View): boolean {
  return recording(view) || tracing(view);
}

const CALL_STACK = 1n << 9n;

function wanted(view: View, branch: Branch, kind: Kind): boolean {
  const toKernel = branch.levels[1] > 0;
  const has = (bits: bigint, n: number): boolean => ((bits >> BigInt(n)) & 1n) === 1n;
  if (architectural(view)) {
    const control = view.get('IA32_LBR_CTL');
    return has(control, toKernel ? 1 : 2) && has(control, KINDS[kind].in);
  }
  const select = view.get('MSR_LBR_SELECT');
  return !has(select, toKernel ? 0 : 1) && !has(select, KINDS[kind].out);
}

/** Do calls push and returns pop? */
function stacked(view: View): boolean {
  return architectural(view)
    ? (view.get('IA32_LBR_CTL') & 8n) !== 0n
    : (view.get('MSR_LBR_SELECT') & CALL_STACK) !== 0n;
}

function push(vcpu: Vcpu, branch: Branch, kind: Kind): void {
  const most = depth(vcpu);
  const top = Number(vcpu.get('LBR_TOS'));
  if (stacked(vcpu) && kind === 'near-return') {
    for (const what of ['FROM', 'TO', 'INFO']) vcpu.set(`LBR_${what}_${top}`, 0n);
    vcpu.set('LBR_TOS', BigInt((top - 1 + most) % most));
    return;
  }
  const next = (top + 1) % most;
  const cycles = BigInt.asUintN(32, vcpu.now - vcpu.get('LBR_CYCLE'));
  vcpu.set('LBR_TOS', BigInt(next));
  vcpu.set(`LBR_FROM_${next}`, branch.from);
  vcpu.set(`LBR_TO_${next}`, branch.to);
  if (perfmon(vcpu).lbr?.info === true) {
    const elapsed = cycles > 0xffffn ? 0xffffn : cycles;
    vcpu.set(`LBR_INFO_${next}`, architectural(vcpu) ? elapsed | (KINDS[kind].type << 56n) | (1n << 60n) : elapsed);
  }
  vcpu.set('LBR_CYCLE', BigInt.asUintN(32, vcpu.now));
}

/** BTS record: from, to, and bit 4 of the third word where the branch was predicted: all are. 24 bytes; 12 without DTES64. */
function trace(vcpu: Vcpu, branch: Branch): Exception | undefined {
  const control = vcpu.get('IA32_DEBUGCTL');
  const off = branch.levels[0] > 0 ? DEBUGCTL.BTS_OFF_OS : DEBUGCTL.BTS_OFF_USR;
  if ((control & off) !== 0n) return undefined;
  const store = readStore(vcpu);
  if (isFault(store)) return undefined;
  const bytes = words([branch.from, branch.to, 0x10n], wordSize(vcpu));
  const size = BigInt(bytes.length);
  const interrupts = (control & DEBUGCTL.BTINT) !== 0n;
  // Without the interrupt the buffer is a ring.
  const full = store.btsIndex + size > store.btsMaximum;
  if (full && interrupts) return undefined;
  const at = full ? store.btsBase : store.btsIndex;
  const failed = writeLinear(vcpu, at, bytes) ?? writeStore(vcpu, 'btsIndex', at + size);
  if (failed === undefined && interrupts && at + size >= store.btsThreshold) buffered(vcpu);
  return undefined;
}

export function branched(vcpu: Vcpu, branch: Branch): Exception | undefined {
  const kind = kindOf(branch);
  if (recording(vcpu) && wanted(vcpu, branch, kind)) {
    if (!stacked(vcpu) || ['relative-call', 'indirect-call', 'near-return'].includes(kind)) push(vcpu, branch, kind);
  }
  return tracing(vcpu) ? trace(vcpu, branch) : undefined;
}
