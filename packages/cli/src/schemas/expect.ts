/** The file of `countervisor stat --expect` and `--record-expect`. */
import { z } from 'zod';
import { type Count, schemaAddress } from './parts.ts';

export interface ExpectJson {
  readonly $schema?: string | undefined;
  readonly domains: Readonly<Record<string, Readonly<Record<string, Count>>>>;
}

/** Read more gently than written: a string of digits may be short. */
const expectedSchema: z.ZodType<Count> = z
  .union([z.int().min(0), z.string().regex(/^[0-9]{1,20}$/, 'it is a number of decimal digits')])
  .describe('A count: a number up to 2^53, beyond it a string of decimal digits.');

export const expectAddress: string = schemaAddress('expect');

export const expectSchema: z.ZodType<ExpectJson> = z
  .strictObject({
    $schema: z.string().optional(),
    domains: z
      .record(z.string(), z.record(z.string(), expectedSchema))
      .describe('By domain: event, as -e takes it, and the count that it must have.'),
  })
  .meta({ title: 'countervisor stat: expected counts' }) as z.ZodType<ExpectJson>;
