/**
 * A machine as plain data and back: registers, counters, memory, devices, clocks and consoles. Translations and decoded code are not state: they
 * are made anew. Numbers, bigints, strings, arrays and objects only, so that any format can hold it.
 */
import type { DeviceState } from '@countervisor/contract';
import type { Domain, Ending } from '../domain.ts';
import { Handle } from '../handle.ts';
import { calledWith } from '../load/owner.ts';
import type { Machine } from '../machine.ts';
import { PAGE } from '../memory/layout.ts';
import type { VcpuRuntime } from '../vcpu.ts';
import { check } from './check.ts';

export interface VcpuState {
  readonly on: boolean;
  readonly waiting: boolean;
  readonly level: number;
  readonly instructions: number;
  readonly cycles: number;
  readonly roundStart: number;
  readonly turn: number;
  readonly barren: number;
  readonly switches: number;
  readonly exits: Readonly<Record<string, number>>;
  /** Clock-divider remainders: of its own bank, and of those that travel. */
  readonly remainders: readonly number[];
  readonly carried: readonly number[];
}

export interface DomainState {
  readonly name: string;
  readonly policy: string;
  /** Bytes of RAM. */
  readonly memory: number;
  readonly round: number;
  readonly turn: number;
  readonly paused: boolean;
  readonly ended: Ending | undefined;
  /** Bytes, hexadecimal. */
  readonly console: string;
  readonly dropped: number;
  readonly devices: Readonly<Record<string, readonly DeviceState[]>>;
  /** The vCPU blocks, hexadecimal. */
  readonly blocks: string;
  /** Pages of RAM that are not all zero: offset in RAM and bytes, hexadecimal. */
  readonly ram: readonly (readonly [offset: number, bytes: string])[];
  readonly vcpus: readonly VcpuState[];
}

export interface MachineState {
  readonly contract: number;
  /** With its extensions in order, since they decide what the blocks hold. */
  readonly arch: string;
  readonly cpu: string;
  readonly personality: string;
  readonly mode: string;
  readonly pcpus: readonly {
    readonly rest: string;
    readonly remainders: readonly number[];
    readonly cycles: number;
    readonly idle: number;
    readonly instructions: number;
    readonly switches: number;
    readonly next: number;
    /** Position of the domain, and of the vCPU in it, that is loaded. */
    readonly current: readonly [domain: number, vcpu: number] | undefined;
  }[];
  readonly domains: readonly DomainState[];
}

const DIGITS = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

function hex(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) out += DIGITS[byte];
  return out;
}

/** A digit's value, by its character; a letter's lowest bits are its place in the alphabet. */
const digit = (code: number): number => (code <= 57 ? code - 48 : (code & 7) + 9);

function bytes(text: string, into: Uint8Array): void {
  for (let i = 0; i < into.length; i++) {
    into[i] = (digit(text.charCodeAt(2 * i)) << 4) | digit(text.charCodeAt(2 * i + 1));
  }
}

/** Is every byte of the page at this offset 0? */
function empty(words: Int32Array, offset: number): boolean {
  const end = (offset + PAGE) >> 2;
  for (let i = offset >> 2; i < end; i++) if (words[i] !== 0) return false;
  return true;
}

const asBytes = (words: Int32Array): Uint8Array => new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

/** A device's state is flat: values and lists of them. */
function copy(state: DeviceState): DeviceState {
  return Object.fromEntries(Object.entries(state).map(([k, v]) => [k, Array.isArray(v) ? (v.slice() as number[]) : v]));
}

function vcpuState(v: VcpuRuntime): VcpuState {
  return {
    on: v.on,
    waiting: v.waiting,
    level: v.level,
    instructions: v.instructions,
    cycles: v.cycles,
    roundStart: v.roundStart,
    turn: v.turn,
    barren: v.barren,
    switches: v.switches,
    exits: Object.fromEntries(v.exits),
    remainders: v.bank?.remainders.slice() ?? [],
    carried: v.remainders?.slice() ?? [],
  };
}

function domainState(domain: Domain): DomainState {
  const { memory } = domain;
  const { layout } = memory;
  const ram: [number, string][] = [];
  for (let at = layout.ram; at < layout.bytes; at += PAGE) {
    if (!empty(memory.words, at)) ram.push([at - layout.ram, hex(memory.bytes.subarray(at, at + PAGE))]);
  }
  return {
    name: domain.name,
    policy: domain.policyName,
    memory: memory.ranges.reduce((sum, range) => sum + range.bytes, 0),
    round: domain.round,
    turn: domain.turn,
    paused: domain.paused,
    ended: domain.ended,
    console: hex(domain.consoleBytes()),
    dropped: domain.dropped,
    devices: Object.fromEntries([...domain.devices()].map(([name, states]) => [name, states.map(copy)])),
    blocks: hex(memory.bytes.subarray(layout.vcpus, layout.vcpus + layout.block * domain.vcpus.length)),
    ram,
    vcpus: domain.vcpus.map(vcpuState),
  };
}

/** Everything a guest can observe, and what the run needs to go on. Between two calls of `run` only. */
export function state(machine: Machine): MachineState {
  return {
    contract: machine.arch.arch.contract,
    arch: calledWith(machine.arch.arch),
    cpu: machine.arch.cpu.name,
    personality: machine.personality.name,
    mode: machine.mode,
    pcpus: machine.pcpus.map((p) => ({
      rest: hex(asBytes(p.rest)),
      remainders: p.bank.remainders.slice(),
      cycles: p.cycles,
      idle: p.idle,
      instructions: p.instructions,
      switches: p.switches,
      next: p.next,
      current: p.current && ([machine.domains.indexOf(p.current.domain), p.current.index] as const),
    })),
    domains: machine.domains.map(domainState),
  };
}

function restoreVcpu(v: VcpuRuntime, s: VcpuState): void {
  const { exits, remainders, carried } = s;
  v.on = s.on;
  v.waiting = s.waiting;
  v.level = s.level;
  v.instructions = s.instructions;
  v.cycles = s.cycles;
  v.roundStart = s.roundStart;
  v.turn = s.turn;
  v.barren = s.barren;
  v.switches = s.switches;
  v.exits.clear();
  for (const [cause, n] of Object.entries(exits)) v.exits.set(cause, n);
  v.bank?.remainders.splice(0, remainders.length, ...remainders);
  v.remainders = carried.length > 0 ? [...carried] : undefined;
  v.deadline = null;
  v.attention = 31;
  v.pcpu = undefined;
}

function restoreDomain(domain: Domain, s: DomainState): void {
  const { memory } = domain;
  const { layout } = memory;
  domain.round = s.round;
  domain.turn = s.turn;
  domain.paused = s.paused;
  domain.ended = s.ended;
  const text = new Uint8Array(s.console.length / 2);
  bytes(s.console, text);
  domain.setConsole(text, s.dropped);
  domain.setDevices(Object.fromEntries(Object.entries(s.devices).map(([name, states]) => [name, states.map(copy)])));
  bytes(s.blocks, memory.bytes.subarray(layout.vcpus, layout.vcpus + layout.block * domain.vcpus.length));
  memory.bytes.fill(0, layout.ram, layout.bytes);
  for (const [offset, page] of s.ram) {
    bytes(page, memory.bytes.subarray(layout.ram + offset, layout.ram + offset + PAGE));
  }
  for (const v of domain.vcpus) restoreVcpu(v, s.vcpus[v.index] as VcpuState);
  domain.engine.dropCode();
  domain.engine.flush();
}

/**
 * Puts a state into a machine made from the same configuration. Refused before anything changes when it is another one's, or none at all.
 * @throws CV_STATE
 */
export function restore(machine: Machine, s: MachineState): void {
  machine.events.refuse('restore');
  check(machine, s);
  for (const [i, domain] of machine.domains.entries()) restoreDomain(domain, s.domains[i] as DomainState);
  s.pcpus.forEach((p, i) => {
    const pcpu = machine.pcpus[i] as (typeof machine.pcpus)[number];
    bytes(p.rest, asBytes(pcpu.rest));
    pcpu.bank.remainders.splice(0, p.remainders.length, ...p.remainders);
    pcpu.cycles = p.cycles;
    pcpu.idle = p.idle;
    pcpu.instructions = p.instructions;
    pcpu.switches = p.switches;
    pcpu.next = p.next;
    const v = p.current && machine.domains[p.current[0]]?.vcpus[p.current[1]];
    pcpu.current = v;
    pcpu.view = v && new Handle(v, true);
    if (v !== undefined) v.pcpu = pcpu;
  });
}
