import type { PolicyName } from '@countervisor/contract';
import { asm, template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { Machine, type MachineConfig } from '../machine.ts';
import { bootFlat } from '../testing/boot.ts';

const { addi, assemble, bnez, label, movi, readreg, trap, writereg } = asm;

/** Enables PMC0 (instructions), runs a loop of `turns`, disables, leaves the count in R4: 2 · turns + movi + the two disabling lines. */
const counted = (turns: number): Uint8Array =>
  assemble([
    movi('R2', 1),
    writereg('PMSEL0', 'R2'), // event 1: instructions
    movi('R2', 0),
    writereg('PMC0', 'R2'),
    movi('R2', 1),
    writereg('PMENSET', 'R2'),
    writereg('PMCTL', 'R2'), // counting from here
    movi('R3', turns), // 1
    label('again'),
    addi('R3', 'R3', -1), // turns
    bnez('R3', 'again'), // turns
    movi('R2', 0), // 1
    writereg('PMCTL', 'R2'), // 1: the disabling write is counted
    readreg('R4', 'PMC0'),
    movi('R1', 0),
    movi('R0', 0),
    trap(0),
  ]);

const own = (turns: number): bigint => BigInt(2 * turns + 3);

function two(policy: PolicyName, config: Partial<MachineConfig>): Machine {
  const m = new Machine({ arch: template, ...config });
  for (const [name, turns] of [
    ['a', 40],
    ['b', 70],
  ] as const) {
    const domain = m.addDomain({ name, vcpus: 1, memory: 65536, vpmu: true, policy });
    bootFlat(m, domain, exiting(counted(turns)));
  }
  return m;
}

/** The exit service's number is the architecture's own; programs end by it. */
function exiting(code: Uint8Array): Uint8Array {
  const tail = assemble([movi('R0', exitService()), trap(0)]);
  const out = new Uint8Array(code.length);
  out.set(code);
  out.set(tail, code.length - 8);
  return out;
}

function exitService(): number {
  const [number] = Object.entries(template.hypercalls.services).find(([, s]) => s.name === 'exit') ?? [];
  return Number(number);
}

const left = (m: Machine, domain: string): bigint => m.domain(domain).vcpus[0]?.handle.get('R4') as bigint;

describe('two domains on one physical CPU', () => {
  for (const policy of ['switched', 'emulated'] as const) {
    for (const slice of [1, 2, 3, 7, 10, 1000]) {
      for (const pcpus of [1, 2]) {
        it(`${policy}: each reads its own count, slice ${slice}, ${pcpus} physical`, () => {
          const m = two(policy, { slice, pcpus });
          m.run({ until: 100_000 });
          expect(m.domains.map((d) => d.ended?.reason)).toEqual(['poweroff', 'poweroff']);
          expect([left(m, 'a'), left(m, 'b')]).toEqual([own(40), own(70)]);
        });
      }
    }
  }

  it('passthrough: what one counts, the other reads', () => {
    const m = two('passthrough', { slice: 10 });
    m.run({ until: 100_000 });
    expect([left(m, 'a'), left(m, 'b')]).not.toEqual([own(40), own(70)]);
  });

  it('passthrough without a neighbour in between: each reads its own', () => {
    const m = two('passthrough', { slice: 100_000 });
    m.run({ until: 100_000 });
    expect([left(m, 'a'), left(m, 'b')]).toEqual([own(40), own(70)]);
  });
});

describe('a limit', () => {
  it('stops each domain after exactly so many instructions, and the run goes on from there', () => {
    const m = two('emulated', { slice: 7 });
    m.run({ until: 50 });
    expect(m.domains.map((d) => d.instructions())).toEqual([50, 50]);
    m.run({ until: 60 });
    expect(m.domains.map((d) => d.instructions())).toEqual([60, 60]);
    m.run();
    expect([left(m, 'a'), left(m, 'b')]).toEqual([own(40), own(70)]);
  });
});

describe("the hypervisor's work", () => {
  it('is not counted by a guest that does not ask for it, and is when its filter does', () => {
    const cost = { hypervisor: { trap: { instructions: 100 } } };
    const m = two('switched', { slice: 100_000, ...cost });
    m.run();
    expect([left(m, 'a'), left(m, 'b')]).toEqual([own(40), own(70)]);
  });
});

describe('switching', () => {
  it('saves controls, freezes, saves counters; restores in mirror order, and says so', () => {
    const m = two('switched', { slice: 20 });
    const steps: (readonly string[])[] = [];
    m.events.on('switch', (event) => steps.push(event.steps));
    m.run();
    const [, second = []] = steps;
    const saved = second.filter((s) => s.startsWith('save')).map((s) => s.split(' ')[1]);
    const restored = second.filter((s) => s.startsWith('restore')).map((s) => s.split(' ')[1]);
    const { controls, counters, freeze } = template.switching;
    expect(saved).toEqual([...controls, ...counters]);
    expect(restored).toEqual([...controls, ...counters].reverse());
    expect(second.findIndex((s) => s.startsWith('freeze'))).toBe(controls.length);
    expect(second.filter((s) => s.startsWith('freeze'))).toHaveLength(freeze.length);
  });
});
