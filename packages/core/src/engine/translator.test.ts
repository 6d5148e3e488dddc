/** Everything that is tested of the vocabulary, once more with the translator: nothing runs in the stepper but what must. */
import { expect, it } from 'vitest';
import { backEnd, Foreign, RAM } from './testing/foreign.ts';

backEnd.name = 'translator';
await import('./vocabulary-x86.test.ts');
await import('./vocabulary-x86-memory.test.ts');
await import('./vocabulary-power.test.ts');
await import('./lift-meaning.test.ts');
await import('./fuse.test.ts');
await import('./access.test.ts');
await import('./engine.test.ts');

it('is what runs here', () => {
  const x = new Foreign({ set0: [{ name: 'count', lift: (b) => b.set('RAX', b.add(b.get('RAX'), b.constant(1))) }] });
  x.load(RAM, x.encode('count'), x.encode('count'));
  expect(x.run(2)).toBe(2);
  expect(x.get('RAX')).toBe(2n);
  expect(x.translator?.counts.translated).toBe(2);
});

it('a flag that stands behind a jump which is taken keeps its value', () => {
  const x = new Foreign({
    set0: [
      {
        name: 'maybe',
        lift(b) {
          b.set('RAX', b.constant(5));
          b.when(b.get('RBX'), () => b.jump(b.constant(RAM + 0x100n)));
          b.set('ZF', b.eq(b.get('RCX'), b.constant(0)));
        },
      },
    ],
  });
  for (const [rbx, zf, pc] of [
    [1n, 7n, RAM + 0x100n],
    [0n, 1n, RAM + 1n],
  ] as const) {
    x.put({ RBX: rbx, RCX: 0n, ZF: 7n }).load(RAM, x.encode('maybe')).run(1);
    expect([x.get('ZF'), x.get('RAX'), x.get('PC')]).toEqual([zf, 5n, pc]);
  }
});
