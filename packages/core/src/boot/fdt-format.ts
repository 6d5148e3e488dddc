/** Numbers of the flattened device tree format, version 17. Devicetree Specification v0.4, §5. */

export interface FdtReservation {
  readonly address: bigint;
  readonly size: bigint;
}

/** The magic number (§5.2) and the tokens of the structure block (§5.4.1). */
export const FDT = { MAGIC: 0xd00dfeed, BEGIN_NODE: 1, END_NODE: 2, PROP: 3, NOP: 4, END: 9 } as const;

/** Levels of nodes, the root included; as deep as Linux unflattens (drivers/of/fdt.c, FDT_MAX_DEPTH). */
export const FDT_DEEPEST = 64;
