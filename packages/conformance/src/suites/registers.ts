/** Registers: what they hold after power-on, what a write does to each bit, what a read shows, who may access them, and what is not there without its feature. */
import type { RegisterFacts } from '@countervisor/contract';
import { type Check, holds, type Lab, type Subject, same } from '../check.ts';
import { LOUD } from '../facts.ts';
import { addressOf, guestLevels, kernelOf, NO_CODE, nop, plainest, probe, writerOf } from '../guest.ts';
import { modelWithout } from './models.ts';

const ALL = 0xffff_ffff_ffff_ffffn;
const PATTERNS = [0n, ALL, 0x5555_5555_5555_5555n, 0xaaaa_aaaa_aaaa_aaaan];
/** Two steps on from each of the others, so that every pair of a bit's old and new value comes up. */
const BEFORE = [ALL, 0n, 0xaaaa_aaaa_aaaa_aaaan, 0n, 0x5555_5555_5555_5555n];

export const storedBits = ({ plain = 0n, sets = 0n, clears = 0n, keeps = 0n }: RegisterFacts): bigint =>
  plain | sets | clears | keeps;

/** What is there after a write, by the facts. */
function after(facts: RegisterFacts, before: bigint, written: bigint): bigint {
  const { plain = 0n, sets = 0n, clears = 0n, keeps = 0n, ones = 0n } = facts;
  return (written & plain) | ((before | written) & sets) | (before & ~written & clears) | (before & keeps) | ones;
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

const addressed = ({ arch }: Subject, name: string): boolean => arch.registers[name]?.at !== undefined;

/** Raw values that let every access to this register pass. */
export const opened = ({ facts }: Subject, register: string): readonly (readonly [string, bigint])[] =>
  (facts.registers[register]?.controls ?? []).flatMap((name) => facts.controls[name]?.off ?? []);

const least = ({ arch }: Subject, name: string): number =>
  name === 'never' ? Number.POSITIVE_INFINITY : arch.levels.indexOf(name);

/** Lowest level of a guest's that may. */
function levelFor(subject: Subject, which: string): string | undefined {
  const at = least(subject, which);
  return guestLevels(subject.arch)[at];
}

export function expectedReset(facts: RegisterFacts): bigint {
  return facts.reset === 'unknown' ? (LOUD & storedBits(facts)) | (facts.ones ?? 0n) : (facts.reset as bigint);
}

/** The value that a register holds anyway: writing it changes least. */
export const harmless = (facts: RegisterFacts): bigint => (facts.reset === undefined ? 0n : expectedReset(facts));

function resets(subject: Subject, name: string, cpu: string, facts: RegisterFacts): Check {
  return {
    suite: 'registers',
    name: `${name} after power-on${cpu === subject.facts.cpu ? '' : ` on ${cpu}`}`,
    needs: ['raw', ...(cpu === subject.facts.cpu ? [] : (['models'] as const))],
    async run(lab: Lab): Promise<void> {
      const code = writerOf(subject).write([nop(3), { do: 'end' }]);
      const session = await lab.start({ guests: [{ code: code.bytes, policy: plainest(subject) }], cpu });
      const expected = expectedReset(facts);
      same(`${name} before the first instruction`, await session.get(name), expected);
      if (!addressed(subject, name)) return;
      // Now the guest is on a physical CPU, whose registers are looked at.
      await session.run(1);
      same(`${name} on the physical CPU`, await session.get(name), expected);
    },
  };
}

function privilege(subject: Subject, name: string, facts: RegisterFacts): Check {
  const { arch } = subject;
  return {
    suite: 'registers',
    name: `${name}: who may read and write it`,
    needs: ['raw'],
    async run(lab: Lab): Promise<void> {
      const writer = writerOf(subject);
      const at = addressOf(arch, name);
      const base = { register: name, policy: plainest(subject), cpu: subject.facts.cpu, first: opened(subject, name) };
      for (const level of guestLevels(arch)) {
        const here = arch.levels.indexOf(level);
        if (writer.reaches(at, false)) {
          const { retired } = await probe(subject, lab, { ...base, level });
          same(
            `a read of ${name} at the level ${level}`,
            retired ? 'done' : 'undefined',
            here >= least(subject, facts.levels[0]) ? 'done' : 'undefined',
          );
        }
        if (writer.reaches(at, true)) {
          const value = harmless(facts);
          const { retired } = await probe(subject, lab, { ...base, level, value });
          const may = here >= least(subject, facts.levels[1]);
          same(
            `a write of ${hex(value)} to ${name} at the level ${level}`,
            retired ? 'done' : 'undefined',
            may ? 'done' : 'undefined',
          );
        }
      }
    },
  };
}

function writes(subject: Subject, name: string, cpu: string, facts: RegisterFacts, level: string): Check {
  return {
    suite: 'registers',
    name: `${name}: what a write does to each bit${cpu === subject.facts.cpu ? '' : ` on ${cpu}`}`,
    needs: ['raw', ...(cpu === subject.facts.cpu ? [] : (['models'] as const))],
    async run(lab: Lab): Promise<void> {
      const refuses = facts.refuses ?? 0n;
      const stored = storedBits(facts);
      const ways = PATTERNS.flatMap((value, n) => [
        [BEFORE[n] as bigint, value] as const,
        [BEFORE[n + 1] as bigint, value] as const,
        ...(refuses === 0n ? [] : [[BEFORE[n] as bigint, value & ~refuses] as const]),
      ]);
      for (const [pattern, value] of ways) {
        const preset = pattern & stored;
        const store = facts.of ?? (facts.made === true ? undefined : name);
        const first = [...opened(subject, name), ...(store === undefined ? [] : [[store, preset] as const])];
        const before = store === undefined ? await poweredOn(subject, lab, name, cpu) : preset;
        const shown = await probe(subject, lab, {
          register: name,
          level,
          policy: plainest(subject),
          cpu,
          first,
          value,
        });
        const found = await shown.session.get(name);
        const result = after(facts, before, value);
        const refused = (value & refuses) !== 0n || (facts.nonzero === true && result === 0n);
        same(
          `a write of ${hex(value)} to ${name}`,
          shown.retired ? 'done' : 'undefined',
          refused ? 'undefined' : 'done',
        );
        same(
          `${name}, which was ${hex(before)}, after a write of ${hex(value)}`,
          hex(found),
          hex(refused ? before : result),
        );
      }
    },
  };
}

async function poweredOn(subject: Subject, lab: Lab, name: string, cpu: string): Promise<bigint> {
  const code = writerOf(subject).write([nop(3), { do: 'end' }]);
  const session = await lab.start({ guests: [{ code: code.bytes, policy: plainest(subject) }], cpu });
  await session.run(1);
  return session.get(name);
}

function reads(subject: Subject, name: string, facts: RegisterFacts, level: string): Check {
  return {
    suite: 'registers',
    name: `${name}: what a read shows`,
    needs: ['raw'],
    async run(lab: Lab): Promise<void> {
      const store = facts.of ?? (facts.made === true ? undefined : name);
      const stored = storedBits(facts);
      for (const pattern of store === undefined
        ? [0n]
        : [ALL, 0n, 0x5a3c_9696_c3a5_0ff0n, ~0x5a3c_9696_c3a5_0ff0n & ALL]) {
        const first = [...opened(subject, name), ...(store === undefined ? [] : [[store, pattern & stored] as const])];
        const got = await probe(subject, lab, {
          register: name,
          level,
          policy: plainest(subject),
          cpu: subject.facts.cpu,
          first,
        });
        if (store === undefined && facts.reset === undefined) {
          // It moves: the guest saw it before the instruction had retired.
          const now = await got.session.get(name);
          holds(`a read of ${name}`, got.read <= now, `at most ${hex(now)}`, hex(got.read));
          continue;
        }
        const expected = store === undefined ? expectedReset(facts) : (pattern & stored) | (facts.ones ?? 0n);
        // What was put there from outside holds no fixed ones.
        const fixed = store === undefined ? 0n : (facts.ones ?? 0n);
        same(`a read of ${name}`, hex(got.read | fixed), hex(expected));
      }
    },
  };
}

function absent(subject: Subject, name: string, feature: string): Check {
  const { arch } = subject;
  return {
    suite: 'registers',
    name: `${name} is not there without ${feature}`,
    needs: ['raw', 'models'],
    async run(lab: Lab): Promise<void> {
      const writer = writerOf(subject);
      const at = addressOf(arch, name);
      const cpu = modelWithout(arch, feature);
      for (const write of [false, true]) {
        if (!writer.reaches(at, write)) continue;
        const got = await probe(subject, lab, {
          register: name,
          level: kernelOf(arch),
          policy: plainest(subject),
          cpu,
          ...(write && { value: 0n }),
        });
        same(`${write ? 'a write' : 'a read'} of ${name} on ${cpu}`, got.retired ? 'done' : 'undefined', 'undefined');
        if (got.access !== undefined) same(`why ${name} is undefined on ${cpu}`, got.access.verdict, 'absent');
      }
    },
  };
}

/** Rows and facts tell of the same registers, with the same roles. */
function complete(subject: Subject): Check {
  const { arch, facts, kit } = subject;
  return {
    suite: 'registers',
    name: 'the manual tells of every register that has an address, and of no other',
    ...(kit.manual === undefined && {
      absent: 'the architecture gives no manual (Conformance.manual): its tables are tested against core alone',
    }),
    async run(): Promise<void> {
      for (const [name, row] of Object.entries(arch.registers)) {
        if (row.at !== undefined)
          holds(`${name} is in the manual`, facts.registers[name] !== undefined, 'facts of it', 'none');
      }
      for (const name of Object.keys(facts.registers)) {
        holds(`${name} is in the tables`, arch.registers[name] !== undefined, 'a row of it', 'none');
      }
    },
  };
}

export function registers(subject: Subject): Check[] {
  const { arch, facts, kit } = subject;
  const checks: Check[] = [complete(subject)];
  const models = facts.models.flatMap(({ cpu, registers: some }) =>
    Object.entries(some).map(
      ([name, more]) => [name, cpu, { ...facts.registers[name], ...more } as RegisterFacts] as const,
    ),
  );
  const all = Object.entries(facts.registers).map(([name, own]) => [name, facts.cpu, own] as const);
  for (const [name, cpu, own] of [...all, ...models]) {
    if (arch.registers[name] === undefined) continue;
    const base = cpu === facts.cpu;
    const code = kit.code;
    if (own.reset !== undefined && own.of === undefined) checks.push(resets(subject, name, cpu, own));
    const { at } = arch.registers[name];
    if (at === undefined || code === undefined) continue;
    if (base) checks.push(privilege(subject, name, own));
    const writing = levelFor(subject, own.levels[1]);
    if (writing !== undefined && own.acts === undefined && code.reaches(at, true))
      checks.push(writes(subject, name, cpu, own, writing));
    const reading = levelFor(subject, own.levels[0]);
    if (base && reading !== undefined && code.reaches(at, false)) checks.push(reads(subject, name, own, reading));
    if (base && own.needs !== undefined) checks.push(absent(subject, name, own.needs));
  }
  if (kit.code === undefined) {
    checks.push({ suite: 'registers', name: 'guest accesses', absent: NO_CODE, run: () => Promise.resolve() });
  }
  return checks;
}
