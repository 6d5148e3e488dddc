/** Memory protection without page tables: addresses are physical; the user level may touch nothing below USER_FROM. */
import type { AccessKind, Exception, Translation, View } from '@countervisor/contract';
import { KERNEL } from '../features.ts';

/** Translations are kept apart by level: what the kernel may touch says nothing about what the user may. */
export const REGIMES = 2;

export function regime(_view: View, level: number): number {
  return Math.min(level, KERNEL);
}

/** CAUSE.DETAIL of an access exception. */
export const ACCESS_DETAIL: Readonly<Record<AccessKind, bigint>> = { read: 0n, write: 1n, fetch: 2n };

export function translate(view: View, virtual: bigint, kind: AccessKind, level: number): Translation | Exception {
  if (level < KERNEL && virtual < view.get('USER_FROM')) {
    return { kind: 'access', syndrome: ACCESS_DETAIL[kind], address: virtual };
  }
  // USER_FROM is a multiple of the page size, so what is true of this byte is true of its page.
  return { physical: virtual, read: true, write: true, fetch: true };
}
