/** What other programs may import: the command as a function, and the schemas of what it reads and writes. */
export { EXIT } from './exit.ts';
export { type HostFile, hostSchema } from './host.ts';
export type { Io, Stop } from './io.ts';
export { main } from './main.ts';
export { type CheckJson, checkSchema } from './schemas/check.ts';
export { type ExpectJson, expectSchema } from './schemas/expect.ts';
export { type ListJson, listSchema } from './schemas/list.ts';
export { type RegsJson, regsSchema } from './schemas/regs.ts';
export { type RunJson, runSchema } from './schemas/run.ts';
export { type StatJson, statSchema } from './schemas/stat.ts';
export { type TraceLine, traceSchema } from './schemas/trace.ts';
