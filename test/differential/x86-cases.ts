/** What a user-mode case of x86 is: one instruction, registers, flags and memory before it, and after. x86.c has the same layout. */
import type { CodeSize } from '../../packages/x86/src/isa/mode.ts';
import { GENERAL } from '../../packages/x86/src/isa/operands.ts';
import { stateDifference } from './x86-state.ts';

export type Bits = Extract<CodeSize, 32 | 64>;

export interface Places {
  readonly code: bigint;
  readonly data: bigint;
  /** Bases of FS and GS. */
  readonly fs: bigint;
  readonly gs: bigint;
}

const places = (code: bigint): Places => {
  const data = code + 0x8_0000n;
  return { code, data, fs: data + 0x100n, gs: data + 0x300n };
};

export const PLACES: Readonly<Record<Bits, Places>> = { 32: places(0x1000_0000n), 64: places(0x10_0000_0000n) };

/** Bytes of code, of data that can be written, and with the page behind it that can only be read. Around them nothing is mapped. */
export const CODE_SIZE = 0x10000;
export const WRITABLE = 0x2000;
export const READABLE = 0x3000;
/** Bytes of memory that a case sets and compares. */
export const WINDOW = 256;
/** Bytes of an FXSAVE image. */
export const FPU = 512;

/** What the data holds outside the window. */
export const fill = (address: bigint): number => Number((address * 13n + (address >> 8n) * 7n + 5n) & 0xffn);

export interface X86Case {
  readonly row: string;
  readonly bits: Bits;
  readonly code: readonly number[];
  readonly rip: bigint;
  readonly r: readonly bigint[];
  readonly flags: bigint;
  readonly window: bigint;
  readonly bytes: Uint8Array;
  /** FXSAVE image that is loaded first, where the row has to do with it. */
  readonly state?: Uint8Array;
  /** Flags whose value afterwards the manual leaves open. */
  readonly open: bigint;
}

export interface X86Result {
  /** 'ran', or the exception's name. */
  readonly end: string;
  readonly rip: bigint;
  /** Of a page fault. */
  readonly address: bigint;
  readonly r: readonly bigint[];
  readonly flags: bigint;
  readonly bytes: Uint8Array;
  readonly stray: boolean;
  readonly state?: Uint8Array;
}

/** The flags that are compared: CF PF AF ZF SF DF OF. */
export const COMPARED = 0xcd5n;

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** How two results differ, in words, but for an excused part; undefined when they agree. */
export function difference(c: X86Case, ours: X86Result, theirs: X86Result, except?: string): string | undefined {
  if (except === 'all') return undefined;
  const all: string[] = [];
  const say = (what: string, mine: bigint | string | boolean, its: bigint | string | boolean): void => {
    if (mine === its) return;
    const show = (v: typeof mine): string => (typeof v === 'bigint' ? hex(v) : String(v));
    all.push(`${what} ${show(mine)}, QEMU ${show(its)}`);
  };
  say('end', ours.end, theirs.end);
  say('RIP', ours.rip, theirs.rip);
  if (ours.end === '#PF' && except !== 'address' && except !== 'state') say('CR2', ours.address, theirs.address);
  c.r.forEach((_, n) => {
    if (except !== 'registers' && except !== 'state')
      say(GENERAL[n] as string, ours.r[n] as bigint, theirs.r[n] as bigint);
  });
  const compared = COMPARED & ~c.open & (except === 'status' ? 0x45n : COMPARED);
  if (except !== 'flags') say('flags', ours.flags & compared, theirs.flags & compared);
  // An access that faults on its second page may have written the first one; ours never has.
  if (ours.end === 'ran') {
    say('memory', Buffer.from(ours.bytes).toString('hex'), Buffer.from(theirs.bytes).toString('hex'));
    say('stray write', ours.stray, theirs.stray);
  }
  if (ours.state !== undefined && theirs.state !== undefined && except !== 'x87') {
    all.push(
      ...stateDifference(ours.state, theirs.state, except === 'status' ? 0 : except === 'rounding' ? 0xfdff : 0xffff),
    );
  }
  return all.length === 0 ? undefined : all.join('; ');
}

export function describeCase(c: X86Case): string {
  const regs = c.r.map((v, n) => `${n}=${hex(v)}`).join(' ');
  const code = c.code.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `${c.row}, ${c.bits} bits: ${code} at ${hex(c.rip)}, flags=${hex(c.flags)} window=${hex(c.window)}\n    ${regs}`;
}
