/** Exit codes, and what each kind of error becomes (stated in the package's README). */
import { CountervisorError, type Place } from '@countervisor/contract';

export const EXIT = {
  ok: 0,
  /** A guest reported failure, did not end, or an expectation was not met. */
  failed: 1,
  usage: 2,
  /** A file is wrong: `file:line:col` where there is one. */
  input: 3,
  /** A guest faulted: it ended in a way that it did not choose. */
  faulted: 4,
  unsupported: 5,
  /** A defect of this program (EX_SOFTWARE of sysexits.h). */
  internal: 70,
  interrupted: 130,
} as const;

/** The command line itself is wrong. */
export class UsageError extends CountervisorError {}

/** What was asked for is known and not there. */
export class UnsupportedError extends CountervisorError {}

/** A file, or what a file says, is wrong. */
export class InputError extends CountervisorError {}

/** Codes of core and the architectures that say "not modelled" or "not offered". */
const UNSUPPORTED: ReadonlySet<string> = new Set([
  'CV_POLICY_NOT_OFFERED',
  'CV_NEEDS_UNMET',
  'CV_CONTRACT',
  'CV_PLUGIN_REFUSED',
  'CV_MEMORY_EXHAUSTED',
  'CV_ARM64_AARCH32',
]);

/** An error of the project, whichever copy of the contract package made it. */
export function isOurs(error: unknown): error is CountervisorError {
  return error instanceof Error && typeof (error as CountervisorError).code === 'string' && 'remedy' in error;
}

export function exitOf(error: unknown): number {
  if (!isOurs(error)) return EXIT.internal;
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof UnsupportedError || UNSUPPORTED.has(error.code)) return EXIT.unsupported;
  return EXIT.input;
}

/** Runs it; an error without a place gets this one, because this is where the wrong word was written. */
export function at<T>(place: Place | undefined, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!isOurs(error) || error.place !== undefined) throw error;
    if (place === undefined) throw error;
    throw new CountervisorError(error.code, error.message, error.remedy, place);
  }
}

/** Runs it; an error is the command line's. */
export function fromCommandLine<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!isOurs(error) || exitOf(error) === EXIT.unsupported) throw error;
    throw new UsageError(error.code, error.message, error.remedy);
  }
}
