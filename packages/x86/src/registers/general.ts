/**
 * General registers, flags and segments: what instructions reach by number or implicitly. Intel SDM volume 1, 3.4; volume 3, 2.3, 3.4 and 3.5.
 *
 * The arithmetic flags stand in a form that makes lifts short. Nothing computes ZF, SF, PF and AF until somebody asks:
 *
 *   CF, OF     0 or 1
 *   NONZERO    ZF is 1 while this is 0
 *   RESULT     SF is bit 63 (results are sign-extended), PF is 1 while the low byte has an even number of ones
 *   AUX        AF is bit 4 of AUX xor RESULT (AUX is the xor of the operands)
 *
 * The others stand in SYSTEM_FLAGS, where RFLAGS has them. RFLAGS is composed of all of these: reading derives it, a raw write takes it apart.
 */
import type { Field, Vcpu, View } from '@countervisor/contract';
import { msr } from '../address.ts';
import { type Fields, field, narrow, type Row, type Rows, slot, zero } from './row.ts';

const bit = (means: string): Row => slot(means, 0n, { fields: { VALUE: field(0, means), ...zero([63, 1]) } });

// Volume 3, table 10-1: after power-on all are 0 but RDX, which identifies the processor; platforms set what their firmware leaves.
const GENERAL = [
  'RAX', 'RCX', 'RDX', 'RBX', 'RSP', 'RBP', 'RSI', 'RDI', 'R8', 'R9', 'R10', 'R11', 'R12', 'R13', 'R14', 'R15',
] as const; // biome-ignore format: one line, in the order of their numbers
const numbered: Rows = Object.fromEntries(GENERAL.map((name) => [name, slot(`General register ${name}.`, 0n)]));

/** Status flags by name: their bit in RFLAGS. */
const STATUS = { CF: 0, PF: 2, AF: 4, ZF: 6, SF: 7, OF: 11 } as const;

const SYSTEM: Readonly<Record<string, Field>> = {
  TF: field(8, 'Trap: single step.'),
  IF: field(9, 'Maskable interrupts are taken.'),
  DF: field(10, 'String instructions go downwards.'),
  IOPL: field([13, 12], 'The least privileged level that may use I/O space, CLI and STI.'),
  NT: field(14, 'Nested task.'),
  RF: field(16, 'Resume: no instruction breakpoint at the next instruction.'),
  VM: field(17, 'Virtual-8086 mode.'),
  AC: field(18, 'Alignment check at CPL 3; with CR4.SMAP, supervisor access to user pages.'),
  VIF: field(19, 'Virtual interrupt flag.'),
  VIP: field(20, 'Virtual interrupt pending.'),
  ID: field(21, 'Can be changed: there is CPUID.'),
};

/** Bits of SYSTEM_FLAGS. */
export const SYSTEM_FLAGS: bigint = 0x3f_7700n;

const evenOnes = (low: bigint): boolean => {
  let x = low & 0xffn;
  x ^= x >> 4n;
  x ^= x >> 2n;
  x ^= x >> 1n;
  return (x & 1n) === 0n;
};

/** RFLAGS, put together. Bit 1 is always 1. */
export function flags(view: Pick<View, 'get'>): bigint {
  const result = view.get('RESULT');
  return (
    view.get('SYSTEM_FLAGS') |
    2n |
    view.get('CF') |
    (evenOnes(result) ? 4n : 0n) |
    ((view.get('AUX') ^ result) & 0x10n) |
    (view.get('NONZERO') === 0n ? 0x40n : 0n) |
    ((result >> 56n) & 0x80n) |
    (view.get('OF') << 11n)
  );
}

/** RFLAGS, taken apart. A result of sign and parity as asked for, whose bit 4 is 0, so that AUX is AF. */
export function setFlags(vcpu: Pick<Vcpu, 'set'>, value: bigint): void {
  vcpu.set('SYSTEM_FLAGS', value & SYSTEM_FLAGS);
  vcpu.set('CF', value & 1n);
  vcpu.set('OF', (value >> 11n) & 1n);
  vcpu.set('NONZERO', (value & 0x40n) === 0n ? 1n : 0n);
  vcpu.set('RESULT', ((value & 0x80n) << 56n) | ((value & 4n) === 0n ? 1n : 0n));
  vcpu.set('AUX', value & 0x10n);
}

/**
 * What an access-rights word holds, as VMX stores it (volume 3, 25.4.1) and SDM LAR shows it, moved down by 8: TYPE 3:0, S 4, DPL 6:5, P 7, AVL 12,
 * L 13, DB 14, G 15, UNUSABLE 16 (a null selector).
 */
const accessRights: Fields = {
  TYPE: field([3, 0], 'Segment type.'),
  S: field(4, 'Code or data, not a system segment.'),
  DPL: field([6, 5], 'Descriptor privilege level.'),
  P: field(7, 'Present.'),
  ...zero([11, 8]),
  AVL: field(12, 'Available to software.'),
  L: field(13, '64-bit code.'),
  DB: field(14, 'Default operand size, or size of the stack pointer: 1 for 32 bits.'),
  G: field(15, 'The limit was given in pages.'),
  UNUSABLE: field(16, 'Loaded with a null selector.'),
  ...zero([31, 17]),
};

const SEGMENT_NAMES: Readonly<Record<string, string>> = {
  ES: 'extra data',
  CS: 'code',
  SS: 'stack',
  DS: 'data',
  FS: 'FS',
  GS: 'GS',
};

/** Addresses of the bases that are MSRs as well (volume 4, table 2-2). */
const BASES: Readonly<Record<string, number>> = { FS: 0xc000_0100, GS: 0xc000_0101 };

const canonical = (value: bigint): boolean => BigInt.asIntN(48, value) === BigInt.asIntN(64, value);

/** Selector, base, limit (bytes, inclusive) and access rights of one segment register. At reset: real mode, volume 3, table 10-1. */
function segment(name: string, means: string): Rows {
  const code = name === 'CS';
  const index = BASES[name];
  const visible: Partial<Row> =
    index === undefined
      ? {}
      : {
          at: msr(index),
          read: 'supervisor',
          write: 'supervisor',
          accepts: (_view, value) => (canonical(value) ? value : { refuse: '#GP', syndrome: 0n }),
        };
  // The stack's size, the code's, and whether a segment is flat decide how an instruction is lifted (isa/mode.ts).
  const affects = { affects: ['decode'] } as const;
  return {
    [name]: narrow(16, `Selector of the ${means} segment.`, code ? 0xf000n : 0n),
    [`${name}_BASE`]: slot(`Base of the ${means} segment, a linear address.`, code ? 0xffff_0000n : 0n, {
      ...(name === 'FS' || name === 'GS' ? {} : affects),
      ...visible,
    }),
    [`${name}_LIMIT`]: narrow(32, `Last offset of the ${means} segment.`, 0xffffn, affects),
    [`${name}_AR`]: narrow(32, `Access rights of the ${means} segment.`, code ? 0x9bn : 0x93n, {
      fields: accessRights,
      ...affects,
    }),
  };
}

const segments: Rows = Object.assign({}, ...Object.entries(SEGMENT_NAMES).map(([name, means]) => segment(name, means)));

/** LDTR and TR: system segments, and GDTR and IDTR, which have no selector. */
const tables: Rows = {
  LDTR: narrow(16, 'Selector of the local descriptor table.', 0n),
  LDTR_BASE: slot('Base of the local descriptor table.', 0n),
  LDTR_LIMIT: narrow(32, 'Last offset of the local descriptor table.', 0xffffn),
  LDTR_AR: narrow(32, 'Access rights of the local descriptor table.', 0x82n, { fields: accessRights }),
  TR: narrow(16, 'Selector of the task state segment.', 0n),
  TR_BASE: slot('Base of the task state segment.', 0n),
  TR_LIMIT: narrow(32, 'Last offset of the task state segment.', 0xffffn),
  TR_AR: narrow(32, 'Access rights of the task state segment.', 0x8bn, { fields: accessRights }),
  GDTR_BASE: slot('Base of the global descriptor table.', 0n),
  GDTR_LIMIT: narrow(16, 'Last offset of the global descriptor table.', 0xffffn),
  IDTR_BASE: slot('Base of the interrupt descriptor table.', 0n),
  IDTR_LIMIT: narrow(16, 'Last offset of the interrupt descriptor table.', 0xffffn),
};

export const general: Rows = {
  ...numbered,
  RIP: slot(
    'Linear address of the next instruction: the instruction pointer itself in 64-bit mode and in flat segments; EIP is the offset elsewhere.',
    0xffff_fff0n,
  ),
  EIP: slot('The instruction pointer as an offset in the code segment.', 0n, {
    derive: (view) => {
      const offset = BigInt.asUintN(64, view.get('RIP') - view.get('CS_BASE'));
      return view.field('CS_AR', 'L') === 1n && (view.get('EFER') & 0x400n) !== 0n
        ? view.get('RIP')
        : offset & 0xffff_ffffn;
    },
  }),

  CF: bit('Carry.'),
  OF: bit('Overflow.'),
  NONZERO: slot('ZF is 1 while this is 0.', 1n),
  RESULT: slot('SF is bit 63; PF is 1 while the low byte has an even number of ones.', 1n),
  AUX: slot('AF is bit 4 of this xor RESULT.', 0n),
  SYSTEM_FLAGS: slot('The other flags, where RFLAGS has them.', 0n, {
    fields: { ...zero([7, 0], 11, 15, [63, 22]), ...SYSTEM },
    affects: ['interrupts', 'level'],
  }),
  RFLAGS: slot('All flags: what PUSHF, interrupts and SYSCALL save.', 2n, {
    fields: {
      ...Object.fromEntries(Object.entries(STATUS).map(([name, at]) => [name, field(at, `${name}.`)])),
      ...SYSTEM,
      ONE: field(1, 'Always 1.', 'one'),
      ...zero(3, 5, 15, [63, 22]),
    },
    derive: flags,
    parts: setFlags,
  }),
  CPL: narrow(2, 'Current privilege level.', 0n, { affects: ['level', 'interrupts', 'pmu'] }),

  ...segments,
  ...tables,

  SHADOW: slot(
    'Interrupts are not taken while RIP is this: behind STI (when it sets IF), MOV SS and POP SS. Volume 3, 6.8.3; an address that is not canonical: none.',
    0x8000_0000_0000_0000n,
  ),
  TARGET: slot('Linear address at which a far transfer goes on, between the helper that prepares it and the jump.', 0n),
  FAULT_ADDRESS: slot('Faulting linear address of a helper that could not finish, until the exception is taken.', 0n),
};
