/** Reads flattened device trees, trusting nothing in them. Devicetree Specification v0.4, §5. */
import type { FdtNode } from '@countervisor/contract';
import { refuse } from './errors.ts';
import { FDT, FDT_DEEPEST, type FdtReservation } from './fdt-format.ts';

export interface FdtBlob {
  /** Every value is bytes (`true` for an empty one): the format does not say what they mean. */
  readonly root: FdtNode;
  readonly reservations: readonly FdtReservation[];
  readonly bootCpu: number;
}

/**
 * The tree in a blob, which may be longer than the tree. Values are copies.
 * @throws CV_FDT_BLOB with the offset, CV_FDT_LIMIT
 */
export function readFdt(bytes: Uint8Array): FdtBlob {
  const wrong = (offset: number, why: string) => refuse('CV_FDT_BLOB', { offset, why });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 40) throw wrong(bytes.length, 'its header of 40 bytes is cut off');
  const header = Array.from({ length: 10 }, (_, i) => view.getUint32(4 * i));
  const [magic, total, structAt, stringsAt, reservedAt, version, compatible, bootCpu, stringsSize, structSize] =
    header as [number, number, number, number, number, number, number, number, number, number];
  if (magic !== FDT.MAGIC) throw wrong(0, `the magic number is 0x${magic.toString(16)}, not 0xd00dfeed`);
  if (version < 17 || compatible > 17)
    throw wrong(20, `it is of version ${version}, readable as ${compatible}, not 17`);
  if (total > bytes.length) throw wrong(4, `it says it has ${total} bytes, and ${bytes.length} are there`);
  if (structAt + structSize > total) throw wrong(8, 'the structure block leaves the blob');
  if (stringsAt + stringsSize > total) throw wrong(12, 'the strings block leaves the blob');
  if (structAt % 4 !== 0) throw wrong(8, 'the structure block is not aligned to 4');
  if (reservedAt % 8 !== 0) throw wrong(16, 'the reservation block is not aligned to 8');

  const reservations: FdtReservation[] = [];
  for (let at = reservedAt; ; at += 16) {
    if (at + 16 > total) throw wrong(at, 'the reservation block has no end');
    const [address, size] = [view.getBigUint64(at), view.getBigUint64(at + 8)];
    if (address === 0n && size === 0n) break;
    reservations.push({ address, size });
  }

  const decoder = new TextDecoder('utf-8', { fatal: true });
  const end = structAt + structSize;
  let at = structAt;
  const token = (): number => {
    for (;;) {
      if (at + 4 > end) throw wrong(at, 'the structure block has no end');
      const value = view.getUint32(at);
      at += 4;
      if (value !== FDT.NOP) return value;
    }
  };
  /** The string at an offset, ended by a NUL before `limit`. */
  const string = (start: number, limit: number, what: string): string => {
    // A name longer than 255 would have to be decoded again and again in a hostile blob.
    let stop = start;
    while (stop < limit && bytes[stop] !== 0) {
      if (stop++ - start >= 255) throw wrong(start, `${what} is longer than 255 bytes`);
    }
    if (stop >= limit) throw wrong(start, `${what} has no end`);
    try {
      return decoder.decode(bytes.subarray(start, stop));
    } catch {
      throw wrong(start, `${what} is not text`);
    }
  };
  const property = (): [name: string, value: Uint8Array | true] => {
    if (at + 8 > end) throw wrong(at, 'a property is cut off');
    const length = view.getUint32(at);
    const nameAt = view.getUint32(at + 4);
    if (at + 8 + length > end) throw wrong(at, `a property of ${length} bytes leaves the structure block`);
    if (nameAt >= stringsSize) throw wrong(at + 4, 'a property’s name is outside the strings block');
    const name = string(stringsAt + nameAt, stringsAt + stringsSize, 'a property’s name');
    const value = new Uint8Array(bytes.subarray(at + 8, at + 8 + length)); // a copy
    at += 8 + length + (-length & 3);
    return [name, length === 0 ? true : value];
  };
  /** One node, behind its BEGIN_NODE. */
  const node = (depth: number): FdtNode => {
    if (depth > FDT_DEEPEST) throw refuse('CV_FDT_LIMIT', { what: 'levels of nodes', value: depth, most: FDT_DEEPEST });
    const start = at;
    const name = string(at, end, 'a node’s name');
    at = start + ((encodedLength(start) + 4) & ~3);
    const properties = new Map<string, Uint8Array | true>();
    const children: FdtNode[] = [];
    const names = new Set<string>();
    for (;;) {
      const place = at;
      const kind = token();
      if (kind === FDT.END_NODE) break;
      if (kind === FDT.PROP) {
        if (children.length > 0) throw wrong(place, 'a property follows a node (§5.4.2: properties come first)');
        const [key, value] = property();
        if (properties.has(key)) throw wrong(place, `the property '${key}' stands twice`);
        properties.set(key, value);
      } else if (kind === FDT.BEGIN_NODE) {
        const child = node(depth + 1);
        if (names.has(child.name)) throw wrong(place, `two nodes are named '${child.name}'`);
        names.add(child.name);
        children.push(child);
      } else throw wrong(place, `${kind} is no token that may stand here`);
    }
    // fromEntries makes own properties even of a name like __proto__.
    return { name, properties: Object.fromEntries(properties), ...(children.length > 0 && { children }) };
  };
  const encodedLength = (start: number): number => bytes.indexOf(0, start) - start;

  const first = token();
  if (first !== FDT.BEGIN_NODE) throw wrong(structAt, 'the structure block does not begin with a node');
  const root = node(1);
  if (root.name !== '') throw wrong(structAt, `the root is named '${root.name}'`);
  const last = token();
  if (last !== FDT.END) throw wrong(at - 4, `${last} follows the root, not the end token`);
  return { root, reservations, bootCpu };
}
