/** What one trial of an instruction is: code, registers, memory; and where user-mode memory lies. */

/** User-mode layout, as in user.c. Code is traps all over but for the case's own words; data is two writable pages and one that is not. */
export const CODE = 0x10_0000_0000n;
export const CODE_SIZE = 0x10000;
export const DATA = 0x10_0008_0000n;
export const WRITABLE = 0x2000;
export const READABLE = 0x3000;
/** Bytes around the target that a case sets and reads back. */
export const WINDOW = 192;
/** Most words of a case. */
export const WORDS = 6;

/** tw 31,0,0: what all code is but for the cases. */
export const TRAP_WORD = 0x7fe00008;

/** What data memory holds where a case does not set it. */
export const fill = (address: bigint): number => Number((address * 13n + (address >> 8n) * 7n + 5n) & 0xffn);

export type Order = 'big' | 'little';

export interface Case {
  /** The row under test. */
  readonly row: string;
  readonly order: Order;
  /** The program: the instruction under test, others before or behind it where it needs company. */
  readonly words: readonly number[];
  readonly pc: bigint;
  readonly gpr: readonly bigint[];
  readonly ctr: bigint;
  readonly lr: bigint;
  readonly xer: bigint;
  readonly cr: bigint;
  readonly window: bigint;
  readonly bytes: Uint8Array;
  /** What the manual leaves undefined, so that it is not compared: a general register whole or its upper half, and whether CR0's first three bits. */
  readonly open?: { readonly gpr: number; readonly bits: bigint; readonly cr0: boolean };
}

export type End = 'ran' | 'memory' | 'alignment' | 'illegal' | 'privileged' | 'trap';

/** What came of it. */
export interface Result {
  readonly end: End;
  /** Where it continued, or the instruction that faulted. */
  readonly pc: bigint;
  /** Of a fault. */
  readonly address: bigint;
  readonly gpr: readonly bigint[];
  readonly ctr: bigint;
  readonly lr: bigint;
  readonly xer: bigint;
  readonly cr: bigint;
  readonly bytes: Uint8Array;
  /** Something outside the window was written. */
  readonly stray: boolean;
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** LT, GT and EQ of CR0. */
const ORDER_BITS = 0xe000_0000n;

/** How two results differ, in words; undefined when they agree. */
export function difference(c: Case, ours: Result, theirs: Result): string | undefined {
  const all: string[] = [];
  type Told = bigint | number | string | boolean;
  const show = (v: Told): string => (typeof v === 'bigint' || typeof v === 'number' ? hex(v) : String(v));
  const say = (what: string, mine: Told, its: Told): void => {
    if (mine !== its) all.push(`${what} ${show(mine)}, QEMU ${show(its)}`);
  };
  say('end', ours.end, theirs.end);
  say('pc', ours.pc, theirs.pc);
  if (ours.end === 'memory') say('fault address', ours.address, theirs.address);
  const open = ours.end === 'ran' ? c.open : undefined;
  for (let n = 0; n < 32; n++) {
    const compared = open?.gpr === n ? ~open.bits : -1n;
    say(`GPR${n}`, (ours.gpr[n] as bigint) & compared, (theirs.gpr[n] as bigint) & compared);
  }
  say('CTR', ours.ctr, theirs.ctr);
  say('LR', ours.lr, theirs.lr);
  // QEMU keeps what is written to XER's reserved bits; here they are 0 (book I, 3.2.2).
  say('XER', ours.xer, theirs.xer & 0xe00c_007fn);
  const fields = open?.cr0 ? ~ORDER_BITS : -1n;
  say('CR', ours.cr & fields, theirs.cr & fields);
  // An access that faults on its second page may have written the first one; ours never has.
  if (ours.end === 'ran') {
    say('memory', Buffer.from(ours.bytes).toString('hex'), Buffer.from(theirs.bytes).toString('hex'));
    say('stray write', ours.stray, theirs.stray);
  }
  return all.length === 0 ? undefined : all.join('; ');
}

/** The case as a person needs it to try again. */
export function describeCase(c: Case): string {
  const regs = c.gpr.map((v, n) => `R${n}=${hex(v)}`).join(' ');
  const words = c.words.map((w) => w.toString(16).padStart(8, '0')).join(' ');
  const rest = `CTR=${hex(c.ctr)} LR=${hex(c.lr)} XER=${hex(c.xer)} CR=${hex(c.cr)} window=${hex(c.window)}`;
  return `${c.row}: ${words} at ${hex(c.pc)}, ${c.order} endian, ${rest}\n    ${regs}`;
}
