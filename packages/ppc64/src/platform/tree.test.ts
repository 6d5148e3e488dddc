/** The device tree: what Linux and kvm-unit-tests ask for, and what dtc says about it. */
import { spawnSync } from 'node:child_process';
import type { BootFacts, FdtNode, FdtPart, FdtValue } from '@countervisor/contract';
import { describeWith } from '@countervisor/house/needs';
import { describe, expect, it } from 'vitest';
import { cpus } from '../features.ts';
import { deviceTree, treeAddress } from './tree.ts';

const MIB = 1n << 20n;

function facts(cpu = 'power9', more: Partial<BootFacts> = {}): BootFacts {
  const row = cpus[cpu];
  if (row === undefined) throw new Error(`no model ${cpu}`);
  const view = { cpu: { ...row, name: cpu, features: new Set(row.features) } } as unknown as BootFacts['view'];
  return { memory: 512n * MIB, vcpus: 1, bootargs: '', entry: 0n, imageEnd: 0x41_0000n, deviceTree: 0n, view, ...more };
}

function node(tree: FdtNode, ...path: readonly string[]): FdtNode {
  return path.reduce((at, name) => {
    const found = at.children?.find((child) => child.name === name);
    if (found === undefined) throw new Error(`no node ${name}`);
    return found;
  }, tree);
}

describe('the device tree', () => {
  it('has the memory, the console and the arguments', () => {
    const tree = deviceTree(facts('power9', { bootargs: 'one two' }));
    expect(tree.properties.compatible).toBe('qemu,pseries');
    expect(node(tree, 'memory@0').properties).toEqual({ device_type: 'memory', reg: [0n, 512n * MIB] });
    expect(node(tree, 'chosen').properties.bootargs).toBe('one two');
    expect(node(tree, 'chosen').properties['stdout-path']).toBe('/vdevice/vty@71000000');
    expect(node(tree, 'vdevice', 'vty@71000000').properties).toEqual({
      device_type: 'serial',
      compatible: 'hvterm1',
      reg: 0x7100_0000,
    });
    expect(node(deviceTree(facts()), 'chosen').properties).not.toHaveProperty('bootargs');
  });

  // Names and values as QEMU 7.2 dumps them (-M pseries,dumpdtb=…).
  it('has the CPUs', () => {
    const four = node(deviceTree(facts('power9', { vcpus: 4 })), 'cpus').children ?? [];
    expect(four.map(({ name }) => name)).toEqual([0, 1, 2, 3].map((n) => `PowerPC,POWER9@${n}`));
    expect(four[3]?.properties).toMatchObject({
      device_type: 'cpu',
      reg: 3,
      'cpu-version': 0x4e_1200,
      'ibm,ppc-interrupt-server#s': 3,
      'timebase-frequency': 0x1e84_8000,
      'd-cache-line-size': 0x80,
      'ibm,dec-bits': 0x38,
      'ibm,processor-radix-AP-encodings': [0x0c, 0xa000_0010, 0x2000_0015, 0x4000_001e],
    });
    const old = node(deviceTree(facts('970')), 'cpus', 'PowerPC,970@0').properties;
    expect(old['cpu-version']).toBe(0x39_0202);
    for (const absent of ['ibm,dec-bits', 'ibm,processor-radix-AP-encodings', 'ibm,purr']) {
      expect(old).not.toHaveProperty(absent);
    }
  });

  it('has the tokens of RTAS, and no entry point of it: H_RTAS is the way', () => {
    const { properties } = node(deviceTree(facts()), 'rtas');
    expect(properties).toMatchObject({
      'display-character': 0x2000,
      'get-time-of-day': 0x2001,
      'power-off': 0x2003,
      'system-reboot': 0x2004,
      'query-cpu-stopped-state': 0x2005,
      'start-cpu': 0x2006,
      'stop-self': 0x2007,
    });
    expect(properties).not.toHaveProperty('linux,rtas-entry');
  });
});

describe('its address', () => {
  it('is the last 2 MiB of memory, or of the first 2 GiB, as QEMU has it', () => {
    expect(treeAddress(facts(), 4096)).toBe(0x1fe0_0000n);
    expect(treeAddress(facts('power9', { memory: 8192n * MIB }), 4096)).toBe(0x7fe0_0000n);
  });
  it('is at the very end where an image is in the way', () => {
    expect(treeAddress(facts('power9', { memory: 8n * MIB, imageEnd: 7n * MIB }), 5000)).toBe(8n * MIB - 5000n);
  });
});

/** The tree as source for dtc. */
function source(tree: FdtNode): string {
  const cell = (value: number): string => `0x${value.toString(16)}`;
  const part = (value: FdtPart): string => {
    if (typeof value === 'string') return JSON.stringify(value);
    if (typeof value === 'number') return `<${cell(value)}>`;
    if (typeof value === 'bigint') return `<${cell(Number(value >> 32n))} ${cell(Number(value & 0xffff_ffffn))}>`;
    if (value instanceof Uint8Array) throw new Error('no bytes here');
    return `<&${value.phandle}>`;
  };
  const property = ([name, value]: readonly [string, FdtValue]): string => {
    if (value === true) return `${name};`;
    const parts = Array.isArray(value) ? (value as readonly FdtPart[]) : [value as FdtPart];
    return `${name} = ${parts.map(part).join(', ')};`;
  };
  const body = (n: FdtNode): string =>
    `{ ${Object.entries(n.properties).map(property).join(' ')} ${(n.children ?? [])
      .map((child) => `${child.label === undefined ? '' : `${child.label}: `}${child.name} ${body(child)}`)
      .join(' ')} };`;
  return `/dts-v1/;\n/ ${body(tree)}\n`;
}

describeWith(['dtc'], 'the device tree for dtc', () => {
  const compile = (dts: string): readonly [status: number | null, said: string] => {
    const { status, stderr } = spawnSync('dtc', ['-I', 'dts', '-O', 'dtb', '-o', '/dev/null'], { input: dts });
    return [status, stderr.toString()];
  };
  it.each(Object.keys(cpus))('is accepted, and nothing in it is doubtful: %s', (cpu) => {
    expect(compile(source(deviceTree(facts(cpu, { vcpus: 3, bootargs: 'x "y"' }))))).toEqual([0, '']);
  });
  it('would be doubted: an address, and none in the name', () => {
    const tree = deviceTree(facts());
    const children = (tree.children ?? []).map((n) => (n.name === 'memory@0' ? { ...n, name: 'memory' } : n));
    expect(compile(source({ ...tree, children }))[1]).toContain('no unit name');
  });
});
