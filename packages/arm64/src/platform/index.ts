/** Platforms of arm64 by name. */
import type { Platform } from '@countervisor/contract';
import { virt } from './virt.ts';

export const platforms: Readonly<Record<string, Platform>> = { virt };

export const defaultPlatform = 'virt';
