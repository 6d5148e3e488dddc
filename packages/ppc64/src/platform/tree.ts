/**
 * The device tree of the `pseries` machine: what kvm-unit-tests and Linux look for, with QEMU's names. LoPAR 1.1, appendix B (binding of the Power architecture);
 * Devicetree Specification v0.4. No interrupt controller, PCI host bridge or NVRAM: no node of theirs.
 */
import type { BootFacts, FdtNode, FdtValue } from '@countervisor/contract';
import { hasRadix } from '../features.ts';
import { VTY } from './papr.ts';
import { SERVICES } from './rtas.ts';
import { FREQUENCY } from './timer.ts';

/** Bytes of a cache line of every model; a 970's, too. */
const LINE = 128;

/** Page sizes of radix: an encoding in the top three bits, the size as a power of two below. LoPAR, ibm,processor-radix-AP-encodings. */
const RADIX_PAGES: readonly number[] = [0x0000_000c, 0xa000_0010, 0x2000_0015, 0x4000_001e];

function cpuNode(facts: BootFacts, index: number): FdtNode {
  const { cpu } = facts.view;
  const name = cpu.name === '970' ? 'PowerPC,970' : `PowerPC,${cpu.name.toUpperCase()}`;
  const bits = Number(cpu.settings.decrementer ?? 32);
  const properties: Record<string, FdtValue> = {
    device_type: 'cpu',
    reg: index,
    'cpu-version': Number(cpu.identity.PVR ?? 0n),
    status: 'okay',
    '64-bit': true,
    'ibm,ppc-interrupt-server#s': index,
    'ibm,ppc-interrupt-gserver#s': [index, 0],
    'timebase-frequency': FREQUENCY,
    'clock-frequency': 1_000_000_000,
    'd-cache-size': 0x8000,
    'd-cache-line-size': LINE,
    'd-cache-block-size': LINE,
    'i-cache-size': 0x8000,
    'i-cache-line-size': LINE,
    'i-cache-block-size': LINE,
  };
  if (bits > 32) properties['ibm,dec-bits'] = bits;
  if (cpu.features.has('isa-2.06')) {
    properties['ibm,purr'] = 1;
    properties['ibm,spurr'] = 1;
  }
  if (hasRadix(cpu)) properties['ibm,processor-radix-AP-encodings'] = RADIX_PAGES;
  return { name: `${name}@${index.toString(16)}`, properties };
}

export function deviceTree(facts: BootFacts): FdtNode {
  const console = `/vdevice/vty@${VTY.toString(16)}`;
  const chosen: Record<string, FdtValue> = { 'stdout-path': console, 'linux,stdout-path': console };
  if (facts.bootargs !== '') chosen.bootargs = facts.bootargs;
  return {
    name: '',
    properties: {
      '#address-cells': 2,
      '#size-cells': 2,
      compatible: 'qemu,pseries',
      model: 'IBM pSeries (emulated by qemu)',
      device_type: 'chrp',
    },
    children: [
      { name: 'chosen', properties: chosen },
      { name: 'memory@0', properties: { device_type: 'memory', reg: [0n, facts.memory] } },
      {
        name: 'cpus',
        properties: { '#address-cells': 1, '#size-cells': 0 },
        children: Array.from({ length: facts.vcpus }, (_, index) => cpuNode(facts, index)),
      },
      {
        name: 'rtas',
        properties: {
          ...Object.fromEntries(Object.entries(SERVICES).map(([name, { token }]) => [name, token])),
          'ibm,hypertas-functions': [
            ...['hcall-term', 'hcall-dabr', 'hcall-splpar', 'hcall-debug'],
            ...(facts.view.cpu.features.has('isa-2.07') ? ['hcall-set-mode'] : []),
          ],
        },
      },
      {
        name: 'vdevice',
        properties: {
          device_type: 'vdevice',
          compatible: 'IBM,vdevice',
          '#address-cells': 1,
          '#size-cells': 0,
        },
        children: [
          {
            name: `vty@${VTY.toString(16)}`,
            properties: { device_type: 'serial', compatible: 'hvterm1', reg: Number(VTY) },
          },
        ],
      },
    ],
  };
}

const MIB = 0x10_0000n;
const down = (value: bigint, to: bigint): bigint => (value / to) * to;

/** In the last 2 MiB of memory below 2 GiB, as QEMU does; at the very end where an image is in the way. */
export function treeAddress(facts: BootFacts, bytes: number): bigint {
  const end = facts.memory < 2048n * MIB ? facts.memory : 2048n * MIB;
  const usual = end - 2n * MIB;
  if (usual >= facts.imageEnd && BigInt(bytes) <= 2n * MIB) return usual;
  const last = down(end - BigInt(bytes), 8n);
  return last > facts.imageEnd ? last : down(facts.imageEnd + 7n, 8n);
}
