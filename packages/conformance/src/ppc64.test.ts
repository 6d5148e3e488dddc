import type { Arch } from '@countervisor/contract';
import { conformance as kit, ppc64 } from '@countervisor/ppc64';
import { describe, it } from 'vitest';
import { conformance } from './vitest.ts';

conformance(ppc64 as unknown as Arch, kit, { describe, it });
