/** Checks of the extensions that an architecture is composed with, beside their tables: those are part of the architecture's by now. */
import { checkWrites } from './counting.ts';
import { loosely, type Names } from './names.ts';
import type { Problems } from './problems.ts';
import { SHAPES } from './shapes.ts';

/** As in a package's name. */
const NAME = /^(@[a-z0-9][a-z0-9-._]*\/)?[a-z0-9][a-z0-9-._]*$/;
const MOST = 214;

export function checkExtensions(problems: Problems, table: unknown, names: Names): void {
  if (table === undefined) return;
  problems.items('extensions', table).forEach((thing, i) => {
    const extension = problems.named(`extensions[${i}]`, thing, 'what defineExtension returns');
    if (extension === undefined) return;
    const { name } = extension;
    const where = typeof name === 'string' ? `extensions.${name}` : `extensions[${i}]`;
    problems.only(where, extension, SHAPES.extension);
    if (typeof name !== 'string' || name.length > MOST || !NAME.test(name)) {
      problems.shape(`${where}.name`, "a package's name", name);
    }
    problems.whole(`${where}.contract`, extension.contract, 1, Number.MAX_SAFE_INTEGER);
    problems.text(`${where}.extends`, extension.extends);
    for (const key of ['after', 'needs'])
      if (extension[key] !== undefined) problems.texts(`${where}.${key}`, extension[key]);
    if (extension.events !== undefined) problems.items(`${where}.events`, extension.events);
    for (const key of [
      'features',
      'settings',
      'cpus',
      'registers',
      'traps',
      'trapGroups',
      'causes',
      'services',
      'platforms',
      'personalities',
    ]) {
      if (extension[key] !== undefined) problems.named(`${where}.${key}`, extension[key], 'a table');
    }
    problems.function(`${where}.enforce`, extension.enforce, 'optional');
    checkModels(problems, `${where}.models`, extension.models);
    checkAddition(problems, `${where}.switching`, extension.switching, names);
  });
}

function checkModels(problems: Problems, where: string, table: unknown): void {
  if (table === undefined) return;
  for (const [model, thing] of problems.entries(where, table)) {
    const at = `${where}.${model}`;
    const addition = problems.named(at, thing, 'what the model gets');
    if (addition === undefined) continue;
    problems.only(at, addition, SHAPES.cpuAddition);
    for (const key of ['features', 'optional'])
      if (addition[key] !== undefined) problems.texts(`${at}.${key}`, addition[key]);
    for (const key of ['settings', 'identity'])
      if (addition[key] !== undefined) problems.named(`${at}.${key}`, addition[key]);
  }
}

function checkAddition(problems: Problems, where: string, thing: unknown, names: Names): void {
  if (thing === undefined) return;
  const addition = problems.named(where, thing, 'what is done on a switch');
  if (addition === undefined) return;
  problems.only(where, addition, SHAPES.switchAddition);
  for (const key of ['controls', 'counters']) {
    if (addition[key] === undefined) continue;
    problems.items(`${where}.${key}`, addition[key]).forEach((place, i) => {
      const at = `${where}.${key}[${i}]`;
      // A name alone is looked for where it has been put: in the architecture's own list.
      if (typeof place === 'string') return;
      const named = problems.named(at, place, 'a register, or { register, before } or { register, behind }');
      if (named === undefined) return;
      problems.only(at, named, ['register', 'before', 'behind']);
      problems.name(`${at}.register`, 'register', named.register, names.registers);
      if ((named.before === undefined) !== (named.behind === undefined)) return;
      problems.shape(at, 'one of before and behind', place);
    });
  }
  if (addition.freeze !== undefined) checkWrites(problems, `${where}.freeze`, addition.freeze, names);
  problems.text(`${where}.because`, addition.because);
  for (const key of ['contextSwitchFrom', 'contextSwitchTo'])
    problems.function(`${where}.${key}`, addition[key], 'optional');
  const any = ['controls', 'counters', 'freeze', 'contextSwitchFrom', 'contextSwitchTo'].some((key) =>
    Object.hasOwn(loosely(thing), key),
  );
  if (!any) problems.shape(where, 'registers that travel, writes or hooks', thing);
}
