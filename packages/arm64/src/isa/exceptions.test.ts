/** Exception entry and return against values put together by hand from ESR_EL1, SPSR_EL1 and the vector table of D1. */
import { describe, expect, it } from 'vitest';
import { Board, type FakeVcpu } from '../testing/board.ts';
import { abort, branchAddress, eret, FSC, faults, fpAccess, kinds, take } from './exceptions.ts';

const VECTORS = 0xffff_8000_0801_0800n;
const PC = 0xffff_8000_0000_1234n;

/** SCTLR_EL1.SPAN. */
const SPAN = 0x80_0000n;

function at(el: 0n | 1n, spsel: 0n | 1n, cpu = 'neoverse-n2'): FakeVcpu {
  const vcpu = new Board({ cpu }).cpu();
  return vcpu.put({
    EL: el,
    SPSEL: spsel,
    DAIF: 0n,
    PC,
    VBAR_EL1: VECTORS,
    SCTLR_EL1: 0x30d0_0980n | SPAN,
    ESR_EL1: 0xdeadn,
    FAR_EL1: 0xdeadn,
    MDSCR_EL1: 0n,
    SP: 0x5000n,
    SP_EL0: 0x1000n,
    SP_EL1: 0x2000n,
  });
}

describe('vectors', () => {
  // Groups: EL1 with SP_EL0 0x000, EL1 with SP_EL1 0x200, EL0 0x400. Within one: synchronous 0, IRQ 0x80, FIQ 0x100, SError 0x180.
  it.each([
    [1n, 0n, 'svc', 0x000n],
    [1n, 0n, 'irq', 0x080n],
    [1n, 0n, 'fiq', 0x100n],
    [1n, 0n, 'serror', 0x180n],
    [1n, 1n, 'data-abort', 0x200n],
    [1n, 1n, 'irq', 0x280n],
    [1n, 1n, 'fiq', 0x300n],
    [1n, 1n, 'serror', 0x380n],
    [0n, 0n, 'undefined', 0x400n],
    [0n, 0n, 'irq', 0x480n],
    [0n, 0n, 'fiq', 0x500n],
    [0n, 0n, 'serror', 0x580n],
  ] as const)('EL%s, SPSel %s, %s: base + %s', (el, spsel, kind, offset) => {
    const vcpu = at(el, spsel);
    take(vcpu, { kind });
    expect(vcpu.get('PC')).toBe(VECTORS + offset);
    expect(vcpu.get('ELR_EL1')).toBe(PC);
  });
});

/** EC in 31:26, IL in 25, ISS below: the syndrome from EL0 and from EL1, each worked out by hand. */
const SYNDROMES = [
  ['undefined', undefined, 0x0200_0000n, 0x0200_0000n],
  ['hvc-undefined', undefined, 0x0200_0000n, 0x0200_0000n],
  ['wfi-trap', 0x1e0_0001n, 0x07e0_0001n, 0x07e0_0001n],
  ['fp-access', undefined, 0x1fe0_0000n, 0x1fe0_0000n],
  ['fp-access', 0x1e0_0000n, 0x1fe0_0000n, 0x1fe0_0000n],
  ['illegal-state', undefined, 0x3a00_0000n, 0x3a00_0000n],
  ['svc', 0xbeefn, 0x5600_beefn, 0x5600_beefn],
  ['hvc', 1n, 0x5a00_0001n, 0x5a00_0001n],
  ['smc', 2n, 0x5e00_0002n, 0x5e00_0002n],
  ['sysreg-trap', 0x33_f807n, 0x6233_f807n, 0x6233_f807n],
  ['instruction-abort', 0x07n, 0x8200_0007n, 0x8600_0007n],
  ['pc-alignment', undefined, 0x8a00_0000n, 0x8a00_0000n],
  ['data-abort', 0x46n, 0x9200_0046n, 0x9600_0046n],
  ['sp-alignment', undefined, 0x9a00_0000n, 0x9a00_0000n],
  ['serror', undefined, 0xbe00_0000n, 0xbe00_0000n],
  ['breakpoint', undefined, 0xc200_0022n, 0xc600_0022n],
  ['step', undefined, 0xca00_0022n, 0xce00_0022n],
  ['watchpoint', undefined, 0xd200_0022n, 0xd600_0022n],
  ['brk', 0x1n, 0xf200_0001n, 0xf200_0001n],
] as const;

describe('ESR_EL1', () => {
  it.each(SYNDROMES)('%s with ISS %s', (kind, syndrome, fromEl0, fromEl1) => {
    for (const [el, expected] of [
      [0n, fromEl0],
      [1n, fromEl1],
    ] as const) {
      const vcpu = at(el, el);
      take(vcpu, { kind, ...(syndrome !== undefined && { syndrome }) });
      expect(vcpu.get('ESR_EL1')).toBe(expected);
    }
  });

  it('is left alone by interrupts', () => {
    for (const kind of ['irq', 'fiq']) {
      const vcpu = at(1n, 1n);
      take(vcpu, { kind });
      expect(vcpu.get('ESR_EL1')).toBe(0xdeadn);
    }
  });

  it('has a case above for every kind', () => {
    const told = SYNDROMES.map(([kind]) => kind);
    expect(new Set(Object.keys(kinds))).toEqual(new Set([...told, 'irq', 'fiq']));
  });

  it('knows no other kind, and says so', () => {
    expect(() => take(at(1n, 1n), { kind: 'page-fault' })).toThrow(
      expect.objectContaining({ code: 'CV_UNKNOWN_EXCEPTION' }),
    );
  });
});

describe('FAR_EL1', () => {
  it.each(['data-abort', 'instruction-abort', 'pc-alignment', 'watchpoint'])('holds the address of a %s', (kind) => {
    const vcpu = at(0n, 0n);
    take(vcpu, { kind, address: 0xabcdn });
    expect(vcpu.get('FAR_EL1')).toBe(0xabcdn);
  });
  it.each(['svc', 'undefined', 'sp-alignment', 'brk', 'irq', 'illegal-state'])('is left alone by %s', (kind) => {
    const vcpu = at(0n, 0n);
    take(vcpu, { kind, address: 0xabcdn });
    expect(vcpu.get('FAR_EL1')).toBe(0xdeadn);
  });
});

describe('PSTATE on entry', () => {
  it('is EL1h with everything masked, and SPSR_EL1 has the old one', () => {
    const vcpu = at(0n, 0n).put({ N: 1n, Z: 0n, C: 1n, V: 0n, DAIF: 0x80n, SS: 1n, IL: 1n, PAN: 1n });
    take(vcpu, { kind: 'svc' });
    // N and C (0xA << 28), PAN 22, SS 21, IL 20, I 7, EL0t.
    expect(vcpu.get('SPSR_EL1')).toBe(0xa070_0080n);
    for (const [name, value] of Object.entries({
      EL: 1n,
      SPSEL: 1n,
      DAIF: 0x3c0n,
      SS: 0n,
      IL: 0n,
      PAN: 1n,
      N: 1n,
      C: 1n,
    })) {
      expect([name, vcpu.get(name)]).toEqual([name, value]);
    }
  });

  it.each([
    [1n, 1n, 0x5n],
    [1n, 0n, 0x4n],
    [0n, 0n, 0x0n],
    // PSTATE.SP does not show at EL0.
    [0n, 1n, 0x0n],
  ] as const)('EL%s with SP %s is M = %s', (el, spsel, mode) => {
    const vcpu = at(el, spsel);
    take(vcpu, { kind: 'irq' });
    expect(vcpu.get('SPSR_EL1') & 0x1fn).toBe(mode);
  });

  it('PAN is set when SCTLR_EL1.SPAN is 0, kept when it is 1, and never on a CPU without it', () => {
    const entered = (span: bigint, before: bigint, cpu: string): bigint => {
      const vcpu = at(0n, 0n, cpu).put({ SCTLR_EL1: (0x30d0_0980n & ~SPAN) | span, PAN: before });
      take(vcpu, { kind: 'svc' });
      return vcpu.get('PAN');
    };
    expect(entered(0n, 0n, 'neoverse-n2')).toBe(1n);
    expect(entered(SPAN, 0n, 'neoverse-n2')).toBe(0n);
    expect(entered(SPAN, 1n, 'neoverse-n2')).toBe(1n);
    expect(entered(0n, 0n, 'cortex-a57')).toBe(0n);
  });

  it('switches stack pointers', () => {
    const fromEl0 = at(0n, 0n);
    take(fromEl0, { kind: 'svc' });
    expect([fromEl0.get('SP'), fromEl0.get('SP_EL0')]).toEqual([0x2000n, 0x5000n]);
    const fromEl1t = at(1n, 0n);
    take(fromEl1t, { kind: 'svc' });
    expect([fromEl1t.get('SP'), fromEl1t.get('SP_EL0')]).toEqual([0x2000n, 0x5000n]);
    const fromEl1h = at(1n, 1n);
    take(fromEl1h, { kind: 'svc' });
    expect([fromEl1h.get('SP'), fromEl1h.get('SP_EL0')]).toEqual([0x5000n, 0x1000n]);
  });

  it('leaves the exclusive monitor alone', () => {
    const vcpu = at(0n, 0n).put({ EXCLUSIVE_SIZE: 8n });
    take(vcpu, { kind: 'svc' });
    expect(vcpu.get('EXCLUSIVE_SIZE')).toBe(8n);
  });
});

describe('ERET', () => {
  const returning = (spsr: bigint, more: Readonly<Record<string, bigint>> = {}, cpu?: string): FakeVcpu =>
    at(1n, 1n, cpu).put({ SPSR_EL1: spsr, ELR_EL1: 0x4000n, EXCLUSIVE_SIZE: 8n, DAIF: 0x3c0n, ...more });

  it('to EL0 restores PSTATE and the stack pointer, and opens the exclusive monitor', () => {
    // N, C, PAN, I and F.
    const vcpu = returning(0xa040_00c0n);
    expect(eret(vcpu)).toBe(0x4000n);
    const expected = {
      EL: 0n,
      SPSEL: 0n,
      N: 1n,
      Z: 0n,
      C: 1n,
      V: 0n,
      DAIF: 0xc0n,
      PAN: 1n,
      IL: 0n,
      EXCLUSIVE_SIZE: 0n,
    };
    for (const [name, value] of Object.entries(expected)) expect([name, vcpu.get(name)]).toEqual([name, value]);
    expect([vcpu.get('SP'), vcpu.get('SP_EL1')]).toEqual([0x1000n, 0x5000n]);
  });

  it.each([
    [4n, 0n, 0x1000n],
    [5n, 1n, 0x5000n],
  ] as const)('to EL1 with M = %s uses SP %s', (mode, spsel, sp) => {
    const vcpu = returning(mode);
    eret(vcpu);
    expect([vcpu.get('EL'), vcpu.get('SPSEL'), vcpu.get('SP')]).toEqual([1n, spsel, sp]);
  });

  // EL0h, reserved M[1], EL2t, EL2h, EL3h, and the AArch32 modes user, supervisor, system.
  it.each([0x1n, 0x2n, 0x6n, 0x7n, 0x8n, 0x9n, 0xdn, 0x10n, 0x13n, 0x1fn])(
    'to M = %s is illegal: IL, same level, flags and masks restored',
    (mode) => {
      const vcpu = returning(0x9000_0080n | mode);
      expect(eret(vcpu)).toBe(0x4000n);
      const expected = { IL: 1n, EL: 1n, SPSEL: 1n, SP: 0x5000n, N: 1n, Z: 0n, C: 0n, V: 1n, DAIF: 0x80n };
      for (const [name, value] of Object.entries(expected)) expect([name, vcpu.get(name)]).toEqual([name, value]);
    },
  );

  it('takes IL from a legal SPSR_EL1, too', () => {
    const vcpu = returning(0x10_0005n);
    eret(vcpu);
    expect(vcpu.get('IL')).toBe(1n);
  });

  it('restores SS only while software step is on, PAN only where it exists', () => {
    const stepping = returning(0x20_0000n, { MDSCR_EL1: 1n });
    eret(stepping);
    expect(stepping.get('SS')).toBe(1n);
    const not = returning(0x20_0000n);
    eret(not);
    expect(not.get('SS')).toBe(0n);
    const old = returning(0x40_0000n, { PAN: 0n }, 'cortex-a57');
    eret(old);
    expect(old.get('PAN')).toBe(0n);
  });

  it('undoes an entry', () => {
    for (const [el, spsel] of [
      [0n, 0n],
      [1n, 0n],
      [1n, 1n],
    ] as const) {
      const vcpu = at(el, spsel).put({ N: 0n, Z: 1n, C: 0n, V: 1n, DAIF: 0x240n, PAN: 1n });
      const names = ['EL', 'SPSEL', 'SP', 'N', 'Z', 'C', 'V', 'DAIF', 'PAN', 'IL'];
      const before = names.map((name) => vcpu.get(name));
      take(vcpu, { kind: 'irq' });
      expect(eret(vcpu)).toBe(PC);
      expect(names.map((name) => vcpu.get(name))).toEqual(before);
    }
  });
});

describe('tagged addresses', () => {
  const TBI0 = 1n << 37n;
  const TBI1 = 1n << 38n;
  // Bit 55 chooses TBI0 or TBI1; where it is set, bits 63:56 become copies of bit 55.
  it.each([
    [0n, 0xa500_0000_4008_0000n, 0xa500_0000_4008_0000n],
    [TBI0, 0xa500_0000_4008_0000n, 0x0000_0000_4008_0000n],
    [TBI1, 0xa500_0000_4008_0000n, 0xa500_0000_4008_0000n],
    [TBI0, 0xa580_0000_4008_0000n, 0xa580_0000_4008_0000n],
    [TBI1, 0xa580_0000_4008_0000n, 0xff80_0000_4008_0000n],
    [TBI0 | TBI1, 0xffff_8000_0000_0000n, 0xffff_8000_0000_0000n],
    [TBI0 | TBI1, 0x00ff_8000_0000_0000n, 0xffff_8000_0000_0000n],
    [TBI0 | TBI1, 0xff7f_8000_0000_0000n, 0x007f_8000_0000_0000n],
  ])('with TCR_EL1 %s, a branch to %s goes to %s', (tcr, address, goes) => {
    const vcpu = at(1n, 1n).put({ TCR_EL1: tcr, VBAR_EL1: address, ELR_EL1: address, SPSR_EL1: 5n });
    expect(branchAddress(vcpu, address)).toBe(goes);
    expect(eret(vcpu)).toBe(goes);
    take(vcpu, { kind: 'irq' });
    expect(vcpu.get('PC')).toBe(goes + 0x280n);
  });
});

describe('syndromes of faults', () => {
  it.each([
    ['read', { kind: 'data-abort', syndrome: 0x21n, address: 5n }],
    ['write', { kind: 'data-abort', syndrome: 0x61n, address: 5n }],
  ] as const)('a misaligned %s', (kind, expected) => {
    expect(faults.alignment(at(1n, 1n), 5n, kind)).toEqual(expected);
  });
  it.each([
    ['read', { kind: 'data-abort', syndrome: 0x10n, address: 5n }],
    ['write', { kind: 'data-abort', syndrome: 0x50n, address: 5n }],
    ['fetch', { kind: 'instruction-abort', syndrome: 0x10n, address: 5n }],
  ] as const)('a %s that nothing answers: synchronous external abort', (kind, expected) => {
    expect(faults.bus(at(1n, 1n), 5n, 9n, kind)).toEqual(expected);
  });
  it('a misaligned PC', () => {
    const vcpu = at(1n, 1n);
    expect(faults.fetchAlignment(vcpu)).toBeUndefined();
    vcpu.set('PC', PC + 2n);
    expect(faults.fetchAlignment(vcpu)).toEqual({ kind: 'pc-alignment', address: PC + 2n });
  });
  it('an undefined instruction', () => {
    expect(faults.undefined(at(1n, 1n), 0n)).toEqual({ kind: 'undefined' });
  });
  it('WnR is for writes', () => {
    expect(abort('write', 0n, FSC.translation + 3).syndrome).toBe(0x47n);
    expect(abort('fetch', 0n, FSC.permission + 1).syndrome).toBe(0xdn);
  });
});

describe('SIMD and floating point', () => {
  // FPEN 0 and 2 trap both levels, 1 traps EL0, 3 none.
  it.each([
    [0n, 0n, 0n],
    [1n, 0n, 1n],
    [2n, 0n, 0n],
    [3n, 1n, 1n],
  ] as const)('FPEN %s: EL0 %s, EL1 %s', (fpen, el0, el1) => {
    expect(fpAccess(at(0n, 0n).put({ CPACR_EL1: fpen << 20n }))).toBe(el0);
    expect(fpAccess(at(1n, 1n).put({ CPACR_EL1: fpen << 20n }))).toBe(el1);
  });
});
