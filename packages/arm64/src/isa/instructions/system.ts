/** System instructions: exceptions, hints, barriers, PSTATE, system registers. Arm DDI 0487, C4.1 (exception generation and system), C5 and C6.2. */
import type { Lifter, Value } from '@countervisor/contract';
import { sysreg } from '../../address.ts';
import { ALWAYS } from '../exceptions.ts';
import { setX, x } from '../operands.ts';
import { type Row, row } from '../row.ts';

const SYSREG = 'sysreg';
const SPSEL = sysreg(3, 0, 4, 2, 0).index;
const DC_ZVA = sysreg(1, 3, 7, 4, 1).index;

/** Bits of SCTLR_EL1 that decide about EL0. */
const NTWI = 16;
const NTWE = 18;
const UMA = 9;

const bitOf = (b: Lifter, value: Value, at: number): Value => b.and(value, b.constant(1n << BigInt(at)));
const isUser = (b: Lifter): Value => b.eq(b.get('EL'), b.constant(0));

/** UNDEFINED at EL0. */
function privileged(b: Lifter): void {
  b.when(isUser(b), () => b.raise('undefined'));
}

/** At EL0, while a bit of SCTLR_EL1 is 0, EL1 takes an exception instead. */
function allowedToUser(b: Lifter, bit: number, exception: string, syndrome: number): void {
  b.when(isUser(b), () => {
    b.when(b.eq(bitOf(b, b.get('SCTLR_EL1'), bit), b.constant(0)), () => b.raise(exception, b.constant(syndrome)));
  });
}

/** SVC, HVC, SMC, BRK: HLT and DCPS<n> are UNDEFINED while halting debug is not allowed, see ABSENT. */
const exceptions: readonly Row[] = [
  row('SVC', 'system', '11010100 000 imm16 000 01', (b, f) => b.raise('svc', b.constant(f.imm16), true)),
  row('HVC', 'system', '11010100 000 imm16 000 10', (b, f) => {
    privileged(b);
    b.trap('hypercall', b.constant(f.imm16));
  }),
  row('SMC', 'system', '11010100 000 imm16 000 11', (b, f) => {
    privileged(b);
    b.trap('smc', b.constant(f.imm16));
  }),
  row('BRK', 'system', '11010100 001 imm16 000 00', (b, f) => b.raise('brk', b.constant(f.imm16))),
  row(
    'ERET',
    'branch',
    '1101011 0100 11111 000000 11111 00000',
    (b) => {
      privileged(b);
      b.jump(b.call('eret'));
    },
    { signals: ['exception-return'] },
  ),
];

/** Trapped WFI and WFE: TI names the instruction. ESR_EL1, ISS for EC 0x01. */
const waitSyndrome = (ti: number): number => ALWAYS | ti;

/**
 * Hints that do nothing here: no event register (SEV, SEVL), one thread (YIELD, DGH), no pending SError to order (ESB), no profiling or trace
 * buffer (PSB, TSB), nothing speculated (CSDB), and pointer authentication and branch targets, which no modelled CPU has, so that the
 * manual makes them NOPs.
 */
const QUIET: readonly (readonly [name: string, crm: number, op2: number])[] = [
  ['NOP', 0, 0],
  ['YIELD', 0, 1],
  ['SEV', 0, 4],
  ['SEVL', 0, 5],
  ['DGH', 0, 6],
  ['XPACLRI', 0, 7],
  ['PACIA1716', 1, 0],
  ['PACIB1716', 1, 2],
  ['AUTIA1716', 1, 4],
  ['AUTIB1716', 1, 6],
  ['ESB', 2, 0],
  ['PSB CSYNC', 2, 1],
  ['TSB CSYNC', 2, 2],
  ['CSDB', 2, 4],
  ['PACIAZ', 3, 0],
  ['PACIASP', 3, 1],
  ['PACIBZ', 3, 2],
  ['PACIBSP', 3, 3],
  ['AUTIAZ', 3, 4],
  ['AUTIASP', 3, 5],
  ['AUTIBZ', 3, 6],
  ['AUTIBSP', 3, 7],
  ['BTI', 4, 0],
  ['BTI c', 4, 2],
  ['BTI j', 4, 4],
  ['BTI jc', 4, 6],
];

const binary = (value: number, width: number): string => value.toString(2).padStart(width, '0');
const hint = (crm: number, op2: number): string => `1101010100 0 00 011 0010 ${binary(crm, 4)} ${binary(op2, 3)} 11111`;

export const quiet: readonly Row[] = QUIET.map(([name, crm, op2]) => row(name, 'nop', hint(crm, op2), () => {}));

const hints: readonly Row[] = [
  ...quiet,
  row('WFE', 'system', hint(0, 2), (b) => {
    allowedToUser(b, NTWE, 'wfi-trap', waitSyndrome(1));
    b.trap('wait-event');
  }),
  row('WFI', 'system', hint(0, 3), (b) => {
    allowedToUser(b, NTWI, 'wfi-trap', waitSyndrome(0));
    b.trap('wait');
  }),
  // Unallocated hints are NOPs.
  row('HINT', 'nop', '1101010100 0 00 011 0010 CRm op2 11111', () => {}),
];

/** Memory is sequentially consistent here: vCPUs take turns. */
const barriers: readonly Row[] = [
  row('DSB', 'barrier', '1101010100 0 00 011 0011 CRm 100 11111', () => {}),
  row('DMB', 'barrier', '1101010100 0 00 011 0011 CRm 101 11111', () => {}),
  row('ISB', 'barrier', '1101010100 0 00 011 0011 CRm 110 11111', () => {}),
  row('SB', 'barrier', '1101010100 0 00 011 0011 0000 111 11111', () => {}, { needs: 'sb' }),
];

/** EL0 needs SCTLR_EL1.UMA; else EC 0x18 with the fields of the instruction and Rt = 31 (ESR_EL1, ISS for EC 0x18). */
function maskable(b: Lifter, crm: number, op2: number): void {
  const syndrome = (op2 << 17) | (3 << 14) | (4 << 10) | (31 << 5) | (crm << 1);
  allowedToUser(b, UMA, 'sysreg-trap', syndrome);
}

/** MSR (immediate) to a one-bit field that is a register's as well: the road decides and performs. */
function field(name: string, op2: number, address: number, bit: number, needs?: string): Row {
  return row(
    `MSR ${name} (immediate)`,
    'system',
    `1101010100 0 00 000 0100 CRm ${binary(op2, 3)} 11111` as string,
    (b, f) => b.write(SYSREG, b.constant(address), b.constant(BigInt(f.CRm & 1) << BigInt(bit))),
    needs === undefined ? {} : { needs },
  );
}

const pstate: readonly Row[] = [
  row('MSR DAIFSet (immediate)', 'system', '1101010100 0 00 011 0100 CRm 110 11111', (b, f) => {
    maskable(b, f.CRm, 6);
    b.set('DAIF', b.or(b.get('DAIF'), b.constant(f.CRm << 6)));
  }),
  row('MSR DAIFClr (immediate)', 'system', '1101010100 0 00 011 0100 CRm 111 11111', (b, f) => {
    maskable(b, f.CRm, 7);
    b.set('DAIF', b.and(b.get('DAIF'), b.constant(0x3c0 & ~(f.CRm << 6))));
  }),
  field('SPSel', 5, SPSEL, 0),
  field('PAN', 4, sysreg(3, 0, 4, 2, 3).index, 22, 'pan'),
];

interface Named {
  readonly op1: number;
  readonly CRn: number;
  readonly CRm: number;
  readonly op2: number;
}
const addressOf = (b: Lifter, op0: number, f: Named): Value =>
  b.constant(sysreg(op0, f.op1, f.CRn, f.CRm, f.op2).index);

const access: readonly Row[] = [
  row('MRS', 'system', '1101010100 1 1 o0 op1 CRn CRm op2 Rt', (b, f) => {
    const value = b.read(SYSREG, addressOf(b, 2 + f.o0, f));
    setX(b, f.Rt, value);
  }),
  row('MSR (register)', 'system', '1101010100 0 1 o0 op1 CRn CRm op2 Rt', (b, f) => {
    b.write(SYSREG, addressOf(b, 2 + f.o0, f), x(b, f.Rt));
  }),
  row('SYS', 'system', '1101010100 0 01 op1 CRn CRm op2 Rt', (b, f) => {
    b.write(SYSREG, addressOf(b, 1, f), x(b, f.Rt));
  }),
  row('SYSL', 'system', '1101010100 1 01 op1 CRn CRm op2 Rt', (b, f) => {
    const value = b.read(SYSREG, addressOf(b, 1, f));
    setX(b, f.Rt, value);
  }),
  // The road says whether it may (SCTLR_EL1.DZE, HCR_EL2.TDZ); then a block of 64 bytes, DCZID_EL0.BS = 4, becomes 0.
  row(
    'DC ZVA',
    'store',
    '1101010100 0 01 011 0111 0100 001 Rt',
    (b, f) => {
      const value = x(b, f.Rt);
      b.write(SYSREG, b.constant(DC_ZVA), value);
      // A fault reports the address given, not the block's (FAR_EL1, on DC ZVA); both are in one page.
      b.probe(value, 1, true);
      const block = b.and(value, b.constant(~63n));
      for (let at = 0; at < 64; at += 8) {
        b.store(at === 0 ? block : b.add(block, b.constant(at)), b.constant(0), { size: 8 });
      }
    },
    { signals: ['store', 'access'] },
  ),
];

export const system: readonly Row[] = [...exceptions, ...hints, ...barriers, ...pstate, ...access];
