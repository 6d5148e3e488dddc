import { describe, expect, it } from 'vitest';
import { Fake } from '../testing/view.ts';

describe('SCTLR_EL1', () => {
  const after = (cpu: string, value: bigint) => {
    const view = new Fake({ cpu });
    view.write('SCTLR_EL1', value);
    return view.read('SCTLR_EL1');
  };
  it('has its RES1 bits whatever is written', () => {
    // 29, 28, 22, 20, 11, 8, 7; and SPAN, bit 23, where there is no PAN.
    expect(after('cortex-a76', 0n)).toBe(0x3050_0980n);
    expect(after('cortex-a57', 0n)).toBe(0x30d0_0980n);
  });
  // Bits 0 to 4, 9, 12, 14 to 16, 18, 19, 23, 26 are stored; 7, 8, 11, 20, 22, 28, 29 read as 1.
  it('has no big-endian data, pointer authentication or anything above bit 31', () => {
    expect(after('cortex-a76', 0xffff_ffff_ffff_ffffn)).toBe(0x34dd_db9fn);
  });
});

describe('the stack pointer', () => {
  it('changes with SPSel, and each one keeps its value', () => {
    const view = new Fake({ registers: { EL: 1n, SPSEL: 1n, SP: 0x1000n, SP_EL0: 0x2000n } });
    view.write('SPSel', 0n);
    expect([view.get('SP'), view.get('SP_EL1'), view.read('SPSel')]).toEqual([0x2000n, 0x1000n, 0n]);
    view.set('SP', 0x2008n);
    view.write('SPSel', 0n);
    expect(view.get('SP')).toBe(0x2008n);
    view.write('SPSel', 1n);
    expect([view.get('SP'), view.get('SP_EL0'), view.read('SPSel')]).toEqual([0x1000n, 0x2008n, 1n]);
  });
});

describe('process state by address', () => {
  it('NZCV are bits 31 to 28', () => {
    const view = new Fake({ registers: { N: 1n, Z: 0n, C: 1n, V: 0n } });
    expect(view.read('NZCV')).toBe(0xa000_0000n);
    view.write('NZCV', 0x5fff_ffffn);
    expect(['N', 'Z', 'C', 'V'].map((flag) => view.get(flag))).toEqual([0n, 1n, 0n, 1n]);
  });
  it('CurrentEL has the level in bits 3:2', () => {
    expect(new Fake({ level: 1 }).read('CurrentEL')).toBe(4n);
    expect(new Fake({ level: 0 }).decide('CurrentEL')).toEqual({ verdict: 'undefined' });
  });
  it('PAN is bit 22, where the CPU has it', () => {
    const view = new Fake();
    view.write('PAN_BY_ADDRESS', 0xffff_ffffn);
    expect([view.get('PAN'), view.read('PAN_BY_ADDRESS')]).toEqual([1n, 0x40_0000n]);
    expect(new Fake({ cpu: 'cortex-a57' }).decide('PAN_BY_ADDRESS')).toEqual({ verdict: 'undefined' });
  });
  it('DAIF has bits 9 to 6', () => {
    const view = new Fake();
    view.write('DAIF', 0xffff_ffffn);
    expect(view.read('DAIF')).toBe(0x3c0n);
  });
});

describe('thread words', () => {
  it('TPIDRRO_EL0 is read-only to EL0', () => {
    const user = new Fake({ level: 0 });
    expect([user.decide('TPIDR_EL0'), user.decide('TPIDR_EL0', 0n), user.decide('TPIDRRO_EL0')]).toEqual(
      Array(3).fill({ verdict: 'direct' }),
    );
    expect([user.decide('TPIDRRO_EL0', 0n), user.decide('TPIDR_EL1')]).toEqual(Array(2).fill({ verdict: 'undefined' }));
  });
});

describe('debug', () => {
  it('the OS lock is locked after reset, and OSLAR_EL1 decides', () => {
    const view = new Fake({ registers: { OSLSR_EL1: 0xan } });
    expect(view.read('OSLSR_EL1')).toBe(0xan);
    view.write('OSLAR_EL1', 0n);
    expect(view.read('OSLSR_EL1')).toBe(8n);
    view.write('OSLAR_EL1', 1n);
    expect(view.read('OSLSR_EL1')).toBe(0xan);
  });
  it('MDSCR_EL1’s debugger bits are read-only while it is unlocked', () => {
    const view = new Fake({ registers: { OSLSR_EL1: 8n } });
    view.write('MDSCR_EL1', 0x6ce8_f040n);
    expect(view.read('MDSCR_EL1')).toBe(0xb000n);
    view.set('OSLSR_EL1', 0xan);
    view.write('MDSCR_EL1', 0x6ce8_f040n);
    expect(view.read('MDSCR_EL1')).toBe(0x6ce8_f040n);
  });
  it('claim tags are set and cleared by two registers', () => {
    const view = new Fake();
    view.write('DBGCLAIMSET_EL1', 0b101n);
    expect([view.read('DBGCLAIMSET_EL1'), view.read('DBGCLAIMCLR_EL1')]).toEqual([0xffn, 0b101n]);
    view.write('DBGCLAIMCLR_EL1', 0b001n);
    expect(view.read('DBGCLAIMCLR_EL1')).toBe(0b100n);
  });
  it('the double lock is there before Armv8.4', () => {
    const after = (cpu: string) => {
      const view = new Fake({ cpu });
      view.write('OSDLR_EL1', 1n);
      return view.read('OSDLR_EL1');
    };
    expect([after('cortex-a57'), after('neoverse-v1')]).toEqual([1n, 0n]);
  });
  it('what is transmitted stays, for nobody reads it', () => {
    const view = new Fake();
    expect(view.read('MDCCSR_EL0')).toBe(0n);
    view.write('DBGDTRTX_EL0', 65n);
    expect(view.read('MDCCSR_EL0')).toBe(1n << 29n);
    expect(view.read('DBGDTRTX_EL0')).toBe(0n);
  });
  it('OSECCR_EL1 holds a value only while the OS lock is locked', () => {
    const view = new Fake({ registers: { OSLSR_EL1: 0xan } });
    view.write('OSECCR_EL1', 0xffn);
    expect(view.read('OSECCR_EL1')).toBe(0xffn);
    view.set('OSLSR_EL1', 8n);
    expect(view.read('OSECCR_EL1')).toBe(0n);
  });
});
