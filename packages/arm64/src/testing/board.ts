/**
 * A domain without a hypervisor, for tests of exceptions, translation and devices: vCPUs with registers in maps, RAM in pages, devices of the
 * platform. Written from the contract, not from core.
 */
import type { AccessKind, Affects, CpuModel, Device, DeviceState, DomainControl, Vcpu } from '@countervisor/contract';
import { translate } from '../isa/mmu.ts';
import { virt } from '../platform/virt.ts';
import { control } from '../registers/control.ts';
import { debug } from '../registers/debug.ts';
import { general } from '../registers/general.ts';
import { gic } from '../registers/gic.ts';
import { identity } from '../registers/identity.ts';
import { cpus } from '../registers/models.ts';
import type { Row, Rows } from '../registers/row.ts';
import { system } from '../registers/system.ts';
import { timer } from '../registers/timer.ts';

const tables: Rows = { ...general, ...control, ...identity, ...debug, ...gic, ...timer, ...system };
const ONES = (1n << 64n) - 1n;
const RAM = 0x4000_0000n;

export interface BoardOptions {
  readonly cpu?: string;
  readonly vcpus?: number;
  readonly gic?: 2 | 3;
  /** RAM at 1 GiB, bytes. */
  readonly memory?: number;
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
}

export class Board {
  readonly vcpus: readonly FakeVcpu[];
  readonly bytes: Uint8Array;
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  readonly model: CpuModel;
  readonly on: boolean[];
  now = 0n;
  printed = '';
  ended: readonly [reason: string, status: number] | undefined;
  /** What was started, in order. */
  readonly started: (readonly [index: number, entry: bigint, argument: bigint])[] = [];
  readonly #devices = new Map<string, DeviceState[]>();

  constructor(options: BoardOptions = {}) {
    const name = options.cpu ?? 'neoverse-n2';
    const row = cpus[name];
    if (row === undefined) throw new Error(`no model ${name}`);
    this.model = { ...row, name, features: new Set(row.features) };
    this.settings = { gic: options.gic ?? 2, ...options.settings };
    this.bytes = new Uint8Array(options.memory ?? 1 << 20);
    const count = options.vcpus ?? 1;
    this.vcpus = Array.from({ length: count }, (_, index) => new FakeVcpu(this, index, count));
    this.on = Array.from({ length: count }, (_, index) => index === 0);
    for (const device of virt.devices) {
      const states = Array.from({ length: device.per === 'domain' ? 1 : count }, (_, n) => device.state(this.cpu(n)));
      this.#devices.set(device.name, states);
    }
  }

  cpu(index = 0): FakeVcpu {
    const vcpu = this.vcpus[index];
    if (vcpu === undefined) throw new Error(`no vCPU ${index}`);
    return vcpu;
  }

  state(name: string, vcpu: number): DeviceState {
    const states = this.#devices.get(name);
    const state = states?.[states.length === 1 ? 0 : vcpu];
    if (state === undefined) throw new Error(`no device ${name}`);
    return state;
  }

  /** Bytes of RAM, or `undefined` outside. */
  at(physical: bigint, size: number): Uint8Array | undefined {
    const offset = Number(physical - RAM);
    return offset >= 0 && offset + size <= this.bytes.length ? this.bytes.subarray(offset, offset + size) : undefined;
  }

  /** A 64-bit word of RAM, little-endian. */
  word(physical: bigint, value: bigint): void {
    const bytes = this.at(physical, 8);
    if (bytes === undefined) throw new Error(`no memory at ${physical}`);
    new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(0, value, true);
  }

  readonly memory = {
    read: (physical: bigint, size: 4 | 8): bigint | undefined => {
      const bytes = this.at(physical, size);
      if (bytes === undefined) return undefined;
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      return size === 8 ? view.getBigUint64(0, true) : BigInt(view.getUint32(0, true));
    },
    write: (): boolean => {
      throw new Error('this architecture writes no page tables');
    },
  };

  #device(physical: bigint): readonly [Device, number] {
    for (const device of virt.devices) {
      const { range } = device;
      if (range !== undefined && physical >= range.base && physical < range.base + BigInt(range.size)) {
        return [device, Number(physical - range.base)];
      }
    }
    throw new Error(`no device at 0x${physical.toString(16)}`);
  }

  /** A vCPU's load from a device; `undefined`: refused. */
  load(physical: bigint, size: 1 | 2 | 4 | 8 = 4, vcpu = 0): number | bigint | undefined {
    const [device, offset] = this.#device(physical);
    if (!device.sizes.includes(size)) return undefined;
    device.reading?.(this.cpu(vcpu), offset, size);
    return device.read?.(this.cpu(vcpu), offset, size);
  }

  store(physical: bigint, value: number | bigint, size: 1 | 2 | 4 | 8 = 4, vcpu = 0): boolean {
    const [device, offset] = this.#device(physical);
    return device.sizes.includes(size) && (device.write?.(this.cpu(vcpu), offset, size, value) ?? false);
  }
}

export class FakeVcpu implements Vcpu {
  readonly board: Board;
  readonly index: number;
  readonly siblings: number;
  readonly stored: Map<string, bigint> = new Map();
  /** What `changed` was told, in order. */
  readonly told: Affects[] = [];
  readonly policy = 'emulated';
  /** Interrupt sources held high by the test. */
  readonly wires: Set<string> = new Set();
  waits = 0;

  constructor(board: Board, index: number, siblings: number) {
    this.board = board;
    this.index = index;
    this.siblings = siblings;
  }

  get cpu(): CpuModel {
    return this.board.model;
  }
  get settings(): Readonly<Record<string, string | number | boolean>> {
    return this.board.settings;
  }
  get level(): number {
    return Number(this.get('EL'));
  }
  get now(): bigint {
    return this.board.now;
  }

  row(name: string): Row {
    const row = tables[name];
    if (row === undefined) throw new Error(`no register ${name}`);
    return row;
  }

  get(name: string): bigint {
    const row = this.row(name);
    if (row.derive !== undefined) return row.derive(this);
    const { reset } = row;
    return (
      this.stored.get(name) ?? (typeof reset === 'bigint' ? reset : typeof reset === 'function' ? reset(this) : 0n)
    );
  }

  field(name: string, field: string): bigint {
    const bits = this.row(name).fields[field]?.bits;
    if (bits === undefined) throw new Error(`${name} has no field ${field}`);
    const [high, low] = typeof bits === 'number' ? [bits, bits] : bits;
    return (this.get(name) >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);
  }

  set(name: string, value: bigint): void {
    if (this.row(name).derive !== undefined) throw new Error(`${name} stores nothing`);
    if (value < 0n || value > ONES) throw new Error(`${name} is set to ${value}, which is no 64-bit value`);
    this.stored.set(name, value);
  }

  /** Several at once. */
  put(values: Readonly<Record<string, bigint>>): this {
    for (const [name, value] of Object.entries(values)) this.set(name, value);
    return this;
  }

  /** A guest's read and write of a register that nothing stops. */
  read(name: string): bigint {
    return this.row(name).action?.read?.(this) ?? this.get(name);
  }

  write(name: string, value: bigint): void {
    const row = this.row(name);
    if (row.action?.write !== undefined) {
      row.action.write(this, value);
      return;
    }
    const before = this.get(name);
    if (row.derive === undefined) this.set(name, value);
    row.wrote?.(this, value, before);
  }

  device<State extends object>(name: string, vcpu: number = this.index): State {
    return this.board.state(name, vcpu) as unknown as State;
  }

  line(source: string): boolean {
    return this.wires.has(source) || (virt.sources[source]?.(this) ?? false);
  }

  translate(virtual: bigint, kind: AccessKind, level: number): ReturnType<typeof translate> {
    return translate(this, virtual, kind, level, this.board.memory);
  }

  changed(what: Affects): void {
    this.told.push(what);
  }
  count(): void {
    throw new Error('nothing here counts');
  }
  note(): void {}
  warn(): void {}
  emit(): void {
    throw new Error('nothing here emits');
  }
  console(byte: number): void {
    this.board.printed += String.fromCharCode(byte);
  }

  get domain(): DomainControl {
    const { board } = this;
    return {
      exit: (reason, status) => {
        board.ended = [reason, status];
      },
      start: (index, entry, argument) => {
        if (board.on[index] === true) return false;
        board.on[index] = true;
        board.started.push([index, entry, argument]);
        return true;
      },
      stop: () => {
        board.on[this.index] = false;
      },
      isOn: (index) => board.on[index] === true,
      vcpu: (index) => board.cpu(index),
      wait: () => {
        this.waits++;
      },
      yield: () => {},
      read: (physical, length) => board.at(physical, length)?.slice(),
      write: () => false,
    };
  }
}
