/** The access road as a guest walks it, and how it is explained. */
import type { Arch, Register } from '@countervisor/contract';
import { asm, template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import type { EventMap } from '../report/events.ts';
import { type Asked, type Guest, guest, type Line, ran, toUser, vector } from '../testing/guest.ts';

const { label, movi, nop, readreg, syscall, writereg } = asm;

type Changes = Readonly<Record<string, Partial<Register>>>;

/** The template with rows that differ. */
function rows(changes: Changes): Arch {
  const registers: Record<string, unknown> = { ...template.registers };
  for (const [name, change] of Object.entries(changes)) registers[name] = { ...(registers[name] as object), ...change };
  return { ...template, registers } as unknown as Arch;
}

/** What a run told about its accesses to one register. */
function accesses(lines: readonly Line[], register: string, asked: Asked = {}): EventMap['access'][] {
  const g = guest(lines, asked);
  const all: EventMap['access'][] = [];
  g.machine.events.on('access', (e) => {
    if (e.register === register) all.push(e);
  });
  g.run();
  return all;
}

describe('an access is told with its place, verdict and rule', () => {
  const lines = [movi('R2', 7), writereg('PMC0', 'R2'), readreg('R3', 'PMC0')];

  it('direct', () => {
    expect(accesses(lines, 'PMC0', { policy: 'switched' })).toEqual([
      {
        domain: 'a',
        vcpu: 0,
        pc: 0x1004n,
        level: 'kernel',
        register: 'PMC0',
        write: true,
        value: 7n,
        verdict: 'direct',
        rule: 'no trap is armed',
        icount: 1,
      },
      {
        domain: 'a',
        vcpu: 0,
        pc: 0x1008n,
        level: 'kernel',
        register: 'PMC0',
        write: false,
        value: 7n,
        verdict: 'direct',
        rule: 'no trap is armed',
        icount: 2,
      },
    ]);
  });

  it('trapped and performed: the handler gives its reason', () => {
    const rule = 'TPM (HCTL.TPM is 1: registers/control.ts); performed for the guest';
    expect(
      accesses(lines, 'PMC0', { policy: 'emulated' }).map(({ verdict, value, rule }) => [verdict, value, rule]),
    ).toEqual([
      ['trapped', 7n, rule],
      ['trapped', 7n, rule],
    ]);
  });

  it('trapped and refused: no value', () => {
    const [first] = accesses([...vector('on'), ...lines, label('on')], 'PMC0', { policy: 'off' });
    expect(first).toMatchObject({
      verdict: 'trapped',
      write: true,
      rule: 'TPM (HCTL.TPM is 1: registers/control.ts); this domain has no vPMU',
    });
    expect(first).not.toHaveProperty('value');
  });

  it('trapped to its own kernel', () => {
    const [first] = accesses([...vector('on'), ...toUser('user'), readreg('R3', 'PMC0'), label('on')], 'PMC0');
    expect(first).toMatchObject({
      level: 'user',
      verdict: 'trapped',
      rule: 'USER_PMU (PMUSER.EN is 0: registers/pmu.ts)',
    });
  });

  it('undefined and absent', () => {
    const [first] = accesses([...vector('on'), ...toUser('user'), readreg('R3', 'PMCTL'), label('on')], 'PMCTL');
    expect(first).toMatchObject({ level: 'user', verdict: 'undefined', rule: 'PMCTL is not readable at this level' });
    const [second] = accesses([...vector('on'), readreg('R3', 'PMCTL'), label('on')], 'PMCTL', { cpu: 'tiny-none' });
    expect(second).toMatchObject({ verdict: 'absent', rule: 'this CPU has no pmu' });
  });

  it('refused by its row: why, and as what', () => {
    const refused = (
      lines: Line[],
      register: string,
      asked: Asked = { policy: 'switched' },
    ): EventMap['access'] | undefined => accesses([...vector('on'), ...lines, label('on')], register, asked).at(-1);
    const first = refused([movi('R2', 0x100), writereg('PMSEL0', 'R2')], 'PMSEL0');
    expect(first).toMatchObject({ verdict: 'direct', rule: 'no trap is armed; undefined: PMSEL0: bit 8 must be 0' });
    expect(first).not.toHaveProperty('value');
    expect(refused([movi('R2', 0), writereg('VECTOR', 'R2')], 'VECTOR')?.rule).toBe(
      'no trap is armed; undefined: VECTOR does not accept 0x0',
    );
    const arch = rows({ SCRATCH: { view: () => 'undefined' } });
    expect(refused([readreg('R2', 'SCRATCH')], 'SCRATCH', { arch })?.rule).toBe(
      'no trap is armed; undefined: SCRATCH shows no register here',
    );
  });

  it('completed with a value that the handler made up', () => {
    const personalities = {
      plain: {
        ...template.personalities.plain,
        handlers: () => ({ pmu: () => ({ then: 'complete', value: 0x5_0000_0001n, why: 'made up' }) }),
      },
    };
    const arch = { ...template, personalities } as unknown as Arch;
    const all = accesses(lines, 'PMC0', { arch });
    expect(all.map(({ value, rule }) => [value, rule])).toEqual([
      [7n, 'TPM (HCTL.TPM is 1: registers/control.ts); made up'],
      [0x5_0000_0001n, 'TPM (HCTL.TPM is 1: registers/control.ts); made up'],
    ]);
    expect(ran(lines, { arch }).get('R3')).toBe(0x5_0000_0001n);
  });
});

describe('what a row says is done', () => {
  const caught = (lines: readonly Line[], asked: Asked): Guest =>
    ran([...vector('on'), movi('R3', 0x55), ...lines, label('on'), readreg('R7', 'CAUSE')], asked);

  it('a window onto nothing is undefined, for reads and for writes', () => {
    const arch = rows({ SCRATCH: { view: () => 'undefined' } });
    expect(caught([readreg('R3', 'SCRATCH'), movi('R3', 1)], { arch }).all('R3', 'R7')).toEqual([0x55n, 0xd01n]);
    expect(caught([writereg('SCRATCH', 'R3'), movi('R3', 1)], { arch }).all('R3', 'R7')).toEqual([0x55n, 0xe01n]);
  });

  it('a window that is ignored reads as 0 and drops writes', () => {
    const arch = rows({ SCRATCH: { view: () => 'ignored' } });
    expect(caught([writereg('SCRATCH', 'R3'), readreg('R3', 'SCRATCH')], { arch }).all('R3', 'R7')).toEqual([0n, 0n]);
  });

  it('a window may look through another one, with its own fields and bits, and no deeper than five', () => {
    const through = (names: readonly string[]): Changes =>
      Object.fromEntries(names.map((name, i) => [name, { view: () => names[i + 1] ?? 'EPC' }]));
    const lines = [movi('R3', 0x7ff), writereg('SCRATCH', 'R3'), readreg('R4', 'EPC'), readreg('R5', 'SCRATCH')];
    // SCRATCH keeps all bits it is given; as a window, its own mask says which.
    const two = ran(lines, {
      arch: rows({ SCRATCH: { view: () => 'EPC', implemented: () => 0xf0fn } }),
      set: { EPC: 0xf0n },
    });
    expect(two.all('R4', 'R5')).toEqual([(0x7ffn & 0xf0fn) | 0xf0n, 0x70fn]);
    const chain = rows(through(['SCRATCH', 'FAULT', 'CAUSE']));
    expect(ran(lines, { arch: chain }).all('R4', 'R5')).toEqual([0x7ffn, 0x7ffn]);
    const round = rows({ SCRATCH: { view: () => 'FAULT' }, FAULT: { view: () => 'SCRATCH' } });
    expect(() => ran([writereg('SCRATCH', 'R3')], { arch: round })).toThrow('SCRATCH is a window onto itself');
  });

  it('a refusal by the row is its exception, and nothing has changed', () => {
    const arch = rows({
      SCRATCH: { accepts: (_view, value) => (value > 9n ? { refuse: 'privileged', syndrome: 0x77n } : value + 1n) },
    });
    const g = caught([movi('R4', 5), writereg('SCRATCH', 'R4'), movi('R4', 10), writereg('SCRATCH', 'R4'), nop()], {
      arch,
    });
    expect(g.all('SCRATCH', 'R7')).toEqual([6n, 0x7702n]);
    const bare = rows({ SCRATCH: { accepts: () => ({ refuse: 'privileged' }) } });
    expect(caught([writereg('SCRATCH', 'R4')], { arch: bare }).get('R7')).toBe(2n);
  });

  it('`wrote` comes last, with the value as it was written and as it was', () => {
    const calls: unknown[] = [];
    const arch = rows({
      SCRATCH: {
        accepts: () => 40n,
        wrote: (vcpu, written, before) => void calls.push([vcpu.get('SCRATCH'), written, before]),
      },
    });
    caught([movi('R4', 5), writereg('SCRATCH', 'R4'), writereg('SCRATCH', 'R4')], { arch, set: { SCRATCH: 3n } });
    expect(calls).toEqual([
      [40n, 5n, 3n],
      [40n, 5n, 40n],
    ]);
  });

  it("an action is the access, and only the guest's: raw reads have none", () => {
    let reads = 0;
    const written: bigint[] = [];
    const arch = rows({
      FAULT: {
        width: 32,
        fields: { ADDRESS: { bits: [31, 0], means: 'x' } },
        write: 'kernel',
        action: { read: () => BigInt(++reads) + 2n ** 40n, write: (_, value) => void written.push(value) },
      },
    });
    const g = caught([readreg('R3', 'FAULT'), readreg('R4', 'FAULT'), movi('R5', -1), writereg('FAULT', 'R5')], {
      arch,
    });
    expect(g.all('R3', 'R4')).toEqual([1n, 2n]);
    expect(written).toEqual([0xffff_ffffn]);
    expect([g.get('FAULT'), reads]).toEqual([0n, 2]);
  });

  it('bits that do not exist read as 0 and keep what stands there', () => {
    let bits = 0xffn;
    const arch = rows({ SCRATCH: { implemented: () => bits } });
    const g = ran([movi('R3', 0x1234), writereg('SCRATCH', 'R3'), readreg('R4', 'SCRATCH')], {
      arch,
      set: { SCRATCH: 0xf000n },
    });
    expect(g.get('R4')).toBe(0x34n);
    bits = -1n;
    expect(g.get('SCRATCH')).toBe(0xf034n);
  });

  it('a derived register has no stored value: a write is dropped', () => {
    const arch = rows({ CPUID: { write: 'kernel', fields: { MODEL: { bits: [63, 0], means: 'x' } } } });
    expect(ran([movi('R3', 1), writereg('CPUID', 'R3'), readreg('R4', 'CPUID')], { arch }).get('R4')).toBe(0x7e01n);
  });

  it('a value is cut to the width of its register', () => {
    const arch = rows({ SCRATCH: { width: 16, reset: 0n, fields: { VALUE: { bits: [15, 0], means: 'x' } } } });
    expect(ran([movi('R3', -2), writereg('SCRATCH', 'R3'), readreg('R4', 'SCRATCH')], { arch }).get('R4')).toBe(
      0xfffen,
    );
  });
});

describe('a register that no table declares', () => {
  it('is undefined, and said by name with a row to paste', () => {
    const g = guest([...vector('on'), readreg('R3', 0x1234), label('on'), readreg('R7', 'CAUSE')]);
    const told: EventMap['diagnostic'][] = [];
    g.machine.events.on('diagnostic', (e) => told.push(e));
    g.run();
    expect(g.get('R7')).toBe(0xd01n);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({
      domain: 'a',
      code: 'CV_UNKNOWN_REGISTER',
      message: 'template: the guest read control(0x1234) at pc 0x1008 (kernel), which no table declares.',
    });
    expect(told[0]?.remedy).toContain('packages/template/src/registers:\nCONTROL_1234: { at: control(0x1234)');
  });

  it('may do nothing where the architecture has it so: a write is dropped, a read gives what it says, and both retire', () => {
    const register: Arch['isa']['faults']['register'] = (view, { write }) => ({ ignored: write ? 0n : view.get('R4') });
    const isa = { ...template.isa, faults: { ...template.isa.faults, register } };
    const arch = { ...rows({ SCRATCH: { read: 'never' } }), isa } as unknown as Arch;
    const lines = [
      movi('R3', 5),
      movi('R4', 9),
      writereg(0x1234, 'R3'),
      readreg('R5', 0x1234),
      readreg('R6', 'SCRATCH'),
    ];
    const g = ran(lines, { arch });
    expect(g.all('R3', 'R5', 'R6')).toEqual([5n, 9n, 9n]);
    // The two that no table declares are told all the same, and the program ends as it does without them.
    expect(g.said.map((line) => line.split(' ')[0])).toEqual(['CV_UNKNOWN_REGISTER', 'CV_UNKNOWN_REGISTER']);
    expect(g.v.instructions).toBe(ran(lines.slice(0, 2), { arch }).v.instructions + 3);
  });

  it('says the same once, another place again', () => {
    const g = ran([
      ...vector('skip'),
      movi('R5', 3),
      label('again'),
      writereg(0x99, 'R3'),
      asm.addi('R5', 'R5', -1),
      asm.bnez('R5', 'again'),
      readreg('R3', 0x99),
      asm.jump('end'),
      label('skip'),
      readreg('R6', 'EPC'),
      asm.addi('R6', 'R6', 4),
      writereg('EPC', 'R6'),
      asm.sysret(),
      label('end'),
    ]);
    expect(g.said.map((s) => s.slice(0, 90))).toEqual(
      [
        'CV_UNKNOWN_REGISTER template: the guest wrote control(0x99) at pc 0x100c (kernel), which no',
        'CV_UNKNOWN_REGISTER template: the guest read control(0x99) at pc 0x1018 (kernel), which no ',
      ].map((s) => s.slice(0, 90)),
    );
  });

  it('is described by space and number where the architecture has no words of its own', () => {
    const { describe: _, ...arch } = template;
    const g = ran([...vector('on'), readreg('R3', 0x1234), label('on')], { arch: arch as Arch });
    expect(g.said[0]).toContain('the guest read control(0x1234) at pc 0x1008');
  });

  it('at the user level as well', () => {
    const g = ran([...vector('on'), ...toUser('user'), readreg('R3', 0x1234), syscall(0), label('on')]);
    expect(g.said[0]).toContain('(user), which no table declares');
  });
});
