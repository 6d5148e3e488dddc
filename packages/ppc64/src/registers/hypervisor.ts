/**
 * Registers of the hypervisor. No guest instruction reaches them: in supervisor state they take a privileged program interrupt. What the model needs
 * of them, it sets; the others are here so that an access is known for what it is. Power ISA 3.0B, book III, 2.2 (LPCR), 4.3, 6.2.
 */
import { spr } from '../address.ts';
import { type Fields, field, type Row, type Rows, reserved, whole } from './row.ts';

const hv = (index: number, fields: string | Fields, more: Partial<Row> = {}): Row => ({
  at: spr(index),
  width: 64,
  reset: 0n,
  read: 'hypervisor',
  write: 'hypervisor',
  fields: typeof fields === 'string' ? whole(fields) : fields,
  ...more,
});

const hv32 = (index: number, means: string, more: Partial<Row> = {}): Row =>
  hv(index, { VALUE: field([31, 0], means) }, { width: 32, ...more });

const V2_06 = { needs: 'isa-2.06' } as const;
const V2_07 = { needs: 'isa-2.07' } as const;
const V3_0 = { needs: 'isa-3.0' } as const;
const V3_1 = { needs: 'isa-3.1' } as const;

/** Bits of LPCR that a guest can feel. */
export const LPCR: Readonly<
  Record<'LPES1' | 'LPES0' | 'LD' | 'HR' | 'EVIRT' | 'UPRT' | 'AIL_SHIFT' | 'AIL' | 'ILE' | 'GTSE', bigint>
> = {
  LPES1: 1n << 2n,
  LPES0: 1n << 3n,
  LD: 1n << 17n,
  HR: 1n << 20n,
  EVIRT: 1n << 21n,
  UPRT: 1n << 22n,
  AIL_SHIFT: 23n,
  AIL: 3n << 23n,
  ILE: 1n << 25n,
  GTSE: 1n << 10n,
};

/** Every facility is open; a policy closes PM. */
const FACILITIES = 0x0000_0000_0000_3587n;

export const hypervisor: Rows = {
  LPCR: hv(
    318,
    {
      ...reserved([1, 0]),
      LPES1: field(2, 'Interrupts leave MSR[HV] alone.'),
      LPES0: field(3, 'External interrupts go to the guest.'),
      ...reserved([9, 4]),
      GTSE: field(10, 'The guest may use tlbie.'),
      ...reserved([16, 11]),
      LD: field(17, 'The decrementer is large.'),
      ...reserved([19, 18]),
      HR: field(20, 'The host translates by radix.'),
      EVIRT: field(21, 'Enhanced virtualization.'),
      UPRT: field(22, 'The guest has a process table.'),
      AIL: field([24, 23], 'Where interrupts go while translation is on.'),
      ILE: field(25, 'Interrupts are taken little-endian.'),
      ...reserved([63, 26]),
    },
    {
      // LPES: the guest's interrupts go to the guest. Large decrementer, radix and process table where there are such, as on QEMU's pseries.
      reset: (view) =>
        LPCR.LPES0 | LPCR.LPES1 | (view.cpu.features.has('isa-3.0') ? LPCR.LD | LPCR.HR | LPCR.UPRT : 0n),
      affects: ['translation', 'interrupts'],
      ...V2_06,
    },
  ),
  HFSCR: hv(
    190,
    {
      FP: field(0, 'Floating point.'),
      VEC: field(1, 'Vector and vector-scalar.'),
      DSCR: field(2, 'DSCR in problem state.'),
      PM: field(3, 'Performance monitor.'),
      BHRB: field(4, 'Branch history rolling buffer.'),
      TM: field(5, 'Transactional memory.'),
      ...reserved(6),
      EBB: field(7, 'Event-based branches.'),
      TAR: field(8, 'TAR.'),
      STOP: field(9, 'stop in supervisor state.'),
      MSGP: field(10, 'msgsndp.'),
      ...reserved(11),
      SCV: field(12, 'scv.'),
      PREFIX: field(13, 'Prefixed instructions.'),
      ...reserved([55, 14]),
      IC: field([63, 56], 'The facility that was not available.'),
    },
    { ...V2_07, home: 'pcpu', reset: FACILITIES | 8n | 0x10n, affects: ['pmu'] },
  ),
  CIABR: hv(187, 'Completed instruction address breakpoint.', V2_07),
  DAWR0: hv(180, 'Data address watchpoint.', V2_07),
  DAWRX0: hv32(188, 'Its conditions.', V2_07),
  DAWR1: hv(181, 'Second data address watchpoint.', V3_1),
  DAWRX1: hv32(189, 'Its conditions.', V3_1),
  RPR: hv(186, 'Relative priority.', V2_07),
  DHDES: hv(177, 'Directed hypervisor doorbells.', V2_07),
  HSPRG0: hv(304, 'The hypervisor’s own.', V2_06),
  HSPRG1: hv(305, 'The hypervisor’s own.', V2_06),
  HDSISR: hv32(306, 'DSISR of a hypervisor interrupt.', V2_07),
  HDAR: hv(307, 'DAR of a hypervisor interrupt.', V2_07),
  HRMOR: hv(313, 'Offset of the hypervisor’s real mode.', V2_06),
  RMOR: hv(312, 'Offset of a guest’s real mode.', V2_07),
  HSRR0: hv(314, 'Where a hypervisor interrupt returns to.', V2_06),
  HSRR1: hv(315, 'MSR to return to from it.', V2_06),
  LPIDR: hv32(319, 'The partition.', V2_06),
  HMER: hv(336, 'Hypervisor maintenance exceptions.', V2_07),
  HMEER: hv(337, 'Which of them are enabled.', V2_07),
  PCR: hv(338, 'Older versions for problem state.', V2_07),
  HEIR: hv32(339, 'The instruction that has to be emulated.', V2_07),
  AMOR: hv(349, 'Bits of AMR that a guest may change.', { ...V2_07, reset: (1n << 64n) - 1n }),
  PTCR: hv(464, 'The partition table.', V3_0),
  HASHPKEYR: hv(469, 'The hypervisor’s hash key.', V3_1),
  HDEXCR: hv(471, 'Dynamic execution control, of the hypervisor.', V3_1),
  IMC: hv(799, 'In-memory collection.', V3_0),
  ASDR: hv(816, 'Access segment descriptor.', V3_0),
  LDBAR: hv(850, 'Where in-memory collection writes.', V3_0),
  MMCRC: hv32(851, 'Control of the nest’s counters.', V3_0),
  PSSCR_HV: hv(855, 'All of PSSCR.', V3_0),
  PMCR: hv(884, 'Power management control.', V3_0),
};
