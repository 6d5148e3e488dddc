/** Flags, I/O, system registers, caches, waiting, and what does nothing. Intel SDM volume 2, by mnemonic; volume 3, 2.8. */
import type { Signal, Value } from '@countervisor/contract';
import { SEGMENTS } from '../calls.ts';
import { type Body, registerName, zext } from '../operands.ts';
import { type More, type Row, row } from '../row.ts';
import { permitted } from './string.ts';

const IF = 0x200;
const DF = 0x400;
const AC = 1n << 18n;

/** In protected mode IF belongs to levels up to IOPL. */
function maySetInterrupts(x: Body): void {
  const { b } = x;
  if (!x.isProtected) return;
  const iopl = b.and(b.shr(b.get('SYSTEM_FLAGS'), b.constant(12)), b.constant(3));
  b.when(b.ltu(iopl, b.get('CPL')), () => x.raise('#GP'));
}

const setSystem = (x: Body, bits: number | bigint): void =>
  x.set('SYSTEM_FLAGS', x.b.or(x.get('SYSTEM_FLAGS'), x.constant(bits)));
const clearSystem = (x: Body, bits: bigint): void =>
  x.set('SYSTEM_FLAGS', x.b.and(x.get('SYSTEM_FLAGS'), x.constant(~bits)));

function cli(x: Body): void {
  maySetInterrupts(x);
  clearSystem(x, BigInt(IF));
}

/** Interrupts are held back for one instruction, unless they were let through before. */
function sti(x: Body): void {
  const { b } = x;
  maySetInterrupts(x);
  const were = b.and(b.get('SYSTEM_FLAGS'), b.constant(IF));
  b.set('SHADOW', b.select(were, b.get('SHADOW'), b.constant(b.next)));
  setSystem(x, IF);
}

/** SF ZF AF PF CF in AH, with bit 1 set. */
const lahf = (x: Body): void => {
  const { b } = x;
  x.setRegister(0, 8, b.or(b.and(x.call('flags'), b.constant(0xd5)), b.constant(2)), true);
};
const sahf = (x: Body): void => {
  x.call('set-flags', x.register(0, 8, true), x.constant(0xd5));
};

const flags = [
  row('CMC', 'F5', '', 'alu', (x) => x.set('CF', x.b.xor(x.get('CF'), x.constant(1)))),
  row('CLC', 'F8', '', 'alu', (x) => x.set('CF', x.constant(0))),
  row('STC', 'F9', '', 'alu', (x) => x.set('CF', x.constant(1))),
  row('CLI', 'FA', '', 'system', cli),
  row('STI', 'FB', '', 'system', sti),
  row('CLD', 'FC', '', 'alu', (x) => clearSystem(x, BigInt(DF))),
  row('STD', 'FD', '', 'alu', (x) => setSystem(x, DF)),
  row('LAHF', '9F', '', 'alu', lahf),
  row('SAHF', '9E', '', 'alu', sahf),
  row('CLAC', 'NP 0F 01 CA', '', 'system', (x) => accessCheck(x, false), { needs: 'smap' }),
  row('STAC', 'NP 0F 01 CB', '', 'system', (x) => accessCheck(x, true), { needs: 'smap' }),
];

/** CLAC and STAC are undefined above CPL 0. */
function accessCheck(x: Body, on: boolean): void {
  const { b } = x;
  b.when(b.get('CPL'), () => x.raise('#UD'));
  if (on) setSystem(x, AC);
  else clearSystem(x, AC);
}

// Port I/O. No 64-bit form: REX.W has no say.

const portOf = (x: Body, n: number): Value => x.unsigned(n);
const portSize = (x: Body, n: number): 1 | 2 | 4 => (x.sizeOf(n) / 8) as 1 | 2 | 4;

function input(x: Body): void {
  const size = portSize(x, 0);
  const port = portOf(x, 1);
  permitted(x, port, size);
  x.write(0, x.b.load(port, { size, space: 'io' }));
}

function output(x: Body): void {
  const size = portSize(x, 1);
  const port = portOf(x, 0);
  permitted(x, port, size);
  x.b.store(port, x.unsigned(1), { size, space: 'io' });
}

const ports = [
  row('IN', 'E4', 'AL= Ib', 'system', input),
  row('IN', 'E5', 'eAX= Ib', 'system', input),
  row('IN', 'EC', 'AL= DX', 'system', input),
  row('IN', 'ED', 'eAX= DX', 'system', input),
  row('OUT', 'E6', 'Ib AL', 'system', output),
  row('OUT', 'E7', 'Ib eAX', 'system', output),
  row('OUT', 'EE', 'DX AL', 'system', output),
  row('OUT', 'EF', 'DX eAX', 'system', output),
];

// System registers.

/** EDX:EAX of a value. */
function setPair(x: Body, value: Value): void {
  x.set('RAX', x.b.zext32(value));
  x.set('RDX', x.b.shr(value, x.constant(32)));
}

function rdmsr(x: Body): void {
  x.privileged();
  setPair(x, x.b.read('msr', x.register(1, 32)));
}

function wrmsr(x: Body): void {
  const { b } = x;
  x.privileged();
  b.write('msr', x.register(1, 32), b.or(b.shl(b.get('RDX'), b.constant(32)), x.register(0, 32)));
}

/** CR4.UMIP keeps SGDT, SIDT, SLDT, SMSW and STR from levels other than 0. */
export const preventedByUmip = (x: Body): void => openTo(x, UMIP, false);

/** A bit of CR4 closes, or opens, an instruction to levels other than 0. */
function openTo(x: Body, bit: bigint, opens: boolean): void {
  const { b } = x;
  const set = b.and(b.get('CR4'), b.constant(bit));
  const closed = opens ? b.eq(set, b.constant(0)) : set;
  b.when(b.get('CPL'), () => b.when(closed, () => x.raise('#GP')));
}

const TSD = 1n << 2n;
const PCE = 1n << 8n;
const UMIP = 1n << 11n;
const FSGSBASE = 1n << 16n;
const OSXSAVE = 1n << 18n;

function rdtsc(x: Body): void {
  openTo(x, TSD, false);
  setPair(x, x.b.read('tsc', x.constant(0)));
}

function rdtscp(x: Body): void {
  openTo(x, TSD, false);
  const aux = x.b.zext32(x.get('TSC_AUX'));
  const time = x.b.read('tsc', x.constant(0));
  x.set('RCX', aux);
  setPair(x, time);
}

function rdpmc(x: Body): void {
  openTo(x, PCE, true);
  setPair(x, x.b.read('pmc', x.register(1, 32)));
}

function xgetbv(x: Body): void {
  const { b } = x;
  b.when(b.eq(b.and(b.get('CR4'), b.constant(OSXSAVE)), b.constant(0)), () => x.raise('#UD'));
  setPair(x, b.read('xcr', x.register(1, 32)));
}

const wordOf = (x: Body, value: Value): Value => (x.bits === 64 ? value : x.b.zext32(value));

/** MOV from and to a control or debug register: always the whole register, 64 bits in 64-bit mode. */
function moveFrom(x: Body): void {
  const { b } = x;
  const from = x.operand(1);
  const to = x.operand(0);
  if (to.kind !== 'register' || (from.kind !== 'control' && from.kind !== 'debug')) throw new Error('a register each');
  x.privileged();
  b.set(registerName(to.number), wordOf(x, b.read(from.kind === 'control' ? 'cr' : 'dr', b.constant(from.number))));
}

function moveTo(x: Body): void {
  const { b } = x;
  const to = x.operand(0);
  const from = x.operand(1);
  if (from.kind !== 'register' || (to.kind !== 'control' && to.kind !== 'debug')) throw new Error('a register each');
  x.privileged();
  const value = wordOf(x, b.get(registerName(from.number)));
  b.write(to.kind === 'control' ? 'cr' : 'dr', b.constant(to.number), value);
}

const msw = (x: Body): void => {
  preventedByUmip(x);
  x.write(0, zext(x.b, x.get('CR0'), x.sizeOf(0)));
};

/** LMSW writes PE, MP, EM and TS, and cannot clear PE. */
function lmsw(x: Body): void {
  const { b } = x;
  x.privileged();
  const old = b.get('CR0');
  const low = b.and(x.unsigned(0), b.constant(15));
  b.write('cr', b.constant(0), b.or(b.and(old, b.constant(~0xen)), low));
}

function clts(x: Body): void {
  const { b } = x;
  x.privileged();
  b.write('cr', b.constant(0), b.and(b.get('CR0'), b.constant(~8n)));
}

const baseBytes = (x: Body): 4 | 8 => (x.bits === 64 ? 8 : 4);

/** SGDT and SIDT: the limit, then the base. */
const storeTable =
  (name: 'GDTR' | 'IDTR') =>
  (x: Body): void => {
    const { b } = x;
    preventedByUmip(x);
    const size = baseBytes(x);
    const at = x.address(0, true, 2 + size);
    b.probe(at, 2 + size, true);
    b.store(at, b.get(`${name}_LIMIT`), { size: 2 });
    b.store(b.add(at, b.constant(2)), b.get(`${name}_BASE`), { size });
  };

/** With 16-bit operands the base has 24 bits. */
const loadTable =
  (name: 'GDTR' | 'IDTR') =>
  (x: Body): void => {
    const { b } = x;
    x.privileged();
    const size = baseBytes(x);
    const at = x.address(0, false, 2 + size);
    const limit = b.load(at, { size: 2 });
    const base = b.load(b.add(at, b.constant(2)), { size });
    if (x.bits === 64) {
      b.when(b.ne(b.sar(b.shl(base, b.constant(16)), b.constant(16)), base), () => x.raise('#GP'));
    }
    b.set(`${name}_LIMIT`, limit);
    b.set(`${name}_BASE`, x.bits !== 64 && x.size === 16 ? b.and(base, b.constant(0xff_ffff)) : base);
  };

function invlpg(x: Body): void {
  x.privileged();
  const m = x.memory(0);
  const offset = x.offset(0);
  const { b } = x;
  const base = x.bits === 64 && m.segment < 4 ? b.constant(0) : b.get(`${SEGMENTS[m.segment]}_BASE`);
  x.call('invlpg', b.add(offset, base));
}

function swapgs(x: Body): void {
  x.privileged();
  const [now, kept] = [x.get('GS_BASE'), x.get('KERNEL_GS_BASE')];
  x.set('GS_BASE', kept);
  x.set('KERNEL_GS_BASE', now);
}

/** RDFSBASE and its kin, on when CR4.FSGSBASE is. */
const base =
  (name: 'FS_BASE' | 'GS_BASE', write: boolean) =>
  (x: Body): void => {
    const { b } = x;
    b.when(b.eq(b.and(b.get('CR4'), b.constant(FSGSBASE)), b.constant(0)), () => x.raise('#UD'));
    if (!write) {
      x.write(0, zext(b, b.get(name), x.size));
      return;
    }
    const value = x.unsigned(0);
    b.when(b.ne(b.sar(b.shl(value, b.constant(16)), b.constant(16)), value), () => x.raise('#GP'));
    b.set(name, value);
  };

const fsgs: More = { only: '64', needs: 'fsgsbase' };

const six: readonly Signal[] = ['load', 'access', 'access'];
const sixOut: readonly Signal[] = ['store', 'access', 'access'];

const registers = [
  row('RDMSR', '0F 32', '', 'system', rdmsr),
  row('WRMSR', '0F 30', '', 'system', wrmsr),
  row('RDTSC', '0F 31', '', 'system', rdtsc),
  row('RDTSCP', 'NP 0F 01 F9', '', 'system', rdtscp, { needs: 'rdtscp' }),
  row('RDPMC', '0F 33', '', 'system', rdpmc),
  row('XGETBV', 'NP 0F 01 D0', '', 'system', xgetbv, { needs: 'xsave' }),
  row('MOV', '0F 20', 'Ry= Cy', 'system', moveFrom, { sizing: 'f64' }),
  row('MOV', '0F 22', 'Cy= Ry', 'system', moveTo, { sizing: 'f64' }),
  row('MOV', '0F 21', 'Ry= Dy', 'system', moveFrom, { sizing: 'f64' }),
  row('MOV', '0F 23', 'Dy= Ry', 'system', moveTo, { sizing: 'f64' }),
  row('SMSW', '0F 01 /4 reg', 'Rv=', 'system', msw),
  row('SMSW', '0F 01 /4 mem', 'Mw=', 'system', msw),
  row('LMSW', '0F 01 /6', 'Ew', 'system', lmsw),
  row('CLTS', '0F 06', '', 'system', clts),
  row('SGDT', '0F 01 /0', 'M', 'system', storeTable('GDTR'), { signals: sixOut }),
  row('SIDT', '0F 01 /1', 'M', 'system', storeTable('IDTR'), { signals: sixOut }),
  row('LGDT', '0F 01 /2', 'M', 'system', loadTable('GDTR'), { signals: six }),
  row('LIDT', '0F 01 /3', 'M', 'system', loadTable('IDTR'), { signals: six }),
  row('INVLPG', '0F 01 /7', 'M', 'system', invlpg),
  row('SWAPGS', 'NP 0F 01 F8', '', 'system', swapgs, { only: '64' }),
  row('RDFSBASE', 'F3 0F AE /0 reg', 'Ry=', 'system', base('FS_BASE', false), fsgs),
  row('RDGSBASE', 'F3 0F AE /1 reg', 'Ry=', 'system', base('GS_BASE', false), fsgs),
  row('WRFSBASE', 'F3 0F AE /2 reg', 'Ry', 'system', base('FS_BASE', true), fsgs),
  row('WRGSBASE', 'F3 0F AE /3 reg', 'Ry', 'system', base('GS_BASE', true), fsgs),
];

// Traps, caches, and nothing.

const quiet = (): void => {};

/** CLFLUSH needs what a load needs, and loads nothing. */
const flushLine = (x: Body): void => x.b.probe(x.address(0, false, 1), 1, false);

/** By the published model of the last cache (events.ts). */
const flushed: readonly Signal[] = ['cache-reference', 'cache-miss'];

const halt = (x: Body): void => {
  x.privileged();
  x.b.trap('wait');
};

const privilegedQuiet = (x: Body): void => x.privileged();
const undefinedHere = (x: Body): void => x.raise('#UD');

const HINTS = ['18', '19', '1A', '1B', '1C', '1D', '1E', '1F'];

const others = [
  row('CPUID', '0F A2', '', 'system', (x) => x.b.trap('cpuid')),
  row('HLT', 'F4', '', 'system', halt),
  row('VMCALL', 'NP 0F 01 C1', '', 'system', (x) => x.b.trap('hypercall')),
  row('VMMCALL', 'NP 0F 01 D9', '', 'system', (x) => x.b.trap('hypercall')),
  row('WBINVD', 'NR 0F 09', '', 'system', privilegedQuiet),
  row('INVD', '0F 08', '', 'system', privilegedQuiet),
  row('CLFLUSH', 'NP 0F AE /7', 'M', 'fence', flushLine, { needs: 'clfsh', signals: flushed }),
  row('CLFLUSHOPT', '66 0F AE /7', 'M', 'fence', flushLine, { needs: 'clflushopt', signals: flushed }),
  row('LFENCE', 'NP 0F AE /5 reg', '', 'fence', quiet, { needs: 'sse2' }),
  row('MFENCE', 'NP 0F AE /6 reg', '', 'fence', quiet, { needs: 'sse2' }),
  row('SFENCE', 'NP 0F AE /7 reg', '', 'fence', quiet, { needs: 'sse' }),
  row('PAUSE', 'F3 90', '', 'nop', quiet),
  row('PREFETCHW', '0F 0D', 'M', 'nop', quiet),
  // 0F 18 to 0F 1F are reserved to do nothing: PREFETCHh, ENDBR64 and NOP Ev are among them.
  ...HINTS.map((code) => row('NOP', `0F ${code}`, 'E', 'nop', quiet, { form: code })),
  row('UD0', '0F FF', 'G E', 'system', undefinedHere),
  row('UD1', '0F B9', 'G E', 'system', undefinedHere),
  row('UD2', '0F 0B', '', 'system', undefinedHere),
];

export const system: readonly Row[] = [...flags, ...ports, ...registers, ...others];
