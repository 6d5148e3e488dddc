/** One piece of work, as plain data, so that it can be done in another thread: a mutant is made anew from its name. */
import { BLIND } from './blind.ts';
import { type Kit, kitOf, type Tested } from './build.ts';
import { CORE } from './core.ts';
import { caught, failing } from './judge.ts';
import { type TableMutant, tableMutants } from './tables.ts';

/** What is small and quick: its checks come first where core is at fault. */
const SMALL = 'template';

export interface Task {
  readonly arch: string;
  /** Position in `CORE`, in `tableMutants`, or in `BLIND`. */
  readonly mutant: { readonly core: number } | { readonly table: number } | { readonly blind: number };
  /** Only the checks that aim at it. */
  readonly aimed?: boolean;
  /** Asked which of these checks fail, instead of who is first. */
  readonly checks?: readonly string[];
}

export interface Answer {
  /** The check, or the refusal at load, that caught it. */
  readonly by?: string;
  readonly failing?: readonly string[];
}

export class Bench {
  readonly #root: string;
  readonly #plain = new Map<string, Promise<Kit>>();
  readonly #tables = new Map<string, readonly TableMutant[]>();

  constructor(root: string) {
    this.#root = root;
  }

  /** The kit without any mutant. */
  plain(arch: string): Promise<Kit> {
    const known = this.#plain.get(arch) ?? kitOf(this.#root, [arch]);
    this.#plain.set(arch, known);
    return known;
  }

  async tested(arch: string): Promise<Tested> {
    return (await this.plain(arch)).architectures.get(arch) as Tested;
  }

  /** Every single mutant of an architecture's tables, in one order. */
  async tables(arch: string): Promise<readonly TableMutant[]> {
    const known = this.#tables.get(arch);
    if (known !== undefined) return known;
    const made = tableMutants(await this.tested(arch));
    this.#tables.set(arch, made);
    return made;
  }

  /** @param alive told between two checks */
  async do({ arch, mutant, aimed = false, checks }: Task, alive: () => void = () => {}): Promise<Answer> {
    if ('table' in mutant) {
      const kit = await this.plain(arch);
      const one = (await this.tables(arch))[mutant.table] as TableMutant;
      return answer(kit, [[arch, { ...(await this.tested(arch)), arch: one.make() }]], one.first, aimed, checks, alive);
    }
    if ('blind' in mutant) {
      const one = BLIND[mutant.blind] as (typeof BLIND)[number];
      const kit = await kitOf(this.#root, [arch], one);
      return answer(kit, [...kit.architectures], one.first, aimed, checks, alive);
    }
    const one = CORE[mutant.core] as (typeof CORE)[number];
    const names = checks === undefined ? [...new Set([SMALL, arch])] : [arch];
    const kit = await kitOf(this.#root, names, one);
    return answer(kit, [...kit.architectures], one.first, aimed, checks, alive);
  }
}

async function answer(
  kit: Kit,
  some: readonly (readonly [name: string, tested: Tested])[],
  first: readonly string[],
  aimed: boolean,
  checks: readonly string[] | undefined,
  alive: () => void,
): Promise<Answer> {
  if (checks !== undefined) {
    const found: string[] = [];
    for (const [, tested] of some) found.push(...(await failing(kit, tested, new Set(checks), alive)));
    return { failing: found };
  }
  for (const which of aimed ? (['first'] as const) : (['first', 'others'] as const)) {
    for (const [name, tested] of some) {
      const by = await caught(kit, tested, first, which, alive);
      if (by !== undefined) return { by: some.length === 1 ? by : `${name}: ${by}` };
    }
  }
  return {};
}
