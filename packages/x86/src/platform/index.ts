/** Machines that x86 CPUs are found in. */
import type { Platform } from '@countervisor/contract';
import { pc } from './pc.ts';

export const platforms: Readonly<Record<string, Platform>> = { pc };
export const defaultPlatform = 'pc';
