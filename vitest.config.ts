import { defaultServerConditions } from 'vite';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

// Packages are tested from their sources, so no build is needed. The house project is not given the condition: it looks at
// what users install (dist), and Vitest would hand the condition on to Node, whose require() would then load TypeScript.
const fromSource: ViteUserConfig = {
  resolve: { conditions: ['countervisor-source', ...defaultServerConditions] },
  ssr: { resolve: { conditions: ['countervisor-source', ...defaultServerConditions] } },
};

const project = (name: string) => ({
  ...fromSource,
  root: `packages/${name}`,
  // Generous, since machines are shared: no test asserts a time.
  test: { name, include: ['src/**/*.test.ts'], testTimeout: 60_000 },
});

export default defineConfig({
  test: {
    projects: [
      project('contract'),
      project('core'),
      project('template'),
      project('arm64'),
      project('x86'),
      project('ppc64'),
      project('conformance'),
      project('cli'),
      { root: 'test', test: { name: 'house', include: ['**/*.test.ts'], testTimeout: 60_000 } },
    ],
    coverage: {
      provider: 'v8',
      // Seen from each project's root. A glob from the repository's root would match tested files alone and flatter the figures.
      include: ['src/**/*.ts'],
      exclude: ['**/*.test.ts', '**/testing/**'],
      reporter: ['text-summary', 'json-summary', 'html'],
    },
  },
});
