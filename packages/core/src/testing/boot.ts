/** Boots raw code for tests, without the image loaders. */
import type { Domain } from '../domain.ts';
import type { Machine } from '../machine.ts';

export function bootFlat(machine: Machine, domain: Domain, code: Uint8Array): void {
  const { platform } = domain;
  const at = platform.images.flat;
  domain.memory.slice(at, code.length)?.set(code);
  const [first] = domain.vcpus;
  if (first === undefined) throw new RangeError('a domain has a vCPU');
  machine.power(
    first,
    platform.entry({
      memory: 65536n,
      vcpus: domain.vcpus.length,
      bootargs: '',
      entry: at,
      imageEnd: at + BigInt(code.length),
      deviceTree: 0n,
      view: first.handle,
    }),
  );
}
