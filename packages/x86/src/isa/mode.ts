/** What a decoder must know beside the bytes: the code's size, the stack's, real mode, and which segments are not flat. SDM volume 3, 2.2 and 3.4.5. */
import type { View } from '@countervisor/contract';

export const MODE = {
  /** Bits 1:0: default size of the code: 0 for 16 bits, 1 for 32, 2 for 64-bit mode. */
  size: 3,
  /** CR0.PE: selectors name descriptors. */
  protected: 4,
  /** The stack pointer is ESP, not SP. */
  stack32: 8,
  /** Bits 4 to 7: ES, CS, SS, DS have a base, a limit or rights that each access must be held against. Never in 64-bit mode. FS and GS always do outside it. */
  bent: 16,
} as const;

export type CodeSize = 16 | 32 | 64;

export const codeSize = (mode: number): CodeSize => (16 << (mode & MODE.size)) as CodeSize;

/** Does an access through this segment (a number, as ModRM has it) need its base, limit and rights? */
export function isBent(mode: number, segment: number): boolean {
  if ((mode & MODE.size) === 2) return false;
  return segment > 3 || (mode & (MODE.bent << segment)) !== 0;
}

const NAMES = ['ES', 'CS', 'SS', 'DS'] as const;

/** Base 0, all 4 GiB, present, and for data: writable, upwards. */
function flat(view: Pick<View, 'get'>, name: (typeof NAMES)[number]): boolean {
  if (view.get(`${name}_BASE`) !== 0n || view.get(`${name}_LIMIT`) !== 0xffff_ffffn) return false;
  const rights = view.get(`${name}_AR`);
  const wanted = name === 'CS' ? 0x9an : 0x92n;
  const looked = name === 'CS' ? 0x1_009an : 0x1_009en;
  return (rights & looked) === wanted;
}

export function mode(view: Pick<View, 'get'>): number {
  const code = view.get('CS_AR');
  const isProtected = (view.get('CR0') & 1n) !== 0n;
  // EFER.LMA and CS.L.
  if (isProtected && (code & 0x2000n) !== 0n && (view.get('EFER') & 0x400n) !== 0n)
    return 2 | MODE.protected | MODE.stack32;
  let bits = (code & 0x4000n) === 0n ? 0 : 1;
  if (isProtected) bits |= MODE.protected;
  if ((view.get('SS_AR') & 0x4000n) !== 0n) bits |= MODE.stack32;
  NAMES.forEach((name, n) => {
    if (!flat(view, name)) bits |= MODE.bent << n;
  });
  return bits;
}
