/** Everything a command touches outside itself: streams, files, signals. Tests give another one. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import type { Arch, Conformance } from '@countervisor/contract';
import { InputError } from './exit.ts';

/** Why to stop early: the user asked (SIGINT), or nobody reads the results any more. */
export type Stop = 'interrupt' | 'closed';

export interface Io {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly tty: { readonly out: boolean; readonly err: boolean };
  /** Results. */
  out(text: string): void;
  /** Everything else. */
  err(text: string): void;
  readonly stop: Stop | undefined;
  /** Lets signals, and readers that are slower than we are, have their turn. */
  breathe(): Promise<void>;
  /** Host time in milliseconds: for progress alone, never for results. */
  now(): number;
  /** Given instead of what is installed. */
  readonly architectures?: readonly Arch[];
  /** With them: what they give the conformance kit, by name. */
  readonly kits?: Readonly<Record<string, Conformance>>;
}

/** Larger than any guest image; a mistyped name may be a disk. */
const LARGEST = 1024 * 1024 * 1024;

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EISDIR: 'is a folder',
  EACCES: 'may not be read',
  EPERM: 'may not be read',
};

/** `what` names the file's part: 'the configuration', 'the kernel'. @throws InputError CV_FILE */
export function readInput(io: Io, path: string, what: string): Uint8Array {
  const full = isAbsolute(path) ? path : join(io.cwd, path);
  const refuse = (why: string): InputError =>
    new InputError(
      'CV_FILE',
      `${path === '' ? "''" : path}, ${what}, ${why}.`,
      'Correct the path; a kernel is looked for beside its configuration.',
    );
  try {
    if (path === '') throw refuse('has no name');
    const stat = statSync(full);
    if (stat.isDirectory()) throw refuse('is a folder');
    if (!stat.isFile()) throw refuse('is no regular file');
    if (stat.size > LARGEST) throw refuse(`has ${stat.size} bytes, and at most ${LARGEST} are read`);
    return new Uint8Array(readFileSync(full));
  } catch (error) {
    if (error instanceof InputError) throw error;
    const { code = 'an unknown error' } = error as NodeJS.ErrnoException;
    throw refuse(WHY[code] ?? `cannot be read (${code})`);
  }
}

/**
 * A file that appears whole or not at all: written beside its place under another name, then renamed. What is there and no regular file, a device
 * or a pipe, is written to as it stands: renaming would put a file in its place.
 */
export class OutputFile {
  readonly #path: string;
  readonly #name: string;
  readonly #temporary: string | undefined;
  readonly #fd: number;
  #pending: string[] = [];
  #length = 0;

  /** @throws InputError CV_OUTPUT when it is a folder, or its folder cannot be written to */
  constructor(io: Io, path: string) {
    this.#name = path === '' ? "''" : path;
    const full = isAbsolute(path) ? path : join(io.cwd, path);
    const there = this.#try(() => statSync(full, { throwIfNoEntry: false }));
    if (there?.isDirectory() === true) throw this.#refusal('EISDIR');
    // The file that a link leads to, not the link.
    this.#path = there?.isFile() === true ? realpathSync(full) : full;
    if (there !== undefined && !there.isFile()) {
      // A pipe that nobody reads is an error, and nothing to wait for.
      closeSync(this.#try(() => openSync(full, constants.O_WRONLY | constants.O_NONBLOCK)));
      this.#temporary = undefined;
      this.#fd = this.#try(() => openSync(full, 'w'));
      return;
    }
    const beside = join(dirname(this.#path), `.${basename(this.#path)}.${randomBytes(6).toString('hex')}`);
    this.#temporary = beside;
    this.#fd = this.#try(() => openSync(beside, 'wx'));
  }

  #refusal(code: string): InputError {
    return new InputError(
      'CV_OUTPUT',
      `${this.#name} cannot be written (${code}).`,
      'Name a file in a folder that exists, may be written to, and has room.',
    );
  }

  #try<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw this.#refusal((error as NodeJS.ErrnoException).code ?? 'an unknown error');
    }
  }

  write(text: string): void {
    this.#pending.push(text);
    this.#length += text.length;
    if (this.#length > 65536) this.#flush();
  }

  #flush(): void {
    const text = this.#pending.join('');
    this.#pending = [];
    this.#length = 0;
    const bytes = Buffer.from(text);
    this.#try(() => {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done);
    });
  }

  /** Puts the file in its place. */
  commit(): void {
    this.#flush();
    closeSync(this.#fd);
    const temporary = this.#temporary;
    if (temporary !== undefined) this.#try(() => renameSync(temporary, this.#path));
  }

  /** Leaves no trace; whatever stood there before stays. */
  discard(): void {
    try {
      closeSync(this.#fd);
    } catch {
      // It was closed already.
    }
    if (this.#temporary !== undefined) rmSync(this.#temporary, { force: true });
  }
}

/** Writes a whole file, or nothing. */
export function writeWhole(io: Io, path: string, text: string): void {
  const file = new OutputFile(io, path);
  try {
    file.write(text);
    file.commit();
  } catch (error) {
    file.discard();
    throw error;
  }
}

/** The process's own. A reader that goes away (EPIPE) is no error: it has what it wanted. */
export function processIo(): Io {
  let stop: Stop | undefined;
  const { stdout, stderr } = process;
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      if (stream === stdout) stop ??= 'closed';
    });
  }
  // The second one finds no handler and ends the process at once.
  process.once('SIGINT', () => {
    stop = 'interrupt';
  });
  return {
    cwd: process.cwd(),
    env: process.env,
    tty: { out: stdout.isTTY === true, err: stderr.isTTY === true },
    out: (text) => {
      if (stop !== 'closed') stdout.write(text);
    },
    err: (text) => void stderr.write(text),
    get stop() {
      return stop;
    },
    async breathe() {
      await new Promise((resolve) => setImmediate(resolve));
      if (stdout.writableNeedDrain && stop === undefined) {
        await new Promise<void>((resolve) => {
          const done = (): void => {
            stdout.off('drain', done);
            stdout.off('error', done);
            process.off('SIGINT', done);
            resolve();
          };
          stdout.once('drain', done);
          stdout.once('error', done);
          process.once('SIGINT', done);
        });
      }
    },
    now: () => performance.now(),
  };
}
