/** How an architecture's instructions name a register: a space and a number in it. */
export interface Address {
  /** 'sysreg', 'msr', 'spr' … */
  readonly space: string;
  /** 0 to 2^32 - 1. */
  readonly index: number;
}
