/** The same command in several processes: each does its part of the checks and tells its results as lines of JSON. */
import { spawn } from 'node:child_process';
import type { Done, Shard } from '@countervisor/conformance';

/** Shards of a shard: part `part` of `of`, cut in `jobs`. Together they hold what it held, each check once. */
export function parts({ part, of }: Shard, jobs: number): Shard[] {
  return Array.from({ length: jobs }, (_, job) => ({ part: part + of * job, of: of * jobs }));
}

/** Whole lines of a stream, as they come. */
function lines(tell: (line: string) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const all = (rest + chunk).split('\n');
    rest = all.pop() ?? '';
    for (const line of all) tell(line);
  };
}

export interface Job {
  /** Exit code, or the signal's name. */
  readonly ended: number | string;
  readonly err: string;
}

/** Runs this command once more, with these arguments. `stop` ends it early. */
export function job(argv: readonly string[], onDone: (done: Done) => void, stop: () => boolean): Promise<Job> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1] as string, ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let err = '';
    const look = setInterval(() => {
      if (stop()) child.kill('SIGTERM');
    }, 100);
    child.stdout.setEncoding('utf8').on(
      'data',
      lines((line) => onDone(JSON.parse(line) as Done)),
    );
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.on('error', (error) => {
      clearInterval(look);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearInterval(look);
      resolve({ ended: code ?? signal ?? 'unknown', err });
    });
  });
}
