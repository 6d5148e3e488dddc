/** `--extension`, from files and packages in a folder of its own. What an installed third party does with it: test/extension-packed.test.ts. */
import { afterAll, describe, expect, it } from 'vitest';
import { World } from './testing/world.ts';

const extension = (name: string, more = ''): string => `
const plain = { policy: () => 'off', policies: ['off'], quirks: [], settings: () => ({}), handlers: () => ({}), interrupt: () => false };
export const extension = {
  name: '${name}', contract: 1, extends: 'template',
  registers: { ${name.toUpperCase()}: { at: { space: 'control', index: 0x90 }, width: 64, reset: 5n, read: 'kernel', write: 'kernel',
    fields: { VALUE: { bits: [63, 0], means: 'A value.' } } } },
  personalities: { '${name}': { ...plain, name: '${name}', means: 'A test.' } },
  ${more}
};
`;
const manifest = (name: string, more: object): string =>
  JSON.stringify({ name, type: 'module', main: 'index.js', ...more });

const w = new World({
  files: {
    'one.mjs': extension('one'),
    'two.mjs': extension('two'),
    'second.mjs': extension('second', "after: ['one']").replace('0x90', '0x91'),
    'known.mjs': `${extension('known')}
export const conformance = { manual: { registers: { KNOWN: { levels: ['kernel', 'kernel'], reset: 5n, plain: 0xffff_ffff_ffff_ffffn } } } };`,
    'far.mjs': extension('far').replace("extends: 'template'", "extends: 'x99'"),
    'empty.mjs': 'export const nothing = 1;',
    'node_modules/@third/party/package.json': manifest('@third/party', { countervisor: { extends: 'template' } }),
    'node_modules/@third/party/index.js': extension('party'),
    'node_modules/plain/package.json': manifest('plain', {}),
    'node_modules/unbuilt/package.json': manifest('unbuilt', {
      countervisor: { extends: 'template' },
      main: 'dist/index.js',
    }),
  },
});
afterAll(() => w.remove());

const list = (what: string, ...extensions: string[]) =>
  w.run('list', what, ...extensions.flatMap((one) => ['--extension', one]));

describe('--extension', () => {
  it('takes a file, and a package that is installed here', async () => {
    expect((await list('regs')).out).not.toMatch(/^ONE /m);
    for (const [what, name] of [
      ['./one.mjs', 'one'],
      [`${w.folder}/one.mjs`, 'one'],
      ['@third/party', 'party'],
      ['./node_modules/@third/party', 'party'],
    ] as const) {
      const { code, out, err } = await list('personalities', what);
      expect([code, err]).toEqual([0, '']);
      expect(out).toMatch(new RegExp(`^${name} `, 'm'));
    }
    expect((await list('regs', './one.mjs')).out).toMatch(/^ONE /m);
  });

  it('composes several in their order', async () => {
    const { code, out } = await list('regs', './one.mjs', './second.mjs');
    expect(code).toBe(0);
    expect(out).toMatch(/^ONE .*\n(.*\n)*SECOND /m);
    const wrong = await list('regs', './second.mjs', './one.mjs');
    expect([wrong.code, wrong.out]).toEqual([5, '']);
    expect(wrong.err).toContain(
      'second must come behind one, and is stated before it.\n    State them in this order: one, second.',
    );
  });

  it('refuses what does not fit, naming both', async () => {
    const { code, err } = await list('regs', './one.mjs', './two.mjs');
    expect(code).toBe(5);
    expect(err).toContain('template with one and two is refused: one problem in its tables.');
    expect(err).toContain('TWO (two) and ONE (one) are both at control 0x90');
  });

  it('is proved with the architecture, by facts of its own', async () => {
    const prove = (...flags: string[]) => w.run('conformance', 'template', '-g', 'registers', '--tap', ...flags);
    const [plain, without, known] = [
      await prove(),
      await prove('--extension', './one.mjs'),
      await prove('--extension', './known.mjs'),
    ];
    expect([plain.code, without.code, known.code]).toEqual([0, 1, 0]);
    expect(without.out).toMatch(/^not ok .*the manual tells of every register/m);
    expect(without.out).toContain('ONE is in the manual');
    // Its rows are checked like any other.
    expect(plain.out).not.toContain('KNOWN');
    expect(known.out.match(/^ok .*KNOWN/gm)?.length).toBeGreaterThan(3);
  });

  it('decides the architecture where nothing else does', async () => {
    const far = await list('regs', './far.mjs');
    expect([far.code, far.err]).toEqual([2, expect.stringContaining("There is no architecture 'x99'.")]);
    const asked = await w.run('list', 'regs', '--arch', 'template', '--extension', './far.mjs');
    expect([asked.code, asked.err]).toEqual([5, expect.stringContaining('far extends x99, and this is template.')]);
  });

  it.each([
    ['absent', 2, "--extension finds no package 'absent'.\n  npm install absent, or write its path: ./absent"],
    ['./absent', 2, "--extension finds no file or folder './absent'.\n  A path is taken from the working directory."],
    [
      'plain',
      2,
      'plain is no package of an extension.\n  Its package.json carries "countervisor": { "extends": ARCHITECTURE }.',
    ],
    ['unbuilt', 5, 'CV_ARCH_NOT_BUILT  The package unbuilt has no built files.'],
    [
      './empty.mjs',
      5,
      "CV_EXTENSION_EMPTY  ./empty.mjs exports no extension.\n  It must export what defineExtension returns, as 'extension' or as default.",
    ],
  ])('%s is refused', async (what, code, said) => {
    const told = await list('regs', what);
    expect([told.code, told.out]).toEqual([code, '']);
    expect(told.err).toContain(said);
  });
});
