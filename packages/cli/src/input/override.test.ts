import { parseXlConfig } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { partArguments } from './override.ts';

describe('partArguments', () => {
  it('keeps files and settings apart', () => {
    expect(partArguments(['a.cfg', 'vpmu=1', './x=y.cfg', 'b.elf', 'cpus=["0"]', 'Odd=1.cfg'])).toEqual({
      files: ['a.cfg', './x=y.cfg', 'b.elf', 'Odd=1.cfg'],
      overrides: ['vpmu=1', 'cpus=["0"]'],
    });
  });

  // What a shell leaves of name="dom 2" is name=dom 2.
  it.each([
    ['name=dom2', 'name', 'dom2'],
    ['extra=a "b" \\c', 'extra', 'a "b" \\c'],
    ['memory=0x40', 'memory', '0x40'],
    ["name='x'", 'name', 'x'],
    ['extra=-v', 'extra', '-v'],
  ])('%s sets %s', (argument, key, text) => {
    const { overrides } = partArguments([argument]);
    const value = parseXlConfig('', 'a.cfg', overrides).values.get(key)?.value;
    expect(value?.kind === 'atom' && value.text).toBe(text);
  });
});
