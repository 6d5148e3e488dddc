/** The product under test: the plugin on core's stepper, with radix translation, interrupts and special-purpose registers as a guest has them. */
import type { Arch } from '@countervisor/contract';
import { type Domain, Machine } from '@countervisor/core';
import { ppc64 } from '../../../packages/ppc64/src/index.ts';
import { rows } from '../../../packages/ppc64/src/isa/instructions/index.ts';
import { ILLEGAL, PRIVILEGED, TRAP } from '../../../packages/ppc64/src/isa/row.ts';
import { type Backend, registersOf } from './backend.ts';
import {
  type Case,
  CODE,
  CODE_SIZE,
  DATA,
  type End,
  fill,
  READABLE,
  type Result,
  TRAP_WORD,
  WINDOW,
  WRITABLE,
} from './cases.ts';

const MEMORY = 64 * 1024 * 1024;
/** Guest real addresses: the process table and trees, then user mode's pages. */
const TABLES = 0x10_0000n;
const CODE_AT = 0x20_0000n;
const DATA_AT = 0x30_0000n;
const PAGE = 0x1000n;
/** b . */
const HALT = 0x48000000;
const VECTORS = 0x2000n;

/** Every row's feature on one CPU: the table is tried whole. */
export function everything(): Arch {
  const { power10 } = ppc64.cpus;
  if (power10 === undefined) throw new Error('ppc64 has no CPU model power10.');
  const features = [...new Set([...power10.features, ...rows.flatMap(({ needs }) => needs ?? [])])];
  return { ...ppc64, cpus: { ...ppc64.cpus, everything: { ...power10, features } } };
}

/** One vCPU whose registers and memory a test sets as it likes. */
export interface Guest {
  readonly domain: Domain;
  get(name: string): bigint;
  set(name: string, value: bigint): void;
  /** A word of code in big-endian order, or in the other one. */
  word(physical: bigint, value: number, little?: boolean): void;
  /** Until so many more instructions have retired. */
  run(instructions: number): void;
}

const swapped = (word: number): number => Buffer.from(new Uint32Array([word]).buffer).readUInt32BE(0);

export function guest(arch: Arch, cpu: string): Guest {
  const machine = new Machine({ arch, cpu });
  const domain = machine.addDomain({ name: 'case', vcpus: 1, memory: MEMORY, vpmu: false });
  const [vcpu] = domain.vcpus;
  if (vcpu === undefined) throw new Error('A domain has a vCPU.');
  machine.power(vcpu, []);
  return {
    domain,
    get: (name) => vcpu.handle.get(name),
    set: (name, value) => vcpu.handle.set(name, value),
    word: (physical, value, little = false) => {
      const there = BigInt(little ? value : swapped(value));
      if (!domain.writeMemory(physical, 4, there)) throw new Error(`No memory at ${physical.toString(16)}.`);
    },
    run: (instructions) => {
      machine.run({ until: domain.instructions() + instructions });
      if (domain.ended !== undefined) throw new Error(`The domain ended: ${domain.ended.reason}.`);
    },
  };
}

const VALID = 1n << 63n;
const LEAF = 1n << 62n;
const REFERENCED_AND_CHANGED = 0x180n;
const READ = 4n;
const WRITE = 2n;
const EXECUTE = 1n;

/** A tree for process 0: user mode's code and data where QEMU's driver has them. Levels of 13, 9, 9 and 9 bits. */
function paging(g: Guest): void {
  let free = TABLES;
  const table = (bytes: bigint): bigint => {
    const at = (free + bytes - 1n) & ~(bytes - 1n);
    free = at + bytes;
    return at;
  };
  const read = (at: bigint): bigint => Buffer.from(g.domain.memory.slice(at, 8) as Uint8Array).readBigUInt64BE();
  const write = (at: bigint, value: bigint): void => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    g.domain.memory.slice(at, 8)?.set(bytes);
  };
  const processes = table(PAGE);
  const root = table(8n << 13n);
  // A tree of 52 bits, in the process table's two pieces of its size.
  write(processes, (2n << 61n) | (5n << 5n) | root | 13n);
  const map = (virtual: bigint, physical: bigint, rights: bigint): void => {
    let at = root;
    let left = 52n;
    for (const size of [13n, 9n, 9n]) {
      left -= size;
      const entry = at + ((virtual >> left) & ((1n << size) - 1n)) * 8n;
      const there = read(entry);
      const next = there === 0n ? table(PAGE) : there & 0x0fff_ffff_ffff_ff00n;
      if (there === 0n) write(entry, VALID | next | 9n);
      at = next;
    }
    const leaf = VALID | LEAF | physical | REFERENCED_AND_CHANGED | rights;
    write(at + ((virtual >> 12n) & 511n) * 8n, leaf);
  };
  const pages = (bytes: number): bigint[] => Array.from({ length: bytes / 4096 }, (_, i) => BigInt(i) * PAGE);
  for (const at of pages(CODE_SIZE)) map(CODE + at, CODE_AT + at, READ | EXECUTE);
  for (const at of pages(WRITABLE)) map(DATA + at, DATA_AT + at, READ | WRITE);
  map(DATA + BigInt(WRITABLE), DATA_AT + BigInt(WRITABLE), READ);
  g.domain.device('partition', 0).processTable = processes;
}

const SF = 1n << 63n;
const USER = SF | (1n << 14n) | (1n << 5n) | (1n << 4n);

const ENDS: Readonly<Record<string, End>> = { '300': 'memory', '380': 'memory', '600': 'alignment' };
const REASONS: readonly (readonly [bit: number, end: End])[] = [
  [TRAP, 'trap'],
  [PRIVILEGED, 'privileged'],
  [ILLEGAL, 'illegal'],
];

const PIECES = ['SO', 'OV', 'CA', 'OV32', 'CA32'];

/** Instructions of a case: a prefix and its suffix are one. */
function lengthOf(words: readonly number[]): number {
  let count = 0;
  for (let i = 0; i < words.length; i += (words[i] as number) >>> 26 === 1 ? 2 : 1) count += 1;
  return count;
}

/** Problem-state cases behind a radix tree; faults come back as SRR0, SRR1 and DAR tell them. */
export function stepper(): Backend {
  const g = guest(everything(), 'everything');
  paging(g);
  for (let at = 0n; at < VECTORS; at += 4n) g.word(at, HALT);
  const data = g.domain.memory.slice(DATA_AT, READABLE);
  if (data === undefined) throw new Error('The data pages are no memory.');
  for (let i = 0; i < READABLE; i++) data[i] = fill(DATA + BigInt(i));
  const shadow = data.slice();
  const saved = g.get('FSCR');
  return {
    name: 'stepper',
    run: (c: Case): Result => {
      const little = c.order === 'little';
      const code = CODE_AT + (c.pc - CODE);
      const window = Number(c.window - DATA);
      // Behind the case, and wherever it may branch to by a word, stands a trap of its order: nothing else is run.
      c.words.forEach((word, i) => {
        g.word(code + BigInt(4 * i), word, little);
      });
      data.set(c.bytes, window);
      for (const [name, value] of registersOf(c)) if (name !== 'MSR') g.set(name, value);
      g.set('FSCR', saved | (1n << 8n) | (1n << 12n) | (1n << 13n));
      g.set('RESERVE_SIZE', 0n);
      g.set('MSR', USER | (little ? 1n : 0n));
      g.set('NIA', c.pc);
      g.run(lengthOf(c.words));
      const at = g.get('NIA');
      const taken = at < VECTORS && (g.get('MSR') & (1n << 14n)) === 0n;
      let end: End = 'ran';
      if (taken) {
        const vector = at.toString(16);
        const reason = Number(g.get('SRR1') & 0xf_0000n);
        end = vector === '700' ? (REASONS.find(([bit]) => bit === reason)?.[1] as End) : (ENDS[vector] as End);
      }
      const bytes = data.slice(window, window + WINDOW);
      data.set(shadow.subarray(window, window + WINDOW), window);
      const stray = Buffer.compare(data, shadow) !== 0;
      if (stray) data.set(shadow);
      c.words.forEach((_, i) => {
        g.word(code + BigInt(4 * i), TRAP_WORD, little);
      });
      let cr = 0n;
      for (let n = 0; n < 8; n++) cr = (cr << 4n) | g.get(`CR${n}`);
      const count = g.get('XER_COUNT');
      const xer = PIECES.reduce(
        (all, name, i) => all | (g.get(name) << BigInt([31, 30, 29, 19, 18][i] as number)),
        count,
      );
      return {
        end,
        pc: taken ? g.get('SRR0') : at,
        address: end === 'memory' || end === 'alignment' ? g.get('DAR') : 0n,
        gpr: c.gpr.map((_, n) => g.get(`GPR${n}`)),
        ctr: g.get('CTR'),
        lr: g.get('LR'),
        xer,
        cr,
        bytes,
        stray,
      };
    },
  };
}
