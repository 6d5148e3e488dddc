/** The product under test: the x86 plugin on core's stepper, at CPL 3 behind page tables, with exceptions delivered through an IDT as a guest has them. */
import type { Arch } from '@countervisor/contract';
import { x86 } from '../../packages/x86/src/index.ts';
import { VECTORS } from '../../packages/x86/src/isa/calls.ts';
import { GENERAL } from '../../packages/x86/src/isa/operands.ts';
import { type Guest, guest } from './stepper.ts';
import type { X86Backend } from './x86-backend.ts';
import {
  type Bits,
  CODE_SIZE,
  fill,
  PLACES,
  READABLE,
  WINDOW,
  WRITABLE,
  type X86Case,
  type X86Result,
} from './x86-cases.ts';
import { FEATURES } from './x86-code.ts';
import { applyState, stateOf } from './x86-state.ts';
import { AS_SIGNAL } from './x86-user.ts';

/** Guest-physical places. */
const TABLES = 0x10_0000n;
const CODE_AT: Readonly<Record<Bits, bigint>> = { 64: 0x20_0000n, 32: 0x30_0000n };
const DATA_AT: Readonly<Record<Bits, bigint>> = { 64: 0x28_0000n, 32: 0x38_0000n };
const SYSTEM_AT = 0x40_0000n;
/** Linear: descriptors, handlers and the stack of level 0. */
const SYSTEM = 0xffff_8000_0000_0000n;
const GDT = SYSTEM;
const IDT = SYSTEM + 0x1000n;
const TSS = SYSTEM + 0x2000n;
const HANDLERS = SYSTEM + 0x3000n;
const STACK = SYSTEM + 0x5000n;
const PAGE = 0x1000n;
/** Bytes between handlers, each of which is JMP to itself. */
const APART = 16n;

/** As QEMU's user mode has them: code of 64 and 32 bits, data, and the thread areas of 32-bit programs. */
const DESCRIPTORS: readonly (readonly [index: number, bits: bigint])[] = [
  [1, 0x00af_9b00_0000_ffffn],
  [4, 0x00cf_fb00_0000_ffffn],
  [5, 0x00cf_f300_0000_ffffn],
  [6, 0x00af_fb00_0000_ffffn],
];

/** Every row's feature on one CPU: the table is tried whole. */
function everything(): Arch {
  const base = x86.cpus['icelake-server'] ?? Object.values(x86.cpus)[0];
  if (base === undefined) throw new Error('x86 has no CPU model.');
  const features = [...new Set([...base.features, ...FEATURES])];
  const known = Object.fromEntries(features.map((name) => [name, { means: `${name}, for the table's sake.` }]));
  return {
    ...(x86 as unknown as Arch),
    features: { ...known, ...x86.features },
    cpus: { ...x86.cpus, everything: { ...base, features } },
  };
}

const PRESENT = 1n;
const WRITE = 2n;
const USER = 4n;

function paging(g: Guest): void {
  let free = TABLES;
  const table = (): bigint => {
    const at = free;
    free += PAGE;
    return at;
  };
  const root = table();
  const map = (linear: bigint, physical: bigint, rights: bigint): void => {
    let at = root;
    for (const shift of [39n, 30n, 21n]) {
      const place = at + ((linear >> shift) & 511n) * 8n;
      const there = g.domain.physical.read(place, 8) ?? 0n;
      const next = there === 0n ? table() : there & 0xf_ffff_ffff_f000n;
      if (there === 0n) g.domain.writeMemory(place, 8, next | PRESENT | WRITE | USER);
      at = next;
    }
    g.domain.writeMemory(at + ((linear >> 12n) & 511n) * 8n, 8, physical | rights | PRESENT);
  };
  for (const bits of [32, 64] as const) {
    const { code, data } = PLACES[bits];
    for (let at = 0n; at < CODE_SIZE; at += PAGE) map(code + at, CODE_AT[bits] + at, USER | WRITE);
    for (let at = 0n; at < READABLE; at += PAGE)
      map(data + at, DATA_AT[bits] + at, at < WRITABLE ? USER | WRITE : USER);
  }
  for (let at = 0n; at < 0x6000n; at += PAGE) map(SYSTEM + at, SYSTEM_AT + at, WRITE);
  g.set('CR3', root);
  g.set('CR4', 0x6b0n);
  g.set('EFER', 0xd01n);
  g.set('CR0', 0x8001_0033n);
}

function system(g: Guest): void {
  const write = (linear: bigint, value: bigint): void =>
    void g.domain.writeMemory(SYSTEM_AT + (linear - SYSTEM), 8, value);
  for (const [index, bits] of DESCRIPTORS) write(GDT + BigInt(8 * index), bits);
  g.set('GDTR_BASE', GDT);
  g.set('GDTR_LIMIT', 0xfffn);
  for (let vector = 0n; vector < 32n; vector++) {
    const at = HANDLERS + vector * APART;
    // Interrupt gate, DPL 3, selector 8.
    write(IDT + 16n * vector, (at & 0xffffn) | (8n << 16n) | (0xee00n << 32n) | (((at >> 16n) & 0xffffn) << 48n));
    write(IDT + 16n * vector + 8n, at >> 32n);
    write(at, 0xfeebn);
  }
  g.set('IDTR_BASE', IDT);
  g.set('IDTR_LIMIT', 0x1ffn);
  write(TSS, (STACK & 0xffff_ffffn) << 32n);
  write(TSS + 8n, STACK >> 32n);
  // The I/O permission bitmap lies behind the end: no port is permitted.
  write(TSS + 0x60n, 0x68n << 48n);
  g.set('TR', 0x80n);
  g.set('TR_BASE', TSS);
  g.set('TR_LIMIT', 0x67n);
  g.set('TR_AR', 0x8bn);
}

const NAMES = new Map(Object.entries(VECTORS).map(([name, vector]) => [vector as number, name]));
const WITH_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);

function segments(g: Guest, bits: Bits): void {
  const put = (name: string, selector: bigint, ar: bigint, limit = 0xffff_ffffn): void => {
    g.set(name, selector);
    g.set(`${name}_BASE`, 0n);
    g.set(`${name}_LIMIT`, limit);
    g.set(`${name}_AR`, ar);
  };
  put('CS', bits === 64 ? 0x33n : 0x23n, bits === 64 ? 0xa0fbn : 0xc0fbn);
  for (const name of ['SS', 'DS', 'ES']) put(name, 0x2bn, 0xc0f3n);
  put('FS', bits === 64 ? 0n : 0x33n, 0xc0f3n);
  put('GS', bits === 64 ? 0n : 0x3bn, 0xc0f3n);
  g.set('FS_BASE', PLACES[bits].fs);
  g.set('GS_BASE', PLACES[bits].gs);
  g.set('CPL', 3n);
}

export function x86Stepper(): X86Backend {
  const g = guest(everything(), 'everything');
  paging(g);
  system(g);
  const data = new Map<Bits, Uint8Array>();
  const shadow = new Map<Bits, Uint8Array>();
  for (const bits of [32, 64] as const) {
    for (let at = 0n; at < CODE_SIZE; at += 8n) g.domain.writeMemory(CODE_AT[bits] + at, 8, 0xcccc_cccc_cccc_ccccn);
    const slice = g.domain.memory.slice(DATA_AT[bits], READABLE);
    if (slice === undefined) throw new Error('The data pages are no memory.');
    for (let i = 0; i < READABLE; i++) slice[i] = fill(PLACES[bits].data + BigInt(i));
    data.set(bits, slice);
    shadow.set(bits, slice.slice());
  }
  const byte = (physical: bigint, value: number): void => void g.domain.writeMemory(physical, 1, BigInt(value));
  const word = (linear: bigint): bigint => g.domain.physical.read(SYSTEM_AT + (linear - SYSTEM), 8) as bigint;
  return {
    name: 'stepper',
    run: (c: X86Case): X86Result => {
      const places = PLACES[c.bits];
      const memory = data.get(c.bits) as Uint8Array;
      const before = shadow.get(c.bits) as Uint8Array;
      const code = CODE_AT[c.bits] + (c.rip - places.code);
      const window = Number(c.window - places.data);
      for (const [i, value] of c.code.entries()) byte(code + BigInt(i), value);
      memory.set(c.bytes, window);
      segments(g, c.bits);
      for (const [n, name] of GENERAL.entries()) g.set(name, c.r[n] ?? 0n);
      g.set('RFLAGS', c.flags);
      if (c.state !== undefined) applyState(g, c.state);
      g.set('RIP', c.rip);
      for (let turn = 0; turn < 4 && g.get('CPL') === 3n; turn++) g.run(1);
      const vector = Number((g.get('RIP') - HANDLERS) / APART);
      if (g.get('CPL') !== 0n || vector < 0 || vector > 31)
        throw new Error(`${c.row} ended at ${g.get('RIP').toString(16)}.`);
      const frame = g.get('RSP') + (WITH_CODE.has(vector) ? 8n : 0n);
      const rip = word(frame);
      const ran = vector === 3 || rip !== c.rip;
      const name = NAMES.get(vector) as string;
      const bytes = memory.slice(window, window + WINDOW);
      memory.set(before.subarray(window, window + WINDOW), window);
      const stray = Buffer.compare(memory, before) !== 0;
      if (stray) memory.set(before);
      for (let i = 0; i < 16; i++) byte(code + BigInt(i), 0xcc);
      return {
        end: ran ? 'ran' : (AS_SIGNAL[name] ?? name),
        rip: vector === 3 ? rip - 1n : rip,
        address: vector === 14 ? g.get('CR2') : vector === 13 || vector === 12 ? 1n : 0n,
        r: c.r.map((_, n) => (n === 4 ? word(frame + 24n) : g.get(GENERAL[n] as string))),
        flags: word(frame + 16n),
        bytes,
        stray,
        ...(c.state !== undefined && { state: stateOf(g) }),
      };
    },
  };
}
