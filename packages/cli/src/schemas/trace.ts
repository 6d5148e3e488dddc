/** `countervisor trace --json`: one JSON value a line; the first line says which schema the others follow. */
import { z } from 'zod';
import { type Count, countSchema, hexSchema, schemaAddress } from './parts.ts';

export const TRACE_KINDS = ['access', 'trap', 'switch', 'overflow', 'irq', 'exception', 'note'] as const;
export type TraceKind = (typeof TRACE_KINDS)[number];

export const traceAddress: string = schemaAddress('trace');

interface InGuest {
  readonly domain: string;
  readonly vcpu: number;
  readonly pc: string;
  readonly icount: Count;
  readonly rule: string;
}

export type TraceLine =
  | { readonly $schema: string; readonly type: 'trace'; readonly log: readonly TraceKind[] }
  | (InGuest & {
      readonly type: 'access';
      readonly level: string;
      readonly register: string;
      readonly write: boolean;
      readonly value: string | null;
      readonly verdict: 'direct' | 'trapped' | 'undefined' | 'absent';
    })
  | (InGuest & {
      readonly type: 'trap';
      readonly level: string;
      readonly cause: string;
      readonly to: 'hypervisor' | 'guest';
      readonly register: string | null;
      readonly outcome: string;
    })
  | {
      readonly type: 'switch';
      readonly pcpu: number;
      readonly from: string;
      readonly to: string;
      readonly icount: Count;
      readonly steps: readonly string[];
      readonly rule: string;
    }
  | (InGuest & {
      readonly type: 'overflow';
      readonly bank: 'pcpu' | 'vcpu';
      readonly counter: string;
      readonly line: boolean;
    })
  | (InGuest & { readonly type: 'irq'; readonly exception: string })
  | (InGuest & { readonly type: 'note'; readonly what: string })
  | (InGuest & {
      readonly type: 'exception';
      readonly level: string;
      readonly exception: string;
      readonly address: string | null;
    });

const inGuest = {
  domain: z.string(),
  vcpu: z.int().min(0),
  pc: hexSchema,
  icount: countSchema.describe('Instructions that the vCPU had retired.'),
  rule: z.string().describe('The rule that decided, with its place in a manual or a real system.'),
};

export const traceSchema: z.ZodType<TraceLine> = z
  .discriminatedUnion('type', [
    z.strictObject({ $schema: z.string(), type: z.literal('trace'), log: z.array(z.enum(TRACE_KINDS)) }),
    z.strictObject({
      type: z.literal('access'),
      ...inGuest,
      level: z.string(),
      register: z.string(),
      write: z.boolean(),
      value: hexSchema.nullable().describe('Read or written; null when the access did not happen.'),
      verdict: z.enum(['direct', 'trapped', 'undefined', 'absent']),
    }),
    z.strictObject({
      type: z.literal('trap'),
      ...inGuest,
      level: z.string(),
      cause: z.string(),
      to: z.enum(['hypervisor', 'guest']),
      register: z.string().nullable(),
      outcome: z.string(),
    }),
    z.strictObject({
      type: z.literal('switch'),
      pcpu: z.int().min(0),
      from: z.string(),
      to: z.string(),
      icount: countSchema.describe('Instructions that the pCPU had retired, the hypervisor included.'),
      steps: z.array(z.string()).describe('Registers moved and control writes, in order.'),
      rule: z.string(),
    }),
    z.strictObject({
      type: z.literal('overflow'),
      ...inGuest,
      bank: z.enum(['pcpu', 'vcpu']),
      counter: z.string(),
      line: z.boolean().describe("The PMU's interrupt line after it."),
    }),
    z.strictObject({ type: z.literal('irq'), ...inGuest, exception: z.string() }),
    z.strictObject({
      type: z.literal('note'),
      ...inGuest,
      what: z.string().describe('What no access and no trap shows: a lost record, a pinned page.'),
    }),
    z.strictObject({
      type: z.literal('exception'),
      ...inGuest,
      level: z.string(),
      exception: z.string(),
      address: hexSchema.nullable(),
    }),
  ])
  .meta({ title: 'countervisor trace --json: one line' }) as z.ZodType<TraceLine>;
