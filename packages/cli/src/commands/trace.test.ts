import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asm } from '@countervisor/template';
import { afterEach, describe, expect, it } from 'vitest';
import { TRACE_KINDS, type TraceLine, traceSchema } from '../schemas/trace.ts';
import { binaries, config } from '../testing/guests.ts';
import { World, type WorldOptions } from '../testing/world.ts';

let w = new World();
function world(options: WorldOptions = {}): World {
  w = new World({
    ...options,
    files: {
      ...binaries('read-counter', 'overflow-at-n', 'forbidden-read'),
      'a.cfg': config('a', 'read-counter'),
      'b.cfg': config('b', 'overflow-at-n'),
      'loop.bin': asm.assemble([asm.label('x'), asm.readreg('R4', 'PMCTL'), asm.jump('x')]),
    },
  });
  return w;
}
afterEach(() => w.remove());

describe('trace', () => {
  it('names for every access its register, value, verdict and rule', async () => {
    const { code, out } = await world().run('trace', 'a.cfg', '--log', 'access');
    // read-counter: six writes and one read (template's programs.ts); the second instruction writes PMSEL0.
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toBe(
      'a/0 @1 0x1004 access kernel write PMSEL0 0x1 trapped | TPM (HCTL.TPM is 1: registers/control.ts); performed for the guest',
    );
    expect(lines.map((line) => line.split(' ')[6])).toEqual(['PMSEL0', 'PMC0', 'PMENSET', 'PMCTL', 'PMCTL', 'PMC0']);
    expect(lines.at(-1)).toContain('read PMC0 0xc trapped');
    expect(code).toBe(0);
    const direct = await w.run('trace', 'a.cfg', '--log', 'access', '--policy', 'passthrough');
    expect(direct.out).toContain('write PMSEL0 0x1 direct | no trap is armed\n');
  });

  it('--json writes lines by the schema; every kind has a rule', async () => {
    const { out } = await world().run(
      'trace',
      'b.cfg',
      'forbidden-read.bin',
      'memory=1',
      'vpmu=1',
      '--json',
      '--slice',
      '4',
    );
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as TraceLine);
    for (const line of lines) expect(traceSchema.parse(line)).toEqual(line);
    expect(lines[0]).toEqual({
      $schema: 'countervisor/schemas/trace.schema.json',
      type: 'trace',
      log: [...TRACE_KINDS],
    });
    const kinds = new Set(lines.slice(1).map((line) => line.type));
    expect([...kinds].sort()).toEqual(['access', 'exception', 'irq', 'overflow', 'switch', 'trap']);
    for (const line of lines.slice(1)) expect('rule' in line && line.rule.length > 5).toBe(true);
    // Eleven instructions set up, five are counted: the overflow is at the 16th.
    expect(lines.find((line) => line.type === 'overflow')).toMatchObject({
      domain: 'b',
      counter: 'PMC0',
      icount: 16,
      line: true,
      bank: 'vcpu',
    });
    expect(lines.find((line) => line.type === 'irq')).toMatchObject({ domain: 'b', icount: 16 });
  });

  it('-o writes the whole file or nothing, and stdout stays empty', async () => {
    const { code, out } = await world().run('trace', 'a.cfg', '--log', 'trap', '-o', 't.txt');
    expect([code, out]).toEqual([0, '']);
    expect(readFileSync(join(w.folder, 't.txt'), 'utf8').split('\n')).toHaveLength(8); // six accesses, one hypercall, the end
    expect((await w.run('trace', 'a.cfg', '-o', 'no/t.txt')).code).toBe(3);
    expect(w.files().filter((name) => name.includes('t.txt'))).toEqual(['t.txt']);
  });

  it('leaves an older file as it was when interrupted', async () => {
    world({ stop: { why: 'interrupt', breath: 1 }, tick: 100 }).write('t.txt', 'old');
    expect((await w.run('trace', 'loop.bin', '-o', 't.txt')).code).toBe(130);
    expect(readFileSync(join(w.folder, 't.txt'), 'utf8')).toBe('old');
    expect(w.files().filter((name) => name.includes('t.txt'))).toEqual(['t.txt']);
  });

  it('is bounded: a guest that loops for ever fills it and is stopped', async () => {
    const { code, out, err } = await world().run('trace', 'loop.bin', '--limit', '10');
    expect(out.trimEnd().split('\n')).toHaveLength(10);
    expect([code, err]).toEqual([0, expect.stringContaining('CV_TRACE_LIMIT  The trace was full after 10 lines')]);
  });

  it('shows what a switch moved, and by which policy', async () => {
    const { out } = await world().run(
      'trace',
      'a.cfg',
      'b.cfg',
      '--log',
      'switch',
      '--policy',
      'switched',
      '--slice',
      '5',
    );
    expect(out).toMatch(
      /^pcpu0 @5 switch a -> b: save .*restore .* \| policy switched: the PMU registers are saved and restored$/m,
    );
  });
});
