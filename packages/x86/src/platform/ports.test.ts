import { describe, expect, it } from 'vitest';
import { still } from '../testing/still.ts';
import { pc } from './pc.ts';

describe('COM1', () => {
  it('prints, and says that it can', () => {
    const made = still();
    expect(made.read('com1', 5)).toBe(0x60);
    for (const c of 'hi') made.write('com1', 0, c.charCodeAt(0));
    expect(made.domain.console).toBe('hi');
  });

  it('has its divisor behind DLAB, and prints none of it', () => {
    const made = still();
    made.write('com1', 3, 0x80);
    made.write('com1', 0, 0x34);
    made.write('com1', 1, 0x12);
    expect([made.read('com1', 0), made.read('com1', 1)]).toEqual([0x34, 0x12]);
    made.write('com1', 3, 3);
    expect([made.read('com1', 1), made.domain.console]).toEqual([0, '']);
  });

  it('identifies the empty transmitter once', () => {
    const made = still();
    expect(made.read('com1', 2)).toBe(1);
    made.write('com1', 1, 2);
    expect([made.read('com1', 2), made.read('com1', 2)]).toEqual([2, 1]);
    made.write('com1', 0, 0x41);
    expect(made.read('com1', 2)).toBe(2);
  });

  it('loops its modem lines back, as drivers probe', () => {
    const made = still();
    made.write('com1', 4, 0x1a);
    expect(made.read('com1', 6)).toBe(0x90);
    made.write('com1', 0, 0x41);
    expect(made.domain.console).toBe('');
  });
});

describe('ways out', () => {
  it('port 0xF4 ends the domain with (value << 1) | 1', () => {
    const made = still();
    made.write('debug-exit', 0, 21, 4);
    expect(made.domain.ended).toEqual({ reason: 'poweroff', status: 43 });
    expect([pc.code?.(43, ''), pc.verdict(43, ''), pc.verdict(1, ''), pc.code?.(0, '')]).toEqual([
      21,
      'failed',
      'passed',
      undefined,
    ]);
  });

  it('the word at port 0x8900 ends it, and only the whole word', () => {
    const made = still();
    for (const c of 'ShutdoShutdow') made.write('shutdown', 0, c.charCodeAt(0));
    expect(made.domain.ended).toBeUndefined();
    made.write('shutdown', 0, 'n'.charCodeAt(0));
    expect(made.domain.ended).toEqual({ reason: 'poweroff', status: 0 });
  });

  it('the keyboard controller resets', () => {
    const made = still();
    made.write('keyboard', 0, 0xd1);
    made.write('keyboard', 0, 0xfe);
    expect(made.domain.ended?.reason).toBe('reset');
  });
});

describe('fw_cfg', () => {
  it('gives the number of CPUs, byte by byte, and zeros for what is not there', () => {
    const made = still({ vcpus: 3 });
    made.write('fw_cfg', 0, 5, 2);
    expect([1, 1, 1].map(() => made.read('fw_cfg', 1))).toEqual([3, 0, 0]);
    made.write('fw_cfg', 0, 0, 2);
    expect(String.fromCharCode(...[1, 2, 3, 4].map(() => made.read('fw_cfg', 1)))).toBe('QEMU');
    made.write('fw_cfg', 0, 0x11, 2);
    expect(made.read('fw_cfg', 1)).toBe(0);
  });
});

describe('8254', () => {
  it('counts at 1.193182 MHz of the domain’s clock', () => {
    const made = still();
    made.write('pit', 3, 0x34);
    made.write('pit', 0, 0x00);
    made.write('pit', 0, 0x10);
    // A millisecond is 1,193 ticks of 4,096.
    made.pass(1_000_000);
    made.write('pit', 3, 0x00);
    expect(made.read('pit', 0) | (made.read('pit', 0) << 8)).toBe(4096 - 1193);
    // Read without a latch: it counts over again.
    made.pass(3_000_000);
    expect(made.read('pit', 0) | (made.read('pit', 0) << 8)).toBe(4096 - (4772 - 4096));
  });

  it('shows in port 0x61 when counter 2 has reached zero', () => {
    const made = still();
    made.write('port61', 0, 1);
    made.write('pit', 3, 0xb0);
    made.write('pit', 2, 0xff);
    made.write('pit', 2, 0x00);
    expect(made.read('port61', 0)).toBe(1);
    // 255 ticks are 213,714 ns.
    made.pass(213_713);
    expect(made.read('port61', 0)).toBe(1);
    made.pass(2);
    expect(made.read('port61', 0)).toBe(0x21);
  });
});

describe('what is not there', () => {
  it('no PCI device answers', () => {
    const made = still();
    made.write('pci', 0, 0x8000_0000 | 0, 4);
    expect(made.read('pci', 4, 4)).toBe(0xffff_ffff);
    expect(made.read('pci', 0, 4)).toBe(0x8000_0000);
  });

  it('8259s keep a mask, after the four words that set them up', () => {
    const made = still();
    for (const [offset, value] of [
      [0, 0x11],
      [1, 0x20],
      [1, 4],
      [1, 1],
      [1, 0xfb],
    ] as const)
      made.write('pic1', offset, value);
    expect([made.read('pic1', 1), made.read('pic1', 0), made.read('pic2', 1)]).toEqual([0xfb, 0, 0xff]);
  });

  it('the I/O APIC has 24 masked entries that hold what is written', () => {
    const made = still();
    made.write('ioapic', 0, 1, 4);
    expect(made.read('ioapic', 0x10, 4)).toBe(0x17_0011);
    made.write('ioapic', 0, 0x12, 4);
    expect(made.read('ioapic', 0x10, 4)).toBe(0x1_0000);
    made.write('ioapic', 0x10, 0x1_f931, 4);
    // Delivery status and remote IRR are not written.
    expect(made.read('ioapic', 0x10, 4)).toBe(0x1_a931);
    made.write('ioapic', 0, 0x40, 4);
    expect(() => made.read('ioapic', 0x10, 4)).toThrowError();
  });

  it('the clock stands still, in BCD', () => {
    const made = still();
    const at = (index: number): number => {
      made.write('rtc', 0, index);
      return made.read('rtc', 1);
    };
    expect([at(0x32), at(9), at(8), at(7), at(4)]).toEqual([0x20, 0, 1, 1, 0]);
    made.pass(5_000_000_000);
    expect(at(0)).toBe(0);
  });
});
