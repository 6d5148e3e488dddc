/** Puts an image into a domain and makes its first vCPU ready: segments, device tree or boot block, entry state, in the order of the platform's data. */
import type { BootBlock, BootFacts } from '@countervisor/contract';
import type { Domain } from '../domain.ts';
import type { Machine } from '../machine.ts';
import { fail } from '../report/errors.ts';
import type { VcpuRuntime } from '../vcpu.ts';
import { isElf, readElf } from './elf.ts';
import { loadElf } from './elf-load.ts';
import { encodeFdt } from './fdt.ts';
import { loadFlat } from './flat.ts';
import type { LoadedImage } from './image.ts';
import { headerOf, loadByHeader, packBootBlock } from './multiboot.ts';

export interface BootImage {
  readonly bytes: Uint8Array;
  /** Name for messages. */
  readonly file: string;
  /** Default: ELF when it begins like one, else flat. */
  readonly kind?: 'elf' | 'flat';
  readonly bootargs?: string;
}

/** Loads the image, encodes the device tree, sets the entry state. Everything is checked before guest memory changes. */
export function boot(machine: Machine, domain: Domain, image: BootImage): LoadedImage {
  const { platform, memory } = domain;
  const { elf: machines, elfBase: base, flat: address, multiboot, ...kinds } = platform.images;
  const size = memory.ranges.reduce((sum, range) => sum + range.bytes, 0);
  const ram = memory.ranges;
  const kind = image.kind ?? (isElf(image.bytes) ? 'elf' : 'flat');
  const header = multiboot === true ? headerOf(image.bytes, image.file) : undefined;
  const loaded =
    header?.addresses !== undefined
      ? loadByHeader(image.bytes, image.file, header.at, header.addresses, ram)
      : kind === 'elf'
        ? loadElf(readElf(image.bytes, image.file), { ...kinds, machines, base, ram })
        : loadFlat(image.bytes, image.file, { address, ram });
  const first = domain.vcpus[0] as VcpuRuntime;
  let facts: BootFacts = {
    memory: BigInt(size),
    vcpus: domain.vcpus.length,
    bootargs: image.bootargs ?? '',
    entry: loaded.entry,
    imageEnd: loaded.end,
    deviceTree: 0n,
    view: first.handle,
  };
  const tree = platform.deviceTree?.(facts);
  let blob: Uint8Array | undefined;
  if (tree !== undefined && platform.treeAddress !== undefined) {
    blob = encodeFdt(tree);
    const at = platform.treeAddress(facts, blob.length);
    if (memory.slice(at, blob.length) === undefined) {
      throw fail('CV_NO_ROOM', {
        what: 'the device tree',
        at: `0x${at.toString(16)}`,
        bytes: String(blob.length),
        domain: domain.name,
      });
    }
    facts = { ...facts, deviceTree: at };
  }
  const block = platform.bootBlock?.(facts, image.file.split(/[/\\]/).at(-1) ?? '');
  const packed = block === undefined ? undefined : packBlock(domain, block, loaded, image.file);
  for (const segment of loaded.segments) {
    const target = memory.slice(segment.address, segment.size);
    if (target === undefined) {
      throw fail('CV_NO_ROOM', {
        what: image.file,
        at: `0x${segment.address.toString(16)}`,
        bytes: String(segment.size),
        domain: domain.name,
      });
    }
    target.fill(0);
    target.set(segment.bytes);
  }
  if (blob !== undefined) memory.slice(facts.deviceTree, blob.length)?.set(blob);
  if (block !== undefined && packed !== undefined) memory.slice(block.address, packed.length)?.set(packed);
  domain.engine.dropCode();
  machine.power(first, platform.entry(facts));
  return loaded;
}

/** The block's bytes, for a place that is RAM and that the image leaves free. */
function packBlock(domain: Domain, block: BootBlock, loaded: LoadedImage, file: string): Uint8Array {
  const bytes = packBootBlock(block, file);
  const end = block.address + BigInt(bytes.length);
  const taken = loaded.segments.some((s) => s.address < end && s.address + BigInt(s.size) > block.address);
  if (taken || domain.memory.slice(block.address, bytes.length) === undefined) {
    throw fail('CV_NO_ROOM', {
      what: 'the boot block',
      at: `0x${block.address.toString(16)}`,
      bytes: String(bytes.length),
      domain: domain.name,
    });
  }
  return bytes;
}
