/** Which bytes are instructions, how long they are and what their operands are: our decoder of x86 against GNU objdump, over random bytes and a compiler's output. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Instruction, instruction, type Memory, type Operand } from '../../packages/x86/src/isa/decode.ts';
import { rows } from '../../packages/x86/src/isa/instructions/index.ts';
import { type CodeSize, MODE } from '../../packages/x86/src/isa/mode.ts';
import { GENERAL } from '../../packages/x86/src/isa/operands.ts';
import { describeWith } from '../needs.ts';
import { beside } from './place.ts';
import { Random } from './random.ts';
import { FEATURES } from './x86-code.ts';
import { generate } from './x86-generate.ts';
import { elsewhere } from './x86-suite.ts';

const SEED = 20_240_601;
/** Random strings for each size of code; beside them stand so many instructions of each row. */
const ANYWHERE = 40_000;
const IN_ROW = 40;

/** Each string has a cell of its own; behind its 15 bytes stand enough NOPs for the next one to begin at its start. */
const STRING = 15;
const CELL = 32;
const NOP = 0x90;

const modeOf = (bits: CodeSize): number =>
  bits === 64 ? 2 | MODE.protected | MODE.stack32 : bits === 32 ? 1 | MODE.protected | MODE.stack32 : MODE.protected;

interface Line {
  readonly at: number;
  readonly length: number;
  readonly text: string;
  /** Prefixes without effect stood on lines of their own. */
  readonly merged: boolean;
}

/** Prefixes that objdump shows on a line of their own, because they do nothing. */
const ALONE = /^((rex(\.\w+)?|data(16|32)|addr(16|32)|repnz|repz|lock|[c-gs]s)\s*)+$/;

function lines(out: string): Map<number, Line> {
  const found = new Map<number, Line>();
  let held: Line | undefined;
  for (const text of out.split('\n')) {
    const parts = /^\s*([0-9a-f]+):\t([0-9a-f ]+?)\s*(?:\t(.*))?$/.exec(text);
    if (parts === null) continue;
    const [, at = '', bytes = '', what = ''] = parts;
    const own = { at: Number.parseInt(at, 16), length: bytes.split(' ').length, text: what.trim(), merged: false };
    const line: Line =
      held === undefined ? own : { at: held.at, length: held.length + own.length, text: own.text, merged: true };
    held = ALONE.test(own.text) ? line : undefined;
    if (held === undefined) found.set(line.at, line);
  }
  return found;
}

function disassemble(bytes: Uint8Array, bits: CodeSize): Map<number, Line> {
  const folder = mkdtempSync(join(tmpdir(), 'countervisor-objdump-'));
  try {
    const file = join(folder, 'bytes.bin');
    writeFileSync(file, bytes);
    const syntax = { 64: 'x86-64,intel64', 32: 'i386', 16: 'i8086' }[bits];
    const options = ['-D', '-z', '-b', 'binary', '-m', 'i386', '-M', `${syntax},intel`, '--insn-width=16', file];
    return lines(execFileSync('objdump', options, { maxBuffer: 1 << 30, encoding: 'utf8' }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What is absent here, each group with its reason; the names are objdump's. */
const ABSENT: readonly (readonly [names: RegExp, why: string])[] = [
  [
    /^v|^k(and|or|xor|not|add|shift|test|unpck|mov)|^(andn|bextr|bls|bzhi|mulx|pdep|pext|rorx|sarx|shlx|shrx|t1mskc|tzmsk|blc)/,
    'AVX, BMI and XOP',
  ],
  [
    /^p?(f|)[a-z0-9]*(ps|pd|ss|sd|pi|dq|si)(_\w+)?$|^(u|)comis|^mov(aps|ups|hlps|lhps|mskp|nt|d$|q$|dq|s[hl]dup|ddup|dir)|^p(?!ush|op)[a-z0-9]+$/,
    'MMX, SSE and 3DNow!',
  ],
  [
    /^(emms|femms|lddqu|maskmov|ldmxcsr|stmxcsr|extrq|insertq|aes|sha|crc32|gf2|cvt|cmp[a-z]+(ps|pd|ss|sd)|punpck|shuf|unpck)/,
    'MMX, SSE and 3DNow!',
  ],
  [/^(xsave|xrstor|xgetbv|xsetbv|xabort|xbegin|xend|xtest|xsusldtrk|xresldtrk|fxsave|fxrstor)/, 'XSAVE, FXSR and TSX'],
  [
    /^(vm|inv(ept|vpid|lpga|lpgb|pcid)|skinit|stgi|clgi|getsec|rsm|tdcall|sea|psmash|pvalidate|rmp)/,
    'virtualization by the guest',
  ],
  [
    /^(monitor|mwait|umonitor|umwait|tpause|rdrand|rdseed|rdpid|rdpkru|wrpkru|rdpru|clzero|mcommit|cldemote|clwb|wbnoinvd|encl|enclu|pconfig|ptwrite|serialize|hreset|uiret|testui|clui|stui|senduipi|wrss|wruss|saveprevssp|rstorssp|setssbsy|clrssbsy|incssp|rdssp|endbr|movdir|enqcmd|adcx|adox|aadd|aand|aor|axor|xstore|xcrypt|montmul|xsha|tlbsync|rdm|llwpcb|slwpcb|lwp|bnd|clac|stac|lkgs|fred|erets|eretu|wrmsr(ns|list)|rdmsrlist|prefetch)/,
    'later additions',
  ],
  [/^(frstpm|fsetpm|fnsetpm|fdisi|feni|fndisi|fneni|fbld|fstp1|loadall|icebp)/, 'the 287 and its kin'],
];

/** Prefixes that objdump writes in front. */
const PREFIXES =
  /^((rex(\.\w+)?|data(16|32)|addr(16|32)|repn?z?|repnz|lock|xacquire|xrelease|notrack|bnd|[c-gs]s)\s+)+/;

const bare = (text: string): string => text.replace(/\s+#.*$/, '').replace(PREFIXES, '');
const mnemonicOf = (text: string): string => bare(text).split(/\s/)[0] ?? '';

/** Is LOCK among the prefixes? */
function isLocked(code: Uint8Array): boolean {
  const prefix = (byte: number): boolean =>
    [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3].includes(byte) || byte >> 4 === 4;
  const end = code.findIndex((byte) => !prefix(byte));
  return code.subarray(0, end < 0 ? code.length : end).includes(0xf0);
}

/** Where objdump and processors are not of one mind, or we and objdump are both right. */
function leeway(found: Instruction | undefined, text: string, code: Uint8Array): string | undefined {
  const bad = text.includes('(bad)');
  if (found === undefined) {
    if (isLocked(code)) return 'LOCK where it is not allowed is #UD';
    const name = mnemonicOf(text);
    if (/^mov$/.test(name) && /\b[cd]r\d/.test(text)) return 'LOCK MOV to CR8 of AMD';
    if (/^mov$/.test(name) && /\btr\d/.test(text)) return 'test registers of the 386';
    if (name === 'swapgs') return 'an instruction of 64-bit mode';
    if (/^mov$/.test(name) && /\?/.test(text)) return 'a segment register that is none';
    return ABSENT.find(([names]) => names.test(name))?.[1];
  }
  if (!bad) return undefined;
  const { name } = found;
  if (/^(NOP E|LFENCE|MFENCE|SFENCE)/.test(name)) return 'bits that processors ignore';
  if (/^(BS[FR]|WBINVD|F)/.test(name)) return 'prefixes that processors ignore';
  return /^(MOV .*(Cy|Dy|Sw)|MOV Sw)/.test(name) ? 'a register that is none: #UD when it runs' : undefined;
}

const BYTES = ['al', 'cl', 'dl', 'bl', 'spl', 'bpl', 'sil', 'dil'];

function registerText(number: number, size: number, high: boolean): string {
  const name = (GENERAL[number] as string).toLowerCase();
  if (number >= 8) return name + { 8: 'b', 16: 'w', 32: 'd', 64: '' }[size as 8];
  if (size === 8) return high ? (['ah', 'ch', 'dh', 'bh'][number] as string) : (BYTES[number] as string);
  return size === 64 ? name : size === 32 ? `e${name.slice(1)}` : name.slice(1);
}

/** base + index × scale + displacement, as one text in one order. */
function memoryText(m: Memory): string {
  const reg = (n: number): string => registerText(n, m.addressSize, false);
  const base = m.base === undefined ? (m.relative ? 'ip' : '') : reg(m.base);
  const index = m.index === undefined ? '' : `${reg(m.index)}*${1 << m.scale}`;
  return `[${base}|${index}|${BigInt.asUintN(m.addressSize, m.displacement).toString(16)}]`;
}

/** The same from objdump's. */
function memoryOf(text: string, addressSize: number): string {
  const inside = /\[([^\]]*)\]/.exec(text)?.[1];
  if (inside === undefined) {
    const absolute = /:0x([0-9a-f]+)$/.exec(text)?.[1] ?? '';
    return `[||${BigInt.asUintN(addressSize, BigInt(`0x${absolute || '0'}`)).toString(16)}]`;
  }
  let base = '';
  let index = '';
  let displacement = 0n;
  for (const [, sign, part = ''] of inside.matchAll(/([+-]?)([^+-]+)/g)) {
    if (part.startsWith('0x')) displacement = sign === '-' ? -BigInt(part) : BigInt(part);
    else if (/^[er]?iz/.test(part)) continue;
    else if (part.includes('*')) index = part;
    else if (base === '') base = part.replace(/^[er]ip$/, 'ip');
    else index = `${part}*1`;
  }
  return `[${base}|${index}|${BigInt.asUintN(addressSize, displacement).toString(16)}]`;
}

function operandText(o: Operand, i: Instruction, at: number, bits: CodeSize): string | undefined {
  switch (o.kind) {
    case 'register':
      return registerText(o.number, o.size, o.high);
    case 'memory':
      return memoryText(o);
    case 'constant':
      return `0x${BigInt.asUintN(o.size, o.value).toString(16)}`;
    case 'relative':
      return `0x${BigInt.asUintN(bits === 16 ? 16 : bits, BigInt(at + i.length) + o.value).toString(16)}`;
    default:
      return undefined;
  }
}

/** Differences of operands; rows whose operands objdump writes otherwise are left to their lengths. */
function operandsDiffer(i: Instruction, line: Line, bits: CodeSize): string | undefined {
  if (
    /^(ENTER|BSWAP|BOUND|L[EDSFG]S|NOP|UD|OUT|IN|J|LOOP|CALL|XCHG|MOVSXD|IMUL|BT|MOV .*(Sw|Cy|Dy)|LAR|LSL|S?[LS]DT|STR|SMSW|F|CRC|[LS][GI]DT|MOVBE)/.test(
      i.name,
    )
  )
    return undefined;
  const rest = bare(line.text).replace(/^\S+\s*/, '');
  const theirs = rest.split(',');
  if (theirs.length !== i.operands.length || i.operands.length === 0) return undefined;
  for (const [n, operand] of i.operands.entries()) {
    const its = theirs[n] as string;
    const ours = operandText(operand, i, line.at, bits);
    if (ours === undefined) continue;
    const shown = operand.kind === 'memory' ? memoryOf(its, operand.addressSize) : its.trim();
    if (operand.kind === 'constant' && shown === '1') continue;
    if (ours !== shown) return `operand ${n}: ${ours}, and to objdump ${shown}`;
  }
  return undefined;
}

interface Judged {
  readonly wrong: string[];
  readonly agreed: number;
  readonly compared: number;
  readonly excused: Map<string, number>;
}

function judge(bytes: Uint8Array, starts: readonly number[], bits: CodeSize): Judged {
  const all = disassemble(bytes, bits);
  const judged = { wrong: [] as string[], agreed: 0, compared: 0, excused: new Map<string, number>() };
  for (const at of starts) {
    const line = all.get(at);
    if (line === undefined) {
      judged.wrong.push(`objdump has no instruction at ${at}`);
      continue;
    }
    const code = { u8: (offset: number) => bytes[at + offset], u32: () => undefined };
    const decoded = instruction(code, modeOf(bits), FEATURES);
    if (decoded !== undefined && !('row' in decoded)) continue;
    const found = decoded as Instruction | undefined;
    const shown = `${Buffer.from(bytes.subarray(at, at + STRING)).toString('hex')}: ${line.text}`;
    const bad = line.text.includes('(bad)');
    if (bad !== (found === undefined)) {
      const why = leeway(found, line.text, bytes.subarray(at, at + STRING));
      if (why === undefined) judged.wrong.push(`${found?.name ?? 'nothing'}, and to objdump ${shown}`);
      else judged.excused.set(why, (judged.excused.get(why) ?? 0) + 1);
      continue;
    }
    if (found === undefined) continue;
    // objdump writes FWAIT and what follows it as one.
    if (found.name !== 'FWAIT' && found.length !== line.length)
      judged.wrong.push(`${found.name}: ${found.length} bytes, to objdump ${line.length}: ${shown}`);
    const differs = line.merged ? undefined : operandsDiffer(found, line, bits);
    if (differs !== undefined) judged.wrong.push(`${found.name}: ${differs}: ${shown}`);
    judged.agreed += 1;
    if (found.operands.length > 0) judged.compared += 1;
  }
  return judged;
}

function cells(strings: readonly (readonly number[])[]): { readonly bytes: Uint8Array; readonly starts: number[] } {
  const bytes = new Uint8Array(strings.length * CELL).fill(NOP);
  strings.forEach((string, i) => {
    bytes.set(string, i * CELL);
  });
  return { bytes, starts: strings.map((_, i) => i * CELL) };
}

/** Bytes of any kind, more often than not with prefixes or from the second map. */
function anything(random: Random): number[] {
  const string = Array.from({ length: STRING }, () => random.below(256));
  const kind = random.below(6);
  if (kind < 2) string[0] = 0x0f;
  if (kind === 2) string[0] = random.one([0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x48, 0x41, 0x4c, 0x64, 0x2e]);
  if (kind === 2 && random.once(2)) string[1] = 0x0f;
  return string;
}

describeWith(['as'], `decoding x86 against GNU objdump, seed ${SEED}`, () => {
  it.each([64, 32, 16] as const)('random bytes, %i-bit code', (bits) => {
    const random = new Random(SEED + bits);
    const { bytes, starts } = cells(Array.from({ length: ANYWHERE }, () => anything(random)));
    const { wrong, agreed, compared } = judge(bytes, starts, bits);
    expect(wrong.slice(0, 20)).toEqual([]);
    expect(agreed).toBeGreaterThan(ANYWHERE / 2);
    expect(compared).toBeGreaterThan(ANYWHERE / 4);
  });

  it.each([64, 32] as const)('instructions of every row, %i-bit code', (bits) => {
    const random = new Random(SEED);
    const strings: (readonly number[])[] = [];
    for (const row of rows) {
      if (elsewhere(row) !== undefined || row.only === (bits === 64 ? 'legacy' : '64')) continue;
      for (let n = 0; n < IN_ROW; n++) {
        const c = generate(row, random);
        if (c.bits === bits) strings.push(c.code);
      }
    }
    const { bytes, starts } = cells(strings);
    const { wrong, agreed } = judge(bytes, starts, bits);
    expect(wrong.slice(0, 20)).toEqual([]);
    expect(agreed).toBeGreaterThan(strings.length * 0.9);
  });
});

describeWith(['as', 'gcc'], 'decoding a compiler’s output', () => {
  it.each([64, 32] as const)('every instruction of a program in %i-bit code, one behind the other', (bits) => {
    const folder = mkdtempSync(join(tmpdir(), 'countervisor-cc-'));
    try {
      const [object, image] = ['a.o', 'a.bin'].map((name) => join(folder, name)) as [string, string];
      const options = [
        `-m${bits}`,
        '-O2',
        '-fno-pic',
        '-ffreestanding',
        '-fno-builtin',
        '-mgeneral-regs-only',
        '-funroll-loops',
      ];
      execFileSync('gcc', [...options, '-c', beside('x86.c'), '-o', object]);
      execFileSync('objcopy', ['-O', 'binary', '-j', '.text', object, image]);
      const bytes = new Uint8Array(readFileSync(image));
      const starts = [...disassemble(bytes, bits).keys()];
      const { wrong, agreed } = judge(bytes, starts, bits);
      expect(wrong).toEqual([]);
      expect(agreed).toBe(starts.length);
      expect(starts.length).toBeGreaterThan(300);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
