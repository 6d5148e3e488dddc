/** Runs a machine to its end, to a limit, or until somebody wants it to stop. Host time decides when we look up, never what a guest sees. */
import type { Domain, Machine } from '@countervisor/core';
import type { Io } from './io.ts';
import { grouped } from './print/number.ts';

/** Milliseconds between two looks at signals. */
const LOOK = 50;
/** Milliseconds of work before progress is worth a line. */
const LONG = 1500;

export interface DriveOptions {
  /** Instructions per domain. */
  readonly until?: number | undefined;
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
  let shown = false;
  const clear = (): void => {
    if (shown) io.err('\r\u001b[K');
    shown = false;
  };
  try {
    while (machine.pass(until === undefined ? {} : { until })) {
      if (options.done?.() === true) return 'done';
      const now = io.now();
      if (now - looked < LOOK) continue;
      looked = now;
      clear();
      await io.breathe();
      if (io.stop !== undefined) return io.stop;
      if (options.progress === true && io.tty.err && now - started > LONG) {
        io.err(`\r${grouped(retired(machine.domains))} instructions`);
        shown = true;
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
