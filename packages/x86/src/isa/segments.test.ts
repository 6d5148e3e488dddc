/** What QEMU's system emulation does not look at: limits, and rights of segments in use. SDM volume 3, 5.3 and 5.5; volume 2, LTR. */
import { describe, expect, it } from 'vitest';
import { still } from '../testing/still.ts';
import { faultOf } from './calls.ts';
import { parse } from './segments.ts';
import { systemCalls } from './system.ts';

const SS = 2n;
const FS = 4n;

/** Asks for an access through a segment of this type (0x90 and up: present, code or data, DPL 0) and limit. */
function access(ar: bigint, limit: bigint, offset: bigint, bytes: bigint, write = false, segment = FS): string {
  const { vcpu } = still();
  const name = segment === SS ? 'SS' : 'FS';
  vcpu.set('CR0', 0x11n);
  vcpu.set(`${name}_AR`, ar);
  vcpu.set(`${name}_LIMIT`, limit);
  const answer = systemCalls['segment-fault']?.(vcpu, [segment, offset, bytes, write ? 1n : 0n]) ?? -1n;
  return answer === 0n ? 'ok' : `${faultOf(answer).name} ${faultOf(answer).error}`;
}

describe('an access through a segment', () => {
  it('ends inside its limit', () => {
    expect(access(0x93n, 0xfffn, 0xffcn, 4n)).toBe('ok');
    expect(access(0x93n, 0xfffn, 0xffdn, 4n)).toBe('#GP 0');
    expect(access(0x93n, 0xffff_ffffn, 0xffff_fffcn, 4n)).toBe('ok');
    expect(access(0x93n, 0xffff_ffffn, 0xffff_fffdn, 4n)).toBe('#GP 0');
    expect(access(0x93n, 0xfffn, 0xffdn, 4n, true, SS)).toBe('#SS 0');
  });

  it('begins above the limit of one that expands down, and ends at the top of its size', () => {
    expect(access(0x97n, 0xfffn, 0x1000n, 4n)).toBe('ok');
    expect(access(0x97n, 0xfffn, 0xfffn, 1n)).toBe('#GP 0');
    expect(access(0x97n, 0xfffn, 0xfffcn, 4n)).toBe('ok');
    expect(access(0x97n, 0xfffn, 0xfffdn, 4n)).toBe('#GP 0');
    expect(access(0x4097n, 0xfffn, 0xfffdn, 4n)).toBe('ok');
    expect(access(0x4097n, 0xfffn, 0xffff_fffdn, 4n)).toBe('#GP 0');
  });

  it('has the right: data to be written, code to be read, and never code to be written', () => {
    expect([access(0x91n, 0xfffn, 0n, 1n), access(0x91n, 0xfffn, 0n, 1n, true)]).toEqual(['ok', '#GP 0']);
    expect([access(0x9bn, 0xfffn, 0n, 1n), access(0x9bn, 0xfffn, 0n, 1n, true)]).toEqual(['ok', '#GP 0']);
    expect(access(0x99n, 0xfffn, 0n, 1n)).toBe('#GP 0');
  });

  it('finds none that is null or not present', () => {
    expect(access(0x1_0000n, 0xffff_ffffn, 0n, 1n)).toBe('#GP 0');
    expect(access(0x13n, 0xffff_ffffn, 0n, 1n)).toBe('#GP 0');
  });
});

describe('a descriptor', () => {
  it('has its parts where figure 3-8 has them', () => {
    // Base 0x12345678, limit 0xabcde pages, type 0xB, S, DPL 3, P, L, G.
    const d = parse(8n, 0n, 0x12aa_fb34_5678_bcden);
    expect(d).toMatchObject({ base: 0x1234_5678n, limit: 0xabcd_efffn, ar: 0xa0fbn });
    expect(parse(8n, 0n, 0x122a_fb34_5678_bcden).limit).toBe(0xa_bcden);
  });
});

describe('LTR and LLDT', () => {
  const ask = (name: 'load-tr' | 'load-ldtr', selector: bigint): string => {
    const { vcpu } = still();
    vcpu.set('CR0', 0x11n);
    vcpu.set('GDTR_LIMIT', 0xffn);
    const answer = systemCalls[name]?.(vcpu, [selector]) ?? -1n;
    return answer === 0n ? 'ok' : `${faultOf(answer).name} ${faultOf(answer).error}`;
  };
  it('a null selector is no task, and is no local table', () => {
    expect([ask('load-tr', 0n), ask('load-tr', 3n), ask('load-ldtr', 3n)]).toEqual(['#GP 0', '#GP 0', 'ok']);
  });
  it('both stand in the global table', () => {
    expect([ask('load-tr', 0xcn), ask('load-ldtr', 0xcn), ask('load-tr', 0x100n)]).toEqual([
      '#GP 12',
      '#GP 12',
      '#GP 256',
    ]);
  });
});
