/** Runs a machine to its end, to a limit, or until somebody wants it to stop. Host time decides when we look up, never what a guest sees. */
import type { Domain, Machine } from '@countervisor/core';
import type { Io } from './io.ts';
import { grouped } from './print/number.ts';

/** Milliseconds between two looks at signals. */
const LOOK = 50;
/** Milliseconds of work before progress is worth a line, and between two of them. */
const LONG = 1500;
const EVERY = 500;

export interface DriveOptions {
  /** Instructions per domain. */
  readonly until?: number | undefined;
  /** Say on a terminal how far it is; not where results go to the same terminal meanwhile. */
  readonly progress?: boolean;
  /** Asked between passes: enough? */
  done?(): boolean;
}

export type Stopped = 'ended' | 'limit' | 'interrupt' | 'closed' | 'done';

const retired = (domains: readonly Domain[]): number => domains.reduce((sum, domain) => sum + domain.instructions(), 0);

export async function drive(io: Io, machine: Machine, options: DriveOptions = {}): Promise<Stopped> {
  const { until } = options;
  const started = io.now();
  let looked = started;
  let shown = 0;
  const clear = (): void => {
    if (shown > 0) io.err('\r\u001b[K');
    shown = 0;
  };
  try {
    while (machine.pass(until === undefined ? {} : { until })) {
      if (options.done?.() === true) return 'done';
      const now = io.now();
      if (now - looked < LOOK) continue;
      looked = now;
      await io.breathe();
      if (io.stop !== undefined) return io.stop;
      if (options.progress === true && io.tty.err && now - started > LONG && now - shown > EVERY) {
        io.err(`\r${grouped(retired(machine.domains))} instructions`);
        shown = now;
      }
    }
    await io.breathe();
    if (io.stop !== undefined) return io.stop;
    if (options.done?.() === true) return 'done';
    return machine.domains.every((domain) => domain.ended !== undefined) ? 'ended' : 'limit';
  } finally {
    clear();
  }
}
