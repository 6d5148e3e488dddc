import type { Arch } from '@countervisor/contract';
import { conformance as kit, x86 } from '@countervisor/x86';
import { describe, it } from 'vitest';
import { conformance } from './vitest.ts';

/** The suites that need no manual, which x86 has not given yet: registers and switching look at each register by its words. */
const groups = ['access', 'counting', 'overflow', 'policy', 'hypercalls', 'snapshot', 'determinism', 'hostile'];

conformance(x86 as Arch, kit, { describe, it }, { groups });
