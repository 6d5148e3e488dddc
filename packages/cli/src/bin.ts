/** The command: arguments in, exit code out. */
import { processIo } from './io.ts';
import { main } from './main.ts';

// Not process.exit: what is still in the pipes must get through.
process.exitCode = await main(process.argv.slice(2), processIo());
