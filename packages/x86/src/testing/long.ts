/**
 * A guest in 64-bit mode, for tests: no boot code; paging, segments and control registers are put there raw, then the assembled lines run at CPL 0 (or 3)
 * until VMCALL powers off. The first gigabyte is mapped one to one in pages of 2 MiB, and the local APIC at its place.
 */
import type { PolicyName } from '@countervisor/contract';
import { boot, type Domain, Machine, type MachineConfig } from '@countervisor/core';
import { type Item, mov, op, program, vmcall, xor } from '../asm.ts';
import { x86 } from '../index.ts';

export const BASE = 0x10_0000n;
/** Where tests keep data: behind the code, mapped one to one. */
export const DATA = 0x20_0000n;
export const STACK = 0x1f_f000n;
const LIMIT = 20_000_000;
const MEMORY = 4 * 1024 * 1024;

const PML4 = 0x1000n;
const PDPT = 0x2000n;
const LOW = 0x3000n;
const HIGH = 0x4000n;
/** Present, writable, user. */
const TABLE = 7n;
const LARGE = 0x80n;

export interface Asked extends Partial<MachineConfig> {
  readonly policy?: PolicyName;
  readonly vpmu?: boolean;
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** 3: user code. VMCALL still ends it. */
  readonly cpl?: 0 | 3;
  /** Done before the first instruction. */
  readonly begin?: (guest: Guest) => void;
  /** Registers set before the first instruction. */
  readonly set?: Readonly<Record<string, bigint>>;
}

export interface Guest {
  readonly machine: Machine;
  readonly domain: Domain;
  /** Address of a label. */
  label(name: string): bigint;
  get(register: string): bigint;
  set(register: string, value: bigint): void;
  read(at: bigint, bytes: number): Uint8Array;
  /** Little-endian. */
  word(at: bigint, bytes?: 1 | 2 | 4 | 8): bigint;
  write(at: bigint, value: bigint, bytes?: 1 | 2 | 4 | 8): void;
  run(until?: number): Guest;
}

/** Powers off: three instructions; uses RAX and RBX. */
export const off: Item = [xor('EAX', 'EAX'), xor('EBX', 'EBX'), vmcall()];

export const wrmsr = (msr: number, value: bigint): Item => [
  mov('ECX', msr),
  mov('EAX', value & 0xffff_ffffn),
  mov('EDX', value >> 32n),
  op('WRMSR'),
];
/** EDX:EAX of an MSR, whole, in RAX; uses RCX and RDX. */
export const rdmsr = (msr: number): Item => [
  mov('ECX', msr),
  op('RDMSR'),
  op('SHL', ['RDX', 32]),
  op('OR', ['RAX', 'RDX']),
];

/** Four pages of tables, from PML4 on. */
const TABLES: Uint8Array = (() => {
  const words = new BigUint64Array(4 * 512);
  const at = (address: bigint): number => Number((address - PML4) / 8n);
  words[at(PML4)] = PDPT | TABLE;
  words[at(PDPT)] = LOW | TABLE;
  words[at(PDPT) + 3] = HIGH | TABLE;
  for (let n = 0; n < 512; n++) {
    const page = BigInt(n) << 21n;
    words[at(LOW) + n] = page | TABLE | LARGE;
    words[at(HIGH) + n] = 0xc000_0000n + page + (TABLE | LARGE);
  }
  return new Uint8Array(words.buffer);
})();

const CODE = 0xa09bn;
const DATA_AR = 0xc093n;

/** Adds a guest to a machine. */
export function beside(machine: Machine, name: string, items: readonly Item[], asked: Asked = {}): Guest {
  const { policy, vpmu = true, settings, cpl = 0, set = {} } = asked;
  const domain = machine.addDomain({
    name,
    vcpus: 1,
    memory: MEMORY,
    vpmu,
    ...(policy !== undefined && { policy }),
    ...(settings !== undefined && { settings }),
  });
  const assembled = program([...items, off], BASE);
  boot(machine, domain, { bytes: assembled.bytes, file: name, kind: 'flat' });
  const handle = domain.vcpus[0]?.handle;
  if (handle === undefined) throw new RangeError('a domain has a vCPU');
  const made: Guest = {
    machine,
    domain,
    label: (label) => assembled.labels.get(label) ?? -1n,
    get: (register) => handle.get(register),
    set: (register, value) => handle.set(register, value),
    read: (at, bytes) => domain.memory.slice(at, bytes)?.slice() ?? new Uint8Array(),
    word: (at, bytes = 8) => {
      const all = domain.memory.slice(at, bytes) ?? new Uint8Array();
      return all.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
    },
    write(at, value, bytes = 8) {
      const to = domain.memory.slice(at, bytes);
      if (to === undefined) throw new RangeError(`no memory at 0x${at.toString(16)}`);
      for (let i = 0; i < bytes; i++) to[i] = Number((value >> BigInt(8 * i)) & 0xffn);
    },
    run(until = LIMIT) {
      machine.run({ until });
      return made;
    },
  };
  domain.memory.slice(PML4, TABLES.length)?.set(TABLES);
  const rights = BigInt(cpl) << 5n;
  const flat = Object.fromEntries(
    ['DS', 'ES', 'SS', 'FS', 'GS'].flatMap((segment) => [
      [segment, 0x10n | BigInt(cpl)],
      [`${segment}_BASE`, 0n],
      [`${segment}_LIMIT`, 0xffff_ffffn],
      [`${segment}_AR`, DATA_AR | rights],
    ]),
  );
  const all: Readonly<Record<string, bigint>> = {
    CR3: PML4,
    CR4: 0x20n,
    EFER: 0xd01n,
    CR0: 0x8001_0011n,
    ...flat,
    CS: 8n | BigInt(cpl),
    CS_BASE: 0n,
    CS_LIMIT: 0xffff_ffffn,
    CS_AR: CODE | rights,
    CPL: BigInt(cpl),
    RIP: BASE,
    RSP: STACK,
    ...set,
  };
  for (const [register, value] of Object.entries(all)) handle.set(register, value);
  asked.begin?.(made);
  return made;
}

/** A machine with one guest `a`. */
export function guest(items: readonly Item[], asked: Asked = {}): Guest {
  const { policy: _p, vpmu: _v, settings: _s, cpl: _c, set: _r, begin: _b, ...config } = asked;
  return beside(new Machine({ arch: x86, ...config }), 'a', items, asked);
}

/** The same, run to its end; throws when it does not power off. */
export function ran(items: readonly Item[], asked: Asked = {}): Guest {
  const made = guest(items, asked).run();
  const { ended } = made.domain;
  if (ended?.reason !== 'poweroff')
    throw new Error(
      `it ended by ${ended?.reason ?? 'running out of instructions'} at 0x${made.get('RIP').toString(16)}`,
    );
  return made;
}
