import { describe, expect, it } from 'vitest';
import { enforce } from './policy.ts';

describe('enforce', () => {
  const all = (what: 'direct' | 'trap' | 'absent') =>
    ({
      counter: what,
      selector: what,
      enable: what,
      global: what,
      overflow: what,
      interrupt: what,
      identity: what,
      sampling: what,
      'user-access': what,
    }) as const;

  it('traps all when any role is to be seen, and identity is no reason', () => {
    expect(enforce(all('direct'))).toEqual([['HCTL', 0n]]);
    expect(enforce(all('trap'))).toEqual([['HCTL', 1n]]);
    expect(enforce({ ...all('direct'), selector: 'trap' })).toEqual([['HCTL', 1n]]);
    expect(enforce({ ...all('direct'), interrupt: 'absent' })).toEqual([['HCTL', 1n]]);
    expect(enforce({ ...all('direct'), identity: 'trap' })).toEqual([['HCTL', 0n]]);
  });
});
