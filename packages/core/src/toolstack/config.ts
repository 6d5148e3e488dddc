/** From an xl.cfg file to a domain's configuration: keys read, defaults filled in, strangers named (Xen tools/xl/xl_parse.c, docs/man/xl.cfg.5). */
import {
  CountervisorError,
  type DomainType,
  type Place,
  type ToolstackHalf,
  type XlKey,
  type XlValues,
} from '@countervisor/contract';
import { didYouMean } from '../report/near.ts';
import { type Affinity, ANYWHERE, readAffinity } from './affinity.ts';
import type { XlConfig, XlSetting } from './xlcfg.ts';
import { type Action, IGNORED_KEYS, KEYS } from './xlkeys.ts';
import { shown } from './xllex.ts';
import { oddBoolean, readValue } from './xlvalue.ts';

/** Why a domain ends, and what its configuration wants done then. */
export type Ending = 'poweroff' | 'reboot' | 'watchdog' | 'crash' | 'soft_reset';
/** Every console line starts with it. */
const LONGEST_NAME = 128;
/** A hostile file has a hundred thousand keys; the first ones tell the story. */
const MOST_WARNINGS = 50;

const ENDINGS: readonly Ending[] = ['poweroff', 'reboot', 'watchdog', 'crash', 'soft_reset'];

export interface DomainConfig {
  readonly file: string;
  readonly name: string;
  readonly type: DomainType;
  /** As written; never made up. */
  readonly uuid: string | undefined;
  /** Path of the image, as written. */
  readonly kernel: string;
  readonly ramdisk: string | undefined;
  /** Arguments of the kernel; empty when none are given. */
  readonly cmdline: string;
  /** MiB. */
  readonly memory: number;
  /** MiB. */
  readonly maxmem: number;
  /** Online at the start. */
  readonly vcpus: number;
  readonly maxvcpus: number;
  readonly affinity: Affinity;
  readonly vpmu: boolean;
  readonly nomigrate: boolean;
  readonly on: Readonly<Record<Ending, Action>>;
  /** Every single-valued key that is set or has a default, the architecture's included. */
  readonly values: XlValues;
  /** Where keys were set. */
  readonly places: ReadonlyMap<string, Place>;
}

export interface ReadConfig {
  readonly config: DomainConfig;
  /** Not thrown: for stderr, each with its place. */
  readonly warnings: readonly CountervisorError[];
}

/**
 * Reads a parsed file as a domain's configuration.
 * @throws CountervisorError CV_XLCFG_MISSING, _VALUE, _RANGE, _CHOICE, _CPUS, _CONFLICT, with the place.
 */
export function readDomainConfig(
  xl: XlConfig,
  half: Pick<ToolstackHalf, 'keys' | 'defaultType' | 'pvBecomes'>,
): ReadConfig {
  const keys = [...KEYS, ...half.keys];
  const warnings = [...strangers(xl, keys), ...replacements(xl)];
  const warn = (code: string, key: string, sentence: string, remedy: string): void => {
    warnings.push(new CountervisorError(code, sentence, remedy, xl.values.get(key)?.place ?? start(xl.file)));
  };

  const values = readKeys(xl, keys);
  for (const key of keys) {
    const setting = xl.values.get(key.name);
    if (key.kind === 'boolean' && setting !== undefined && oddBoolean(setting)) {
      warn(
        'CV_XLCFG_BOOLEAN',
        key.name,
        `'${key.name}' is neither 0 nor 1, and counts as 1.`,
        `Write ${key.name} = 1.`,
      );
    }
  }
  const text = (name: string): string | undefined => values.get(name) as string | undefined;
  const number = (name: string): number | undefined => values.get(name) as number | undefined;

  const name = required(xl, text('name'), 'name', 'Write name = "…".');
  if (name === '' || name.length > LONGEST_NAME || /\p{C}/u.test(name)) {
    const form = `Use 1 to ${LONGEST_NAME} printable characters.`;
    throw fault('CV_XLCFG_VALUE', xl, 'name', `${shown(name)} is no name for a domain.`, form);
  }
  const uuid = text('uuid');
  if (uuid !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid)) {
    const form = 'Write it as 8-4-4-4-12 hexadecimal digits.';
    throw fault('CV_XLCFG_VALUE', xl, 'uuid', `${shown(uuid)} is no UUID.`, form);
  }

  let type = domainType(xl, text('type'), text('builder')) ?? half.defaultType;
  if (type === 'pv' && half.pvBecomes !== undefined) {
    type = half.pvBecomes.type;
    const key = xl.values.has('type') ? 'type' : 'builder';
    warn(
      'CV_XLCFG_TYPE',
      key,
      `A pv domain becomes ${type} here: ${half.pvBecomes.because}.`,
      `Write type = "${type}".`,
    );
  }

  const memory = number('memory')!;
  const maxmem = number('maxmem') ?? memory;
  if (maxmem < memory) {
    const why = `'maxmem' is ${maxmem}, less than 'memory', which is ${memory}.`;
    throw fault('CV_XLCFG_CONFLICT', xl, 'maxmem', why, 'Raise maxmem, or leave it out.');
  }
  if (maxmem > memory) {
    const why = `'maxmem' is above 'memory': ballooning is not modelled, and the domain has ${memory} MiB.`;
    warn('CV_XLCFG_IGNORED_KEY', 'maxmem', why, 'Leave maxmem out.');
  }

  const vcpus = number('vcpus') || 1;
  if (number('vcpus') === 0) warn('CV_XLCFG_VCPUS', 'vcpus', "'vcpus' is 0, and counts as 1.", 'Write vcpus = 1.');
  const maxvcpus = number('maxvcpus') || vcpus;
  if (maxvcpus < vcpus) {
    const why = `'maxvcpus' is ${maxvcpus}, less than 'vcpus', which is ${vcpus}.`;
    throw fault('CV_XLCFG_CONFLICT', xl, 'maxvcpus', why, 'Raise maxvcpus, or leave it out.');
  }

  const cpus = xl.values.get('cpus');
  const affinity = cpus === undefined ? ANYWHERE : readAffinity(cpus);
  if (affinity.each.length > maxvcpus) {
    const why = `'cpus' has ${affinity.each.length} entries for ${maxvcpus} vCPUs; those beyond are ignored.`;
    warn('CV_XLCFG_CPUS', 'cpus', why, 'Remove them, or write one string for all vCPUs.');
  }

  const [root, extra] = [text('root'), text('extra')];
  const whole = text('cmdline');
  if (whole !== undefined && (root !== undefined || extra !== undefined)) {
    const key = root === undefined ? 'extra' : 'root';
    warn(
      'CV_XLCFG_CMDLINE',
      key,
      "'root' and 'extra' are ignored in favour of 'cmdline'.",
      'Write all of it in cmdline.',
    );
  }
  const parts = [root === undefined ? undefined : `root=${root}`, extra];

  const config: DomainConfig = {
    file: xl.file,
    name,
    type,
    uuid,
    kernel: required(xl, text('kernel'), 'kernel', 'Write kernel = "path of the image".'),
    ramdisk: text('ramdisk'),
    cmdline: whole ?? parts.filter((part) => part !== undefined).join(' '),
    memory,
    maxmem,
    vcpus,
    maxvcpus,
    affinity,
    vpmu: values.get('vpmu') === true,
    nomigrate: values.get('nomigrate') === true,
    on: Object.fromEntries(ENDINGS.map((why) => [why, text(`on_${why}`)])) as Record<Ending, Action>,
    values,
    places: new Map([...xl.values].map(([key, setting]) => [key, setting.place])),
  };
  return { config, warnings };
}

function readKeys(xl: XlConfig, keys: readonly XlKey[]): Map<string, string | number | boolean> {
  const values = new Map<string, string | number | boolean>();
  for (const key of keys) {
    const setting = xl.values.get(key.name);
    const value = setting === undefined ? key.default : readValue(key, setting);
    if (value !== undefined) values.set(key.name, value);
  }
  return values;
}

/** Keys that change nothing: named, with the reason or the nearest known name. */
function strangers(xl: XlConfig, keys: readonly XlKey[]): CountervisorError[] {
  const known = new Set([...keys.map((key) => key.name), 'cpus']);
  const strange = [...xl.values.values()].filter(({ name }) => !known.has(name));
  return few(xl, strange, ({ name, place }) => {
    const reason = IGNORED_KEYS.get(name);
    if (reason !== undefined) {
      const sentence = `'${name}' is ignored: ${reason}.`;
      return new CountervisorError('CV_XLCFG_IGNORED_KEY', sentence, 'Remove it to silence this warning.', place);
    }
    const remedy = didYouMean(name, [...known, ...IGNORED_KEYS.keys()], 'Remove it; see xl.cfg(5) for the keys.');
    const sentence = `${shown(name)} is no key of xl.cfg, and is ignored.`;
    return new CountervisorError('CV_XLCFG_UNKNOWN_KEY', sentence, remedy, place);
  });
}

function replacements(xl: XlConfig): CountervisorError[] {
  return few(xl, xl.replaced, ({ name, place }) => {
    const sentence = `${shown(name)} is set again further down; the last one counts.`;
    return new CountervisorError('CV_XLCFG_REPLACED', sentence, 'Remove one of them.', place);
  });
}

function few(
  xl: XlConfig,
  settings: readonly XlSetting[],
  warning: (setting: XlSetting) => CountervisorError,
): CountervisorError[] {
  const first = settings.slice(0, MOST_WARNINGS).map(warning);
  const more = settings.length - first.length;
  if (more > 0) {
    const sentence = `There are ${more} more settings of this kind.`;
    first.push(
      new CountervisorError('CV_XLCFG_MORE', sentence, 'Check that this is a domain configuration.', start(xl.file)),
    );
  }
  return first;
}

function domainType(xl: XlConfig, type: string | undefined, builder: string | undefined): DomainType | undefined {
  const old = builder === undefined ? undefined : builder === 'hvm' ? 'hvm' : 'pv';
  if (type !== undefined && old !== undefined && type !== old) {
    const why = `'builder' and 'type' contradict each other: builder = "${builder}" means type = "${old}".`;
    throw fault('CV_XLCFG_CONFLICT', xl, 'builder', why, 'Remove builder.');
  }
  return (type ?? old) as DomainType | undefined;
}

function required(xl: XlConfig, value: string | undefined, key: string, remedy: string): string {
  if (value === undefined) throw fault('CV_XLCFG_MISSING', xl, key, `The configuration has no '${key}'.`, remedy);
  return value;
}

function fault(code: string, xl: XlConfig, key: string, sentence: string, remedy: string): CountervisorError {
  return new CountervisorError(code, sentence, remedy, xl.values.get(key)?.value.place ?? start(xl.file));
}

function start(file: string): Place {
  return { file, line: 1, column: 1 };
}
