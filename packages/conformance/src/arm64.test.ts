import { arm64, conformance as kit } from '@countervisor/arm64';
import type { Arch } from '@countervisor/contract';
import { describe, it } from 'vitest';
import { conformance } from './vitest.ts';

conformance(arm64 as Arch, kit, { describe, it });
