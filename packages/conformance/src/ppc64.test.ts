import type { Arch } from '@countervisor/contract';
import { conformance as kit, littleEndian, ppc64 } from '@countervisor/ppc64';
import { describe, it } from 'vitest';
import { conformance } from './vitest.ts';

describe('big-endian', () => conformance(ppc64 as unknown as Arch, kit, { describe, it }));
describe('little-endian', () => conformance(ppc64 as unknown as Arch, littleEndian, { describe, it }));
