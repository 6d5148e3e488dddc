import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Arch } from '@countervisor/contract';
import { conformance as kit, template } from '@countervisor/template';
import { afterAll, describe, expect, it } from 'vitest';
import { parts } from '../jobs.ts';
import { World } from '../testing/world.ts';

const tiny = template as unknown as Arch;
const inert: Arch = {
  ...tiny,
  pmu: { ...tiny.pmu, counters: tiny.pmu.counters.map((counter) => ({ ...counter, counting: () => false })) },
};

const w = new World();
const broken = new World({ architectures: [inert] });
afterAll(() => {
  w.remove();
  broken.remove();
});

describe('conformance', () => {
  it('shows the matrix and exits with 0 when nothing failed', async () => {
    const { code, out, err } = await w.run('conformance', 'template', '-g', 'sampling', '-g', 'hypercalls');
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^template on emulator\n +pass +fail +absent\nsampling +7 +0 +0\nhypercalls +\d+ +0 +0\nall /);
  });

  it('exits with 1 and shows what was expected and counted, and the last instructions', async () => {
    const { code, out } = await broken.run('conformance', 'template', '-g', 'sampling');
    expect(code).toBe(1);
    expect(out).toMatch(/FAIL sampling\/PMSAMPLE.*\n {2}PMSAMPLE after 1 of 1\n {2}expected 0x.*\n {2}counted {2}0x/);
    expect(out).toContain('  last retired instructions:\n');
  });

  it('--strict lets no absence pass but those that the architecture itself explains', async () => {
    expect((await w.run('conformance', 'template', '-g', 'rule 10', '--strict')).code).toBe(0);
    const { manual: _, ...some } = kit;
    const less = new World({ kits: { template: some } });
    const group = ['-g', 'hypercalls'];
    expect((await less.run('conformance', 'template', ...group)).code).toBe(0);
    const { code, out } = await less.run('conformance', 'template', ...group, '--strict');
    expect(code).toBe(1);
    expect(out).toContain('1 × hypercalls: the architecture gives no manual (Conformance.manual)');
    less.remove();
  });

  it('--tap and --junit tell the same', async () => {
    const { code, out } = await w.run('conformance', 'template', '-g', 'sampling', '--tap', '--junit', 'out.xml');
    expect(code).toBe(0);
    expect(out).toMatch(/^TAP version 14\n1\.\.7\nok 1 - sampling\//);
    expect(readFileSync(join(w.folder, 'out.xml'), 'utf8')).toContain('tests="7" failures="0" skipped="0"');
  });

  it('--shard 1/2 and 2/2 together do each check exactly once', async () => {
    const names = async (...more: string[]): Promise<string[]> =>
      (await w.run('conformance', 'template', '-g', 'policy', '--lines', ...more)).out
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { name: string }).name);
    const halves = [...(await names('--shard', '1/2')), ...(await names('--shard', '2/2'))];
    expect(halves.sort()).toEqual((await names()).sort());
    expect(new Set(halves).size).toBe(halves.length);
  });

  it('an interrupt ends it with 130', async () => {
    const stopped = new World({ stop: { why: 'interrupt', breath: 3 } });
    const { code, out } = await stopped.run('conformance', 'template', '-g', 'sampling', '--junit', 'out.xml');
    expect(code).toBe(130);
    expect(out).toMatch(/Stopped before the last check\.\n$/);
    // Half of the results would look like all of them.
    expect(stopped.files()).toEqual([]);
    stopped.remove();
  });

  it('says on a terminal how far it is, and cleans up behind itself', async () => {
    const terminal = new World({ tty: { out: false, err: true }, tick: 300 });
    const { err } = await terminal.run('conformance', 'template', '-g', 'sampling');
    expect(err).toContain('\r\u001b[K1 of 7  sampling');
    expect(err.endsWith('\r\u001b[K')).toBe(true);
    terminal.remove();
  });

  it.each([
    ['conformance templat', 2, "Did you mean 'template'?"],
    ['conformance ./nothing', 2, 'no package of an architecture'],
    ['conformance template --shard 3/2', 2, '--shard takes'],
    ['conformance template --shard 0/2', 2, '--shard takes'],
    ['conformance template -g no-such-check', 2, "No check of template is called like 'no-such-check'"],
    ['conformance template -j 0', 2, '--jobs is 0'],
  ])('%s exits with %i', async (line, expected, said) => {
    const { code, err } = await w.run(...line.split(' '));
    expect(code).toBe(expected);
    expect(err).toContain(said);
  });
});

describe('what cannot be tested', () => {
  it('an architecture that gives the kit nothing: 5, and what it should export', async () => {
    const bare = new World({ kits: {} });
    const { code, err } = await bare.run('conformance', 'template');
    expect(code).toBe(5);
    expect(err).toMatch(/^CV_NO_CONFORMANCE .* with\.\n {2}Export 'conformance'/);
    bare.remove();
  });

  it('tables that are refused at load: 5, with all their problems', async () => {
    const { PMCTL, ...rest } = tiny.registers;
    const wrong = { ...tiny, registers: { ...rest, PMCTL: { ...PMCTL, traps: ['NOBODY'], needs: 'nothing' } } } as Arch;
    const refused = new World({ architectures: [wrong] });
    const { code, out, err } = await refused.run('conformance', 'template');
    expect([code, out]).toEqual([5, '']);
    expect(err).toContain('NOBODY');
    expect(err).toContain("'nothing'");
    refused.remove();
  });

  it('a report that cannot be written: 3, before anything is run', async () => {
    const { code, out, err } = await w.run('conformance', 'template', '--junit', 'nowhere/out.xml');
    expect([code, out]).toEqual([3, '']);
    expect(err).toContain('CV_OUTPUT');
  });
});

describe('jobs', () => {
  it('cut a shard so that no check is lost or done twice', () => {
    for (const shard of [
      { part: 1, of: 1 },
      { part: 2, of: 3 },
    ]) {
      const whole = Array.from({ length: 100 }, (_, n) => n).filter((n) => n % shard.of === shard.part - 1);
      const cut = parts(shard, 4).flatMap(({ part, of }) => whole.filter((n) => n % of === part - 1));
      expect(cut.sort((a, b) => a - b)).toEqual(whole);
    }
  });
});
