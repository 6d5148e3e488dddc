/**
 * Every back end gives the same registers, memory, counters, interrupts and events, on every guest image, on every program of the conformance kit,
 * and on random programs of two architectures. `npm run engines` tries thousands of the last.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Arch, PolicyName } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { arm64, programs as arm64Programs } from '../packages/arm64/src/index.ts';
import { boot, Machine } from '../packages/core/src/index.ts';
import { template, programs as templatePrograms } from '../packages/template/src/index.ts';
import { Random } from './differential/random.ts';
import { guest as randomArm64 } from './engines/arm64.ts';
import { compare, type Make } from './engines/same.ts';
import { guest as randomTemplate } from './engines/template.ts';

const IMAGES = fileURLToPath(new URL('../guests/arm64/images/', import.meta.url));
const MiB = 2 ** 20;

describe('guest images', () => {
  const images = readdirSync(IMAGES).filter((name) => name.endsWith('.elf'));

  it('are there', () => expect(images.length).toBeGreaterThan(10));

  it.each(images.flatMap((name) => (['emulated', 'passthrough'] as const).map((policy) => [name, policy] as const)))(
    '%s, %s',
    (name, policy: PolicyName) => {
      const make: Make = (engine) => {
        const machine = new Machine({
          arch: arm64,
          cpu: 'neoverse-n1',
          personality: 'plain',
          pcpus: 2,
          slice: 5000,
          engine,
        });
        const vcpus = name === 'smp.elf' ? 2 : 1;
        const domain = machine.addDomain({ name: 'guest', vcpus, memory: 64 * MiB, vpmu: true, policy });
        const bootargs = name.startsWith('bench-') ? 'repeat=1 mmu=on' : '';
        boot(machine, domain, { bytes: readFileSync(IMAGES + name), file: name, bootargs });
        return machine;
      };
      const { differs, translated } = compare(make, { until: 400_000, hot: 20 });
      expect(differs).toBeUndefined();
      // What only says hello has no loops to speak of.
      expect(translated).toBeGreaterThan(name.startsWith('bench-') ? 200_000 : 0);
    },
  );
});

describe.each([
  ['arm64', arm64 as Arch, arm64Programs, 8 * MiB],
  ['template', template as Arch, templatePrograms, 65536],
] as const)('programs of the conformance kit: %s', (_, arch, programs, memory) => {
  it.each(Object.keys(programs))('%s', (name) => {
    const { code } = (programs as Record<string, unknown>)[name] as { readonly code: Uint8Array };
    for (const policy of ['off', 'passthrough', 'switched', 'emulated', 'mediated'] as const) {
      if (!arch.offers.policies.includes(policy)) continue;
      const make: Make = (engine) => {
        const machine = new Machine({ arch, slice: 7, engine });
        const domain = machine.addDomain({ name, vcpus: 1, memory, vpmu: policy !== 'off', policy });
        boot(machine, domain, { bytes: code, file: name, kind: 'flat' });
        return machine;
      };
      const { differs, translated } = compare(make, { until: 20_000, hot: -1 });
      expect(differs).toBeUndefined();
      expect(translated).toBeGreaterThan(0);
    }
  });
});

describe('random programs', () => {
  const SEED = 20_260_101;
  it.each([
    ['arm64', randomArm64, 40],
    ['template', randomTemplate, 20],
  ] as const)('%s', { timeout: 300_000 }, (_, guest, count) => {
    let translated = 0;
    for (let i = 0; i < count; i++) {
      const { make, means, hot, deaf } = guest(new Random(SEED + i));
      const outcome = compare(make, { until: 3000, hot, deaf });
      expect(outcome.differs, `program ${SEED} + ${i}: ${means}`).toBeUndefined();
      translated += outcome.translated;
    }
    expect(translated).toBeGreaterThan(100 * count);
  });
});
