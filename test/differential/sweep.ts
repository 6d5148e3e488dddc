/**
 * Every encoding of MRS and MSR, SYS and SYSL, at EL1 and EL0: does the access run, or which exception does EL1 get? Writes at EL1 are tried
 * only where the model has no register or a read-only one, since the others would change what the driver stands on.
 */
import { generic } from '../../packages/arm64/src/address.ts';
import { arm64 } from '../../packages/arm64/src/index.ts';
import { guest, haltAt, SENTINEL, SENTINEL_BRK, VECTORS_AT } from './stepper.ts';
import { STORAGE, SYSTEM_CODE, type SystemCase, systemMode } from './system.ts';

const CPU = 'neoverse-n1';
const PC = SYSTEM_CODE + 0x100n;
const BITS = 3;

/** Where the two may differ, and why: registers by name, or as S<op0>_<op1>_C<n>_C<m>_<op2>. */
const EXCUSES: readonly (readonly [why: string, registers: readonly string[]])[] = [
  [
    'QEMU 7.2 lacks this part of self-hosted debug',
    [
      ...['OSDTRRX_EL1', 'OSDTRTX_EL1', 'OSECCR_EL1', 'DBGPRCR_EL1', 'DBGCLAIMSET_EL1', 'DBGCLAIMCLR_EL1'],
      ...['DBGAUTHSTATUS_EL1', 'DBGDTR_EL0', 'DBGDTRTX_EL0', 'DBGDTRRX_EL0'],
    ],
  ],
  ['UAO and SSBS are hidden by every CPU model', ['S3_0_C4_C2_4', 'S3_3_C4_C2_6']],
  ['RAS is hidden by every CPU model', ['S3_0_C5_C3_0', 'S3_0_C12_C1_1']],
  [
    'LORegions are hidden by every CPU model',
    ['S3_0_C10_C4_0', 'S3_0_C10_C4_1', 'S3_0_C10_C4_2', 'S3_0_C10_C4_3', 'S3_0_C10_C4_7'],
  ],
  ['AT S1E1RP and S1E1WP belong to FEAT_PAN2, which is hidden', ['S1_0_C7_C9_0', 'S1_0_C7_C9_1']],
  ['IMPLEMENTATION DEFINED registers are absent', ['S3_1_C15_C3_0']],
];

/** As QEMU resets them; the manual leaves them UNKNOWN, and the model shows a loud pattern. */
const ZERO: readonly string[] = [...STORAGE, 'PMUSERENR_EL0', 'PMSELR_EL0', 'CNTKCTL_EL1', 'MDSCR_EL1'];

export interface Sweep {
  readonly tried: number;
  readonly differences: readonly string[];
  /** Accesses that differ for a reason above. */
  readonly excused: ReadonlyMap<string, number>;
}

interface Access {
  readonly write: boolean;
  readonly el: 0 | 1;
  readonly index: number;
}

/** All of them, or one of so many. */
function accesses(of: number): Access[] {
  const rows = new Map(Object.values(arm64.registers).flatMap((row) => (row.at ? [[row.at.index, row] as const] : [])));
  const all: Access[] = [];
  for (const op0 of [1, 2, 3]) {
    for (let low = 0; low < 0x4000; low++) {
      const index = (op0 << 14) | low;
      if (op0 === 1) {
        // Operations: SYS does, SYSL has nothing to read. DC ZVA stores where X3 points, to no memory.
        all.push({ write: false, el: 1, index }, { write: true, el: 0, index });
        if (generic(index) !== 'S1_3_C7_C4_1') all.push({ write: true, el: 1, index });
        continue;
      }
      all.push({ write: false, el: 1, index }, { write: false, el: 0, index });
      // EL0 may not write DAIF here, but an access that did would unmask the driver's interrupts.
      if (generic(index) !== 'S3_3_C4_C2_1') all.push({ write: true, el: 0, index });
      const row = rows.get(index);
      if (row === undefined || row.write === 'never') all.push({ write: true, el: 1, index });
    }
  }
  return all.filter((_, i) => i % of === 0);
}

function caseOf({ write, el, index }: Access): SystemCase {
  const word = (0xd5000000 | (write ? 0 : 1 << 21) | (index << 5) | BITS) >>> 0;
  return {
    row: write ? 'MSR (register)' : 'MRS',
    word,
    pc: PC,
    x: new Array<bigint>(31).fill(0n),
    sp: [0x1000n, 0x2000n],
    pstate: el === 1 ? 0x3c5 : 0x3c0,
    SCTLR_EL1: 0x30d00800n,
    CPACR_EL1: 3n << 20n,
    ELR_EL1: SYSTEM_CODE,
    SPSR_EL1: 0n,
    storage: STORAGE.map(() => 0n),
  };
}

/** An outcome in words: 'runs', or the exception's class and syndrome. */
const outcome = (ran: boolean, ec: number, iss: number): string =>
  ran ? 'runs' : `EC 0x${ec.toString(16)} ISS 0x${iss.toString(16)}`;

function ours(all: readonly SystemCase[]): string[] {
  const g = guest(arm64, CPU, { vpmu: true, policy: 'passthrough', settings: { gic: 3 } });
  haltAt(g, VECTORS_AT);
  g.word(PC + 4n, SENTINEL_BRK);
  const keep = ['SCTLR_EL1', 'CPACR_EL1', 'ELR_EL1', 'SPSR_EL1'] as const;
  return all.map((c) => {
    const el = BigInt((c.pstate >>> 2) & 1);
    g.set('EL', el);
    g.set('SPSEL', el);
    g.set('DAIF', 0x3c0n);
    g.set('IL', 0n);
    for (const name of keep) g.set(name, c[name]);
    for (const name of ZERO) g.set(name, 0n);
    g.set('ICC_SRE_EL1', 7n);
    g.set('VBAR_EL1', VECTORS_AT);
    c.x.forEach((value, n) => {
      g.set(`X${n}`, value);
    });
    g.set('PC', c.pc);
    g.word(c.pc, c.word);
    g.run(2);
    const esr = g.get('ESR_EL1');
    const [ec, iss] = [Number(esr >> 26n) & 63, Number(esr & 0x1ffffffn)];
    return outcome(ec === 0x3c && iss === SENTINEL, ec, iss);
  });
}

export function sweep(of = 1): Sweep {
  const all = accesses(of);
  const cases = all.map(caseOf);
  const qemu = systemMode();
  let theirs: string[];
  try {
    // The driver's MDCR_EL2.TDE has debug registers trapped to EL2: such an access would have run.
    theirs = qemu
      .run(cases, CPU)
      .map(({ end, ec, iss }) => outcome(end === 'ran' || (end === 'el2' && ec === 0x18), ec, iss));
  } finally {
    qemu.close();
  }
  const names = new Map(
    Object.entries(arm64.registers).flatMap(([name, row]) => (row.at ? [[row.at.index, name] as const] : [])),
  );
  const differences: string[] = [];
  const excused = new Map<string, number>();
  ours(cases).forEach((mine, i) => {
    const its = theirs[i] as string;
    if (mine === its) return;
    const { write, el, index } = all[i] as Access;
    const name = names.get(index) ?? generic(index);
    const [why] = EXCUSES.find(([, registers]) => registers.includes(name)) ?? [];
    if (why === undefined)
      differences.push(`${write ? 'Write of' : 'Read of'} ${name} at EL${el}: ours ${mine}, QEMU ${its}`);
    else excused.set(why, (excused.get(why) ?? 0) + 1);
  });
  return { tried: all.length, differences, excused };
}
