/** What one trial of an instruction is: code, registers, memory; and where user-mode memory lies. */

/** User-mode layout, as in user.c. Code is BRK all over but for the case's own words; data is two writable pages and one that is not. */
export const CODE = 0x10_0000_0000n;
export const CODE_SIZE = 0x10000;
export const DATA = 0x10_0008_0000n;
export const WRITABLE = 0x2000;
export const READABLE = 0x3000;
/** Bytes around the target that a case sets and reads back. */
export const WINDOW = 96;

/** What data memory holds where a case does not set it. */
export const fill = (address: bigint): number => Number((address * 13n + (address >> 8n) * 7n + 5n) & 0xffn);

export interface Case {
  /** The row under test. */
  readonly row: string;
  /** The program: the instruction under test, others before or behind it where it needs company. */
  readonly words: readonly number[];
  readonly pc: bigint;
  readonly x: readonly bigint[];
  readonly sp: bigint;
  /** N, Z, C, V as bits 3 to 0. */
  readonly nzcv: number;
  readonly window: bigint;
  readonly bytes: Uint8Array;
}

/** What came of it. */
export interface Result {
  readonly end: 'ran' | 'memory' | 'alignment' | 'undefined';
  /** Where it continued, or the instruction that faulted. */
  readonly pc: bigint;
  /** Of a fault. */
  readonly address: bigint;
  readonly x: readonly bigint[];
  readonly sp: bigint;
  readonly nzcv: number;
  readonly bytes: Uint8Array;
  /** Something outside the window was written. */
  readonly stray: boolean;
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** How two results differ, in words; undefined when they agree. */
export function difference(ours: Result, theirs: Result): string | undefined {
  const all: string[] = [];
  const say = (
    what: string,
    mine: bigint | number | string | boolean,
    its: bigint | number | string | boolean,
  ): void => {
    if (mine === its) return;
    const show = (v: typeof mine): string => (typeof v === 'bigint' || typeof v === 'number' ? hex(v) : String(v));
    all.push(`${what} ${show(mine)}, QEMU ${show(its)}`);
  };
  say('end', ours.end, theirs.end);
  say('pc', ours.pc, theirs.pc);
  if (ours.end !== 'ran' && ours.end !== 'undefined') say('fault address', ours.address, theirs.address);
  for (let n = 0; n < 31; n++) say(`X${n}`, ours.x[n] as bigint, theirs.x[n] as bigint);
  say('SP', ours.sp, theirs.sp);
  say('NZCV', ours.nzcv, theirs.nzcv);
  // An access that faults on its second page may have written the first one; ours never has.
  if (ours.end === 'ran') {
    say('memory', Buffer.from(ours.bytes).toString('hex'), Buffer.from(theirs.bytes).toString('hex'));
    say('stray write', ours.stray, theirs.stray);
  }
  return all.length === 0 ? undefined : all.join('; ');
}

/** The case as a person needs it to try again. */
export function describeCase(c: Case): string {
  const regs = c.x.map((v, n) => `X${n}=${hex(v)}`).join(' ');
  const words = c.words.map((w) => w.toString(16).padStart(8, '0')).join(' ');
  return `${c.row}: ${words} at ${hex(c.pc)}, NZCV=${hex(c.nzcv)} SP=${hex(c.sp)} window=${hex(c.window)}\n    ${regs}`;
}
