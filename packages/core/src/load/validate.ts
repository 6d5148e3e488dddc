/** Reads a plugin from outside, every table of it, and says all that is wrong at once. Nothing about its shape is taken for granted. */
import { type Arch, CountervisorError, POLICIES } from '@countervisor/contract';
import { say } from '../report/errors.ts';
import { checkPmu, checkSampling, checkSwitching } from './counting.ts';
import { checkHypercalls, checkIsa } from './execution.ts';
import { checkExtensions } from './extensions.ts';
import { extensionOf, loosely, namesOf } from './names.ts';
import { type Problem, Problems } from './problems.ts';
import { checkRegisters } from './registers.ts';
import { SHAPES } from './shapes.ts';
import { checkCpus, checkPersonalities, checkPlatforms } from './surroundings.ts';
import { checkTraps } from './traps.ts';

/** CV_PLUGIN_REFUSED, with its problems as data; `format()` prints them all. */
export class PluginRefused extends CountervisorError {
  readonly problems: readonly Problem[];

  constructor(arch: string, problems: readonly Problem[]) {
    const texts = problems.map((p) => `${p.code}  ${p.where}: ${p.message}\n  ${p.remedy.replaceAll('\n', '\n  ')}`);
    const { says, remedy } = say('CV_PLUGIN_REFUSED', { arch, problems: texts });
    super('CV_PLUGIN_REFUSED', says, remedy);
    this.problems = Object.freeze([...problems]);
  }
}

/** Lowercase, as in a package's name: it is printed in messages and asked for on command lines. */
const NAME = /^[a-z][a-z0-9-]{0,63}$/;

/** More levels than this do not fit the bit sets of trap groups. */
const MOST_LEVELS = 16;

/** All that is wrong with a plugin, in the order of its tables; empty when nothing is. */
export function problemsOf(plugin: unknown): readonly Problem[] {
  const problems = new Problems();
  const arch = problems.named('the plugin', plugin, 'what defineArch returns');
  if (arch === undefined) return problems.list;
  const names = namesOf(arch);
  problems.only('the plugin', arch, SHAPES.arch);

  if (typeof arch.name !== 'string' || !NAME.test(arch.name)) {
    problems.shape('name', 'a word of lowercase letters, digits and hyphens', arch.name);
  }
  problems.whole('contract', arch.contract, 1, Number.MAX_SAFE_INTEGER);
  problems.texts('needs', arch.needs);
  problems.only('offers', loosely(arch.offers), SHAPES.offers);
  for (const [i, policy] of problems.items('offers.policies', loosely(arch.offers).policies).entries()) {
    problems.oneOf(`offers.policies[${i}]`, policy, POLICIES);
  }
  const levels = problems.texts('levels', arch.levels);
  if (Array.isArray(arch.levels) && (levels.length < 2 || levels.length > MOST_LEVELS)) {
    problems.shape(
      'levels',
      `a list of 2 to ${MOST_LEVELS}: the guest's, and the hypervisor's at the end`,
      arch.levels,
    );
  }
  levels.forEach((level, i) => {
    if (level === 'never') problems.shape(`levels[${i}]`, "a name other than 'never'", level);
    if (levels.indexOf(level) < i) {
      problems.note('CV_LISTED_TWICE', `levels[${i}]`, { where: `levels[${i}]`, name: level, before: 'another level' });
    }
  });
  problems.function('level', arch.level);
  problems.function('describe', arch.describe, 'optional');

  checkCpus(problems, arch, names);
  checkRegisters(problems, arch.registers, names);
  checkTraps(problems, arch.trapGroups, arch.causes, names);
  checkPmu(problems, arch.pmu, names);
  checkSampling(problems, arch.sampling);
  problems.function('enforce', arch.enforce);
  checkSwitching(problems, arch.switching, arch.pmu, names);
  checkIsa(problems, arch.isa, names);
  checkHypercalls(problems, arch.hypercalls, names);
  checkPlatforms(problems, arch);
  checkPersonalities(problems, arch.personalities, names);
  checkExtensions(problems, arch.extensions, names);
  return problems.list.map((problem) => attributed(arch.extensions, problem));
}

/** A place in a row that an extension declares, with its name. */
function attributed(extensions: unknown, problem: Problem): Problem {
  const [, table = '', name = ''] = /^(?:hypercalls\.)?(\w+)\.([^.[(]+)/.exec(problem.where) ?? [];
  const [, event] = /^pmu\.events\[\d+\] \((.+?)\)/.exec(problem.where) ?? [];
  const owner = event === undefined ? extensionOf(extensions, table, name) : extensionOf(extensions, 'events', event);
  return owner === undefined ? problem : { ...problem, where: `${problem.where} of ${owner}` };
}

/** Throws CV_PLUGIN_REFUSED with every problem, or knows that the plugin is an architecture. */
export function validate(plugin: unknown): asserts plugin is Arch {
  const problems = problemsOf(plugin);
  if (problems.length > 0) throw new PluginRefused(namesOf(loosely(plugin)).arch, problems);
}
