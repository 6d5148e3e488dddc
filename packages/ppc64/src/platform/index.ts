/** Platforms of ppc64 by name. */
import type { Platform } from '@countervisor/contract';
import { pseries } from './pseries.ts';

export const platforms: Readonly<Record<string, Platform>> = { pseries };

export const defaultPlatform = 'pseries';
