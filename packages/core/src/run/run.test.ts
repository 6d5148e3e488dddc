import { type Arch, CountervisorError, type PolicyName } from '@countervisor/contract';
import { asm, template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { Machine, type MachineConfig } from '../machine.ts';
import { bootFlat } from '../testing/boot.ts';
import { beside, guest, ran } from '../testing/guest.ts';

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

describe('what goes wrong in the middle of a run', () => {
  const throwing = (error: Error): Arch => {
    const handlers = () => ({
      pmu: () => {
        throw error;
      },
    });
    return { ...template, personalities: { plain: { ...template.personalities.plain, handlers } } } as unknown as Arch;
  };
  const lines = [asm.nop(), readreg('R4', 'PMC0'), asm.nop()];

  it('refused by name, it ends its domain, and no other', () => {
    const error = new CountervisorError('CV_TEST', 'this is not modelled.', 'Leave it.');
    const g = guest(lines, { arch: throwing(error), slice: 1 });
    const b = beside(g.machine, 'b', [asm.nop()]);
    g.run();
    expect([g.domain.ended, b.domain.ended]).toEqual([
      { reason: 'unmodelled', status: 0 },
      { reason: 'poweroff', status: 0 },
    ]);
    expect(g.said).toEqual(['CV_TEST a: this is not modelled.']);
    expect(g.domain.instructions()).toBe(1);
  });

  it('a mistake of the architecture comes out as it is', () => {
    const g = guest(lines, { arch: throwing(new TypeError('undefined is not a function')) });
    expect(() => g.run()).toThrow('undefined is not a function');
    expect(g.machine.running).toBeUndefined();
  });
});

describe('code', () => {
  it('that a guest writes is what it then executes', () => {
    // The word at `here` becomes that at `there`, with whatever stands behind each; once it has run before, and once it has not.
    for (const first of [true, false]) {
      const g = ran([
        movi('R5', 'here'),
        movi('R6', 'there'),
        movi('R3', first ? 2 : 1),
        ...(first ? [] : [asm.jump('patch')]),
        label('here'),
        movi('R4', 1),
        addi('R3', 'R3', -1),
        asm.beqz('R3', 'end'),
        label('patch'),
        asm.load('R7', 'R6', 0),
        asm.store('R7', 'R5', 0),
        asm.jump('here'),
        label('there'),
        movi('R4', 2),
        addi('R3', 'R3', -1),
        label('end'),
      ]);
      expect(g.get('R4')).toBe(2n);
    }
  });

  it('that an architecture reads and marks on its way to memory, as page tables are', () => {
    const seen: (bigint | undefined)[] = [];
    const translate: typeof template.isa.translate = (view, virtual, kind, level, memory) => {
      if (virtual === 0x5000n) {
        seen.push(memory.read(0x6000n, 8), memory.read(0x6000n, 4), memory.read(0x800n, 8));
        expect([memory.write(0x6000n, 8, 0x1_0000_0002n), memory.write(0x800n, 4, 1n)]).toEqual([true, false]);
      }
      return template.isa.translate(view, virtual, kind, level, memory);
    };
    const arch = { ...template, isa: { ...template.isa, translate } } as unknown as Arch;
    const g = guest([movi('R5', 0x5000), asm.load('R4', 'R5', 0), asm.load('R4', 'R5', 0x1000)], { arch });
    g.domain.memory.write(0x6000n, 8, 0x7_0000_0009n);
    g.run();
    expect(seen).toEqual([0x7_0000_0009n, 9n, undefined]);
    expect(g.get('R4')).toBe(0x1_0000_0002n);
  });
});

it('a limit counts all vCPUs of a domain', () => {
  const start = [movi('R0', 3), movi('R1', 1), movi('R2', 'on'), trap(0)];
  const g = guest([...start, label('on'), asm.jump('on')], { vcpus: 2, quantum: 10, pcpus: 2 });
  g.run(104);
  // Four that start the other one, then ten and ten.
  expect(g.domain.vcpus.map((v) => v.instructions)).toEqual([54, 50]);
});
