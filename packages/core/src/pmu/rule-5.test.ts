/** Counting rule 5 (ARCHITECTURE.md): what retires, how often, and at which level. Counts in comments were made by hand. */
import type { Arch, Outcome, Personality, TrapHandler } from '@countervisor/contract';
import { asm, template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import {
  type Asked,
  constant,
  event,
  type Guest,
  guest,
  type Line,
  NK,
  NU,
  ran,
  SERVICE,
  times,
  toUser,
  vector,
  WITH_PMU,
} from '../testing/guest.ts';

const { addi, bnez, jump, label, load, movi, nop, readreg, store, syscall, sysret, trap, wait, writereg } = asm;

const plain = template.personalities.plain as Personality;

/** The template under a personality with a handler of the test's own. */
function handled(cause: string, handler: TrapHandler): Arch {
  return { ...template, personalities: { plain: { ...plain, handlers: () => ({ [cause]: handler }) } } } as Arch;
}

/** Counter 0 counts instructions, 1 exceptions, 2 exceptions at the user level alone, 3 returns from one; all from 0. Uses R2, R3, R4. */
const counters: readonly Line[] = [
  movi('R2', event('INSTRUCTIONS')),
  writereg('PMSEL0', 'R2'),
  movi('R2', event('EXCEPTIONS')),
  writereg('PMSEL1', 'R2'),
  ...constant('R4', NK | BigInt(event('EXCEPTIONS'))),
  writereg('PMSEL2', 'R4'),
  movi('R2', event('EXCEPTION_RETURNS')),
  writereg('PMSEL3', 'R2'),
  movi('R2', 0),
  ...([0, 1, 2, 3] as const).map((n) => writereg(`PMC${n}`, 'R2')),
  movi('R2', 15),
  writereg('PMENSET', 'R2'),
  movi('R3', 1),
  writereg('PMCTL', 'R3'),
];
const disable: readonly Line[] = [movi('R3', 0), writereg('PMCTL', 'R3')]; // 2

/** Instructions, exceptions, exceptions at the user level, returns. */
const counts = (g: Guest): number[] => g.all('PMC0', 'PMC1', 'PMC2', 'PMC3').map(Number);

/** Runs lines between the write that enables and the one that disables; an exception goes there at once. */
const counted = (lines: readonly Line[], asked: Asked = {}): Guest =>
  ran([...vector('off'), ...counters, ...lines, label('off'), ...disable], asked);

describe.each(WITH_PMU)('under %s', (policy) => {
  describe('rule 5: what faults does not retire', () => {
    it.each<[string, Line[], number]>([
      ['an instruction that does not exist', [() => 0xff00_0000], 0],
      ['bytes that are none', [() => 0], 0],
      ['an undeclared register', [readreg('R4', 0x7777)], 0],
      ['a register that is never written', [writereg('CAUSE', 'R3')], 0],
      ['a value that a register refuses', [movi('R4', 0), writereg('VECTOR', 'R4')], 1],
      ['a reserved bit that must be 0', [movi('R4', 0x100), writereg('PMSEL0', 'R4')], 1],
      ['a load from nowhere', [movi('R4', 0x800), load('R5', 'R4', 0)], 1],
      ['a store to nowhere', [movi('R4', 0x800), store('R5', 'R4', 0)], 1],
    ])('rule 5: %s', (_, lines, before) => {
      const g = counted([nop(), ...lines, ...times(9, nop())], { policy });
      // The nop, what came before, and the two that disable; one exception, at the kernel level.
      expect(counts(g)).toEqual([1 + before + 2, 1, 0, 0]);
    });

    it('rule 5: a jump into nothing retires, what it finds there does not', () => {
      expect(counts(counted([movi('R7', 0x800), asm.ret()], { policy }))).toEqual([2 + 2, 1, 0, 0]);
    });

    it('rule 5: a jump to an address that is no multiple of four likewise', () => {
      expect(counts(counted([movi('R7', 0x1002), asm.ret()], { policy }))).toEqual([2 + 2, 1, 0, 0]);
    });

    it('rule 5: a fault of the user level is counted at the user level', () => {
      // toUser 5, one nop; the trap is privileged.
      expect(counts(counted([...toUser('user'), nop(), trap(0)], { policy }))).toEqual([5 + 1 + 2, 1, 1, 1]);
    });

    it('rule 5: of a load that faults, nothing has happened', () => {
      const g = counted([movi('R4', 0x800), load('R4', 'R4', 0)], { policy });
      expect(g.get('R4')).toBe(0x800n);
    });

    it('rule 5: handled and repeated, it retires once', () => {
      // The user level may touch nothing below 0x3000 until the handler says otherwise.
      const g = ran(
        [
          ...vector('handler'),
          movi('R4', 0x3000),
          writereg('USER_FROM', 'R4'),
          movi('R5', 'far'),
          movi('R6', 0x3000),
          load('R4', 'R5', 0), // two instructions at a time to the page the user may touch
          store('R4', 'R6', 0),
          load('R4', 'R5', 8),
          store('R4', 'R6', 8),
          ...counters,
          movi('R2', 0x3000), // 1
          writereg('EPC', 'R2'), // 2
          movi('R2', 0), // 3
          writereg('STATUS', 'R2'), // 4
          movi('R6', 0x2000), // 5
          sysret(), // 6: a return
          label('handler'),
          readreg('R5', 'CAUSE'), // 7, and 13
          addi('R5', 'R5', -0x04), // 8, and 14: an access exception, a read
          bnez('R5', 'done'), // 9, and 15: not at the second time
          movi('R2', 0x1000), // 10
          writereg('USER_FROM', 'R2'), // 11
          sysret(), // 12: a return; then the user's load, 13 in all, and its syscall, 14
          label('done'),
          ...disable, // 19
          jump('end'),
          label('far'),
          load('R4', 'R6', 0), // an access exception; after the handler it retires
          syscall(0),
          nop(),
          nop(),
          label('end'),
        ],
        { policy },
      );
      // 12 to the second sysret, load and syscall, 3 of the handler, 2 that disable; two exceptions of the user level.
      expect(counts(g)).toEqual([19, 2, 2, 2]);
    });
  });

  describe('rule 5: what leaves on purpose retires once, at its own level', () => {
    it('rule 5: a system call, of the kernel and of the user', () => {
      expect(counts(counted([syscall(1), nop()], { policy }))).toEqual([1 + 2, 1, 0, 0]);
      expect(counts(counted([...toUser('user'), syscall(1), nop()], { policy }))).toEqual([5 + 1 + 2, 1, 1, 1]);
    });

    it('rule 5: a hypercall', () => {
      const g = counted([movi('R0', SERVICE.version), trap(0), nop()], { policy });
      expect(counts(g)).toEqual([3 + 2, 0, 0, 0]);
      expect(g.v.exits.get('hypercall')).toBe(2); // this one, and the exit at the end
    });

    it('rule 5: a wait, which costs nothing while it lasts', () => {
      const g = ran(
        [
          ...vector('handler'),
          movi('R5', 0x200),
          movi('R6', 5000),
          store('R6', 'R5', 0), // the timer
          ...counters,
          wait(), // 1
          movi('R2', 1), // 2
          writereg('STATUS', 'R2'), // 3: the interrupt is taken behind it
          nop(), // never
          label('handler'),
          ...disable, // 5
          readreg('R6', 'TIME'),
        ],
        { policy },
      );
      expect(counts(g)).toEqual([5, 1, 0, 0]);
      // The clock was at 5,000 when the wait ended; four more instructions came before this read.
      expect(g.get('R6')).toBe(5004n);
    });

    it('rule 5: a wait with its interrupt already there', () => {
      const g = ran(
        [
          movi('R5', 0x200),
          movi('R6', 1),
          store('R6', 'R5', 0), // due at once, and nobody takes it
          ...counters,
          wait(), // 1
          nop(), // 2
          ...disable, // 4
        ],
        { policy },
      );
      expect(counts(g)).toEqual([4, 0, 0, 0]);
    });

    it('rule 5: exceptions and returns are counted at the level they leave', () => {
      const g = ran(
        [
          ...vector('handler'),
          ...counters,
          movi('R2', event('EXCEPTION_RETURNS')), // 1
          ...constant('R4', NU | BigInt(event('EXCEPTION_RETURNS'))), // 34
          writereg('PMSEL3', 'R4'), // 35: at the kernel level alone
          ...toUser('user'), // 40: returns from the kernel level
          syscall(0), // 41: an exception at the user level
          label('handler'),
          ...disable,
        ],
        { policy },
      );
      expect(counts(g)).toEqual([43, 1, 1, 1]);
    });
  });

  it('rule 5: a trapped access retires once, as one that is not trapped', () => {
    // Four accesses between the two writes of PMCTL, and the one that disables.
    const lines = [readreg('R5', 'PMC0'), readreg('R5', 'PMSTAT'), readreg('R5', 'PMENSET'), writereg('PMSTAT', 'R5')];
    const g = counted(lines, { policy });
    expect(counts(g)).toEqual([4 + 2, 0, 0, 0]);
    // Ten accesses before (selectors, counts, PMENSET, PMCTL), these four, and the one that disables: all of them trap, or none does.
    const trapped = policy === 'emulated' || policy === 'mediated';
    expect(g.v.exits.get('pmu') ?? 0).toBe(trapped ? 10 + 5 : 0);
  });
});

describe('rule 5: what a handler answers', () => {
  const one = [readreg('R5', 'PMINTEN')];
  /** Answers by the number of the call for one register, and as ever for the others. */
  const answering = (register: string, ...answers: Outcome[]): Arch => {
    let calls = 0;
    return handled('pmu', (_, stop) =>
      stop.access?.register === register ? (answers[calls++] as Outcome) : { then: 'complete' },
    );
  };

  it('rule 5: retried, it retires once, when it finally executes', () => {
    const g = counted(one, {
      arch: answering(
        'PMINTEN',
        { then: 'retry' },
        { then: 'retry', why: 'not yet' },
        { then: 'complete', value: 0x77n },
      ),
    });
    expect(counts(g)).toEqual([1 + 2, 0, 0, 0]);
    expect(g.get('R5')).toBe(0x77n);
    expect(g.v.exits.get('pmu')).toBe(10 + 3 + 1);
  });

  it('rule 5: completed with a value that the guest reads, without one performed', () => {
    expect(
      counted([movi('R5', 5), writereg('PMINTEN', 'R5'), ...one], {
        arch: answering('PMINTEN', { then: 'complete' }, { then: 'complete' }),
      }).get('R5'),
    ).toBe(5n);
    // A write completed with a value is dropped.
    const g = counted([movi('R5', 5), writereg('PMINTEN', 'R5'), ...one], {
      arch: answering('PMINTEN', { then: 'complete', value: 0n }, { then: 'complete' }),
    });
    expect(g.get('R5')).toBe(0n);
    expect(counts(g)).toEqual([3 + 2, 0, 0, 0]);
  });

  it('rule 5: injected, it has not retired', () => {
    const g = counted([nop(), ...one, nop()], {
      arch: answering('PMINTEN', { then: 'inject', exception: { kind: 'undefined', syndrome: 9n }, why: 'test' }),
    });
    expect(counts(g)).toEqual([1 + 2, 1, 0, 0]);
    expect(g.get('CAUSE')).toBe(0x901n);
  });

  it('rule 5: when it ends the domain, it has not retired', () => {
    const g = guest([nop(), nop(), ...one, nop()], {
      arch: answering('PMINTEN', { then: 'exit', reason: 'crash', status: 3 }),
    }).run();
    expect([g.domain.ended, g.domain.instructions(), g.domain.pc(g.v)]).toEqual([
      { reason: 'crash', status: 3 },
      2,
      0x1008n,
    ]);
  });

  it('rule 5: a hypercall that ends the domain through its control retires', () => {
    const g = guest([nop()]).run();
    expect(g.domain.instructions()).toBe(4);
  });

  it('rule 5: the same at every slice', () => {
    for (const slice of [1, 2, 3, 7]) {
      const g = counted([nop(), ...one, nop()], {
        slice,
        arch: answering('PMINTEN', { then: 'retry' }, { then: 'complete' }),
      });
      expect(counts(g)).toEqual([3 + 2, 0, 0, 0]);
    }
  });
});
