/** Flattened device trees, version 17: encodes the plain-data tree of a platform. Devicetree Specification v0.4, §2.2 (names) and §5 (format). */
import type { FdtNode, FdtPart, FdtValue } from '@countervisor/contract';
import { refuse } from './errors.ts';
import { FDT, FDT_DEEPEST, type FdtReservation } from './fdt-format.ts';

export interface FdtOptions {
  /** Memory that the guest must leave alone, §5.3. */
  readonly reservations?: readonly FdtReservation[];
  /** `boot_cpuid_phys`: the boot CPU's `reg`; 0 if not given. */
  readonly bootCpu?: number;
}

/** The whole blob, bytes: what the strictest boot protocol allows (Linux, Documentation/arch/arm64/booting.rst, section 2). */
const LARGEST = 2 * 1024 * 1024;
/** Reserved ranges. */
const MOST_RESERVATIONS = 1024;
/** Characters of a name. The specification says 31 (§2.2.1), and PAPR's own names are longer. */
const LONGEST_NAME = 255;

/** §2.2.1.1 and §2.2.4.1. Nodes may have a unit-address of the same characters. */
const NODE_NAME = /^[0-9a-zA-Z,._+-]+(@[0-9a-zA-Z,._+-]+)?$/;
const PROPERTY_NAME = /^[0-9a-zA-Z,._+?#-]+$/;

const encoder = new TextEncoder();

/**
 * Encodes a tree: header, reservations (aligned to 8), structure (to 4), strings, without gaps otherwise.
 * Nodes that are referred to get phandles, the least free numbers from 1; a `phandle` property written by hand is respected.
 * @throws CV_FDT_TREE with the node's path, CV_FDT_LIMIT
 */
export function encodeFdt(root: FdtNode, options: FdtOptions = {}): Uint8Array {
  const reservations = options.reservations ?? [];
  if (reservations.length > MOST_RESERVATIONS) {
    throw refuse('CV_FDT_LIMIT', { what: 'reserved ranges', value: reservations.length, most: MOST_RESERVATIONS });
  }
  if (root.name !== '') throw wrong('/', `the root's name is '${root.name}', not empty`);
  const phandles = assignPhandles(root);
  const strings = new Strings();
  const structure = new Bytes();
  writeNode(root, '', structure, strings, phandles);
  structure.u32(FDT.END);

  const blob = new Bytes();
  const names = strings.bytes.done();
  const body = structure.done();
  const reserved = 40;
  const start = reserved + 16 * (reservations.length + 1);
  const bootCpu = options.bootCpu ?? 0;
  if (!isCell(bootCpu)) throw wrong('/', `the boot CPU ${bootCpu} is no unsigned 32-bit number`);
  // §5.2: magic, totalsize, off_dt_struct, off_dt_strings, off_mem_rsvmap, version, last_comp_version, boot_cpuid_phys, the two sizes.
  const total = start + body.length + names.length;
  for (const word of [
    FDT.MAGIC,
    total,
    start,
    start + body.length,
    reserved,
    17,
    16,
    bootCpu,
    names.length,
    body.length,
  ]) {
    blob.u32(word);
  }
  for (const { address, size } of [...reservations, { address: 0n, size: 0n }]) {
    if (!isLong(address) || !isLong(size)) throw wrong('/', 'a reserved range does not fit 64 bits');
    blob.u64(address);
    blob.u64(size);
  }
  // An entry of two zeros ends the list (§5.3.1), so none may stand inside.
  if (reservations.some(({ size }) => size === 0n)) throw wrong('/', 'a reserved range is empty');
  blob.append(body);
  blob.append(names);
  return blob.done();
}

const wrong = (path: string, why: string) => refuse('CV_FDT_TREE', { path, why });
const isCell = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
const isLong = (value: bigint): boolean => value >= 0n && value < 1n << 64n;

/**
 * Label → phandle, for the labels that some property refers to, numbered in the order of the references, as dtc does. What is wrong with a
 * reference is said when it is written, with its place.
 */
function assignPhandles(root: FdtNode): Phandles {
  const nodes = new Map<string, { readonly path: string; readonly own: number | undefined }>();
  const used = new Map<number, string>();
  const wanted = new Set<string>();
  walk(root, '', 1, (node, path) => {
    const own = ownPhandle(node, path);
    if (own !== undefined) {
      const other = used.get(own);
      if (other !== undefined) throw wrong(path, `the phandle ${own} is that of ${other} too`);
      used.set(own, path);
    }
    if (node.label !== undefined) {
      const other = nodes.get(node.label);
      if (other !== undefined) throw wrong(path, `the label '${node.label}' is that of ${other.path} too`);
      nodes.set(node.label, { path, own });
    }
    for (const value of Object.values(node.properties)) {
      for (const part of partsOf(value)) if (isReference(part)) wanted.add(part.phandle);
    }
  });
  const phandles: Phandles = new Map();
  let next = 1;
  for (const label of wanted) {
    const node = nodes.get(label);
    if (node === undefined) continue;
    while (node.own === undefined && used.has(next)) next++;
    phandles.set(label, { value: node.own ?? next++, written: node.own !== undefined });
  }
  return phandles;
}

/** A phandle written by hand, as a number or as its four bytes. 0 and all ones are none: dtc and libfdt refuse them. */
function ownPhandle(node: FdtNode, path: string): number | undefined {
  if (!Object.hasOwn(node.properties, 'phandle')) return undefined;
  const value = node.properties.phandle;
  const own =
    value instanceof Uint8Array && value.length === 4 ? value.reduce((sum, byte) => sum * 256 + byte, 0) : value;
  if (typeof own === 'number' && isCell(own) && own !== 0 && own !== 0xffff_ffff) return own;
  throw wrong(`${path}:phandle`, 'a phandle is a number from 1 to 0xfffffffe');
}

function isReference(part: FdtPart): part is { readonly phandle: string } {
  return typeof part === 'object' && part !== null && 'phandle' in part && typeof part.phandle === 'string';
}

type Phandles = Map<string, { readonly value: number; readonly written: boolean }>;

function walk(node: FdtNode, path: string, depth: number, visit: (node: FdtNode, path: string) => void): void {
  if (depth > FDT_DEEPEST) throw refuse('CV_FDT_LIMIT', { what: 'levels of nodes', value: depth, most: FDT_DEEPEST });
  visit(node, path === '' ? '/' : path);
  for (const child of node.children ?? []) walk(child, `${path}/${child.name}`, depth + 1, visit);
}

function writeNode(node: FdtNode, path: string, out: Bytes, strings: Strings, phandles: Phandles): void {
  const here = path === '' ? '/' : path;
  out.u32(FDT.BEGIN_NODE);
  out.append(encoder.encode(`${node.name}\0`));
  out.align4();
  const property = (name: string, value: FdtValue): void => {
    if (!PROPERTY_NAME.test(name) || name.length > LONGEST_NAME)
      throw wrong(here, `'${name}' is no property name (§2.2.4.1)`);
    out.u32(FDT.PROP);
    const length = out.reserve32();
    out.u32(strings.offset(name));
    const start = out.length;
    for (const part of partsOf(value)) writePart(part, `${here}:${name}`, out, phandles);
    out.patch32(length, out.length - start);
    out.align4();
  };
  for (const [name, value] of Object.entries(node.properties)) property(name, value);
  const phandle = node.label === undefined ? undefined : phandles.get(node.label);
  if (phandle !== undefined && !phandle.written) property('phandle', phandle.value);
  const names = new Set<string>();
  for (const child of node.children ?? []) {
    if (!NODE_NAME.test(child.name) || child.name.length > LONGEST_NAME) {
      throw wrong(here, `'${child.name}' is no node name (§2.2.1)`);
    }
    if (names.has(child.name)) throw wrong(here, `two nodes are named '${child.name}'`);
    names.add(child.name);
    writeNode(child, `${path}/${child.name}`, out, strings, phandles);
  }
  out.u32(FDT.END_NODE);
}

function partsOf(value: FdtValue): readonly FdtPart[] {
  if (value === true) return [];
  return Array.isArray(value) ? value : [value as FdtPart];
}

function writePart(part: FdtPart, where: string, out: Bytes, phandles: Phandles): void {
  if (typeof part === 'number') {
    if (!isCell(part)) throw wrong(where, `${part} is no unsigned 32-bit number; write 64 bits as a bigint`);
    out.u32(part);
  } else if (typeof part === 'bigint') {
    if (!isLong(part)) throw wrong(where, `${part} does not fit 64 bits`);
    out.u64(part);
  } else if (typeof part === 'string') {
    if (part.includes('\0')) throw wrong(where, 'a string holds a NUL');
    out.append(encoder.encode(`${part}\0`));
  } else if (part instanceof Uint8Array) {
    out.append(part);
  } else if (isReference(part)) {
    const phandle = phandles.get(part.phandle);
    if (phandle === undefined) throw wrong(where, `no node has the label '${part.phandle}'`);
    out.u32(phandle.value);
  } else {
    throw wrong(where, `a value is ${part === null ? 'null' : typeof part}, none of the kinds of FdtPart`);
  }
}

/** A growing buffer, big-endian, that never grows beyond the limit. */
class Bytes {
  length = 0;
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);

  #room(bytes: number): number {
    const at = this.length;
    const length = at + bytes;
    if (length > LARGEST) throw refuse('CV_FDT_LIMIT', { what: 'bytes', value: length, most: LARGEST });
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.length = length;
    return at;
  }

  u32(value: number): void {
    const at = this.#room(4);
    this.#view.setUint32(at, value);
  }

  u64(value: bigint): void {
    const at = this.#room(8);
    this.#view.setBigUint64(at, value);
  }

  append(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Room for a number that is known later; its offset. */
  reserve32(): number {
    return this.#room(4);
  }

  patch32(at: number, value: number): void {
    this.#view.setUint32(at, value);
  }

  align4(): void {
    this.#room(-this.length & 3);
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }
}

/** The strings block: each property name once, §5.5. */
class Strings {
  readonly bytes: Bytes = new Bytes();
  readonly #offsets = new Map<string, number>();

  offset(name: string): number {
    let offset = this.#offsets.get(name);
    if (offset === undefined) {
      offset = this.bytes.length;
      this.#offsets.set(name, offset);
      this.bytes.append(encoder.encode(`${name}\0`));
    }
    return offset;
  }
}
