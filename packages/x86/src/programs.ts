/**
 * The programs that every architecture supplies under agreed names: real machine code, and what must be counted. Comments give each line's share;
 * the sums were made by hand, from them.
 *
 * Each is a flat image for `pc`, which starts in 32-bit protected mode: a prelude goes to 64-bit mode, and VMCALL with 0 ends the domain.
 */
import type { Programs } from '@countervisor/contract';
import {
  add,
  align,
  at,
  bits,
  type Code,
  call,
  data,
  dec,
  dword,
  hlt,
  type Item,
  int,
  iretq,
  jcc,
  jmpFar,
  label,
  lea,
  lgdt,
  lidt,
  ltr,
  mem,
  mov,
  nop,
  pointer,
  popf,
  program,
  push,
  quads,
  qword,
  rdmsr,
  rdpmc,
  ret,
  sti,
  vmcall,
  words,
  wrmsr,
  xor,
} from './asm.ts';

/** Where flat images go on `pc`. */
export const BASE = 0x10_0000n;

/** Selectors: code and data at CPL 0, data and code at CPL 3, the TSS. */
export const SELECTOR = { code: 0x08, data: 0x10, userData: 0x1b, userCode: 0x23, tss: 0x28 } as const;

/** To 64-bit mode, by the tables behind the code: fifteen instructions. */
export const PRELUDE = 15;
export const enter: Item = [
  bits(32),
  [mov('EAX', 0x20), mov('CR4', 'EAX')], // 2: PAE
  [mov('EAX', { addressOf: 'pml4' }), mov('CR3', 'EAX')], // 4
  [mov('ECX', 0xc000_0080), mov('EAX', 0x100), xor('EDX', 'EDX'), wrmsr()], // 8: EFER.LME
  [mov('EAX', 0x8000_0011), mov('CR0', 'EAX')], // 10
  [lgdt(at('gdtr')), jmpFar(SELECTOR.code, 'long')], // 12: load, two accesses; a branch, far
  [bits(64), label('long')],
  [mov('RSP', { addressOf: 'stack' }), mov('EAX', SELECTOR.tss), ltr('AX')], // 15
];
/** What the prelude emits beside its instructions. */
const ENTERED = { load: 1, access: 2, branch: 1, far: 1 } as const;

/** Power off: three instructions. */
export const off: Item = [xor('EAX', 'EAX'), xor('EBX', 'EBX'), vmcall()];

const PRESENT = 7n;
const LARGE = 0x80n;

/** An address that is known when the labels are, with bits. */
const entry = (to: string, more: bigint): Code => ({
  assemble: (place) => bytesOf(place.address(to) | more, 8),
});
const bytesOf = (value: bigint, size: number): number[] =>
  Array.from({ length: size }, (_, n) => Number((value >> BigInt(8 * n)) & 0xffn));
const zeros = (bytes: number): Item => data(new Uint8Array(bytes));

/** An interrupt gate to a label; DPL 3 for INT 0x80. */
const gate = (to: string, dpl: bigint): Code => ({
  assemble(place) {
    const offset = place.address(to);
    const low = (offset & 0xffffn) | (BigInt(SELECTOR.code) << 16n) | ((0x8e00n | (dpl << 13n)) << 32n);
    return [...bytesOf(low | (((offset >> 16n) & 0xffffn) << 48n), 8), ...bytesOf(offset >> 32n, 8)];
  },
});

/** Exceptions that push an error code. */
const WITH_CODE = [8, 10, 11, 12, 13, 14, 17, 21, 29, 30];

/** The tables: interrupts go to `handler`, exceptions with an error code to `handler-code`. The first 2 MiB, and the page of the APICs, are mapped one to one. */
export const tables: Item = [
  align(8),
  [label('gdt'), quads(0, 0x00af_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn, 0x00cf_f300_0000_ffffn, 0x00af_fb00_0000_ffffn)],
  {
    assemble(place) {
      const base = place.address('tss');
      const low = 0x67n | ((base & 0xff_ffffn) << 16n) | (0x89n << 40n) | (((base >> 24n) & 0xffn) << 56n);
      return [...bytesOf(low, 8), ...bytesOf(base >> 32n, 8)];
    },
  },
  // The limit stands so that the base behind it is aligned.
  [align(8), zeros(6), label('gdtr'), words(0x37), pointer('gdt', 8)],
  [align(8), label('tss'), zeros(4), pointer('stack', 8), zeros(0x68 - 12)],
  [align(8), zeros(6), label('idtr'), words(0x810), pointer('idt', 8)],
  [align(16), label('idt')],
  Array.from({ length: 129 }, (_, vector) =>
    gate(WITH_CODE.includes(vector) ? 'handler-code' : 'handler', vector === 0x80 ? 3n : 0n),
  ),
  [zeros(1024), align(16), label('stack')],
  [align(4096), label('pml4'), entry('pdpt', PRESENT), zeros(4088)],
  [label('pdpt'), entry('low', PRESENT), zeros(16), entry('high', PRESENT), zeros(4064)],
  [label('low'), quads(...Array.from({ length: 512 }, (_, n) => (BigInt(n) << 21n) | PRESENT | LARGE))],
  [label('high'), quads(...Array.from({ length: 512 }, (_, n) => 0xc000_0000n + (BigInt(n) << 21n) + PRESENT + LARGE))],
]; // biome-ignore format: tables

/** Nothing is expected: what comes all the same ends the domain. */
const unexpected: Item = [label('handler'), label('handler-code'), off];

const code = (handlers: Item, ...items: readonly Item[]): Uint8Array =>
  program([enter, items, handlers, tables], BASE).bytes;
const times = (count: number, item: Item): Item => Array.from({ length: count }, () => item);

/** A handler, and one for exceptions with a code that nobody expects. */
const handled = (...lines: readonly Item[]): Item => [label('handler'), lines, label('handler-code'), off];

const listen: Item = lidt(at('idtr')); // load, two accesses

/** Four instructions, and three where the upper half is 0. */
const write = (msr: number, value: number): Item => [mov('ECX', msr), mov('EAX', value), xor('EDX', 'EDX'), wrmsr()];
const APIC = 0xfee0_0000;

export const programs: Programs = {
  'ten-nops': {
    means: 'Ten instructions that do nothing.',
    code: code(
      unexpected,
      times(10, nop()), // 10
      off, // 13; 28 with the prelude
    ),
    counts: { instruction: 28, ...ENTERED },
    leaves: {},
    pmu: false,
  },

  'count-loop': {
    means: 'A loop of five turns: its branch is taken four times.',
    code: code(
      unexpected,
      mov('ESI', 5), // 1
      label('again'),
      dec('ESI'), // 5 times: 6
      jcc('NE', 'again'), // 5 times: 11; 5 branches, 4 taken
      off, // 14
    ),
    counts: { instruction: 29, ...ENTERED, branch: 6, 'branch-immediate': 5, taken: 4 },
    leaves: { RSI: 0n },
    pmu: false,
  },

  'call-return': {
    means: 'Two calls, two returns.',
    code: code(
      unexpected,
      mov('ESI', 0), // 1
      call('function'), // 2: branch, immediate, taken, call, store, access
      call('function'), // 3: likewise
      off, // 6
      label('function'),
      add('ESI', 1), // twice: 8
      ret(), // twice: 10; branch, taken, return, load, access
    ),
    counts: {
      ...{ instruction: 25, branch: 5, far: 1, 'branch-immediate': 2, taken: 4, call: 2, return: 2 },
      ...{ store: 2, load: 3, access: 6 },
    },
    leaves: { RSI: 2n },
    pmu: false,
  },

  'touch-memory': {
    means: 'Two stores and four loads, one of them unaligned.',
    code: code(
      unexpected,
      lea('RSI', at('data')), // 1
      mov('EDI', 77), // 2
      mov(qword(mem('RSI')), 'RDI'), // 3: store, access
      mov(qword(mem('RSI', 8)), 'RDI'), // 4: store, access
      mov('R8', qword(mem('RSI', 8))), // 5: load, access
      mov('R9D', dword(mem('RSI', 4))), // 6: load, access; the upper half of the first 77
      mov('R10', qword(mem('RSI', 4))), // 7: load, access, unaligned: 77 in the upper half
      mov('R11', qword(mem('RSI', 16))), // 8: load, access; nobody stored there
      off, // 11
      [align(8), label('data'), zeros(24)],
    ),
    counts: { instruction: 26, load: 5, store: 2, access: 8, unaligned: 1, branch: 1, far: 1 },
    leaves: { R8: 77n, R9: 0n, R10: 77n << 32n, R11: 0n },
    pmu: false,
  },

  'take-exception': {
    means: 'One system call to its own kernel, and back.',
    code: code(
      handled(
        mov('R8', 5), // 3
        iretq(), // 4: branch, far, exception-return; loads
      ),
      listen, // 1: load, two accesses
      int(0x80), // 2: branch, far, exception; stores
      off, // 7
    ),
    counts: { instruction: 22, load: 2, access: 4, branch: 3, far: 3, exception: 1, 'exception-return': 1 },
    leaves: { R8: 5n },
    pmu: false,
  },

  'read-counter': {
    means:
      'Counts instructions between two writes of GLOBAL_CTRL: the enabling one is not counted, the disabling one is.',
    code: code(
      unexpected,
      write(0x38f, 0), // 4
      write(0xc1, 0), // 8
      write(0x186, 0x43_00c0), // 12: instructions, at every level
      write(0x38f, 1), // 16: counting from the next one on
      times(10, nop()), // 26: PMC0 is 10
      write(0x38f, 0), // 30: 14
      [mov('ECX', 0xc1), rdmsr()], // 32
      mov('R8', 'RAX'), // 33
      off, // 36
    ),
    counts: { instruction: 51, ...ENTERED },
    leaves: { R8: 14n },
    pmu: true,
  },

  'write-then-read': {
    means: 'An explicit write wins over its own instruction; a read sees what retired before it.',
    code: code(
      unexpected,
      write(0x38f, 0), // 4
      write(0x186, 0x43_00c0), // 8
      write(0x38f, 1), // 12
      write(0xc1, 100), // 16: PMC0 is 100, not 101
      xor('ECX', 'ECX'), // 17: 101
      rdpmc(), // 18: reads 101, then is counted
      mov('R8', 'RAX'), // 19
      rdpmc(), // 20: reads 103
      mov('R9', 'RAX'), // 21
      off, // 24
    ),
    counts: { instruction: 39, ...ENTERED },
    leaves: { R8: 101n, R9: 103n },
    pmu: true,
  },

  'overflow-at-n': {
    means: 'A counter set to wrap at the fifth instruction interrupts after exactly five.',
    code: code(
      handled(
        mov('R8', qword(mem('RSP'))), // 28: load, access; where it was
        lea('R9', at('first')), // 29
        [{ assemble: () => [0x4d, 0x29, 0xc8] }], // 30: SUB R8, R9: five instructions of a byte
        off, // 33; 48 with the prelude
      ),
      listen, // 1: load, two accesses
      mov('ESI', APIC), // 2
      mov(dword(mem('RSI', 0xf0)), 0x1ff), // 3: store, access; the local APIC on
      mov(dword(mem('RSI', 0x340)), 0x20), // 4: store, access; LVTPC: vector 32
      write(0x38f, 0), // 8
      [mov('ECX', 0xc1), mov('EAX', 0xffff_fffb), mov('EDX', 0xff_ffff), wrmsr()], // 12: five before the wrap
      write(0x186, 0x53_00c0), // 16: with INT
      [push(0x202), popf()], // 18: store, access; load, access; interrupts on
      [mov('ECX', 0x38f), mov('EAX', 1), mov('EDX', 0)], // 21
      wrmsr(), // 22
      label('first'),
      times(5, nop()), // 27: wraps
      times(5, nop()), // not reached
      off,
    ),
    counts: { instruction: 48, load: 4, store: 3, access: 9, branch: 1, far: 1, exception: 1 },
    leaves: { R8: 5n },
    pmu: true,
  },

  'forbidden-read': {
    means: 'CPL 3 reads a counter without CR4.PCE: #GP, no instruction retired, no exit.',
    code: code(
      [label('handler'), label('handler-code'), mov('R9', qword(mem('RSP', 8))), lea('R10', at('forbidden')), off],
      listen, // 1: load, two accesses
      [push(SELECTOR.userData), push(0), push(2), push(SELECTOR.userCode)], // 5
      [lea('RAX', at('user')), push('RAX'), iretq()], // 8
      label('user'),
      mov('R8', 1), // 9
      xor('ECX', 'ECX'), // 10
      label('forbidden'),
      rdpmc(), // exception
      mov('R8', 2), // not reached
      off,
    ),
    counts: { instruction: 30, load: 3, store: 5, access: 10, branch: 2, far: 2, exception: 1, 'exception-return': 1 },
    leaves: { R8: 1n },
    pmu: true,
  },

  'wait-for-timer': {
    means: 'Waits until the local APIC timer interrupts: the time between passes without an instruction.',
    code: code(
      handled(
        mov('R8', 1), // 9
        off, // 12
      ),
      listen, // 1: load, two accesses
      mov('ESI', APIC), // 2
      mov(dword(mem('RSI', 0xf0)), 0x1ff), // 3: store, access
      mov(dword(mem('RSI', 0x320)), 0x21), // 4: store, access; one shot, vector 33
      mov(dword(mem('RSI', 0x3e0)), 11), // 5: store, access; divided by 1
      mov(dword(mem('RSI', 0x380)), 1000), // 6: store, access
      sti(), // 7
      hlt(), // 8: retires
      off,
    ),
    counts: { instruction: 27, store: 4, load: 2, access: 8, branch: 1, far: 1, exception: 1 },
    leaves: { R8: 1n },
    pmu: false,
  },

  'call-host': {
    means: 'Hypercalls: two numbers that no service has.',
    code: code(
      unexpected,
      [mov('EAX', 99), vmcall(), mov('R8', 'RAX')], // 3
      [mov('EAX', 100), vmcall(), mov('R9', 'RAX')], // 6
      off, // 9
    ),
    counts: { instruction: 24, ...ENTERED },
    leaves: { R8: 0xffff_ffff_ffff_fc18n, R9: 0xffff_ffff_ffff_fc18n },
    pmu: false,
  },
};
