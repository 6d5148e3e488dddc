/** Core's random guests of template code (they are tested against a plain model there), made to run round and round so that they get hot. */
import type { Arch, PolicyName } from '@countervisor/contract';
import fc from 'fast-check';
import { Machine } from '../../packages/core/src/index.ts';
import { bootFlat } from '../../packages/core/src/testing/boot.ts';
import { BASE, type Instruction } from '../../packages/core/src/testing/model.ts';
import { assembly, bodies, DATA, program, SELECTORS, selectors } from '../../packages/core/src/testing/random.ts';
import { asm, template } from '../../packages/template/src/index.ts';
import type { Random } from '../differential/random.ts';
import type { Guest } from './arm64.ts';

const POLICIES: readonly PolicyName[] = ['off', 'passthrough', 'switched', 'emulated', 'mediated'];
/** Where a guest keeps how often it goes round, and what it rewrites its own code with. */
const ROUNDS = 0x4a00;
const PATCH = 0x4a08;

const data: readonly (readonly [number, bigint])[] = [
  ...selectors.map((value, k) => [SELECTORS + 8 * k, value] as const),
  ...[0x0123_4567_89ab_cdefn, 0n, 1n, 0xffff_ffff_ffff_ffffn].map((value, k) => [DATA + 8 * k, value] as const),
];

/** The body several times; each time round two of its instructions are written anew, to what they were or to two that do nothing. */
function round(body: readonly Instruction[], at: number, rewrites: boolean): Instruction[] {
  // In front of the body: the prologue's eight instructions, and two for the vector.
  const top = 10;
  const patch: Instruction[] = rewrites
    ? [
        ['movi', 'R2', PATCH],
        ['load', 'R3', 'R2', 0],
        ['movi', 'R2', (BASE + 4 * (top + at) + 7) & ~7],
        ['store', 'R3', 'R2', 0],
      ]
    : [];
  const lines: Instruction[] = [
    ...body,
    ...patch,
    ['movi', 'R2', ROUNDS],
    ['load', 'R3', 'R2', 0],
    ['addi', 'R3', 'R3', -1],
    ['store', 'R3', 'R2', 0],
    ['beqz', 'R3', 2],
  ];
  return [...lines, ['jump', -lines.length - top]];
}

export function guest(random: Random): Guest {
  const policy = random.one(POLICIES);
  const slice = random.one([1, 2, 3, 7, 50, 1000]);
  const pcpus = random.one([1, 2]);
  const rounds = 2 + random.below(12);
  const costs = random.once(3) ? { plain: { backend: 1, frontend: 0 }, memory: { backend: 6, frontend: 1 } } : {};
  const made = fc.sample(bodies, { seed: random.u32() | 0, numRuns: 2 }).map((body) => {
    const rewrites = random.once(2);
    const lines = round(body, 4 + random.below(body.length - 4), rewrites);
    return program(lines, policy !== 'off');
  });
  const cpu = random.one(['tiny', 'tiny-wide']);
  return {
    means: `template, ${policy}, slice ${slice}, ${pcpus} pCPUs, ${rounds} rounds`,
    hot: random.one([-1, 0, 1, 3]),
    deaf: random.once(2) ? ['access'] : [],
    make: (engine) => {
      const machine = new Machine({ arch: template as Arch, cpu, slice, pcpus, costs, engine });
      made.forEach((instructions, i) => {
        const domain = machine.addDomain({ name: `d${i}`, vcpus: 1, memory: 0x10000, vpmu: policy !== 'off', policy });
        bootFlat(machine, domain, asm.assemble(assembly(instructions, BASE)));
        for (const [at, value] of data) domain.memory.write(BigInt(at), 8, value);
        domain.memory.write(BigInt(ROUNDS), 8, BigInt(rounds));
        const nop = domain.memory.read(BigInt(BASE), 4) as bigint;
        domain.memory.write(BigInt(PATCH), 8, (nop << 32n) | nop);
      });
      return machine;
    },
  };
}
