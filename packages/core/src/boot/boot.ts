/** Puts an image into a domain and makes its first vCPU ready: segments, device tree, entry state, in the order of the platform's data. */
import type { BootFacts } from '@countervisor/contract';
import type { Domain } from '../domain.ts';
import type { Machine } from '../machine.ts';
import { fail } from '../report/errors.ts';
import type { VcpuRuntime } from '../vcpu.ts';
import { isElf, readElf } from './elf.ts';
import { loadElf } from './elf-load.ts';
import { encodeFdt } from './fdt.ts';
import { loadFlat } from './flat.ts';
import type { LoadedImage } from './image.ts';

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
  const { elf: machines, elfBase: base, flat: address, ...kinds } = platform.images;
  const size = memory.ranges.reduce((sum, range) => sum + range.bytes, 0);
  const ram = memory.ranges;
  const kind = image.kind ?? (isElf(image.bytes) ? 'elf' : 'flat');
  const loaded =
    kind === 'elf'
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
  domain.engine.dropCode();
  machine.power(first, platform.entry(facts));
  return loaded;
}
