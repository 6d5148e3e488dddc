/** The product under test: the plugin on core's stepper, with paging, exceptions and system registers as a guest has them. */
import type { Arch, Trap, TrapHandler } from '@countervisor/contract';
import { type Domain, type DomainConfig, Machine } from '@countervisor/core';
import { arm64 } from '../../packages/arm64/src/index.ts';
import type { Backend } from './backend.ts';
import { type Case, CODE, CODE_SIZE, DATA, fill, READABLE, type Result, WINDOW, WRITABLE } from './cases.ts';
import { STORAGE, SYSTEM_CODE, SYSTEM_CODE_SIZE, type SystemCase, type SystemResult } from './system.ts';
import type { SystemBackend } from './system-backend.ts';

const RAM = 0x4000_0000n;
const MEMORY = 64 * 1024 * 1024;
/** Guest-physical places of user mode's pages. */
const TABLES = RAM + 0x10_0000n;
const CODE_AT = RAM + 0x20_0000n;
const DATA_AT = RAM + 0x30_0000n;
export const VECTORS_AT: bigint = RAM + 0x40_0000n;
const VECTORS = 0x20_0000_0000n;
const PAGE = 0x1000n;

const BRK = 0xd4200000;
/** As system.c fills its code. */
export const SENTINEL = 0xfff0;
export const SENTINEL_BRK = 0xd43ffe00;
/** B to itself. */
const HALT = 0x14000000;

const FLAGS = ['V', 'C', 'Z', 'N'];

/** Every row's feature on one CPU: the table is tried whole. */
function everything(handlers: Readonly<Record<string, TrapHandler>> = {}): Arch {
  const { max } = arm64.cpus;
  if (max === undefined) throw new Error('arm64 has no CPU model max.');
  const features = [...new Set([...max.features, 'lor', 'aes', 'sha1', 'fp16', 'rdm'])];
  const causes = Object.fromEntries(
    Object.entries(arm64.causes).map(([name, cause]) => {
      const handler = handlers[name];
      return [name, handler === undefined ? cause : { ...cause, handler }];
    }),
  );
  const known = Object.fromEntries(features.map((name) => [name, { means: `${name}, for the table's sake.` }]));
  return {
    ...arm64,
    causes,
    features: { ...known, ...arm64.features },
    cpus: { ...arm64.cpus, everything: { ...max, features } },
  };
}

/** One vCPU whose registers and memory a test sets as it likes. */
export interface Guest {
  readonly machine: Machine;
  readonly domain: Domain;
  get(name: string): bigint;
  set(name: string, value: bigint): void;
  word(physical: bigint, value: number): void;
  /** Until so many more instructions have retired. */
  run(instructions: number): void;
}

export function guest(arch: Arch, cpu: string, config: Partial<DomainConfig> = {}): Guest {
  const machine = new Machine({ arch, cpu });
  const domain = machine.addDomain({ name: 'case', vcpus: 1, memory: MEMORY, vpmu: false, ...config });
  const [vcpu] = domain.vcpus;
  if (vcpu === undefined) throw new Error('A domain has a vCPU.');
  machine.power(vcpu, []);
  return {
    machine,
    domain,
    get: (name) => vcpu.handle.get(name),
    set: (name, value) => vcpu.handle.set(name, value),
    word: (physical, value) => {
      if (!domain.writeMemory(physical, 4, BigInt(value))) throw new Error(`No memory at ${physical.toString(16)}.`);
    },
    run: (instructions) => {
      machine.run({ until: domain.instructions() + instructions });
      if (domain.ended !== undefined) throw new Error(`The domain ended: ${domain.ended.reason}.`);
    },
  };
}

/** Vectors: each entry stays where it is, so that PC says which one was taken. */
export function haltAt(g: Guest, vectors: bigint): void {
  for (let entry = 0n; entry < 16n; entry++) g.word(vectors + entry * 0x80n, HALT);
}

const VALID = 3n;
const AF = 1n << 10n;
const SHARED = 3n << 8n;
const USER = 1n << 6n;
const READ_ONLY = 1n << 7n;
const PXN = 1n << 53n;
const UXN = 1n << 54n;

/** Stage 1 tables: user mode's code and data where QEMU's driver has them, and vectors. */
function paging(g: Guest): void {
  let free = TABLES;
  const table = (): bigint => {
    const at = free;
    free += PAGE;
    return at;
  };
  const entry = (at: bigint, index: bigint, value: bigint): void => {
    g.domain.writeMemory(at + index * 8n, 8, value);
  };
  const root = table();
  const map = (virtual: bigint, physical: bigint, attributes: bigint): void => {
    let at = root;
    for (const shift of [39n, 30n, 21n]) {
      const index = (virtual >> shift) & 511n;
      const there = g.domain.physical.read(at + index * 8n, 8) ?? 0n;
      const next = there === 0n ? table() : there & ~0xfffn;
      if (there === 0n) entry(at, index, next | VALID);
      at = next;
    }
    entry(at, (virtual >> 12n) & 511n, physical | attributes | AF | SHARED | VALID);
  };
  const pages = (bytes: number): bigint[] => Array.from({ length: bytes / 4096 }, (_, i) => BigInt(i) * PAGE);
  for (const at of pages(CODE_SIZE)) map(CODE + at, CODE_AT + at, USER | PXN);
  for (const at of pages(WRITABLE)) map(DATA + at, DATA_AT + at, USER | PXN | UXN);
  map(DATA + BigInt(WRITABLE), DATA_AT + BigInt(WRITABLE), USER | READ_ONLY | PXN | UXN);
  map(VECTORS, VECTORS_AT, READ_ONLY | UXN);
  g.set('MAIR_EL1', 0xffn);
  // T0SZ and T1SZ 16, no walks for the upper range.
  g.set('TCR_EL1', 16n | (16n << 16n) | (1n << 23n));
  g.set('TTBR0_EL1', root);
  g.set('VBAR_EL1', VECTORS);
  g.set('CPACR_EL1', 3n << 20n);
  // RES1 bits, nTWE, nTWI, UCT, DZE, I, C, M; what Linux gives its EL0.
  g.set('SCTLR_EL1', 0x30d00800n | (1n << 26n) | (1n << 18n) | (1n << 16n) | (3n << 14n) | (1n << 12n) | 5n);
}

function setState(g: Guest, x: readonly bigint[], nzcv: number): void {
  x.forEach((value, n) => {
    g.set(`X${n}`, value);
  });
  FLAGS.forEach((name, bit) => {
    g.set(name, BigInt((nzcv >> bit) & 1));
  });
  for (const name of ['IL', 'SS', 'PAN', 'EXCLUSIVE_SIZE']) g.set(name, 0n);
}

const EC_DATA_ABORT = 0x24n;
const ALIGNMENT = 0x21n;

/** User-mode cases at EL0 behind page tables; faults come back as EL1's syndrome registers tell them. */
export function stepper(): Backend {
  const g = guest(everything(), 'everything');
  paging(g);
  haltAt(g, VECTORS_AT);
  for (let at = 0; at < CODE_SIZE; at += 4) g.word(CODE_AT + BigInt(at), BRK);
  const slice = g.domain.memory.slice(DATA_AT, READABLE);
  if (slice === undefined) throw new Error('The data pages are no memory.');
  const data = slice;
  for (let i = 0; i < READABLE; i++) data[i] = fill(DATA + BigInt(i));
  const shadow = data.slice();
  return {
    name: 'stepper',
    run: (c: Case): Result => {
      const code = CODE_AT + (c.pc - CODE);
      const window = Number(c.window - DATA);
      c.words.forEach((word, i) => {
        g.word(code + BigInt(4 * i), word);
      });
      data.set(c.bytes, window);
      g.set('EL', 0n);
      g.set('SPSEL', 0n);
      g.set('DAIF', 0x3c0n);
      setState(g, c.x, c.nzcv);
      g.set('SP', c.sp);
      g.set('PC', c.pc);
      g.run(c.words.length);
      const faulted = g.get('EL') === 1n;
      const syndrome = g.get('ESR_EL1');
      let end: Result['end'] = 'ran';
      if (faulted) {
        end = (syndrome & 63n) === ALIGNMENT ? 'alignment' : 'memory';
        if (syndrome >> 26n !== EC_DATA_ABORT) end = 'undefined';
      }
      const bytes = data.slice(window, window + WINDOW);
      data.set(shadow.subarray(window, window + WINDOW), window);
      const stray = Buffer.compare(data, shadow) !== 0;
      if (stray) data.set(shadow);
      c.words.forEach((_, i) => {
        g.word(code + BigInt(4 * i), BRK);
      });
      const saved = g.get('SPSR_EL1');
      return {
        end,
        pc: g.get(faulted ? 'ELR_EL1' : 'PC'),
        address: end === 'memory' || end === 'alignment' ? g.get('FAR_EL1') : 0n,
        x: c.x.map((_, n) => g.get(`X${n}`)),
        sp: g.get(faulted ? 'SP_EL0' : 'SP'),
        nzcv: faulted
          ? Number(saved >> 28n) & 15
          : FLAGS.reduce((all, name, bit) => all | (Number(g.get(name)) << bit), 0),
        bytes,
        stray,
      };
    },
  };
}

/** Causes that the driver at EL2 traps, with the exception class it would see. */
const TRAPS: Readonly<Record<string, { readonly ec: number; iss(trap: Trap): number }>> = {
  hypercall: { ec: 0x16, iss: ({ argument }) => Number(argument) },
  smc: { ec: 0x17, iss: ({ argument }) => Number(argument) },
  wait: { ec: 0x01, iss: () => (1 << 24) | (0xe << 20) },
};

/** System cases, paging off. Behind every instruction stands a BRK, so each case ends at one of EL1's vectors. */
export function systemStepper(): SystemBackend {
  let trapped: Trap | undefined;
  const note: TrapHandler = (_vcpu, trap) => {
    trapped = trap;
    return { then: 'complete' };
  };
  const g = guest(everything({ hypercall: note, smc: note, wait: note, 'wait-event': note }), 'everything');
  haltAt(g, VECTORS_AT);
  for (let at = 0; at < SYSTEM_CODE_SIZE; at += 4) g.word(SYSTEM_CODE + BigInt(at), SENTINEL_BRK);
  const vectors = VECTORS_AT;
  return {
    name: 'stepper',
    run: (c: SystemCase): SystemResult => {
      trapped = undefined;
      g.word(c.pc, c.word);
      const el = (c.pstate >>> 2) & 1;
      const spsel = c.pstate & 1;
      g.set('EL', BigInt(el));
      g.set('SPSEL', BigInt(spsel));
      setState(g, c.x, c.pstate >>> 28);
      g.set('DAIF', BigInt(c.pstate & 0x3c0));
      g.set('SP_EL0', c.sp[0]);
      g.set('SP_EL1', c.sp[1]);
      g.set('SP', c.sp[spsel] as bigint);
      STORAGE.forEach((name, n) => {
        g.set(name, c.storage[n] as bigint);
      });
      for (const name of ['SCTLR_EL1', 'CPACR_EL1', 'ELR_EL1', 'SPSR_EL1'] as const) g.set(name, c[name]);
      g.set('VBAR_EL1', vectors);
      g.set('PC', c.pc);
      g.run(2);
      g.word(c.pc, SENTINEL_BRK);
      const at = g.get('PC') - vectors;
      if (at < 0n || at >= 0x800n) throw new Error(`${c.row} ended at ${g.get('PC').toString(16)}, at no vector.`);
      const esr = g.get('ESR_EL1');
      const ec = Number(esr >> 26n) & 63;
      const iss = Number(esr & 0x1ffffffn);
      const common = {
        pc: g.get('ELR_EL1'),
        x: c.x.map((_, n) => g.get(`X${n}`)),
        sp: [g.get('SP_EL0'), g.get('SP')] as const,
        pstate: Number(g.get('SPSR_EL1') & 0xf05003dfn),
        storage: STORAGE.map((name) => g.get(name)),
      };
      const trap = trapped === undefined ? undefined : TRAPS[(trapped as Trap).cause];
      if (trap) return { ...common, end: 'el2', pc: c.pc, ec: trap.ec, iss: trap.iss(trapped as unknown as Trap) };
      if (ec === 0x3c && iss === SENTINEL) return { ...common, end: 'ran', ec: 0, iss: 0 };
      return { ...common, end: ec === 0x3c ? 'el2' : 'el1', ec, iss };
    },
  };
}
