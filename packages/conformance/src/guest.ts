/** Guest code from neutral steps: how suites say what a guest does, and what became of it. */
import type {
  Address,
  Arch,
  Code,
  CodeWriter,
  Control,
  GuestWrites,
  Model,
  PmuUse,
  PolicyName,
  Step,
  StepPlace,
} from '@countervisor/contract';
import { Absent, type Lab, Lack, type Subject } from './check.ts';
import { setupOf } from './facts.ts';
import type { Moment, Progress, Session } from './target.ts';

export const nop = (times = 1): Step => ({ do: 'nop', times });
export const keep = (slot: number): Step => ({ do: 'keep', slot });
export const level = (name: string): Step => ({ do: 'level', level: name });
export const CATCH: Step = { do: 'catch' };
export const INTERRUPTS: Step = { do: 'interrupts' };
export const EXCEPTION: Step = { do: 'exception' };
export const END: Step = { do: 'end' };

/** @throws RangeError for a register that has no address */
export function addressOf(arch: Arch, register: string): Address {
  const at = arch.registers[register]?.at;
  if (at === undefined) throw new RangeError(`${register} has no address, so no guest code reaches it`);
  return at;
}

export const read = (arch: Arch, register: string): Step => ({ do: 'read', from: addressOf(arch, register) });
export const write = (arch: Arch, register: string, value: bigint, bits?: bigint): Step => ({
  do: 'write',
  to: addressOf(arch, register),
  value,
  ...(bits !== undefined && { bits }),
});
export const writes = (arch: Arch, list: GuestWrites): Step[] =>
  list.map(([register, value, bits]) => write(arch, register, value, bits));

export const NO_CODE: Lack = new Lack('the architecture gives no writer of machine code (Conformance.code)');
export const NO_USE: Lack = new Lack('the architecture does not say how its PMU is used (Conformance.use)');

/** @throws Absent where the kit has none */
export function writerOf({ kit }: Subject): CodeWriter {
  if (kit.code === undefined) throw new Absent(NO_CODE);
  return kit.code;
}

/** @throws Absent where the kit has none */
export function useOf({ kit }: Subject): PmuUse {
  if (kit.use === undefined) throw new Absent(NO_USE);
  return kit.use;
}

/** Levels that guests run at, lowest first. */
export const guestLevels = (arch: Arch): readonly string[] => arch.levels.slice(0, -1);
export const kernelOf = (arch: Arch): string => arch.levels.at(-2) as string;
/** The policy under which most is direct. */
export function plainest({ arch }: Subject): PolicyName {
  const wanted: readonly PolicyName[] = ['passthrough', 'switched', 'mediated', 'emulated', 'off'];
  return wanted.find((policy) => arch.offers.policies.includes(policy)) as PolicyName;
}

/** Policies whose guests have a PMU. */
export const counting = ({ arch }: Subject): readonly PolicyName[] => arch.offers.policies.filter((p) => p !== 'off');

/** Instructions retired when the last one of a step has. */
export const behind = ({ before, instructions }: StepPlace): number => before + instructions;

export const placeOf = (code: Code, step: number): StepPlace => {
  const place = code.places[step];
  if (place === undefined) throw new RangeError(`there is no step ${step}`);
  return place;
};

/** Bits of a register changed from outside. */
export interface Change {
  readonly register: string;
  readonly clear: bigint;
  readonly set: bigint;
}

/** Turns a control on or off. */
export function change({ register, bits, while: stops }: Control, on: boolean): Change {
  const set = (stops === 'set') === on;
  return { register, clear: set ? 0n : bits, set: set ? bits : 0n };
}

/** One access by guest code, and what became of it. */
export interface Probe {
  readonly register: string;
  /** Absent: a read. */
  readonly value?: bigint;
  readonly level: string;
  readonly policy: PolicyName;
  /** Default: the one that the manual tells of. */
  readonly model?: Model;
  /** Made from outside before the access, in order. */
  readonly first?: readonly Change[];
}

export interface Probed {
  readonly session: Session;
  /** The instruction retired; else an exception was taken, or the domain ended. */
  readonly retired: boolean;
  /** What a read left. */
  readonly read: bigint;
  /** Exits to the hypervisor that the access made. */
  readonly exits: number;
  readonly access: (Moment & { kind: 'access' }) | undefined;
  readonly progress: Progress;
}

const sum = (exits: Readonly<Record<string, number>>): number => Object.values(exits).reduce((a, b) => a + b, 0);

const EVERY = 0xffff_ffff_ffff_ffffn;

/** Does one access at a level and says what became of it. */
export async function probe(subject: Subject, lab: Lab, asked: Probe): Promise<Probed> {
  const { arch } = subject;
  const code = writerOf(subject);
  const steps: Step[] = [CATCH];
  if (asked.level !== kernelOf(arch)) steps.push(level(asked.level));
  steps.push(
    nop(),
    asked.value === undefined ? read(arch, asked.register) : write(arch, asked.register, asked.value),
    END,
  );
  const written = code.write(steps);
  const place = placeOf(written, steps.length - 2);
  const { model = subject.facts } = asked;
  const session = await lab.start({ guests: [{ code: written.bytes, policy: asked.policy }], ...setupOf(model) });
  const until = behind(place);
  await session.run(until - 1);
  for (const { register, clear, set } of asked.first ?? []) {
    // What is changed as a whole need not be read.
    const kept = clear === EVERY ? 0n : (await session.get(register)) & ~clear;
    await session.set(register, kept | set);
  }
  const before = await session.progress();
  if (before.instructions !== until - 1) {
    throw new Error(`the guest did not come to the access: ${before.instructions} of ${until - 1} instructions`);
  }
  if (lab.target.lacks.events === undefined) await session.watch();
  const pc = await session.get(arch.isa.pc);
  await session.run(until);
  const progress = await session.progress();
  const after = await session.get(arch.isa.pc);
  // An exception's handler stands elsewhere, and one instruction of it has retired.
  const retired = after > pc && after - pc <= BigInt(arch.isa.longest) && progress.instructions === until;
  const moments = lab.target.lacks.events === undefined ? await session.moments() : [];
  return {
    session,
    retired,
    read: await session.get(code.value),
    exits: sum(progress.exits) - sum(before.exits),
    access: moments.find((m): m is Moment & { kind: 'access' } => m.kind === 'access' && m.register === asked.register),
    progress,
  };
}
