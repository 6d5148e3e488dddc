/** The door of the conformance kit: the suite for Vitest, the runner, its reports, and what it takes to point it at another target. */
export {
  Absent,
  type Check,
  Lab,
  Lack,
  perform,
  type Result,
  SUITES,
  type Subject,
  type SuiteName,
  Unlike,
} from './check.ts';
export { emulator } from './emulator.ts';
export { fromTables, setupOf, subject } from './facts.ts';
export { failure, junit, tap, tapHead, tapLine, text } from './report.ts';
export {
  type Cell,
  chosen,
  type Done,
  matrix,
  type Outcome,
  type RunOptions,
  runConformance,
  type Shard,
} from './run.ts';
export { checksOf } from './suites/index.ts';
export type { Capability, GuestSetup, Maybe, Moment, Progress, Session, Setup, Target } from './target.ts';
export { conformance, type Framework } from './vitest.ts';
