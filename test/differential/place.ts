/** Files beside these sources, also when they run bundled, from elsewhere, with the repository's root as working directory. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export function beside(name: string): string {
  const here = fileURLToPath(new URL(name, import.meta.url));
  return existsSync(here) ? here : join(process.cwd(), 'test', 'differential', name);
}
