/** GICv2: sequences and values worked out by hand from IHI 0048B. */
import { describe, expect, it } from 'vitest';
import { Board } from '../testing/board.ts';
import { virt } from './virt.ts';

const GICD = 0x0800_0000n;
const GICC = 0x0801_0000n;
const d = (offset: number): bigint => GICD + BigInt(offset);
const c = (offset: number): bigint => GICC + BigInt(offset);

const IAR = c(0x0c);
const EOIR = c(0x10);
const RPR = c(0x14);
const HPPIR = c(0x18);
const AIAR = c(0x20);
const AEOIR = c(0x24);
const DIR = c(0x1000);
const NONE = 1023;

/** Distributor and CPU interfaces on, everything let through, all interrupts in Group 0 unless said. */
function board(vcpus = 1, control = 1): Board {
  const made = new Board({ vcpus, gic: 2 });
  made.store(d(0), 3);
  for (let n = 0; n < vcpus; n++) {
    made.store(c(0x00), control, 4, n);
    made.store(c(0x04), 0xff, 4, n);
    made.cpu(n).set('DAIF', 0n);
  }
  return made;
}

const enable = (made: Board, id: number, vcpu = 0): boolean =>
  made.store(d(0x100 + 4 * (id >> 5)), (1 << (id & 31)) >>> 0, 4, vcpu);
const pend = (made: Board, id: number): boolean => made.store(d(0x200 + 4 * (id >> 5)), (1 << (id & 31)) >>> 0);
const priority = (made: Board, id: number, value: number, vcpu = 0): boolean =>
  made.store(d(0x400 + id), value, 1, vcpu);
const irq = (made: Board, vcpu = 0): string | undefined => virt.interrupt(made.cpu(vcpu))?.kind;

describe('identification', () => {
  it('288 interrupts, as many CPUs as there are, GICv2 by Arm', () => {
    // ITLinesNumber 8 is 9 * 32; CPUNumber is CPUs less 1.
    expect(new Board({ vcpus: 1 }).load(d(4))).toBe(0x08);
    expect(new Board({ vcpus: 3 }).load(d(4))).toBe(0x48);
    expect(new Board().load(d(8))).toBe(0x43b);
    expect(new Board().load(c(0xfc))).toBe(0x2043b);
    // ICPIDR2.ArchRev.
    expect(((new Board().load(d(0xfe8)) as number) >> 4) & 15).toBe(2);
  });
  it('identification registers ignore writes', () => {
    const made = board();
    for (const at of [d(4), d(8), d(0xfe8), c(0xfc), IAR, RPR, HPPIR]) expect(made.store(at, 0xffff_ffff)).toBe(true);
    expect(made.load(d(4))).toBe(8);
  });
});

describe('one interrupt', () => {
  it('is signalled, acknowledged, active, ended', () => {
    const made = board();
    made.cpu().wires.add('pmu');
    expect(irq(made)).toBeUndefined();
    enable(made, 23);
    expect(irq(made)).toBe('irq');
    expect(made.load(HPPIR)).toBe(23);
    expect(made.load(RPR)).toBe(0xff);
    expect(made.load(IAR)).toBe(23);
    // Active, and still asserted: neither signalled nor acknowledged again.
    expect(irq(made)).toBeUndefined();
    expect(made.load(IAR)).toBe(NONE);
    expect(made.load(RPR)).toBe(0);
    expect(made.load(d(0x300))).toBe(1 << 23);
    made.cpu().wires.delete('pmu');
    made.store(EOIR, 23);
    expect(made.load(RPR)).toBe(0xff);
    expect(made.load(d(0x300))).toBe(0);
    expect(irq(made)).toBeUndefined();
  });

  it('comes again when its level is still high after its end', () => {
    const made = board();
    made.cpu().wires.add('pmu');
    enable(made, 23);
    made.load(IAR);
    made.store(EOIR, 23);
    expect(irq(made)).toBe('irq');
    expect(made.load(IAR)).toBe(23);
  });

  it('of a level is pending exactly while the line is high', () => {
    const made = board();
    made.cpu().wires.add('pmu');
    expect(made.load(d(0x200))).toBe(1 << 23);
    made.store(d(0x280), 1 << 23);
    expect(made.load(d(0x200))).toBe(1 << 23);
    made.cpu().wires.delete('pmu');
    expect(made.load(d(0x200))).toBe(0);
  });

  it('made pending by software stays so until acknowledged or cleared', () => {
    const made = board();
    enable(made, 40);
    pend(made, 40);
    expect(made.load(d(0x204))).toBe(1 << 8);
    expect(made.load(IAR)).toBe(40);
    expect(made.load(d(0x204))).toBe(0);
    made.store(EOIR, 40);
    expect(made.load(IAR)).toBe(NONE);
    pend(made, 40);
    made.store(d(0x284), 1 << 8);
    expect(irq(made)).toBeUndefined();
  });

  it('is stopped by each gate alone', () => {
    const gates: Readonly<Record<string, (made: Board) => void>> = {
      GICD_CTLR: (made) => made.store(d(0), 0),
      GICC_CTLR: (made) => made.store(c(0), 0),
      ICENABLER: (made) => made.store(d(0x184), 1 << 8),
      PMR: (made) => made.store(c(4), 0x80),
      'PSTATE.I': (made) => made.cpu().set('DAIF', 0x80n),
      'being active': (made) => made.store(d(0x304), 1 << 8),
    };
    for (const [gate, close] of Object.entries(gates)) {
      const made = board();
      enable(made, 40);
      priority(made, 40, 0x80);
      pend(made, 40);
      expect(irq(made)).toBe('irq');
      close(made);
      expect([gate, irq(made)]).toEqual([gate, undefined]);
    }
  });

  it('wakes a waiting vCPU though PSTATE masks it, and not through PMR', () => {
    const made = board();
    enable(made, 40);
    pend(made, 40);
    made.cpu().set('DAIF', 0x3c0n);
    expect(virt.wakes(made.cpu())).toBe(true);
    made.store(c(4), 0);
    expect(virt.wakes(made.cpu())).toBe(false);
  });

  it('tells core when something changed', () => {
    const made = board(2);
    const [zero, one] = [made.cpu(0), made.cpu(1)];
    const told = (act: () => void): readonly [number, number] => {
      const before = [zero.told.length, one.told.length] as const;
      act();
      return [zero.told.length - before[0], one.told.length - before[1]];
    };
    // An enable of a shared interrupt, and a software interrupt to the other vCPU, concern both.
    expect(told(() => enable(made, 40)).every((n) => n > 0)).toBe(true);
    expect(told(() => made.store(d(0xf00), (2 << 16) | 1))[1]).toBeGreaterThan(0);
    expect(told(() => made.store(c(4), 0x10))[0]).toBeGreaterThan(0);
    expect(new Set([...zero.told, ...one.told])).toEqual(new Set(['interrupts']));
  });
});

describe('priorities', () => {
  it('the lowest value goes first, then the lowest INTID', () => {
    const made = board();
    for (const [id, value] of [
      [40, 0x50],
      [41, 0x30],
      [42, 0x30],
      [100, 0x10],
    ] as const) {
      enable(made, id);
      priority(made, id, value);
      pend(made, id);
    }
    const order: unknown[] = [];
    for (let n = 0; n < 4; n++) {
      const id = made.load(IAR) as number;
      order.push(id);
      made.store(EOIR, id);
    }
    expect(order).toEqual([100, 41, 42, 40]);
  });

  it('have 5 bits, in bytes and words', () => {
    const made = board();
    made.store(d(0x428), 0xffff_ffff);
    expect(made.load(d(0x428))).toBe(0xf8f8_f8f8);
    expect(made.load(d(0x42a), 1)).toBe(0xf8);
    made.store(d(0x429), 0x17, 1);
    expect(made.load(d(0x428))).toBe(0xf8f8_10f8);
    expect(made.load(d(0x428), 2)).toBeUndefined();
  });

  it('a higher one preempts, an equal or lower one waits', () => {
    const made = board();
    for (const [id, value] of [
      [40, 0x80],
      [41, 0x80],
      [42, 0x78],
    ] as const) {
      enable(made, id);
      priority(made, id, value);
    }
    pend(made, 40);
    expect(made.load(IAR)).toBe(40);
    expect(made.load(RPR)).toBe(0x80);
    pend(made, 41);
    expect(irq(made)).toBeUndefined();
    pend(made, 42);
    expect(irq(made)).toBe('irq');
    expect(made.load(IAR)).toBe(42);
    expect(made.load(RPR)).toBe(0x78);
    // APR0: bits 16 (0x80 / 8) and 15.
    expect(made.load(c(0xd0))).toBe(0x1_8000);
    made.store(EOIR, 42);
    expect(made.load(RPR)).toBe(0x80);
    expect(irq(made)).toBeUndefined();
    made.store(EOIR, 40);
    expect(made.load(IAR)).toBe(41);
  });

  it('the binary point says which bits preempt', () => {
    // BPR 5: group priority is bits 7:6. 0x40 and 0x78 are of one group, 0x38 is of a higher one.
    const made = board();
    made.store(c(0x08), 5);
    for (const [id, value] of [
      [40, 0x78],
      [41, 0x40],
      [42, 0x38],
    ] as const) {
      enable(made, id);
      priority(made, id, value);
    }
    pend(made, 40);
    made.load(IAR);
    expect(made.load(RPR)).toBe(0x40);
    pend(made, 41);
    expect(irq(made)).toBeUndefined();
    pend(made, 42);
    expect(irq(made)).toBe('irq');
  });

  it('binary points have a least value: 2, and 3 for Group 1', () => {
    const made = board();
    made.store(c(0x08), 0);
    made.store(c(0x1c), 0);
    expect([made.load(c(0x08)), made.load(c(0x1c))]).toEqual([2, 3]);
    made.store(c(0x1c), 7);
    expect(made.load(c(0x1c))).toBe(7);
  });

  it('PMR has 5 bits, and lets through what is lower alone', () => {
    const made = board();
    made.store(c(0x04), 0x37);
    expect(made.load(c(0x04))).toBe(0x30);
    enable(made, 40);
    pend(made, 40);
    priority(made, 40, 0x30);
    expect(irq(made)).toBeUndefined();
    priority(made, 40, 0x28);
    expect(irq(made)).toBe('irq');
  });
});

describe('ending', () => {
  it('EOImode 1 drops the priority; GICC_DIR deactivates', () => {
    const made = board(1, 0x201);
    made.cpu().wires.add('pmu');
    enable(made, 23);
    enable(made, 40);
    made.load(IAR);
    made.store(EOIR, 23);
    expect(made.load(RPR)).toBe(0xff);
    expect(made.load(d(0x300))).toBe(1 << 23);
    expect(irq(made)).toBeUndefined();
    pend(made, 40);
    expect(irq(made)).toBe('irq');
    made.store(DIR, 23);
    expect(made.load(d(0x300))).toBe(0);
  });
  it('GICC_DIR does nothing in EOImode 0, nor does ending 1023', () => {
    const made = board();
    made.cpu().wires.add('pmu');
    enable(made, 23);
    made.load(IAR);
    made.store(DIR, 23);
    made.store(EOIR, 1023);
    expect(made.load(d(0x300))).toBe(1 << 23);
    expect(made.load(RPR)).toBe(0);
  });
  it('with nothing running is ignored', () => {
    const made = board();
    made.store(d(0x304), 1 << 8);
    made.store(EOIR, 40);
    expect(made.load(d(0x304))).toBe(1 << 8);
  });
});

describe('groups', () => {
  const grouped = (control: number): Board => {
    const made = board(1, control);
    enable(made, 40);
    enable(made, 41);
    made.store(d(0x084), 1 << 9); // 41 is in Group 1
    return made;
  };
  it('Group 1 is not acknowledged through GICC_IAR, but through GICC_AIAR', () => {
    const made = grouped(3);
    pend(made, 41);
    expect(irq(made)).toBe('irq');
    expect(made.load(HPPIR)).toBe(1022);
    expect(made.load(c(0x28))).toBe(41);
    expect(made.load(IAR)).toBe(1022);
    expect(made.load(AIAR)).toBe(41);
    // NSAPR0, not APR0.
    expect([made.load(c(0xd0)), made.load(c(0xe0))]).toEqual([0, 1]);
    made.store(EOIR, 41);
    expect(made.load(RPR)).toBe(0);
    made.store(AEOIR, 41);
    expect(made.load(RPR)).toBe(0xff);
  });
  it('AckCtl lets GICC_IAR acknowledge both', () => {
    const made = grouped(7);
    pend(made, 41);
    expect(made.load(IAR)).toBe(41);
    made.store(EOIR, 41);
    expect(made.load(d(0x304))).toBe(0);
  });
  it('Group 0 is not acknowledged through GICC_AIAR', () => {
    const made = grouped(3);
    pend(made, 40);
    expect(made.load(AIAR)).toBe(NONE);
    expect(made.load(IAR)).toBe(40);
  });
  it('FIQEn makes Group 0 FIQs, masked by PSTATE.F', () => {
    const made = grouped(0xb);
    pend(made, 40);
    expect(irq(made)).toBe('fiq');
    made.cpu().set('DAIF', 0x80n);
    expect(irq(made)).toBe('fiq');
    made.cpu().set('DAIF', 0x40n);
    expect(irq(made)).toBeUndefined();
  });
  it('each has its enable in the distributor and in the interface', () => {
    for (const [at, value] of [
      [d(0), 1],
      [c(0), 1],
    ] as const) {
      const made = grouped(3);
      pend(made, 41);
      made.store(at, value);
      expect(irq(made)).toBeUndefined();
      pend(made, 40);
      expect(irq(made)).toBe('irq');
    }
  });
  it('GICC_CTLR reads back its bits', () => {
    const made = board();
    made.store(c(0), 0xffff_ffff);
    expect(made.load(c(0))).toBe(0x21f);
  });
});

describe('software-generated interrupts', () => {
  const sgi = (made: Board, value: number, vcpu: number): boolean => made.store(d(0xf00), value, 4, vcpu);
  const ready = (): Board => {
    const made = board(3);
    for (let n = 0; n < 3; n++) for (let id = 0; id < 16; id++) enable(made, id, n);
    return made;
  };
  it('reach the listed vCPUs, and say who sent them', () => {
    const made = ready();
    sgi(made, (0b101 << 16) | 5, 1);
    expect([irq(made, 0), irq(made, 1), irq(made, 2)]).toEqual(['irq', undefined, 'irq']);
    expect(made.load(IAR, 4, 0)).toBe((1 << 10) | 5);
    expect(made.load(HPPIR, 4, 2)).toBe((1 << 10) | 5);
  });
  it('filters: everyone else, the writer', () => {
    const made = ready();
    sgi(made, (1 << 24) | 1, 1);
    expect([irq(made, 0), irq(made, 1), irq(made, 2)]).toEqual(['irq', undefined, 'irq']);
    sgi(made, (2 << 24) | 2, 1);
    expect(made.load(IAR, 4, 1)).toBe((1 << 10) | 2);
  });
  it('from two senders are taken twice, the lower sender first', () => {
    const made = ready();
    sgi(made, (1 << 16) | 3, 2);
    sgi(made, (1 << 16) | 3, 1);
    expect(made.load(d(0xf20))).toBe(0x0600_0000);
    expect(made.load(IAR)).toBe((1 << 10) | 3);
    expect(irq(made)).toBeUndefined();
    made.store(EOIR, (1 << 10) | 3);
    expect(made.load(IAR)).toBe((2 << 10) | 3);
    made.store(EOIR, (2 << 10) | 3);
    expect(made.load(IAR)).toBe(NONE);
  });
  it('GICD_SPENDSGIR and CPENDSGIR set and clear senders', () => {
    const made = ready();
    made.store(d(0xf24), 0x02, 1);
    expect(made.load(d(0xf14))).toBe(2);
    expect(made.load(d(0x200))).toBe(1 << 4);
    expect(irq(made)).toBe('irq');
    made.store(d(0xf14), 0x02, 1);
    expect(irq(made)).toBeUndefined();
    // A sender that does not exist.
    made.store(d(0xf24), 0x80, 1);
    expect(made.load(d(0xf24))).toBe(0);
  });
  it('do not become pending through GICD_ISPENDR', () => {
    const made = ready();
    made.store(d(0x200), 0xffff);
    expect(irq(made)).toBeUndefined();
  });
});

describe('shared and private', () => {
  it('SPIs go to their targets', () => {
    const made = board(3);
    enable(made, 40);
    made.store(d(0x828), 0b100, 1);
    pend(made, 40);
    expect([irq(made, 0), irq(made, 1), irq(made, 2)]).toEqual([undefined, undefined, 'irq']);
    made.store(d(0x828), 0b011, 1);
    expect([irq(made, 0), irq(made, 1), irq(made, 2)]).toEqual(['irq', 'irq', undefined]);
    expect(made.load(IAR, 4, 1)).toBe(40);
    expect(irq(made, 0)).toBeUndefined();
  });
  it('targets: those that exist; SGIs and PPIs name their reader; one CPU reads 0', () => {
    const made = board(3);
    made.store(d(0x828), 0xffff_ffff);
    expect(made.load(d(0x828))).toBe(0x0707_0707);
    made.store(d(0x800), 0);
    expect(made.load(d(0x800), 4, 2)).toBe(0x0404_0404);
    const alone = board(1);
    alone.store(d(0x828), 0xffff_ffff);
    expect([alone.load(d(0x828)), alone.load(d(0x800))]).toEqual([0, 0]);
    enable(alone, 40);
    pend(alone, 40);
    expect(irq(alone)).toBe('irq');
  });
  it('SGIs and PPIs are each vCPU’s own', () => {
    const made = board(2);
    enable(made, 23, 1);
    priority(made, 23, 0x40, 1);
    expect([made.load(d(0x100), 4, 0), made.load(d(0x100), 4, 1)]).toEqual([0, 1 << 23]);
    expect([made.load(d(0x417), 1, 0), made.load(d(0x417), 1, 1)]).toEqual([0, 0x40]);
    made.cpu(0).wires.add('pmu');
    expect([irq(made, 0), irq(made, 1)]).toEqual([undefined, undefined]);
    made.cpu(1).wires.add('pmu');
    expect([irq(made, 0), irq(made, 1)]).toEqual([undefined, 'irq']);
  });
});

describe('configuration', () => {
  it('SGIs are edges and PPIs levels for ever; SPIs are set by the upper bit of two', () => {
    const made = board();
    for (const n of [0, 1, 2, 3]) made.store(d(0xc00 + 4 * n), 0xffff_ffff);
    expect([0, 1, 2, 3].map((n) => made.load(d(0xc00 + 4 * n)))).toEqual([0xaaaa_aaaa, 0, 0xaaaa_aaaa, 0xaaaa_aaaa]);
    made.store(d(0xc08), 0x8000_0002);
    expect(made.load(d(0xc08))).toBe(0x8000_0002);
    expect(made.load(d(0xc0c))).toBe(0xaaaa_aaaa);
  });
  it('an edge of the UART is latched, its level is not', () => {
    const UART = 0x0900_0000n;
    const transmit = (edge: boolean): Board => {
      const made = board();
      enable(made, 33);
      if (edge) made.store(d(0xc08), 2 << 2);
      made.store(UART + 0x38n, 1 << 5);
      made.store(UART, 0x41);
      return made;
    };
    for (const edge of [false, true]) {
      const made = transmit(edge);
      expect(made.load(IAR)).toBe(33);
      made.store(EOIR, 33);
      // The line is still high: a level comes again, an edge does not.
      expect([edge, irq(made)]).toEqual([edge, edge ? undefined : 'irq']);
      made.store(UART + 0x44n, 1 << 5);
      expect(irq(made)).toBeUndefined();
      made.store(UART, 0x42);
      expect(irq(made)).toBe('irq');
    }
  });
  it('an edge that has passed is still pending, a level that has passed is not', () => {
    const UART = 0x0900_0000n;
    for (const edge of [false, true]) {
      const made = board();
      enable(made, 33);
      if (edge) made.store(d(0xc08), 2 << 2);
      made.store(UART + 0x38n, 1 << 5);
      made.store(UART, 0x41);
      made.store(UART + 0x44n, 1 << 5);
      expect([edge, irq(made)]).toEqual([edge, edge ? 'irq' : undefined]);
    }
  });
  it('beyond the last interrupt everything reads 0 and ignores writes', () => {
    const made = board();
    for (const at of [0x124, 0x1fc, 0x520, 0x7fc, 0x920, 0xc48, 0xcfc]) {
      expect(made.store(d(at), 0xffff_ffff)).toBe(true);
      expect([at, made.load(d(at))]).toEqual([at, 0]);
    }
  });
});

describe('what is not there', () => {
  it('is refused, so that core can name it', () => {
    const made = board();
    for (const at of [d(0x0c), d(0x40), d(0x1000), d(0x6100), c(0x2c), c(0x40)]) {
      expect([at, made.load(at)]).toEqual([at, undefined]);
      expect([at, made.store(at, 1)]).toEqual([at, false]);
    }
    // Bits are words.
    expect(made.load(d(0x101), 1)).toBeUndefined();
    expect(made.load(d(0x102), 4)).toBeUndefined();
  });
  it('a GICv2 has no redistributors, a GICv3 no memory-mapped CPU interface', () => {
    expect(board().load(0x080a_0008n)).toBeUndefined();
    expect(board().store(0x080a_0014n, 0)).toBe(false);
    const three = new Board({ gic: 3 });
    expect(three.load(IAR)).toBeUndefined();
    expect(three.store(c(4), 0xff)).toBe(false);
  });
});
