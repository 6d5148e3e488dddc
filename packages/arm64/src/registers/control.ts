/**
 * Registers that control the guest's own EL1: translation, exceptions, stack pointers, process state by address.
 * Arm DDI 0487, C5.2 (special-purpose registers) and D24.2 (general system control registers).
 *
 * RVBAR_EL1 and RMR_EL1 are absent: they exist where EL1 is the highest Exception level, and EL2 is here (D24.2.163).
 * LORegions, pointer authentication keys, RAS records and the like are absent with their features (features.ts).
 */
import { sysreg } from '../address.ts';
import { selectStack } from '../isa/exceptions.ts';
import { packFlags, unpackFlags } from '../isa/flags.ts';
import { isFiq, signalled } from '../platform/gic.ts';
import { type Fields, field, type Row, type Rows, res0, res1, whole } from './row.ts';

/** A plain 64-bit register of EL1. */
const el1 = (op1: number, crn: number, crm: number, op2: number, fields: Fields, more: Partial<Row> = {}): Row => ({
  at: sysreg(3, op1, crn, crm, op2),
  width: 64,
  reset: 'unknown',
  read: 'el1',
  write: 'el1',
  fields,
  ...more,
});

const translation: Pick<Row, 'affects'> = { affects: ['translation'] };

const translationBase = (which: string): Fields => ({
  ...res0(0),
  BADDR: field([47, 1], `Address of the first table of the ${which} range.`),
  ASID: field([63, 48], 'Address space identifier.'),
});

export const control: Rows = {
  SCTLR_EL1: el1(
    0,
    1,
    0,
    0,
    {
      M: field(0, 'Address translation is on.'),
      A: field(1, 'Every misaligned data access faults.'),
      C: field(2, 'Data accesses may be cached.'),
      SA: field(3, 'Stack pointer alignment is checked at EL1.'),
      SA0: field(4, 'Stack pointer alignment is checked at EL0.'),
      ...res0(5, 6),
      ...res1(7, 8),
      UMA: field(9, 'EL0 may access the interrupt masks.'),
      ...res0(10),
      ...res1(11),
      I: field(12, 'Instruction fetches may be cached.'),
      ...res0(13),
      DZE: field(14, 'EL0 may execute DC ZVA.'),
      UCT: field(15, 'EL0 may read CTR_EL0.'),
      nTWI: field(16, 'EL0 may execute WFI.'),
      ...res0(17),
      nTWE: field(18, 'EL0 may execute WFE.'),
      WXN: field(19, 'What is writable is not executable.'),
      ...res1(20),
      ...res0(21),
      ...res1(22),
      SPAN: field(23, 'PSTATE.PAN is left alone by an exception to EL1 (0 sets it). RES1 without FEAT_PAN.'),
      ...res0([25, 24]),
      UCI: field(26, 'EL0 may execute cache maintenance by address.'),
      ...res0(27),
      ...res1([29, 28]),
      ...res0([63, 30]),
    },
    {
      // Warm reset gives 0 where the manual leaves a choice: translation, caches and checks off.
      reset: 0x30d0_0980n,
      accepts: (view, value) => (view.cpu.features.has('pan') ? value : value | 0x80_0000n),
      affects: ['translation', 'decode'],
      source:
        'D24.2.175: E0E and EE are RES0 without mixed-endian support, ITD and SED RES1 and CP15BEN RES0 without AArch32 at EL0',
    },
  ),
  ACTLR_EL1: el1(
    0,
    1,
    0,
    1,
    { IMPLEMENTATION_DEFINED: field([63, 0], 'Nothing is defined here.', 'zero') },
    {
      reset: 0n,
      traps: ['TACR'],
    },
  ),
  CPACR_EL1: el1(
    0,
    1,
    0,
    2,
    {
      ...res0([15, 0]),
      ZEN: field([17, 16], 'SVE; RES0, there is none.', 'zero'),
      ...res0([19, 18]),
      FPEN: {
        bits: [21, 20],
        means: 'Floating-point and SIMD: who takes an exception instead.',
        values: { 'EL0 and EL1': 0, EL0: 1, 'EL0 and EL1 too': 2, nobody: 3 },
      },
      ...res0([27, 22]),
      TTA: field(28, 'Trace registers; RES0, there are none.', 'zero'),
      ...res0([63, 29]),
    },
    { reset: 0n },
  ),

  TTBR0_EL1: el1(0, 2, 0, 0, translationBase('lower'), translation),
  TTBR1_EL1: el1(0, 2, 0, 1, translationBase('upper'), translation),
  TCR_EL1: el1(
    0,
    2,
    0,
    2,
    {
      T0SZ: field([5, 0], 'The lower range has 64 - T0SZ address bits.'),
      ...res0(6),
      EPD0: field(7, 'No walks for the lower range.'),
      IRGN0: field([9, 8], 'Inner cacheability of walks, lower range.'),
      ORGN0: field([11, 10], 'Outer cacheability of walks, lower range.'),
      SH0: field([13, 12], 'Shareability of walks, lower range.'),
      TG0: { bits: [15, 14], means: 'Granule of the lower range.', values: { '4K': 0, '64K': 1, '16K': 2 } },
      T1SZ: field([21, 16], 'The upper range has 64 - T1SZ address bits.'),
      A1: field(22, 'The ASID is that of TTBR1_EL1.'),
      EPD1: field(23, 'No walks for the upper range.'),
      IRGN1: field([25, 24], 'Inner cacheability of walks, upper range.'),
      ORGN1: field([27, 26], 'Outer cacheability of walks, upper range.'),
      SH1: field([29, 28], 'Shareability of walks, upper range.'),
      TG1: { bits: [31, 30], means: 'Granule of the upper range.', values: { '16K': 1, '4K': 2, '64K': 3 } },
      IPS: field([34, 32], 'Size of intermediate physical addresses.'),
      ...res0(35),
      AS: field(36, 'ASIDs have 16 bits (0: 8).'),
      TBI0: field(37, 'Bits 63:56 of lower addresses are ignored.'),
      TBI1: field(38, 'Bits 63:56 of upper addresses are ignored.'),
      // HA, HD, HPD0, HPD1 and everything above belong to features that are hidden.
      ...res0([63, 39]),
    },
    // UNKNOWN at reset; 0 so that a dump before translation is on reads well.
    { reset: 0n, ...translation },
  ),
  MAIR_EL1: el1(0, 10, 2, 0, whole('Eight memory attributes, one byte each.'), translation),
  AMAIR_EL1: el1(
    0,
    10,
    3,
    0,
    { IMPLEMENTATION_DEFINED: field([63, 0], 'Nothing is defined here.', 'zero') },
    {
      reset: 0n,
    },
  ),
  PAR_EL1: el1(0, 7, 4, 0, whole('What the last AT instruction found.')),

  ESR_EL1: el1(0, 5, 2, 0, {
    ISS: field([24, 0], 'Instruction-specific syndrome.'),
    IL: field(25, 'The instruction has 32 bits.'),
    EC: field([31, 26], 'Exception class.'),
    ...res0([63, 32]),
  }),
  FAR_EL1: el1(0, 6, 0, 0, whole('Faulting virtual address.')),
  AFSR0_EL1: el1(
    0,
    5,
    1,
    0,
    { IMPLEMENTATION_DEFINED: field([63, 0], 'Nothing is defined here.', 'zero') },
    {
      reset: 0n,
    },
  ),
  AFSR1_EL1: el1(
    0,
    5,
    1,
    1,
    { IMPLEMENTATION_DEFINED: field([63, 0], 'Nothing is defined here.', 'zero') },
    {
      reset: 0n,
    },
  ),
  VBAR_EL1: el1(0, 12, 0, 0, { ...res0([10, 0]), BASE: field([63, 11], 'Address of the exception vectors.') }),
  ELR_EL1: el1(0, 4, 0, 1, whole('Where an exception return goes.')),
  SPSR_EL1: el1(0, 4, 0, 0, {
    M: {
      bits: [3, 0],
      means: 'Exception level and stack pointer returned to.',
      values: { EL0t: 0, EL1t: 4, EL1h: 5 },
    },
    M4: field(4, 'AArch32; returning to it is an illegal exception return here.'),
    ...res0(5),
    F: field(6, 'FIQ masked.'),
    I: field(7, 'IRQ masked.'),
    A: field(8, 'SError masked.'),
    D: field(9, 'Debug exceptions masked.'),
    ...res0([19, 10]),
    IL: field(20, 'Illegal execution state.'),
    SS: field(21, 'Software step.'),
    PAN: field(22, 'Privileged access never.'),
    ...res0([27, 23]),
    V: field(28, 'Overflow.'),
    C: field(29, 'Carry.'),
    Z: field(30, 'Zero.'),
    N: field(31, 'Negative.'),
    ...res0([63, 32]),
  }),

  ISR_EL1: el1(
    0,
    12,
    1,
    0,
    {
      ...res0([5, 0]),
      F: field(6, 'An FIQ is pending, masked or not.', 'ignored'),
      I: field(7, 'An IRQ is pending, masked or not.', 'ignored'),
      A: field(8, 'An SError is pending; there are none.', 'ignored'),
      ...res0([63, 9]),
    },
    {
      reset: 0n,
      write: 'never',
      derive: (view) => {
        const next = signalled(view);
        return next === undefined ? 0n : isFiq(view, next.group) ? 0x40n : 0x80n;
      },
      source: 'D24.2.118',
    },
  ),

  SP_EL0: el1(0, 4, 1, 0, whole('Stack pointer of EL0, and of EL1 while PSTATE.SP is 0.'), {
    traps: ['SP_EL0_IN_USE'],
  }),
  SP_EL1: {
    ...el1(4, 4, 1, 0, whole('Stack pointer of EL1.')),
    read: 'el2',
    write: 'el2',
    source: 'C5.2.15: by this name it belongs to EL2; EL1 reaches it as SP',
  },
  SPSel: el1(
    0,
    4,
    2,
    0,
    { SP: field(0, 'EL1 uses SP_EL1 (0: SP_EL0).'), ...res0([63, 1]) },
    {
      reset: 1n,
      derive: (view) => view.get('SPSEL'),
      wrote: (vcpu, written) => selectStack(vcpu, vcpu.get('EL'), written & 1n),
      source: 'C5.2.18',
    },
  ),
  CurrentEL: el1(
    0,
    4,
    2,
    2,
    { ...res0([1, 0]), EL: field([3, 2], 'Exception level.', 'ignored'), ...res0([63, 4]) },
    {
      reset: 4n,
      write: 'never',
      derive: (view) => BigInt(view.level) << 2n,
    },
  ),
  NZCV: {
    at: sysreg(3, 3, 4, 2, 0),
    width: 64,
    reset: 0n,
    read: 'el0',
    write: 'el0',
    fields: {
      ...res0([27, 0]),
      V: field(28, 'Overflow.'),
      C: field(29, 'Carry.'),
      Z: field(30, 'Zero.'),
      N: field(31, 'Negative.'),
      ...res0([63, 32]),
    },
    derive: packFlags,
    wrote: unpackFlags,
  },
  // PSTATE.PAN by address; the manual's name for it is PAN, which is the state itself here.
  PAN_BY_ADDRESS: el1(
    0,
    4,
    2,
    3,
    { ...res0([21, 0]), PAN: field(22, 'PSTATE.PAN.'), ...res0([63, 23]) },
    {
      reset: 0n,
      needs: 'pan',
      derive: (view) => view.get('PAN') << 22n,
      wrote: (vcpu, written) => vcpu.set('PAN', (written >> 22n) & 1n),
      source: 'C5.2.12',
    },
  ),
  FPCR: fp(0, {
    ...res0([7, 0]),
    IOE: field(8, 'Invalid operation traps; RES0 where trapping is not implemented.', 'zero'),
    ...res0([21, 9]),
    RMode: field([23, 22], 'Rounding mode.'),
    FZ: field(24, 'Flush to zero.'),
    DN: field(25, 'Default NaN.'),
    AHP: field(26, 'Alternative half precision.'),
    ...res0([63, 27]),
  }),
  FPSR: fp(1, {
    IOC: field(0, 'Invalid operation happened.'),
    DZC: field(1, 'Division by zero happened.'),
    OFC: field(2, 'Overflow happened.'),
    UFC: field(3, 'Underflow happened.'),
    IXC: field(4, 'Inexact result happened.'),
    ...res0([6, 5]),
    IDC: field(7, 'Denormal input happened.'),
    ...res0([26, 8]),
    QC: field(27, 'Saturation happened.'),
    ...res0([63, 28]),
  }),

  CONTEXTIDR_EL1: el1(0, 13, 0, 1, { PROCID: field([31, 0], 'Process identifier.'), ...res0([63, 32]) }),
  TPIDR_EL0: { ...el1(3, 13, 0, 2, whole("EL0's own word.")), read: 'el0', write: 'el0' },
  TPIDRRO_EL0: { ...el1(3, 13, 0, 3, whole("EL1's word for EL0 to read.")), read: 'el0' },
  TPIDR_EL1: el1(0, 13, 0, 4, whole("EL1's own word.")),

  HCR_EL2: {
    at: sysreg(3, 4, 1, 1, 0),
    width: 64,
    reset: 0x8000_0000n,
    read: 'el2',
    write: 'el2',
    home: 'pcpu',
    fields: {
      VM: field(0, 'Stage 2 translation; domains are kept apart without it here.'),
      UNMODELLED_15_1: field([15, 1], 'Stored; routing and waiting are the platform’s here.'),
      TID1: field(16, 'EL1 reads of REVIDR_EL1 and AIDR_EL1 trap.'),
      TID2: field(17, 'Accesses to CTR_EL0, CCSIDR_EL1, CLIDR_EL1 and CSSELR_EL1 trap.'),
      TID3: field(18, 'EL1 reads of the feature registers trap.'),
      UNMODELLED_20_19: field([20, 19], 'Stored: SMC is always handled by the hypervisor.'),
      TACR: field(21, 'EL1 accesses to ACTLR_EL1 trap.'),
      UNMODELLED_30_22: field([30, 22], 'Stored.'),
      RW: field(31, 'EL1 is AArch64.', 'one'),
      UNMODELLED_63_32: field([63, 32], 'Stored.'),
    },
    source: 'D24.2.62',
  },
};

/** Behind CPACR_EL1.FPEN, at EL0 too. */
function fp(op2: number, fields: Fields): Row {
  return { ...el1(3, 4, 4, op2, fields), read: 'el0', write: 'el0', reset: 0n, traps: ['FPEN'] };
}
