/** What must not compile in an extension: each `@ts-expect-error` is an error itself when the line beneath it compiles. */
import { describe, expect, it } from 'vitest';
import { type Arch, CONTRACT } from './arch.ts';
import { defineExtension } from './extend.ts';
import type { Writes } from './policy.ts';

const base = { name: 'base' } as unknown as Arch<'PC' | 'CTL', 'user' | 'kernel' | 'hypervisor', 'T', 'stop'>;
const row = {
  width: 64,
  reset: 0n,
  read: 'user',
  write: 'kernel',
  fields: { VALUE: { bits: [63, 0], means: 'A value.' } },
} as const;
const own = { name: 'own', contract: CONTRACT, extends: 'base' } as const;
const group = { on: 'both', at: ['user'], source: 'a test' } as const;

describe('defineExtension', () => {
  it('takes names of the architecture and its own, and hands back the same object', () => {
    const extension = {
      ...own,
      registers: { MINE: { ...row, traps: ['MT', 'T'], view: (): 'CTL' => 'CTL' } },
      trapGroups: { MT: { ...group, when: { register: 'CTL', field: 'VALUE', is: 1n }, cause: 'mine' } },
      causes: { mine: { to: 'guest', handler: 'wait', means: 'A test.' } },
      traps: { CTL: ['MT'] },
      enforce: (): Writes<'MINE'> => [['MINE', 1n]],
      switching: { controls: [{ register: 'MINE', before: 'CTL' }], because: 'A test.' },
    } as const;
    expect(defineExtension(base, extension)).toBe(extension);
  });

  it('does not compile: a misspelt register of the architecture', () => {
    const one = defineExtension(base, {
      ...own,
      // @ts-expect-error: 'CTRL' is no register
      traps: { CTRL: ['T'] },
    });
    const two = defineExtension(base, {
      ...own,
      registers: { MINE: row },
      // @ts-expect-error: nor is it here
      switching: { controls: [{ register: 'MINE', behind: 'CTRL' }], because: 'A test.' },
    });
    const three = defineExtension(base, {
      ...own,
      // @ts-expect-error: and it arms nothing
      trapGroups: { MT: { ...group, when: { register: 'CTRL', field: 'VALUE', is: 1n }, cause: 'stop' } },
    });
    expect([one, two, three].map(({ name }) => name)).toEqual(['own', 'own', 'own']);
  });

  it('does not compile: a level, a trap group or a cause that nobody declares', () => {
    // @ts-expect-error: 'kernal' is no level
    const level = defineExtension(base, { ...own, registers: { MINE: { ...row, read: 'kernal' } } });
    // @ts-expect-error: 'TT' is no trap group
    const traps = defineExtension(base, { ...own, registers: { MINE: { ...row, traps: ['TT'] } } });
    const cause = defineExtension(base, {
      ...own,
      // @ts-expect-error: 'stopp' is no cause
      trapGroups: { MT: { ...group, when: { register: 'CTL', field: 'VALUE', is: 1n }, cause: 'stopp' } },
    });
    expect([level, traps, cause].length).toBe(3);
  });

  it("does not compile: a write to a register that is not the extension's own, and a property that does not exist", () => {
    // @ts-expect-error: 'CTL' is the architecture's
    const enforce = defineExtension(base, { ...own, registers: { MINE: row }, enforce: () => [['CTL', 1n]] });
    // @ts-expect-error: it is called 'registers'
    const register = defineExtension(base, { ...own, register: {} });
    expect([enforce, register].length).toBe(2);
  });
});
