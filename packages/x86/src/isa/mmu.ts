/**
 * Paging: 32-bit with 4 MiB pages, PAE, and 4-level with pages of 4 KiB, 2 MiB and 1 GiB. Intel SDM volume 3, chapter 4: 4.3 to 4.5 (formats), 4.6
 * (access rights), 4.7 (page-fault codes), 4.8 (accessed and dirty flags); volume 3, 3.3.7.1 (canonical addresses).
 *
 * Accessed and dirty flags are set when the whole walk has succeeded, as 4.8 permits. PAE's four entries are read at every walk, and their reserved bits
 * fault then, not when CR3 is loaded (4.4.1): this is what emulators do that keep no copy, and a guest that follows the manual cannot tell.
 */
import type { AccessKind, Exception, PhysicalMemory, Translation, View } from '@countervisor/contract';

const CR0_WP = 1n << 16n;
const CR0_PG = 1n << 31n;
const CR4_PSE = 1n << 4n;
const CR4_PAE = 1n << 5n;
const CR4_SMEP = 1n << 20n;
const CR4_SMAP = 1n << 21n;
const EFER_LMA = 1n << 10n;
const EFER_NXE = 1n << 11n;
const AC = 1n << 18n;

const P = 1n;
const RW = 2n;
const US = 4n;
const A = 0x20n;
const D = 0x40n;
const PS = 0x80n;
const NX = 1n << 63n;

/** Bits of a page-fault error code: 4.7. */
export const PF = { P: 1n, WR: 2n, US: 4n, RSVD: 8n, ID: 16n } as const;

/** Physical address bits: MAXPHYADDR. */
export const physicalBits = (view: Pick<View, 'cpu'>): bigint => view.cpu.identity.PHYSICAL_BITS ?? 36n;

export const isCanonical = (address: bigint): boolean =>
  BigInt.asUintN(64, BigInt.asIntN(48, address)) === BigInt.asUintN(64, address);

/** One kind of page tables: what each level's entry may not have set, and where it takes its index from. */
interface Level {
  readonly shift: bigint;
  readonly bits: bigint;
  /** Reserved in an entry that leads to a table, and in one that is a page; undefined where a page is impossible (PS is reserved then). */
  readonly table: bigint;
  readonly page: bigint | undefined;
}

const ones = (high: bigint, low: bigint): bigint => ((1n << (high - low + 1n)) - 1n) << low;

const ADDRESS = ones(51n, 12n);

/** The levels from the top of a walk, for what the control registers say now. Entries have 8 bytes, or 4 where `small`. */
function levels(view: View, long: boolean, pae: boolean, nx: boolean): readonly Level[] {
  const physical = physicalBits(view);
  const high = ones(51n, physical) | (nx ? 0n : NX);
  if (long) {
    const huge = view.cpu.features.has('pdpe1gb') ? high | ones(29n, 13n) : undefined;
    return [
      { shift: 39n, bits: 9n, table: high | PS, page: undefined },
      { shift: 30n, bits: 9n, table: high | (huge === undefined ? PS : 0n), page: huge },
      { shift: 21n, bits: 9n, table: high, page: high | ones(20n, 13n) },
      { shift: 12n, bits: 9n, table: 0n, page: high },
    ];
  }
  if (pae) {
    const wide = high | ones(62n, 52n);
    return [
      { shift: 30n, bits: 2n, table: ones(63n, physical) | ones(8n, 5n) | ones(2n, 1n), page: undefined },
      { shift: 21n, bits: 9n, table: wide, page: wide | ones(20n, 13n) },
      { shift: 12n, bits: 9n, table: 0n, page: wide },
    ];
  }
  const pse = (view.get('CR4') & CR4_PSE) !== 0n;
  // PSE-36: bits 20:13 hold physical bits 39:32.
  const reach = view.cpu.features.has('pse36') ? (physical > 40n ? 40n : physical) : 32n;
  return [
    { shift: 22n, bits: 10n, table: 0n, page: pse ? ones(21n, reach - 32n + 13n) : undefined },
    { shift: 12n, bits: 10n, table: 0n, page: 0n },
  ];
}

/** Where the walk ended, before rights are looked at. */
interface Leaf {
  /** Address of the entry, and the entry. */
  readonly at: bigint;
  readonly entry: bigint;
  readonly shift: bigint;
  /** US and RW of all levels. */
  readonly rights: bigint;
  readonly noExecute: boolean;
  /** Entries on the way whose accessed flag is to be set. */
  readonly fresh: readonly (readonly [at: bigint, entry: bigint])[];
}

/** The walk alone; a number is what of the error code it decides: P and RSVD. */
function descend(
  view: View,
  linear: bigint,
  long: boolean,
  pae: boolean,
  nx: boolean,
  memory: PhysicalMemory,
): Leaf | bigint {
  const size = pae ? 8 : 4;
  const all = levels(view, long, pae, nx);
  const cr3 = view.get('CR3');
  let table = long ? cr3 & ADDRESS : pae ? cr3 & 0xffff_ffe0n : cr3 & 0xffff_f000n;
  let rights = US | RW;
  let noExecute = false;
  const fresh: [bigint, bigint][] = [];
  for (const [depth, level] of all.entries()) {
    const index = (linear >> level.shift) & ((1n << level.bits) - 1n);
    const at = table + index * BigInt(size);
    // What is not memory reads as 0: nothing is mapped there.
    const entry = memory.read(at, size) ?? 0n;
    if ((entry & P) === 0n) return 0n;
    const last = depth === all.length - 1;
    const isPage = last || (level.page !== undefined && (entry & PS) !== 0n);
    const reserved = isPage ? (level.page as bigint) : level.table;
    if ((entry & reserved) !== 0n) return PF.P | PF.RSVD;
    // The four entries of PAE have no rights and no accessed flag.
    const bare = pae && !long && depth === 0;
    if (!bare) {
      rights &= entry;
      if (size === 8 && (entry & NX) !== 0n) noExecute = true;
    }
    if (isPage) return { at, entry, shift: level.shift, rights, noExecute, fresh };
    if (!bare && (entry & A) === 0n) fresh.push([at, entry]);
    table = size === 8 ? entry & ADDRESS : entry & 0xffff_f000n;
  }
  return 0n;
}

/** Physical address of the byte. */
function frame(leaf: Leaf, linear: bigint, pae: boolean): bigint {
  const offset = linear & ((1n << leaf.shift) - 1n);
  if (pae) return (leaf.entry & ADDRESS & ~((1n << leaf.shift) - 1n)) | offset;
  if (leaf.shift === 22n) return (leaf.entry & 0xffc0_0000n) | ((leaf.entry & 0x1f_e000n) << 19n) | offset;
  return (leaf.entry & 0xffff_f000n) | offset;
}

/** How an access is made, beside its kind. */
export interface Manner {
  /** At CPL 3. */
  readonly user: boolean;
  /** SMAP does not stop it: EFLAGS.AC is set, and the access is not one that the CPU makes by itself. */
  readonly lax: boolean;
}

const EVERYWHERE = { read: true, write: true, fetch: true } as const;

/** One translation, with the rights it has at that manner. Sets accessed and dirty flags. */
export function walk(
  view: View,
  virtual: bigint,
  kind: AccessKind,
  manner: Manner,
  memory: PhysicalMemory,
): Translation | Exception {
  const long = (view.get('EFER') & EFER_LMA) !== 0n;
  if (!long && virtual > 0xffff_ffffn) return walk(view, virtual & 0xffff_ffffn, kind, manner, memory);
  const cr0 = view.get('CR0');
  if ((cr0 & CR0_PG) === 0n) return { physical: virtual, ...EVERYWHERE };
  // The address marks it: `take` finds out whether the instruction addressed its stack, and makes it #SS then.
  if (long && !isCanonical(virtual)) return { kind: '#GP', syndrome: 0n, address: virtual };
  const cr4 = view.get('CR4');
  const pae = long || (cr4 & CR4_PAE) !== 0n;
  const nx = pae && (view.get('EFER') & EFER_NXE) !== 0n;
  const leaf = descend(view, virtual, long, pae, nx, memory);
  const { user } = manner;
  const smep = (cr4 & CR4_SMEP) !== 0n;
  const fault = (found: bigint): Exception => {
    let syndrome = found;
    if (kind === 'write') syndrome |= PF.WR;
    if (user) syndrome |= PF.US;
    if (kind === 'fetch' && (nx || smep)) syndrome |= PF.ID;
    return { kind: '#PF', syndrome, address: virtual };
  };
  if (typeof leaf === 'bigint') return fault(leaf);
  const userPage = (leaf.rights & US) !== 0n;
  const writable = (leaf.rights & RW) !== 0n;
  const reach = user ? userPage : !userPage || (cr4 & CR4_SMAP) === 0n || manner.lax;
  const may = {
    read: reach,
    write: reach && (writable || (!user && (cr0 & CR0_WP) === 0n)),
    fetch: (user ? userPage : !(userPage && smep)) && !leaf.noExecute,
  };
  if (!may[kind]) return fault(PF.P);
  for (const [at, entry] of leaf.fresh) mark(memory, at, entry | A, pae);
  const wanted = leaf.entry | A | (kind === 'write' ? D : 0n);
  if (wanted !== leaf.entry) mark(memory, leaf.at, wanted, pae);
  // Until the dirty flag stands, a write has to come here.
  return { physical: frame(leaf, virtual, pae), ...may, write: may.write && (wanted & D) !== 0n };
}

function mark(memory: PhysicalMemory, at: bigint, entry: bigint, pae: boolean): void {
  memory.write(at, pae ? 8 : 4, entry);
}

export function translate(
  view: View,
  virtual: bigint,
  kind: AccessKind,
  level: number,
  memory: PhysicalMemory,
): Translation | Exception {
  return walk(view, virtual, kind, { user: level === 0, lax: (view.get('SYSTEM_FLAGS') & AC) !== 0n }, memory);
}

/** Sets of translations: CPL 3; supervisor; supervisor while EFLAGS.AC suspends SMAP. */
export const regimes = 3;

export function regime(view: View, level: number): number {
  if (level === 0) return 0;
  return (view.get('SYSTEM_FLAGS') & AC) !== 0n ? 2 : 1;
}

/** EFLAGS.AC with CR0.AM at CPL 3: every data access that is not a multiple of its size. Volume 3, 6.15, interrupt 17. */
export function checksAlignment(view: View): boolean {
  return view.level === 0 && (view.get('SYSTEM_FLAGS') & AC) !== 0n && (view.get('CR0') & (1n << 18n)) !== 0n;
}
