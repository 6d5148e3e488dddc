/** Sampling: PEBS and the branches that are written down. */
import type { Sampling } from '@countervisor/contract';
import { branched, writesBranches } from './sampling/branches.ts';
import { armed, boundary } from './sampling/pebs.ts';

export const sampling: Sampling = { armed, boundary, branches: writesBranches, branched };
