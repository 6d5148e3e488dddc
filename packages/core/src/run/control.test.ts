/** What an architecture may ask of a domain. */
import { asm } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { switchTo } from '../switch/switch.ts';
import { type Guest, guest, times } from '../testing/guest.ts';

const { jump, label, movi, nop } = asm;

const forEver = [label('on'), jump('on')];
const two = (): Guest => guest(forEver, { vcpus: 2 });

describe('a domain under its own control', () => {
  it('starts a sibling that is off, once', () => {
    const g = two();
    const { domain } = g.v.handle;
    expect([domain.isOn(0), domain.isOn(1)]).toEqual([true, false]);
    expect(domain.start(1, 0x1234n, 77n)).toBe(true);
    expect(domain.isOn(1)).toBe(true);
    const other = domain.vcpu(1);
    expect([other.get('PC'), other.get('R0'), other.index, other.siblings]).toEqual([0x1234n, 77n, 1, 2]);
    expect(domain.start(1, 0n, 0n)).toBe(false);
    expect(other.get('PC')).toBe(0x1234n);
  });

  it('has no others', () => {
    const { domain } = two().v.handle;
    expect(() => domain.start(2, 0n, 0n)).toThrow('a has no vCPU 2');
    expect(() => domain.vcpu(-1)).toThrow(RangeError);
  });

  it('ends when its last vCPU goes off', () => {
    const g = two();
    g.v.handle.domain.start(1, 0x1000n, 0n);
    g.v.handle.domain.stop();
    g.run(50);
    expect([g.domain.ended, g.v.on, g.domain.vcpus[1]?.instructions]).toEqual([undefined, false, 50]);
    g.domain.vcpus[1]?.handle.domain.stop();
    g.run();
    expect(g.domain.ended).toEqual({ reason: 'off', status: 0 });
  });

  it('a vCPU that was off and is started again begins anew, on the physical CPU it never left', () => {
    const g = guest([movi('R3', 1), ...times(20, nop())], { policy: 'switched' });
    g.run(5);
    g.v.handle.domain.stop();
    expect(g.v.handle.domain.start(0, 0x1000n, 5n)).toBe(true);
    expect([g.v.level, g.get('R0'), g.get('PC')]).toEqual([1, 5n, 0x1000n]);
    g.run();
    expect(g.domain.ended?.reason).toBe('poweroff');
    expect(g.domain.instructions()).toBe(5 + 24);
  });

  it('ends once: what comes later changes nothing', () => {
    const g = two();
    const ends: unknown[] = [];
    g.machine.events.on('exit', (e) => ends.push(e));
    g.v.handle.domain.exit('crash', 3);
    g.v.handle.domain.exit('poweroff', 0);
    expect(g.domain.ended).toEqual({ reason: 'crash', status: 3 });
    expect(ends).toEqual([{ domain: 'a', reason: 'crash', status: 3, icount: 0 }]);
    g.run();
    expect(g.domain.instructions()).toBe(0);
  });

  it('reads and writes its memory; what was decoded there is decoded anew', () => {
    const g = guest([movi('R3', 1), label('again'), movi('R4', 1), jump('again')]);
    const { domain } = g.v.handle;
    g.run(9);
    expect(g.get('R4')).toBe(1n);
    // movi R4, 2 in the place of movi R4, 1.
    expect(domain.read(0x1004n, 4)).toEqual(Uint8Array.of(1, 0, 0x40, 2));
    expect(domain.write(0x1004n, Uint8Array.of(2, 0, 0x40, 2))).toBe(true);
    g.run(15);
    expect(g.get('R4')).toBe(2n);
    // What was read is a copy.
    const copy = domain.read(0x1004n, 4) as Uint8Array;
    copy.fill(0xff);
    expect(domain.read(0x1004n, 4)?.[0]).toBe(2);
  });

  it('not beyond it', () => {
    const { domain } = two().v.handle;
    expect(domain.read(0xfffn, 4)).toBeUndefined();
    expect(domain.read(0x10fffn, 2)).toBeUndefined();
    expect(domain.read(0x10fffn, 1)).toEqual(Uint8Array.of(0));
    expect(domain.read(0x1000n, -1)).toBeUndefined();
    expect(domain.write(0x10ffen, Uint8Array.of(1, 2, 3))).toBe(false);
    expect(domain.read(0x10ffen, 2)).toEqual(Uint8Array.of(0, 0));
    expect(domain.write(0x1000n, new Uint8Array(0))).toBe(true);
    // Over several pages, decoded ones with them.
    expect(domain.write(0x1000n, new Uint8Array(0x10000).fill(7))).toBe(true);
    expect(domain.read(0x10fffn, 1)).toEqual(Uint8Array.of(7));
  });

  it('paused, it stands still while others run', () => {
    const g = two();
    g.domain.paused = true;
    g.run(100);
    expect(g.domain.instructions()).toBe(0);
    g.domain.paused = false;
    g.run(100);
    expect(g.domain.instructions()).toBe(100);
  });

  it('a pass at a time, until nobody has anything left', () => {
    const g = guest(times(25, nop()), { slice: 10 });
    const at: number[] = [];
    while (g.machine.pass()) at.push(g.domain.instructions());
    expect(at).toEqual([10, 20, 28]);
    expect(g.machine.pass({ until: 5 })).toBe(false);
  });

  it('memory written from outside is seen, decoded code as well', () => {
    const g = guest([label('again'), movi('R4', 1), jump('again')]);
    g.run(4);
    expect(g.domain.writeMemory(0x1000n, 2, 5n)).toBe(true);
    g.run(6);
    expect(g.get('R4')).toBe(5n);
    expect(g.domain.writeMemory(0x800n, 1, 5n)).toBe(false);
    expect(g.domain.writeMemory(0x10fffn, 8, 5n)).toBe(false);
    for (const size of [1, 2, 4, 8] as const) {
      g.domain.writeMemory(0x3000n, size, 2n ** BigInt(8 * size) - 2n);
      expect(g.domain.memory.read(0x3000n, size)).toBe(2n ** BigInt(8 * size) - 2n);
      expect(g.domain.memory.read(0x11000n, size)).toBeUndefined();
    }
  });

  it('a vCPU that is looked at from outside says where it is', () => {
    const g = two();
    expect([g.v.name, guest([]).v.name, g.v.alive, g.domain.vcpus[1]?.alive]).toEqual(['a/0', 'a', true, false]);
    const [pcpu] = g.machine.pcpus;
    if (pcpu !== undefined) switchTo(g.machine, pcpu, g.v);
    expect(g.v.pcpu).toBe(pcpu);
  });
});
