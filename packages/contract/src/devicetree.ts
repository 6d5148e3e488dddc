/** Device trees as plain data: what a platform writes and core encodes (Devicetree Specification v0.4, §2 and §5). Types only. */

/**
 * One part of a property's value, in the terms of the specification's table 2.3:
 *
 * - `number`: one cell, an unsigned 32-bit integer, big-endian (`<u32>`);
 * - `bigint`: two cells, an unsigned 64-bit integer, big-endian (`<u64>`);
 * - `string`: its UTF-8 bytes and a NUL (`<string>`);
 * - `{ phandle: 'gic' }`: one cell, the phandle of the node that carries this label;
 * - `Uint8Array`: these bytes as they stand.
 */
export type FdtPart = number | bigint | string | { readonly phandle: string } | Uint8Array;

/**
 * A property's value: `true` for an empty one (`dma-coherent;`), one part, or several laid end to end:
 * `['arm,pl011', 'arm,primecell']` is a string list, `[1, 13, 0xff08]` three cells, `[0x4000_0000n, 0x800_0000n]` a
 * 64-bit address and a 64-bit size.
 */
export type FdtValue = true | FdtPart | readonly FdtPart[];

/** One node. Properties and children keep their order; the root's name is `''`. */
export interface FdtNode {
  /** `name` or `name@unit-address`, unique among its siblings. */
  readonly name: string;
  /** What `{ phandle }` refers to; the encoder gives every node that is referred to a `phandle` property. */
  readonly label?: string;
  readonly properties: Readonly<Record<string, FdtValue>>;
  readonly children?: readonly FdtNode[];
}
