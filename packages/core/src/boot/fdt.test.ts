import { CountervisorError, type FdtNode, type FdtPart, type FdtValue } from '@countervisor/contract';
import { describeWith } from '@countervisor/house/needs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFdt } from './fdt.ts';
import { readFdt } from './fdt-read.ts';
import { dtc, dts } from './testing/dts.ts';

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (!(error instanceof CountervisorError)) throw error;
    expect(error.remedy).not.toBe('');
    return `${error.code} ${error.message}`;
  }
  return 'not refused';
}

const MACHINE: FdtNode = {
  name: '',
  properties: {
    '#address-cells': 2,
    '#size-cells': 2,
    compatible: ['test,board', 'test,any'],
    'interrupt-parent': { phandle: 'gic' },
  },
  children: [
    { name: 'chosen', properties: { bootargs: 'a=1 b="ü"', 'stdout-path': '/serial@9000000' } },
    { name: 'memory@40000000', properties: { device_type: 'memory', reg: [0x4000_0000n, 0x800_0000n] } },
    {
      name: 'interrupt-controller@8000000',
      label: 'gic',
      properties: { 'interrupt-controller': true, '#interrupt-cells': 3, reg: [0x800_0000n, 0x1_0000n] },
      children: [{ name: 'its', label: 'unused', properties: { data: Uint8Array.of(1, 2, 3) } }],
    },
    {
      name: 'serial@9000000',
      properties: { clocks: [{ phandle: 'clock' }, { phandle: 'clock' }], interrupts: [0, 1, 4] },
    },
    { name: 'clock', label: 'clock', properties: { phandle: 1 } },
  ],
};

describe('encodeFdt', () => {
  it('writes version 17 as the specification draws it', () => {
    const tree: FdtNode = {
      name: '',
      properties: { a: 0x01020304 },
      children: [{ name: 'n', properties: { b: 'hi', a: true } }],
    };
    const hex = Buffer.from(
      encodeFdt(tree, { reservations: [{ address: 0x1000n, size: 0x20n }], bootCpu: 5 }),
    ).toString('hex');
    // By hand from §5.2 to §5.5. Structure at 40 + 2 × 16 = 72, its 72 bytes to 144, strings of 4 bytes to 148.
    const expected = [
      'd00dfeed 00000094 00000048 00000090 00000028 00000011 00000010 00000005 00000004 00000048',
      '0000000000001000 0000000000000020 0000000000000000 0000000000000000',
      '00000001 00000000', // begin, ''
      '00000003 00000004 00000000 01020304', // a
      '00000001 6e000000', // begin, 'n'
      '00000003 00000003 00000002 68690000', // b = "hi"
      '00000003 00000000 00000000', // a, empty: the same string again
      '00000002 00000002 00000009', // end, end, END
      '6100 6200',
    ];
    expect(hex).toBe(expected.join('').replaceAll(' ', ''));
  });

  it('gives phandles to the nodes that are referred to, around those written by hand', () => {
    const { root } = readFdt(encodeFdt(MACHINE));
    const find = (name: string) => root.children!.find((node) => node.name === name)!;
    expect(find('interrupt-controller@8000000').properties.phandle).toEqual(Uint8Array.of(0, 0, 0, 2));
    expect(find('interrupt-controller@8000000').children![0]!.properties).not.toHaveProperty('phandle');
    expect(root.properties['interrupt-parent']).toEqual(Uint8Array.of(0, 0, 0, 2));
    expect(find('serial@9000000').properties.clocks).toEqual(Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 1));
  });

  const child = (node: Partial<FdtNode>): FdtNode => ({
    name: '',
    properties: {},
    children: [{ name: 'n', properties: {}, ...node }],
  });
  const value = (given: unknown): FdtNode => child({ properties: { p: given as FdtValue } });
  it.each<[string, FdtNode, string]>([
    [
      'a root with a name',
      { name: 'root', properties: {} },
      "CV_FDT_TREE The device tree is wrong at /: the root's name is 'root', not empty.",
    ],
    [
      'a node without a name',
      child({ name: '' }),
      "CV_FDT_TREE The device tree is wrong at /: '' is no node name (§2.2.1).",
    ],
    [
      'a node with a slash',
      child({ name: 'a/b' }),
      "CV_FDT_TREE The device tree is wrong at /: 'a/b' is no node name (§2.2.1).",
    ],
    [
      'a node with two unit-addresses',
      child({ name: 'a@1@2' }),
      "CV_FDT_TREE The device tree is wrong at /: 'a@1@2' is no node name (§2.2.1).",
    ],
    [
      'two nodes of one name',
      {
        name: '',
        properties: {},
        children: [
          { name: 'n', properties: {} },
          { name: 'n', properties: {} },
        ],
      },
      "CV_FDT_TREE The device tree is wrong at /: two nodes are named 'n'.",
    ],
    [
      'a property with a space',
      child({ properties: { 'a b': true } }),
      "CV_FDT_TREE The device tree is wrong at /n: 'a b' is no property name (§2.2.4.1).",
    ],
    [
      'a negative cell',
      value(-1),
      'CV_FDT_TREE The device tree is wrong at /n:p: -1 is no unsigned 32-bit number; write 64 bits as a bigint.',
    ],
    [
      'a cell of 33 bits',
      value([1, 2 ** 32]),
      'CV_FDT_TREE The device tree is wrong at /n:p: 4294967296 is no unsigned 32-bit number; write 64 bits as a bigint.',
    ],
    [
      'half a cell',
      value(0.5),
      'CV_FDT_TREE The device tree is wrong at /n:p: 0.5 is no unsigned 32-bit number; write 64 bits as a bigint.',
    ],
    [
      '65 bits',
      value(1n << 64n),
      'CV_FDT_TREE The device tree is wrong at /n:p: 18446744073709551616 does not fit 64 bits.',
    ],
    ['a NUL in a string', value('a\0b'), 'CV_FDT_TREE The device tree is wrong at /n:p: a string holds a NUL.'],
    [
      'a label that is nowhere',
      value({ phandle: 'gic' }),
      "CV_FDT_TREE The device tree is wrong at /n:p: no node has the label 'gic'.",
    ],
    [
      'a value of no kind',
      value(false),
      'CV_FDT_TREE The device tree is wrong at /n:p: a value is boolean, none of the kinds of FdtPart.',
    ],
    [
      'null',
      value([null]),
      'CV_FDT_TREE The device tree is wrong at /n:p: a value is null, none of the kinds of FdtPart.',
    ],
    [
      'an object',
      value({}),
      'CV_FDT_TREE The device tree is wrong at /n:p: a value is object, none of the kinds of FdtPart.',
    ],
    [
      'undefined',
      value(undefined),
      'CV_FDT_TREE The device tree is wrong at /n:p: a value is undefined, none of the kinds of FdtPart.',
    ],
    [
      'one label twice',
      { ...child({ label: 'l' }), label: 'l' },
      "CV_FDT_TREE The device tree is wrong at /n: the label 'l' is that of / too.",
    ],
    [
      'one phandle twice',
      { ...child({ properties: { phandle: 3 } }), properties: { phandle: 3 } },
      'CV_FDT_TREE The device tree is wrong at /n: the phandle 3 is that of / too.',
    ],
    [
      'phandle 0',
      child({ properties: { phandle: 0 } }),
      'CV_FDT_TREE The device tree is wrong at /n:phandle: a phandle is a number from 1 to 0xfffffffe.',
    ],
    [
      'phandle -1',
      child({ properties: { phandle: 0xffff_ffff } }),
      'CV_FDT_TREE The device tree is wrong at /n:phandle: a phandle is a number from 1 to 0xfffffffe.',
    ],
    [
      'too large a value',
      value(new Uint8Array(2 << 20)),
      'CV_FDT_LIMIT The device tree has 2097180 bytes; the most is 2097152.',
    ],
  ])('refuses %s', (_, tree, says) => {
    expect(refusal(() => encodeFdt(tree))).toBe(says);
  });

  it('carries values of any length, up to the limit of the whole', () => {
    const most = 2 * 1024 * 1024 - (40 + 16 + 8 + 12 + 4 + 4 + 2); // header, reservations, begin, property, end, END, 'p'
    for (const length of [0, 1, 4095, 4096, 100_000, most - 2]) {
      const bytes = new Uint8Array(length).map((_, i) => i * 7);
      const value = readFdt(encodeFdt({ name: '', properties: { p: bytes } })).root.properties.p;
      // Not toEqual: it takes seconds over two million elements.
      expect(value === true ? length === 0 : Buffer.compare(value as Uint8Array, bytes) === 0, String(length)).toBe(
        true,
      );
    }
    expect(refusal(() => encodeFdt({ name: '', properties: { p: new Uint8Array(most + 1) } }))).toMatch(
      /^CV_FDT_LIMIT/,
    );
  });

  it('refuses what is too deep, a tree that contains itself, and wrong options', () => {
    const nest = (levels: number): FdtNode => ({
      name: 'n',
      properties: {},
      ...(levels > 1 && { children: [nest(levels - 1)] }),
    });
    expect(readFdt(encodeFdt({ ...nest(64), name: '' })).root.children?.length).toBe(1);
    expect(refusal(() => encodeFdt({ ...nest(65), name: '' }))).toBe(
      'CV_FDT_LIMIT The device tree has 65 levels of nodes; the most is 64.',
    );
    const loop: { name: string; properties: Record<string, never>; children: FdtNode[] } = {
      name: 'n',
      properties: {},
      children: [],
    };
    loop.children.push(loop);
    expect(refusal(() => encodeFdt({ name: '', properties: {}, children: [loop] }))).toMatch(/^CV_FDT_LIMIT/);
    const empty: FdtNode = { name: '', properties: {} };
    expect(refusal(() => encodeFdt(empty, { bootCpu: -1 }))).toMatch(/the boot CPU -1 is no unsigned 32-bit number/);
    expect(refusal(() => encodeFdt(empty, { reservations: [{ address: 1n, size: 0n }] }))).toMatch(
      /a reserved range is empty/,
    );
    expect(refusal(() => encodeFdt(empty, { reservations: [{ address: 1n << 64n, size: 1n }] }))).toMatch(
      /does not fit 64 bits/,
    );
    const many = Array.from({ length: 1025 }, () => ({ address: 1n, size: 1n }));
    expect(refusal(() => encodeFdt(empty, { reservations: many }))).toBe(
      'CV_FDT_LIMIT The device tree has 1025 reserved ranges; the most is 1024.',
    );
  });
});

describe('readFdt', () => {
  const blob = encodeFdt(MACHINE, { reservations: [{ address: 1n, size: 2n }], bootCpu: 7 });

  it('reads back names, bytes, reservations and the boot CPU', () => {
    const { root, reservations, bootCpu } = readFdt(
      Buffer.concat([Buffer.from('x'), blob, Buffer.from('behind')]).subarray(1),
    );
    expect({ reservations, bootCpu }).toEqual({ reservations: [{ address: 1n, size: 2n }], bootCpu: 7 });
    expect(root.children!.map(({ name }) => name)).toEqual(MACHINE.children!.map(({ name }) => name));
    const gic = root.children![2]!;
    expect(gic.properties['interrupt-controller']).toBe(true);
    expect(gic.properties['#interrupt-cells']).toEqual(Uint8Array.of(0, 0, 0, 3));
    expect(gic.children![0]!.properties.data).toEqual(Uint8Array.of(1, 2, 3));
    // An encoder that takes bytes gives the same blob for what was read.
    expect(encodeFdt(root, { reservations, bootCpu })).toEqual(blob);
  });

  const words = (...at: (readonly [offset: number, value: number])[]): Uint8Array => {
    const copy = blob.slice();
    for (const [offset, word] of at) new DataView(copy.buffer).setUint32(offset, word);
    return copy;
  };
  const start = 72;
  it.each<[string, Uint8Array, string | RegExp]>([
    ['another magic', words([0, 0xfeedd00d]), 'at byte 0: the magic number is 0xfeedd00d, not 0xd00dfeed.'],
    ['version 16', words([20, 16]), 'at byte 20: it is of version 16, readable as 16, not 17.'],
    ['a version beyond', words([20, 99], [24, 18]), 'at byte 20: it is of version 99, readable as 18, not 17.'],
    [
      'a size beyond its bytes',
      words([4, blob.length + 1]),
      `at byte 4: it says it has ${blob.length + 1} bytes, and ${blob.length} are there.`,
    ],
    ['a far structure', words([8, 0xffff_fffc]), 'at byte 8: the structure block leaves the blob.'],
    ['a crooked structure', words([8, 74], [36, 4]), 'at byte 8: the structure block is not aligned to 4.'],
    ['far strings', words([32, 0xffff_ffff]), 'at byte 12: the strings block leaves the blob.'],
    ['crooked reservations', words([16, 44]), 'at byte 16: the reservation block is not aligned to 8.'],
    [
      'endless reservations',
      words([16, blob.length & ~7]),
      `at byte ${blob.length & ~7}: the reservation block has no end.`,
    ],
    ['a token that does not exist', words([start + 8, 7]), `at byte ${start + 8}: 7 is no token that may stand here.`],
    ['no node first', words([start, 3]), `at byte ${start}: the structure block does not begin with a node.`],
    ['a named root', words([start + 4, 0x61000000]), `at byte ${start}: the root is named 'a'.`],
    [
      'a long value',
      words([start + 12, 0xffff_fff0]),
      `at byte ${start + 12}: a property of 4294967280 bytes leaves the structure block.`,
    ],
    [
      'a far name',
      words([start + 16, 0x1000_0000]),
      `at byte ${start + 16}: a property’s name is outside the strings block.`,
    ],
    ['a name of no text', words([start + 4, 0xff000000]), `at byte ${start + 4}: a node’s name is not text.`],
    [
      'a name of 256 bytes',
      words(...Array.from({ length: 64 }, (_, i) => [start + 4 + 4 * i, 0x61616161] as const)),
      `at byte ${start + 4}: a node’s name is longer than 255 bytes.`,
    ],
    [
      'a structure without its end token',
      words([36, new DataView(blob.buffer).getUint32(36) - 4]),
      /the structure block has no end\.$/,
    ],
    [
      'another end',
      words([72 + new DataView(blob.buffer).getUint32(36) - 4, 1]),
      /1 follows the root, not the end token\.$/,
    ],
  ])('refuses %s', (_, bytes, says) => {
    const said = refusal(() => readFdt(bytes));
    if (typeof says === 'string') expect(said).toBe(`CV_FDT_BLOB The flattened device tree is wrong ${says}`);
    else expect(said).toMatch(says);
  });

  it('refuses nodes before properties, and anything twice', () => {
    const build = (...structure: number[]): Uint8Array => {
      const head = [
        0xd00dfeed,
        56 + 4 * structure.length + 2,
        56,
        56 + 4 * structure.length,
        40,
        17,
        16,
        0,
        2,
        4 * structure.length,
        0,
        0,
        0,
        0,
        ...structure,
      ];
      const bytes = new Uint8Array(4 * head.length + 2);
      for (const [i, word] of head.entries()) new DataView(bytes.buffer).setUint32(4 * i, word);
      bytes[4 * head.length] = 0x61;
      return bytes;
    };
    const [begin, end, last, nop] = [1, 2, 9, 4];
    const property = [3, 0, 0];
    const node = [begin, 0x6e000000, end];
    expect(readFdt(build(nop, begin, 0, nop, ...property, ...node, nop, end, nop, last)).root).toEqual({
      name: '',
      properties: { a: true },
      children: [{ name: 'n', properties: {} }],
    });
    expect(refusal(() => readFdt(build(begin, 0, ...node, ...property, end, last)))).toMatch(/properties come first/);
    expect(refusal(() => readFdt(build(begin, 0, ...property, ...property, end, last)))).toMatch(
      /the property 'a' stands twice/,
    );
    expect(refusal(() => readFdt(build(begin, 0, ...node, ...node, end, last)))).toMatch(/two nodes are named 'n'/);
    expect(
      refusal(() => readFdt(build(...Array.from({ length: 65 }, (_, i) => [begin, i ? 0x6e000000 : 0]).flat()))),
    ).toMatch(/65 levels/);
  });

  it('refuses a blob cut at any length, and survives 10,000 mutations', () => {
    for (let length = 0; length < blob.length; length++) {
      expect(refusal(() => readFdt(blob.subarray(0, length)))).toMatch(/^CV_FDT_BLOB/);
    }
    let read = 0;
    const change = fc.record({
      at: fc.nat(blob.length - 1),
      value: fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, 9, 0x7f, 0x80, 0xff), fc.nat(255)),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const bytes = blob.slice();
        for (const { at, value } of changes) bytes[at] = value;
        if (refusal(() => readFdt(bytes)) === 'not refused') read++;
      }),
      { seed: 17, numRuns: 10_000 },
    );
    expect(read).toBeGreaterThan(100);
    expect(read).toBeLessThan(9900);
  }, 60_000);

  it('keeps names that JavaScript has plans for', () => {
    const properties: Record<string, FdtValue> = Object.fromEntries([
      ['__proto__', 1],
      ['constructor', true],
    ]);
    const { root } = readFdt(encodeFdt({ name: '', properties }));
    expect(Object.keys(root.properties)).toEqual(['__proto__', 'constructor']);
  });
});

describeWith(['dtc'], 'device trees against dtc', () => {
  const nodeName = fc
    .tuple(fc.stringMatching(/^[a-z][0-9a-zA-Z,._+-]{0,12}$/), fc.option(fc.stringMatching(/^[0-9a-f]{1,8}$/)))
    .map(([name, unit]) => (unit === null ? name : `${name}@${unit}`));
  // No names that are integers to JavaScript, which would come first; none that dtc or the encoder give a meaning to.
  const propertyName = fc
    .stringMatching(/^[a-zA-Z#][0-9a-zA-Z,._+?#-]{0,20}$/)
    .filter((name) => !/phandle|^#?(address|size)-cells$/.test(name));
  const text = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((s) => !s.includes('\0'));
  const part = (labels: readonly string[]): fc.Arbitrary<FdtPart> =>
    fc.oneof(
      fc.nat(0xffff_ffff),
      fc.bigInt(0n, (1n << 64n) - 1n),
      text,
      fc.uint8Array({ maxLength: 9 }),
      ...(labels.length > 0 ? [fc.constantFrom(...labels).map((phandle) => ({ phandle }))] : []),
    );
  const LABELS = ['one', 'two', 'three'];
  const value = fc.oneof(fc.constant(true as const), part(LABELS), fc.array(part(LABELS), { maxLength: 5 }));
  const properties = fc.dictionary(propertyName, value, { maxKeys: 5, noNullPrototype: true }) as fc.Arbitrary<
    Record<string, FdtValue>
  >;
  const siblings = (depth: number): fc.Arbitrary<FdtNode[]> =>
    depth === 0
      ? fc.constant([])
      : fc.uniqueArray(fc.record({ name: nodeName, properties, children: siblings(depth - 1) }), {
          maxLength: 3,
          selector: ({ name }) => name,
        });
  // Every label exists, on nodes that come last.
  const labelled = LABELS.map((label): FdtNode => ({ name: `zz-${label}`, label, properties: {} }));
  const tree = siblings(3).map(
    (children): FdtNode => ({
      name: '',
      properties: { '#address-cells': 2, '#size-cells': 2 },
      children: [...children, ...labelled],
    }),
  );

  it('150 random trees: dtc makes the same of our blob as of the tree’s own source', () => {
    fc.assert(
      fc.property(tree, fc.uniqueArray(fc.bigInt(1n, 1n << 60n), { maxLength: 3 }), (root, addresses) => {
        const reservations = addresses.map((address) => ({ address, size: address }));
        const blob = encodeFdt(root, { reservations });
        const theirs = dtc('dts', 'dtb', dts(root, reservations));
        const ours = readFdt(blob);
        expect(ours).toEqual(readFdt(theirs));
        // Through dtc's text and back: it reads every byte of ours as we do.
        const again = dtc('dts', 'dtb', dtc('dtb', 'dts', blob));
        expect(readFdt(again)).toEqual(ours);
      }),
      { seed: 17, numRuns: 150 },
    );
  }, 120_000);

  it('a machine of the kind that platforms describe', () => {
    const text = dtc('dtb', 'dts', encodeFdt(MACHINE)).toString();
    expect(text).toContain('compatible = "test,board\\0test,any";');
    expect(text).toContain('reg = <0x00 0x40000000 0x00 0x8000000>;');
    expect(text).toContain('interrupt-controller;');
    expect(text).toContain('interrupts = <0x00 0x01 0x04>;');
    expect(text).toContain('data = [01 02 03];');
  });
});
