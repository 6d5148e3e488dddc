/** `countervisor run --json`. */
import { z } from 'zod';
import { count } from '../print/number.ts';
import type { Report } from '../report.ts';
import { type Count, countSchema, type ExitJson, exitJson, exitSchema, schemaAddress } from './parts.ts';

export interface RunDomain {
  readonly name: string;
  readonly policy: string;
  readonly console: string;
  readonly exit: ExitJson | null;
  readonly instructions: Count;
  readonly cycles: Count;
  readonly traps: Readonly<Record<string, Count>>;
  readonly counters: readonly {
    readonly vcpu: number;
    readonly counter: string;
    readonly event: string | null;
    readonly value: Count;
    readonly unset: boolean;
  }[];
  readonly switches: Count;
}

export interface RunJson {
  readonly $schema: string;
  readonly domains: readonly RunDomain[];
}

export const runSchema: z.ZodType<RunJson> = z
  .strictObject({
    $schema: z.string(),
    domains: z
      .array(
        z.strictObject({
          name: z.string(),
          policy: z.string().describe('The vPMU policy it ran under.'),
          console: z.string().describe('All that the guest printed.'),
          exit: exitSchema,
          instructions: countSchema.describe('Instructions retired by all its vCPUs.'),
          cycles: countSchema.describe('Cycles of all its vCPUs, by the cost table.'),
          traps: z.record(z.string(), countSchema).describe('Exits to the hypervisor, by cause.'),
          counters: z
            .array(
              z.strictObject({
                vcpu: z.int().min(0),
                counter: z.string().describe('The register that holds the count.'),
                event: z.string().nullable().describe('The event it has selected; null when none that is modelled.'),
                value: countSchema.describe('What it read at the end.'),
                unset: z
                  .boolean()
                  .describe(
                    'Nobody has written it and it has not counted: the value is the pattern of an unknown reset.',
                  ),
              }),
            )
            .describe('Every PMU counter that the CPU has.'),
          switches: countSchema.describe('Times that one of its vCPUs was switched to.'),
        }),
      )
      .describe('In the order of the command line.'),
  })
  .meta({ title: 'countervisor run --json' }) as z.ZodType<RunJson>;

export function runJson(reports: readonly Report[]): RunJson {
  return {
    $schema: schemaAddress('run'),
    domains: reports.map((r) => ({
      name: r.name,
      policy: r.policy,
      console: r.console,
      exit: exitJson(r),
      instructions: count(r.instructions),
      cycles: count(r.cycles),
      traps: Object.fromEntries(
        Object.entries(r.traps)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([cause, n]) => [cause, count(n)]),
      ),
      counters: r.counters.map((c) => ({
        vcpu: c.vcpu,
        counter: c.counter,
        event: c.event ?? null,
        value: count(c.value),
        unset: c.unset,
      })),
      switches: count(r.switches),
    })),
  };
}
