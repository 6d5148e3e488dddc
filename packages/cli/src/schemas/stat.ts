/** `countervisor stat --json`. */
import { z } from 'zod';
import { type Count, countSchema, type ExitJson, exitSchema } from './parts.ts';

export interface DifferenceJson {
  readonly domain: string;
  readonly event: string;
  readonly expected: Count;
  readonly counted: Count | null;
}

export interface StatJson {
  readonly $schema: string;
  readonly runs: number;
  readonly domains: readonly {
    readonly name: string;
    readonly events: readonly { readonly event: string; readonly count: Count | null; readonly why: string | null }[];
    readonly exit: ExitJson | null;
  }[];
  readonly expectation: { readonly met: boolean; readonly differences: readonly DifferenceJson[] } | null;
}

export const statSchema: z.ZodType<StatJson> = z
  .strictObject({
    $schema: z.string(),
    runs: z.int().min(1).describe('How often it was run; every count was the same each time.'),
    domains: z.array(
      z.strictObject({
        name: z.string(),
        events: z.array(
          z.strictObject({
            event: z.string().describe('As asked for.'),
            count: countSchema.nullable().describe('null: not supported.'),
            why: z.string().nullable().describe('Why it is not supported.'),
          }),
        ),
        exit: exitSchema,
      }),
    ),
    expectation: z
      .strictObject({
        met: z.boolean(),
        differences: z.array(
          z.strictObject({
            domain: z.string(),
            event: z.string(),
            expected: countSchema,
            counted: countSchema.nullable(),
          }),
        ),
      })
      .nullable()
      .describe('null without --expect.'),
  })
  .meta({ title: 'countervisor stat --json' }) as z.ZodType<StatJson>;
