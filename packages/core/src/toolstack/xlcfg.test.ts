import { CountervisorError } from '@countervisor/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseXlConfig, printXlConfig, type XlConfig, type XlValue } from './xlcfg.ts';
import { LARGEST } from './xllex.ts';

/** Values without their places: text, 'quoted', or a list. */
type Plain = string | { readonly quoted: string } | readonly Plain[];

function plain(value: XlValue): Plain {
  if (value.kind === 'list') return value.items.map(plain);
  return value.quoted ? { quoted: value.text } : value.text;
}

function read(text: string, overrides: readonly string[] = []): Record<string, Plain> {
  const { values } = parseXlConfig(text, 'a.cfg', overrides);
  return Object.fromEntries([...values].map(([name, setting]) => [name, plain(setting.value)]));
}

const q = (quoted: string) => ({ quoted });

describe('parseXlConfig', () => {
  it('reads a configuration of every form, with places', () => {
    const text = [
      '# a domain',
      'name = "dom1"   # its name',
      "kernel='hello.elf'",
      '',
      'memory = 0x40; vcpus=02;vpmu = 1',
      'cpus = [ "0-1,3",',
      '         2,  # a bare one',
      "         [ 'a', [ ] ], ]",
      'on.crash_2 = 12fx',
      '',
    ].join('\n');
    const { values, file, replaced } = parseXlConfig(text, 'a.cfg');
    expect(file).toBe('a.cfg');
    expect(replaced).toEqual([]);
    expect(read(text)).toEqual({
      name: q('dom1'),
      kernel: q('hello.elf'),
      memory: '0x40',
      vcpus: '02',
      vpmu: '1',
      cpus: [q('0-1,3'), '2', [q('a'), []]],
      'on.crash_2': '12fx',
    });
    const place = (name: string) => values.get(name)?.place;
    expect(place('name')).toEqual({ file: 'a.cfg', line: 2, column: 1 });
    expect(place('vpmu')).toEqual({ file: 'a.cfg', line: 5, column: 25 });
    expect(values.get('vpmu')?.value.place).toEqual({ file: 'a.cfg', line: 5, column: 32 });
    const cpus = values.get('cpus')?.value;
    expect(cpus?.kind === 'list' && cpus.items.map((item) => [item.place.line, item.place.column])).toEqual([
      [6, 10],
      [7, 10],
      [8, 10],
    ]);
  });

  it.each([
    ['nothing', '', {}],
    ['blank lines and separators', '\n \t;;\n', {}],
    ['no newline at the end', 'a=1', { a: '1' }],
    ['a comment at the end', 'a=1#end', { a: '1' }],
    ['CRLF', 'a = 1\r\n# c\r\nb = [\r\n 2 ]\r\n', { a: '1', b: ['2'] }],
    ['newlines everywhere in a list', 'a = [\n\n1\n,\n2\n,\n]\n', { a: ['1', '2'] }],
    ['an empty list', 'a = []', { a: [] }],
    ['strings with the other quote and #', `a = "it's #1"; b = 'say "hi"'`, { a: q("it's #1"), b: q('say "hi"') }],
    ['every escape', String.raw`a = "\\\'\"\a\b\f\n\r\t\v"`, { a: q('\\\'"\x07\b\f\n\r\t\v') }],
    ['text beyond ASCII in strings', 'a = "é→𝄞"', { a: q('é→𝄞') }],
    ['the last of two', 'a = 1\na = 2', { a: '2' }],
    ['+= on strings', 'a = "x"\na += "y"\na += 1', { a: q('xy1') }],
    ['+= on lists', 'a = [1]\na += [2, 3]\na += []', { a: ['1', '2', '3'] }],
    ['+= of something new', 'a += 5', { a: '5' }],
    ['names that mean something in JavaScript', 'constructor = 1\ntostring = 2', { constructor: '1', tostring: '2' }],
  ])('reads %s', (_, text, values) => {
    expect(read(text)).toEqual(values);
  });

  it('says what was replaced, and what was added', () => {
    const { values, replaced } = parseXlConfig('a = 1\nb = 1\na = 2\nb += 1', 'a.cfg');
    expect(replaced.map(({ name, place }) => [name, place.line])).toEqual([['a', 1]]);
    expect([values.get('a')?.added, values.get('b')?.added]).toEqual([false, true]);
  });

  it('takes settings from the command line as further lines', () => {
    const text = 'vpmu = 0\nextra = "a"\ncpus = [1]';
    expect(read(text, ['vpmu=1', "extra += ' b'; memory=64", 'cpus += [2]'])).toEqual({
      vpmu: '1',
      extra: q('a b'),
      memory: '64',
      cpus: ['1', '2'],
    });
    const { values, replaced } = parseXlConfig(text, 'a.cfg', ['x=1', 'vpmu= 1']);
    expect(values.get('vpmu')?.place).toEqual({ file: 'command line', line: 2, column: 1 });
    expect(replaced).toEqual([]);
  });

  it('appends to a list a hundred thousand times', () => {
    const { values } = parseXlConfig('a+=[1]\n'.repeat(100_000), 'a.cfg');
    const value = values.get('a')?.value;
    expect(value?.kind === 'list' && value.items.length).toBe(100_000);
  });
});

function failure(run: () => unknown): CountervisorError {
  try {
    run();
  } catch (error) {
    if (error instanceof CountervisorError) return error;
    throw error;
  }
  throw new Error('no error');
}

describe('errors', () => {
  it.each([
    // text, line:column, code, words of the sentence, words of the remedy
    ['a = 1\nb = "x', '2:5', 'CV_XLCFG_STRING', 'not closed on its line', 'Close it with "'],
    ["a = 'x\nb'", '1:5', 'CV_XLCFG_STRING', 'not closed', "Close it with '"],
    ['a = "x\\', '1:7', 'CV_XLCFG_ESCAPE', 'followed by nothing', 'Escapes are'],
    ['a = "x\\q"', '1:7', 'CV_XLCFG_ESCAPE', '"q", which is no escape', '\\n'],
    ['a = "\\x41"', '1:6', 'CV_XLCFG_ESCAPE', 'Numeric escapes do not work', 'the character itself'],
    ['a = "\\101"', '1:6', 'CV_XLCFG_ESCAPE', 'drops octal', 'the character itself'],
    ['memory = 512M', '1:10', 'CV_XLCFG_NUMBER', '"512M" is not a number', 'without a unit'],
    ['a = 1.5', '1:5', 'CV_XLCFG_NUMBER', '"1.5"', 'decimal'],
    ['a = 0xFF', '1:5', 'CV_XLCFG_NUMBER', '"0xFF"', 'lower-case digits'],
    ['\n  Memory = 1', '2:3', 'CV_XLCFG_NAME', '"Memory" is not a name', 'lower case: memory'],
    ['a = True', '1:5', 'CV_XLCFG_SYNTAX', '"True" was found', 'Write 1 for yes.'],
    ['a = no', '1:5', 'CV_XLCFG_SYNTAX', 'A value is expected', 'Write 0 for no.'],
    ['a = dom1', '1:5', 'CV_XLCFG_SYNTAX', '"dom1" was found', 'in quotes: "dom1"'],
    ['a =\n1', '1:4', 'CV_XLCFG_SYNTAX', 'the end of the line was found', 'on the same line'],
    ['a =', '1:4', 'CV_XLCFG_SYNTAX', 'the end was found', 'A value is'],
    ['a = ;', '1:5', 'CV_XLCFG_SYNTAX', "';' was found", 'A value is'],
    ['a 1', '1:3', 'CV_XLCFG_SYNTAX', '\'=\' is expected after "a", and the number "1"', 'a = value'],
    ['a = 1 b = 2', '1:7', 'CV_XLCFG_SYNTAX', 'is over, and "b" was found', "after ';'"],
    ['a = 1, 2', '1:6', 'CV_XLCFG_SYNTAX', "',' was found", 'go in a list'],
    ['a = "x" "y"', '1:9', 'CV_XLCFG_SYNTAX', 'the string "y"', 'on its own line'],
    ['= 1', '1:1', 'CV_XLCFG_SYNTAX', "A name is expected, and '=' was found", 'name = value'],
    ['"a" = 1', '1:1', 'CV_XLCFG_SYNTAX', 'the string "a"', 'name = value'],
    ['a = 1\n]', '2:1', 'CV_XLCFG_SYNTAX', "']' was found", 'name = value'],
    [
      'a = [1 2]',
      '1:8',
      'CV_XLCFG_SYNTAX',
      "',' or ']' is expected in the list, and the number \"2\"",
      'close the list',
    ],
    ['a = [1; 2]', '1:7', 'CV_XLCFG_SYNTAX', "';' was found", "by ','"],
    ['a = [,]', '1:6', 'CV_XLCFG_SYNTAX', "',' was found", 'A value is'],
    ['b = 1\na = [ 1,\n 2', '2:5', 'CV_XLCFG_LIST', 'not closed', "with ']'"],
    ['a = [', '1:5', 'CV_XLCFG_LIST', 'not closed', "with ']'"],
    [`a = ${'['.repeat(17)}`, '1:21', 'CV_XLCFG_TOO_DEEP', 'more than 16 deep', 'flatten'],
    ['a = -1', '1:5', 'CV_XLCFG_CHARACTER', "'-' cannot stand here", '"-1"'],
    ['on-crash = 1', '1:3', 'CV_XLCFG_CHARACTER', "'-'", "names have no '-'"],
    ['a = "x" + "y"', '1:9', 'CV_XLCFG_CHARACTER', "'+'", 'looks like Python and is not'],
    ['import os\nx = os.getpid()', '1:8', 'CV_XLCFG_SYNTAX', '"os" was found', 'import = value'],
    ['a = [x for x in (1)]', '1:6', 'CV_XLCFG_SYNTAX', '"x" was found', 'in quotes'],
    ['a = @', '1:5', 'CV_XLCFG_CHARACTER', "'@'", 'name = value'],
    ['\ufeffa = 1', '1:1', 'CV_XLCFG_CHARACTER', 'U+FEFF', 'plain ASCII'],
    ['a = 1\0', '1:6', 'CV_XLCFG_CHARACTER', 'U+0000', 'name = value'],
    ['a = "x\0y"', '1:7', 'CV_XLCFG_CHARACTER', 'U+0000', 'name = value'],
    ['a = 1\rb = 2', '1:6', 'CV_XLCFG_CHARACTER', 'U+000D', 'name = value'],
    ['a = 𝄞', '1:5', 'CV_XLCFG_CHARACTER', 'U+1D11E', 'plain ASCII'],
    ['a = [1]\na += 2', '2:6', 'CV_XLCFG_ADD', '"a" holds a list, and a single value', 'a += [ value ]'],
    ['a = 1\na += [2]', '2:6', 'CV_XLCFG_ADD', 'holds a single value, and a list', 'leave the brackets out'],
  ])('%j at %s is %s', (text, at, code, sentence, remedy) => {
    const error = failure(() => parseXlConfig(text, 'dir/a.cfg'));
    expect([`${error.place?.line}:${error.place?.column}`, error.code]).toEqual([at, code]);
    expect(error.place?.file).toBe('dir/a.cfg');
    expect(error.message).toContain(sentence);
    expect(error.remedy).toContain(remedy);
    expect(error.format().startsWith(`dir/a.cfg:${at}: ${code}  `)).toBe(true);
  });

  it('of the command line count its arguments', () => {
    const error = failure(() => parseXlConfig('a = 1', 'a.cfg', ['vpmu=1', 'name=dom']));
    expect(error.format()).toBe(
      'command line:2:6: CV_XLCFG_SYNTAX  A value is expected, and "dom" was found.\n  Put text in quotes: "dom".',
    );
  });

  it('refuse a file above 1 MiB and read one of exactly that', () => {
    const error = failure(() => parseXlConfig('#'.repeat(LARGEST + 1), 'a.cfg'));
    expect([error.code, error.place?.line, error.place?.column]).toEqual(['CV_XLCFG_TOO_LARGE', 1, 1]);
    expect(error.message).toContain('1048577 characters; the limit is 1048576');
    expect(read('#'.repeat(LARGEST))).toEqual({});
  });

  it('show hostile text cut and escaped', () => {
    const error = failure(() => parseXlConfig(`"\x1b[2J\u009b\u202e${'y'.repeat(100)}" = 1`, 'a.cfg'));
    expect(error.message).toBe(
      `A name is expected, and the string "\\u001b[2J\\u009b\\u202e${'y'.repeat(34)}…" was found.`,
    );
    expect(failure(() => parseXlConfig(`${'a'.repeat(5000)} 1`, 'a.cfg')).format().length).toBeLessThan(300);
  });

  it('nest lists 16 deep at most', () => {
    expect(read(`a = ${'['.repeat(16)}1${']'.repeat(16)}`)).toBeDefined();
  });
});

/** The pieces that real and broken files are made of. */
const piece = fc.oneof(
  fc.constantFrom(
    'a',
    'vpmu',
    ' = ',
    '=',
    '+=',
    '[',
    ']',
    ',',
    ';',
    '\n',
    '\r\n',
    '"',
    "'",
    '\\',
    '#',
    '1',
    '0x1f',
    '\t',
  ),
  fc.string({ maxLength: 4 }),
);

const atom = fc.oneof(
  fc.stringMatching(/^[0-9][0-9a-fx]{0,5}$/).map((text) => ({ text, quoted: false })),
  fc.string({ unit: 'binary', maxLength: 12 }).map((text) => ({ text: text.replaceAll('\0', ''), quoted: true })),
);

const place = { file: 'a.cfg', line: 1, column: 1 };
const { value: anyValue } = fc.letrec<{ value: XlValue; list: XlValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    atom.map((a): XlValue => ({ kind: 'atom', ...a, place })),
    tie('list'),
  ),
  list: fc.array(tie('value'), { maxLength: 4 }).map((items): XlValue => ({ kind: 'list', items, place })),
}));

function depth(value: XlValue): number {
  return value.kind === 'atom' ? 0 : 1 + Math.max(0, ...value.items.map(depth));
}

describe('properties', () => {
  it('whatever the text, it reads or throws the one error, with a place inside the text', () => {
    let failed = 0;
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.array(fc.string(), { maxLength: 2 }), (pieces, overrides) => {
        const text = pieces.join('');
        try {
          parseXlConfig(text, 'a.cfg', overrides);
        } catch (error) {
          failed++;
          expect(error).toBeInstanceOf(CountervisorError);
          const { code, remedy, place: at } = error as CountervisorError;
          expect(code).toMatch(/^CV_XLCFG_/);
          expect(remedy).not.toBe('');
          if (at?.file !== 'a.cfg') return;
          const line = text.split('\n')[at.line - 1];
          expect(line).toBeDefined();
          expect(at.column).toBeLessThanOrEqual(line!.length + 1);
        }
      }),
      { numRuns: 1000 },
    );
    expect(failed).toBeGreaterThan(100);
  });

  it('a printed configuration reads as itself', () => {
    const names = fc.stringMatching(/^[a-z][._0-9a-z]{0,6}$/);
    fc.assert(
      fc.property(fc.dictionary(names, anyValue, { maxKeys: 6, noNullPrototype: true }), (given) => {
        fc.pre(Object.values(given).every((value) => depth(value) <= 16));
        const values: XlConfig['values'] = new Map(
          Object.entries(given).map(([name, value]) => [name, { name, value, added: false, place }]),
        );
        const printed = printXlConfig({ values });
        const expected = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, plain(value)]));
        expect(read(printed)).toEqual(expected);
        expect(printXlConfig(parseXlConfig(printed, 'b.cfg'))).toBe(printed);
      }),
      { numRuns: 500 },
    );
  });

  it('comments, blank lines and CRLF change nothing', () => {
    const lines = fc.array(fc.constantFrom('a = 1', 'b = "x # y"', "c = ['p', [2]]", 'd = 0x1; e = 2'), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(lines, (given) => {
        const decorated = given.map((line) => `\t${line}  # note "with quotes`).join('\r\n\r\n');
        expect(read(decorated)).toEqual(read(given.join('\n')));
      }),
    );
  });
});
