import { afterAll, describe, expect, it } from 'vitest';
import { type CheckJson, checkSchema } from '../schemas/check.ts';
import { binaries, config } from '../testing/guests.ts';
import { World } from '../testing/world.ts';

const w = new World({
  files: {
    ...binaries('count-loop'),
    'a.cfg': config('a', 'count-loop', 'vpmu = 1\nextra = "quiet"\nvcpus = 2\ncpus = ["0", "0-1"]'),
    'b.cfg': config('b', 'count-loop', 'vpum = 1'),
    'bad.cfg': 'name = \n',
    'big.cfg': 'name = "big"\nkernel = "big.bin"\nmemory = 1\n',
    'big.bin': new Uint8Array(2 * 1024 * 1024),
    'x86.elf': new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 62, 0]),
  },
});
afterAll(() => w.remove());

describe('check', () => {
  it('prints the resolved configuration and creates nothing', async () => {
    const { code, out, err } = await w.run('check', 'a.cfg', '--pcpus', '2');
    expect(out).toBe(
      [
        'a.cfg: accepted',
        '  name     a',
        '  type     pvh',
        '  kernel   count-loop.bin (flat, 20 bytes)',
        '  cmdline  "quiet"',
        '  memory   1 MiB',
        '  vcpus    2',
        '  pins     vCPU 0 on 0; vCPU 1 on 0,1',
        '  vpmu     1',
        '  policy   emulated: Every access is trapped and performed on counters of the vCPU, which run only while it does (KVM).',
        // hvm 0, hap 1, vpmu 7, trap_unmapped_accesses 8.
        '  flags    0x183: hvm hap vpmu trap_unmapped_accesses',
        '',
      ].join('\n'),
    );
    expect([code, err]).toEqual([0, '']);
    expect(await w.run('run', '-n', 'a.cfg', '--pcpus', '2')).toEqual({ code, out, err });
  });

  it('shows which check refuses, libxl’s and the hypervisor’s, and exits with 3', async () => {
    const { code, out } = await w.run('check', 'a.cfg', '--pcpus', '2', '--cpu', 'tiny-none');
    expect(code).toBe(3);
    expect(out).toContain(
      'a.cfg: refused\n  refused by libxl     ERROR_INVAL: this platform has no vPMU (a.cfg:4:1)\n',
    );
    expect(out).toContain('the hypervisor, too  EINVAL from common check 9: the vPMU cannot be enabled this way\n');
    const json = JSON.parse(
      (await w.run('check', 'a.cfg', '--pcpus', '2', '--cpu', 'tiny-none', '--json')).out,
    ) as CheckJson;
    expect(json.guests[0]?.refusal).toMatchObject({
      by: 'libxl',
      rc: 'ERROR_INVAL',
      domctl: { errno: 'EINVAL', where: 'common', check: 9 },
    });
  });

  it('looks at every guest, also after a wrong one', async () => {
    const { code, out, err } = await w.run('check', 'bad.cfg', 'b.cfg', 'big.cfg', 'nothing.cfg', 'x86.elf', 'b.cfg');
    expect(code).toBe(3);
    expect(out.match(/^\S+: (accepted|refused|invalid)$/gm)).toEqual([
      'bad.cfg: invalid',
      'b.cfg: accepted',
      'big.cfg: invalid',
      'nothing.cfg: invalid',
      'x86.elf: invalid',
      'b.cfg: invalid',
    ]);
    expect(err).toContain('bad.cfg:1:8: CV_XLCFG_SYNTAX');
    expect(err).toContain('big.cfg:2:1: CV_IMAGE_OUTSIDE_RAM');
    expect(err).toContain("Did you mean 'vpmu'?");
    expect(err).toContain('CV_SAME_NAME');
    const json = JSON.parse((await w.run('check', 'bad.cfg', 'b.cfg', '--json', '-q')).out) as CheckJson;
    expect(checkSchema.parse(json)).toEqual(json);
    expect(json.guests.map((guest) => guest.verdict)).toEqual(['invalid', 'accepted']);
    expect(json.guests[0]?.error).toMatchObject({
      code: 'CV_XLCFG_SYNTAX',
      place: { file: 'bad.cfg', line: 1, column: 8 },
    });
    expect(json.guests[1]?.warnings[0]?.code).toBe('CV_XLCFG_UNKNOWN_KEY');
  });
});
