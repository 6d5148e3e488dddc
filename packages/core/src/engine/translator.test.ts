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
