/** CPU models: data that says what this core has, and where it deviates from its silicon. */
export interface CpuModel {
  readonly name: string;
  /** Named features; rows `need` them. */
  readonly features: ReadonlySet<string>;
  /** Numbers and choices: event counters, HPMN=0 behaviour … */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  /** Identity registers' values. */
  readonly identity: Readonly<Record<string, bigint>>;
  /** What the silicon of this name does that this model does not, one sentence each. */
  readonly deviations: readonly string[];
}

/** What a CPU can have, by name. */
export interface CpuFeature {
  readonly means: string;
  /** The one it stands on: taking that away takes this away, and adding this adds that. */
  readonly after?: string;
}

/** How a model is written in a table. */
export interface CpuRow {
  readonly means: string;
  /** With each feature, those it stands on. */
  readonly features: readonly string[];
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  readonly identity: Readonly<Record<string, bigint>>;
  readonly deviations: readonly string[];
  /** Features that `+name` may add on the command line. */
  readonly optional?: readonly string[];
}

/** What a host file may set on a CPU: its name, its allowed values and what they mean. */
export interface CpuSetting {
  readonly means: string;
  readonly values: readonly string[] | { readonly from: number; readonly to: number };
}
