import type { CodeReader, Lifter } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { decode, ILLEGAL_STATE } from './decode.ts';
import { evaluate, memoryOf } from './testing/evaluate.ts';

const reader = (word: number | undefined): CodeReader => ({ u8: () => undefined, u32: () => word });
const cpu = (...features: string[]) => ({
  cpu: { name: 'test', features: new Set(features), settings: {}, identity: {}, deviations: [] },
});
const name = (word: number, ...features: string[]): string | undefined =>
  decode(reader(word), 0n, 0, cpu(...features))?.name;

describe('decoding', () => {
  it('knows an instruction by its bits, all of them four bytes long', () => {
    const nop = decode(reader(0xd503201f), 0x1000n, 0, cpu());
    expect(nop).toMatchObject({ name: 'NOP', length: 4, cost: 'nop', signals: [] });
  });

  it('finds nothing where there is no memory, in UDF, or in what is not allocated', () => {
    expect(decode(reader(undefined), 0n, 0, cpu())).toBeUndefined();
    expect(name(0)).toBeUndefined();
    // ADD W0, W1, W2, LSL #32
    expect(name(0x0b028020)).toBeUndefined();
  });

  it.each([
    ['lse', 0xf8210040, 'LDADD X'],
    ['crc32', 0x9ac24c20, 'CRC32X'],
    ['rcpc', 0xf8bfc020, 'LDAPR X'],
    ['flagm', 0xd500401f, 'CFINV'],
    ['sb', 0xd50330ff, 'SB'],
    ['lor', 0xc8df7c20, 'LDLAR X'],
    ['rcpc2', 0xd9400020, 'LDAPUR X'],
    ['pan', 0xd500419f, 'MSR PAN (immediate)'],
  ])('needs %s for its instruction', (feature, word, row) => {
    expect(name(word)).toBeUndefined();
    expect(name(word, feature)).toBe(row);
  });

  it('raises Illegal Execution state for every instruction while PSTATE.IL is set', () => {
    const any = decode(reader(0xd503201f), 0n, ILLEGAL_STATE, cpu());
    const machine = { registers: new Map<string, bigint>(), memory: memoryOf(new Map()) };
    const { end } = evaluate(any?.lift as (b: Lifter) => void, 0n, machine);
    expect(end).toMatchObject({ kind: 'raise', exception: 'illegal-state' });
  });
});
