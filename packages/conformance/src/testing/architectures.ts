/** The architectures of this repository, with what each gives the kit. */
import { arm64, conformance as arm64Kit } from '@countervisor/arm64';
import type { Arch, Conformance } from '@countervisor/contract';
import { template, conformance as templateKit } from '@countervisor/template';

export const ARCHITECTURES: readonly { readonly name: string; readonly arch: Arch; readonly kit: Conformance }[] = [
  { name: 'template', arch: template as unknown as Arch, kit: templateKit },
  { name: 'arm64', arch: arm64 as Arch, kit: arm64Kit },
];
