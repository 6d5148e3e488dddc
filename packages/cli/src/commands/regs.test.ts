import { afterAll, describe, expect, it } from 'vitest';
import { type RegsJson, regsSchema } from '../schemas/regs.ts';
import { binaries, config } from '../testing/guests.ts';
import { World } from '../testing/world.ts';

const w = new World({
  files: {
    ...binaries('read-counter', 'count-loop'),
    'a.cfg': config('a', 'read-counter'),
    'b.cfg': config('b', 'count-loop'),
  },
});
afterAll(() => w.remove());

async function values(...flags: string[]): Promise<Record<string, string>> {
  const { out } = await w.run('regs', 'a.cfg', '--json', ...flags);
  const json = JSON.parse(out) as RegsJson;
  expect(regsSchema.parse(json)).toEqual(json);
  return Object.fromEntries(
    json.domains.flatMap((d) => d.vcpus.flatMap((v) => v.registers.map((r) => [r.name, r.value]))),
  );
}

describe('regs', () => {
  // read-counter counts 12 instructions and leaves them in PMC0 and R4 (template's programs.ts).
  it('at the end', async () => {
    expect(await values()).toMatchObject({
      R4: '0x000000000000000c',
      PMC0: '0x000000000000000c',
      R1: '0x0000000000000000',
    });
  });

  it('after a number of instructions: five after the enabling write, the seventh instruction, PMC0 is 5', async () => {
    expect(await values('--at', 'icount:12')).toMatchObject({ PMC0: '0x0000000000000005', PMCTL: '0x00000001' });
    expect(await values('--at', 'icount:7')).toMatchObject({ PMC0: '0x0000000000000000', PMCTL: '0x00000001' });
  });

  it('before an instruction: the ninth stands at 0x1020', async () => {
    const { out } = await w.run('regs', 'a.cfg', '--at', 'pc:0x1020', '--grep', '^PMC0$');
    expect(out).toBe('a vCPU 0 after 8 instructions, pc 0x1020, kernel\n  PMC0  0x0000000000000001\n');
  });

  it('shows the first domain that comes there', async () => {
    const { out } = await w.run('regs', 'a.cfg', 'b.cfg', '--at', 'pc:0x1008', '--grep', '^R1$');
    expect(out).toBe('a vCPU 0 after 2 instructions, pc 0x1008, kernel\n  R1  0x1de7ec7edbadc0de\n');
    const { out: other } = await w.run(
      'regs',
      'a.cfg',
      'b.cfg',
      '--at',
      'pc:0x1008',
      '--grep',
      '^R1$',
      '--domain',
      'b',
    );
    expect(other).toBe('b vCPU 0 after 2 instructions, pc 0x1008, kernel\n  R1  0x0000000000000004\n');
  });

  it('decodes fields', async () => {
    const { out } = await w.run('regs', 'a.cfg', '--at', 'icount:8', '--decode', '--grep', '^PMSEL0$');
    expect(out).toContain('  PMSEL0 0x00000001\n');
    expect(out).toMatch(/^ {4}EVENT +7:0 +0x1 +Number of the event/m);
    const json = JSON.parse((await w.run('regs', 'a.cfg', '--decode', '--grep', 'PMCTL', '--json')).out) as RegsJson;
    expect(json.domains[0]?.vcpus[0]?.registers[0]?.fields?.at(-1)).toEqual({
      name: 'E',
      bits: [0, 0],
      value: '0x0',
      means: 'Counters run.',
    });
  });

  it("shows the hypervisor's own registers by pCPU", async () => {
    // Emulated: the personality leaves TPM, bit 0, set (template's registers/control.ts).
    const { out } = await w.run('regs', 'a.cfg', '--grep', 'HCTL');
    expect(out).toBe('pCPU 0\n  HCTL  0x0000000000000001\n');
  });

  it('exits with 1 where the instruction is never reached, and says how far it came', async () => {
    const { code, out, err } = await w.run('regs', 'b.cfg', '--at', 'pc:0x4000');
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('CV_NOT_REACHED  No domain came to 0x4000 (b: 13 instructions).');
  });

  it('says when the guest was over before', async () => {
    const { code, err } = await w.run('regs', 'b.cfg', '--at', 'icount:1000');
    expect([code, err]).toEqual([0, expect.stringContaining('CV_ENDED_BEFORE  b was over after 13 instructions')]);
  });

  it('and how it was over: a guest that faults before the moment exits with 4, quiet or not', async () => {
    w.write('b.bin', binaries('count-loop')['count-loop.bin']?.subarray(0, 4) ?? new Uint8Array());
    w.write('cut.cfg', 'name = "cut"\nkernel = "b.bin"\nmemory = 1\n');
    for (const quiet of [[], ['-q']]) {
      expect((await w.run('regs', 'cut.cfg', '--at', 'icount:1', ...quiet)).code).toBe(0);
      expect((await w.run('regs', 'cut.cfg', '--at', 'icount:1000', ...quiet)).code).toBe(4);
    }
  });
});
