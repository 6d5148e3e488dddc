/** Checks of the register table: every bit described once, resets that fit, addresses and names that are unambiguous. */
import {
  type Affects,
  type Field,
  type FieldWrite,
  mask,
  ones,
  type PmuRole,
  type Register,
} from '@countervisor/contract';
import { AFFECTS, fieldMasks } from './compile.ts';
import { loosely, type Names } from './names.ts';
import { bitsOf, type Problems, runsOf, show } from './problems.ts';
import { SHAPES } from './shapes.ts';

const WRITES = Object.keys({
  plain: 0,
  'one-sets': 0,
  'one-clears': 0,
  ignored: 0,
  zero: 0,
  one: 0,
  'must-be-0': 0,
  'must-be-1': 0,
} satisfies Record<FieldWrite, 0>) as FieldWrite[];

const ROLES = Object.keys({
  counter: 0,
  selector: 0,
  enable: 0,
  global: 0,
  overflow: 0,
  interrupt: 0,
  identity: 0,
  sampling: 0,
  'user-access': 0,
} satisfies Record<PmuRole, 0>) as PmuRole[];

const BEHAVIOURS = ['implemented', 'view', 'derive', 'accepts', 'wrote'] as const;

const ROW = Object.keys({
  at: 0,
  width: 0,
  reset: 0,
  read: 0,
  write: 0,
  fields: 0,
  role: 0,
  home: 0,
  traps: 0,
  needs: 0,
  implemented: 0,
  view: 0,
  derive: 0,
  accepts: 0,
  wrote: 0,
  action: 0,
  affects: 0,
  source: 0,
} satisfies Record<keyof Register, 0>);
const FIELD = Object.keys({ bits: 0, means: 0, write: 0, values: 0 } satisfies Record<keyof Field, 0>);

export function checkRegisters(problems: Problems, table: unknown, names: Names): void {
  const rows = problems.entries('registers', table);
  if (table !== undefined && rows.length === 0) problems.shape('registers', 'a table with rows', table);
  for (const [name, thing] of rows) {
    const where = `registers.${name}`;
    const row = problems.named(where, thing, 'a row');
    if (row !== undefined) checkRow(problems, where, name, row, names);
  }
  checkAddresses(problems, rows, names);
}

function checkRow(
  problems: Problems,
  where: string,
  name: string,
  row: Readonly<Record<string, unknown>>,
  names: Names,
): void {
  problems.only(where, row, ROW);
  const width = problems.whole(`${where}.width`, row.width, 1, 64);
  for (const access of ['read', 'write'] as const) {
    if (row[access] !== 'never') problems.name(`${where}.${access}`, 'level', row[access], names.levels);
  }
  if (row.role !== undefined) problems.oneOf(`${where}.role`, row.role, ROLES);
  if (row.home !== undefined) problems.oneOf(`${where}.home`, row.home, ['vcpu', 'pcpu']);
  if (row.role !== undefined && row.home !== undefined) {
    problems.note('CV_CONTRADICTION', where, {
      where,
      why: 'has a PMU role, so the policy decides where it lives, and a home of its own as well',
      remedy: 'Leave out one of role and home.',
    });
  }
  if (row.traps !== undefined) {
    for (const [i, group] of problems.items(`${where}.traps`, row.traps).entries()) {
      problems.name(`${where}.traps[${i}]`, 'trap group', group, names.groups);
    }
  }
  if (row.needs !== undefined) problems.name(`${where}.needs`, 'CPU feature', row.needs, names.features);
  if (row.source !== undefined) problems.text(`${where}.source`, row.source);
  if (row.affects !== undefined) {
    for (const [i, what] of problems.items(`${where}.affects`, row.affects).entries()) {
      problems.oneOf(`${where}.affects[${i}]`, what, Object.keys(AFFECTS) as Affects[]);
    }
  }
  if (row.at !== undefined) {
    const at = problems.named(`${where}.at`, row.at, 'an address');
    if (at !== undefined) {
      problems.only(`${where}.at`, at, SHAPES.address);
      problems.text(`${where}.at.space`, at.space);
      problems.whole(`${where}.at.index`, at.index, 0, 2 ** 32 - 1);
    }
  }
  checkBehaviour(problems, where, row);
  if (width === undefined) return;
  const fields = checkFields(problems, where, name, row.fields, width);
  checkReset(problems, where, name, row.reset, width, fields);
}

function checkBehaviour(problems: Problems, where: string, row: Readonly<Record<string, unknown>>): void {
  for (const behaviour of BEHAVIOURS) problems.function(`${where}.${behaviour}`, row[behaviour], 'optional');
  if (row.view !== undefined && row.derive !== undefined) {
    problems.note('CV_CONTRADICTION', where, {
      where,
      why: 'is both a view of another register and derived',
      remedy: 'Leave out one of view and derive.',
    });
  }
  if (row.action === undefined) return;
  const action = problems.named(`${where}.action`, row.action);
  if (action === undefined) return;
  problems.only(`${where}.action`, action, SHAPES.action);
  const read = problems.function(`${where}.action.read`, action.read, 'optional');
  const write = problems.function(`${where}.action.write`, action.write, 'optional');
  if (!read && !write) problems.shape(`${where}.action`, 'an object with read, write or both', row.action);
}

/** The fields that are well formed. */
function checkFields(
  problems: Problems,
  where: string,
  register: string,
  table: unknown,
  width: number,
): Record<string, Field> {
  const fields: Record<string, Field> = {};
  let covered = 0n;
  let wellFormed = table !== undefined;
  for (const [name, thing] of problems.entries(`${where}.fields`, table)) {
    const at = `${where}.fields.${name}`;
    const field = checkField(problems, at, register, name, thing, width);
    if (field === undefined) {
      wellFormed = false;
      continue;
    }
    const twice = mask(field.bits) & covered;
    if (twice !== 0n) {
      const other = Object.entries(fields).find(([, f]) => (mask(f.bits) & twice) !== 0n)?.[0] ?? '';
      problems.note('CV_FIELD_OVERLAP', at, { register, field: name, other, bits: bitsOf(twice) });
    }
    covered |= mask(field.bits);
    fields[name] = field;
  }
  const gap = ones(width) & ~covered;
  // A field that could not be read may be the one that covers the gap: its own problem is told, and no second one.
  if (gap !== 0n && wellFormed) {
    const row = runsOf(gap)
      .map(([high, low]) => reservedRow(high, low))
      .join(' ');
    problems.note('CV_FIELD_GAP', `${where}.fields`, { register, bits: bitsOf(gap), row });
  }
  return fields;
}

const reservedRow = (high: number, low: number): string =>
  high === low
    ? `RESERVED_${low}: { bits: ${low}, means: 'Reserved.', write: 'zero' },`
    : `RESERVED_${high}_${low}: { bits: [${high}, ${low}], means: 'Reserved.', write: 'zero' },`;

function checkField(
  problems: Problems,
  where: string,
  register: string,
  name: string,
  thing: unknown,
  width: number,
): Field | undefined {
  const field = problems.named(where, thing, 'a field');
  if (field === undefined) return undefined;
  problems.only(where, field, FIELD);
  problems.text(`${where}.means`, field.means);
  const write = field.write === undefined ? 'plain' : problems.oneOf(`${where}.write`, field.write, WRITES);
  const bits = checkBits(problems, `${where}.bits`, field.bits);
  if (bits === undefined) return undefined;
  const [high, low] = bits;
  const words = bitsOf(mask(bits));
  if (high >= width) return problems.note('CV_FIELD_RANGE', where, { register, field: name, bits: words, width });
  if (field.values !== undefined) {
    for (const [word, value] of problems.entries(`${where}.values`, field.values)) {
      const at = `${where}.values.${word}`;
      const number = problems.whole(at, value, 0, Number.MAX_SAFE_INTEGER);
      if (number === undefined || BigInt(number) <= ones(high - low + 1)) continue;
      problems.note('CV_FIELD_VALUE', at, { where: at, value: String(number), bits: words });
    }
  }
  return { bits, means: '', write: write ?? 'plain' };
}

function checkBits(problems: Problems, where: string, bits: unknown): readonly [number, number] | undefined {
  if (Array.isArray(bits)) {
    const [high, low] = bits as unknown[];
    if (bits.length === 2 && isBit(high) && isBit(low) && high >= low) return [high, low];
  } else if (isBit(bits)) return [bits, bits];
  return problems.shape(where, 'a bit number from 0, or [high, low]', bits);
}

const isBit = (thing: unknown): thing is number =>
  typeof thing === 'number' && Number.isInteger(thing) && thing >= 0 && thing < 4096;

function checkReset(
  problems: Problems,
  where: string,
  register: string,
  reset: unknown,
  width: number,
  fields: Readonly<Record<string, Field>>,
): void {
  if (reset === 'unknown' || typeof reset === 'function') return;
  if (typeof reset !== 'bigint') {
    problems.shape(`${where}.reset`, "a bigint, 'unknown' or a function of the view", reset);
    return;
  }
  const wrong = (why: string): void => {
    problems.note('CV_RESET', `${where}.reset`, { register, reset: show(reset), why });
  };
  if (reset < 0n || reset > ones(width)) {
    wrong(`which does not fit ${width} bits`);
    return;
  }
  const bits = fieldMasks(fields);
  const high = reset & (bits.zero | bits.mustBe0);
  if (high !== 0n) wrong(`but ${bitsOf(high)} can only be 0`);
  const low = ~reset & (bits.one | bits.mustBe1);
  if (low !== 0n) wrong(`but ${bitsOf(low)} can only be 1`);
}

/** One register for each address, unless no CPU can have both. */
function checkAddresses(problems: Problems, rows: readonly (readonly [string, unknown])[], names: Names): void {
  const placed = new Map<string, { name: string; needs: string | undefined }[]>();
  for (const [name, thing] of rows) {
    const { at, needs } = loosely(thing);
    const { space, index } = loosely(at);
    if (typeof space !== 'string' || typeof index !== 'number') continue;
    const address = `${space} 0x${index.toString(16)}`;
    const here = placed.get(address) ?? [];
    placed.set(address, here);
    const own = { name, needs: typeof needs === 'string' ? needs : undefined };
    for (const other of here) {
      if (!names.together(own.needs, other.needs)) continue;
      problems.note('CV_SAME_ADDRESS', `registers.${name}.at`, {
        register: names.called('registers', name),
        other: names.called('registers', other.name),
        address,
      });
    }
    here.push(own);
  }
}
