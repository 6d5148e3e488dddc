import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asm } from '@countervisor/template';
import { afterEach, describe, expect, it } from 'vitest';
import { expectSchema } from '../schemas/expect.ts';
import { type StatJson, statSchema } from '../schemas/stat.ts';
import { binaries, config } from '../testing/guests.ts';
import { World } from '../testing/world.ts';

let w = new World();
function world(files: Record<string, string | Uint8Array> = {}): World {
  w = new World({ files: { ...binaries('count-loop', 'touch-memory', 'forbidden-read', 'call-host'), ...files } });
  return w;
}
afterEach(() => w.remove());

describe('stat', () => {
  // Counts by hand: template's programs.ts.
  it('prints the lines of perf stat', async () => {
    const { code, out, err } = await world().run(
      'stat',
      'count-loop.bin',
      '-e',
      'instructions,branches,TAKEN',
      '-e',
      'r03',
    );
    expect(out).toBe(
      [
        " Performance counter stats for 'count-loop' (count-loop.bin):",
        '',
        '                  13      instructions',
        '                   5      branches',
        '                   4      TAKEN',
        '                   0      r03',
        '',
        ' poweroff 0, passed',
        '',
      ].join('\n'),
    );
    expect([code, err]).toEqual([0, '']);
  });

  it('counts cycles, instructions and branches unless told otherwise', async () => {
    const { out } = await world().run('stat', 'touch-memory.bin', '-j');
    const json = JSON.parse(out) as StatJson;
    expect(statSchema.parse(json)).toEqual(json);
    expect(json.domains[0]?.events).toEqual([
      { event: 'cycles', count: 11, why: null },
      { event: 'instructions', count: 11, why: null },
      { event: 'branches', count: 0, why: null },
    ]);
  });

  it('keeps user, kernel and hypervisor apart', async () => {
    // forbidden-read retires 12, one of them at the user level; call-host exits five times, at 10 instructions each.
    const { out } = await world().run(
      'stat',
      'forbidden-read.bin',
      '-e',
      'instructions:u,instructions:k,instructions:uk,EXCEPTIONS:u',
      '--json',
    );
    expect((JSON.parse(out) as StatJson).domains[0]?.events.map((event) => event.count)).toEqual([1, 11, 12, 1]);
    w.write('host.json', '{"hypervisor": {"trap": {"instructions": 10, "cycles": 25}}}');
    const host = await w.run(
      'stat',
      'call-host.bin',
      '-e',
      'instructions:h,cycles:h,instructions:k,instructions',
      '--host',
      'host.json',
      '--json',
      '-q',
    );
    expect((JSON.parse(host.out) as StatJson).domains[0]?.events.map((event) => event.count)).toEqual([
      50, 125, 15, 65,
    ]);
  });

  it("is independent of the guest's own PMU and policy", async () => {
    for (const flags of [['vpmu=0'], ['--policy', 'passthrough'], ['--policy', 'switched', '--slice', '1']]) {
      const { out } = await world({ 'b.cfg': config('b', 'count-loop') }).run(
        'stat',
        'touch-memory.bin',
        'b.cfg',
        'memory=1',
        '-e',
        'MEMORY,branches',
        '--json',
        ...flags,
      );
      const counts = (JSON.parse(out) as StatJson).domains.map((domain) => domain.events.map((event) => event.count));
      expect(counts, flags.join(' ')).toEqual([
        [6, 0],
        [0, 5],
      ]);
      w.remove();
    }
  });

  it('-r runs again and says that nothing moved', async () => {
    const { code, out } = await world().run('stat', 'count-loop.bin', '-e', 'branches', '-r', '3');
    expect(out).toContain('                   5      branches                      ( ± 0, 3 runs )\n');
    expect(code).toBe(0);
    expect((JSON.parse((await w.run('stat', 'count-loop.bin', '-r', '3', '--json')).out) as StatJson).runs).toBe(3);
  });

  it('says <not supported> and exits with 5, never 0 and never a count', async () => {
    const { code, out, err } = await world().run('stat', 'count-loop.bin', '-e', 'branches,cache-misses,r99,CARRY');
    expect(code).toBe(5);
    expect(out).toContain(
      '     <not supported>      cache-misses                  # template models no event cache-misses\n',
    );
    expect(out).toContain('     <not supported>      r99                           # template models no event 0x99\n');
    expect(out).toContain('                   5      branches\n');
    expect(err.match(/CV_NOT_SUPPORTED/g)).toHaveLength(3);
    const json = JSON.parse((await w.run('stat', 'count-loop.bin', '-e', 'r99', '--json')).out) as StatJson;
    expect(json.domains[0]?.events).toEqual([{ event: 'r99', count: null, why: 'template models no event 0x99' }]);
  });

  it('stops at --until without calling that a failure', async () => {
    const { code, out } = await world().run('stat', 'count-loop.bin', '-e', 'instructions', '--until', '5', '-q');
    expect(out).toContain('                   5      instructions\n\n not ended\n');
    expect(code).toBe(0);
  });

  it("exits as the guest's end says", async () => {
    const bad = asm.assemble([asm.movi('R1', 3), asm.movi('R0', 2), asm.trap(0)]);
    expect((await world({ 'bad.bin': bad }).run('stat', 'bad.bin')).code).toBe(1);
  });
});

describe('expectations', () => {
  it('are recorded, met, and missed with the difference and exit 1', async () => {
    world();
    expect(
      (await w.run('stat', 'count-loop.bin', '-e', 'branches,instructions', '--record-expect', 'e.json')).code,
    ).toBe(0);
    const recorded: unknown = JSON.parse(readFileSync(join(w.folder, 'e.json'), 'utf8'));
    expect(expectSchema.parse(recorded)).toEqual({
      $schema: 'countervisor/schemas/expect.schema.json',
      domains: { 'count-loop': { branches: 5, instructions: 13 } },
    });
    const met = await w.run('stat', 'count-loop.bin', '--expect', 'e.json');
    expect([met.code, met.out]).toEqual([0, expect.stringContaining('All counts are as e.json expects.')]);

    w.write('wrong.json', '{"domains": {"count-loop": {"branches": 6, "TAKEN": 4, "instructions": "13", "LOADS": 0}}}');
    const missed = await w.run('stat', 'count-loop.bin', '--expect', 'wrong.json');
    expect([missed.code, missed.out]).toEqual([
      1,
      expect.stringContaining('count-loop branches: expected 6, counted 5 (-1)\n'),
    ]);
    const json = JSON.parse(
      (await w.run('stat', 'count-loop.bin', '--expect', 'wrong.json', '--json')).out,
    ) as StatJson;
    expect(json.expectation).toEqual({
      met: false,
      differences: [{ domain: 'count-loop', event: 'branches', expected: 6, counted: 5 }],
    });
  });

  it.each([
    [
      '{"domains": {"count-lop": {"branches": 5}}}',
      3,
      "e.json:1:27: CV_EXPECT_DOMAIN  Counts are expected of the domain 'count-lop'",
    ],
    ['{"domains": {"count-loop": {"brunches": 5}}}', 2, "Did you mean 'branches'?"],
    ['{"domains": {"count-loop": {"r99": 0}}}', 5, 'CV_NOT_SUPPORTED'],
    ['{"domains": {"count-loop": {"branches": -1}}}', 3, 'e.json:1:41: CV_JSON_VALUE'],
    ['{"domain": {}}', 3, "Did you mean 'domains'?"],
    ['{', 3, 'e.json:1:2: CV_JSON'],
  ])('%s exits with %i', async (text, exit, said) => {
    const { code, err } = await world({ 'e.json': text }).run('stat', 'count-loop.bin', '--expect', 'e.json');
    expect([code, err]).toEqual([exit, expect.stringContaining(said)]);
  });

  it('are not recorded from a run that could not count, and nothing half-written is left', async () => {
    world();
    expect((await w.run('stat', 'count-loop.bin', '-e', 'r99', '--record-expect', 'e.json')).code).toBe(5);
    expect((await w.run('stat', 'count-loop.bin', '--record-expect', 'no/such/folder/e.json')).code).toBe(3);
    expect(w.files().filter((name) => name.includes('e.json'))).toEqual([]);
  });
});
