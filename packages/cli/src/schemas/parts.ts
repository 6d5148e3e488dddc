/** Pieces that several outputs share, and the address under which each schema is published. */
import { z } from 'zod';
import type { Report } from '../report.ts';

/** As a module path: `countervisor/schemas/run.schema.json` of the package that wrote the output. */
export function schemaAddress(name: string): string {
  return `countervisor/schemas/${name}.schema.json`;
}

export type Count = number | string;

export const countSchema: z.ZodType<Count> = z
  .union([
    z
      .int()
      .min(0)
      .max(Number.MAX_SAFE_INTEGER + 1),
    z.string().regex(/^[0-9]{16,}$/),
  ])
  .describe('A count: a number up to 2^53, beyond it a string of decimal digits.');

export const hexSchema: z.ZodType<string> = z
  .string()
  .regex(/^0x[0-9a-f]+$/)
  .describe('A value of a register or an address, hexadecimal.');

export interface ExitJson {
  readonly reason: string;
  readonly status: number;
  readonly code: number;
  readonly verdict: 'passed' | 'failed' | 'faulted';
}

export const exitSchema: z.ZodType<ExitJson | null> = z
  .strictObject({
    reason: z.string().describe('How the domain ended: poweroff, reset, crash, or the name of a fault.'),
    status: z.int().describe('The raw status.'),
    code: z
      .int()
      .describe("The guest's own exit code: what it told by its platform's convention, else the raw status."),
    verdict: z
      .enum(['passed', 'failed', 'faulted'])
      .describe('What the platform makes of it; faulted: the guest did not choose this end.'),
  })
  .nullable()
  .describe('null while the domain had not ended when the run stopped.');

export function exitJson({ end }: Pick<Report, 'end'>): ExitJson | null {
  if (end === undefined) return null;
  const { reason, status, code, verdict } = end;
  return { reason, status, code, verdict };
}
