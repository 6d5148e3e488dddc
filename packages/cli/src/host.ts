/** The host file: what machine the guests get. One schema, published as JSON Schema in schemas/host.schema.json. */
import { type Mode, POLICIES, type PolicyName } from '@countervisor/contract';
import type { HostFacts } from '@countervisor/core';
import { z } from 'zod';
import { InputError } from './exit.ts';
import { checked, type PlacedJson, parseJson } from './input/json.ts';
import { type Io, readInput } from './io.ts';

interface HostWork {
  readonly instructions?: number | undefined;
  readonly cycles?: number | undefined;
}

export interface HostFile {
  readonly $schema?: string | undefined;
  readonly cpu?: string | undefined;
  readonly pcpus?: number | undefined;
  readonly personality?: string | undefined;
  readonly options?: Readonly<Record<string, string>> | undefined;
  readonly policy?: PolicyName | undefined;
  readonly platform?: string | undefined;
  readonly slice?: number | undefined;
  readonly quantum?: number | undefined;
  readonly time?: 'virtual' | 'machine' | undefined;
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined;
  readonly costs?:
    | Readonly<Record<string, { readonly backend?: number | undefined; readonly frontend?: number | undefined }>>
    | undefined;
  readonly hypervisor?: { readonly trap?: HostWork | undefined; readonly switch?: HostWork | undefined } | undefined;
  readonly unmodelled?: 'fault' | 'ignore' | undefined;
  readonly gic?: 2 | 3 | undefined;
  readonly xen?: { readonly [Fact in keyof HostFacts]?: HostFacts[Fact] | undefined } | undefined;
}

export const MOST_PCPUS = 64;
/** Instructions: a slice is not interrupted, so that one this long is the longest wait for Ctrl-C (some ten seconds). */
export const LONGEST_SLICE = 100_000_000;

const amount = (means: string): z.ZodOptional<z.ZodNumber> =>
  z.int().min(0).max(1_000_000_000).optional().describe(means);
const work = (when: string): z.ZodType<HostWork | undefined> =>
  z
    .strictObject({
      instructions: amount('Instructions it retires.'),
      cycles: amount('Cycles they take; as many as instructions unless said.'),
    })
    .optional()
    .describe(`What the hypervisor spends on each ${when}, at its own level. Default: nothing.`);

export const hostSchema: z.ZodType<HostFile> = z
  .strictObject({
    $schema: z.string().optional(),
    cpu: z.string().optional().describe('MODEL[,+feature,-feature]; `countervisor list cpus` names the models.'),
    pcpus: z.int().min(1).max(MOST_PCPUS).optional().describe('Physical CPUs, 1 unless said.'),
    personality: z
      .string()
      .regex(/^[a-z][a-z0-9-]*(?::(?:compat|strict))?$/, 'it is NAME, NAME:compat or NAME:strict')
      .optional()
      .describe("NAME[:compat|strict]: whose hypervisor's ways; `countervisor list personalities` names them."),
    options: z
      .record(z.string(), z.string())
      .optional()
      .describe('Options of the personality; `countervisor list personalities` names them.'),
    policy: z
      .enum(POLICIES)
      .optional()
      .describe("What domains with vpmu = 1 get, in place of the personality's choice."),
    platform: z.string().optional().describe("The machine that guests see; the architecture's default unless said."),
    slice: z
      .int()
      .min(1)
      .max(LONGEST_SLICE)
      .optional()
      .describe('Instructions a vCPU runs before the next one on its pCPU has its turn.'),
    quantum: z
      .int()
      .min(1)
      .max(LONGEST_SLICE)
      .optional()
      .describe('Instructions each vCPU of one domain advances before the next one does.'),
    time: z
      .enum(['virtual', 'machine'])
      .optional()
      .describe("The guests' clock: each domain's own cycles (default), or the physical CPU's."),
    settings: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
      .optional()
      .describe('Settings of the CPU model; `countervisor list cpus` names them.'),
    costs: z
      .record(
        z.string(),
        z.strictObject({ backend: amount('Cycles beyond the first.'), frontend: amount('Cycles lost fetching.') }),
      )
      .optional()
      .describe('Cycles by cost class of instructions, over the published table.'),
    hypervisor: z
      .strictObject({ trap: work('trap'), switch: work('context switch') })
      .optional()
      .describe("The hypervisor's own work."),
    unmodelled: z
      .enum(['fault', 'ignore'])
      .optional()
      .describe(
        'What a guest gets that touches a device register that is not modelled: a bus fault (default), or zeros.',
      ),
    gic: z
      .union([z.literal(2), z.literal(3)])
      .optional()
      .describe('Version of the interrupt controller, where the architecture has a GIC.'),
    xen: z
      .strictObject({
        iommu: z.boolean().optional().describe('An IOMMU is there and in use.'),
        iommuHapPtShare: z.boolean().optional().describe('It can share the stage-2 tables.'),
        vmtrace: z.boolean().optional().describe('Trace buffers are available.'),
        gnttab: z
          .union([z.literal(0), z.literal(1), z.literal(2)])
          .optional()
          .describe('Highest grant-table version, 2 unless said.'),
      })
      .optional()
      .describe('What the creation checks ask of the host beside its CPU.'),
  })
  .meta({ title: 'Countervisor host file' }) as z.ZodType<HostFile>;

/** Members by path, for suggestions. */
function members(path: readonly PropertyKey[]): string[] {
  if (path[0] === 'hypervisor') return path.length === 1 ? ['trap', 'switch'] : ['instructions', 'cycles'];
  if (path[0] === 'costs') return ['backend', 'frontend'];
  if (path[0] === 'xen') return ['iommu', 'iommuHapPtShare', 'vmtrace', 'gnttab'];
  const all = z.toJSONSchema(hostSchema) as { properties?: object };
  return Object.keys(all.properties ?? {});
}

export interface Host {
  readonly file: HostFile;
  readonly json: PlacedJson | undefined;
}

/** @throws InputError with the place in the file */
export function readHost(io: Io, path: string | undefined): Host {
  if (path === undefined) return { file: {}, json: undefined };
  const bytes = readInput(io, path, 'the host file');
  if (bytes.length > 1 << 20) {
    throw new InputError(
      'CV_JSON',
      `${path} has ${bytes.length} bytes; a host file has at most 1 MiB.`,
      'Check that this is a host file.',
    );
  }
  const json = parseJson(new TextDecoder().decode(bytes), path);
  return { file: checked(json, hostSchema, 'a host file', members), json };
}

/** NAME[:compat|strict]. */
export function partPersonality(text: string): {
  readonly name: string;
  readonly mode: Mode | undefined;
  readonly odd: string | undefined;
} {
  const [name = '', mode, ...more] = text.split(':');
  const odd = more.length > 0 || (mode !== undefined && mode !== 'compat' && mode !== 'strict');
  return {
    name,
    mode: odd ? undefined : (mode as Mode | undefined),
    odd: odd ? text.slice(name.length + 1) : undefined,
  };
}
