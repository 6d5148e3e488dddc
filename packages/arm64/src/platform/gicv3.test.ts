/** GICv3: redistributors, system registers and routing, by values worked out by hand from IHI 0069. */
import { describe, expect, it } from 'vitest';
import { arm64 } from '../index.ts';
import { gic, gicGroups } from '../registers/gic.ts';
import { Board } from '../testing/board.ts';
import { gicVersion } from './gic.ts';
import { virt } from './virt.ts';

const d = (offset: number): bigint => 0x0800_0000n + BigInt(offset);
/** RD_base and SGI_base of a vCPU. */
const rd = (vcpu: number, offset: number): bigint => 0x080a_0000n + BigInt(vcpu * 0x2_0000 + offset);
const sgi = (vcpu: number, offset: number): bigint => rd(vcpu, 0x1_0000 + offset);

const NONE = 1023n;

/** Both groups on everywhere, all SGIs and PPIs in Group 1. */
function board(vcpus = 1): Board {
  const made = new Board({ vcpus, gic: 3 });
  made.store(d(0), 3);
  for (let n = 0; n < vcpus; n++) {
    const cpu = made.cpu(n);
    made.store(sgi(n, 0x80), 0xffff_ffff);
    cpu.write('ICC_PMR_EL1', 0xf8n);
    cpu.write('ICC_IGRPEN0_EL1', 1n);
    cpu.write('ICC_IGRPEN1_EL1', 1n);
    cpu.set('DAIF', 0n);
  }
  return made;
}

const irq = (made: Board, vcpu = 0): string | undefined => virt.interrupt(made.cpu(vcpu))?.kind;
const enable = (made: Board, vcpu: number, bits: number): boolean => made.store(sgi(vcpu, 0x100), bits);

describe('which GIC', () => {
  it.each([
    [{}, 2],
    [{ gic: 2 }, 2],
    [{ gic: 3 }, 3],
    [{ gic: '3' }, 3],
    [{ gic: 'v3' }, 3],
    [{ gic: 'v2' }, 2],
  ] as const)('settings %j: %i', (settings, version) => {
    expect(gicVersion({ settings })).toBe(version);
  });
  it('the registers are undefined on a GICv2, every one of them', () => {
    for (const [name, row] of Object.entries(gic)) expect([name, row.traps]).toEqual([name, ['NO_GIC_REGISTERS']]);
    const group = gicGroups.NO_GIC_REGISTERS;
    expect(arm64.trapGroups.NO_GIC_REGISTERS).toBe(group);
    const armed = (gic: 2 | 3): boolean =>
      typeof group?.when === 'function' &&
      group.when(new Board({ gic }).cpu(), { register: '', address: { space: '', index: 0 } });
    expect([armed(2), armed(3)]).toEqual([true, false]);
    expect(group?.cause).toBe('undefined');
    expect(
      [new Board({ gic: 2 }), new Board({ gic: 3 })].map((b) => (b.cpu().get('ID_AA64PFR0_EL1') >> 24n) & 15n),
    ).toEqual([0n, 1n]);
  });
});

describe('identification', () => {
  it('the distributor: affinity routing, one Security state, 288 interrupts, no LPIs', () => {
    const made = board();
    // ARE 4, DS 6, both group enables.
    expect(made.load(d(0))).toBe(0x53);
    // ITLinesNumber 8, IDbits 9 at 19, A3V 24, No1N 25.
    expect(made.load(d(4))).toBe(0x0348_0008);
    expect(((made.load(d(0xffe8)) as number) >> 4) & 15).toBe(3);
    made.store(d(0), 0);
    expect(made.load(d(0))).toBe(0x50);
  });
  it('redistributors: affinity, number, and which one is the last', () => {
    const made = board(3);
    expect(made.load(rd(0, 8), 8)).toBe(0n);
    expect(made.load(rd(1, 8), 8)).toBe(0x1_0000_0100n);
    expect(made.load(rd(2, 8), 8)).toBe(0x2_0000_0210n);
    expect([made.load(rd(2, 8)), made.load(rd(2, 12))]).toEqual([0x210n, 2n]);
    expect(((made.load(rd(1, 0xffe8)) as number) >> 4) & 15).toBe(3);
    expect(made.load(rd(3, 8), 8)).toBeUndefined();
    // From 16 on, Aff1 counts clusters of 16: as MPIDR_EL1.
    const many = board(18);
    expect(many.load(rd(17, 8), 8)).toBe(0x0000_0101_0000_1110n);
    expect(many.cpu(17).get('MPIDR_EL1') & 0xffffn).toBe(0x101n);
  });
  it('GICR_WAKER: ChildrenAsleep follows ProcessorSleep', () => {
    const made = board();
    expect(made.load(rd(0, 0x14))).toBe(6);
    made.store(rd(0, 0x14), 0);
    expect(made.load(rd(0, 0x14))).toBe(0);
    made.store(rd(0, 0x14), 2);
    expect(made.load(rd(0, 0x14))).toBe(6);
  });
  it('ICC_CTLR_EL1: 5 priority bits, 16 bits of INTID, A3V; ICC_SRE_EL1: system registers for ever', () => {
    const cpu = board().cpu();
    expect(cpu.get('ICC_CTLR_EL1')).toBe(0x8400n);
    cpu.write('ICC_CTLR_EL1', 0xffff_ffffn);
    expect(cpu.get('ICC_CTLR_EL1')).toBe(0x8403n);
    cpu.write('ICC_SRE_EL1', 0n);
    expect(cpu.get('ICC_SRE_EL1')).toBe(7n);
  });
});

describe('one interrupt', () => {
  it('is signalled, acknowledged, active, ended', () => {
    const made = board();
    const cpu = made.cpu();
    cpu.wires.add('virtual-timer');
    expect(irq(made)).toBeUndefined();
    enable(made, 0, 1 << 27);
    expect(irq(made)).toBe('irq');
    expect(cpu.get('ICC_HPPIR1_EL1')).toBe(27n);
    // Raw reads acknowledge nothing.
    expect([cpu.get('ICC_IAR1_EL1'), cpu.get('ICC_IAR1_EL1')]).toEqual([27n, 27n]);
    expect(cpu.read('ICC_IAR1_EL1')).toBe(27n);
    expect(cpu.read('ICC_IAR1_EL1')).toBe(NONE);
    expect(cpu.get('ICC_RPR_EL1')).toBe(0n);
    expect(made.load(sgi(0, 0x300))).toBe(1 << 27);
    cpu.wires.clear();
    cpu.write('ICC_EOIR1_EL1', 27n);
    expect([cpu.get('ICC_RPR_EL1'), made.load(sgi(0, 0x300)), irq(made)]).toEqual([0xffn, 0, undefined]);
  });
  it('Group 0 is an FIQ, acknowledged through its own register', () => {
    const made = board();
    const cpu = made.cpu();
    made.store(sgi(0, 0x80), 0);
    enable(made, 0, 1 << 27);
    cpu.wires.add('virtual-timer');
    expect(irq(made)).toBe('fiq');
    expect(cpu.get('ICC_HPPIR0_EL1')).toBe(27n);
    expect(cpu.get('ICC_HPPIR1_EL1')).toBe(NONE);
    expect(cpu.read('ICC_IAR1_EL1')).toBe(NONE);
    expect(cpu.read('ICC_IAR0_EL1')).toBe(27n);
    expect([cpu.get('ICC_AP0R0_EL1'), cpu.get('ICC_AP1R0_EL1')]).toEqual([1n, 0n]);
    // Group 1's end is not Group 0's.
    cpu.write('ICC_EOIR1_EL1', 27n);
    expect(cpu.get('ICC_RPR_EL1')).toBe(0n);
    cpu.write('ICC_EOIR0_EL1', 27n);
    expect(cpu.get('ICC_RPR_EL1')).toBe(0xffn);
  });
  it('is stopped by each gate alone', () => {
    const gates: Readonly<Record<string, (made: Board) => void>> = {
      GICD_CTLR: (made) => made.store(d(0), 1),
      ICC_IGRPEN1: (made) => made.cpu().write('ICC_IGRPEN1_EL1', 0n),
      ICENABLER0: (made) => made.store(sgi(0, 0x180), 1 << 27),
      PMR: (made) => made.cpu().write('ICC_PMR_EL1', 0x80n),
      'a running priority': (made) => made.cpu().write('ICC_AP1R0_EL1', 1n << 16n),
      active: (made) => made.store(sgi(0, 0x300), 1 << 27),
    };
    for (const [gate, close] of Object.entries(gates)) {
      const made = board();
      made.cpu().wires.add('virtual-timer');
      enable(made, 0, 1 << 27);
      made.store(sgi(0, 0x41b), 0x80, 1);
      expect(irq(made)).toBe('irq');
      close(made);
      expect([gate, irq(made)]).toEqual([gate, undefined]);
    }
  });
  it('EOImode: EOIR drops, DIR deactivates', () => {
    const made = board();
    const cpu = made.cpu();
    cpu.write('ICC_CTLR_EL1', 2n);
    cpu.wires.add('virtual-timer');
    enable(made, 0, 1 << 27);
    cpu.read('ICC_IAR1_EL1');
    cpu.write('ICC_EOIR1_EL1', 27n);
    expect([cpu.get('ICC_RPR_EL1'), made.load(sgi(0, 0x300))]).toEqual([0xffn, 1 << 27]);
    cpu.write('ICC_DIR_EL1', 27n);
    expect(made.load(sgi(0, 0x300))).toBe(0);
    expect(irq(made)).toBe('irq');
  });
});

describe('preemption', () => {
  it('Group 1’s binary point n splits at bit n, Group 0’s at bit n + 1', () => {
    const preempts = (point: string, value: bigint, group: 0 | 1): boolean => {
      const made = board();
      const cpu = made.cpu();
      made.store(sgi(0, 0x80), group === 1 ? 0xffff_ffff : 0);
      cpu.write(point, value);
      enable(made, 0, (1 << 27) | (1 << 23));
      made.store(sgi(0, 0x41b), 0x58, 1);
      made.store(sgi(0, 0x417), 0x48, 1);
      cpu.wires.add('virtual-timer');
      cpu.read(`ICC_IAR${group}_EL1`);
      cpu.wires.add('pmu');
      return irq(made) !== undefined;
    };
    // 0x48 and 0x58 differ in bit 4: seen by [7:4], not by [7:5].
    expect([4n, 5n].map((n) => preempts('ICC_BPR1_EL1', n, 1))).toEqual([true, false]);
    expect([3n, 4n].map((n) => preempts('ICC_BPR0_EL1', n, 0))).toEqual([true, false]);
  });
  it('CBPR: Group 0’s serves both, Group 1’s reads one more and ignores writes', () => {
    const cpu = board().cpu();
    cpu.write('ICC_BPR1_EL1', 6n);
    cpu.write('ICC_BPR0_EL1', 4n);
    expect([cpu.get('ICC_BPR0_EL1'), cpu.get('ICC_BPR1_EL1')]).toEqual([4n, 6n]);
    cpu.write('ICC_CTLR_EL1', 1n);
    expect(cpu.get('ICC_BPR1_EL1')).toBe(5n);
    cpu.write('ICC_BPR1_EL1', 3n);
    cpu.write('ICC_BPR0_EL1', 7n);
    expect(cpu.get('ICC_BPR1_EL1')).toBe(7n);
    cpu.write('ICC_CTLR_EL1', 0n);
    expect(cpu.get('ICC_BPR1_EL1')).toBe(6n);
  });
  it('least binary points are 2 and 3', () => {
    const cpu = board().cpu();
    cpu.write('ICC_BPR0_EL1', 0n);
    cpu.write('ICC_BPR1_EL1', 0n);
    expect([cpu.get('ICC_BPR0_EL1'), cpu.get('ICC_BPR1_EL1')]).toEqual([2n, 3n]);
  });
});

describe('software-generated interrupts', () => {
  const ready = (vcpus: number): Board => {
    const made = board(vcpus);
    for (let n = 0; n < vcpus; n++) enable(made, n, 0xffff);
    return made;
  };
  const who = (made: Board): readonly number[] =>
    made.vcpus.flatMap((v, n) => (irq(made, n) === undefined ? [] : [v.index]));

  it('by target list', () => {
    const made = ready(4);
    made.cpu(0).write('ICC_SGI1R_EL1', (5n << 24n) | 0b1010n);
    expect(who(made)).toEqual([1, 3]);
    expect(made.cpu(3).read('ICC_IAR1_EL1')).toBe(5n);
    expect(who(made)).toEqual([1]);
  });
  it('to everyone else', () => {
    const made = ready(3);
    made.cpu(1).write('ICC_SGI1R_EL1', (1n << 40n) | (7n << 24n));
    expect(who(made)).toEqual([0, 2]);
  });
  it('by cluster: Aff1, and no other', () => {
    const made = ready(18);
    made.cpu(0).write('ICC_SGI1R_EL1', (1n << 16n) | 0b11n);
    expect(who(made)).toEqual([16, 17]);
    // Aff2 1, Aff3 1, and the range 16 to 31 of Aff0: nobody.
    for (const bits of [1n << 32n, 1n << 48n, 1n << 44n]) {
      const none = ready(2);
      none.cpu(0).write('ICC_SGI1R_EL1', bits | 3n);
      expect(who(none)).toEqual([]);
    }
  });
  it('only in the group that the target has it in', () => {
    const made = ready(2);
    made.store(sgi(1, 0x80), 0);
    made.cpu(0).write('ICC_SGI1R_EL1', (3n << 24n) | 0b11n);
    expect(who(made)).toEqual([0]);
    made.cpu(0).write('ICC_SGI0R_EL1', (3n << 24n) | 0b10n);
    expect(irq(made, 1)).toBe('fiq');
    made.cpu(1).read('ICC_IAR0_EL1');
    made.cpu(0).write('ICC_ASGI1R_EL1', (4n << 24n) | 0b10n);
    expect(made.cpu(1).get('ICC_HPPIR0_EL1')).toBe(4n);
  });
  it('by GICR_ISPENDR0', () => {
    const made = ready(2);
    made.store(sgi(1, 0x200), 1 << 2);
    expect(who(made)).toEqual([1]);
    made.store(sgi(1, 0x280), 1 << 2);
    expect(who(made)).toEqual([]);
  });
  it('wakes the target: core is told', () => {
    const made = ready(2);
    const before = made.cpu(1).told.length;
    made.cpu(0).write('ICC_SGI1R_EL1', 0b10n);
    expect(made.cpu(1).told.slice(before)).toContain('interrupts');
  });
});

describe('routing', () => {
  const ready = (): Board => {
    const made = board(18);
    made.store(d(0x084), 0xffff_ffff);
    made.store(d(0x104), 1 << 1);
    made.store(d(0x204), 1 << 1);
    return made;
  };
  it('an SPI goes where its GICD_IROUTER says', () => {
    const made = ready();
    const seen = (): readonly number[] => made.vcpus.flatMap((_, n) => (irq(made, n) === undefined ? [] : [n]));
    expect(seen()).toEqual([0]);
    made.store(d(0x6000 + 8 * 33), 0x101n, 8);
    expect(seen()).toEqual([17]);
    expect(made.load(d(0x6000 + 8 * 33), 8)).toBe(0x101n);
    // In words; Aff3 is in the upper one.
    made.store(d(0x6004 + 8 * 33), 1);
    expect(made.load(d(0x6000 + 8 * 33), 8)).toBe(0x1_0000_0101n);
    expect(seen()).toEqual([]);
    made.store(d(0x6004 + 8 * 33), 0);
    made.store(d(0x6000 + 8 * 33), 2);
    expect(seen()).toEqual([2]);
  });
  it('Interrupt_Routing_Mode is not implemented (No1N): it reads 0', () => {
    const made = ready();
    made.store(d(0x6000 + 8 * 40), 0xffff_ffff_ffff_ffffn, 8);
    expect(made.load(d(0x6000 + 8 * 40), 8)).toBe(0xff_00ff_ffffn);
  });
});

describe('with affinity routing', () => {
  it('the distributor has nothing of SGIs and PPIs, no targets, no GICD_SGIR', () => {
    const made = board();
    for (const at of [0x080, 0x100, 0x200, 0x300, 0x400, 0x41c, 0x800, 0x820, 0xc00, 0xc04, 0xf00, 0xf10, 0xf20]) {
      expect(made.store(d(at), 0xffff_ffff)).toBe(true);
      expect([at, made.load(d(at))]).toEqual([at, 0]);
    }
    expect(made.load(sgi(0, 0x100))).toBe(0);
  });
  it('a redistributor’s files are its vCPU’s own, from whichever vCPU they are reached', () => {
    const made = board(2);
    made.store(sgi(1, 0x100), 1 << 23, 4, 0);
    made.store(sgi(1, 0x414), 0x1122_3344, 4, 0);
    expect([made.load(sgi(0, 0x100)), made.load(sgi(1, 0x100), 4, 1)]).toEqual([0, 1 << 23]);
    // 0x11, 0x22, 0x33, 0x44 in 5 bits.
    expect([made.load(sgi(0, 0x414)), made.load(sgi(1, 0x414))]).toEqual([0, 0x1020_3040]);
    expect(made.load(sgi(1, 0x417), 1)).toBe(0x10);
    expect([made.load(sgi(0, 0xc00)), made.load(sgi(0, 0xc04))]).toEqual([0xaaaa_aaaa, 0]);
  });
  it('what is not there is refused', () => {
    const made = board();
    for (const at of [rd(0, 0x70), rd(0, 0x78), sgi(0, 0x104), sgi(0, 0x420), sgi(0, 0xc08), d(0x40)]) {
      expect([at, made.load(at)]).toEqual([at, undefined]);
      expect([at, made.store(at, 1)]).toEqual([at, false]);
    }
  });
});
