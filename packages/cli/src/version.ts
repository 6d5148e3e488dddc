/** The package's version, from its own package.json: beside src/, or above the built file. */
import { readFileSync } from 'node:fs';

export function version(): string {
  for (const up of ['..', '../..', '../../..']) {
    try {
      const text = readFileSync(new URL(`${up}/package.json`, import.meta.url), 'utf8');
      const manifest = JSON.parse(text) as { readonly name?: unknown; readonly version?: unknown };
      if (manifest.name === 'countervisor' && typeof manifest.version === 'string') return manifest.version;
    } catch {
      // Not here: one folder up.
    }
  }
  return 'unknown';
}
