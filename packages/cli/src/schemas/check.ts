/** `countervisor check --json`. */
import type { CountervisorError, PolicyName } from '@countervisor/contract';
import { POLICIES } from '@countervisor/contract';
import { z } from 'zod';
import { hexSchema, schemaAddress } from './parts.ts';

export interface PlaceJson {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface ErrorJson {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  readonly place: PlaceJson | null;
}

export interface CheckedJson {
  readonly file: string;
  readonly verdict: 'accepted' | 'refused' | 'invalid';
  readonly configuration: {
    readonly name: string;
    readonly type: string;
    readonly kernel: string;
    readonly cmdline: string;
    readonly memory: number;
    readonly vcpus: number;
    readonly pins: readonly (readonly number[])[] | null;
    readonly vpmu: boolean;
    readonly policy: PolicyName;
  } | null;
  readonly request: {
    readonly flags: string;
    readonly names: readonly string[];
    readonly rewrites: readonly { readonly check: number; readonly note: string }[];
  } | null;
  readonly refusal: {
    readonly by: 'libxl' | 'domctl';
    readonly rc: string;
    readonly message: string;
    readonly remedy: string;
    readonly place: PlaceJson;
    readonly domctl: {
      readonly errno: string;
      readonly where: 'common' | 'arch';
      readonly check: number;
      readonly message: string;
    } | null;
  } | null;
  readonly error: ErrorJson | null;
  readonly warnings: readonly ErrorJson[];
}

export interface CheckJson {
  readonly $schema: string;
  readonly guests: readonly CheckedJson[];
}

export const checkAddress: string = schemaAddress('check');

const placeSchema: z.ZodType<PlaceJson> = z.strictObject({
  file: z.string(),
  line: z.int().min(1),
  column: z.int().min(1),
});
const errorSchema: z.ZodType<ErrorJson> = z.strictObject({
  code: z
    .string()
    .regex(/^CV_[A-Z0-9_]+$/)
    .describe('Stable.'),
  message: z.string(),
  remedy: z.string(),
  place: placeSchema.nullable(),
});

export const checkSchema: z.ZodType<CheckJson> = z
  .strictObject({
    $schema: z.string(),
    guests: z.array(
      z.strictObject({
        file: z.string().describe('As on the command line.'),
        verdict: z
          .enum(['accepted', 'refused', 'invalid'])
          .describe(
            'refused: well-formed, and creation would fail; invalid: it cannot be read, or its image cannot be loaded.',
          ),
        configuration: z
          .strictObject({
            name: z.string(),
            type: z.string(),
            kernel: z.string(),
            cmdline: z.string(),
            memory: z.int().describe('MiB.'),
            vcpus: z.int(),
            pins: z.array(z.array(z.int())).nullable().describe('pCPUs for each vCPU; null: any.'),
            vpmu: z.boolean(),
            policy: z.enum(POLICIES),
          })
          .nullable()
          .describe('With every default filled in.'),
        request: z
          .strictObject({
            flags: hexSchema.describe('XEN_DOMCTL_CDF_* of the request.'),
            names: z.array(z.string()),
            rewrites: z.array(z.strictObject({ check: z.int(), note: z.string() })),
          })
          .nullable()
          .describe('What the hypervisor accepted; null where none was asked.'),
        refusal: z
          .strictObject({
            by: z.enum(['libxl', 'domctl']),
            rc: z.string().describe('What libxl returns.'),
            message: z.string(),
            remedy: z.string(),
            place: placeSchema,
            domctl: z
              .strictObject({
                errno: z.string(),
                where: z.enum(['common', 'arch']),
                check: z.int(),
                message: z.string(),
              })
              .nullable()
              .describe("The hypervisor's own answer, also where libxl did not ask it."),
          })
          .nullable(),
        error: errorSchema.nullable(),
        warnings: z.array(errorSchema),
      }),
    ),
  })
  .meta({ title: 'countervisor check --json' }) as z.ZodType<CheckJson>;

export function errorJson(error: CountervisorError): ErrorJson {
  const { code, message, remedy, place } = error;
  return {
    code,
    message,
    remedy,
    place: place === undefined ? null : { file: place.file, line: place.line, column: place.column },
  };
}
