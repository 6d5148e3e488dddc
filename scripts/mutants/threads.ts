/** Work in threads, because a mutant may never come back: one that is in the same check for too long is stopped, and counts as caught. */
import { Worker } from 'node:worker_threads';
import type { Answer, Task } from './work.ts';

export const HANGS = 'it never comes back';

/**
 * Does every task, `jobs` at a time. What a task is, is asked when its turn comes.
 * @param script what a thread runs: it answers each task with `[Answer]` or `[undefined, message]`, and says `'alive'` between two checks
 * @param limit milliseconds for one check
 * @throws Error with a thread's own message
 */
export async function inThreads(
  script: URL,
  tasks: readonly (() => Task)[],
  jobs: number,
  limit: number,
  onDone: (number: number, answer: Answer) => void,
): Promise<void> {
  let next = 0;
  const thread = async (): Promise<void> => {
    let worker: Worker | undefined;
    try {
      for (;;) {
        const number = next++;
        const task = tasks[number]?.();
        if (task === undefined) return;
        worker ??= new Worker(script, { argv: process.argv.slice(2) });
        const answer = await ask(worker, task, limit);
        if (answer === undefined) {
          await worker.terminate();
          worker = undefined;
        }
        onDone(number, answer ?? { by: HANGS });
      }
    } finally {
      await worker?.terminate();
    }
  };
  await Promise.all(Array.from({ length: jobs }, thread));
}

/** Undefined: it took too long. */
function ask(worker: Worker, task: Task, limit: number): Promise<Answer | undefined> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      done();
      reject(error);
    };
    const answered = (told: 'alive' | [Answer | undefined, string | undefined]): void => {
      if (told === 'alive') {
        timer.refresh();
        return;
      }
      const [answer, message] = told;
      done();
      if (answer === undefined) reject(new Error(message));
      else resolve(answer);
    };
    const done = (): void => {
      clearTimeout(timer);
      worker.off('error', failed);
      worker.off('message', answered);
    };
    const timer = setTimeout(() => {
      done();
      resolve(undefined);
    }, limit);
    worker.on('error', failed);
    worker.on('message', answered);
    worker.postMessage(task);
  });
}
