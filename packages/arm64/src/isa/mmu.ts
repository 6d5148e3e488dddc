/**
 * Stage 1 translation of the EL1&0 regime: 4 KiB granule, up to 48 bits in and out, levels 0 to 3.
 * Arm DDI 0487, D8 (VMSAv8-64): D8.2 walks, D8.3 descriptors, D8.4 permissions, D8.5 the Access flag, D8.6 memory types; TCR_EL1, MAIR_EL1.
 *
 * Addresses are pairs of words here: shifts and masks on 32 bits, and few big integers. The contiguous bit may be ignored (D8.7.1), and is. Hardware
 * update of the Access flag, DBM, hierarchical permission disable and small start levels belong to features that no model has.
 */
import {
  type AccessKind,
  CountervisorError,
  type Exception,
  type PhysicalMemory,
  type Translation,
  type View,
} from '@countervisor/contract';
import { abort, FSC } from './exceptions.ts';

const WORD = 2 ** 32;

/** Where a walk ended: a page or block, with what its descriptors say. */
export interface Page {
  /** Guest-physical address of the byte asked for. */
  readonly physical: number;
  /** Level of the last descriptor; with translation off, 0. */
  readonly level: number;
  /** AP[2:1]: bit 0 EL0 may access, bit 1 read-only; the tables' APTable is in it. */
  readonly ap: number;
  readonly uxn: boolean;
  readonly pxn: boolean;
  /** The byte of MAIR_EL1 that the descriptor selects. */
  readonly attributes: number;
  /** SH[1:0]. */
  readonly shareability: number;
}

/** Output address bits by TCR_EL1.IPS and by ID_AA64MMFR0_EL1.PARange: 52 needs FEAT_LPA, and reserved values act as the largest. */
const OUTPUT_BITS = [32, 36, 40, 42, 44, 48, 48, 48] as const;

/** Physical address bits of this CPU. */
function physicalBits(view: View): number {
  const range = Number((view.cpu.identity.ID_AA64MMFR0_EL1 ?? 5n) & 7n);
  return OUTPUT_BITS[range] as number;
}

function unmodelledGranule(upper: boolean, tg: number): never {
  const sizes = upper ? ['reserved', '16 KiB', '4 KiB', '64 KiB'] : ['4 KiB', '64 KiB', '16 KiB', 'reserved'];
  const field = upper ? 'TG1' : 'TG0';
  throw new CountervisorError(
    'CV_UNMODELLED_GRANULE',
    `TCR_EL1.${field} is ${tg}, a granule of ${sizes[tg]}, and only 4 KiB is modelled.`,
    `Build the guest for 4 KiB pages (TCR_EL1.${field} = ${upper ? 2 : 0}); ID_AA64MMFR0_EL1 shows no other granule.`,
  );
}

/** Translation off: the address itself, if the CPU has that many physical bits (a level 0 address size fault else). */
function flat(view: View, high: number, low: number): Page | number {
  if (beyond(high, physicalBits(view))) return FSC.addressSize;
  return { physical: high * WORD + low, level: 0, ap: 1, uxn: false, pxn: false, attributes: 0, shareability: 2 };
}

/** Does an address whose upper word this is need more than `bits` bits, 32 at least? */
const beyond = (high: number, bits: number): boolean => high >>> (bits - 32) !== 0;

/** The nine bits of an address that index a table of this level. */
function indexAt(level: number, high: number, low: number): number {
  if (level === 3) return (low >>> 12) & 511;
  if (level === 2) return (low >>> 21) & 511;
  return level === 1 ? ((high << 2) | (low >>> 30)) & 511 : (high >>> 7) & 511;
}

/** Bits of an address below those that a block or page of this level replaces: 4 KiB, 2 MiB, 1 GiB. */
const OFFSET = [0, 0x3fff_ffff, 0x1f_ffff, 0xfff] as const;

/** Is every bit from `bits` up the same as the one that selects the range? `high` is bits 63:32, or 55:32 when the tag is ignored. */
function canonical(high: number, low: number, bits: number, upper: boolean, tagged: boolean): boolean {
  const ones = tagged ? 0xff_ffff : 0xffff_ffff;
  const wanted = upper ? ones : 0;
  if (bits >= 32) return high >>> (bits - 32) === wanted >>> (bits - 32);
  return high === wanted && low >>> bits === (upper ? 0xffff_ffff >>> bits : 0);
}

/** The walk alone, without permissions: the page, or the fault status code. `sctlr` is SCTLR_EL1's low half. */
export function walk(view: View, virtual: bigint, sctlr: number, memory: PhysicalMemory): Page | number {
  const low = Number(virtual & 0xffff_ffffn);
  const top = Number((virtual >> 32n) & 0xffff_ffffn);
  const upper = (top & 0x80_0000) !== 0;
  const tcr = view.get('TCR_EL1');
  const control = Number(tcr & 0xffff_ffffn);
  const controlHigh = Number(tcr >> 32n);
  const tagged = (controlHigh & (upper ? 0x40 : 0x20)) !== 0;
  const high = tagged ? top & 0xff_ffff : top;
  if ((sctlr & 1) === 0) return flat(view, high, low);

  // T0SZ and T1SZ outside 16 to 39 act as the nearest of these (D8.2.6 permits it).
  const size = Math.min(39, Math.max(16, (upper ? control >>> 16 : control) & 63));
  const bits = 64 - size;
  if (!canonical(high, low, bits, upper, tagged)) return FSC.translation;
  if ((control & (upper ? 0x80_0000 : 0x80)) !== 0) return FSC.translation;
  const granule = upper ? control >>> 30 : (control >>> 14) & 3;
  if (granule !== (upper ? 2 : 0)) unmodelledGranule(upper, granule);

  const outputBits = Math.min(OUTPUT_BITS[controlHigh & 7] as number, physicalBits(view));
  // A level resolves nine bits above the page's twelve; the first one may resolve fewer, and its table is as small.
  let level = 4 - Math.ceil((bits - 12) / 9);
  const entries = 2 ** (bits - (39 - 9 * level));
  let index = indexAt(level, high, low) & (entries - 1);
  const ttbr = view.get(upper ? 'TTBR1_EL1' : 'TTBR0_EL1');
  let tableHigh = Number((ttbr >> 32n) & 0xffffn);
  let tableLow = (Number(ttbr & 0xffff_fffen) & -(entries * 8)) >>> 0;
  if (beyond(tableHigh, outputBits)) return FSC.addressSize;

  let inherited = 0;
  for (;;) {
    const descriptor = memory.read(BigInt(tableHigh * WORD + tableLow + index * 8), 8);
    if (descriptor === undefined) return FSC.walk + level;
    const lo = Number(descriptor & 0xffff_ffffn);
    const hi = Number(descriptor >> 32n);
    if ((lo & 1) === 0) return FSC.translation + level;
    const addressHigh = hi & 0xffff;
    if (level < 3 && (lo & 2) !== 0) {
      if (beyond(addressHigh, outputBits)) return FSC.addressSize + level;
      inherited |= hi;
      tableHigh = addressHigh;
      tableLow = (lo & 0xffff_f000) >>> 0;
      level++;
      index = indexAt(level, high, low);
      continue;
    }
    // Level 0 has no blocks, and at level 3 bit 1 makes a page: all else is reserved, and faults as invalid does.
    if (level === 0 || (level === 3 && (lo & 2) === 0)) return FSC.translation + level;
    if (beyond(addressHigh, outputBits)) return FSC.addressSize + level;
    if ((lo & 0x400) === 0) return FSC.accessFlag + level;
    const offset = OFFSET[level] as number;
    const mair = view.get('MAIR_EL1');
    return {
      physical: addressHigh * WORD + (((lo & ~offset) | (low & offset)) >>> 0),
      level,
      // APTable: bit 61 takes EL0's access away, bit 62 everyone's writes.
      ap: (((lo >>> 6) & 3) | ((inherited >>> 29) & 2)) & ~((inherited >>> 29) & 1),
      uxn: ((hi >>> 22) & 1) !== 0 || ((inherited >>> 28) & 1) !== 0,
      pxn: ((hi >>> 21) & 1) !== 0 || ((inherited >>> 27) & 1) !== 0,
      attributes: Number((mair >> BigInt(((lo >>> 2) & 7) * 8)) & 0xffn),
      shareability: (lo >>> 8) & 3,
    };
  }
}

export interface Rights {
  readonly read: boolean;
  readonly write: boolean;
  readonly fetch: boolean;
}

/** What a level may do with a page: the tables of D8.4. `never` is PSTATE.PAN for an access that minds it. */
export function rights(page: Page, level: number, wxn: boolean, never: boolean): Rights {
  const user = (page.ap & 1) !== 0;
  const writable = (page.ap & 2) === 0;
  if (level === 0) {
    const write = user && writable;
    return { read: user, write, fetch: !page.uxn && !(wxn && write) };
  }
  const denied = never && user;
  return {
    read: !denied,
    write: writable && !denied,
    // What EL0 may write, EL1 never executes. PAN does not ask about fetches.
    fetch: !page.pxn && !(user && writable) && !(wxn && writable),
  };
}

const FREE: Rights = { read: true, write: true, fetch: true };

/** Device memory of any kind: the high half of the attribute byte is 0. */
const isDevice = (attributes: number): boolean => (attributes & 0xf0) === 0;

/** `Isa.translate`. */
export function translate(
  view: View,
  virtual: bigint,
  kind: AccessKind,
  level: number,
  memory: PhysicalMemory,
): Translation | Exception {
  const sctlr = Number(view.get('SCTLR_EL1') & 0xffff_ffffn);
  const page = walk(view, virtual, sctlr, memory);
  if (typeof page === 'number') return abort(kind, virtual, page);
  const on = (sctlr & 1) !== 0;
  const may = on ? rights(page, level, (sctlr & 0x8_0000) !== 0, level !== 0 && view.get('PAN') !== 0n) : FREE;
  if (!may[kind]) return abort(kind, virtual, FSC.permission + page.level);
  return {
    physical: BigInt(page.physical),
    read: may.read,
    write: may.write,
    fetch: may.fetch,
    // With translation off, data is Device-nGnRnE (D8.2.10).
    strict: isDevice(page.attributes),
  };
}

/** `Isa.checksAlignment`: SCTLR_EL1.A, at EL0 too. CheckAlignment() of J1 comes before the translation. */
export function checksAlignment(view: View): boolean {
  return (view.get('SCTLR_EL1') & 2n) !== 0n;
}

/** Sets of translations that are kept apart: EL0, EL1, and EL1 while PSTATE.PAN is set. */
export const regimes = 3;

export function regime(view: View, level: number): number {
  if (level === 0) return 0;
  return view.get('PAN') === 0n ? 1 : 2;
}
