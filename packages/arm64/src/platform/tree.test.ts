/** The device tree: what the Linux bindings and kvm-unit-tests ask for, and what dtc says about it. */
import { spawnSync } from 'node:child_process';
import type { BootFacts, FdtNode, FdtPart, FdtValue } from '@countervisor/contract';
import { describeWith } from '@countervisor/house/needs';
import { describe, expect, it } from 'vitest';
import { Board, type BoardOptions } from '../testing/board.ts';
import { deviceTree, treeAddress } from './tree.ts';

const MIB = 1n << 20n;

const facts = (options: BoardOptions = {}, more: Partial<BootFacts> = {}): BootFacts => ({
  memory: 128n * MIB,
  vcpus: options.vcpus ?? 1,
  bootargs: '',
  entry: 0x4008_0000n,
  imageEnd: 0x4009_0000n,
  deviceTree: 0n,
  view: new Board(options).cpu(),
  ...more,
});

function node(tree: FdtNode, name: string): FdtNode {
  const found = tree.children?.find((child) => child.name === name);
  if (found === undefined) throw new Error(`no node ${name}`);
  return found;
}

const names = (tree: FdtNode): readonly string[] => tree.children?.map((child) => child.name) ?? [];

describe('the device tree', () => {
  it('has the memory, the console and the arguments', () => {
    const tree = deviceTree(facts({}, { bootargs: 'cycle-counter 0' }));
    expect(node(tree, 'memory@40000000').properties).toEqual({
      device_type: 'memory',
      reg: [0x4000_0000n, 128n * MIB],
    });
    expect(node(tree, 'chosen').properties).toEqual({ 'stdout-path': '/pl011@9000000', bootargs: 'cycle-counter 0' });
    expect(node(tree, 'pl011@9000000').properties).toMatchObject({
      reg: [0x0900_0000n, 0x1000n],
      interrupts: [0, 1, 4],
    });
    expect(node(deviceTree(facts()), 'chosen').properties).not.toHaveProperty('bootargs');
  });
  it('has the CPUs, started by PSCI through HVC', () => {
    const tree = deviceTree(facts({ vcpus: 18, gic: 3 }));
    const cpus = node(tree, 'cpus').children ?? [];
    expect(cpus.map((cpu) => cpu.properties.reg)).toEqual([...Array(16).keys(), 0x100, 0x101]);
    expect(cpus[17]).toMatchObject({ name: 'cpu@101', properties: { device_type: 'cpu', 'enable-method': 'psci' } });
    expect(node(tree, 'psci').properties).toEqual({ compatible: ['arm,psci-1.0', 'arm,psci-0.2'], method: 'hvc' });
  });
  it('has a GICv2 whose interrupts name their CPUs, or a GICv3', () => {
    const two = deviceTree(facts({ vcpus: 3, gic: 2 }));
    expect(node(two, 'intc@8000000').properties).toMatchObject({
      compatible: 'arm,cortex-a15-gic',
      reg: [0x0800_0000n, 0x1_0000n, 0x0801_0000n, 0x1_0000n],
    });
    // PPIs 13, 14, 11, 10 are INTIDs 29, 30, 27, 26; level high with the mask of three CPUs.
    expect(node(two, 'timer').properties.interrupts).toEqual([1, 13, 0x704, 1, 14, 0x704, 1, 11, 0x704, 1, 10, 0x704]);
    const three = deviceTree(facts({ vcpus: 3, gic: 3 }));
    expect(node(three, 'intc@8000000').properties).toMatchObject({
      compatible: 'arm,gic-v3',
      reg: [0x0800_0000n, 0x1_0000n, 0x080a_0000n, 0xf6_0000n],
    });
    expect(node(three, 'timer').properties.interrupts).toEqual([1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4]);
  });
  it('has a PMU exactly when the guest has one', () => {
    expect(node(deviceTree(facts({ gic: 3 })), 'pmu').properties).toEqual({
      compatible: 'arm,armv8-pmuv3',
      interrupts: [1, 7, 4],
    });
    expect(names(deviceTree(facts({ settings: { pmuver: 'hidden' } })))).not.toContain('pmu');
    const { model } = new Board();
    const features = new Set([...model.features].filter((name) => !name.startsWith('pmuv3')));
    for (const lack of [{ cpu: { ...model, features } }, { policy: 'off', settings: { pmuver: 'shown' } }]) {
      const view = new Proxy(new Board().cpu(), {
        get: (cpu, key) => Reflect.get({ ...lack }, key) ?? Reflect.get(cpu, key),
      });
      expect(names(deviceTree(facts({}, { view })))).not.toContain('pmu');
    }
  });
});

describe('its address', () => {
  const at = (memory: bigint, imageEnd: bigint, bytes = 4096): bigint =>
    treeAddress(facts({}, { memory, imageEnd }), bytes);
  it('is half of memory or 128 MiB in, as QEMU has it', () => {
    expect(at(128n * MIB, 0x4009_0000n)).toBe(0x4400_0000n);
    expect(at(1024n * MIB, 0x4009_0000n)).toBe(0x4800_0000n);
    expect(at(16n * MIB, 0x4009_0000n)).toBe(0x4080_0000n);
  });
  it('is behind a large image, with room for what it zeroes', () => {
    expect(at(128n * MIB, 0x4500_0000n)).toBe(0x4520_0000n);
    expect(at(128n * MIB, 0x4510_0001n)).toBe(0x4540_0000n);
  });
  it('gives the alignment up before the image', () => {
    // 4 MiB, the image ends 1.5 MiB before its end.
    expect(at(4n * MIB, 0x4028_0000n)).toBe(0x4040_0000n - 4096n);
  });
  it('is within memory, behind the image and aligned to 8 for every size that has room', () => {
    for (const memory of [1n, 2n, 3n, 5n, 8n, 64n, 100n, 4096n]) {
      for (const image of [0x8_0000n, 0xc_0000n, 0x10_0001n, 0x1f_0000n, 0x2f_fff1n, 0x3ff_0000n]) {
        const end = 0x4000_0000n + memory * MIB;
        if (0x4000_0000n + image + 0x2000n > end) continue;
        const address = at(memory * MIB, 0x4000_0000n + image, 0x1234);
        expect(address).toBeGreaterThanOrEqual(0x4000_0000n + image);
        expect(address + 0x1234n).toBeLessThanOrEqual(end);
        expect(address % 8n).toBe(0n);
      }
    }
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

describeWith(['dtc'], 'dtc', () => {
  const compile = (dts: string): { readonly status: number | null; readonly stderr: string } => {
    const { status, stderr } = spawnSync('dtc', ['-I', 'dts', '-O', 'dtb', '-o', '/dev/null'], { input: dts });
    return { status, stderr: stderr.toString() };
  };
  it.each([
    [1, 2],
    [8, 2],
    [1, 3],
    [18, 3],
  ] as const)('takes the tree of %i vCPUs with a GICv%i without a warning', (vcpus, gic) => {
    expect(compile(source(deviceTree(facts({ vcpus, gic }, { bootargs: 'a "b"' }))))).toEqual({
      status: 0,
      stderr: '',
    });
  });
  it('warns of a wrong one: a node with an address and none in its name', () => {
    const tree = deviceTree(facts());
    const children = (tree.children ?? []).map((n) => (n.name === 'pl011@9000000' ? { ...n, name: 'pl011' } : n));
    expect(compile(source({ ...tree, children })).stderr).toContain('no unit name');
  });
});
