/** The built command under test: in a process of its own, or as the function that the process calls. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Io, main } from 'countervisor';

export const root: string = fileURLToPath(new URL('..', import.meta.url));
export const bin: string = join(root, 'packages/cli/bin/countervisor.js');
export const image = (name: string): string => `guests/arm64/images/${name}.elf`;

export interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A process of its own, from the repository's root unless said. */
export function spawned(args: readonly string[], cwd: string = root): Said {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
    cwd,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  return { code: status, out: stdout, err: stderr };
}

/** The same command without a process around it: many runs in the time of one start. */
export async function countervisor(args: readonly string[], cwd: string = root): Promise<Said> {
  const out: string[] = [];
  const err: string[] = [];
  const io: Io = {
    cwd,
    env: {},
    tty: { out: false, err: false },
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    stop: undefined,
    breathe: () => Promise.resolve(),
    now: () => 0,
  };
  const code = await main(args, io);
  return { code, out: out.join(''), err: err.join('') };
}
