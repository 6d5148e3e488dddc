/** The command as a user starts it: the built files in processes of their own, with real pipes and signals. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'packages/cli/bin/countervisor.js');
const HELLO = join(root, 'guests/arm64/images/hello.elf');

let site: string;
beforeAll(() => {
  site = mkdtempSync(join(tmpdir(), 'countervisor-command-'));
  // b .
  writeFileSync(join(site, 'loop.bin'), new Uint8Array([0, 0, 0, 0x14]));
  // mrs x0, pmcr_el0; b . - 4
  writeFileSync(join(site, 'chatter.bin'), new Uint8Array([0x00, 0x9c, 0x3b, 0xd5, 0xff, 0xff, 0xff, 0x17]));
});
afterAll(() => rmSync(site, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function countervisor(args: readonly string[], cwd = site): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
    cwd,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return { code: status, out: stdout, err: stderr };
}

/** Starts it, does something to it once its first output is there (or after a while), waits for its end. */
function disturbed(
  args: readonly string[],
  disturb: (child: ReturnType<typeof spawn>) => void,
  wait: 'output' | number,
): Promise<Ended> {
  const child = spawn(process.execPath, [bin, ...args], { cwd: site });
  let out = '';
  let err = '';
  child.stderr.on('data', (data) => {
    err += data;
  });
  child.stdout.on('data', (data) => {
    out += data;
    if (wait === 'output') disturb(child);
  });
  if (typeof wait === 'number') setTimeout(() => disturb(child), wait);
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

describe('countervisor', () => {
  it('npm start: two domains under Xen, their consoles and the table', () => {
    const { code, out, err } = countervisor(
      [
        'run',
        'examples/xen-arm-passthrough/dom1.cfg',
        'examples/xen-arm-passthrough/dom2.cfg',
        '--host',
        'examples/xen-arm-passthrough/host.json',
      ],
      root,
    );
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^observer\| leak: PMCCNTR saw \d+ cycles that are not mine$/m);
    expect(out).toMatch(/^PMCCNTR_EL0 CPU_CYCLES +[\d,]+ +[\d,]+$/m);
    expect(out).not.toContain(root);
  });

  it('finds its architectures from any folder, and says nothing of that folder', () => {
    const one = countervisor(['run', HELLO]);
    expect([one.code, one.err]).toEqual([0, '']);
    expect(one.out).toMatch(/^hello\| hello from EL1/m);
    expect(one.out + one.err).not.toContain(site);
    expect(countervisor(['run', HELLO], root).out).toBe(one.out);
  });

  it('keeps stdout for results: errors go to stderr alone', () => {
    expect(countervisor(['run', 'nothing.cfg'])).toEqual({
      code: 3,
      out: '',
      err: 'CV_FILE  nothing.cfg, the guest, does not exist.\n  Correct the path; a kernel is looked for beside its configuration.\n',
    });
    expect(countervisor(['rn']).code).toBe(2);
  });

  it('ends with 130 at SIGINT, also while a guest loops', async () => {
    const { code, out } = await disturbed(['run', 'loop.bin'], (child) => child.kill('SIGINT'), 2000);
    expect(code).toBe(130);
    expect(out).toMatch(/^exit +not ended$/m);
  });

  it('leaves no file behind at SIGINT', async () => {
    const { code } = await disturbed(
      ['trace', 'chatter.bin', '-o', 'trace.txt', '--limit', '1G'],
      (child) => child.kill('SIGINT'),
      2000,
    );
    expect(code).toBe(130);
    expect(existsSync(join(site, 'trace.txt'))).toBe(false);
    expect(readdirSync(site).filter((name) => name.includes('trace'))).toEqual([]);
  });

  it('stops quietly when its reader goes away', async () => {
    const { code, err } = await disturbed(
      ['trace', 'chatter.bin', '--limit', '1G'],
      (child) => child.stdout?.destroy(),
      'output',
    );
    expect([code, err]).toEqual([0, '']);
  });

  it('waits for a slow reader instead of filling memory', async () => {
    const child = spawn(process.execPath, [bin, 'trace', 'chatter.bin', '--limit', '300k'], { cwd: site });
    child.stdout.pause();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    let lines = 0;
    child.stdout.on('data', (data: Buffer) => {
      for (const byte of data) if (byte === 10) lines++;
    });
    child.stdout.resume();
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect([code, lines]).toEqual([0, 300_000]);
  });
});
