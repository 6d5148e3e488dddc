/** The parts of the benchmark beside the kernels: traps, context switches, interrupts, room for vCPUs, a soak. Each runs in a process of its own. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { PolicyName } from '@countervisor/contract';
import { domain, machine, programs } from './guests.ts';

/** Figures by name; what they are is in the name. */
export type Figures = Readonly<Record<string, number>>;

export const PART = '--part';

/** CPU seconds of all threads that a body takes. */
function seconds(body: () => void): number {
  const before = process.cpuUsage();
  body();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** Runs a guest to its end: CPU seconds and instructions. */
function whole(bytes: Uint8Array, policy: PolicyName): { readonly spent: number; readonly instructions: number } {
  const m = machine({});
  const d = domain(m, 'guest', bytes, policy);
  const spent = seconds(() => m.run());
  if (d.ended?.reason !== 'poweroff') throw new Error(`the guest ended by ${d.ended?.reason}`);
  return { spent, instructions: d.instructions() };
}

/** Reads of a counter per second, directly and trapped. */
function traps(): Figures {
  const rate = (policy: PolicyName, times: number): number => times / whole(programs.reads(times), policy).spent;
  return {
    'direct counter reads per second': rate('passthrough', 2_000_000),
    'trapped and emulated reads per second': rate('emulated', 1_000_000),
  };
}

/** Two domains that take turns. */
function switches(): Figures {
  const rate = (policy: PolicyName): number => {
    const m = machine({ slice: 1000 });
    const guests = ['a', 'b'].map((name) => domain(m, name, programs.busy(), policy));
    m.run({ until: 200_000 });
    const before = m.pcpus[0]?.switches ?? 0;
    const spent = seconds(() => m.run({ until: 10_000_000 }));
    if (guests.some((g) => g.ended !== undefined)) throw new Error('a guest ended');
    return ((m.pcpus[0]?.switches ?? 0) - before) / spent;
  };
  return {
    'context switches per second, switched': rate('switched'),
    'context switches per second, emulated': rate('emulated'),
  };
}

/** The same handler as an interrupt of the PMU and called: instructions per second of CPU time, and their ratio. */
function interrupts(): Figures {
  const figures: Record<string, number> = {};
  for (const period of [10_000, 1000]) {
    const times = 200_000_000 / period;
    for (const policy of ['passthrough', 'emulated'] as const) {
      const ratios = [1, 2, 3].map(() => {
        const a = whole(programs.interrupted(period, times), policy);
        const b = whole(programs.called(period, times), policy);
        return a.instructions / a.spent / (b.instructions / b.spent);
      });
      figures[`interrupt every ${period} over call, ${policy}`] = ratios.sort((x, y) => x - y)[1] as number;
    }
  }
  return figures;
}

const collect = (): void => (globalThis as { gc?: () => void }).gc?.();

/** Resident growth and time for `domains` of `vcpus` each, guest memory aside; every vCPU has programmed its PMU and run 10,000 instructions. */
function room(domains: number, vcpus: number): Figures {
  const memory = 1024 * 1024;
  const bytes = programs.busy();
  domain(machine({ slice: 10_000 }), 'warm', bytes, 'emulated');
  collect();
  const before = process.memoryUsage.rss();
  const m = machine({ slice: 10_000, quantum: 10_000 });
  const start = process.hrtime.bigint();
  const made = Array.from({ length: domains }, (_, i) => {
    const d = domain(m, `d${i}`, bytes, 'emulated', { vcpus, memory, settings: { gic: 3 } });
    // The others start where the first one does.
    for (const v of d.vcpus.slice(1)) m.power(v, d.platform.start(v.handle, 0x4008_0000n, 0n));
    return d;
  });
  const created = Number(process.hrtime.bigint() - start) / 1e6;
  m.run({ until: 10_000 * vcpus });
  const least = Math.min(...made.flatMap((d) => d.vcpus.map((v) => v.instructions)));
  if (least < 10_000) throw new Error(`a vCPU ran ${least} instructions only`);
  collect();
  collect();
  // One page of each guest's memory is resident, with its code, and the page of its boot data.
  const grown = process.memoryUsage.rss() - before;
  const name = `${domains} domains of ${vcpus} vCPUs`;
  return {
    [`${name}: resident bytes each vCPU`]: grown / (domains * vcpus),
    [`${name}: microseconds to create each`]: (created * 1000) / (domains * vcpus),
  };
}

/** A guest that rewrites its code all the time: what is resident after a while and after five times as long. */
function soak(): Figures {
  const m = machine({});
  const d = domain(m, 'guest', programs.rewriting(), 'off');
  // Whatever was rewritten is translated again at once: as much new code as can be.
  d.engine.hot = -1;
  const measure = (until: number): number => {
    m.run({ until });
    collect();
    return process.memoryUsage.rss() / 2 ** 20;
  };
  const early = measure(20_000_000);
  const late = measure(100_000_000);
  return {
    'soak: MiB after 20 M instructions': early,
    'soak: MiB after 100 M instructions': late,
    'soak: regions made': d.translator?.counts.made ?? 0,
    'soak: regions alive': d.translator?.counts.alive ?? 0,
  };
}

const PARTS: Readonly<Record<string, () => Figures>> = {
  traps,
  switches,
  interrupts,
  'room 1': () => room(1, 1),
  'room 100': () => room(1, 100),
  'room 1000': () => room(1000, 1),
  'room 10000': () => room(100, 100),
  soak,
};

/** The process of one part. */
export function part(name: string): void {
  process.stdout.write(JSON.stringify((PARTS[name] as () => Figures)()));
}

/** Every part's figures, one process after the other. */
export function parts(only: (name: string) => boolean = () => true): Figures {
  const all: Record<string, number> = {};
  for (const name of Object.keys(PARTS).filter(only)) {
    const argv = ['--expose-gc', fileURLToPath(import.meta.url), PART, name];
    const { stdout, stderr, status } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`the part '${name}' failed: ${stderr}`);
    Object.assign(all, JSON.parse(stdout));
  }
  return all;
}
