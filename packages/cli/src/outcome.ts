/** From how domains ended to the exit code, and what stderr says about those that did not end well. */
import { didYouMean } from '@countervisor/core';
import type { Stopped } from './drive.ts';
import { EXIT, UsageError } from './exit.ts';
import type { Io } from './io.ts';
import { printWarning } from './print/error.ts';
import { grouped } from './print/number.ts';
import type { Report } from './report.ts';
import type { Session } from './session.ts';

type Ends = readonly Pick<Report, 'end'>[];

/** Ends that say: something the guest needs is not modelled. */
const unmodelled = ({ end }: Pick<Report, 'end'>): boolean => end?.reason === 'unmodelled';

/** A window that the user chose to close (`--until` of stat, trace, regs) is no failure; a run that was to end is. */
export function exitCode(ends: Ends, stopped: Stopped, window: boolean): number {
  if (stopped === 'interrupt') return EXIT.interrupted;
  if (ends.some(unmodelled)) return EXIT.unsupported;
  if (ends.some(({ end }) => end?.verdict === 'faulted')) return EXIT.faulted;
  if (ends.some(({ end }) => end?.verdict === 'failed')) return EXIT.failed;
  if (stopped === 'limit' && !window && ends.some(({ end }) => end === undefined)) return EXIT.failed;
  return EXIT.ok;
}

/** `--exit-from`: that guest's own status, as far as an exit code can carry it. */
export function exitFrom(name: string, reports: readonly Report[], stopped: Stopped): number {
  const report = reports.find((r) => r.name === name) as Report;
  if (stopped === 'interrupt') return EXIT.interrupted;
  if (report.end === undefined) return EXIT.failed;
  if (unmodelled(report)) return EXIT.unsupported;
  if (report.end.verdict === 'faulted') return EXIT.faulted;
  const { code, verdict } = report.end;
  const low = code & 0xff;
  return low === 0 && (code !== 0 || verdict === 'failed') ? EXIT.failed : low;
}

/** @throws UsageError when no domain is called so */
export function checkDomainName(option: string, name: string | undefined, names: readonly string[]): void {
  if (name === undefined || names.includes(name)) return;
  throw new UsageError(
    'CV_USAGE',
    `${option} names the domain '${name}', and there is none.`,
    didYouMean(name, names, `Domains: ${names.join(', ')}.`),
  );
}

/** What a reader of the table alone would miss. */
export function explain(io: Io, session: Session, reports: readonly Report[], stopped: Stopped, quiet: boolean): void {
  if (quiet) return;
  reports.forEach((report, i) => {
    const { xl } = session.plan.guests[i] as (typeof session.plan.guests)[number];
    if (report.end === undefined && stopped === 'limit') {
      printWarning(io, {
        code: 'CV_LIMIT',
        message: `${report.name} had not ended after ${grouped(report.instructions)} instructions.`,
        remedy:
          session.plan.until === undefined
            ? ''
            : `Raise --until, which was ${grouped(session.plan.until)}, or look where it is: countervisor regs --at icount:${report.instructions}`,
        place: undefined,
      });
    }
    if (report.end?.reason === 'reset' && xl.on.reboot !== 'destroy') {
      printWarning(io, {
        code: 'CV_NO_RESTART',
        message: `${report.name} asked for a reboot, and on_reboot = "${xl.on.reboot}" is not modelled: the domain is over.`,
        remedy: 'Write on_reboot = "destroy" to silence this.',
        place: xl.places.get('on_reboot'),
      });
    }
    if (report.dropped > 0) {
      printWarning(io, {
        code: 'CV_CONSOLE_LIMIT',
        message: `${report.name} printed ${grouped(report.dropped)} bytes more than are kept.`,
        remedy: '',
        place: undefined,
      });
    }
  });
}
