/**
 * What Xen on Arm does with every PMU and debug access of a domain without vpmu, row by row at EL1 and EL0: a guest image (pmu-probe) makes each access
 * and prints what happened. The table is Xen's own (arch/arm/arm64/vsysreg.c, do_sysreg; arch/arm/traps.c); none of its rows is read from our code.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asm } from '@countervisor/arm64';
import type { RunJson } from 'countervisor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countervisor, root } from './countervisor.ts';

/** UNDEF: an undefined instruction; a number: read as this, and a write is ignored. */
type Answer = 'UNDEF' | number;
interface Row {
  readonly el0: readonly [read: Answer, write: Answer];
  readonly el1: readonly [read: Answer, write: Answer];
}
const U = 'UNDEF';
const row = (read0: Answer, write0: Answer, read1: Answer, write1: Answer): Row => ({
  el0: [read0, write0],
  el1: [read1, write1],
});

const RAZ_WI = row(U, U, 0, 0);
const NOTHING = row(U, U, U, U);
const numbered = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => name.replace('<n>', `${n}`));

const ROWS: readonly (readonly [names: readonly string[], row: Row])[] = [
  [['PMINTENSET_EL1', 'PMINTENCLR_EL1'], RAZ_WI],
  [['PMUSERENR_EL0'], row(0, U, 0, 0)],
  [['PMCR_EL0', 'PMCNTENSET_EL0', 'PMCNTENCLR_EL0', 'PMOVSCLR_EL0', 'PMOVSSET_EL0', 'PMSELR_EL0'], RAZ_WI],
  [['PMCCNTR_EL0', 'PMXEVTYPER_EL0', 'PMXEVCNTR_EL0'], RAZ_WI],
  // Xen has these as read-as-zero, write-ignored too. The CPU has no instruction that reads the one or writes the others: Xen is never asked.
  [['PMSWINC_EL0'], row(U, U, U, 0)],
  [['PMCEID0_EL0', 'PMCEID1_EL0'], row(U, U, 0, U)],
  [numbered('PMEVCNTR<n>_EL0', 31), NOTHING],
  [numbered('PMEVTYPER<n>_EL0', 31), NOTHING],
  [['PMCCFILTR_EL0', 'PMMIR_EL1'], NOTHING],
  [['MDRAR_EL1'], row(U, U, 0, U)],
  [['OSLAR_EL1'], row(U, U, U, 0)],
  [['OSDLR_EL1', 'MDSCR_EL1'], RAZ_WI],
  [['DBGBVR0_EL1', 'DBGBCR0_EL1', 'DBGWVR0_EL1', 'DBGWCR0_EL1'], RAZ_WI],
  [['DBGBVR1_EL1', 'DBGBCR1_EL1', 'DBGWVR1_EL1', 'DBGWCR1_EL1'], RAZ_WI],
  [['OSLSR_EL1'], row(U, U, 8, U)],
  [['MDCCSR_EL0'], row(0, U, 0, U)],
  // DBGDTRRX_EL0 is DBGDTRTX_EL0 when written.
  [['DBGDTR_EL0', 'DBGDTRRX_EL0'], NOTHING],
  [['DBGPRCR_EL1', 'MDCCINT_EL1', 'OSDTRRX_EL1', 'OSDTRTX_EL1', 'OSECCR_EL1'], NOTHING],
  [['DBGCLAIMSET_EL1', 'DBGCLAIMCLR_EL1', 'DBGAUTHSTATUS_EL1'], NOTHING],
];
const TABLE = new Map(ROWS.flatMap(([names, row]) => names.map((name) => [name, row] as const)));

/** Encodings and the values that the probe writes: op0, op1, CRn, CRm, op2, value. From the guest's own header. */
const header = readFileSync(join(root, 'guests/arm64/registers.h'), 'utf8');
const ENCODINGS = new Map(
  [...header.matchAll(/R\((\w+_EL\d), (\d+), (\d+), (\d+), (\d+), (\d+), (\w+)\)/g)].map(
    ([, name = '', ...numbers]) =>
      [name, numbers.map(Number) as [number, number, number, number, number, number]] as const,
  ),
);
for (let n = 0; n < 31; n++) {
  ENCODINGS.set(`PMEVCNTR${n}_EL0`, [3, 3, 14, 8 + (n >> 3), n & 7, 0x1234]);
  ENCODINGS.set(`PMEVTYPER${n}_EL0`, [3, 3, 14, 12 + (n >> 3), n & 7, 0x8]);
}
const written = (name: string): number => ENCODINGS.get(name)?.[5] ?? Number.NaN;

const hex = (value: number): string => `0x${value.toString(16)}`;
const UNDEFINED = 'ec=0x0 iss=0x0';
/** EC 0x18; ISS: Op0, Op2, Op1, CRn, Rt = X0, CRm, 1 for a read (Arm DDI 0487, D24.2.45). */
function trapped(name: string, write: boolean): string {
  const [op0 = 0, op1 = 0, crn = 0, crm = 0, op2 = 0] = ENCODINGS.get(name) ?? [];
  return `ec=0x18 iss=${hex((op0 << 20) | (op2 << 17) | (op1 << 14) | (crn << 10) | (crm << 1) | (write ? 0 : 1))}`;
}

/** What the probe prints for an answer; after a write it reads back at EL1. */
function printed(name: string, { el0, el1 }: Row, level: string, write: boolean): string {
  const answer = (level === 'EL1' ? el1 : el0)[write ? 1 : 0];
  if (answer === U) return UNDEFINED;
  if (!write) return `value=${hex(answer)}`;
  return `value=${hex(written(name))} after=${el1[0] === U ? '-' : hex(el1[0])}`;
}

type Access = `${string} ${string} ${string}`;
const LEVELS = ['EL1', 'EL0', 'EL0+en'];
const host = ['--host', 'examples/xen-arm-trapped/host.json'];
const PROBE = 'examples/xen-arm-trapped/probe.cfg';

/** What the probe said of each access, by `NAME LEVEL read|write`. */
async function probe(...args: readonly string[]): Promise<Map<Access, string>> {
  const { code, out } = await countervisor(['run', ...args, ...host, '--json', '-q']);
  expect(code).toBe(0);
  const domain = (JSON.parse(out) as RunJson).domains.find(({ name }) => name === 'probe');
  const lines = [...(domain?.console ?? '').matchAll(/^(\w+_EL\d) +(EL\S+) +(read|write) +(\S.*)$/gm)];
  const seen = new Map(
    lines.map(([, name, level, way, what]) => [`${name} ${level} ${way}` as Access, what as string]),
  );
  expect(seen.size).toBe(lines.length);
  return seen;
}

/** Every access of these levels, told by `what`. */
function told(
  levels: readonly string[],
  what: (name: string, level: string, write: boolean) => string,
): Map<Access, string> {
  const all = new Map<Access, string>();
  for (const name of TABLE.keys()) {
    for (const level of levels) {
      for (const write of [false, true])
        all.set(`${name} ${level} ${write ? 'write' : 'read'}`, what(name, level, write));
    }
  }
  return all;
}
const at = (levels: readonly string[], seen: Map<Access, string>): Map<Access, string> =>
  new Map([...seen].filter(([access]) => levels.includes(access.split(' ')[1] as string) && !access.startsWith('ID_')));
const rowOf = (name: string): Row => TABLE.get(name) as Row;

it('the table and the probe have the same registers', () => {
  expect([...TABLE.keys()].sort()).toEqual([...ENCODINGS.keys()].filter((name) => !name.startsWith('ID_')).sort());
  expect(TABLE.size).toBe(17 + 62 + 24);
});

// Xen never writes PMUSERENR_EL0 and PMSELR_EL0: a domain without vpmu has them as the last one with vpmu left them, or as they were at power-on.
let site: string;
beforeAll(() => {
  site = mkdtempSync(join(tmpdir(), 'countervisor-trapped-'));
});
afterAll(() => rmSync(site, { recursive: true, force: true }));

/** A neighbour that leaves these two and powers off, long before the probe's first slice. */
function neighbour(userenr: number, selr: number): string {
  const { hvc, load, msr, program } = asm;
  const { bytes } = program([
    [load('X0', userenr), msr('PMUSERENR_EL0', 'X0')],
    [load('X0', selr), msr('PMSELR_EL0', 'X0')],
    [load('X0', 0x8400_0008), hvc(0)],
  ]);
  writeFileSync(join(site, 'neighbour.bin'), bytes);
  writeFileSync(join(site, 'neighbour.cfg'), 'name = "neighbour"\nkernel = "neighbour.bin"\nvpmu = 1\ncpus = "0"\n');
  return join(site, 'neighbour.cfg');
}

/** Is there such an instruction at EL0, and does PMUSERENR_EL0 decide about it? Six event counters. */
function behindUserenr(name: string, write: boolean): boolean {
  if (!name.startsWith('PM') || !name.endsWith('_EL0') || name === 'PMUSERENR_EL0') return false;
  if (name === 'PMSWINC_EL0') return write;
  return !(name.startsWith('PMCEID') && write) && Number(/^PMEV\D+(\d+)_/.exec(name)?.[1] ?? 0) < 6;
}

describe.each(['neoverse-n1', 'neoverse-n2', 'cortex-a57'])('vpmu = 0 on %s', (cpu) => {
  let shut: Map<Access, string>;
  beforeAll(async () => {
    shut = await probe(neighbour(0, 0), PROBE, '--cpu', cpu);
  });

  it.each(ROWS.map(([names, row]) => [`${names[0]}${names.length > 1 ? ' and its kin' : ''}`, names, row] as const))(
    'EL1: %s',
    (_title, names, row) => {
      for (const name of names) {
        for (const write of [false, true]) {
          const access: Access = `${name} EL1 ${write ? 'write' : 'read'}`;
          expect([access, shut.get(access)]).toEqual([access, printed(name, row, 'EL1', write)]);
        }
      }
    },
  );

  it('ID_AA64DFR0_EL1 shows the host’s PMUVer all the same', () => {
    const shown = shut.get('ID_AA64DFR0_EL1 EL1 read')?.slice(6) ?? '0';
    expect((BigInt(shown) >> 8n) & 15n).toBe({ 'neoverse-n1': 4n, 'neoverse-n2': 6n, 'cortex-a57': 1n }[cpu]);
    expect(shut.get('ID_AA64DFR0_EL1 EL1 write')).toBe(UNDEFINED);
    expect(shut.get('ID_AA64DFR0_EL1 EL0 read')).toBe(UNDEFINED);
  });

  it('EL0, PMUSERENR_EL0 physically 0: accesses go to its own EL1 before Xen hears of them', () => {
    const levels = ['EL0', 'EL0+en'];
    expect(at(levels, shut)).toEqual(
      told(levels, (name, level, write) =>
        behindUserenr(name, write) ? trapped(name, write) : printed(name, rowOf(name), level, write),
      ),
    );
  });

  it('EL0, PMUSERENR_EL0.EN physically 1: every access reaches Xen, and gets the EL0 column', async () => {
    const open = await probe(neighbour(1, 0), PROBE, '--cpu', cpu);
    const column = (name: string, level: string, write: boolean): string => printed(name, rowOf(name), level, write);
    expect(at(LEVELS, open)).toEqual(told(LEVELS, column));
  });

  it('the example as it stands, from power-on: EN = 0 and SW, CR, ER = 1; PMSELR_EL0 = 30', async () => {
    const alone = await probe(PROBE, '--cpu', cpu);
    // These five are open without EN (D24.5.26): Xen makes them undefined.
    const open =
      /^(PMSWINC_EL0 write|PMCCNTR_EL0 read|PMSELR_EL0 (read|write)|PMEVCNTR\d+_EL0 read|PMXEVCNTR_EL0 read)$/;
    expect(at(LEVELS, alone)).toEqual(
      told(LEVELS, (name, level, write) => {
        // The selected counter is none of the six: undefined by the CPU (D24.5.27, D24.5.28), and Xen is not asked.
        if (name.startsWith('PMX')) return UNDEFINED;
        const asked =
          level !== 'EL1' && behindUserenr(name, write) && !open.test(`${name} ${write ? 'write' : 'read'}`);
        return asked ? trapped(name, write) : printed(name, rowOf(name), level, write);
      }),
    );
  });

  it('PMSELR_EL0 = 31: PMXEVTYPER_EL0 is the cycle counter’s filter, and gets its own row; PMXEVCNTR_EL0 is undefined', async () => {
    const cycle = await probe(neighbour(1, 31), PROBE, '--cpu', cpu);
    expect([cycle.get('PMXEVTYPER_EL0 EL1 read'), cycle.get('PMXEVTYPER_EL0 EL1 write')]).toEqual([
      'value=0x0',
      'value=0x8 after=0x0',
    ]);
    expect(cycle.get('PMXEVCNTR_EL0 EL1 read')).toBe(UNDEFINED);
  });

  it('strict hides the PMU, and then there is none', async () => {
    const strict = await probe(neighbour(1, 0), PROBE, '--personality', 'xen-arm:strict', '--cpu', cpu);
    const shown = strict.get('ID_AA64DFR0_EL1 EL1 read')?.slice(6) ?? '0';
    // All but PMUVer is the host's.
    expect(BigInt(shown)).toBe(BigInt(shut.get('ID_AA64DFR0_EL1 EL1 read')?.slice(6) ?? '0') & ~0xf00n);
    expect(at(LEVELS, strict)).toEqual(
      told(LEVELS, (name, level, write) =>
        name.startsWith('PM') ? UNDEFINED : printed(name, rowOf(name), level, write),
      ),
    );
  });
});

describe('vpmu = 1', () => {
  const debug = (seen: Map<Access, string>): [Access, string][] =>
    [...at(LEVELS, seen)].filter(([access]) => !access.startsWith('PM'));

  it('has the same debug rows: TDRA, TDOSA and TDA stay set', async () => {
    const own = debug(await probe(PROBE, 'vpmu=1'));
    expect(own).toEqual(debug(await probe(PROBE)));
    expect(own).toHaveLength(24 * LEVELS.length * 2);
  });

  it.each<[string, string, Readonly<Record<string, string>>]>([
    // HPMN = 0 read as: no event counters. N = 0; bit 31 alone sticks; LC is what the probe leaves set. Xen answers for the selected counter
    // from its table, since the access traps (SEL is not below HPMN).
    [
      'none',
      'the cycle counter',
      {
        'PMCR_EL0 EL1 read': 'value=0x410c0040',
        'PMCNTENSET_EL0 EL1 write': 'value=0xffffffff after=0x80000000',
        'PMOVSSET_EL0 EL1 write': 'value=0xffffffff after=0x80000000',
        'PMINTENSET_EL1 EL1 write': 'value=0xffffffff after=0x80000000',
        'PMSELR_EL0 EL1 write': 'value=0x1f after=0x1f',
        'PMCCNTR_EL0 EL1 write': 'value=0x123456789 after=0x123456789',
        'PMCCFILTR_EL0 EL1 write': 'value=0x80000000 after=0x80000000',
        'PMXEVTYPER_EL0 EL1 write': 'value=0x8 after=0x0',
        'PMEVCNTR0_EL0 EL1 read': UNDEFINED,
        'PMEVTYPER5_EL0 EL1 write': UNDEFINED,
        'PMUSERENR_EL0 EL1 write': 'value=0xf after=0xf',
      },
    ],
    // Read as: all of them.
    [
      'all',
      'all six event counters too',
      {
        'PMCR_EL0 EL1 read': 'value=0x410c3040',
        'PMCNTENSET_EL0 EL1 write': 'value=0xffffffff after=0x8000003f',
        'PMOVSSET_EL0 EL1 write': 'value=0xffffffff after=0x8000003f',
        'PMINTENSET_EL1 EL1 write': 'value=0xffffffff after=0x8000003f',
        'PMXEVTYPER_EL0 EL1 write': 'value=0x8 after=0x8',
        'PMXEVCNTR_EL0 EL1 write': 'value=0x1234 after=0x1234',
        'PMEVCNTR0_EL0 EL1 write': 'value=0x1234 after=0x1234',
        'PMEVTYPER5_EL0 EL1 write': 'value=0x8 after=0x8',
        'PMEVTYPER6_EL0 EL1 write': UNDEFINED,
        'PMEVCNTR3_EL0 EL0+en write': 'value=0x1234 after=0x1234',
      },
    ],
  ])('hpmn0=%s: has %s, for real', async (hpmn0, _what, expected) => {
    const seen = await probe(PROBE, 'vpmu=1', '--set', `hpmn0=${hpmn0}`);
    expect(Object.fromEntries(Object.keys(expected).map((access) => [access, seen.get(access as Access)]))).toEqual(
      expected,
    );
    // PMUSERENR_EL0 is the guest's own: EL0 has what it was given, and traps to EL1 where it was given nothing.
    expect(seen.get('PMCCNTR_EL0 EL0+en read')).toBe('value=0x0');
    expect(seen.get('PMCCNTR_EL0 EL0 read')).toBe(trapped('PMCCNTR_EL0', false));
    expect(seen.get('PMUSERENR_EL0 EL0+en read')).toBe('value=0xf');
    expect(seen.get('PMCEID0_EL0 EL1 read')).toBe('value=0x480af7c1');
  });
});
