/** Errors and warnings for stderr: code, place, sentence, remedy; never a stack for what a user got wrong. */
import type { CountervisorError } from '@countervisor/contract';
import pico from 'picocolors';
import { isOurs } from '../exit.ts';
import type { Io } from '../io.ts';
import { visible } from './text.ts';

/** NO_COLOR (https://no-color.org) wins, then FORCE_COLOR, then whether it is a terminal. */
export function colours(io: Io, stream: 'out' | 'err'): ReturnType<typeof pico.createColors> {
  const { NO_COLOR, FORCE_COLOR, TERM } = io.env;
  const never = NO_COLOR !== undefined && NO_COLOR !== '';
  const always = FORCE_COLOR !== undefined && FORCE_COLOR !== '' && FORCE_COLOR !== '0';
  return pico.createColors(!never && (always || (io.tty[stream] && TERM !== 'dumb')));
}

function lines(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

function told(
  io: Io,
  error: Pick<CountervisorError, 'code' | 'message' | 'remedy' | 'place'>,
  kind: 'red' | 'yellow',
): string {
  const c = colours(io, 'err');
  const at =
    error.place === undefined ? '' : `${visible(error.place.file)}:${error.place.line}:${error.place.column}: `;
  const remedy = error.remedy === '' ? '' : `\n  ${lines(error.remedy).replaceAll('\n', '\n  ')}`;
  return `${at}${c[kind](error.code)}  ${lines(error.message)}${remedy}\n`;
}

export function printError(io: Io, error: unknown): void {
  if (isOurs(error)) {
    io.err(told(io, error, 'red'));
    return;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  io.err(
    `${colours(io, 'err').red('CV_INTERNAL')}  A defect of this program.\n  Please report it, with the command and its files:\n  ${stack.replaceAll('\n', '\n  ')}\n`,
  );
}

export function printWarning(io: Io, warning: Pick<CountervisorError, 'code' | 'message' | 'remedy' | 'place'>): void {
  io.err(told(io, warning, 'yellow'));
}
