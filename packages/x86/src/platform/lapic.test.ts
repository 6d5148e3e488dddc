import { describe, expect, it } from 'vitest';
import { type Still, still } from '../testing/still.ts';
import { highest, interrupt, LVT, lapicOf, MASKED, pending, performanceInterrupt, wakes } from './lapic.ts';
import { pc } from './pc.ts';
import { divisor } from './timer.ts';

const EOI = 0xb0;
const SVR = 0xf0;
const TPR = 0x80;
const ICR = 0x300;
const ICR_HIGH = 0x310;
const LVT_TIMER = 0x320;
const LVTPC = 0x340;
const INITIAL = 0x380;
const CURRENT = 0x390;
const DIVIDE = 0x3e0;
const IF = 0x202n;

/** A domain whose local APICs are enabled by software. */
function enabled(options: Parameters<typeof still>[0] = {}): Still {
  const made = still(options);
  for (let n = 0; n < (options?.vcpus ?? 1); n++) made.write('lapic', SVR, 0x1ff, 4, n);
  return made;
}

const lvtpc = (made: Still): number => made.read('lapic', LVTPC, 4);

describe('LVTPC', () => {
  it('masks itself when the APIC takes the interrupt, on Intel', () => {
    const made = enabled({ cpu: 'skylake' });
    made.write('lapic', LVTPC, 0x20, 4);
    performanceInterrupt(made.vcpu);
    expect(lvtpc(made)).toBe(0x1_0020);
    expect(pending(made.vcpu)).toBe(0x20);
  });

  it('does not on AMD', () => {
    const made = enabled({ cpu: 'zen2' });
    made.write('lapic', LVTPC, 0x20, 4);
    performanceInterrupt(made.vcpu);
    expect(lvtpc(made)).toBe(0x20);
    expect(pending(made.vcpu)).toBe(0x20);
  });

  it('masked, takes nothing, and nothing is kept', () => {
    const made = enabled();
    made.write('lapic', LVTPC, 0x1_0020, 4);
    performanceInterrupt(made.vcpu);
    made.write('lapic', LVTPC, 0x20, 4);
    expect(pending(made.vcpu)).toBe(-1);
  });

  it('delivers an NMI in that mode, which one NMI holds back until IRET', () => {
    const made = enabled();
    made.write('lapic', LVTPC, 0x400, 4);
    performanceInterrupt(made.vcpu);
    expect(lvtpc(made)).toBe(0x1_0400);
    expect(interrupt(made.vcpu)).toEqual({ kind: 'NMI' });
    expect(wakes(made.vcpu)).toBe(true);
    made.vcpu.set('NMI_BLOCKED', 1n);
    expect(interrupt(made.vcpu)).toBeUndefined();
  });

  it('is fed by the monitors’ request, which is gone once looked at', () => {
    const made = enabled();
    made.write('lapic', LVTPC, 0x20, 4);
    made.vcpu.set('PMI', 1n);
    pc.latch?.(made.vcpu);
    expect([made.vcpu.get('PMI'), pending(made.vcpu), lvtpc(made)]).toEqual([0n, 0x20, 0x1_0020]);
  });
});

describe('interrupts', () => {
  it('are taken in the order of their vectors, above the class in service', () => {
    const made = enabled();
    for (const vector of [0x31, 0x90, 0x45]) made.write('lapic', ICR, 0x4_4000 | vector, 4);
    made.vcpu.set('RFLAGS', IF);
    expect(interrupt(made.vcpu)).toEqual({ kind: 'INTR', syndrome: 0x90n });
    const apic = lapicOf(made.vcpu);
    apic.irr[4] = (apic.irr[4] as number) & ~(1 << 16);
    apic.isr[4] = 1 << 16;
    expect(pending(made.vcpu)).toBe(-1);
    made.write('lapic', EOI, 0, 4);
    expect(pending(made.vcpu)).toBe(0x45);
    made.write('lapic', TPR, 0x40, 4);
    expect(pending(made.vcpu)).toBe(-1);
    // CR8 is the class alone.
    expect(made.vcpu.get('CR8')).toBe(4n);
    made.vcpu.set('CR8', 3n);
    expect([pending(made.vcpu), made.read('lapic', TPR, 4)]).toEqual([0x45, 0x30]);
  });

  it('wait for IF, and for the end of a shadow', () => {
    const made = enabled();
    made.write('lapic', ICR, 0x4_4055, 4);
    expect([interrupt(made.vcpu), wakes(made.vcpu)]).toEqual([undefined, false]);
    made.vcpu.set('RFLAGS', IF);
    made.vcpu.set('SHADOW', made.vcpu.get('RIP'));
    expect(interrupt(made.vcpu)).toBeUndefined();
    pc.latch?.(made.vcpu);
    // The core comes back one cycle later, whatever RIP is then.
    expect(pc.deadline(made.vcpu)).toBe(1n);
    made.pass(1);
    pc.latch?.(made.vcpu);
    expect(interrupt(made.vcpu)).toEqual({ kind: 'INTR', syndrome: 0x55n });
    expect(pc.deadline(made.vcpu)).toBeUndefined();
  });

  it('are refused with a vector below 16, and told of', () => {
    const made = enabled();
    made.write('lapic', 0x370, 0x60, 4);
    made.write('lapic', ICR, 0x4_4008, 4);
    made.write('lapic', 0x280, 0, 4);
    expect(made.read('lapic', 0x280, 4)).toBe(0x20);
    expect(pending(made.vcpu)).toBe(0x60);
  });

  it('find their destinations: one, all, all others, a logical group', () => {
    const made = enabled({ vcpus: 4 });
    const got = (): readonly number[] => [0, 1, 2, 3].map((n) => highest(lapicOf(made.of(n)).irr));
    made.write('lapic', ICR_HIGH, 2 << 24, 4);
    made.write('lapic', ICR, 0x4041, 4);
    expect(got()).toEqual([-1, -1, 0x41, -1]);
    made.write('lapic', ICR, 0x8_4042, 4);
    expect(got()).toEqual([0x42, 0x42, 0x42, 0x42]);
    made.write('lapic', ICR, 0xc_4043, 4);
    expect(got()).toEqual([0x42, 0x43, 0x43, 0x43]);
    // Flat model: each has a bit, and 0b1010 are two of them.
    for (let n = 0; n < 4; n++) made.write('lapic', 0xd0, (1 << n) << 24, 4, n);
    made.write('lapic', ICR_HIGH, 0b1010 << 24, 4);
    made.write('lapic', ICR, 0x4844, 4);
    expect(got()).toEqual([0x42, 0x44, 0x43, 0x44]);
  });

  it('are not taken while software has the APIC off, and masks stay set then', () => {
    const made = still();
    made.write('lapic', LVT_TIMER, 0x40, 4);
    expect(made.read('lapic', LVT_TIMER, 4)).toBe(0x1_0040);
    made.write('lapic', ICR, 0x4_4050, 4);
    expect(pending(made.vcpu)).toBe(-1);
  });

  it('INIT makes a vCPU wait for its start-up message, which others ignore', () => {
    const made = enabled({ vcpus: 2 });
    made.write('lapic', ICR_HIGH, 1 << 24, 4);
    made.write('lapic', ICR, 0x4608, 4);
    const one = made.domain.vcpus[1];
    expect(one?.on).toBe(true);
    expect([made.of(1).get('CS'), made.of(1).get('CS_BASE'), made.of(1).get('RIP')]).toEqual([
      0x800n,
      0x8000n,
      0x8000n,
    ]);
    made.of(1).set('RAX', 7n);
    made.write('lapic', ICR, 0x4609, 4);
    expect(made.of(1).get('RAX')).toBe(7n);
    made.write('lapic', ICR, 0x4500, 4);
    expect(one?.on).toBe(false);
    made.write('lapic', ICR, 0x4609, 4);
    expect([one?.on, made.of(1).get('RAX'), made.of(1).get('RIP')]).toEqual([true, 0n, 0x9000n]);
  });
});

describe('the timer', () => {
  it('divides by what its register says', () => {
    // SDM volume 3, figure 10-10.
    expect([0, 1, 2, 3, 8, 9, 10, 11].map(divisor)).toEqual([2, 4, 8, 16, 32, 64, 128, 1]);
  });

  it('one-shot: counts down once, and fires at zero', () => {
    const made = enabled();
    made.write('lapic', DIVIDE, 3, 4);
    made.write('lapic', LVT_TIMER, 0x40, 4);
    made.write('lapic', INITIAL, 10, 4);
    expect(pc.deadline(made.vcpu)).toBe(160n);
    made.pass(79);
    expect(made.read('lapic', CURRENT, 4)).toBe(6);
    made.pass(80);
    pc.latch?.(made.vcpu);
    expect([pending(made.vcpu), made.read('lapic', CURRENT, 4)]).toEqual([-1, 1]);
    made.pass(1);
    pc.latch?.(made.vcpu);
    expect([pending(made.vcpu), made.read('lapic', CURRENT, 4), pc.deadline(made.vcpu)]).toEqual([0x40, 0, undefined]);
  });

  it('periodic: begins again from where it should have', () => {
    const made = enabled();
    made.write('lapic', DIVIDE, 11, 4);
    made.write('lapic', LVT_TIMER, 0x2_0040, 4);
    made.write('lapic', INITIAL, 100, 4);
    made.pass(130);
    pc.latch?.(made.vcpu);
    expect([pending(made.vcpu), made.read('lapic', CURRENT, 4), pc.deadline(made.vcpu)]).toEqual([0x40, 70, 200n]);
  });

  it('by TSC deadline: the MSR holds it until it fires', () => {
    const made = enabled();
    made.write('lapic', LVT_TIMER, 0x4_0040, 4);
    made.vcpu.set('TSC', 5000n);
    made.vcpu.set('TSC_DEADLINE', 5300n);
    expect([made.vcpu.get('TSC_DEADLINE'), pc.deadline(made.vcpu)]).toEqual([5300n, 300n]);
    made.pass(300);
    pc.latch?.(made.vcpu);
    expect([made.vcpu.get('TSC'), made.vcpu.get('TSC_DEADLINE'), pending(made.vcpu)]).toEqual([5300n, 0n, 0x40]);
    // In the other modes the MSR is not there to be set.
    made.write('lapic', LVT_TIMER, 0x40, 4);
    made.vcpu.set('TSC_DEADLINE', 9999n);
    expect(pc.deadline(made.vcpu)).toBeUndefined();
  });

  it('masked, fires into nothing', () => {
    const made = enabled();
    made.write('lapic', DIVIDE, 11, 4);
    made.write('lapic', INITIAL, 100, 4);
    expect(lapicOf(made.vcpu).lvt[LVT.timer]).toBe(MASKED);
    made.pass(100);
    pc.latch?.(made.vcpu);
    expect(pending(made.vcpu)).toBe(-1);
  });
});
