/**
 * What a system instruction or an exception is about to change: reads go to memory, writes wait until nothing can fault any more. So a far transfer that
 * faults half-way has changed nothing, as its lift promises.
 */
import {
  type AccessKind,
  CountervisorError,
  type Exception,
  type PhysicalMemory,
  type Translation,
  type Vcpu,
} from '@countervisor/contract';
import { type ExceptionName, fault } from './calls.ts';
import { type Manner, walk } from './mmu.ts';

/** A fault on the way; the draft is thrown away. */
export class Faulted extends Error {
  readonly exception: ExceptionName;
  readonly code: bigint;
  /** Linear address, for #PF. */
  readonly address: bigint | undefined;

  constructor(exception: ExceptionName, code = 0n, address?: bigint) {
    super(exception);
    this.exception = exception;
    this.code = code;
    this.address = address;
  }
}

/** What the CPU does by itself, to descriptor tables and task state: as a supervisor, and SMAP holds whatever AC says (volume 3, 4.6.1). */
export const IMPLICIT: Manner = { user: false, lax: false };

type Size = 1 | 2 | 4 | 8;

/** Page tables of this domain. */
export function tables(vcpu: Vcpu): PhysicalMemory {
  return {
    read(physical, size) {
      const bytes = vcpu.domain.read(physical, size);
      return bytes === undefined ? undefined : number(bytes);
    },
    write: (physical, size, value) => vcpu.domain.write(physical, bytesOf(value, size)),
  };
}

function number(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
  return value;
}

function bytesOf(value: bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = Number((value >> BigInt(8 * i)) & 0xffn);
  return bytes;
}

const isException = (found: Translation | Exception): found is Exception => 'kind' in found;

export class Draft {
  readonly vcpu: Vcpu;
  readonly #memory: PhysicalMemory;
  readonly #registers = new Map<string, bigint>();
  readonly #stores: [physical: bigint, bytes: Uint8Array][] = [];

  constructor(vcpu: Vcpu) {
    this.vcpu = vcpu;
    this.#memory = tables(vcpu);
  }

  /** A register as it is going to be. */
  get(name: string): bigint {
    return this.#registers.get(name) ?? this.vcpu.get(name);
  }

  set(name: string, value: bigint): void {
    this.#registers.set(name, value);
  }

  /** Does the CPU have it? */
  has(feature: string): boolean {
    return this.vcpu.cpu.features.has(feature);
  }

  /** An explicit access at this privilege level. */
  manner(cpl: bigint): Manner {
    return { user: cpl === 3n, lax: (this.vcpu.get('SYSTEM_FLAGS') & 0x4_0000n) !== 0n };
  }

  #physical(linear: bigint, kind: AccessKind, manner: Manner): bigint {
    const found = walk(this.vcpu, linear, kind, manner, this.#memory);
    if (!isException(found)) return found.physical;
    throw new Faulted(
      found.kind as ExceptionName,
      found.syndrome ?? 0n,
      found.kind === '#PF' ? found.address : undefined,
    );
  }

  /** Stretches of an access that lie on one page each. */
  #pieces(linear: bigint, size: number): readonly (readonly [linear: bigint, bytes: number])[] {
    const left = 4096 - Number(linear & 0xfffn);
    return size <= left
      ? [[linear, size]]
      : [
          [linear, left],
          [BigInt.asUintN(64, linear + BigInt(left)), size - left],
        ];
  }

  read(linear: bigint, size: Size, manner: Manner = IMPLICIT): bigint {
    const bytes = new Uint8Array(size);
    let done = 0;
    for (const [at, count] of this.#pieces(linear, size)) {
      const physical = this.#physical(at, 'read', manner);
      const piece = this.vcpu.domain.read(physical, count);
      if (piece === undefined) throw nowhere(this.vcpu, physical);
      bytes.set(piece, done);
      done += count;
    }
    return number(bytes);
  }

  write(linear: bigint, size: Size, value: bigint, manner: Manner = IMPLICIT): void {
    const bytes = bytesOf(value, size);
    let done = 0;
    for (const [at, count] of this.#pieces(linear, size)) {
      const physical = this.#physical(at, 'write', manner);
      if (this.vcpu.domain.read(physical, count) === undefined) throw nowhere(this.vcpu, physical);
      this.#stores.push([physical, bytes.slice(done, done + count)]);
      done += count;
    }
  }

  commit(): void {
    for (const [physical, bytes] of this.#stores) this.vcpu.domain.write(physical, bytes);
    for (const [name, value] of this.#registers) this.vcpu.set(name, value);
  }
}

function nowhere(vcpu: Vcpu, physical: bigint): CountervisorError {
  return new CountervisorError(
    'CV_SYSTEM_STRUCTURE',
    `a descriptor, a task state segment or a stack that the CPU uses by itself lies at 0x${physical.toString(16)}, which is no memory, at pc 0x${vcpu.get('RIP').toString(16)}.`,
    'Put descriptor tables, task state segments and stacks into RAM.',
  );
}

/** Runs one undertaking: all of it or nothing. Returns the helper's fault, 0 for none. */
export function attempt(vcpu: Vcpu, body: (draft: Draft) => void): bigint {
  const draft = new Draft(vcpu);
  try {
    body(draft);
  } catch (error) {
    if (!(error instanceof Faulted)) throw error;
    if (error.address !== undefined) vcpu.set('FAULT_ADDRESS', error.address);
    return fault(error.exception, error.code);
  }
  draft.commit();
  return 0n;
}
