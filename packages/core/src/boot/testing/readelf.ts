/** What readelf says of a file, as plain data, to compare with our reading. */
import { execFileSync } from 'node:child_process';

const COMMAND = 'aarch64-linux-gnu-readelf';

export interface Readelf {
  readonly entry: bigint;
  readonly segments: readonly {
    offset: number;
    vaddr: bigint;
    paddr: bigint;
    filesz: number;
    memsz: bigint;
    flags: string;
    align: bigint;
  }[];
  readonly sections: readonly {
    index: number;
    name: string;
    addr: bigint;
    offset: bigint;
    size: bigint;
    entsize: bigint;
    link: number;
    info: number;
    align: bigint;
  }[];
  /** Of the last table printed: .symtab, or .dynsym without one. */
  readonly symbols: readonly {
    value: bigint;
    size: bigint;
    type: string;
    binding: string;
    section: string;
    name: string;
  }[];
}

export function readelf(file: string): Readelf {
  const run = (flag: string) =>
    execFileSync(COMMAND, ['-W', flag, file], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  const hex = (digits: string) => BigInt(`0x${digits}`);
  const segments = [
    ...run('-l').matchAll(
      /^ {2}\S+ +0x([0-9a-f]+) 0x([0-9a-f]+) 0x([0-9a-f]+) 0x([0-9a-f]+) 0x([0-9a-f]+) ([R ][W ][E ]) (?:0x)?([0-9a-f]+)$/gm,
    ),
  ];
  const sections = [
    ...run('-S').matchAll(
      /^ {2}\[ *(\d+)\] (.*?) +(\S+) +([0-9a-f]{8}|[0-9a-f]{16}) ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) +([A-Zxlop]*) +(\d+) +(\d+) +(\d+)$/gm,
    ),
  ];
  const lists = run('-s').split(/^Symbol table /m);
  const last = lists.length > 1 ? lists.at(-1)! : '';
  const symbols = [
    ...last.matchAll(/^ +\d+: ([0-9a-f]+) +(0x[0-9a-f]+|\d+) (\S+) +(\S+) +\S+ +(?:\[[^\]]*\] +)?(\S+) ?(.*)$/gm),
  ];
  return {
    entry: hex(/Entry point address: +0x([0-9a-f]+)/.exec(run('-h'))![1]!),
    segments: segments.map((m) => ({
      offset: Number(hex(m[1]!)),
      vaddr: hex(m[2]!),
      paddr: hex(m[3]!),
      filesz: Number(hex(m[4]!)),
      memsz: hex(m[5]!),
      flags: m[6]!,
      align: hex(m[7]!),
    })),
    sections: sections.map((m) => ({
      index: Number(m[1]),
      name: m[2]!.trim(),
      addr: hex(m[4]!),
      offset: hex(m[5]!),
      size: hex(m[6]!),
      entsize: hex(m[7]!),
      link: Number(m[9]),
      info: Number(m[10]),
      align: BigInt(m[11]!),
    })),
    symbols: symbols.map((m) => ({
      value: hex(m[1]!),
      size: BigInt(m[2]!),
      type: m[3]!,
      binding: m[4]!,
      section: m[5]!,
      name: m[6]!.replace(/ \(\d+\)$/, '').replace(/@.*$/, ''),
    })),
  };
}
