/** Hypercalls: the calling convention as data, services as rows. */
import type { Outcome } from './trap.ts';
import type { Vcpu, View } from './view.ts';

export interface HypercallConvention<Name extends string = string> {
  /** Register with the number. */
  readonly number: Name;
  readonly arguments: readonly Name[];
  readonly result: Name;
}

export interface HypercallService {
  readonly name: string;
  /** Manual and section. */
  readonly source: string;
  /** Returns the result register's value, or an outcome. */
  call(vcpu: Vcpu, args: readonly bigint[]): bigint | Outcome;
}

export interface Hypercalls<Name extends string = string> {
  readonly convention: HypercallConvention<Name>;
  /** By number. */
  readonly services: Readonly<Record<string, HypercallService>>;
  /** What specifications call numbers that no service answers, for the diagnostic. */
  readonly names?: Readonly<Record<string, string>>;
  /** What an unknown number answers. */
  unknown(view: View, number: bigint): bigint;
}
