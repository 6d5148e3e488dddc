/** The whole command as a function: arguments and a world in, exit code out. Nothing here ends the process. */
import { CommanderError } from 'commander';
import { EXIT, exitOf } from './exit.ts';
import type { Io } from './io.ts';
import { printError } from './print/error.ts';
import { program } from './program.ts';

export async function main(argv: readonly string[], io: Io): Promise<number> {
  let code: number = EXIT.ok;
  try {
    await program(io, (result) => {
      code = result;
    }).parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    // Commander has printed what it had to say; its own codes do not matter.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    printError(io, error);
    return exitOf(error);
  }
}
