/**
 * A machine saved anywhere and restored elsewhere ends as if nothing had happened: guest images with interrupts, timers and a second CPU, stopped at fifty
 * random moments each. Library only: files of it come with `save` and `restore`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { arm64 } from '@countervisor/arm64';
import type { Arch } from '@countervisor/contract';
import {
  boot,
  compile,
  cpuModel,
  load,
  Machine,
  type MachineConfig,
  type MachineState,
  restore,
  state,
  summaries,
} from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { image, root } from './countervisor.ts';

const POINTS = 50;
const MEMORY = 2 * 1024 * 1024;

interface Case {
  readonly guests: readonly string[];
  readonly vcpus?: number;
  readonly policy: 'emulated' | 'switched';
  readonly config: Partial<MachineConfig>;
}

const CASES: Readonly<Record<string, Case>> = {
  'pmu-overflow, emulated': { guests: ['pmu-overflow'], policy: 'emulated', config: {} },
  'timer, also asleep': { guests: ['timer'], policy: 'emulated', config: {} },
  'smp, two vCPUs on two pCPUs': { guests: ['smp'], vcpus: 2, policy: 'emulated', config: { pcpus: 2 } },
  'pmu-overflow and pmu-count, switched on one pCPU': {
    guests: ['pmu-overflow', 'pmu-count'],
    policy: 'switched',
    config: { slice: 777 },
  },
};

const arch = load(arm64 as unknown as Arch);
const cpu = 'neoverse-n1';
const compiled = compile(arch, cpuModel(arch, cpu));

interface Watched {
  readonly machine: Machine;
  /** Overflows and interrupts, where and when. */
  readonly moments: string[];
  /** Instructions before each WFI. */
  readonly waits: number[];
}

/** Booted, and everything that it will be asked about noted as it happens. */
function fresh({ guests, vcpus = 1, policy, config }: Case): Watched {
  const machine = new Machine({ arch, compiled, cpu, personality: 'plain', ...config });
  for (const name of guests) {
    const domain = machine.addDomain({ name, vcpus, memory: MEMORY, vpmu: true, policy });
    boot(machine, domain, { bytes: new Uint8Array(readFileSync(join(root, image(name)))), file: name });
  }
  const moments: string[] = [];
  machine.events.on('overflow', (e) => moments.push(`${e.domain}/${e.vcpu} ${e.counter} ${e.pc} ${e.icount}`));
  machine.events.on('irq', (e) => moments.push(`${e.domain}/${e.vcpu} ${e.exception} ${e.pc} ${e.icount}`));
  const waits: number[] = [];
  machine.events.on('trap', (e) => e.cause === 'wait' && waits.push(e.icount));
  return { machine, moments, waits };
}

/** Numbers that repeat (mulberry32). */
function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** What each domain ends with; how often it was switched to depends on where the run was stopped. */
const ends = (machine: Machine): unknown => summaries(machine).map(({ switches: _, ...summary }) => summary);
const byDomain = (moments: readonly string[], domain: string): string[] =>
  moments.filter((moment) => moment.startsWith(`${domain}/`));

describe.each(Object.entries(CASES))('%s', (name, one) => {
  const whole = fresh(one);
  whole.machine.run();
  const last = Math.max(...whole.machine.domains.map((domain) => domain.instructions()));
  const next = random(name.length);
  const anywhere = Array.from({ length: POINTS }, () => 1 + Math.floor(next() * (last - 1)));
  // And asleep: the WFI has retired, and the clock stands still until its interrupt.
  const points = [...anywhere, ...whole.waits.map((n) => n + 1)].sort((a, b) => a - b);

  it('passes when nobody disturbs it', () => {
    expect(summaries(whole.machine).map(({ end }) => end?.verdict)).toEqual(one.guests.map(() => 'passed'));
    expect(whole.moments.length > 0).toBe(!name.startsWith('smp'));
    expect(whole.waits.length > 0).toBe(name.startsWith('timer'));
  });

  it(`saved at ${POINTS} moments and restored in a fresh machine: the same end, and the same moments on the way`, () => {
    // One machine goes from point to point, so that it was itself stopped often; its states go on in others.
    const walker = fresh(one);
    const alone = one.guests.length === 1;
    for (const point of points) {
      walker.machine.run({ until: point });
      // Plain data: what cannot be cloned or holds on to the machine would show.
      const saved: MachineState = structuredClone(state(walker.machine));
      const before = walker.moments.length;
      const other = fresh(one);
      restore(other.machine, saved);
      expect(state(other.machine), `saved again at ${point}`).toEqual(saved);
      other.machine.run();
      expect(ends(other.machine), `saved at ${point}`).toEqual(ends(whole.machine));
      for (const guest of one.guests) {
        expect(
          [...byDomain(walker.moments.slice(0, before), guest), ...byDomain(other.moments, guest)],
          `${guest}, saved at ${point}`,
        ).toEqual(byDomain(whole.moments, guest));
      }
      // With nobody else on the host, every register, page and device is the same.
      if (alone) expect(state(other.machine)).toEqual(state(whole.machine));
    }
    walker.machine.run();
    expect(ends(walker.machine)).toEqual(ends(whole.machine));
  });
});
