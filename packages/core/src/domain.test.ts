/** What a domain says, and how much of it: a guest can do new wrong things for ever. */
import { asm } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { guest } from './testing/guest.ts';

describe('reports of a domain', () => {
  it('are said once each', () => {
    const g = guest([asm.nop()]);
    for (const n of [1, 2, 1, 2, 3]) g.domain.diagnose('CV_ODD', `number ${n}`, '');
    expect(g.said).toEqual(['CV_ODD number 1', 'CV_ODD number 2', 'CV_ODD number 3']);
  });

  it('are 200, then it says that more are not said; why it ends is said all the same', () => {
    const g = guest([asm.nop()]);
    for (let n = 0; n < 1000; n++) g.domain.diagnose('CV_ODD', `number ${n}`, '');
    expect(g.said).toHaveLength(201);
    expect(g.said.slice(199)).toEqual([
      'CV_ODD number 199',
      'CV_MORE a: 200 different things were reported, and what comes after them is not.',
    ]);
    g.domain.giveUp('crash', 'CV_OVER', 'it is over', '');
    g.domain.giveUp('crash', 'CV_OVER', 'once more', '');
    expect(g.said.slice(201)).toEqual(['CV_OVER it is over']);
    expect(g.domain.ended).toEqual({ reason: 'crash', status: 0 });
  });
});
