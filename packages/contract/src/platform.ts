/** Platforms: the memory map, the devices, the entry state and the device tree of one machine. */
import type { FdtNode } from './devicetree.ts';
import type { Exception } from './isa.ts';
import type { Writes } from './policy.ts';
import type { Vcpu, View } from './view.ts';

/** Plain data: numbers, bigints, strings, and arrays of them. What is declared here is what a snapshot holds. */
export type DeviceState = Record<string, number | bigint | number[] | bigint[] | string>;

export interface Device {
  readonly name: string;
  /** One for the domain, or one for each vCPU. */
  readonly per: 'domain' | 'vcpu';
  /** Where its range lies: in guest-physical memory (default), or in the I/O space of `AccessShape.space`. */
  readonly space?: 'io';
  /** Guest-physical range, or ports; absent for devices without one. A per-vCPU device with one range shows each vCPU its own. */
  readonly range?: { readonly base: bigint; readonly size: number };
  /** Sizes of access it answers, bytes; others are refused as a bus fault. */
  readonly sizes: readonly (1 | 2 | 4 | 8)[];
  state(view: View): DeviceState;
  /** Pure. `undefined`: no register here, named in a diagnostic. */
  read?(vcpu: View, offset: number, size: number): number | bigint | undefined;
  /** Offsets at which a guest's read has an effect; done before `read`. */
  reading?(vcpu: Vcpu, offset: number, size: number): void;
  /** False: no register here. */
  write?(vcpu: Vcpu, offset: number, size: number, value: number | bigint): boolean;
}

export interface Images {
  /** ELF machine numbers it accepts. */
  readonly elf: readonly number[];
  /** ELF classes and byte orders it accepts; absent: either. */
  readonly classes?: readonly (32 | 64)[];
  readonly orders?: readonly ('little' | 'big')[];
  /**
   * The section of function descriptors, where an ABI has one: an entry point inside it is the address of a descriptor, whose first doubleword is the
   * code's address.
   */
  readonly descriptors?: string;
  /** Where a position-independent ELF goes. */
  readonly elfBase: bigint;
  /** Where a raw image goes. */
  readonly flat: bigint;
  /** Images may have a Multiboot header (version 1): where it gives addresses, these say what goes where. */
  readonly multiboot?: true;
}

/** What a boot protocol tells the guest in a block of memory; core packs it. Bytes and guest-physical addresses. */
export interface BootBlock {
  readonly format: 'multiboot';
  /** Where core puts it. */
  readonly address: bigint;
  /** Memory from 0 on, and from 1 MiB on. */
  readonly lower: bigint;
  readonly upper: bigint;
  readonly commandLine: string;
  /** Who loaded it. */
  readonly loader: string;
  readonly map: readonly { readonly base: bigint; readonly length: bigint; readonly usable: boolean }[];
}

/** What a domain is made with. Bytes and addresses of guest-physical memory. */
export interface BootFacts {
  readonly memory: bigint;
  readonly vcpus: number;
  readonly bootargs: string;
  readonly entry: bigint;
  /** First address behind the image. */
  readonly imageEnd: bigint;
  /** Where core put the encoded device tree; 0 while it asks where. */
  readonly deviceTree: bigint;
  /** Command-line environment of the domain's CPU. */
  readonly view: View;
}

export interface Platform {
  readonly name: string;
  readonly means: string;
  readonly ram: { readonly base: bigint; readonly most: bigint };
  readonly devices: readonly Device[];
  readonly images: Images;
  /** Interrupt sources by name, and the state that asserts them; `line()` of a View asks here. */
  readonly sources: Readonly<Record<string, (view: View) => boolean>>;
  /** Lets controllers notice edges of their sources and keep them in their state; done before each `interrupt`. */
  latch?(vcpu: Vcpu): void;
  /** The highest-priority interrupt that this vCPU accepts now, as an exception; pure. */
  interrupt(view: View): Exception | undefined;
  /** Does a waiting vCPU wake? Architectures wake on masked interrupts too. Pure. */
  wakes(view: View): boolean;
  /** Cycles on the domain's clock at which something changes by itself for this vCPU; `undefined`: nothing ever. */
  deadline(view: View): bigint | undefined;
  /** The device tree; core encodes it and asks `treeAddress`. */
  deviceTree?(facts: BootFacts): FdtNode;
  treeAddress?(facts: BootFacts, bytes: number): bigint;
  /** The block of another boot protocol; `file` is the image's name without folders. */
  bootBlock?(facts: BootFacts, file: string): BootBlock;
  /** State of the boot vCPU at its first instruction. */
  entry(facts: BootFacts): Writes;
  /** State of a vCPU that another one starts. */
  start(view: View, entry: bigint, argument: bigint): Writes;
  /** The guest's own exit code, where its raw status is not the place that holds it; `undefined` when it told none. */
  code?(status: number, console: string): number | undefined;
  /** What the raw status of a domain's end means. */
  verdict(status: number, console: string): 'passed' | 'failed';
}
