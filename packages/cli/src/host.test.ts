import { asm, template } from '@countervisor/template';
import { afterAll, describe, expect, it } from 'vitest';
import type { RunJson } from './schemas/run.ts';
import { binaries, config } from './testing/guests.ts';
import { World } from './testing/world.ts';

const spin = asm.assemble([
  asm.movi('R3', 100),
  asm.label('x'),
  asm.addi('R3', 'R3', -1),
  asm.bnez('R3', 'x'),
  asm.movi('R1', 0),
  asm.movi('R0', 2),
  asm.trap(0),
]); // 1 + 200 + 3 = 204 instructions

const w = new World({ files: { ...binaries('count-loop'), 'a.cfg': config('a', 'count-loop'), 'spin.bin': spin } });
afterAll(() => w.remove());

async function domain(host: object, ...flags: string[]): Promise<RunJson['domains'][number]> {
  w.write('host.json', JSON.stringify(host));
  const { out, err } = await w.run('run', 'spin.bin', 'a.cfg', 'memory=1', '--json', '--host', 'host.json', ...flags);
  expect(err).toBe('');
  return (JSON.parse(out) as RunJson).domains[0] as RunJson['domains'][number];
}

describe('the host file decides', () => {
  it('slice and pcpus: how often domains change places', async () => {
    expect((await domain({ slice: 1000 })).switches).toBe(1);
    // 204 instructions, 10 at a time; the other guest's 13 are two turns: spin is switched to three times in all.
    expect((await domain({ slice: 10 })).switches).toBe(3);
    expect((await domain({ slice: 10, pcpus: 2 })).switches).toBe(1);
    expect((await domain({ slice: 10 }, '--slice', '1000')).switches).toBe(1);
  });

  it('policy, cpu and settings', async () => {
    expect((await domain({ policy: 'switched' })).policy).toBe('switched');
    expect((await domain({ policy: 'switched' }, '--policy', 'emulated')).policy).toBe('emulated');
    expect((await domain({ settings: { counters: 2 } })).counters).toHaveLength(2);
    expect((await domain({ settings: { counters: 2 } }, '--set', 'counters=3')).counters).toHaveLength(3);
    expect((await domain({ cpu: 'tiny-wide' })).counters).toHaveLength(4);
  });

  it('costs: cycles beyond one per instruction', async () => {
    const [cost = ''] = Object.keys(template.isa.costs);
    const plain = await domain({});
    expect([plain.instructions, plain.cycles]).toEqual([204, 204]);
    const dear = await domain({ costs: { [cost]: { backend: 2 } } });
    expect(dear.instructions).toBe(204);
    expect(Number(dear.cycles)).toBeGreaterThan(204);
  });

  it.each([
    ['{"slise": 2}', `host.json:1:11: CV_JSON_MEMBER  "slise" is no member of a host file.\n  Did you mean 'slice'?\n`],
    ['{"pcpus": 0}', "host.json:1:11: CV_JSON_VALUE  'pcpus' is wrong"],
    ['{"pcpus": 1.5}', "host.json:1:11: CV_JSON_VALUE  'pcpus' is wrong"],
    ['{"policy": "emulatd"}', "host.json:1:12: CV_JSON_VALUE  'policy' is wrong"],
    ['{"personality": "plane"}', 'host.json:1:17: CV_UNKNOWN_PERSONALITY'],
    [
      '{"personality": "plain:odd"}',
      "host.json:1:17: CV_JSON_VALUE  'personality' is wrong: it is NAME, NAME:compat or NAME:strict.",
    ],
    ['{"settings": {"counters": 9}}', 'host.json:1:27: CV_SETTING_VALUE  The CPU setting counters cannot be 9.'],
    ['{"settings": {"countrs": 2}}', 'host.json:1:26: CV_UNKNOWN_SETTING'],
    ['{"costs": {"brnch": {}}}', "host.json:1:21: CV_UNKNOWN_NAME  'costs' names the cost class brnch"],
    ['{"hypervisor": {"trap": {"cycle": 1}}}', "Did you mean 'cycles'?"],
    ['{"hypervisor": {"traps": {}}}', "Did you mean 'trap'?"],
    ['{"platform": "virt"}', 'host.json:1:14: CV_UNKNOWN_PLATFORM'],
    ['[]', 'host.json:1:1: CV_JSON_VALUE  a host file is wrong'],
  ])('%s is refused with exit 3', async (text, said) => {
    w.write('host.json', text);
    const { code, out, err } = await w.run('run', 'a.cfg', '--host', 'host.json');
    expect([code, out]).toEqual([3, '']);
    expect(err).toContain(said);
  });
});
