/** The file of `countervisor stat --expect` and `--record-expect`. */
import { z } from 'zod';
import { type Count, countSchema, schemaAddress } from './parts.ts';

export interface ExpectJson {
  readonly $schema?: string | undefined;
  readonly domains: Readonly<Record<string, Readonly<Record<string, Count>>>>;
}

export const expectAddress: string = schemaAddress('expect');

export const expectSchema: z.ZodType<ExpectJson> = z
  .strictObject({
    $schema: z.string().optional(),
    domains: z
      .record(z.string(), z.record(z.string(), countSchema))
      .describe('By domain: event, as -e takes it, and the count that it must have.'),
  })
  .meta({ title: 'countervisor stat: expected counts' }) as z.ZodType<ExpectJson>;
