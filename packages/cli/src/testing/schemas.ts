/** Every published schema: its name, and the JSON Schema that its zod schema makes. Run by itself, it writes them into schemas/. */
import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { hostSchema } from '../host.ts';
import { checkSchema } from '../schemas/check.ts';
import { expectSchema } from '../schemas/expect.ts';
import { listSchema } from '../schemas/list.ts';
import { schemaAddress } from '../schemas/parts.ts';
import { regsSchema } from '../schemas/regs.ts';
import { runSchema } from '../schemas/run.ts';
import { statSchema } from '../schemas/stat.ts';
import { traceSchema } from '../schemas/trace.ts';

export const SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  host: hostSchema,
  run: runSchema,
  stat: statSchema,
  expect: expectSchema,
  regs: regsSchema,
  list: listSchema,
  check: checkSchema,
  trace: traceSchema,
};

/** As committed: two spaces, the address first. */
export function published(name: string): string {
  const { $schema, ...rest } = z.toJSONSchema(SCHEMAS[name] as z.ZodType, { io: 'input' });
  return `${JSON.stringify({ $schema, $id: schemaAddress(name), ...rest }, undefined, 2)}\n`;
}

/** `node scripts/source.mjs packages/cli/src/testing/schemas.ts --write`. */
if (process.argv.includes('--write')) {
  for (const name of Object.keys(SCHEMAS)) writeFileSync(`packages/cli/schemas/${name}.schema.json`, published(name));
}
