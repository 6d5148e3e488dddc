import { CountervisorError } from '@countervisor/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ReadConfig, readDomainConfig } from './config.ts';
import { HALF } from './testing/half.ts';
import { parseXlConfig } from './xlcfg.ts';
import { IGNORED_KEYS, KEYS } from './xlkeys.ts';

const BASE = 'name = "dom1"\nkernel = "hello.elf"\n';

function read(text: string, overrides: readonly string[] = [], half: Partial<typeof HALF> = {}): ReadConfig {
  return readDomainConfig(parseXlConfig(text, 'a.cfg', overrides), { ...HALF, ...half });
}

function warned(text: string): string[] {
  return read(text).warnings.map((warning) => warning.format());
}

function failure(run: () => unknown): CountervisorError {
  try {
    run();
  } catch (error) {
    if (error instanceof CountervisorError) return error;
    throw error;
  }
  throw new Error('no error');
}

describe('readDomainConfig', () => {
  it('reads a whole configuration', () => {
    const text = `${BASE}
      type = "hvm"
      uuid = "12345678-9abc-def0-1234-56789ABCDEF0"
      ramdisk = "initrd"
      root = "/dev/vda"
      extra = "console=ttyAMA0"
      memory = 0x80
      vcpus = 2
      maxvcpus = 4
      cpus = ["0", "1"]
      vpmu = 1
      nomigrate = 1
      on_poweroff = "preserve"
      on_reboot = "rename-restart"
      on_watchdog = "coredump-destroy"
      on_crash = "coredump-restart"
      on_soft_reset = "destroy"
      passthrough = "Share_PT"
      altp2m = 2
      colour = "RED"`;
    const { config, warnings } = read(text);
    expect(warnings).toEqual([]);
    const { affinity, values, places, ...rest } = config;
    expect(rest).toEqual({
      file: 'a.cfg',
      name: 'dom1',
      type: 'hvm',
      uuid: '12345678-9abc-def0-1234-56789ABCDEF0',
      kernel: 'hello.elf',
      ramdisk: 'initrd',
      cmdline: 'root=/dev/vda console=ttyAMA0',
      memory: 128,
      maxmem: 128,
      vcpus: 2,
      maxvcpus: 4,
      vpmu: true,
      nomigrate: true,
      on: {
        poweroff: 'preserve',
        reboot: 'rename-restart',
        watchdog: 'coredump-destroy',
        crash: 'coredump-restart',
        soft_reset: 'destroy',
      },
    });
    expect(affinity.each.map((list) => list.text)).toEqual(['0', '1']);
    expect([values.get('passthrough'), values.get('altp2m'), values.get('colour')]).toEqual([
      'share_pt',
      'external',
      'red',
    ]);
    expect(places.get('vpmu')).toEqual({ file: 'a.cfg', line: 13, column: 7 });
  });

  it('fills in libxl’s defaults', () => {
    const { config, warnings } = read(BASE);
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      type: 'pvh',
      uuid: undefined,
      ramdisk: undefined,
      cmdline: '',
      memory: 32,
      maxmem: 32,
      vcpus: 1,
      maxvcpus: 1,
      affinity: { every: undefined, each: [] },
      vpmu: false,
      nomigrate: false,
      on: { poweroff: 'destroy', reboot: 'restart', watchdog: 'destroy', crash: 'destroy', soft_reset: 'soft-reset' },
    });
    expect(config.values.get('max_event_channels')).toBe(1023);
    expect(config.values.get('oos')).toBe(true);
    expect(config.values.has('hap')).toBe(false);
  });

  it.each([
    ['0', false],
    ['1', true],
    ['2', true],
    ['00', false],
    ['0x0', false],
    ['0x10', true],
    ['"1"', true],
    ['" 1"', true],
    ['"-1"', true],
    ['"+0"', false],
    ['9223372036854775807', true],
  ])('a boolean of %s is %s', (value, is) => {
    expect(read(`${BASE}vpmu = ${value}`).config.vpmu).toBe(is);
  });

  it.each([
    ['memory = 64', 64],
    ['memory = 0100', 64],
    ['memory = 0x40', 64],
    ['memory = "0X4f"', 79],
    ['memory = "+64"', 64],
    ['memory = 2147483647', 2147483647],
  ])('%s is %i', (line, memory) => {
    expect(read(BASE + line).config.memory).toBe(memory);
  });

  it.each([
    ['extra = "a"', 'a'],
    ['root = "/"', 'root=/'],
    ['cmdline = "c"', 'c'],
    ['extra = ""', ''],
    ['root="/"; extra="single"', 'root=/ single'],
    ['extra = 5', '5'],
  ])('%s gives the kernel %j', (line, cmdline) => {
    expect(read(BASE + line).config.cmdline).toBe(cmdline);
  });

  it.each([
    ['', 'pvh'],
    ['type = "pv"', 'pv'],
    ['type = "pvh"', 'pvh'],
    ['builder = "hvm"', 'hvm'],
    ['builder = "generic"', 'pv'],
    ['builder = "hvm"; type = "hvm"', 'hvm'],
  ])('%s makes the type %s where pv stays pv', (line, type) => {
    const { pvBecomes: _, ...half } = HALF;
    expect(readDomainConfig(parseXlConfig(BASE + line, 'a.cfg'), half).config.type).toBe(type);
  });

  it('takes the command line’s value over the file’s', () => {
    const { config } = read(`${BASE}vpmu = 0`, ['vpmu=1', 'name="dom2"']);
    expect([config.vpmu, config.name]).toEqual([true, 'dom2']);
    expect(config.places.get('vpmu')).toEqual({ file: 'command line', line: 1, column: 1 });
  });
});

describe('errors', () => {
  it.each([
    [
      'vpmu = "yes"',
      '3:8',
      'CV_XLCFG_VALUE',
      `'vpmu' should be a number, and "yes" is none.`,
      'go on as if the key were absent',
    ],
    ['vpmu = ""', '3:8', 'CV_XLCFG_VALUE', 'should be a number', 'decimal'],
    ['vpmu = "1 "', '3:8', 'CV_XLCFG_VALUE', 'should be a number', 'decimal'],
    ['vpmu = [1]', '3:8', 'CV_XLCFG_VALUE', "'vpmu' is a list", 'vpmu = value'],
    ['vpmu = 1\nvpmu += 1', '4:1', 'CV_XLCFG_VALUE', "'+=' does not add numbers", 'the sum'],
    ['vpmu = 9223372036854775808', '3:8', 'CV_XLCFG_RANGE', 'no signed 64-bit number', 'smaller'],
    ['memory = 08', '3:10', 'CV_XLCFG_VALUE', '"08" is none', '0 for octal'],
    ['memory = 1x', '3:10', 'CV_XLCFG_VALUE', '"1x" is none', 'decimal'],
    ['memory = 0x', '3:10', 'CV_XLCFG_VALUE', '"0x" is none', 'decimal'],
    [`memory = ${'1'.repeat(100)}`, '3:10', 'CV_XLCFG_VALUE', 'is none', 'decimal'],
    ['memory = 0', '3:10', 'CV_XLCFG_RANGE', "'memory' is 0, and should lie from 1 to 2147483647.", 'MiB of RAM'],
    ['memory = "-1"', '3:10', 'CV_XLCFG_RANGE', "'memory' is -1", 'MiB of RAM'],
    ['vcpus = 2147483648', '3:9', 'CV_XLCFG_RANGE', 'from 0 to 2147483647', 'online'],
    ['altp2m_count = 65536', '3:16', 'CV_XLCFG_RANGE', 'from 0 to 65535', 'alternate'],
    ['type = "PVH"', '3:8', 'CV_XLCFG_CHOICE', `'type' is "PVH"`, 'hvm, pv, pvh'],
    ['on_crash = "reboot"', '3:12', 'CV_XLCFG_CHOICE', '"reboot"', 'destroy, restart'],
    ['altp2m = 4', '3:10', 'CV_XLCFG_CHOICE', '"4"', 'disabled, mixed'],
    ['colour = "pink"', '3:10', 'CV_XLCFG_CHOICE', '"pink"', 'red, green, blue'],
    ['uuid = "1234"', '3:8', 'CV_XLCFG_VALUE', '"1234" is no UUID', '8-4-4-4-12'],
    ['name = ""', '3:8', 'CV_XLCFG_VALUE', '"" is no name', '1 to 128 printable'],
    ['name = "a\x1b[2J"', '3:8', 'CV_XLCFG_VALUE', '"a\\u001b[2J" is no name', 'printable'],
    [`name = "${'n'.repeat(129)}"`, '3:8', 'CV_XLCFG_VALUE', 'is no name', '128'],
    [
      'memory = 64\nmaxmem = 32',
      '4:10',
      'CV_XLCFG_CONFLICT',
      "'maxmem' is 32, less than 'memory', which is 64",
      'Raise',
    ],
    ['vcpus = 4\nmaxvcpus = 2', '4:12', 'CV_XLCFG_CONFLICT', "less than 'vcpus', which is 4", 'Raise'],
    [
      'type = "pvh"\nbuilder = "hvm"',
      '4:11',
      'CV_XLCFG_CONFLICT',
      'builder = "hvm" means type = "hvm"',
      'Remove builder',
    ],
    ['cpus = "x"', '3:8', 'CV_XLCFG_CPUS', '"x"', '0-3'],
  ])('%j at %s is %s', (line, at, code, sentence, remedy) => {
    const error = failure(() => read(BASE + line));
    expect([`${error.place?.line}:${error.place?.column}`, error.code]).toEqual([at, code]);
    expect(error.message).toContain(sentence);
    expect(error.remedy).toContain(remedy);
  });

  it.each([
    ['kernel = "k"', 'name'],
    ['name = "n"', 'kernel'],
  ])('%s alone has no %s', (text, key) => {
    const error = failure(() => read(text));
    expect(error.format()).toContain(`a.cfg:1:1: CV_XLCFG_MISSING  The configuration has no '${key}'.`);
  });
});

describe('warnings', () => {
  it.each([
    [
      'vmpu = 1',
      `a.cfg:3:1: CV_XLCFG_UNKNOWN_KEY  "vmpu" is no key of xl.cfg, and is ignored.\n  Did you mean 'vpmu'?`,
    ],
    [
      'diskk = 1',
      `a.cfg:3:1: CV_XLCFG_UNKNOWN_KEY  "diskk" is no key of xl.cfg, and is ignored.\n  Did you mean 'disk'?`,
    ],
    [
      'color = 1',
      `a.cfg:3:1: CV_XLCFG_UNKNOWN_KEY  "color" is no key of xl.cfg, and is ignored.\n  Did you mean 'colour'?`,
    ],
    [
      'frobnicate = 1',
      'a.cfg:3:1: CV_XLCFG_UNKNOWN_KEY  "frobnicate" is no key of xl.cfg, and is ignored.\n  Remove it; see xl.cfg(5) for the keys.',
    ],
    [
      "disk = ['x']",
      "a.cfg:3:1: CV_XLCFG_IGNORED_KEY  'disk' is ignored: this device is not modelled.\n  Remove it to silence this warning.",
    ],
    [
      'gic_version = "v2"',
      "a.cfg:3:1: CV_XLCFG_IGNORED_KEY  'gic_version' is ignored: it is read on another architecture only.\n  Remove it to silence this warning.",
    ],
    ['vpmu = 2', "a.cfg:3:1: CV_XLCFG_BOOLEAN  'vpmu' is neither 0 nor 1, and counts as 1.\n  Write vpmu = 1."],
    ['vcpus = 0', "a.cfg:3:1: CV_XLCFG_VCPUS  'vcpus' is 0, and counts as 1.\n  Write vcpus = 1."],
    [
      'maxmem = 64',
      "a.cfg:3:1: CV_XLCFG_IGNORED_KEY  'maxmem' is above 'memory': ballooning is not modelled, and the domain has 32 MiB.\n  Leave maxmem out.",
    ],
    [
      'memory = 1\nmemory = 2',
      'a.cfg:3:1: CV_XLCFG_REPLACED  "memory" is set again further down; the last one counts.\n  Remove one of them.',
    ],
    [
      'cpus = [0, 0]',
      "a.cfg:3:1: CV_XLCFG_CPUS  'cpus' has 2 entries for 1 vCPUs; those beyond are ignored.\n  Remove them, or write one string for all vCPUs.",
    ],
    [
      'cmdline="a"; extra="b"',
      "a.cfg:3:14: CV_XLCFG_CMDLINE  'root' and 'extra' are ignored in favour of 'cmdline'.\n  Write all of it in cmdline.",
    ],
    ['type = "pv"', 'a.cfg:3:1: CV_XLCFG_TYPE  A pv domain becomes pvh here: tests have no pv.\n  Write type = "pvh".'],
  ])('%s', (line, warning) => {
    expect(warned(BASE + line)).toEqual([warning]);
  });

  it('keep a hostile file short and quick', () => {
    const text = BASE + Array.from({ length: 50_000 }, (_, n) => `k${n}=1\n`).join('');
    const found = warned(text);
    expect(found).toHaveLength(51);
    expect(found[50]).toContain('There are 49950 more settings of this kind.');
  });
});

describe('the key tables', () => {
  it('name no key twice', () => {
    const all = [...KEYS.map(({ name }) => name), 'cpus', ...IGNORED_KEYS.keys()];
    expect(all.length).toBe(new Set(all).size);
    expect(all.every((name) => /^[a-z][._0-9a-z]*$/.test(name))).toBe(true);
  });

  it('have defaults that their own rows allow', () => {
    for (const key of KEYS) {
      if (key.default === undefined) continue;
      if (key.kind === 'choice') expect(key.choices).toContain(key.default);
      if (key.kind === 'number') {
        expect(key.default).toBeGreaterThanOrEqual(key.range[0]);
        expect(key.default).toBeLessThanOrEqual(key.range[1]);
      }
    }
  });
});

describe('properties', () => {
  it('throw nothing but the one error, whatever the keys hold', () => {
    const name = fc.constantFrom(...KEYS.map((key) => key.name), 'cpus', 'colour', 'disk', 'nonsense');
    const value = fc.oneof(
      fc.constantFrom('0', '1', '[]', '[1, "2"]', '"hvm"', '"all"', '"0-1,^0"', '""', '"v2"', '"destroy"'),
      fc.nat().map(String),
      fc.string().map((text) => JSON.stringify(text.replaceAll(/[^ -~]/g, ''))),
    );
    const sign = fc.constantFrom('=', '+=');
    let read1 = 0;
    fc.assert(
      fc.property(fc.array(fc.tuple(name, sign, value), { maxLength: 8 }), (lines) => {
        const text = BASE + lines.map((line) => line.join(' ')).join('\n');
        try {
          const { config, warnings } = read(text);
          read1++;
          expect(config.maxvcpus).toBeGreaterThanOrEqual(config.vcpus);
          expect(warnings.every((warning) => warning.place !== undefined && warning.remedy !== '')).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(CountervisorError);
          expect((error as CountervisorError).place?.file).toBe('a.cfg');
        }
      }),
      { numRuns: 1000 },
    );
    expect(read1).toBeGreaterThan(50);
  });
});
