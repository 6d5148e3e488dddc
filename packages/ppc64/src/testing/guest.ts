/** A guest program on a whole machine, for tests: assembled, booted with its interrupt handlers in place, run until it powers off. */
import { boot, Machine, type MachineConfig } from '@countervisor/core';
import { program as assemble, type Item, li, load, op, sc } from '../asm.ts';
import { ppc64 } from '../index.ts';

/** Where a flat image goes. */
export const BASE = 0x40_0000n;
/** Where programs put what they write down. */
export const NOTES = 0x50_0000;
const LIMIT = 1_000_000;

/** A hypercall with arguments from r4 on; the result is in r3. */
export const hcall = (number: number, ...args: readonly (number | bigint)[]): readonly Item[] => [
  ...args.map((arg, n) => load(`r${4 + n}`, arg)),
  load('r3', number),
  sc(1),
];

/** RTAS power-off, through a buffer in memory, whatever r3 to r5 held. */
export const off: readonly Item[] = [
  load('r4', NOTES + 0x1_0000),
  ...[0x2003, 2, 1, -1, -1].flatMap((word, n) => [li('r3', 0), load('r3', word), op('stw', 'r3', 4 * n, 'r4')]),
  load('r3', 0xf000),
  sc(1),
];

export interface Guest {
  readonly cpu?: string;
  readonly vcpus?: number;
  readonly vpmu?: boolean;
  readonly program: readonly Item[];
  /** Handlers by vector, big-endian. */
  readonly vectors?: Readonly<Record<number, readonly Item[]>>;
  readonly order?: 'big' | 'little';
  /** Registers at the start, beside those of the platform. */
  readonly start?: Readonly<Record<string, bigint>>;
  readonly config?: Partial<MachineConfig>;
}

/** Boots the guest, runs it to its end, and gives the machine back. The program ends with `off`. */
export function run(guest: Guest): Machine {
  const machine = new Machine({ arch: ppc64, ...(guest.cpu && { cpu: guest.cpu }), ...guest.config });
  const domain = machine.addDomain({ name: 'd', vcpus: guest.vcpus ?? 1, memory: 8 << 20, vpmu: guest.vpmu ?? false });
  const { bytes } = assemble([...guest.program, off], BASE, guest.order);
  boot(machine, domain, { bytes, file: 'd', kind: 'flat' });
  for (const [vector, items] of Object.entries(guest.vectors ?? {})) {
    const handler = assemble(items, BigInt(vector)).bytes;
    domain.memory.slice(BigInt(vector), handler.length)?.set(handler);
  }
  const handle = domain.vcpus[0]?.handle;
  for (const [name, value] of Object.entries(guest.start ?? {})) handle?.set(name, value);
  machine.run({ until: LIMIT });
  return machine;
}

/** What registers hold at the end. */
export function left(machine: Machine, ...registers: readonly string[]): readonly bigint[] {
  const { ended, vcpus } = machine.domain('d');
  if (ended?.reason !== 'poweroff') throw new Error(`ended by ${ended?.reason ?? 'running out of instructions'}`);
  return registers.map((register) => vcpus[0]?.handle.get(register) ?? -1n);
}

/** Doublewords that the program wrote down at `NOTES`. */
export function notes(machine: Machine, count: number): readonly bigint[] {
  const bytes = machine.domain('d').memory.slice(BigInt(NOTES), 8 * count) as Uint8Array;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from({ length: count }, (_, n) => view.getBigUint64(8 * n));
}
