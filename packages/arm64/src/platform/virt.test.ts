/** The machine as a whole: interrupts to exceptions, entry and start states, what a domain's end means. */
import type { BootFacts } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { Board, type BoardOptions } from '../testing/board.ts';
import { defaultPlatform, platforms } from './index.ts';
import { virt } from './virt.ts';

const facts = (options: BoardOptions = {}, more: Partial<BootFacts> = {}): BootFacts => ({
  memory: 128n << 20n,
  vcpus: options.vcpus ?? 1,
  bootargs: '',
  entry: 0x4008_0000n,
  imageEnd: 0x4009_0000n,
  deviceTree: 0x4400_0000n,
  view: new Board(options).cpu(),
  ...more,
});

const values = (writes: readonly (readonly [string, bigint])[]): ReadonlyMap<string, bigint> => new Map(writes);

describe('virt', () => {
  it('is the default', () => {
    expect(platforms[defaultPlatform]).toBe(virt);
  });

  it('enters at EL1h, all masked, the tree in X0, every other general register 0', () => {
    const entry = values(virt.entry(facts()));
    const expected = { PC: 0x4008_0000n, X0: 0x4400_0000n, EL: 1n, SPSEL: 1n, DAIF: 0x3c0n, SP: 0n, IL: 0n, PAN: 0n };
    for (const [name, value] of Object.entries(expected)) expect([name, entry.get(name)]).toEqual([name, value]);
    for (let n = 1; n <= 30; n++) expect([n, entry.get(`X${n}`)]).toEqual([n, 0n]);
    // Each register once, and each exists.
    expect(new Set(entry.keys()).size).toBe(virt.entry(facts()).length);
    const cpu = new Board().cpu();
    for (const name of entry.keys()) expect(cpu.row(name)).toBeDefined();
    // Translation is off from reset on.
    expect(cpu.get('SCTLR_EL1') & 0x1005n).toBe(0n);
  });

  it('starts another vCPU like the first: context in X0, translation and caches off', () => {
    const cpu = new Board({ vcpus: 2 }).cpu(1).put({ SCTLR_EL1: 0x30d8_19ffn });
    const start = values(virt.start(cpu, 0x4008_1234n, 99n));
    const expected = { PC: 0x4008_1234n, X0: 99n, X30: 0n, EL: 1n, SPSEL: 1n, DAIF: 0x3c0n, SCTLR_EL1: 0x30d0_09e0n };
    for (const [name, value] of Object.entries(expected)) expect([name, start.get(name)]).toEqual([name, value]);
  });

  it('refuses more vCPUs than a GICv2 has interfaces', () => {
    expect(() => virt.entry(facts({ vcpus: 9 }))).toThrow(expect.objectContaining({ code: 'CV_GIC_VCPUS' }));
    expect(() => virt.entry(facts({ vcpus: 8 }))).not.toThrow();
    expect(() => virt.entry(facts({ vcpus: 9, gic: 3 }))).not.toThrow();
  });

  it('gives an interrupt to the vCPU whose masks allow it, IRQs and FIQs apart', () => {
    const made = new Board();
    const cpu = made.cpu();
    const GICD = 0x0800_0000n;
    const GICC = 0x0801_0000n;
    made.store(GICD, 1);
    made.store(GICD + 0x100n, 1 << 30);
    made.store(GICC + 4n, 0xff);
    cpu.wires.add('physical-timer');
    const taken = (fiqs: boolean): readonly (string | undefined)[] => {
      made.store(GICC, fiqs ? 9 : 1);
      return [0n, 0x80n, 0x40n, 0xc0n, 0x300n].map((daif) => virt.interrupt(cpu.put({ DAIF: daif }))?.kind);
    };
    expect(taken(false)).toEqual(['irq', undefined, 'irq', undefined, 'irq']);
    expect(taken(true)).toEqual(['fiq', 'fiq', undefined, undefined, 'fiq']);
  });

  it.each([
    [0, '', 'passed'],
    [1, '', 'failed'],
    [0, 'a\nEXIT: STATUS=1\n', 'passed'],
    [0, 'a\nEXIT: STATUS=3\n', 'failed'],
    [0, 'EXIT: STATUS=127\n', 'failed'],
    [1, 'EXIT: STATUS=1\n', 'passed'],
    // The last one counts; a line that only mentions one does not.
    [0, 'EXIT: STATUS=3\nEXIT: STATUS=1\n', 'passed'],
    [0, 'EXIT: STATUS=1\nsaid EXIT: STATUS=3\n', 'passed'],
    [0, 'EXIT: STATUS=1\r\n', 'passed'],
  ] as const)('status %i with console %j: %s', (status, console, verdict) => {
    expect(virt.verdict(status, console)).toBe(verdict);
  });
});
