/** Runs the suite against a mutant: who catches it, or which of some checks do. */
import type { Check, Target } from '@countervisor/conformance';
import type { Kit, Tested } from './build.ts';

/** `suite/name` of a check. */
export const called = ({ suite, name }: Check): string => `${suite}/${name}`;

/** A failure is enough: nobody reads the last instructions of a mutant. */
function quiet(target: Target): Target {
  return {
    ...target,
    async start(setup) {
      const session = await target.start(setup);
      session.last = () => [];
      return session;
    },
  };
}

/** Ready to run, or refused at load, which catches it. */
function prepared({ emulator, setupOf, subject }: Kit, { arch, kit }: Tested): { run: Run } | { refused: string } {
  try {
    const target = quiet(emulator(arch));
    return { run: [target, setupOf(subject(arch, kit).facts)] };
  } catch (error) {
    return { refused: `refused at load: ${(error as Error).message.split('\n')[0]}` };
  }
}

type Run = readonly [target: Target, usual: ReturnType<Kit['setupOf']>];

/** The first check that fails: of those named first, or of all others in the order of the suites. Undefined: it survives them. */
export async function caught(
  kit: Kit,
  tested: Tested,
  first: readonly string[],
  which: 'first' | 'others',
  alive: () => void,
): Promise<string | undefined> {
  const ready = prepared(kit, tested);
  if ('refused' in ready) return ready.refused;
  const { arch, kit: own } = tested;
  const early = first.length === 0 ? [] : kit.chosen(arch, own, { groups: first });
  const done = new Set(early.map(called));
  const some = which === 'first' ? early : kit.chosen(arch, own).filter((check) => !done.has(called(check)));
  for (const check of some) {
    alive();
    if ((await kit.perform(check, ...ready.run)).verdict === 'fail') return called(check);
  }
  return undefined;
}

/** Which of these checks, by name, fail. A mutant that is refused at load fails none. */
export async function failing(
  kit: Kit,
  tested: Tested,
  names: ReadonlySet<string>,
  alive: () => void,
): Promise<string[]> {
  const ready = prepared(kit, tested);
  if ('refused' in ready) return [];
  const found: string[] = [];
  for (const check of kit.chosen(tested.arch, tested.kit)) {
    if (!names.has(called(check))) continue;
    alive();
    if ((await kit.perform(check, ...ready.run)).verdict === 'fail') found.push(called(check));
  }
  return found;
}

/** Names of all checks that have something to check. */
export async function passing(kit: Kit, tested: Tested): Promise<string[]> {
  const ready = prepared(kit, tested);
  if ('refused' in ready) throw new Error(ready.refused);
  const found: string[] = [];
  for (const check of kit.chosen(tested.arch, tested.kit)) {
    const { verdict } = await kit.perform(check, ...ready.run);
    if (verdict === 'pass') found.push(called(check));
    if (verdict === 'fail') throw new Error(`${called(check)} fails without any mutant`);
  }
  return found;
}
