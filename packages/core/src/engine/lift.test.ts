import { CountervisorError, type Isa, type Lifter, type Value } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { evaluate, lift } from './lift.ts';
import { foreignArch } from './testing/arch.ts';
import { Foreign, RAM } from './testing/foreign.ts';

const arch = foreignArch({ helpers: { nothing: () => 0n } });
const build = (body: (b: Lifter) => void) => lift(arch, 'sample', 0x1000n, 0x1004n, body);
const at = (b: Lifter): Value => b.constant(0x2000);
const eight = { size: 8 } as const;
type Part = (b: Lifter) => void;
const inOrder =
  (...parts: readonly Part[]): Part =>
  (b) =>
    parts.forEach((part) => {
      part(b);
    });
const setRax: Part = (b) => b.set('RAX', b.constant(1));

describe('the law of lifts: what can stop an instruction comes before what it changes', () => {
  const stops: Readonly<Record<string, (b: Lifter) => void>> = {
    'a load': (b) => b.load(at(b), eight),
    'a store': (b) => b.store(at(b), b.constant(1), eight),
    'a probe': (b) => b.probe(at(b), 8, true),
    'a register read': (b) => b.read('invented', b.constant(1)),
    'a register write': (b) => b.write('invented', b.constant(1), b.constant(1)),
    'an exception': (b) => b.raise('oops'),
    'an exception that retires': (b) => b.raise('oops', b.constant(1), true),
    'a trap': (b) => b.trap('hypercall'),
    'a helper': (b) => b.call('nothing'),
  };
  const changes: Readonly<Record<string, readonly [change: (b: Lifter) => void, words: string]>> = {
    'a set': [(b) => b.set('RAX', b.constant(1)), 'RAX'],
    'a set in a region': [(b) => b.when(b.get('ZF'), () => b.set('RBX', b.constant(1))), 'RBX'],
    'a count': [(b) => b.emit('load'), 'the count of load'],
  };

  for (const [change, [make, words]] of Object.entries(changes)) {
    for (const [stop, may] of Object.entries(stops)) {
      it(`${stop} behind ${change} is refused`, () => {
        const both = (): unknown =>
          build((b) => {
            make(b);
            may(b);
          });
        expect(both).toThrow(CountervisorError);
        expect(both).toThrow(
          expect.objectContaining({
            code: 'CV_LIFT',
            message: expect.stringMatching(`The lift of sample can stop at .* after it has changed ${words}`),
          }),
        );
        // In the other order it is lawful, but for what ends an instruction.
        if (!stop.startsWith('an exception')) expect(() => build(inOrder(may, make))).not.toThrow();
      });
    }
  }

  for (const [stop, may] of Object.entries(stops)) {
    it(`${stop} behind a store is refused${stop === 'a helper' ? ' not: a helper cannot stop' : ''}`, () => {
      const both = (): unknown =>
        build((b) => {
          b.store(at(b), b.constant(1), eight);
          may(b);
        });
      if (stop === 'a helper') return expect(both).not.toThrow();
      expect(both).toThrow(/The lift of sample .*(memory|probe)/);
      return undefined;
    });
  }

  it('a probe in front makes stores and loads behind a store lawful, and nothing else', () => {
    const after = (may: (b: Lifter) => void) => () =>
      build((b) => {
        b.probe(at(b), 16, true);
        b.store(at(b), b.constant(1), eight);
        may(b);
      });
    expect(after((b) => b.store(at(b), b.constant(1), eight))).not.toThrow();
    expect(after((b) => b.load(at(b), eight))).not.toThrow();
    expect(after((b) => b.probe(at(b), 16, true))).toThrow(/can stop at a probe after it has changed memory/);
    expect(after((b) => b.raise('oops'))).toThrow(/can stop at an exception after it has changed memory/);
  });

  const ends: Readonly<Record<string, (b: Lifter) => void>> = {
    'a jump': (b) => b.jump(at(b)),
    'an exception': (b) => b.raise('oops'),
  };
  for (const [end, make] of Object.entries(ends)) {
    it(`nothing runs behind ${end}, so nothing may stand there`, () => {
      expect(() => build(inOrder(make, setRax))).toThrow(/The lift of sample goes on behind/);
      expect(() => build((b) => b.when(b.get('ZF'), () => inOrder(make, setRax)(b)))).toThrow(/goes on behind/);
      expect(() => build(inOrder((b) => b.when(b.get('ZF'), () => make(b)), setRax))).not.toThrow();
      // A condition that is known at lift time is the row's business: what it leaves unreachable is no mistake.
      expect(() => build(inOrder((b) => b.when(b.constant(1), () => make(b)), setRax))).not.toThrow();
    });
  }

  const breaches: readonly (readonly [what: string, problem: RegExp, body: (b: Lifter) => void])[] = [
    ['reads a register that no table declares', /names the register RAZ, which no table declares/, (b) => b.get('RAZ')],
    ['sets a register that no table declares', /names the register RAZ/, (b) => b.set('RAZ', b.constant(1))],
    ['reaches a register of the physical CPU', /reaches SHARED by name/, (b) => b.get('SHARED')],
    ['reaches a register without storage', /reaches DERIVED by name/, (b) => b.get('DERIVED')],
    ['sets a window', /reaches WINDOW by name/, (b) => b.set('WINDOW', b.constant(1))],
    ['sets the program counter', /sets PC.*jump/, (b) => b.set('PC', b.constant(1))],
    ['calls a helper that is not there', /calls the helper missing/, (b) => b.call('missing')],
    ['traps with a cause that is not there', /traps with the cause missing/, (b) => b.trap('missing')],
    ['emits a signal that is not there', /emits the signal missing/, (b) => b.emit('missing' as 'load')],
    ['assigns to a constant', /assigns to what is no variable/, (b) => b.assign(b.constant(1), b.constant(2))],
    [
      'assigns to a sum',
      /assigns to what is no variable/,
      (b) => b.assign(b.add(b.get('RAX'), b.constant(1)), b.constant(2)),
    ],
    ['uses a value it did not make', /uses a value of another instruction/, (b) => b.set('RAX', 99 as Value)],
    [
      'uses a value outside the region that makes it',
      /uses a value outside the `when` that makes it/,
      (b) => {
        let inside = b.constant(0);
        b.when(b.get('ZF'), () => {
          inside = b.load(at(b), eight);
        });
        b.set('RAX', inside);
      },
    ],
    [
      'needs too many temporaries',
      /needs too many temporaries/,
      (b) => {
        for (let i = 0, v = b.get('RAX'); i <= 256; i++) v = b.add(v, b.constant(1));
      },
    ],
    ['probes more than a page', /probes 4097 bytes/, (b) => b.probe(at(b), 4097, false)],
    ['extends to less', /extends 64 bits to 32/, (b) => b.load(at(b), { size: 8, signed: true, width: 32 })],
    ['leaves an input out', /gives add no second input/, (b) => (b.add as (a: Value) => Value)(b.get('RAX'))],
    ['leaves every input out', /gives not no first input/, (b) => (b.not as () => Value)()],
  ];
  it.each(breaches)('%s', (_what, problem, body) => {
    expect(() => build(body)).toThrow(
      expect.objectContaining({ code: 'CV_LIFT', message: expect.stringMatching(problem) }),
    );
    expect(() => build(body)).toThrow(/The lift of sample /);
  });

  it('a value of a region that is known at lift time is seen outside it', () => {
    const ops = build((b) => {
      let inside = b.constant(0);
      b.when(b.constant(1), () => {
        inside = b.load(at(b), eight);
      });
      b.set('RAX', inside);
    });
    expect(ops.map((op) => op.op)).toEqual(['load']);
  });
});

describe('constants', () => {
  it('are folded: only the set is left, with the result', () => {
    const two = (b: Lifter): Value => b.add(b.constant(1), b.constant(1));
    const cases: readonly (readonly [(b: Lifter) => Value, bigint])[] = [
      [(b) => two(b), 2n],
      [(b) => b.sub(b.constant(0), two(b)), 0xffff_ffff_ffff_fffen],
      [(b) => b.sub(b.constant(0), two(b), 32), 0xffff_fffen],
      [(b) => b.constant(-1), 0xffff_ffff_ffff_ffffn],
      [(b) => b.constant(1n << 64n), 0n],
      [(b) => b.not(b.constant(0), 32), 0xffff_ffffn],
      [(b) => b.select(b.constant(1n << 32n), b.constant(5), b.constant(6), 32), 5n],
      [(b) => b.carry(b.constant(-1), b.constant(0), b.constant(1)), 1n],
    ];
    for (const [body, value] of cases) {
      expect(build((b) => b.set('RAX', body(b)))).toEqual([
        { op: 'copy', width: 64, to: { kind: 'register', name: 'RAX' }, a: { kind: 'constant', value } },
      ]);
    }
  });

  it('decide a `when` at lift time', () => {
    expect(build((b) => b.when(b.constant(0), () => b.raise('oops')))).toEqual([]);
    expect(build((b) => b.when(b.constant(7), () => b.raise('oops'))).map((op) => op.op)).toEqual(['raise']);
  });

  it('cut the inputs to the width, but not the condition of a select', () => {
    expect(evaluate('add', 32, 0x1_ffff_ffffn, 1n)).toBe(0n);
    expect(evaluate('select', 32, 1n << 32n, 0x1_0000_0002n, 3n)).toBe(2n);
  });
});

describe('ops', () => {
  it('whose results nobody uses are not there, and results go straight to their register', () => {
    const ops = build((b) => {
      b.mul(b.get('RAX'), b.get('RBX'));
      b.set('RCX', b.add(b.get('RAX'), b.get('RBX')));
    });
    expect(ops).toEqual([
      {
        op: 'add',
        width: 64,
        to: { kind: 'register', name: 'RCX' },
        a: { kind: 'register', name: 'RAX' },
        b: { kind: 'register', name: 'RBX' },
      },
    ]);
  });

  it('with an effect stay, used or not', () => {
    const ops = build((b) => {
      b.load(at(b), eight);
      b.read('invented', b.constant(1));
      b.call('nothing');
    });
    expect(ops.map((op) => op.op)).toEqual(['load', 'read', 'call']);
  });

  it('a skip counts what is left of its region', () => {
    const ops = build((b) => {
      b.when(b.get('ZF'), () => {
        b.not(b.get('RAX'));
        b.set('RAX', b.not(b.get('RBX')));
      });
    });
    expect(ops.map((op) => [op.op, op.op === 'skip' ? op.count : 0])).toEqual([
      ['skip', 1],
      ['not', 0],
    ]);
  });

  it('a region with nothing left in it is not there', () => {
    expect(build((b) => b.when(b.get('ZF'), () => b.not(b.get('RAX'))))).toEqual([]);
  });
});

/** One instruction of this lift, run on the engine. */
function run(
  body: (b: Lifter) => void,
  registers: Readonly<Record<string, bigint>>,
  helpers: Isa['helpers'] = {},
): Foreign {
  const x = new Foreign({ set0: [{ name: 'sample', lift: body }], helpers }).put(registers);
  x.load(RAM, x.encode('sample'));
  expect(x.run(1)).toBe(1);
  return x;
}

describe('a value is what the register was when it was read', () => {
  it('two registers trade places', () => {
    const x = run(
      (b) => {
        const [rax, rbx] = [b.get('RAX'), b.get('RBX')];
        b.set('RAX', rbx);
        b.set('RBX', rax);
      },
      { RAX: 1n, RBX: 2n },
    );
    expect([x.get('RAX'), x.get('RBX')]).toEqual([2n, 1n]);
  });

  it('before a set and behind it', () => {
    const x = run(
      (b) => {
        const before = b.get('RAX');
        b.set('RAX', b.add(before, b.constant(1)));
        const behind = b.get('RAX');
        b.set('RAX', b.constant(0));
        b.set('RBX', before);
        b.set('RCX', behind);
      },
      { RAX: 5n },
    );
    expect([x.get('RAX'), x.get('RBX'), x.get('RCX')]).toEqual([0n, 5n, 6n]);
  });

  it('set to itself', () => {
    const x = run(
      (b) => {
        const rax = b.get('RAX');
        b.set('RAX', rax);
        b.set('RBX', rax);
      },
      { RAX: 5n },
    );
    expect([x.get('RAX'), x.get('RBX')]).toEqual([5n, 5n]);
  });

  it.each([
    [0n, 0n],
    [0n, 1n],
    [1n, 0n],
    [1n, 1n],
  ])('where a region sets it: taken %s, the inner one %s', (outer, inner) => {
    const x = run(
      (b) => {
        const rax = b.get('RAX');
        const rbx = b.get('RBX');
        b.when(b.get('ZF'), () => {
          const again = b.get('RAX');
          b.when(b.get('CF'), () => {
            b.set('RAX', b.constant(7));
            b.set('RBX', again);
          });
          b.set('RCX', again);
        });
        b.set('RDX', rax);
        b.set('RSI', b.add(rbx, b.constant(100)));
      },
      { RAX: 5n, RBX: 6n, RCX: 0n, ZF: outer, CF: inner },
    );
    const both = outer === 1n && inner === 1n;
    expect([x.get('RAX'), x.get('RBX')]).toEqual(both ? [7n, 5n] : [5n, 6n]);
    expect(x.get('RCX')).toBe(outer === 1n ? 5n : 0n);
    expect([x.get('RDX'), x.get('RSI')]).toEqual([5n, 106n]);
  });

  it('where it was read in a region that is over', () => {
    const x = run(
      (b) => {
        let rax = b.constant(0);
        b.when(b.get('ZF'), () => {
          rax = b.get('RAX');
          b.set('RBX', rax);
        });
        b.when(b.get('CF'), () => b.set('RAX', b.constant(7)));
        b.set('RCX', rax);
      },
      { RAX: 5n, CF: 1n },
    );
    expect([x.get('RAX'), x.get('RBX'), x.get('RCX')]).toEqual([7n, 0n, 5n]);
  });

  it('where the condition itself is set in the region', () => {
    const x = run(
      (b) => {
        const zf = b.get('ZF');
        b.when(zf, () => b.set('ZF', b.constant(0)));
        b.when(zf, () => b.set('RAX', b.constant(1)));
      },
      { ZF: 1n },
    );
    expect([x.get('ZF'), x.get('RAX')]).toEqual([0n, 1n]);
  });

  it('where a helper sets it', () => {
    const helpers: Isa['helpers'] = {
      change(vcpu) {
        vcpu.set('RAX', 9n);
        return 3n;
      },
    };
    const x = run(
      (b) => {
        const before = b.get('RAX');
        const given = b.call('change');
        b.set('RBX', before);
        b.set('RCX', b.get('RAX'));
        b.set('RDX', given);
      },
      { RAX: 5n },
      helpers,
    );
    expect([x.get('RAX'), x.get('RBX'), x.get('RCX'), x.get('RDX')]).toEqual([9n, 5n, 9n, 3n]);
  });

  it.each(['trap', 'read', 'write'] as const)('where the other side of a %s sets it', (road) => {
    const x = new Foreign({
      set0: [
        {
          name: 'sample',
          lift(b) {
            const before = b.get('RAX');
            if (road === 'trap') b.trap('hypercall');
            if (road === 'read') b.read('invented', b.constant(1));
            if (road === 'write') b.write('invented', b.constant(1), b.constant(1));
            b.set('RBX', before);
          },
        },
      ],
    }).put({ RAX: 5n });
    x.meanwhile = () => x.set('RAX', 9n);
    x.load(RAM, x.encode('sample')).run(1);
    expect([x.get('RAX'), x.get('RBX')]).toEqual([9n, 5n]);
  });

  it('the target of a jump, too', () => {
    const x = run(
      (b) => {
        const link = b.get('RBX');
        b.set('RBX', b.constant(b.next));
        b.jump(link);
      },
      { RBX: 0x1234_5678_9abcn },
    );
    expect([x.get('PC'), x.get('RBX')]).toEqual([0x1234_5678_9abcn, RAM + 1n]);
  });
});

describe('variables and regions', () => {
  const classify = (b: Lifter): void => {
    const size = b.variable(b.constant(0));
    b.when(b.lts(b.get('RAX'), b.constant(10)), () => {
      b.assign(size, b.constant(1));
      b.when(b.lts(b.get('RAX'), b.constant(0)), () => {
        b.assign(size, b.sub(size, b.constant(3)));
      });
    });
    b.set('RBX', size);
  };
  it.each([
    [20n, 0n],
    [5n, 1n],
    [-5n, -2n],
  ])('%s is of size %s', (value, size) => {
    expect(run(classify, { RAX: BigInt.asUintN(64, value) }).get('RBX')).toBe(BigInt.asUintN(64, size));
  });

  it('a region is skipped as a whole when its registers make core look up', () => {
    const body = (b: Lifter): void => {
      b.when(b.get('ZF'), () => {
        b.set('LEVEL', b.constant(1));
        b.set('ROOT', b.constant(2));
      });
      b.set('RAX', b.constant(3));
    };
    const not = run(body, { ZF: 0n });
    expect([not.get('LEVEL'), not.get('ROOT'), not.get('RAX')]).toEqual([0n, 0n, 3n]);
    const taken = run(body, { ZF: 1n });
    expect([taken.get('LEVEL'), taken.get('ROOT'), taken.get('RAX')]).toEqual([1n, 2n, 3n]);
    expect(taken.x.v.level).toBe(1);
  });

  it('a condition is not 0 as a whole: its high half counts', () => {
    expect(run((b) => b.when(b.get('RAX'), () => b.set('RBX', b.constant(1))), { RAX: 1n << 32n }).get('RBX')).toBe(1n);
  });
});
