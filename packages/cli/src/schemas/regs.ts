/** `countervisor regs --json`. */
import { z } from 'zod';
import { hex } from '../print/number.ts';
import type { RegisterValue } from '../registers.ts';
import { type Count, countSchema, hexSchema } from './parts.ts';

export interface RegisterJson {
  readonly name: string;
  readonly value: string;
  readonly width: number;
  readonly fields?:
    | readonly {
        readonly name: string;
        readonly bits: readonly number[];
        readonly value: string;
        readonly means: string;
      }[]
    | undefined;
}

export interface RegsJson {
  readonly $schema: string;
  readonly domains: readonly {
    readonly name: string;
    readonly instructions: Count;
    readonly vcpus: readonly {
      readonly vcpu: number;
      readonly pc: string;
      readonly level: string;
      readonly registers: readonly RegisterJson[];
    }[];
  }[];
  readonly pcpus: readonly { readonly pcpu: number; readonly registers: readonly RegisterJson[] }[];
}

const registerSchema: z.ZodType<RegisterJson> = z.strictObject({
  name: z.string(),
  value: hexSchema,
  width: z.int().min(1).max(64).describe('Bits.'),
  fields: z
    .array(
      z.strictObject({
        name: z.string(),
        bits: z.array(z.int()).min(2).max(2).describe('High, low; both inclusive.'),
        value: hexSchema,
        means: z.string(),
      }),
    )
    .optional()
    .describe('With --decode.'),
});

export const regsSchema: z.ZodType<RegsJson> = z
  .strictObject({
    $schema: z.string(),
    domains: z.array(
      z.strictObject({
        name: z.string(),
        instructions: countSchema.describe('Retired when it was looked at.'),
        vcpus: z.array(
          z.strictObject({
            vcpu: z.int().min(0),
            pc: hexSchema,
            level: z.string(),
            registers: z.array(registerSchema),
          }),
        ),
      }),
    ),
    pcpus: z.array(
      z.strictObject({ pcpu: z.int().min(0), registers: z.array(registerSchema).describe("The hypervisor's own.") }),
    ),
  })
  .meta({ title: 'countervisor regs --json' }) as z.ZodType<RegsJson>;

export function registerJson(register: RegisterValue, decode: boolean): RegisterJson {
  const { name, value, width, fields } = register;
  return {
    name,
    value: hex(value, width),
    width,
    ...(decode && {
      fields: fields.map((f) => ({ name: f.name, bits: [f.high, f.low], value: hex(f.value), means: f.means })),
    }),
  };
}
