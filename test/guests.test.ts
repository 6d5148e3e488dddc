import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { describeWith } from './needs.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

describeWith(['gcc'], 'guest images', () => {
  it('are what their sources give, byte for byte', () => {
    const run = spawnSync(process.execPath, ['scripts/guests.mjs', '--check'], { cwd: root, encoding: 'utf8' });
    const images = readdirSync(`${root}/guests/arm64/images`).filter((name) => name.endsWith('.elf'));
    expect(run.stderr).toBe('');
    expect(run.stdout).toContain(`arm64: ${images.length} images compared.`);
    expect(run.status).toBe(0);
  });
});
