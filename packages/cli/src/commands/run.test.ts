import { asm, template as template_ } from '@countervisor/template';
import { afterAll, describe, expect, it } from 'vitest';
import { type RunJson, runSchema } from '../schemas/run.ts';
import { binaries, config } from '../testing/guests.ts';
import { World, type WorldOptions } from '../testing/world.ts';

const { assemble, bnez, jump, label, movi, nop, trap } = asm;
const EXIT = [movi('R0', 2), trap(0)];

const worlds: World[] = [];
function world(files: WorldOptions['files'], options: WorldOptions = {}): World {
  const made = new World({ ...options, files: { ...binaries('call-host', 'read-counter', 'count-loop'), ...files } });
  worlds.push(made);
  return made;
}
afterAll(() => {
  for (const made of worlds) made.remove();
});

const two = (): World => world({ 'a.cfg': config('dom1', 'call-host'), 'b.cfg': config('dom2', 'read-counter') });

/** Prints two lines and part of a third; 13 instructions, by hand: 3 a byte, 6 bytes would be 18. */
const talk = assemble([
  ...['x', '\n', 'y'].flatMap((c) => [movi('R0', 1), movi('R1', c.charCodeAt(0)), trap(0)]), // 9
  movi('R1', 0), // 10
  ...EXIT, // 12
]);

describe('run', () => {
  it('shows consoles with names in front, then the table with every fact', async () => {
    const { code, out, err } = await two().run('run', 'a.cfg', 'b.cfg', '-q');
    // call-host: 15 instructions, 5 hypercalls, prints "hi"; read-counter: 23, 6 trapped PMU accesses, PMC0 ends at 12 (template's programs.ts).
    expect(out).toBe(
      [
        'dom1| hi',
        '',
        '                                 dom1                dom2',
        'policy                       emulated            emulated',
        'instructions                       15                  23',
        'cycles                             15                  23',
        'switches                            1                   1',
        'exits                               5                   7',
        '  hypercall                         5                   1',
        '  pmu                               -                   6',
        'PMC0 INSTRUCTIONS                   -                  12',
        '4 other counters               unused              unused',
        'exit               poweroff 0, passed  poweroff 0, passed',
        '',
      ].join('\n'),
    );
    expect([code, err]).toEqual([0, '']);
  });

  it('says on stderr what a guest touched that is not modelled, and -q does not', async () => {
    const { err } = await two().run('run', 'a.cfg');
    expect(err).toContain('CV_UNKNOWN_HYPERCALL  dom1: the guest called the hypervisor with number 0x63');
  });

  it('--json is one object by the published schema', async () => {
    const { code, out } = await two().run('run', 'a.cfg', 'b.cfg', '--json', '-q');
    const json = JSON.parse(out) as RunJson;
    expect(runSchema.parse(json)).toEqual(json);
    expect(json.$schema).toBe('countervisor/schemas/run.schema.json');
    const [dom1, dom2] = json.domains;
    expect(dom1).toMatchObject({
      name: 'dom1',
      policy: 'emulated',
      console: 'hi',
      exit: { reason: 'poweroff', status: 0, code: 0, verdict: 'passed' },
      instructions: 15,
      cycles: 15,
      traps: { hypercall: 5 },
      switches: 1,
    });
    expect(dom2?.traps).toEqual({ hypercall: 1, pmu: 6 });
    expect(dom2?.counters[0]).toEqual({ vcpu: 0, counter: 'PMC0', event: 'INSTRUCTIONS', value: 12, unset: false });
    expect(dom2?.counters.slice(1).every((counter) => counter.unset)).toBe(true);
    expect(code).toBe(0);
  });

  it('gives the same bytes again and again', async () => {
    const w = two();
    const first = await w.run('run', 'a.cfg', 'b.cfg', '--slice', '3');
    expect(await w.run('run', 'a.cfg', 'b.cfg', '--slice', '3')).toEqual(first);
  });

  it('keeps what each domain sees at any slice and number of pCPUs', async () => {
    const w = world({ 'a.cfg': config('a', 'count-loop'), 'b.cfg': config('b', 'read-counter'), 'c.bin': talk });
    const views = [];
    for (const flags of [
      ['--slice', '1'],
      ['--slice', '7'],
      ['--pcpus', '2'],
    ]) {
      const { out } = await w.run('run', 'a.cfg', 'b.cfg', 'c.bin', 'memory=1', '--json', ...flags);
      views.push((JSON.parse(out) as RunJson).domains.map(({ switches: _, ...domain }) => domain));
    }
    expect(views[1]).toEqual(views[0]);
    expect(views[2]).toEqual(views[0]);
  });

  it('shows an unfinished last line', async () => {
    const { out } = await world({ 'talk.bin': talk }).run('run', 'talk.bin');
    expect(out.split('\n').slice(0, 3)).toEqual(['talk| x', 'talk| y', '']);
  });

  it('boots an image without a configuration with a PMU where the CPU has one, and settings over it', async () => {
    const w = world({});
    const policyOf = async (...more: string[]): Promise<unknown> =>
      (JSON.parse((await w.run('run', 'count-loop.bin', '--json', ...more)).out) as RunJson).domains[0]?.policy;
    expect(await policyOf()).toBe('emulated');
    expect(await policyOf('vpmu=0')).toBe('off');
    expect(await policyOf('--cpu', 'tiny-none')).toBe('off');
    expect(await policyOf('--policy', 'switched')).toBe('switched');
  });
});

describe('exit codes', () => {
  const failing = assemble([movi('R1', 7), ...EXIT]);
  const looping = assemble([label('here'), jump('here')]);
  const wild = assemble([movi('R1', 1), label('x'), nop(), bnez('R1', 'x')]); // runs for ever, too

  it('1 when a guest reports failure; --exit-from hands its own status on', async () => {
    const w = world({ 'bad.bin': failing, 'a.cfg': config('good', 'count-loop') });
    const { code, out } = await w.run('run', 'bad.bin', 'a.cfg', '-q');
    expect(code).toBe(1);
    expect(out).toContain('poweroff 7, failed');
    expect((await w.run('run', 'bad.bin', 'a.cfg', '-q', '--exit-from', 'bad')).code).toBe(7);
    expect((await w.run('run', 'bad.bin', 'a.cfg', '-q', '--exit-from', 'good')).code).toBe(0);
    const { code: usage, err } = await w.run('run', 'bad.bin', 'a.cfg', '--exit-from', 'goud');
    expect([usage, err]).toEqual([2, expect.stringContaining("Did you mean 'good'?")]);
  });

  it('1 when a guest loops until --until', async () => {
    const { code, out, err } = await world({ 'loop.bin': looping }).run('run', 'loop.bin', '--until', '10k');
    expect(code).toBe(1);
    expect(out).toMatch(/^instructions +10,000$/m);
    expect(out).toContain('not ended');
    expect(err).toContain('CV_LIMIT  loop had not ended after 10,000 instructions.');
  });

  it('4 when a guest faults, with where it began', async () => {
    // To 0x500, where neither RAM nor a device is, with vectors that nobody has set.
    const w = world({ 'nowhere.bin': assemble([movi('R2', 0x500), asm.writereg('EPC', 'R2'), asm.sysret()]) });
    const { code, out, err } = await w.run('run', 'nowhere.bin');
    expect(code).toBe(4);
    expect(out).toContain('exception-loop 0, faulted');
    expect(err).toMatch(
      /CV_EXCEPTION_LOOP {2}nowhere\/0: it began with '[a-z-]+' at pc 0x500 \(.*\), after 3 instructions\./,
    );
  });

  it('the same from every engine; 2 for one that does not exist', async () => {
    const w = world({});
    const [first, ...others] = await Promise.all(
      ['auto', 'translator', 'stepper'].map((engine) => w.run('run', 'count-loop.bin', '--engine', engine)),
    );
    expect(first?.code).toBe(0);
    for (const other of others) expect(other).toEqual(first);
    const { code, err } = await w.run('run', 'count-loop.bin', '--engine', 'translater');
    expect([code, err]).toEqual([2, expect.stringContaining("Did you mean 'translator'?")]);
  });

  it('5 for a policy that is not offered', async () => {
    const narrow = {
      ...template_,
      personalities: { plain: { ...template_.personalities.plain, policies: ['off'] as const } },
    };
    const v = world({}, { architectures: [narrow as never] });
    const { code, err } = await v.run('run', 'count-loop.bin', '--policy', 'emulated');
    expect([code, err]).toEqual([
      5,
      expect.stringContaining("plain asks for the policy 'emulated', which is not offered."),
    ]);
  });

  it('130 when interrupted, with the table so far', async () => {
    const w = world({ 'loop.bin': wild }, { stop: { why: 'interrupt', breath: 1 }, tick: 100 });
    const { code, out } = await w.run('run', 'loop.bin');
    expect(code).toBe(130);
    expect(out).toContain('not ended');
  });

  it('0 and silence when nobody reads any more', async () => {
    const w = world({ 'loop.bin': wild }, { stop: { why: 'closed', breath: 1 }, tick: 100 });
    const { code, err } = await w.run('run', 'loop.bin');
    expect([code, err]).toEqual([0, '']);
  });

  it('progress goes to a terminal alone, and not where results go', async () => {
    const tick = 700;
    const progress = async (tty: { out: boolean; err: boolean }, ...flags: string[]): Promise<boolean> =>
      (
        await world({ 'loop.bin': wild }, { tty, tick }).run('run', 'loop.bin', '--until', '100k', ...flags)
      ).err.includes('\r');
    expect(await progress({ out: false, err: true })).toBe(true);
    expect(await progress({ out: true, err: true }, '--json')).toBe(true);
    expect(await progress({ out: true, err: true })).toBe(false);
    expect(await progress({ out: false, err: false })).toBe(false);
    expect(await progress({ out: false, err: true }, '-q')).toBe(false);
  });
});
