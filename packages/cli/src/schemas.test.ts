import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { published, SCHEMAS } from './testing/schemas.ts';

const folder = fileURLToPath(new URL('../schemas/', import.meta.url));
const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));

describe('published schemas', () => {
  it.each(Object.keys(SCHEMAS))('schemas/%s.schema.json is the export of its zod schema', (name) => {
    // After a change: node scripts/source.mjs packages/cli/src/testing/schemas.ts --write
    expect(readFileSync(`${folder}${name}.schema.json`, 'utf8')).toBe(published(name));
  });

  it('are all there are', () => {
    expect(readdirSync(folder).sort()).toEqual(
      Object.keys(SCHEMAS)
        .map((name) => `${name}.schema.json`)
        .sort(),
    );
  });

  it('every member of the host file is described', () => {
    const { properties } = JSON.parse(published('host')) as { properties: Record<string, { description?: string }> };
    expect(Object.keys(properties)).toEqual([
      '$schema',
      'cpu',
      'pcpus',
      'personality',
      'options',
      'policy',
      'platform',
      'slice',
      'quantum',
      'time',
      'settings',
      'costs',
      'hypervisor',
      'unmodelled',
      'gic',
      'xen',
    ]);
    for (const [name, { description }] of Object.entries(properties))
      if (name !== '$schema') expect(description, name).toBeDefined();
  });

  it('every example’s host file is one', () => {
    for (const example of readdirSync(examples)) {
      const value: unknown = JSON.parse(readFileSync(`${examples}${example}/host.json`, 'utf8'));
      expect(SCHEMAS.host?.parse(value), example).toEqual(value);
    }
  });
});
