/** Events as perf names them: an architecture's name, rNNN, a generic name; behind a colon the levels that count (perf-list(1)). */
import type { Arch, CpuModel, PmuEvent, Signal } from '@countervisor/contract';
import { COUNTER_SIGNALS, near } from '@countervisor/core';
import { UsageError } from '../exit.ts';

export interface EventSpec {
  /** As the user wrote it: how results name it. */
  readonly text: string;
  /** Indices into the architecture's levels. */
  readonly levels: readonly number[];
  /** Absent: not supported, and `why` says so. */
  readonly signals?: readonly Signal[];
  readonly why?: string;
}

/** perf's names for what every architecture has. */
export const GENERIC: Readonly<Record<string, { readonly signals: readonly Signal[]; readonly means: string }>> = {
  cycles: { signals: ['cycle'], means: 'Cycles, by the published cost table.' },
  instructions: { signals: ['instruction'], means: 'Instructions retired.' },
  branches: { signals: ['branch'], means: 'Branches retired, taken or not.' },
};

export const DEFAULT_EVENTS: readonly string[] = ['cycles', 'instructions', 'branches'];

/** Bit numbers are perf's: u user, k kernel, h hypervisor. Without any, all count. */
function levelsOf(text: string, modifiers: string | undefined, levels: number): number[] {
  const kinds: Readonly<Record<string, readonly number[]>> = {
    u: [0],
    k: Array.from({ length: levels - 2 }, (_, i) => i + 1),
    h: [levels - 1],
  };
  if (modifiers === undefined) return Array.from({ length: levels }, (_, i) => i);
  const chosen = new Set<number>();
  for (const letter of modifiers) {
    const kind = Object.hasOwn(kinds, letter) ? kinds[letter] : undefined;
    if (kind === undefined)
      throw new UsageError(
        'CV_USAGE',
        `'${text}' has the modifier '${letter}'.`,
        'Modifiers are u (user), k (kernel) and h (hypervisor).',
      );
    for (const level of kind) chosen.add(level);
  }
  if (chosen.size === 0)
    throw new UsageError(
      'CV_USAGE',
      `'${text}' names no level behind its colon.`,
      'Write u, k, h, or several of them; or no colon.',
    );
  return [...chosen].sort((a, b) => a - b);
}

function countable(event: PmuEvent, arch: Arch, cpu: CpuModel): Pick<EventSpec, 'signals' | 'why'> {
  if (event.needs !== undefined && !cpu.features.has(event.needs))
    return { why: `the CPU ${cpu.name} has no ${event.needs}` };
  const own = event.counts.find((signal) => COUNTER_SIGNALS.includes(signal));
  if (own !== undefined)
    return { why: `${event.name} is about one of the guest's own counters: read that one (countervisor run, regs)` };
  return arch.pmu.events.includes(event) ? { signals: event.counts } : { why: 'it is not modelled' };
}

function eventOf(name: string, arch: Arch, cpu: CpuModel): Pick<EventSpec, 'signals' | 'why'> {
  const generic = Object.hasOwn(GENERIC, name) ? GENERIC[name] : undefined;
  if (generic !== undefined) return { signals: generic.signals };
  const lower = name.toLowerCase();
  const named = arch.pmu.events.find((event) => event.name.toLowerCase() === lower);
  if (named !== undefined) return countable(named, arch, cpu);
  if (/^r[0-9a-f]{1,16}$/i.test(name)) {
    const id = Number.parseInt(name.slice(1), 16);
    const numbered = arch.pmu.events.find((event) => event.id === id);
    return numbered === undefined
      ? { why: `${arch.name} models no event 0x${id.toString(16)}` }
      : countable(numbered, arch, cpu);
  }
  const known = [...Object.keys(GENERIC), ...arch.pmu.events.map((event) => event.name)];
  const meant = near(name, known);
  if (meant !== undefined) throw new UsageError('CV_USAGE', `There is no event '${name}'.`, `Did you mean '${meant}'?`);
  if (!/^[A-Za-z][A-Za-z0-9_.-]{1,63}$/.test(name)) {
    throw new UsageError(
      'CV_USAGE',
      `'${name}' is no event.`,
      '`countervisor list events` names them; rNNN takes a number.',
    );
  }
  return { why: `${arch.name} models no event ${name}` };
}

/** @throws UsageError for names and modifiers that do not exist; what exists and cannot be counted is returned without signals */
export function parseEvents(lists: readonly string[], arch: Arch, cpu: CpuModel): EventSpec[] {
  const texts = lists.flatMap((list) => list.split(',')).map((text) => text.trim());
  const specs: EventSpec[] = [];
  for (const text of texts) {
    if (text === '') throw new UsageError('CV_USAGE', '-e holds an empty event.', 'Separate events by single commas.');
    if (/[{}]/.test(text))
      throw new UsageError(
        'CV_USAGE',
        `'${text}' is a group.`,
        'Leave the braces out: everything is counted at the same time.',
      );
    const [name = '', modifiers, ...more] = text.split(':');
    if (more.length > 0)
      throw new UsageError('CV_USAGE', `'${text}' has two colons.`, 'Write the modifiers together: cycles:uk.');
    const spec = { text, levels: levelsOf(text, modifiers, arch.levels.length), ...eventOf(name, arch, cpu) };
    if (!specs.some((other) => other.text === text)) specs.push(spec);
  }
  return specs;
}
