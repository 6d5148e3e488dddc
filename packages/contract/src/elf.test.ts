import { execFileSync } from 'node:child_process';
import { describeWith } from '@countervisor/house/needs';
import { describe, expect, it } from 'vitest';
import { ELF_MACHINES, elfMachine } from './elf.ts';

describe('ELF machine numbers', () => {
  it('are printed with their name, or alone', () => {
    expect(elfMachine(62)).toBe('EM_X86_64 (62)'); // gABI registry: AMD x86-64
    expect(elfMachine(183)).toBe('EM_AARCH64 (183)');
    expect(elfMachine(21)).toBe('EM_PPC64 (21)');
    expect(elfMachine(0xfeed)).toBe('e_machine 65261');
  });
});

describeWith(['gcc'], 'ELF machine names against <elf.h>', () => {
  it('every row is the C library’s', () => {
    const macros = execFileSync('aarch64-linux-gnu-gcc', ['-E', '-dM', '-include', 'elf.h', '-x', 'c', '/dev/null'], {
      encoding: 'utf8',
    });
    const defined = new Map([...macros.matchAll(/^#define (EM_\w+)\s+(\d+)$/gm)].map((m) => [m[1]!, Number(m[2])]));
    expect(defined.size).toBeGreaterThan(150);
    for (const [number, name] of Object.entries(ELF_MACHINES))
      expect([name, defined.get(name)]).toEqual([name, Number(number)]);
  });
});
