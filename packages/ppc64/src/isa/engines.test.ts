/** Random loops of fixed-point instructions on the stepper and on the translator: the same registers, memory and counts, in both byte orders and widths. */
import { Machine } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { program } from '../asm.ts';
import { ppc64 } from '../index.ts';
import { encode, widthOf } from './encode.ts';
import { rows } from './instructions/index.ts';
import type { FieldName, Row } from './row.ts';

/** Weyl sequence through a mixing function. */
function numbers(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x9e3779b9) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    return ((mixed ^ (mixed >>> 13)) >>> 0) % limit;
  };
}

const CODE = 0x1_0000n;
const DATA = 0x2_0000n;
const LENGTH = 120;
const TURNS = 1000;
const DATA_SIZE = 0x1000;
/** The loop's own: base of the data, an index that stays small. */
const BASE = 30;
const INDEX = 31;

/** Helpers leave translated code, which comes back only at a loop's head: they would keep all else out of it. */
const HELPED = /^divde|^bpermd$|^cfuged$|^p(dep|ext)d$|^cn[tl]+zdm$|^addg6s$|^cbcdtd$|^cdtbcd$/;

/** What may stand in a loop: nothing that branches, waits or is the system's, nor an update, which would lose the base, nor a prefix, which may lie across 64 bytes. */
const ALLOWED = rows.filter(
  ({ name, cost, needs }) =>
    ['alu', 'multiply', 'divide', 'condition', 'load', 'store', 'atomic'].includes(cost) &&
    needs !== 'power-saving' &&
    !HELPED.test(name) &&
    !/^(l|st)[bhwd][za]?ux?$|mw$|swi$|cix$|^dcbz$|^p(l|st)|q$|q(arx|cx\.)$|^addpcis$|^paddi$/.test(name),
);

function instruction(row: Row, next: (limit: number) => number): readonly number[] {
  for (;;) {
    const f: Partial<Record<FieldName, number>> = {};
    for (const { name } of row.slots) f[name] = next(2 ** Math.min(widthOf(row, name), 30));
    // Targets are registers 0 to 29; addresses are the base and something small, aligned: the stepper does what is not.
    for (const name of ['RT', 'RS', 'RA'] as const) if (f[name] !== undefined) f[name] = next(30);
    const memory = ['load', 'store', 'atomic'].includes(row.cost);
    if (memory) f.RA = BASE;
    if (memory && f.RB !== undefined) f.RB = INDEX;
    if (f.D !== undefined) f.D = 8 * next(0x100);
    if (f.DS !== undefined) f.DS = 2 * next(0x100);
    if (f.R !== undefined) f.R = 0;
    try {
      return encode(row.name, f);
    } catch {
      // An invalid form: another one.
    }
  }
}

type Order = 'big' | 'little';

function run(engine: 'stepper' | 'translator', seed: number, order: Order, narrow: boolean) {
  const next = numbers(seed);
  const loop = Array.from({ length: LENGTH }, () => instruction(ALLOWED[next(ALLOWED.length)] as Row, next));
  const words = loop.flat();
  const back = encode('bc', { BO: 16, BI: 0, BD: (2 ** 14 - words.length) % 2 ** 14 });
  const { bytes } = program([...loop, back, encode('b', { LI: 0 })], CODE, order);
  const machine = new Machine({ arch: ppc64, cpu: 'power10', engine });
  const domain = machine.addDomain({ name: 'loop', vcpus: 1, memory: 16 * 1024 * 1024, vpmu: false });
  const [vcpu] = domain.vcpus;
  if (vcpu === undefined) throw new Error('A domain has a vCPU.');
  machine.power(vcpu, []);
  domain.memory.slice(CODE, bytes.length)?.set(bytes);
  const data = domain.memory.slice(DATA, DATA_SIZE) as Uint8Array;
  data.forEach((_, i) => {
    data[i] = next(256);
  });
  const { handle } = vcpu;
  for (let n = 0; n < 30; n++) handle.set(`GPR${n}`, (BigInt(next(2 ** 30)) << 34n) ^ BigInt(next(2 ** 30)));
  handle.set(`GPR${BASE}`, DATA);
  handle.set(`GPR${INDEX}`, 64n);
  handle.set('CTR', BigInt(TURNS));
  handle.set('MSR', (narrow ? 0n : 1n << 63n) | (order === 'little' ? 1n : 0n));
  handle.set('NIA', CODE);
  machine.run({ until: (LENGTH + 1) * TURNS });
  expect(domain.ended).toBeUndefined();
  expect(handle.get('NIA')).toBe(CODE + BigInt(4 * words.length + 4));
  const names = [
    ...Array.from({ length: 32 }, (_, n) => `GPR${n}`),
    ...Array.from({ length: 8 }, (_, n) => `CR${n}`),
    ...['CTR', 'XER', 'RESERVE_SIZE', 'RESERVE_VALUE'],
  ];
  const registers = Object.fromEntries(names.map((name) => [name, handle.get(name).toString(16)]));
  const translated = domain.translator?.counts.translated ?? 0;
  return { registers, translated, data: Buffer.from(data).toString('hex'), instructions: domain.instructions() };
}

describe('both back ends', () => {
  const seeds = Array.from({ length: 12 }, (_, i) => i + 1);
  it.each(seeds.flatMap((seed) => (['big', 'little'] as const).map((order) => [seed, order] as const)))(
    'agree on loop %i, %s-endian',
    (seed, order) => {
      const narrow = seed % 3 === 0;
      const theirs = run('stepper', seed, order, narrow);
      const { translated, ...ours } = run('translator', seed, order, narrow);
      expect({ ...ours, translated: 0 }).toEqual(theirs);
      expect(theirs.instructions).toBe((LENGTH + 1) * TURNS);
      // Most of it, or nothing was compared.
      expect(translated).toBeGreaterThan(theirs.instructions / 4);
    },
  );
});
