import { afterAll, describe, expect, it } from 'vitest';
import { binaries, config } from './testing/guests.ts';
import { World } from './testing/world.ts';

const w = new World({
  files: {
    ...binaries('count-loop'),
    'a.cfg': config('dom1', 'count-loop'),
    'yes.cfg': 'name = "d"\nkernel = "count-loop.bin"\nvpmu = yes\n',
    'typo.cfg': `${config('d', 'count-loop')}vpum = 1\n`,
    'lost.cfg': 'name = "d"\nkernel = "lost.bin"\n',
    'nameless.cfg': 'kernel = "count-loop.bin"\n',
    'tailless.elf': new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]),
    'empty.bin': new Uint8Array(0),
    'host.json': '{\n  "cpu": "tny"\n}\n',
    'proto.json': '{ "settings": { "__proto__": 1 } }\n',
    'cut.json': '{\n  "cpu": ',
    'folder/x': '',
  },
});
afterAll(() => w.remove());

describe('usage errors exit with 2 and suggest', () => {
  it.each([
    ['rn a.cfg', "CV_USAGE  Unknown command 'rn'.\n  Did you mean run?\n"],
    ['run --polcy off a.cfg', "CV_USAGE  Unknown option '--polcy'.\n  Did you mean --policy?\n"],
    ['run', "CV_USAGE  Missing required argument 'guest'.\n  `countervisor help COMMAND` says"],
    ['list cpus events', 'CV_USAGE  Too many arguments'],
    ['run a.cfg --set __proto__=1', "no CPU setting '__proto__'"],
    ['run vpmu=1', 'No guest is named.'],
    ['run a.cfg --slice', "'--slice <N>' argument missing"],
    ['run a.cfg --slice soon', "--slice takes a number, and 'soon' is none."],
    ['run a.cfg --slice 0', '--slice is 0; it lies from 1 to 100000000.'],
    ['run a.cfg --policy emulatd', "Did you mean 'emulated'?"],
    ['run a.cfg --personality plin', 'Did you mean plain?'],
    ['run a.cfg --personality plain:strct', "Did you mean 'plain:strict'?"],
    ['run a.cfg --cpu tny', 'Did you mean tiny?'],
    ['run a.cfg --cpu tiny,+wyde', 'Did you mean wide?'],
    ['run a.cfg --cpu tiny,wide', 'belongs'],
    ['run a.cfg --platform tinny', 'Did you mean tiny?'],
    ['run a.cfg --set counter=2', 'Did you mean counters?'],
    ['run a.cfg --set counters=9', 'a whole number from 1 to 4'],
    ['run a.cfg --set counters', '--set takes key=value'],
    ['run a.cfg --option pebs', '--option takes key=value'],
    ['run a.cfg --option pebs=pin', 'There is none to choose from'],
    ['run a.cfg --engine steper', "Did you mean 'stepper'?"],
    ['run a.cfg --arch templat', "Did you mean 'template'?"],
    ['list evnts', "Did you mean 'events'?"],
    ['trace a.cfg --log acess', "Did you mean 'access'?"],
    ['stat a.cfg -e CYCLS', "Did you mean 'cycles'?"],
    ['regs a.cfg --at icunt:5', "Did you mean 'icount:'?"],
    ['regs a.cfg --at pc:main', 'Write icount:10000 or pc:0x40080000.'],
    ['regs a.cfg --grep (', 'takes a regular expression'],
    ['regs a.cfg --grep PMCTK', "Did you mean 'PMCTL'?"],
    ['regs a.cfg --domain dom2', "Did you mean 'dom1'?"],
    ['', 'Usage: countervisor'],
  ])('%s', async (line, said) => {
    const { code, out, err } = await w.run(...line.split(' ').filter(Boolean));
    expect([code, out]).toEqual([2, line === 'regs a.cfg --grep PMCTK' ? out : '']);
    expect(err).toContain(said);
  });
});

describe('wrong input exits with 3, with the place', () => {
  it.each([
    ['run yes.cfg', 'yes.cfg:3:8: CV_XLCFG_SYNTAX  A value is expected, and "yes" was found.\n  Write 1 for yes.\n'],
    ['run lost.cfg', 'lost.cfg:2:10: CV_FILE  lost.bin, the kernel, does not exist.\n'],
    ['run nameless.cfg', "nameless.cfg:1:1: CV_XLCFG_MISSING  The configuration has no 'name'."],
    ['run nothing.cfg', 'CV_FILE  nothing.cfg, the guest, does not exist.\n'],
    ['run folder', 'CV_FILE  folder, the guest, is a folder.\n'],
    ['run a.cfg --host proto.json', 'proto.json:1:17: CV_JSON  "__proto__" is no name for anything.\n'],
    [
      'run tailless.elf',
      'CV_ELF_TRUNCATED  tailless.elf is truncated: its identification ends at byte 16, and the file has 7.\n',
    ],
    ['run empty.bin', 'CV_FLAT_EMPTY  empty.bin is empty.\n'],
    ['run a.cfg a.cfg', "a.cfg:1:1: CV_SAME_NAME  The name 'dom1' is taken by a.cfg.\n"],
    [
      'run a.cfg --host host.json',
      "host.json:2:10: CV_UNKNOWN_CPU  template has no CPU model 'tny'.\n  Did you mean tiny?\n",
    ],
    ['run a.cfg --host cut.json', 'cut.json:2:10: CV_JSON  A value is expected, and the end was found.\n'],
    ['run a.cfg --host nothing.json', 'CV_FILE  nothing.json, the host file, does not exist.\n'],
    ['run a.cfg memory=huge', "command line:1:8: CV_XLCFG_VALUE  'memory' should be a number"],
    [
      'run a.cfg memory=300',
      "command line:1:1: CV_MEMORY_RANGE  'dom1' asks for 300 MiB, and the platform tiny has room for 256.\n",
    ],
    ['run a.cfg vcpus=600', "command line:1:1: CV_VCPUS_RANGE  'dom1' asks for 600 vCPUs"],
    ['run a.cfg cpus="3"', 'command line:1:6: CV_XLCFG_CPUS  "3" leaves vCPU 0 no pCPU on a host of 1.\n'],
    [
      'run a.cfg --cpu tiny-none',
      "a.cfg:4:1: CV_LIBXL_REFUSED  libxl refuses to create 'dom1' with ERROR_INVAL: this platform has no vPMU.\n  Write vpmu = 0, or choose a host whose CPU has a PMU that can be exposed.\n  The hypervisor would have refused it too, with EINVAL from common check 9: the vPMU cannot be enabled this way.\n",
    ],
    ['run a.cfg nestedhvm=1 altp2m=mixed', 'command line:1:1: CV_LIBXL_REFUSED'],
  ])('%s', async (line, said) => {
    const { code, out, err } = await w.run(...line.split(' '));
    expect(out).toBe('');
    expect(err).toContain(said);
    expect(code).toBe(3);
  });

  it('a name that is empty', async () => {
    const { code, err } = await w.run('run', '');
    expect([code, err]).toEqual([3, expect.stringContaining("CV_FILE  '', the guest, has no name.\n")]);
  });

  it('but a ramdisk is unsupported, 5', async () => {
    const { code, err } = await w.run('run', 'a.cfg', 'ramdisk=x');
    expect([code, err]).toEqual([5, expect.stringContaining("CV_RAMDISK  'dom1' has a ramdisk")]);
  });
});

describe('what is only odd is warned about', () => {
  it('an unknown key, with a suggestion, and the run goes on', async () => {
    const { code, err } = await w.run('run', 'typo.cfg');
    expect([code, err]).toEqual([
      0,
      'typo.cfg:5:1: CV_XLCFG_UNKNOWN_KEY  "vpum" is no key of xl.cfg, and is ignored.\n  Did you mean \'vpmu\'?\n',
    ]);
    expect((await w.run('run', 'typo.cfg', '-q')).err).toBe('');
  });

  it('a policy that has no effect, and vCPUs that never come', async () => {
    const { err } = await w.run('run', 'a.cfg', 'vpmu=0', 'maxvcpus=3', '--policy', 'switched');
    expect(err).toContain("the policy 'switched' has no effect");
    expect(err).toContain("the 2 vCPUs beyond 'vcpus' are never there");
  });

  it('-v names the machine', async () => {
    expect((await w.run('run', 'a.cfg', '-v')).err).toContain('note  plain:compat on tiny, 1 pCPU\n');
  });
});

describe('help and version', () => {
  it('go to stdout, exit 0, and list every command and exit code', async () => {
    const { code, out, err } = await w.run('--help');
    expect([code, err]).toEqual([0, '']);
    for (const command of ['run', 'stat', 'regs', 'list', 'check', 'trace'])
      expect(out).toMatch(new RegExp(`^ {2}${command} `, 'm'));
    expect(out).toContain('130 interrupted');
    expect((await w.run('run', '--help')).out).toContain('--exit-from <NAME>');
    expect((await w.run('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('colour', () => {
  const coloured = async (env: Record<string, string>, tty: boolean): Promise<boolean> => {
    const world = new World({ env, tty: { out: tty, err: tty } });
    const { err } = await world.run('run', 'nothing.cfg');
    world.remove();
    return err.includes('\u001b[');
  };
  it('is for terminals, unless NO_COLOR or FORCE_COLOR say otherwise', async () => {
    expect(await coloured({}, true)).toBe(true);
    expect(await coloured({}, false)).toBe(false);
    expect(await coloured({ NO_COLOR: '1' }, true)).toBe(false);
    expect(await coloured({ NO_COLOR: '' }, true)).toBe(true);
    expect(await coloured({ FORCE_COLOR: '1' }, false)).toBe(true);
    expect(await coloured({ FORCE_COLOR: '1', NO_COLOR: '1' }, true)).toBe(false);
    expect(await coloured({ TERM: 'dumb' }, true)).toBe(false);
  });
});
