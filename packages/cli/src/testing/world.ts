/** A world for commands under test: a folder of its own, captured streams, given architectures. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Arch, Conformance } from '@countervisor/contract';
import { conformance, template } from '@countervisor/template';
import type { Io, Stop } from '../io.ts';
import { main } from '../main.ts';

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface WorldOptions {
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly tty?: { readonly out: boolean; readonly err: boolean };
  readonly architectures?: readonly Arch[] | 'installed';
  /** What the architectures give the conformance kit; the template's unless said. */
  readonly kits?: Readonly<Record<string, Conformance>>;
  /** Where commands run; the folder of its own unless said. */
  readonly cwd?: string;
  /** Stops at the n-th breath. */
  readonly stop?: { readonly why: Stop; readonly breath: number };
  /** Host milliseconds that pass between two looks at the clock. */
  readonly tick?: number;
}

export class World {
  readonly folder: string;
  readonly #options: WorldOptions;

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.folder = mkdtempSync(join(tmpdir(), 'countervisor-cli-'));
    for (const [name, content] of Object.entries(options.files ?? {})) this.write(name, content);
  }

  write(name: string, content: string | Uint8Array): void {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }

  files(): string[] {
    return readdirSync(this.folder).sort();
  }

  async run(...argv: string[]): Promise<Said> {
    const { env, tty, architectures, kits, stop, tick } = this.#options;
    let out = '';
    let err = '';
    let breaths = 0;
    let time = 0;
    let stopped: Stop | undefined;
    const io: Io = {
      cwd: this.#options.cwd ?? this.folder,
      env: env ?? {},
      tty: tty ?? { out: false, err: false },
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      get stop() {
        return stopped;
      },
      breathe: () => {
        if (stop !== undefined && ++breaths >= stop.breath) stopped = stop.why;
        return Promise.resolve();
      },
      now: () => {
        time += tick ?? 0;
        return time;
      },
      ...(architectures !== 'installed' && {
        architectures: architectures ?? [template as unknown as Arch],
        kits: kits ?? { template: conformance },
      }),
    };
    const code = await main(argv, io);
    return { code, out, err };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
