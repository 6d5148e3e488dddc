/**
 * Interrupts of a guest: entry, return, and those that core itself can need. Power ISA 3.0B, book III, 6 (interrupt definitions; 6.4.3 how one is taken,
 * figure 64 MSR settings), 3.3.1 (rfid, rfscv), 4.4.3 (mtmsr); book II, 7 (event-based branches).
 *
 * Every interrupt here is the guest's own: MSR[HV] is not touched, SRR0 and SRR1 save. What the hypervisor takes (an hcall, a facility it has closed) is a cause
 * of traps.ts.
 */
import {
  type AccessKind,
  CountervisorError,
  type Decoded,
  type Exception,
  type Isa,
  type Vcpu,
  type View,
} from '@countervisor/contract';
import { tookDecrementer } from '../platform/timer.ts';
import { hypervisor, LPCR } from '../registers/hypervisor.ts';
import { afterMtmsr, afterMtmsrd, afterReturn, MSR, SRR1_INFORMATION, setMsr } from '../registers/msr.ts';
import { ILLEGAL, PRIVILEGED } from './row.ts';

/** What entering the handler takes from the kind alone. */
interface Kind {
  /** Effective address of the handler, with translation off. */
  readonly vector: bigint;
  /** The syndrome goes to SRR1, to DSISR, or to FSCR[IC]. */
  readonly syndrome?: 'SRR1' | 'DSISR' | 'FSCR';
  /** DAR gets the address. */
  readonly dar?: true;
  /** LPCR[AIL] does not move it. */
  readonly fixed?: true;
}

/** Every interrupt that a guest can take, by the name that rows, traps and devices use. Book III, figure 66. */
export const kinds: Readonly<Record<string, Kind>> = {
  'system-reset': { vector: 0x100n, fixed: true },
  'machine-check': { vector: 0x200n, syndrome: 'SRR1', dar: true, fixed: true },
  'data-storage': { vector: 0x300n, syndrome: 'DSISR', dar: true },
  'data-segment': { vector: 0x380n, dar: true },
  'instruction-storage': { vector: 0x400n, syndrome: 'SRR1' },
  'instruction-segment': { vector: 0x480n },
  external: { vector: 0x500n },
  alignment: { vector: 0x600n, dar: true },
  program: { vector: 0x700n, syndrome: 'SRR1' },
  'fp-unavailable': { vector: 0x800n },
  decrementer: { vector: 0x900n },
  'system-call': { vector: 0xc00n },
  trace: { vector: 0xd00n, syndrome: 'SRR1' },
  'performance-monitor': { vector: 0xf00n },
  'vector-unavailable': { vector: 0xf20n },
  'vsx-unavailable': { vector: 0xf40n },
  'facility-unavailable': { vector: 0xf60n, syndrome: 'FSCR' },
  // 32 bytes for each LEV.
  'system-call-vectored': { vector: 0x1_7000n },
};

/** DSISR's bits, and SRR1's of an instruction storage interrupt where they are the same. Book III, 6.5.3 and 6.5.5. */
export const STORAGE = {
  noTranslation: 0x4000_0000n,
  /** SRR1 alone: no-execute or guarded. */
  noExecute: 0x1000_0000n,
  protection: 0x0800_0000n,
  store: 0x0200_0000n,
  badTree: 0x0008_0000n,
  updateFailed: 0x0004_0000n,
  processTable: 0x0002_0000n,
} as const;

/** A storage interrupt with these bits. */
export function storage(kind: AccessKind, address: bigint, bits: bigint): Exception {
  if (kind === 'fetch') return { kind: 'instruction-storage', syndrome: bits, address };
  return { kind: 'data-storage', syndrome: kind === 'write' ? bits | STORAGE.store : bits, address };
}

export function segment(kind: AccessKind, address: bigint): Exception {
  return { kind: kind === 'fetch' ? 'instruction-segment' : 'data-segment', address };
}

/** LPCR[AIL] moves handlers and leaves translation on: 3, and up to version 3.0 also 2. Book III, 2.2. */
function relocation(view: Vcpu): bigint {
  const both = MSR.IR | MSR.DR;
  if ((view.get('MSR') & both) !== both || !view.cpu.features.has('isa-2.07')) return 0n;
  const ail = (view.get('LPCR') & LPCR.AIL) >> LPCR.AIL_SHIFT;
  return ail === 3n || (ail === 2n && !view.cpu.features.has('isa-3.1')) ? ail : 0n;
}

function handler(kind: string, vector: bigint, ail: bigint): bigint {
  if (kind === 'system-call-vectored') return ail === 3n ? 0xc000_0000_0000_3000n | (vector & 0xfffn) : vector;
  if (ail === 2n) return vector | 0x1_8000n;
  return ail === 3n ? 0xc000_0000_0000_4000n | vector : vector;
}

/** The instruction that PC is at, in the manual's bit order, or 0 where it cannot be read. */
function instructionAt(vcpu: Vcpu): number {
  const found = vcpu.translate(vcpu.get('NIA'), 'fetch', vcpu.level);
  const bytes = 'kind' in found ? undefined : vcpu.domain.read(found.physical, 4);
  if (bytes === undefined) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, (vcpu.get('MSR') & MSR.LE) !== 0n);
}

/**
 * DSISR of an alignment interrupt, up to version 2.07: which access it was, so that software can do it. Power ISA 2.07B, book III-S, 6.5.8. Opcode 31 is
 * the X-form, 58 and 62 the DS-form.
 */
export function alignmentSyndrome(word: number): bigint {
  const bits = (first: number, last: number): number => (word >>> (31 - last)) & (2 ** (last - first + 1) - 1);
  const opcode = bits(0, 5);
  const x = opcode === 31;
  const ds = opcode === 58 || opcode === 62;
  return BigInt(
    ((ds ? bits(30, 31) : 0) << 18) |
      ((x ? bits(29, 30) : 0) << 15) |
      ((x ? bits(25, 25) : bits(5, 5)) << 14) |
      ((x ? bits(21, 24) : bits(1, 4)) << 10) |
      (bits(6, 10) << 5) |
      bits(11, 15),
  );
}

/** Interrupts that an instruction causes, and SRR1's bit 34 that says it was a prefixed one. Power ISA 3.1B, book III, 7.5. */
const BY_INSTRUCTION: ReadonlySet<string> = new Set([
  ...['data-storage', 'data-segment', 'alignment', 'program'],
  ...['fp-unavailable', 'vector-unavailable', 'vsx-unavailable', 'facility-unavailable'],
]);
const PREFIXED = 0x2000_0000n;

const byPrefixed = (vcpu: Vcpu, kind: string): boolean =>
  BY_INSTRUCTION.has(kind) && vcpu.cpu.features.has('isa-3.1') && instructionAt(vcpu) >>> 26 === 1;

/** An event-based branch: no interrupt, no change of MSR. Book II, 7.2. */
function eventBasedBranch(vcpu: Vcpu): void {
  vcpu.set('EBBRR', vcpu.get('NIA') & ~3n);
  vcpu.set('BESCR', vcpu.get('BESCR') & ~(1n << 63n));
  vcpu.set('NIA', vcpu.get('EBBHR') & ~3n);
}

/** Takes an interrupt. NIA holds what SRR0 must hold. */
export function take(vcpu: Vcpu, exception: Exception): void {
  if (exception.kind === 'event-based-branch') {
    eventBasedBranch(vcpu);
    return;
  }
  const kind = kinds[exception.kind];
  if (kind === undefined) {
    throw new CountervisorError(
      'CV_UNKNOWN_EXCEPTION',
      `ppc64 knows no exception '${exception.kind}'.`,
      'Add its vector to `kinds` in packages/ppc64/src/isa/exceptions.ts.',
    );
  }
  const msr = vcpu.get('MSR');
  if (exception.kind === 'machine-check' && (msr & MSR.ME) === 0n) {
    // Checkstop: book III, 6.5.2.
    vcpu.domain.exit('crash', 0x200);
    return;
  }
  const syndrome = exception.syndrome ?? 0n;
  const vectored = exception.kind === 'system-call-vectored';
  let information = 0n;
  if (kind.syndrome === 'SRR1') information = syndrome;
  else if (kind.syndrome === 'DSISR') vcpu.set('DSISR', syndrome);
  else if (kind.syndrome === 'FSCR')
    vcpu.set('FSCR', (vcpu.get('FSCR') & 0x00ff_ffff_ffff_ffffn) | ((syndrome & 0xffn) << 56n));
  if (exception.kind === 'alignment') {
    vcpu.set('DAR', exception.address ?? syndrome);
    if (!vcpu.cpu.features.has('isa-3.0')) vcpu.set('DSISR', alignmentSyndrome(instructionAt(vcpu)));
  } else if (kind.dar === true && exception.address !== undefined) vcpu.set('DAR', exception.address);
  if (exception.kind === 'machine-check') vcpu.set('DSISR', exception.syndrome === LOAD_CHECK ? 0x40n : 0n);
  if (exception.kind === 'decrementer') tookDecrementer(vcpu);
  // Book III, 6.5.15: the traced instruction is the sampled one.
  if (exception.kind === 'trace') vcpu.set('SIAR', vcpu.get('TRACE_PC'));

  if (byPrefixed(vcpu, exception.kind)) information |= PREFIXED;
  vcpu.set(vectored ? 'LR' : 'SRR0', vcpu.get('NIA'));
  vcpu.set(vectored ? 'CTR' : 'SRR1', (msr & ~SRR1_INFORMATION) | information);
  vcpu.set('TRACE_DUE', 0n);
  const ail = kind.fixed === true ? 0n : relocation(vcpu);
  const little = (vcpu.get('LPCR') & LPCR.ILE) !== 0n && vcpu.cpu.features.has('little-endian');
  const kept = MSR.ME | MSR.HV | (vectored ? MSR.EE | MSR.RI : 0n);
  setMsr(vcpu, (msr & kept) | MSR.SF | (little ? MSR.LE : 0n) | (ail === 0n ? 0n : MSR.IR | MSR.DR));
  const vector = vectored ? kind.vector + 32n * (syndrome & 127n) : kind.vector;
  vcpu.set('NIA', handler(exception.kind, vector, ail));
}

/** Goes on at an address with a saved MSR, and gives the address: without SF it has 32 bits. */
function goBack(vcpu: Vcpu, to: bigint, saved: bigint): bigint {
  const next = afterReturn(vcpu.cpu, vcpu.get('MSR'), saved);
  setMsr(vcpu, next);
  return (next & MSR.SF) === 0n ? to & 0xffff_fffcn : to & ~3n;
}

/** Helpers of lifts that change MSR or translations. */
export const helpers: Isa['helpers'] = {
  rfid: (vcpu) => goBack(vcpu, vcpu.get('SRR0'), vcpu.get('SRR1')),
  rfscv: (vcpu) => goBack(vcpu, vcpu.get('LR'), vcpu.get('CTR')),
  rfebb: (vcpu, [s = 0n]) => {
    vcpu.set('BESCR', (vcpu.get('BESCR') & ~(1n << 63n)) | (s << 63n));
    return vcpu.get('EBBRR') & ~3n;
  },
  mtmsr: (vcpu, [rs = 0n, l = 0n]) => {
    setMsr(vcpu, afterMtmsr(vcpu.cpu, vcpu.get('MSR'), rs, l));
    return 0n;
  },
  mtmsrd: (vcpu, [rs = 0n, l = 0n]) => {
    setMsr(vcpu, afterMtmsrd(vcpu.cpu, vcpu.get('MSR'), rs, l));
    return 0n;
  },
  // Every form invalidates more than it must: the translations of the whole partition.
  tlbie: (vcpu) => {
    vcpu.changed('translation');
    return 0n;
  },
  trace: (vcpu, [information = 0n]) => {
    vcpu.set('TRACE_DUE', TRACE | information);
    vcpu.set('TRACE_PC', vcpu.get('NIA'));
    return 0n;
  },
};

/** SRR1 of a trace interrupt: bits 33:34 are 0b10, 35 a load, 36 a store. Power ISA 2.07B, book III-S, 6.5.15. */
const TRACE = 0x4000_0000n;
const TRACED_LOAD = 0x1000_0000n;
const TRACED_STORE = 0x0800_0000n;

/** They are not traced: book III, 6.5.15. An instruction that takes an interrupt is not, either. */
const UNTRACED: ReadonlySet<string> = new Set(['rfid', 'rfscv', 'hrfid', 'rfebb', 'sc', 'scv']);

/** What an instruction means while MSR[SE], or for a branch MSR[BE], asks for a trace interrupt behind it. */
export function traced(decoded: Decoded | undefined, single: boolean, branches: boolean): Decoded | undefined {
  if (decoded === undefined || UNTRACED.has(decoded.name)) return decoded;
  const { signals } = decoded;
  if (!single && !(branches && signals.includes('branch'))) return decoded;
  const information = (signals.includes('load') ? TRACED_LOAD : 0n) | (signals.includes('store') ? TRACED_STORE : 0n);
  return {
    ...decoded,
    lift(b) {
      b.call('trace', b.constant(information));
      decoded.lift(b);
    },
  };
}

/** SRR1 of a machine check: a real address that nothing answers. POWER9 User Manual, machine check: bit 42 with DSISR 57 for a load. */
const LOAD_CHECK = 0x20_0000n;
const STORE_CHECK = 0x0834_0000n;
const FETCH_CHECK = 0x080c_0000n;

/** The hypervisor's registers by number. */
const HYPERVISOR: ReadonlyMap<number, string | undefined> = new Map(
  Object.values(hypervisor).flatMap(({ at, needs }) => (at === undefined ? [] : [[at.index, needs] as const])),
);

function isHypervisors(view: View, index: number): boolean {
  const needs = HYPERVISOR.get(index);
  return HYPERVISOR.has(index) && (needs === undefined || view.cpu.features.has(needs));
}

/** In supervisor state they are illegal to read, and 0 to write; all other undefined numbers do nothing. Book I, 3.3.17; book III, 4.4.4. */
const ILLEGAL_TO_READ: ReadonlySet<number> = new Set([0, 4, 5, 6]);
/** Reserved for programs of later versions: they do nothing in every state. */
const RESERVED_SPRS: ReadonlySet<number> = new Set([808, 809, 810, 811]);
/** The bit of a number that makes it privileged: bit 0 of the field as the instruction has it. */
const PRIVILEGED_SPR = 0x10;

const program = (reason: number): Exception => ({ kind: 'program', syndrome: BigInt(reason) });

/** The word as the manual draws it: memory is read little-endian. */
const asDrawn = (view: Pick<View, 'get'>, bits: bigint): number => {
  const word = Number(bits & 0xffff_ffffn);
  if ((view.get('MSR') & MSR.LE) !== 0n) return word;
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
};

/** The exceptions that core itself can need. */
export const faults: Isa['faults'] = {
  undefined(_view: View, _bits: bigint): Exception {
    return program(ILLEGAL);
  },
  register(view, { index, write }, bits) {
    if (!RESERVED_SPRS.has(index)) {
      if (view.level === 0) return program((index & PRIVILEGED_SPR) === 0 ? ILLEGAL : PRIVILEGED);
      if (isHypervisors(view, index)) return program(PRIVILEGED);
      if (write ? index === 0 : ILLEGAL_TO_READ.has(index)) return program(ILLEGAL);
    }
    // RT stays what it was.
    return { ignored: write ? 0n : view.get(`GPR${(asDrawn(view, bits) >>> 21) & 31}`) };
  },
  alignment(_view: View, address: bigint, _kind: AccessKind): Exception {
    return { kind: 'alignment', address };
  },
  bus(_view: View, address: bigint, _physical: bigint, kind: AccessKind): Exception {
    if (kind === 'fetch') return { kind: 'machine-check', syndrome: FETCH_CHECK };
    return { kind: 'machine-check', syndrome: kind === 'read' ? LOAD_CHECK : STORE_CHECK, address };
  },
};
