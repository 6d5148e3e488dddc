/** What is wrong with configurations, images and guests, said through the command: the message with its place, the exit code, and nothing half-written. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asm } from '@countervisor/arm64';
import { runSchema, traceSchema } from 'countervisor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countervisor, image, root, type Said, spawned } from './countervisor.ts';

const { b, br, brk, hvc, label, ldr, load, mem, program, str, udf, wfi } = asm;
const BASE = 0x4008_0000;
const hello = new Uint8Array(readFileSync(join(root, image('hello'))));
/** e_shoff + e_shnum * e_shentsize, of an ELF64 header. */
const header = new DataView(hello.buffer);
const sections = Number(header.getBigUint64(40, true)) + header.getUint16(58, true) * header.getUint16(60, true);

let site: string;
beforeAll(() => {
  site = mkdtempSync(join(tmpdir(), 'countervisor-wrong-'));
  mkdirSync(join(site, 'folder'));
  write('hello.elf', hello);
});
afterAll(() => rmSync(site, { recursive: true, force: true }));

const write = (name: string, content: string | Uint8Array): void => writeFileSync(join(site, name), content);
const said = (...args: readonly string[]): Promise<Said> => countervisor(args, site);

/** Refused: no result on stdout, this at the beginning of stderr; a trace leaves the older file and no other. */
async function refused(args: readonly string[], code: number, message: string): Promise<void> {
  const run = await said('run', ...args);
  expect([run.code, run.out, run.err.slice(0, message.length)]).toEqual([code, '', message]);
  // A remedy, indented, behind it.
  expect(run.err).toMatch(/\n {2}\S.*\n$/s);
  const json = await said('run', ...args, '--json');
  expect([json.code, json.out]).toEqual([code, '']);
  write('trace.txt', 'older\n');
  const before = readdirSync(site).sort();
  expect((await said('trace', ...args, '-o', 'trace.txt')).code).toBe(code);
  expect(readdirSync(site).sort()).toEqual(before);
  expect(readFileSync(join(site, 'trace.txt'), 'utf8')).toBe('older\n');
  // And `check` finds it without creating anything.
  expect((await said('check', ...args)).code).toBe(code);
}

const K = 'kernel = "hello.elf"';

describe('a wrong configuration exits with 3 and says where', () => {
  it.each<[string, string, string]>([
    ['an open string', 'name = "d"\nkernel = "hello.elf\n', '2:10: CV_XLCFG_STRING  '],
    ['no equals sign', 'name = "d"\nkernel "hello.elf"\n', '2:8: CV_XLCFG_SYNTAX  \'=\' is expected after "kernel"'],
    ['an open list', `name = "d"\n${K}\ncpus = [ "0",\n`, '3:8: CV_XLCFG_LIST  '],
    ['a control character', `name = "d"\n${K}\n \u0001\n`, '3:2: CV_XLCFG_CHARACTER  U+0001 '],
    ['a word for a number', `name = "d"\n${K}\nvcpus = "two"\n`, "3:9: CV_XLCFG_VALUE  'vcpus' should be a number"],
    [
      'an unknown choice',
      `name = "d"\n${K}\non_crash = "explode"\n`,
      '3:12: CV_XLCFG_CHOICE  \'on_crash\' is "explode"',
    ],
    ['no name', `${K}\n`, "1:1: CV_XLCFG_MISSING  The configuration has no 'name'."],
    ['no kernel', 'name = "d"\n', "1:1: CV_XLCFG_MISSING  The configuration has no 'kernel'."],
    ['nothing at all', '', "1:1: CV_XLCFG_MISSING  The configuration has no 'name'."],
    ['a pCPU that is not there', `name = "d"\n${K}\ncpus = "3"\n`, '3:8: CV_XLCFG_CPUS  "3" leaves vCPU 0 no pCPU'],
    [
      'more memory than the platform has',
      `name = "d"\n${K}\nmemory = 99999999\n`,
      "3:1: CV_MEMORY_RANGE  'd' asks for 99999999 MiB",
    ],
    [
      'a kernel that does not exist',
      'name = "d"\n  kernel = "none/none.elf"\n',
      '2:12: CV_FILE  none/none.elf, the kernel, does not exist.',
    ],
    ['a kernel that is a folder', 'name = "d"\nkernel = "folder"\n', '2:10: CV_FILE  folder, the kernel, is a folder.'],
  ])('%s', async (_name, text, message) => {
    write('d.cfg', text);
    await refused(['d.cfg'], 3, `d.cfg:${message}`);
  });

  it('the same from a process', () => {
    write('d.cfg', 'name = "d"\nkernel = "none.elf"\n');
    const { code, out, err } = spawned(['run', 'd.cfg'], site);
    expect([code, out, err]).toEqual([
      3,
      '',
      expect.stringMatching(/^d\.cfg:2:10: CV_FILE {2}none\.elf, the kernel, /),
    ]);
  });

  it('the second of two configurations: the first does not run', async () => {
    write('first.cfg', `name = "first"\n${K}\n`);
    write('d.cfg', `name = "d"\n${K}\nvcpus = "two"\n`);
    await refused(['first.cfg', 'd.cfg'], 3, 'd.cfg:3:9: CV_XLCFG_VALUE  ');
  });
});

describe('a wrong image', () => {
  it.each([0, 1, 2, 3, 4, 5, 6])('an ELF file cut off after %i sevenths exits with 3', async (sevenths) => {
    const length = Math.floor((hello.length * sevenths) / 7);
    write('cut.elf', hello.subarray(0, length));
    write('d.cfg', 'name = "d"\nkernel = "cut.elf"\n');
    const why =
      sevenths === 0
        ? 'CV_ELF_MAGIC  cut.elf is not an ELF file: it begins with nothing, not with 7f 45 4c 46.'
        : `CV_ELF_TRUNCATED  cut.elf is truncated: the table of section headers ends at byte ${sections}, and the file has ${length}.`;
    await refused(['d.cfg'], 3, `d.cfg:2:1: ${why}`);
    await refused(['cut.elf'], 3, why);
  });

  it.each([
    ['EM_X86_64', 62, 3, 'CV_ELF_MACHINE  other.elf is for EM_X86_64 (62)'],
    ['EM_PPC64', 21, 3, 'CV_ELF_MACHINE  other.elf is for EM_PPC64 (21)'],
    ['EM_RISCV', 243, 3, 'CV_ELF_MACHINE  other.elf is for EM_RISCV (243)'],
    [
      'EM_ARM',
      40,
      5,
      'CV_ARM64_AARCH32  other.elf is an ELF image for 32-bit Arm, and AArch32 guests are not modelled.',
    ],
  ])('an ELF file for %s', async (_name, machine, code, message) => {
    const other = hello.slice();
    new DataView(other.buffer).setUint16(18, machine, true);
    write('other.elf', other);
    await refused(['other.elf', '--arch', 'arm64'], code, message);
  });

  it('larger than the memory', async () => {
    write('large.bin', new Uint8Array(2 * 1024 * 1024));
    write('d.cfg', 'name = "d"\nkernel = "large.bin"\nmemory = 2\n');
    await refused(['d.cfg'], 3, 'd.cfg:2:1: CV_');
  });

  it('that does not exist', async () => {
    await refused(['none.elf'], 3, 'CV_FILE  none.elf, the guest, does not exist.');
  });
});

/** Guests as raw images: what they run into, and where the chain of exceptions began, which nobody handles. */
const LOST: Readonly<
  Record<string, readonly [program: readonly asm.Item[], pc: number, began: string, message?: string]>
> = {
  'jumps above all addresses': [[load('X0', 0x1234_0000_0000), br('X0')], 0x1234_0000_0000, 'instruction-abort'],
  'jumps behind its memory': [
    [load('X0', 0x7000_0000), br('X0')],
    0x7000_0000,
    'instruction-abort',
    'CV_NOTHING_THERE  lost: the guest fetched an instruction from physical 0x70000000 at pc 0x70000000, where there is no memory.',
  ],
  'jumps to 0': [
    [br('XZR')],
    0,
    'instruction-abort',
    'CV_NOTHING_THERE  lost: the guest fetched an instruction from physical 0x0 at pc 0x0, where there is no memory.',
  ],
  'jumps into a device': [
    [load('X0', 0x0900_0000), br('X0')],
    0x0900_0000,
    'instruction-abort',
    'CV_NOTHING_THERE  lost: the guest fetched an instruction from physical 0x9000000 at pc 0x9000000, where there is no memory.',
  ],
  'jumps into memory that holds nothing': [[load('X0', BASE + 0x8_0000), br('X0')], BASE + 0x8_0000, 'undefined'],
  'jumps between two instructions': [[load('X0', BASE + 2), br('X0')], BASE + 2, 'pc-alignment'],
  'runs off its end': [[load('X0', 1)], BASE + 4, 'undefined'],
  'reads where nothing is': [
    [load('X0', 0x0700_0000), ldr('X1', mem('X0'))],
    BASE + 4,
    'data-abort',
    `CV_NOTHING_THERE  lost: the guest read physical 0x7000000 at pc 0x${(BASE + 4).toString(16)}`,
  ],
  'writes where nothing is': [
    [load('X0', 0x0a00_0000), str('X1', mem('X0'))],
    BASE + 4,
    'data-abort',
    `CV_NOTHING_THERE  lost: the guest wrote physical 0xa000000 at pc 0x${(BASE + 4).toString(16)}`,
  ],
  'meets an undefined instruction': [[udf(7)], BASE, 'undefined'],
  'meets a breakpoint': [[brk(1)], BASE, 'brk'],
};

const flat = (items: readonly asm.Item[]): Uint8Array => program(items, BigInt(BASE)).bytes;

/** A finished run: results on stdout by the schema, and a trace that is whole, by its schema. */
async function finished(args: readonly string[], code: number): Promise<Said> {
  const json = await said('run', ...args, '--json');
  expect(json.code).toBe(code);
  expect(runSchema.safeParse(JSON.parse(json.out)).error).toBeUndefined();
  rmSync(join(site, 'trace.txt'), { force: true });
  const before = readdirSync(site).sort();
  expect(
    (await said('trace', ...args, '-o', 'trace.txt', '--json', '--log', 'access,trap,switch,exception')).code,
  ).toBe(
    // A trace that ends at its limit is what was asked for.
    code === 1 ? 0 : code,
  );
  expect(readdirSync(site).sort()).toEqual([...before, 'trace.txt'].sort());
  const trace = readFileSync(join(site, 'trace.txt'), 'utf8');
  expect(trace.endsWith('\n')).toBe(true);
  for (const line of trace.trimEnd().split('\n')) expect(traceSchema.safeParse(JSON.parse(line)).error).toBeUndefined();
  return said('run', ...args);
}

describe('a guest that is lost exits with 4 and says where it was', () => {
  it.each(Object.entries(LOST))('%s', async (_name, [items, pc, began, message]) => {
    write('lost.bin', flat(items));
    const { code, out, err } = await finished(['lost.bin'], 4);
    expect(code).toBe(4);
    expect(out).toMatch(/^exit +exception-loop 0, faulted$/m);
    expect(err).toContain(`CV_EXCEPTION_LOOP  lost/0: it began with '${began}' at pc 0x${pc.toString(16)} (el1)`);
    if (message !== undefined) expect(err).toContain(message);
  });

  it('sleeps without anything that could wake it', async () => {
    write('lost.bin', flat([wfi()]));
    const { code, out, err } = await finished(['lost.bin'], 4);
    expect([code, err]).toEqual([4, expect.stringMatching(/^CV_WAITS_FOR_EVER {2}lost: every vCPU waits/)]);
    expect(out).toMatch(/^exit +waits-for-ever 0, faulted$/m);
  });

  it('its neighbour ends as it would alone', async () => {
    write('lost.bin', flat([br('XZR')]));
    const { code, out } = await said('run', 'lost.bin', 'hello.elf', '--exit-from', 'hello');
    expect(code).toBe(0);
    expect(out).toMatch(/^exit +exception-loop 0, faulted +poweroff 0, passed$/m);
  });
});

describe('a guest that loops for ever', () => {
  const LOOP = [label('again'), b('again')];
  it.each(['1', '12345', '100k', 'icount:2000'])(
    'is stopped by --until %s, exactly there, and exits with 1',
    async (until) => {
      write('loop.bin', flat(LOOP));
      const n = { '1': '1', '12345': '12,345', '100k': '100,000', 'icount:2000': '2,000' }[until];
      const { code, out, err } = await finished(['loop.bin', '--until', until], 1);
      expect(code).toBe(1);
      expect(out).toMatch(new RegExp(`^instructions +${n}$`, 'm'));
      expect(out).toMatch(/^exit +not ended$/m);
      expect(err).toContain(`CV_LIMIT  loop had not ended after ${n} instructions.`);
    },
  );

  it('does not keep the others from their ends', async () => {
    write('loop.bin', flat(LOOP));
    const { code, out, err } = await said('run', 'loop.bin', 'hello.elf', '--until', '50k');
    expect(code).toBe(1);
    expect(out).toContain('hello| EXIT: STATUS=1\n');
    expect(out).toMatch(/^exit +not ended +poweroff 0, passed$/m);
    expect(err).not.toContain('hello had not ended');
  });

  it('and in the hypervisor’s ear: a hypercall that nobody serves is said once', async () => {
    write('calls.bin', flat([label('again'), load('X0', 0x1234_5678), hvc(0), b('again')]));
    const { code, err } = await said('run', 'calls.bin', '--until', '10k');
    expect(code).toBe(1);
    expect(err.match(/CV_UNKNOWN_HYPERCALL/g)).toHaveLength(1);
  });
});
