import type { Arch } from '@countervisor/contract';
import { conformance as kit, template } from '@countervisor/template';
import { describe, it } from 'vitest';
import { conformance } from './vitest.ts';

conformance(template as unknown as Arch, kit, { describe, it });
