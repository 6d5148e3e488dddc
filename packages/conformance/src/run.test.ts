import type { Arch, Conformance } from '@countervisor/contract';
import { conformance as kit, template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { SUITES, type SuiteName } from './check.ts';
import { emulator } from './emulator.ts';
import { chosen, matrix, type Outcome, runConformance } from './run.ts';
import { ARCHITECTURES } from './testing/architectures.ts';
import { inert } from './testing/inert.ts';

const tiny = template as unknown as Arch;
const names = (checks: readonly { suite: SuiteName; name: string }[]): string[] =>
  checks.map(({ suite, name }) => `${suite}/${name}`);

describe.each(ARCHITECTURES)('the checks of $name', ({ arch, kit: own }) => {
  it('have names of their own, in the order of the suites', () => {
    const all = chosen(arch, own);
    expect(new Set(names(all)).size).toBe(all.length);
    const order = all.map(({ suite }) => SUITES.indexOf(suite));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(new Set(all.map(({ suite }) => suite))).toEqual(new Set(SUITES));
  });

  it.each([1, 2, 3, 7])('in %i parts are each done exactly once', (of) => {
    const parts = Array.from({ length: of }, (_, n) => names(chosen(arch, own, { shard: { part: n + 1, of } })));
    expect(parts.flat().sort()).toEqual(names(chosen(arch, own)).sort());
    const sizes = parts.map((part) => part.length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  });
});

describe('what is run', () => {
  it('is a suite, or what matches a part of the name', () => {
    expect(new Set(chosen(tiny, kit, { groups: ['overflow'] }).map(({ suite }) => suite))).toContain('overflow');
    for (const check of chosen(tiny, kit, { groups: ['registers/PMSEL0'] })) expect(check.name).toMatch(/^PMSEL0/);
    expect(chosen(tiny, kit, { groups: ['nothing of this name'] })).toEqual([]);
  });

  it('stops between two checks when asked to, and tells how far it is', async () => {
    const told: string[] = [];
    const outcome = await runConformance(tiny, kit, {
      groups: ['sampling'],
      stop: () => told.length === 2,
      onResult: ({ name }, { done, of }) => told.push(`${done}/${of} ${name}`),
    });
    expect(outcome.stopped).toBe(true);
    expect(outcome.checks.length).toBe(2);
    expect(told.map((line) => line.split(' ')[0])).toEqual(['1/7', '2/7']);
  });

  it('gives the same results twice', async () => {
    const once = await runConformance(inert(tiny), kit, { groups: ['sampling', 'hypercalls'] });
    const twice = await runConformance(inert(tiny), kit, { groups: ['sampling', 'hypercalls'] });
    expect(twice).toEqual(once);
  });
});

describe('an architecture that gives less', () => {
  const verdicts = (outcome: Outcome, suite: SuiteName): Record<string, number> => ({
    ...matrix(outcome.checks).get(suite),
  });

  it('with its programs alone runs them, and says of the rest why it is absent', async () => {
    const little: Conformance = { programs: kit.programs };
    const outcome = await runConformance(tiny, little, { groups: ['registers', 'access', 'overflow', 'determinism'] });
    expect(outcome.checks.filter(({ result }) => result.verdict === 'fail')).toEqual([]);
    expect(verdicts(outcome, 'access')).toEqual({ pass: 0, fail: 0, absent: 1 });
    expect(verdicts(outcome, 'determinism').pass).toBeGreaterThan(100);
    for (const { result } of outcome.checks)
      if (result.verdict === 'absent') expect(result.why).toMatch(/Conformance\./);
  });

  it('without a manual has its tables tested against core', async () => {
    const { manual: _, ...some } = kit;
    const outcome = await runConformance(tiny, some);
    expect(outcome.checks.filter(({ result }) => result.verdict === 'fail')).toEqual([]);
    expect(verdicts(outcome, 'registers').pass).toBeGreaterThan(60);
    expect(verdicts(outcome, 'overflow').fail).toBe(0);
    const [first] = outcome.checks;
    expect(first?.result).toMatchObject({ verdict: 'absent', why: expect.stringMatching(/tested against core alone/) });
  });

  it('without a manual still fails when its PMU is inert', async () => {
    const { manual: _, ...some } = kit;
    const outcome = await runConformance(inert(tiny), some, { groups: ['counting', 'overflow', 'switching'] });
    expect(outcome.checks.filter(({ result }) => result.verdict === 'pass')).toEqual([]);
  });
});

describe('a target that can do less', () => {
  it('leaves out the checks that need more, each with its reason', async () => {
    const lacks = { guests: 'one guest at a time', snapshot: 'silicon cannot be saved' };
    const target = { ...emulator(tiny), name: 'board', lacks };
    const outcome = await runConformance(tiny, kit, { target, groups: ['snapshot', 'switching'] });
    const whys = new Set(
      outcome.checks.map(({ result }) => (result.verdict === 'absent' ? result.why : result.verdict)),
    );
    expect(whys).toEqual(new Set(['board: one guest at a time', 'board: silicon cannot be saved']));
  });

  it('may answer later', async () => {
    const own = emulator(tiny);
    const later = <T>(value: T): Promise<T> => new Promise((resolve) => setTimeout(() => resolve(value), 0));
    const target: typeof own = {
      ...own,
      async start(setup) {
        const session = await own.start(setup);
        return new Proxy(session, {
          get(inner, name) {
            const method: unknown = Reflect.get(inner, name);
            if (typeof method !== 'function') return method;
            return (...args: unknown[]) => later(method.apply(inner, args));
          },
        });
      },
    };
    const outcome = await runConformance(tiny, kit, {
      target,
      groups: ['sampling', 'counting/rule 3', 'registers/PMCTL'],
    });
    expect(outcome.checks.length).toBeGreaterThan(10);
    expect(outcome.checks.filter(({ result }) => result.verdict !== 'pass')).toEqual([]);
  });

  it('that throws fails its check and no other', async () => {
    const own = emulator(tiny);
    let started = 0;
    const target: typeof own = {
      ...own,
      start: (setup) => {
        if (++started === 1) throw new Error('the cable is out');
        return own.start(setup);
      },
    };
    const { checks } = await runConformance(tiny, kit, { target, groups: ['hypercalls'] });
    const failed = checks.filter(({ result }) => result.verdict === 'fail');
    expect(failed.map(({ result }) => result)).toEqual([{ verdict: 'fail', why: 'the cable is out' }]);
  });
});
