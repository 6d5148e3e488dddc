/** The plugin as core reads it: every table checked by core's own loader, every model compiled. */
import type { Arch } from '@countervisor/contract';
import { compile, cpuModel, load } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { x86 } from './index.ts';
import { CALLS } from './isa/calls.ts';

const arch = load(x86 as Arch);

describe('the plugin', () => {
  it.each(Object.keys(x86.cpus))('%s has registers of its own vendor alone', (name) => {
    const made = compile(arch, cpuModel(arch, name));
    const has = (register: string): boolean => made.byName.get(register)?.exists === true;
    const amd = made.cpu.features.has('amd');
    expect([has('MISC_ENABLE'), has('PLATFORM_INFO'), has('HWCR'), has('SYSCFG')]).toEqual([!amd, !amd, amd, amd]);
    expect([has('LSTAR'), has('PAT'), has('MTRR_PHYSMASK7'), has('KERNEL_GS_BASE')]).toEqual([true, true, true, true]);
  });

  it('takes the deadline timer’s MSR away with its feature', () => {
    const has = (spec: string): boolean =>
      compile(arch, cpuModel(arch, spec)).byName.get('TSC_DEADLINE')?.exists === true;
    expect([has('haswell'), has('nehalem'), has('zen4')]).toEqual([true, false, false]);
  });

  it('has a function for every helper that a lift may call, and no other', () => {
    expect(Object.keys(x86.isa.helpers).sort()).toEqual(expect.arrayContaining(Object.keys(CALLS).sort()));
  });

  it('describes a register that no table declares, with a row ready to paste', () => {
    expect(x86.describe?.('msr', 0x1234)).toEqual({
      text: 'msr(0x1234)',
      row: expect.stringMatching(/^MSR_0x1234: \{ at: msr\(0x1234\), width: 64,/) as string,
    });
  });
});
