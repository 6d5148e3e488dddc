/** `countervisor list WHAT --json`. */
import { z } from 'zod';

export const LISTS = ['events', 'regs', 'cpus', 'personalities', 'policies', 'host', 'commands'] as const;
export type ListName = (typeof LISTS)[number];

type Cell = string | number | boolean | null | readonly string[] | Readonly<Record<string, string | number | boolean>>;

export interface ListJson {
  readonly $schema: string;
  readonly list: ListName;
  readonly arch: string | null;
  readonly rows: readonly Readonly<Record<string, Cell>>[];
}

const row = z.record(
  z.string(),
  z.union([
    z.string(),
    z.number(),
    z.boolean(),
    z.null(),
    z.array(z.string()),
    z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  ]),
);

export const listSchema: z.ZodType<ListJson> = z
  .strictObject({
    $schema: z.string(),
    list: z.enum(LISTS),
    arch: z.string().nullable().describe('null for lists that belong to no architecture.'),
    rows: z.array(row).describe('One object a row; its members are the columns of the list.'),
  })
  .meta({ title: 'countervisor list --json' }) as z.ZodType<ListJson>;
