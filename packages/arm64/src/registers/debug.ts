/**
 * Debug registers: OS lock, debug communications channel, breakpoints and watchpoints. Arm DDI 0487, D24.3.
 *
 * No debugger is attached, and self-hosted breakpoints, watchpoints and software step are not modelled: enabling one stops the domain by name
 * (trap groups BREAKPOINT and STEP).
 */
import { family, type View } from '@countervisor/contract';
import { sysreg } from '../address.ts';
import { type Fields, field, type Row, type Rows, res0, whole } from './row.ts';

/** Breakpoints and watchpoints that the architecture has room for. */
const MOST = 16;

const row = (
  [op1, crm, op2, crn = 0]: readonly [op1: number, crm: number, op2: number, crn?: number],
  traps: readonly string[],
  fields: Fields,
  more: Partial<Row> = {},
): Row => ({
  at: sysreg(2, op1, crn, crm, op2),
  width: 64,
  reset: 0n,
  read: 'el1',
  write: 'el1',
  fields,
  traps,
  ...more,
});

const LOCK = ['TDE', 'TDOSA'] as const;
const OTHER = ['TDE', 'TDA'] as const;
/** The communications channel is EL0's too, unless MDSCR_EL1.TDCC is set. */
const CHANNEL = ['TDCC', ...OTHER] as const;

const word = (means: string): Fields => ({ VALUE: field([31, 0], means), ...res0([63, 32]) });

/** Bits of MDSCR_EL1 that belong to the external debugger's view: written while the OS lock is locked alone. */
const LOCKED_BITS = 0x6ce8_4040n;

const doubleLock = (view: Pick<View, 'cpu'>): boolean =>
  (((view.cpu.identity.ID_AA64DFR0_EL1 ?? 0n) >> 36n) & 15n) === 0n;

/** DebugVer 9: FEAT_Debugv8p4. */
const debugVersion = (view: Pick<View, 'cpu'>): bigint => (view.cpu.identity.ID_AA64DFR0_EL1 ?? 0n) & 15n;

const pairs: Rows = family(MOST, (n) => ({
  [`DBGBVR${n}_EL1`]: row([0, n, 4], ['NO_SUCH_BREAKPOINT', ...OTHER], whole('Address or context to break at.'), {
    reset: 'unknown',
  }),
  [`DBGBCR${n}_EL1`]: row([0, n, 5], ['NO_SUCH_BREAKPOINT', ...OTHER, 'BREAKPOINT'], {
    E: field(0, 'Enabled.'),
    PMC: field([2, 1], 'At which levels.'),
    ...res0([4, 3]),
    BAS: field([8, 5], 'Which bytes; all, without AArch32.'),
    ...res0([12, 9]),
    HMC: field(13, 'Higher levels.'),
    SSC: field([15, 14], 'Security states.'),
    LBN: field([19, 16], 'Linked breakpoint.'),
    BT: field([23, 20], 'Kind.'),
    ...res0([63, 24]),
  }),
  [`DBGWVR${n}_EL1`]: row(
    [0, n, 6],
    ['NO_SUCH_WATCHPOINT', ...OTHER],
    { ...res0([1, 0]), VA: field([63, 2], 'Address to watch.') },
    {
      reset: 'unknown',
    },
  ),
  [`DBGWCR${n}_EL1`]: row([0, n, 7], ['NO_SUCH_WATCHPOINT', ...OTHER, 'BREAKPOINT'], {
    E: field(0, 'Enabled.'),
    PAC: field([2, 1], 'At which levels.'),
    LSC: field([4, 3], 'Loads, stores.'),
    BAS: field([12, 5], 'Which bytes.'),
    HMC: field(13, 'Higher levels.'),
    SSC: field([15, 14], 'Security states.'),
    LBN: field([19, 16], 'Linked breakpoint.'),
    WT: field(20, 'Linked.'),
    ...res0([23, 21]),
    MASK: field([28, 24], 'Address bits ignored.'),
    ...res0([63, 29]),
  }),
}));

export const debug: Rows = {
  MDRAR_EL1: row([0, 0, 0, 1], ['TDE', 'TDRA'], whole('Address of the debug ROM table; 0, there is none.', 'ignored'), {
    write: 'never',
  }),
  OSLAR_EL1: row(
    [0, 0, 4, 1],
    LOCK,
    { OSLK: field(0, 'Locks or unlocks the OS lock.', 'zero'), ...res0([63, 1]) },
    {
      read: 'never',
      wrote: (vcpu, written) => vcpu.set('OSLSR_EL1', 8n | ((written & 1n) << 1n)),
    },
  ),
  OSLSR_EL1: row(
    [0, 1, 4, 1],
    LOCK,
    {
      OSLM_0: field(0, 'With bit 3: 0b10, an OS lock is implemented.', 'ignored'),
      OSLK: field(1, 'The OS lock is locked, as after a cold reset.', 'ignored'),
      nTT: field(2, 'Not 32-bit accesses.', 'ignored'),
      OSLM_1: field(3, 'With bit 0: 0b10, an OS lock is implemented.', 'ignored'),
      ...res0([63, 4]),
    },
    { write: 'never', reset: 0xan },
  ),
  OSDLR_EL1: row(
    [0, 3, 4, 1],
    LOCK,
    { DLK: field(0, 'OS double lock, where it is implemented.'), ...res0([63, 1]) },
    {
      implemented: (view) => (doubleLock(view) ? 1n : 0n),
    },
  ),
  DBGPRCR_EL1: row([0, 4, 4, 1], LOCK, {
    CORENPDRQ: field(0, 'No power-down; nothing powers down here.'),
    ...res0([63, 1]),
  }),

  MDSCR_EL1: row(
    [0, 2, 2],
    [...OTHER, 'STEP'],
    {
      SS: field(0, 'Software step.'),
      ...res0([5, 1]),
      ERR: field(6, 'Error in the communications channel.'),
      ...res0([11, 7]),
      TDCC: field(12, 'EL0 accesses to the communications channel trap.'),
      KDE: field(13, 'Debug exceptions within EL1.'),
      HDE: field(14, 'Halting debug.'),
      MDE: field(15, 'Breakpoints and watchpoints.'),
      ...res0([18, 16]),
      SC2: field(19, 'Sampling control.'),
      ...res0(20),
      TDA: field(21, 'External accesses trap.'),
      INTdis: field([23, 22], 'Interrupts disabled by the debugger.'),
      ...res0([25, 24]),
      TXU: field(26, 'Transmit underrun.'),
      RXO: field(27, 'Receive overrun.'),
      ...res0(28),
      TXfull: field(29, 'Transmit register full.'),
      RXfull: field(30, 'Receive register full.'),
      ...res0([63, 31]),
    },
    {
      accepts: (view, value, before) =>
        (view.get('OSLSR_EL1') & 2n) !== 0n ? value : (value & ~LOCKED_BITS) | (before & LOCKED_BITS),
      source: 'D24.3.20: most bits are read-only while the OS lock is unlocked',
    },
  ),
  MDCCINT_EL1: row([0, 2, 0], OTHER, {
    ...res0([28, 0]),
    TX: field(29, 'Interrupt when the transmit register is empty; nobody listens.'),
    RX: field(30, 'Interrupt when the receive register is full.'),
    ...res0([63, 31]),
  }),
  MDCCSR_EL0: row(
    [3, 1, 0],
    CHANNEL,
    {
      ...res0([28, 0]),
      TXfull: field(29, 'What was transmitted has not been read; nobody reads.', 'ignored'),
      RXfull: field(30, 'Something was received; nobody sends.', 'ignored'),
      ...res0([63, 31]),
    },
    { read: 'el0', write: 'never' },
  ),
  DBGDTR_EL0: row(
    [3, 4, 0],
    CHANNEL,
    whole('Both halves of the communications channel; reads as 0, nobody sends.', 'zero'),
    {
      read: 'el0',
      write: 'el0',
      wrote: (vcpu) => vcpu.set('MDCCSR_EL0', 1n << 29n),
    },
  ),
  // One address: DBGDTRRX_EL0 when read, DBGDTRTX_EL0 when written.
  DBGDTRTX_EL0: row(
    [3, 5, 0],
    CHANNEL,
    whole('The communications channel, 32 bits; reads as 0, nobody sends.', 'zero'),
    {
      read: 'el0',
      write: 'el0',
      wrote: (vcpu) => vcpu.set('MDCCSR_EL0', 1n << 29n),
    },
  ),
  OSDTRRX_EL1: row([0, 0, 2], OTHER, word('Save and restore of the receive register.')),
  OSDTRTX_EL1: row([0, 3, 2], OTHER, word('Save and restore of the transmit register.')),
  OSECCR_EL1: row(
    [0, 6, 2],
    OTHER,
    word('Save and restore of the exception catches; 0 while the OS lock is unlocked.'),
    {
      implemented: (view) => ((view.get('OSLSR_EL1') & 2n) !== 0n ? 0xffff_ffffn : 0n),
    },
  ),
  DBGCLAIMSET_EL1: row(
    [0, 8, 6, 7],
    OTHER,
    {
      CLAIM: field([7, 0], 'Claim tags: written 1, set. Reads as ones: all eight are there.', 'one-sets'),
      ...res0([63, 8]),
    },
    {
      reset: 0xffn,
      derive: () => 0xffn,
      wrote: (vcpu, written) => vcpu.set('DBGCLAIMCLR_EL1', vcpu.get('DBGCLAIMCLR_EL1') | (written & 0xffn)),
    },
  ),
  DBGCLAIMCLR_EL1: row([0, 9, 6, 7], OTHER, {
    CLAIM: field([7, 0], 'Claim tags: written 1, cleared.', 'one-clears'),
    ...res0([63, 8]),
  }),
  DBGAUTHSTATUS_EL1: row(
    [0, 14, 6, 7],
    OTHER,
    {
      NSID: field([1, 0], 'Invasive debug of Non-secure state: implemented, disabled.', 'ignored'),
      NSNID: field([3, 2], 'Non-invasive debug of Non-secure state.', 'ignored'),
      SID: field([5, 4], 'Invasive debug of Secure state: implemented, disabled.', 'ignored'),
      SNID: field([7, 6], 'Non-invasive debug of Secure state: implemented, disabled.', 'ignored'),
      ...res0([63, 8]),
    },
    { write: 'never', derive: (view) => (debugVersion(view) >= 9n ? 0xaen : 0xaan), source: 'D24.3.1' },
  ),
  ...pairs,
};
