/** Registers: what they hold after power-on, what a write does to each bit, what a read shows, who may access them, and what is not there without its feature. */
import type { Model, RegisterFacts } from '@countervisor/contract';
import { type Check, holds, type Lab, Lack, type Subject, same } from '../check.ts';
import { LOUD, NO_MANUAL, setupOf, untold } from '../facts.ts';
import {
  addressOf,
  type Change,
  change,
  END,
  guestLevels,
  kernelOf,
  NO_CODE,
  nop,
  plainest,
  probe,
  writerOf,
} from '../guest.ts';
import type { Capability, Session } from '../target.ts';
import { modelWithout } from './models.ts';

const ALL = 0xffff_ffff_ffff_ffffn;
const FIVES = 0x5555_5555_5555_5555n;
const TENS = 0xaaaa_aaaa_aaaa_aaaan;
/** What a register held, and what is written to it: every pair of a bit's old and new value comes up, beside every other. */
const WAYS = [
  [ALL, 0n],
  [0n, ALL],
  [ALL, ALL],
  [0n, 0n],
  [TENS, FIVES],
  [FIVES, TENS],
] as const;
const MIXED = 0x5a3c_9696_c3a5_0ff0n;

/** A register as one model has it. */
interface Entry {
  readonly name: string;
  readonly facts: RegisterFacts;
  readonly model: Model;
  /** The model that the manual tells of first. */
  readonly base: boolean;
}

export const storedBits = ({ plain = 0n, sets = 0n, clears = 0n, keeps = 0n }: RegisterFacts): bigint =>
  plain | sets | clears | keeps;

/** What is there after a write, by the facts. */
function after(facts: RegisterFacts, before: bigint, written: bigint): bigint {
  const { plain = 0n, sets = 0n, clears = 0n, keeps = 0n, ones = 0n } = facts;
  return (written & plain) | ((before | written) & sets) | (before & ~written & clears) | (before & keeps) | ones;
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;
const done = (retired: boolean): string => (retired ? 'is done' : 'is undefined');

/** For a check's name: the model, unless it is the one that the manual tells of first. */
export function onModel(model?: Model): string {
  if (model === undefined) return '';
  const { cpu, settings, domain } = model;
  const more = Object.entries({ ...settings, ...domain }).map(([key, value]) => `, ${key} ${value}`);
  return ` on ${cpu}${more.join('')}`;
}

const shown = ({ model, base }: Entry): string => onModel(base ? undefined : model);

/** Raw changes that let every access to this register pass. */
export const opened = ({ facts }: Subject, { controls = [] }: RegisterFacts): Change[] =>
  controls.flatMap((name) => {
    const control = facts.controls[name];
    return control === undefined ? [] : [change(control, false)];
  });

const least = ({ arch }: Subject, name: string): number =>
  name === 'never' ? Number.POSITIVE_INFINITY : arch.levels.indexOf(name);

/** Lowest level of a guest's that may. */
const levelFor = (subject: Subject, which: string): string | undefined =>
  guestLevels(subject.arch)[least(subject, which)];

function expectedReset(facts: RegisterFacts): bigint {
  return facts.reset === 'unknown' ? (LOUD & storedBits(facts)) | (facts.ones ?? 0n) : (facts.reset as bigint);
}

/** A value that can be written without harm: writing what it holds changes least. */
export const harmless = (facts: RegisterFacts): bigint =>
  facts.value ?? (facts.reset === undefined ? 0n : expectedReset(facts));

/** Where the bits are that can be put there from outside. */
const storeOf = ({ name, facts }: Entry): string | undefined => facts.of ?? (facts.made === true ? undefined : name);

const needs = ({ base }: Entry): readonly Capability[] => (base ? ['raw'] : ['raw', 'models']);

/** A guest on its physical CPU, one instruction behind power-on. */
async function poweredOn(subject: Subject, lab: Lab, { model }: Entry): Promise<Session> {
  const code = writerOf(subject).write([nop(3), END]);
  const session = await lab.start({ guests: [{ code: code.bytes, policy: plainest(subject) }], ...setupOf(model) });
  await session.run(1);
  return session;
}

function resets(subject: Subject, entry: Entry): Check {
  const { name, facts } = entry;
  const row = subject.arch.registers[name];
  return {
    suite: 'registers',
    name: `${name} after power-on${shown(entry)}`,
    needs: needs(entry),
    async run(lab: Lab): Promise<void> {
      const expected = expectedReset(facts);
      // What is made may be made of the physical CPU's state.
      if (row?.home !== 'pcpu' && facts.made !== true) {
        const code = writerOf(subject).write([nop(3), END]);
        const setup = { guests: [{ code: code.bytes, policy: plainest(subject) }], ...setupOf(entry.model) };
        const session = await lab.start(setup);
        same(`${name} before the first instruction`, hex(await session.get(name)), hex(expected));
      }
      if (row?.at === undefined) return;
      const session = await poweredOn(subject, lab, entry);
      same(`${name} on the physical CPU`, hex(await session.get(name)), hex(expected));
    },
  };
}

function privilege(subject: Subject, entry: Entry): Check {
  const { arch } = subject;
  const { name, facts, model } = entry;
  return {
    suite: 'registers',
    name: `${name}: who may read and write it${shown(entry)}`,
    needs: needs(entry),
    async run(lab: Lab): Promise<void> {
      const writer = writerOf(subject);
      const at = addressOf(arch, name);
      const base = { register: name, policy: plainest(subject), model, first: opened(subject, facts) };
      const value = harmless(facts);
      // Where a kernel's access to what it may not touch can do nothing and retire, it shows nothing; what is not there without a feature is looked at apart.
      const ignored = (level: string): boolean => subject.kit.missing === 'ignored' && level === kernelOf(arch);
      for (const [here, level] of guestLevels(arch).entries()) {
        if (writer.reaches(at, false)) {
          const { retired, read } = await probe(subject, lab, { ...base, level });
          const may = here >= least(subject, facts.levels[0]);
          if (retired && !may && ignored(level)) same(`what a read of ${name} leaves`, hex(read), hex(0n));
          else same(`a read of ${name} at the level ${level}`, done(retired), done(may));
        }
        if (writer.reaches(at, true)) {
          const { retired } = await probe(subject, lab, { ...base, level, value });
          const what = `a write of ${hex(value)} to ${name} at the level ${level}`;
          const may = here >= least(subject, facts.levels[1]);
          if (!retired || may || !ignored(level)) same(what, done(retired), done(may));
        }
      }
    },
  };
}

function writes(subject: Subject, entry: Entry, level: string): Check {
  const { name, facts, model } = entry;
  return {
    suite: 'registers',
    name: `${name}: what a write does to each bit${shown(entry)}`,
    needs: needs(entry),
    async run(lab: Lab): Promise<void> {
      const { refuses = 0n, apart = 0n } = facts;
      const stored = storedBits(facts) & ~apart;
      const store = storeOf(entry);
      const ways = WAYS.flatMap(([held, value]) => [
        [held, value] as const,
        ...((value & refuses) === 0n ? [] : [[held, value & ~refuses] as const]),
      ]);
      for (const [held, value] of ways) {
        const first = [...opened(subject, facts)];
        if (store !== undefined) first.push({ register: store, clear: ALL, set: held & stored });
        let before = held & stored;
        if (facts.made === true) {
          const session = await poweredOn(subject, lab, entry);
          if (store !== undefined) await session.set(store, before);
          before = await session.get(name);
        }
        const got = await probe(subject, lab, {
          register: name,
          level,
          policy: plainest(subject),
          model,
          first,
          value,
        });
        const result = after(facts, before, value);
        const refused = (value & refuses) !== 0n || (facts.nonzero === true && result === 0n);
        same(`a write of ${hex(value)} to ${name}`, done(got.retired), done(!refused));
        const what = `${name}, which was ${hex(before)}, after a write of ${hex(value)}`;
        same(what, hex(await got.session.get(name)), hex(refused ? before : result));
      }
    },
  };
}

function reads(subject: Subject, entry: Entry, level: string): Check {
  const { name, facts, model } = entry;
  return {
    suite: 'registers',
    name: `${name}: what a read shows${shown(entry)}`,
    needs: needs(entry),
    async run(lab: Lab): Promise<void> {
      const store = storeOf(entry);
      const { ones = 0n, keeps = 0n, apart = 0n } = facts;
      // Bits that are made have the value of power-on; those that are stored can be put there.
      const stored = storedBits(facts) & ~apart & ~(facts.made === true ? keeps : 0n);
      // Bits that this model does not show may stand there all the same.
      const usual = subject.facts.registers[name];
      const room = stored | (usual === undefined || usual.made === true ? 0n : storedBits(usual) & ~apart);
      for (const held of store === undefined ? [0n] : [ALL, 0n, MIXED, ~MIXED & ALL]) {
        const first = opened(subject, facts);
        if (store !== undefined) first.push({ register: store, clear: ALL, set: held & room });
        const got = await probe(subject, lab, { register: name, level, policy: plainest(subject), model, first });
        if (facts.reset === undefined && facts.made === true) {
          // It moves: the guest saw it before the instruction had retired.
          const now = await got.session.get(name);
          holds(`a read of ${name}`, got.read <= now, `at most ${hex(now)}`, hex(got.read));
          if (facts.shows === undefined) continue;
          const values: bigint[] = [];
          for (const other of facts.shows.of) values.push(await got.session.get(other));
          same(`${name}, made of ${facts.shows.of.join(', ')}`, hex(now), hex(facts.shows.value(...values)));
          continue;
        }
        const made = facts.made === true ? expectedReset(facts) & ~stored : 0n;
        // What was put there from outside holds no fixed ones.
        same(
          `a read of ${name}`,
          hex(got.read | ones),
          hex((store === undefined ? expectedReset(facts) : (held & stored) | made) | ones),
        );
      }
    },
  };
}

function absent(subject: Subject, { name }: Entry, feature: string): Check {
  const { arch, facts } = subject;
  return {
    suite: 'registers',
    name: `${name} is not there without ${feature}`,
    needs: ['raw', 'models'],
    async run(lab: Lab): Promise<void> {
      const writer = writerOf(subject);
      const at = addressOf(arch, name);
      const model = { ...facts, cpu: modelWithout(arch, feature) };
      for (const write of [false, true]) {
        if (!writer.reaches(at, write)) continue;
        const asked = { register: name, level: kernelOf(arch), policy: plainest(subject), model };
        const got = await probe(subject, lab, write ? { ...asked, value: 0n } : asked);
        same(
          `${write ? 'a write' : 'a read'} of ${name} on ${model.cpu}`,
          done(got.retired),
          done(subject.kit.missing === 'ignored'),
        );
        if (got.access !== undefined) same(`why ${name} is undefined on ${model.cpu}`, got.access.verdict, 'absent');
        same(`${name} from outside, on ${model.cpu}`, hex(await got.session.get(name)), hex(0n));
      }
    },
  };
}

/** Rows and facts tell of the same registers. */
function complete(subject: Subject): Check {
  const { arch, facts, kit } = subject;
  const none = new Lack(`${NO_MANUAL}: its tables are tested against core alone`);
  return {
    suite: 'registers',
    name: 'the manual tells of every register that has an address, and of no other',
    ...(kit.manual === undefined && { absent: none }),
    async run(): Promise<void> {
      for (const [name, row] of Object.entries(arch.registers)) {
        if (row.at !== undefined) holds(`${name} is in the manual`, name in facts.registers, 'facts of it', 'none');
      }
      for (const name of Object.keys(facts.registers)) {
        holds(`${name} is in the tables`, name in arch.registers, 'a row of it', 'none');
      }
    },
  };
}

function entries({ arch, facts }: Subject): Entry[] {
  const base = Object.entries(facts.registers).map(([name, own]) => ({ name, facts: own, model: facts, base: true }));
  const others = facts.models.flatMap((model) =>
    // Who else stops it there is for the suite that looks at accesses.
    Object.entries(model.registers).flatMap(([name, more]) => {
      if (Object.keys(more).every((key) => key === 'controls')) return [];
      const own = { ...facts.registers[name], ...more } as RegisterFacts;
      return [{ name, facts: own, model, base: false }];
    }),
  );
  return [...base, ...others].filter(({ name }) => name in arch.registers);
}

export function registers(subject: Subject): Check[] {
  const { arch, facts, kit } = subject;
  const { code } = kit;
  const checks: Check[] = [complete(subject)];
  for (const entry of entries(subject)) {
    const { name, facts: own, base, model } = entry;
    if (code === undefined) continue;
    // On other models a window's bits are what a read shows; seen from outside it is the register behind it.
    if (own.reset !== undefined && (base || own.of === undefined)) checks.push(resets(subject, entry));
    const { at } = arch.registers[name] as (typeof arch.registers)[string];
    if (at === undefined) continue;
    const why = untold(subject, name);
    const about = (check: Check): Check => (why === undefined ? check : { ...check, absent: why });
    const told = base || facts.models.some((other) => other === model && other.registers[name]?.levels !== undefined);
    if (told) checks.push(about(privilege(subject, entry)));
    const writing = levelFor(subject, own.levels[1]);
    if (writing !== undefined && own.acts === undefined && code.reaches(at, true)) {
      checks.push(about(writes(subject, entry, writing)));
    }
    const reading = levelFor(subject, own.levels[0]);
    const usual = facts.registers[name];
    const other = usual !== undefined && storedBits(own) !== storedBits(usual);
    if (reading !== undefined && (told || other) && code.reaches(at, false))
      checks.push(about(reads(subject, entry, reading)));
    if (base && own.needs !== undefined) checks.push(absent(subject, entry, own.needs));
  }
  if (code === undefined) {
    checks.push({ suite: 'registers', name: 'guest accesses', absent: NO_CODE, run: () => Promise.resolve() });
  }
  return checks;
}
