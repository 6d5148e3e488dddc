/** Our assembler functions of x86 against GNU as: the same text must give the same bytes. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as a from '../../packages/x86/src/asm.ts';
import { describeWith } from '../needs.ts';

const { mem, at, byte, word, dword, qword, op } = a;

type Pair = readonly [text: string, code: a.Item];

const LONG: readonly Pair[] = [
  ['nop', a.nop()],
  ['pause', a.pause()],
  ['hlt', a.hlt()],
  ['mov eax, 5', a.mov('EAX', 5)],
  ['mov rax, 5', a.mov('RAX', 5)],
  ['mov rax, -1', a.mov('RAX', -1)],
  ['movabs rax, 0x123456789abcdef0', a.mov('RAX', 0x123456789abcdef0n)],
  ['mov r8d, 0xffffffff', a.mov('R8D', 0xffffffff)],
  ['mov al, 0x80', a.mov('AL', 0x80)],
  ['mov sil, 1', a.mov('SIL', 1)],
  ['mov ah, 1', a.mov('AH', 1)],
  ['mov r9w, 0x1234', a.mov('R9W', 0x1234)],
  ['mov rbx, rcx', a.mov('RBX', 'RCX')],
  ['mov r15b, dil', a.mov('R15B', 'DIL')],
  ['mov [rdi], al', a.mov(mem('RDI'), 'AL')],
  ['mov rax, [rbp]', a.mov('RAX', mem('RBP'))],
  ['mov rax, [r13+8]', a.mov('RAX', mem('R13', 8))],
  ['mov rax, [rsp-8]', a.mov('RAX', mem('RSP', -8))],
  ['mov rax, [r12+r13*8+0x12345]', a.mov('RAX', mem('R12', 0x12345, 'R13', 8))],
  ['mov eax, [rcx*4+0x10]', a.mov('EAX', mem(undefined, 0x10, 'RCX', 4))],
  ['mov eax, [0x1234]', a.mov('EAX', mem(undefined, 0x1234))],
  ['mov eax, gs:[0x28]', a.mov('EAX', a.inSegment('GS', mem(undefined, 0x28)))],
  ['mov eax, [ecx+4]', a.mov('EAX', mem('ECX', 4))],
  ['mov dword ptr [rax], 7', a.mov(dword(mem('RAX')), 7)],
  ['mov qword ptr [rax], -7', a.mov(qword(mem('RAX')), -7)],
  ['mov byte ptr [rax+127], 7', a.mov(byte(mem('RAX', 127)), 7)],
  ['mov word ptr [rax+128], 7', a.mov(word(mem('RAX', 128)), 7)],
  ['mov cr3, rax', a.mov('CR3', 'RAX')],
  ['mov rax, cr8', a.mov('RAX', 'CR8')],
  ['mov dr7, rdx', a.mov('DR7', 'RDX')],
  ['mov ds, eax', a.mov('DS', 'AX')],
  ['mov [rax], fs', a.mov(mem('RAX'), 'FS')],
  ['movzx eax, byte ptr [rsi]', a.movzx('EAX', byte(mem('RSI')))],
  ['movzx r8, bx', a.movzx('R8', 'BX')],
  ['movsx rax, cl', a.movsx('RAX', 'CL')],
  ['movsxd rax, ecx', a.movsxd('RAX', 'ECX')],
  ['lea r10, [rax+rbx*2-1]', a.lea('R10', mem('RAX', -1, 'RBX', 2))],
  ['xchg rbx, rax', a.xchg('RBX', 'RAX')],
  ['xchg [rcx], edx', a.xchg(mem('RCX'), 'EDX')],
  ['bswap r9', a.bswap('R9')],
  ['cmovne eax, [rdx]', a.cmov('NE', 'EAX', mem('RDX'))],
  ['setb r8b', a.set('C', 'R8B')],
  ['push rax', a.push('RAX')],
  ['push r15', a.push('R15')],
  ['push 5', a.push(5)],
  ['push 0x12345', a.push(0x12345)],
  ['push qword ptr [rax]', a.push(qword(mem('RAX')))],
  ['push fs', a.push('FS')],
  ['pop rbx', a.pop('RBX')],
  ['pop gs', a.pop('GS')],
  ['pushf', a.pushf()],
  ['popf', a.popf()],
  ['leave', a.leave()],
  ['enter 16, 1', op('ENTER', [16, 1])],
  ['add eax, 5', a.add('EAX', 5)],
  ['add rax, 0x12345', a.add('RAX', 0x12345)],
  ['add al, 5', a.add('AL', 5)],
  ['add ebx, 0xffffffff', a.add('EBX', 0xffffffff)],
  ['add [rax], bl', a.add(mem('RAX'), 'BL')],
  ['sub rsp, 0x100', a.sub('RSP', 0x100)],
  ['adc rdx, 0', a.adc('RDX', 0)],
  ['sbb ecx, ecx', a.sbb('ECX', 'ECX')],
  ['and qword ptr [rdi+8], -16', a.and(qword(mem('RDI', 8)), -16)],
  ['or r11d, 0x80000000', a.or('R11D', 0x80000000)],
  ['xor eax, eax', a.xor('EAX', 'EAX')],
  ['cmp dl, [rax]', a.cmp('DL', mem('RAX'))],
  ['test edi, edi', a.test('EDI', 'EDI')],
  ['test al, 1', a.test('AL', 1)],
  ['test dword ptr [rax], 0x100', a.test(dword(mem('RAX')), 0x100)],
  ['inc eax', a.inc('EAX')],
  ['dec qword ptr [rax]', a.dec(qword(mem('RAX')))],
  ['neg r9', a.neg('R9')],
  ['not bl', a.not('BL')],
  ['mul rcx', a.mul('RCX')],
  ['div dword ptr [rsi]', a.div(dword(mem('RSI')))],
  ['idiv r8', a.idiv('R8')],
  ['imul rax, rbx', a.imul('RAX', 'RBX')],
  ['imul eax, ecx, 10', a.imul3('EAX', 'ECX', 10)],
  ['imul eax, ecx, 1000', a.imul3('EAX', 'ECX', 1000)],
  ['shl eax, 1', a.shl('EAX', 1)],
  ['shl rax, 12', a.shl('RAX', 12)],
  ['shr cl, cl', a.shr('CL', 'CL')],
  ['sar r8d, 31', a.sar('R8D', 31)],
  ['rol word ptr [rax], 3', a.rol(word(mem('RAX')), 3)],
  ['shld rax, rbx, 4', op('SHLD', ['RAX', 'RBX', 4])],
  ['shrd eax, ebx, cl', op('SHRD', ['EAX', 'EBX', 'CL'])],
  ['rcr r9, cl', op('RCR', ['R9', 'CL'])],
  ['cdq', a.cdq()],
  ['cqo', a.cqo()],
  ['cdqe', op('CBW', [], { size: 64 })],
  ['bt rax, 40', a.bt('RAX', 40)],
  ['bts [rdi], rcx', a.bts(mem('RDI'), 'RCX')],
  ['lock btr dword ptr [rdi], 3', a.lock('BTR', dword(mem('RDI')), 3)],
  ['bsf eax, ecx', op('BSF', ['EAX', 'ECX'])],
  ['tzcnt rax, rcx', op('TZCNT', ['RAX', 'RCX'])],
  ['popcnt eax, [rdi]', a.popcnt('EAX', mem('RDI'))],
  ['movbe eax, [rdi]', op('MOVBE', ['EAX', mem('RDI')])],
  ['lock cmpxchg [rdi], rsi', a.lock('CMPXCHG', mem('RDI'), 'RSI')],
  ['cmpxchg16b [rdi]', op('CMPXCHG16B', [mem('RDI')])],
  ['cmpxchg8b [rdi]', op('CMPXCHG8B', [mem('RDI')])],
  ['lock xadd [rdi], eax', a.lock('XADD', mem('RDI'), 'EAX')],
  ['jmp .+10', a.jmp(10)],
  ['jmp .+1000', a.jmp(1000)],
  ['jne .-4', a.jcc('NE', -4)],
  ['jg .+0x1000', a.jcc('G', 0x1000)],
  ['loop .-10', a.loop(-10)],
  ['jrcxz .+4', op('JCXZ', [4])],
  ['call .+100', a.call(100)],
  ['call rax', a.call('RAX')],
  ['call [rip+0x1000]', op('CALL', [{ ...mem(undefined, 0x1000), label: '.' }])],
  ['jmp [rax+rcx*8]', a.jmp(mem('RAX', 0, 'RCX', 8))],
  ['ret', a.ret()],
  ['ret 8', op('RET', [8])],
  ['iretq', a.iretq()],
  ['lretq', op('RET far', [], { size: 64 })],
  ['int 0x80', a.int(0x80)],
  ['int3', a.int3()],
  ['syscall', a.syscall()],
  ['sysretq', a.sysretq()],
  ['sysenter', op('SYSENTER')],
  ['movsq', a.movs(64)],
  ['rep movsb', a.repMovs(8)],
  ['rep stosq', a.repStos(64)],
  ['rep stosw', a.repStos(16)],
  ['repne scasb', op('SCASB', [], { repeat: 'REPNE' })],
  ['repe cmpsd', op('CMPS', [], { repeat: 'REP', size: 32 })],
  ['lodsb', op('LODSB')],
  ['cli', a.cli()],
  ['sti', a.sti()],
  ['cld', a.cld()],
  ['std', op('STD')],
  ['cpuid', a.cpuid()],
  ['rdmsr', a.rdmsr()],
  ['wrmsr', a.wrmsr()],
  ['rdtsc', a.rdtsc()],
  ['rdtscp', op('RDTSCP')],
  ['rdpmc', a.rdpmc()],
  ['swapgs', a.swapgs()],
  ['vmcall', a.vmcall()],
  ['vmmcall', a.vmmcall()],
  ['ud2', a.ud2()],
  ['lfence', a.lfence()],
  ['mfence', a.mfence()],
  ['sfence', op('SFENCE')],
  ['clflush [rax]', a.clflush(mem('RAX'))],
  ['clflushopt [rax]', op('CLFLUSHOPT', [mem('RAX')])],
  ['lgdt [rax]', a.lgdt(mem('RAX'))],
  ['lidt [rsp+2]', a.lidt(mem('RSP', 2))],
  ['sgdt [rax]', op('SGDT', [mem('RAX')])],
  ['ltr ax', a.ltr('AX')],
  ['lldt cx', op('LLDT', ['CX'])],
  ['str eax', op('STR', ['EAX'])],
  ['invlpg [rdi]', a.invlpg(mem('RDI'))],
  ['in al, dx', a.inp('AL', 'DX')],
  ['in eax, 0x10', a.inp('EAX', 0x10)],
  ['out dx, al', a.outp('DX', 'AL')],
  ['out 0xf4, eax', a.outp(0xf4, 'EAX')],
  ['outsb', op('OUTSB')],
  ['wbinvd', op('WBINVD')],
  ['clts', op('CLTS')],
  ['smsw eax', op('SMSW', ['EAX'])],
  ['lmsw ax', op('LMSW', ['AX'])],
  ['stac', op('STAC')],
  ['rdfsbase rax', op('RDFSBASE', ['RAX'])],
  ['xlatb', op('XLAT')],
  ['sahf', op('SAHF')],
];

const PROTECTED: readonly Pair[] = [
  ['mov eax, 0x1234', a.mov('EAX', 0x1234)],
  ['mov eax, ds:0x1234', a.mov('EAX', mem(undefined, 0x1234))],
  ['mov ds:0x1234, ecx', a.mov(mem(undefined, 0x1234), 'ECX')],
  ['mov eax, [esp+4]', a.mov('EAX', mem('ESP', 4))],
  ['mov ax, [bx+si]', a.mov('AX', mem('BX', 0, 'SI'))],
  ['mov cr0, eax', a.mov('CR0', 'EAX')],
  ['inc eax', a.inc('EAX')],
  ['dec cx', a.dec('CX')],
  ['push ds', a.push('DS')],
  ['pop es', a.pop('ES')],
  ['push eax', a.push('EAX')],
  ['pusha', op('PUSHA')],
  ['popaw', op('POPA', [], { size: 16 })],
  ['push 0x12345678', a.push(0x12345678)],
  ['call .+0x20', a.call(0x20)],
  ['ljmp 0x8:0x400000', a.jmpFar(8, 0x400000n)],
  ['daa', op('DAA')],
  ['aam', op('AAM', [10])],
  ['into', op('INTO')],
  ['bound eax, [ecx]', op('BOUND', ['EAX', mem('ECX')])],
  ['arpl [eax], cx', op('ARPL', [mem('EAX'), 'CX'])],
  ['les eax, [ecx]', op('LES', ['EAX', mem('ECX')])],
  ['iret', op('IRET')],
  ['lgdt [eax]', a.lgdt(mem('EAX'))],
  ['rep movsd', a.repMovs(32)],
];

const REAL: readonly Pair[] = [
  ['mov ax, 0x1234', a.mov('AX', 0x1234)],
  ['mov eax, 0x12345678', a.mov('EAX', 0x12345678)],
  ['mov ax, [bx+di+4]', a.mov('AX', mem('BX', 4, 'DI'))],
  ['mov al, [bp]', a.mov('AL', mem('BP'))],
  ['mov ax, [esi]', a.mov('AX', mem('ESI'))],
  ['mov ds, ax', a.mov('DS', 'AX')],
  ['mov ax, cs', a.mov('AX', 'CS')],
  ['mov cr0, eax', a.mov('CR0', 'EAX')],
  ['lgdt [bx]', a.lgdt(mem('BX'))],
  ['jmp .+4', a.jmp(4)],
  ['jmp .+0x200', a.jmp(0x200)],
  ['ljmp 0x8:0x1000', a.jmpFar(8, 0x1000n)],
  ['push ax', a.push('AX')],
  ['or eax, 1', a.or('EAX', 1)],
  ['int 0x10', a.int(0x10)],
  ['hlt', a.hlt()],
];

/** The bytes GNU as makes of each text. */
function assembled(texts: readonly string[], bits: 16 | 32 | 64): number[][] {
  const folder = mkdtempSync(join(tmpdir(), 'countervisor-x86-as-'));
  try {
    const [source, object, image] = ['a.s', 'a.o', 'a.bin'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    // Each text has 16 bytes of its own; behind it stands 0xcc, which ends no text here.
    const lines = texts.map((text) => `${text}\n.balign 16, 0xcc`);
    writeFileSync(source, `.intel_syntax noprefix\n.code${bits}\n${lines.join('\n')}\n`);
    execFileSync('as', ['--64', '-mmnemonic=intel', source, '-o', object]);
    execFileSync('objcopy', ['-O', 'binary', '-j', '.text', object, image]);
    const bytes = readFileSync(image);
    return texts.map((text, i) => {
      const cell = [...bytes.subarray(16 * i, 16 * i + 16)];
      while (cell.at(-1) === 0xcc && !(text === 'int3' && cell.length === 1)) cell.pop();
      return cell;
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const hex = (code: readonly number[]): string => code.map((b) => b.toString(16).padStart(2, '0')).join(' ');

describeWith(['as'], 'our assembler of x86 and GNU as', () => {
  it.each([
    ['64-bit', 64, LONG],
    ['32-bit', 32, PROTECTED],
    ['16-bit', 16, REAL],
  ] as const)('make the same bytes of the same instructions: %s code', (_name, bits, pairs) => {
    const theirs = assembled(
      pairs.map(([text]) => text),
      bits,
    );
    const ours = pairs.map(([text, code]) => {
      // '.' is where the instruction ends, for addresses relative to RIP.
      const { bytes } = a.program([code, a.label('.')], 0n, bits);
      return `${text}: ${hex([...bytes])}`;
    });
    expect(ours).toEqual(pairs.map(([text], i) => `${text}: ${hex(theirs[i] as number[])}`));
  });

  it('place labels, data and branches alike', () => {
    const { bytes, labels } = a.program(
      [
        a.label('start'),
        a.mov('RAX', at('value')),
        a.lea('RSI', at('end', 4)),
        a.label('loop'),
        a.dec('RAX'),
        a.loop('loop'),
        a.mov('RBX', a.addressOf('value')),
        a.cmp(qword(at('value')), 5),
        a.label('value'),
        a.quads(3, -1),
        a.label('end'),
        a.longs(1),
      ],
      0x400000n,
    );
    const [theirs] = assembledAt(`
      start: mov rax, [rip+value]
      lea rsi, [rip+end+4]
      again: dec rax
      loop again
      movabs rbx, offset value
      cmp qword ptr [rip+value], 5
      .balign 8, 0
      value: .quad 3, -1
      end: .long 1`);
    expect(hex([...bytes])).toBe(hex(theirs as number[]));
    expect(labels.get('value')).toBe(0x400000n + BigInt(bytes.length - 20));
  });

  it('refuses what cannot be encoded', () => {
    for (const [code, why] of [
      [a.inc(mem('RAX')), 'can be of'],
      [a.add('RAX', 0x1_0000_0000), 'no encoding'],
      [a.mov('AH', 'R8B'), 'no encoding'],
      [a.push('EAX'), 'no encoding'],
      [a.jmp('nowhere'), 'no label'],
      [a.mov('RAX', mem('RCX', 0, 'RDX', 3)), 'multiplied'],
    ] as const) {
      expect(() => a.program([code])).toThrow(why);
    }
    expect(() => a.program([a.label('x'), a.label('x')])).toThrow('twice');
  });
});

/** A whole text, linked at 4 MiB. */
function assembledAt(text: string): number[][] {
  const folder = mkdtempSync(join(tmpdir(), 'countervisor-x86-as-'));
  try {
    const [source, object, linked, image] = ['a.s', 'a.o', 'a.elf', 'a.bin'].map((name) =>
      join(folder, name),
    ) as string[];
    writeFileSync(source as string, `.intel_syntax noprefix\n.globl _start\n_start:\n${text}\n`);
    execFileSync('as', ['--64', source as string, '-o', object as string]);
    execFileSync('ld', ['-Ttext=0x400000', '--no-relax', object as string, '-o', linked as string]);
    execFileSync('objcopy', ['-O', 'binary', '-j', '.text', linked as string, image as string]);
    return [[...readFileSync(image as string)]];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
