import { describe, expect, it } from 'vitest';
import { add, type Line, label, load, movi, readreg, ret, store, sysret, trap, writereg } from '../asm.ts';
import { MEMORY, runLines } from '../testing/run.ts';
import { testVcpu } from '../testing/vcpu.ts';
import { regime, translate } from './mmu.ts';

describe('translate', () => {
  const view = testVcpu({ USER_FROM: 0x3000n });

  it.each([
    ['read', 0n],
    ['write', 1n],
    ['fetch', 2n],
  ] as const)('the user level may not %s below USER_FROM', (kind, detail) => {
    expect(translate(view, 0x2fffn, kind, 0)).toEqual({ kind: 'access', syndrome: detail, address: 0x2fffn });
  });

  it('it may from USER_FROM on, and the kernel everywhere', () => {
    const all = { read: true, write: true, fetch: true };
    expect(translate(view, 0x3000n, 'read', 0)).toEqual({ physical: 0x3000n, ...all });
    expect(translate(view, 0x0n, 'write', 1)).toEqual({ physical: 0n, ...all });
  });

  it('keeps translations of the two levels apart', () => {
    expect([regime(view, 0), regime(view, 1)]).toEqual([0, 1]);
  });
});

describe('faults of a running guest', () => {
  /** What the handler finds: CAUSE, FAULT, EPC, and R6 as it was when the fault came. */
  const fault = (...lines: Line[]) => {
    const { get, diagnostics } = runLines([
      movi('R2', 'handler'), // 0x1000
      writereg('VECTOR', 'R2'),
      movi('R6', 1),
      ...lines, // from 0x100c
      label('handler'),
      readreg('R3', 'CAUSE'),
      readreg('R4', 'FAULT'),
      readreg('R5', 'EPC'),
    ]);
    return { found: [get('R3'), get('R4'), get('R5'), get('R6')], diagnostics };
  };
  const toUser: readonly Line[] = [
    movi('R2', 0x1000),
    writereg('USER_FROM', 'R2'),
    movi('R2', 'user'),
    writereg('EPC', 'R2'),
    sysret(),
    label('user'), // 0x1020
  ];

  it('the kernel may touch page 0, the user level may not', () => {
    // Page 0 holds the devices; R2 is the console's address. The same page, the same load, first at one level, then at the other.
    const { found } = fault(movi('R2', 0x100), load('R6', 'R2', 0), ...toUser, movi('R2', 0x100), load('R6', 'R2', 0));
    expect(found).toEqual([0x004n, 0x100n, 0x102cn, 0n]);
  });

  it('a store below USER_FROM stores nothing', () => {
    const { found, diagnostics } = fault(...toUser, movi('R2', 0xff8), store('R2', 'R2', 0));
    expect(found).toEqual([0x104n, 0xff8n, 0x1024n, 1n]);
    expect(diagnostics).toEqual([]);
  });

  it('behind the end of memory there is nothing, and the user is told', () => {
    const { found, diagnostics } = fault(
      movi('R2', MEMORY / 16),
      ...Array.from({ length: 4 }, () => add('R2', 'R2', 'R2')),
      load('R6', 'R2', 0x1000),
    );
    expect(found).toEqual([0x005n, BigInt(MEMORY) + 0x1000n, 0x1020n, 1n]);
    expect(diagnostics).toEqual([expect.stringMatching(/^CV_NOTHING_THERE .*0x11000/)]);
  });

  it('a return to an address that is no multiple of 4', () => {
    const { found } = fault(movi('R7', 0x2002), ret());
    expect(found).toEqual([0x006n, 0x2002n, 0x2000n, 1n]);
  });

  it('memory that holds no instruction is undefined', () => {
    const { found } = fault(movi('R7', 0x2000), ret());
    expect(found).toEqual([0x001n, 0n, 0x2000n, 1n]);
  });

  it('a control register that no table declares is undefined, and there is a row to paste', () => {
    const { found, diagnostics } = fault(readreg('R6', 0x99));
    expect(found).toEqual([0x0d01n, 0n, 0x100cn, 1n]);
    expect(diagnostics).toEqual([expect.stringMatching(/^CV_UNKNOWN_REGISTER .*read control\(0x99\) at pc 0x100c/)]);
  });

  it.each([
    ['trap', trap(0)],
    ['sysret', sysret()],
  ])('%s is not for the user level', (_, line) => {
    const { found } = fault(...toUser, line);
    expect(found).toEqual([0x002n, 0n, 0x1020n, 1n]);
  });
});
