import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { describeWith } from './needs.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

describeWith(['gcc', 'gcc-ppc64'], 'guest images', () => {
  it('are what their sources give, byte for byte', () => {
    const run = spawnSync(process.execPath, ['scripts/guests.mjs', '--check'], { cwd: root, encoding: 'utf8' });
    expect(run.stderr).toBe('');
    for (const arch of ['arm64', 'ppc64']) {
      const images = readdirSync(`${root}/guests/${arch}/images`).filter((name) => name.endsWith('.elf'));
      expect(run.stdout).toContain(`${arch}: ${images.length} images compared.`);
    }
    expect(run.status).toBe(0);
  });
});
