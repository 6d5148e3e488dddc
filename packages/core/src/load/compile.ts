/** The plugin's tables as integer-indexed ones, for one CPU model: names are looked up here once, and never again while a guest runs. */
import {
  type Affects,
  type Arch,
  type Cause,
  type Counter,
  type CpuModel,
  type Field,
  type FieldWrite,
  mask,
  ones,
  type PmuEvent,
  type Register,
  span,
  type TrapGroup,
} from '@countervisor/contract';

/** `CompiledRegister.affects`: one bit for each thing that a register decides beside its own value. */
export const AFFECTS: Readonly<Record<Affects, number>> = Object.freeze({
  translation: 1,
  level: 2,
  interrupts: 4,
  pmu: 8,
  decode: 16,
});

export interface CompiledRegister {
  /** Position in `CompiledArch.registers`. */
  readonly id: number;
  readonly name: string;
  readonly row: Register;
  /** Bits, 1 to 64. */
  readonly width: number;
  /** `width` ones. */
  readonly mask: bigint;
  /** Bits by field behaviour; together they are `mask`, and no bit is in two of them. */
  readonly plain: bigint;
  readonly oneSets: bigint;
  readonly oneClears: bigint;
  readonly ignored: bigint;
  readonly zero: bigint;
  readonly one: bigint;
  readonly mustBe0: bigint;
  readonly mustBe1: bigint;
  /** 'policy': it has a PMU role, and the vPMU policy decides. */
  readonly home: 'vcpu' | 'pcpu' | 'policy';
  /** Slot in the live bank, from 0, for the homes 'pcpu' and 'policy'; -1 else. */
  readonly bankSlot: number;
  /** The lowest level index that may read; `Infinity` for never. */
  readonly readLevel: number;
  readonly writeLevel: number;
  /** In the order in which they are tried. */
  readonly groups: readonly CompiledGroup[];
  /** False: this CPU model lacks the feature that the row needs, and the register is undefined. */
  readonly exists: boolean;
  /** Sum of `AFFECTS`. */
  readonly affects: number;
  /** Field name to its bits, both inclusive. */
  readonly fields: ReadonlyMap<string, readonly [high: number, low: number]>;
}

export interface CompiledGroup {
  readonly name: string;
  readonly group: TrapGroup;
  readonly on: TrapGroup['on'];
  /** Bit n: it stops accesses at level n. */
  readonly levels: number;
  readonly cause: CompiledCause;
  /** Id of the register whose field arms it; absent when a bitmap ('per-register') or a function does. */
  readonly register?: number;
  /** Of that field; 0 when there is none. */
  readonly high: number;
  readonly low: number;
  /** Armed when the field holds this; 0n when there is none. */
  readonly is: bigint;
}

export interface CompiledCause {
  /** Position among the causes, from 0. */
  readonly id: number;
  readonly name: string;
  readonly cause: Cause;
}

export interface CompiledCounter {
  /** Position in `Arch.pmu.counters`, and here. */
  readonly index: number;
  readonly row: Counter;
  readonly value: CompiledRegister;
  /** False: this CPU model lacks the feature that the counter or its register needs. */
  readonly exists: boolean;
}

export interface CompiledArch {
  readonly arch: Arch;
  readonly cpu: CpuModel;
  /** Every row, by id: those without their feature, too. */
  readonly registers: readonly CompiledRegister[];
  readonly byName: ReadonlyMap<string, CompiledRegister>;
  /** Space, index, register. Of two rows at one address, the one whose feature this CPU has. */
  readonly byAddress: ReadonlyMap<string, ReadonlyMap<number, CompiledRegister>>;
  /** Length of the live bank. */
  readonly bankSlots: number;
  readonly groups: ReadonlyMap<string, CompiledGroup>;
  readonly causes: ReadonlyMap<string, CompiledCause>;
  readonly levels: readonly string[];
  /** Index of the last level. */
  readonly hypervisorLevel: number;
  readonly pc: CompiledRegister;
  /** By number: those whose feature this CPU has. */
  readonly events: ReadonlyMap<number, PmuEvent>;
  readonly counters: readonly CompiledCounter[];
}

type Masks = Pick<
  CompiledRegister,
  'plain' | 'oneSets' | 'oneClears' | 'ignored' | 'zero' | 'one' | 'mustBe0' | 'mustBe1'
>;

/** The bits of each behaviour. */
export function fieldMasks(fields: Readonly<Record<string, Field>>): Masks {
  const bits: Record<FieldWrite, bigint> = {
    plain: 0n,
    'one-sets': 0n,
    'one-clears': 0n,
    ignored: 0n,
    zero: 0n,
    one: 0n,
    'must-be-0': 0n,
    'must-be-1': 0n,
  };
  for (const field of Object.values(fields)) bits[field.write ?? 'plain'] |= mask(field.bits);
  return {
    plain: bits.plain,
    oneSets: bits['one-sets'],
    oneClears: bits['one-clears'],
    ignored: bits.ignored,
    zero: bits.zero,
    one: bits.one,
    mustBe0: bits['must-be-0'],
    mustBe1: bits['must-be-1'],
  };
}

/** What `validate` promised to find. */
function found<Thing>(thing: Thing | undefined): Thing {
  if (thing === undefined) throw new TypeError('compile() was given an architecture that validate() has not seen');
  return thing;
}

/** Compiles the tables of a validated architecture for one CPU model. The result is frozen. */
export function compile(arch: Arch, cpu: CpuModel): CompiledArch {
  const levelIndex = (level: string): number => (level === 'never' ? Infinity : arch.levels.indexOf(level));
  const has = (feature: string | undefined): boolean => feature === undefined || cpu.features.has(feature);
  const ids = new Map(Object.keys(arch.registers).map((name, id) => [name, id]));

  const causes = new Map(
    Object.entries(arch.causes).map(([name, cause], id) => [name, Object.freeze({ id, name, cause })]),
  );

  const groups = new Map(
    Object.entries(arch.trapGroups).map(([name, group]) => [
      name,
      Object.freeze({
        name,
        group,
        on: group.on,
        levels: group.at.reduce((bits, level) => bits | (1 << levelIndex(level)), 0),
        cause: found(causes.get(group.cause)),
        ...armedBy(arch, group, ids),
      }),
    ]),
  );

  let bankSlots = 0;
  const registers = Object.entries(arch.registers).map(([name, row]: [string, Register], id) => {
    const home = row.role === undefined ? (row.home ?? 'vcpu') : 'policy';
    return Object.freeze({
      id,
      name,
      row,
      width: row.width,
      mask: ones(row.width),
      ...fieldMasks(row.fields),
      home,
      bankSlot: home === 'vcpu' ? -1 : bankSlots++,
      readLevel: levelIndex(row.read),
      writeLevel: levelIndex(row.write),
      groups: Object.freeze((row.traps ?? []).map((group) => found(groups.get(group)))),
      exists: has(row.needs),
      affects: (row.affects ?? []).reduce((bits, what) => bits | AFFECTS[what], 0),
      fields: new Map(Object.entries(row.fields).map(([field, { bits }]) => [field, Object.freeze(span(bits))])),
    } satisfies CompiledRegister);
  });

  const byName = new Map(registers.map((register) => [register.name, register]));
  const counters = arch.pmu.counters.map((row, index) => {
    const value = found(byName.get(row.value));
    return Object.freeze({ index, row, value, exists: has(row.needs) && value.exists });
  });

  return Object.freeze({
    arch,
    cpu,
    registers: Object.freeze(registers),
    byName,
    byAddress: addresses(registers),
    bankSlots,
    groups,
    causes,
    levels: arch.levels,
    hypervisorLevel: arch.levels.length - 1,
    pc: found(byName.get(arch.isa.pc)),
    events: new Map(arch.pmu.events.filter((event) => has(event.needs)).map((event) => [event.id, event])),
    counters: Object.freeze(counters),
  });
}

function armedBy(
  arch: Arch,
  group: TrapGroup,
  ids: ReadonlyMap<string, number>,
): Pick<CompiledGroup, 'register' | 'high' | 'low' | 'is'> {
  const { when } = group;
  if (typeof when === 'function' || 'intercept' in when) return { high: 0, low: 0, is: 0n };
  const [high, low] = span(found(arch.registers[when.register]?.fields[when.field]).bits);
  return { register: found(ids.get(when.register)), high, low, is: when.is };
}

/** A row whose feature this CPU has wins its address; where none has it, the first one stands there, undefined. */
function addresses(registers: readonly CompiledRegister[]): Map<string, Map<number, CompiledRegister>> {
  const spaces = new Map<string, Map<number, CompiledRegister>>();
  for (const register of registers) {
    if (register.row.at === undefined) continue;
    const { space, index } = register.row.at;
    const indices = spaces.get(space) ?? new Map<number, CompiledRegister>();
    spaces.set(space, indices);
    if (register.exists || !indices.has(index)) indices.set(index, register);
  }
  return spaces;
}
