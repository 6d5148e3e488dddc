/**
 * Control and debug registers, EFER, and what the CPU remembers between instructions. Intel SDM volume 3, 2.5 (control registers), 2.2.1 (EFER), 17.2 (debug
 * registers), 10.8.6 (CR8). A reserved bit that is written as 1 is #GP(0).
 */
import type { Refusal, Vcpu, View } from '@countervisor/contract';
import { cr, dr, msr } from '../address.ts';
import { field, mustBe0, one, type Row, type Rows, slot, zero } from './row.ts';

const refused: Refusal = { refuse: '#GP', syndrome: 0n };

const bit = (n: number): bigint => 1n << BigInt(n);

const PE = bit(0);
const NW = bit(29);
const CD = bit(30);
const PG = bit(31);
const PAE = bit(5);
const LME = bit(8);
const LMA = bit(10);
const CS_L = 0x2000n;

const supervisor = { read: 'supervisor', write: 'supervisor' } as const;

/** Volume 3, 2.5 and 4.1.2: what may not be set together, and paths into and out of long mode. */
function acceptsCr0(view: View, value: bigint, before: bigint): bigint | Refusal {
  if ((value & PG) !== 0n && (value & PE) === 0n) return refused;
  if ((value & NW) !== 0n && (value & CD) === 0n) return refused;
  const efer = view.get('EFER');
  const long64 = (view.get('CS_AR') & CS_L) !== 0n;
  if ((value & PG) !== 0n && (before & PG) === 0n && (efer & LME) !== 0n) {
    if ((view.get('CR4') & PAE) === 0n || long64) return refused;
  }
  if ((value & PG) === 0n && (efer & LMA) !== 0n && long64) return refused;
  return value;
}

/** EFER.LMA follows CR0.PG while LME is set. */
function wroteCr0(vcpu: Vcpu): void {
  const efer = vcpu.get('EFER');
  const active = (efer & LME) !== 0n && (vcpu.get('CR0') & PG) !== 0n;
  const wanted = active ? efer | LMA : efer & ~LMA;
  if (wanted !== efer) vcpu.set('EFER', wanted);
}

/** CR4 bits and the features they come with; those without a feature belong to every model. */
const CR4_FEATURES: Readonly<Record<number, string>> = {
  2: 'tsc',
  3: 'de',
  4: 'pse',
  5: 'pae',
  6: 'mce',
  7: 'pge',
  9: 'fxsr',
  10: 'sse',
  11: 'umip',
  16: 'fsgsbase',
  20: 'smep',
  21: 'smap',
};

/** Bits of CR4 that this CPU has. PCE has no feature of its own. */
export function cr4Bits(view: Pick<View, 'cpu'>): bigint {
  let mask = bit(8);
  for (const [n, feature] of Object.entries(CR4_FEATURES)) {
    if (view.cpu.features.has(feature)) mask |= bit(Number(n));
  }
  return mask;
}

function acceptsCr4(view: View, value: bigint): bigint | Refusal {
  if ((value & ~cr4Bits(view)) !== 0n) return refused;
  if ((view.get('EFER') & LMA) !== 0n && (value & PAE) === 0n) return refused;
  return value;
}

/** Bits above MAXPHYADDR are reserved; outside long mode MOV writes 32 bits. */
function acceptsCr3(view: View, value: bigint): bigint | Refusal {
  return value >> (view.cpu.identity.PHYSICAL_BITS ?? 36n) === 0n ? value : refused;
}

function acceptsEfer(view: View, value: bigint, before: bigint): bigint | Refusal {
  const { features } = view.cpu;
  const has = (feature: string, bits: bigint): boolean => (value & bits) === 0n || features.has(feature);
  if (!has('nx', bit(11)) || !has('lm', LME) || !has('syscall', 1n)) return refused;
  if (((value ^ before) & LME) !== 0n && (view.get('CR0') & PG) !== 0n) return refused;
  return value;
}

/** A register of debug addresses: any linear address. */
const breakpoint = (n: number): Row =>
  slot(`Linear address of breakpoint ${n}.`, 0n, { at: dr(n), ...supervisor, traps: ['MOV_DR_EXITING'] });

/** DR4 and DR5 are other names of DR6 and DR7 unless CR4.DE is set. */
const alias = (n: number, target: string): Row =>
  slot(`Another name of ${target} while CR4.DE is 0.`, 0n, {
    at: dr(n),
    ...supervisor,
    traps: n === 5 ? ['MOV_DR_EXITING', 'BREAKPOINT'] : ['MOV_DR_EXITING'],
    view: (view) => (view.field('CR4', 'DE') === 0n ? target : 'undefined'),
  });

/** No address, so nothing is held back: not canonical. */
export const NO_SHADOW = 0x8000_0000_0000_0000n;

export const control: Rows = {
  CR0: {
    at: cr(0),
    width: 64,
    reset: 0x6000_0010n,
    ...supervisor,
    fields: {
      PE: field(0, 'Protected mode.'),
      MP: field(1, 'WAIT minds TS.'),
      EM: field(2, 'x87 instructions are #NM.'),
      TS: field(3, 'Task switched: x87 is #NM.'),
      ET: field(4, 'Always 1.', 'one'),
      NE: field(5, 'x87 errors are #MF.'),
      ...zero([15, 6], 17, [28, 19]),
      WP: field(16, 'Supervisor writes mind read-only pages.'),
      AM: field(18, 'Alignment check at CPL 3.'),
      NW: field(29, 'Not write-through.'),
      CD: field(30, 'Caches off.'),
      PG: field(31, 'Paging.'),
      ...mustBe0([63, 32]),
    },
    accepts: acceptsCr0,
    wrote: wroteCr0,
    affects: ['translation', 'decode', 'level'],
    source: 'SDM volume 3, 2.5 and table 10-1',
  },
  CR2: slot('Linear address of the last page fault.', 0n, { at: cr(2), ...supervisor }),
  CR3: slot('Physical address of the top page table.', 0n, {
    at: cr(3),
    ...supervisor,
    traps: ['CR3_LOAD_EXITING', 'CR3_STORE_EXITING'],
    accepts: acceptsCr3,
    affects: ['translation'],
  }),
  CR4: {
    at: cr(4),
    width: 64,
    reset: 0n,
    ...supervisor,
    fields: {
      VME: field(0, 'Virtual-8086 extensions.'),
      PVI: field(1, 'Protected-mode virtual interrupts.'),
      TSD: field(2, 'RDTSC is of CPL 0.'),
      DE: field(3, 'DR4 and DR5 are #UD.'),
      PSE: field(4, 'Pages of 4 MiB.'),
      PAE: field(5, 'Entries of 8 bytes.'),
      MCE: field(6, 'Machine checks are taken.'),
      PGE: field(7, 'Global pages.'),
      PCE: field(8, 'RDPMC is of every level.'),
      OSFXSR: field(9, 'The system keeps SSE state.'),
      OSXMMEXCPT: field(10, 'SSE errors are #XM.'),
      UMIP: field(11, 'SGDT, SIDT, SLDT, SMSW and STR are of CPL 0.'),
      LA57: field(12, 'Five-level paging.'),
      VMXE: field(13, 'VMX.'),
      SMXE: field(14, 'SMX.'),
      ...mustBe0(15),
      FSGSBASE: field(16, 'RDFSBASE and its kin.'),
      PCIDE: field(17, 'Process-context identifiers.'),
      OSXSAVE: field(18, 'XSAVE.'),
      ...mustBe0(19),
      SMEP: field(20, 'No supervisor execution of user pages.'),
      SMAP: field(21, 'No supervisor access to user pages.'),
      PKE: field(22, 'Protection keys.'),
      ...mustBe0([63, 23]),
    },
    traps: ['LA57'],
    accepts: acceptsCr4,
    affects: ['translation', 'level', 'pmu'],
    source: 'SDM volume 3, 2.5',
  },
  CR8: {
    at: cr(8),
    width: 64,
    reset: 0n,
    ...supervisor,
    fields: { TPR: field([3, 0], 'Interrupts of this class and below are held back.'), ...mustBe0([63, 4]) },
    derive: (view) => BigInt(view.device<{ tpr: number }>('lapic').tpr >> 4),
    parts(vcpu, value) {
      vcpu.device<{ tpr: number }>('lapic').tpr = Number(value) << 4;
      vcpu.changed('interrupts');
    },
    source: 'SDM volume 3, 10.8.6',
  },
  EFER: {
    at: msr(0xc000_0080),
    width: 64,
    reset: 0n,
    ...supervisor,
    fields: {
      SCE: field(0, 'SYSCALL.'),
      ...mustBe0([7, 1], 9, [63, 12]),
      LME: field(8, 'Long mode, once paging is on.'),
      LMA: field(10, 'Long mode is active.', 'ignored'),
      NXE: field(11, 'Execute disable.'),
    },
    accepts: acceptsEfer,
    affects: ['translation', 'decode'],
    source: 'SDM volume 3, 2.2.1; FFXSR, LMSLE, TCE and SVME of AMD are absent',
  },

  DR0: breakpoint(0),
  DR1: breakpoint(1),
  DR2: breakpoint(2),
  DR3: breakpoint(3),
  DR4: alias(4, 'DR6'),
  DR5: alias(5, 'DR7'),
  DR6: {
    at: dr(6),
    width: 64,
    reset: 0xffff_0ff0n,
    ...supervisor,
    traps: ['MOV_DR_EXITING'],
    fields: {
      B: field([3, 0], 'Which breakpoint.'),
      ...one([11, 4], [31, 16]),
      ...zero(12),
      BD: field(13, 'An access to debug registers.'),
      BS: field(14, 'Single step.'),
      BT: field(15, 'Task switch.'),
      ...mustBe0([63, 32]),
    },
    source: 'SDM volume 3, 17.2.3',
  },
  DR7: {
    at: dr(7),
    width: 64,
    reset: 0x400n,
    ...supervisor,
    traps: ['MOV_DR_EXITING', 'BREAKPOINT'],
    fields: {
      ENABLE: field([7, 0], 'L0, G0 … L3, G3.'),
      LE: field(8, 'Exact breakpoints, local.'),
      GE: field(9, 'Exact breakpoints, global.'),
      ...one(10),
      ...zero(11, 12, 14, 15),
      GD: field(13, 'Accesses to debug registers are #DB.'),
      CONDITIONS: field([31, 16], 'R/W0, LEN0 … R/W3, LEN3.'),
      ...mustBe0([63, 32]),
    },
    source: 'SDM volume 3, 17.2.4',
  },

  // What no instruction names.
  NMI_BLOCKED: slot('1 from an NMI to the next IRET: the next NMI waits (volume 3, 6.7.1).', 0n, {
    affects: ['interrupts'],
  }),
  SHADOW_SINCE: slot('When SHADOW was first seen, on the domain’s clock, and 1 more; 0: not yet.', 0n),
  STEP_SINCE: slot('When EFLAGS.TF was first seen set, on the domain’s clock, and 1 more; 0: not yet.', 0n),
};
