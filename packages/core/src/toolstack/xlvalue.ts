/** Reads a setting as what its key wants, with libxl's rules for numbers and booleans (Xen tools/libs/util/libxlu_cfg.c). */
import { CountervisorError, type XlKey } from '@countervisor/contract';
import type { XlAtom, XlSetting } from './xlcfg.ts';
import { shown } from './xllex.ts';

/** strtol with base 0: white space, a sign, then hexadecimal, octal or decimal, and nothing behind. */
const STRTOL = /^[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/;
const LONG_MAX = 2n ** 63n - 1n;

/** The value of a key. xl warns about a value it cannot read and goes on as if the key were absent; here that is an error. */
export function readValue(key: XlKey, setting: XlSetting): string | number | boolean {
  const atom = single(setting);
  switch (key.kind) {
    case 'string':
      return atom.text;
    case 'number':
      return ranged(key, setting, atom);
    case 'boolean':
      return number(setting, atom) !== 0n;
    case 'choice':
      return choice(key, atom);
  }
}

/** True when a boolean is neither 0 nor 1: libxl takes it for true, and a person may not have meant it. */
export function oddBoolean(setting: XlSetting): boolean {
  const value = number(setting, single(setting));
  return value !== 0n && value !== 1n;
}

function single(setting: XlSetting): XlAtom {
  if (setting.value.kind === 'atom') return setting.value;
  throw new CountervisorError(
    'CV_XLCFG_VALUE',
    `'${setting.name}' is a list, and should be a single value.`,
    `Write ${setting.name} = value, without brackets.`,
    setting.value.place,
  );
}

/** As xlu_cfg_get_long does: quotes make no difference, `+=` never makes a number, and the value is a signed 64-bit one. */
function number(setting: XlSetting, atom: XlAtom): bigint {
  if (setting.added) {
    throw new CountervisorError(
      'CV_XLCFG_VALUE',
      `'${setting.name}' is a number, and '+=' does not add numbers.`,
      `Write ${setting.name} = and the sum.`,
      setting.place,
    );
  }
  const match = atom.text.length > 80 ? null : STRTOL.exec(atom.text);
  if (match === null) {
    throw new CountervisorError(
      'CV_XLCFG_VALUE',
      `'${setting.name}' should be a number, and ${shown(atom.text)} is none.`,
      'Write it in decimal, with 0x for hexadecimal or with 0 for octal. (xl would warn and go on as if the key were absent.)',
      atom.place,
    );
  }
  const digits = match[2]!;
  const size = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  const value = match[1] === '-' ? -size : size;
  if (value > LONG_MAX || value < -LONG_MAX - 1n) {
    throw new CountervisorError(
      'CV_XLCFG_RANGE',
      `'${setting.name}' is ${digits}, which is no signed 64-bit number.`,
      'Write a smaller one.',
      atom.place,
    );
  }
  return value;
}

function ranged(key: XlKey & { kind: 'number' }, setting: XlSetting, atom: XlAtom): number {
  const value = number(setting, atom);
  const [least, most] = key.range;
  if (value < BigInt(least) || value > BigInt(most)) {
    throw new CountervisorError(
      'CV_XLCFG_RANGE',
      `'${key.name}' is ${value}, and should lie from ${least} to ${most}.`,
      `It means: ${key.means}.`,
      atom.place,
    );
  }
  return Number(value);
}

function choice(key: XlKey & { kind: 'choice' }, atom: XlAtom): string {
  const wanted = key.anyCase ? atom.text.toLowerCase() : atom.text;
  const found = key.choices.find((name) => name === wanted);
  if (found !== undefined) return found;
  if (key.numbered) {
    const numbered = key.choices.find((_, n) => String(n) === atom.text);
    if (numbered !== undefined) return numbered;
  }
  throw new CountervisorError(
    'CV_XLCFG_CHOICE',
    `'${key.name}' is ${shown(atom.text)}, which it cannot be.`,
    `Choose one of ${key.choices.join(', ')}.`,
    atom.place,
  );
}
