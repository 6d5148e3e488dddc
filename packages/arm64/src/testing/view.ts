/**
 * A vCPU without a hypervisor, for tests: registers in a map, reads and writes as the contract says they go (windows, field behaviours, bits that exist,
 * `accepts`, `wrote`), and the decision of an access by the row's groups. Written from the contract, not from core.
 */
import { type Access, type CpuModel, mask, type PolicyName, type TrapGroup, type Vcpu } from '@countervisor/contract';
import { counters } from '../counters.ts';
import { FEATURES } from '../features.ts';
import { newInterface } from '../platform/gic.ts';
import { control } from '../registers/control.ts';
import { debug } from '../registers/debug.ts';
import { fgt } from '../registers/fgt.ts';
import { general } from '../registers/general.ts';
import { identity } from '../registers/identity.ts';
import { cpus } from '../registers/models.ts';
import { pmu } from '../registers/pmu.ts';
import type { Row, Rows } from '../registers/row.ts';
import { trapGroups } from '../traps.ts';

export const tables: Rows = { ...general, ...control, ...identity, ...pmu, ...fgt, ...debug };

const LEVELS = ['el0', 'el1', 'el2'];
const ONES = (1n << 64n) - 1n;

export interface Options {
  readonly cpu?: string;
  readonly without?: readonly string[];
  readonly counters?: number;
  readonly hpmn0?: string;
  readonly host_counters?: number;
  readonly level?: 0 | 1 | 2;
  readonly policy?: PolicyName;
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  readonly index?: number;
  /** Stored values. */
  readonly registers?: Readonly<Record<string, bigint>>;
}

/** What an access comes to. */
export type Verdict =
  | { readonly verdict: 'undefined' }
  | { readonly verdict: 'trapped'; readonly group: string; readonly cause: string }
  | { readonly verdict: 'direct' };

/** Is it one of these, or does it stand on one? */
const fallen = (feature: string, without: readonly string[]): boolean => {
  const { after } = FEATURES[feature] ?? {};
  return without.includes(feature) || (after !== undefined && fallen(after, without));
};

export class Fake {
  readonly stored: Map<string, bigint> = new Map();
  readonly counted: string[] = [];
  readonly cpu: CpuModel;
  level: number;
  readonly policy: PolicyName;
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  readonly index: number;
  yields = 0;

  constructor(options: Options = {}) {
    const name = options.cpu ?? 'neoverse-n2';
    const row = cpus[name];
    if (row === undefined) throw new Error(`no model ${name}`);
    this.cpu = {
      ...row,
      name,
      features: new Set(row.features.filter((f) => !fallen(f, options.without ?? []))),
      settings: {
        ...row.settings,
        ...(options.counters !== undefined && { counters: options.counters }),
        ...(options.hpmn0 !== undefined && { hpmn0: options.hpmn0 }),
        ...(options.host_counters !== undefined && { host_counters: options.host_counters }),
      },
    };
    this.level = options.level ?? 1;
    this.policy = options.policy ?? 'passthrough';
    this.settings = options.settings ?? {};
    this.index = options.index ?? 0;
    for (const [register, value] of Object.entries(options.registers ?? {})) this.put(register, value);
    if (options.registers?.MDCR_EL2 === undefined) {
      this.stored.set('MDCR_EL2', BigInt(this.cpu.settings.counters ?? 0));
    }
  }

  get vcpu(): Vcpu {
    return this as unknown as Vcpu;
  }

  /** A CPU interface as after reset: nothing is enabled, so nothing is signalled. */
  device(): unknown {
    return newInterface();
  }

  readonly domain: unknown = { yield: (): void => void this.yields++ };

  row(name: string): Row {
    const row = tables[name];
    if (row === undefined) throw new Error(`no register ${name}`);
    return row;
  }

  private put(name: string, value: bigint): void {
    this.row(name);
    this.stored.set(name, value & ONES);
  }

  get(name: string): bigint {
    const row = this.row(name);
    if (row.derive !== undefined) return row.derive(this.vcpu);
    if (row.view !== undefined) {
      const target = row.view(this.vcpu);
      return target === 'undefined' || target === 'ignored' ? 0n : this.get(target);
    }
    return (this.stored.get(name) ?? 0n) & (row.implemented?.(this.vcpu) ?? ONES);
  }

  field(name: string, field: string): bigint {
    const f = this.row(name).fields[field];
    if (f === undefined) throw new Error(`${name} has no field ${field}`);
    const low = typeof f.bits === 'number' ? f.bits : f.bits[1];
    return (this.get(name) & mask(f.bits)) >> BigInt(low);
  }

  set(name: string, value: bigint): void {
    this.put(name, value);
  }

  count(counter: string, amount: number): void {
    this.counted.push(counter);
    this.put(counter, this.get(counter) + BigInt(amount));
  }

  decide(name: string, write?: bigint): Verdict {
    const row = this.row(name);
    if (row.needs !== undefined && !this.cpu.features.has(row.needs)) return { verdict: 'undefined' };
    const least = write === undefined ? row.read : row.write;
    if (least === 'never' || this.level < LEVELS.indexOf(least)) return { verdict: 'undefined' };
    const access: Access = {
      register: name,
      address: row.at ?? { space: '', index: 0 },
      ...(write !== undefined && { write }),
    };
    for (const groupName of row.traps ?? []) {
      const group = trapGroups[groupName];
      if (group === undefined) throw new Error(`no group ${groupName}`);
      if (!group.at.includes(LEVELS[this.level] as 'el0')) continue;
      if (group.on !== 'both' && (group.on === 'write') !== (write !== undefined)) continue;
      if (this.armed(group, access)) return { verdict: 'trapped', group: groupName, cause: group.cause };
    }
    return { verdict: 'direct' };
  }

  private armed(group: TrapGroup<string, string, string>, access: Access): boolean {
    const { when } = group;
    if (typeof when === 'function') return when(this.vcpu, access);
    if ('intercept' in when) return false;
    const { needs } = this.row(when.register);
    if (needs !== undefined && !this.cpu.features.has(needs)) return false;
    return this.field(when.register, when.field) === when.is;
  }

  /** A guest's read, when nothing stops it. */
  read(name: string): bigint | string {
    const row = this.row(name);
    const target = row.view?.(this.vcpu) ?? name;
    if (target === 'undefined' || target === 'ignored') return target;
    const value = this.get(target);
    return target === name ? value : value & (row.implemented?.(this.vcpu) ?? ONES);
  }

  /** A guest's write, when nothing stops it. */
  write(name: string, written: bigint): string | undefined {
    const row = this.row(name);
    const target = row.view?.(this.vcpu) ?? name;
    if (target === 'undefined' || target === 'ignored') return target;
    const stored = this.stored.get(target) ?? 0n;
    const before = this.get(target);
    let value = 0n;
    for (const { bits, write } of Object.values(row.fields)) {
      const m = mask(bits);
      if (write === undefined || write === 'plain') value |= written & m;
      else if (write === 'one-sets') value |= (stored | written) & m;
      else if (write === 'one-clears') value |= stored & ~written & m;
      else if (write === 'ignored') value |= stored & m;
      else if (write === 'one') value |= m;
    }
    const exists = (row.implemented ?? this.row(target).implemented)?.(this.vcpu) ?? ONES;
    value = (value & exists) | (stored & ~exists);
    const accepted = row.accepts?.(this.vcpu, value, before) ?? value;
    if (typeof accepted !== 'bigint') return accepted.refuse;
    if (this.row(target).derive === undefined) this.put(target, accepted);
    row.wrote?.(this.vcpu, written, before);
    return undefined;
  }

  /** Is counter n counting at this level? */
  counting(n: number, level: number = this.level): boolean {
    const counter = counters[n];
    if (counter === undefined) throw new Error(`no counter ${n}`);
    return counter.counting(this.vcpu, level);
  }
}
