/**
 * The tables against a second list: which special-purpose registers kvm-unit-tests' powerpc/sprs.c knows on each model, how wide they are and who may touch
 * them, beside the performance monitor's.
 */
import { describe, expect, it } from 'vitest';
import { cpus } from '../features.ts';
import { ppc64 } from '../index.ts';
import { control } from './control.ts';
import { general } from './general.ts';
import type { Row } from './row.ts';
import { timer } from './timer.ts';

type Fact = readonly [number: number, name: string, width: number, access: string];

/** Access: p problem, o operating system, h hypervisor; r and w. 'pr' is read by everybody, 'ow' written by the system. */
const COMMON: readonly Fact[] = [
  [1, 'XER', 64, 'prw'],
  [8, 'LR', 64, 'prw'],
  [9, 'CTR', 64, 'prw'],
  [18, 'DSISR', 32, 'orw'],
  [19, 'DAR', 64, 'orw'],
  [26, 'SRR0', 64, 'orw'],
  [27, 'SRR1', 64, 'orw'],
  [268, 'TB', 64, 'pr'],
  [269, 'TBU', 32, 'pr'],
  [272, 'SPRG0', 64, 'orw'],
  [273, 'SPRG1', 64, 'orw'],
  [274, 'SPRG2', 64, 'orw'],
  [275, 'SPRG3', 64, 'orw'],
  [287, 'PVR', 32, 'or'],
  [136, 'CTRL', 32, 'pr'],
  [152, 'CTRL', 32, 'ow'],
  [259, 'SPRG3', 64, 'pr'],
  [284, 'TBL', 32, 'hw'],
  [285, 'TBU', 32, 'hw'],
  [1023, 'PIR', 32, 'or'],
];
const V2_01: readonly Fact[] = [
  [25, 'SDR1', 64, 'or'],
  [29, 'ACCR', 64, 'orw'],
  [1013, 'DABR', 64, 'or'],
];
const POWER: readonly Fact[] = [
  [3, 'DSCR', 64, 'prw'],
  [13, 'AMR', 64, 'prw'],
  [17, 'DSCR', 64, 'orw'],
  [28, 'CFAR', 64, 'orw'],
  [29, 'AMR', 64, 'orw'],
  [61, 'IAMR', 64, 'orw'],
  [153, 'FSCR', 64, 'orw'],
  [157, 'UAMOR', 64, 'orw'],
  [159, 'PSPB', 32, 'orw'],
  [180, 'DAWR0', 64, 'hrw'],
  [186, 'RPR', 64, 'hrw'],
  [187, 'CIABR', 64, 'hrw'],
  [188, 'DAWRX0', 32, 'hrw'],
  [190, 'HFSCR', 64, 'hrw'],
  [256, 'VRSAVE', 32, 'prw'],
  [286, 'TBU40', 64, 'hw'],
  [304, 'HSPRG0', 64, 'hrw'],
  [305, 'HSPRG1', 64, 'hrw'],
  [306, 'HDSISR', 32, 'hrw'],
  [307, 'HDAR', 64, 'hrw'],
  [308, 'SPURR', 64, 'or'],
  [309, 'PURR', 64, 'or'],
  [313, 'HRMOR', 64, 'hrw'],
  [314, 'HSRR0', 64, 'hrw'],
  [315, 'HSRR1', 64, 'hrw'],
  [318, 'LPCR', 64, 'hrw'],
  [319, 'LPIDR', 32, 'hrw'],
  [336, 'HMER', 64, 'hrw'],
  [337, 'HMEER', 64, 'hrw'],
  [338, 'PCR', 64, 'hrw'],
  [349, 'AMOR', 64, 'hrw'],
  [446, 'TIR', 64, 'or'],
  [800, 'BESCRS', 64, 'prw'],
  [801, 'BESCRSU', 32, 'prw'],
  [802, 'BESCRR', 64, 'prw'],
  [803, 'BESCRRU', 32, 'prw'],
  [804, 'EBBHR', 64, 'prw'],
  [805, 'EBBRR', 64, 'prw'],
  [806, 'BESCR', 64, 'prw'],
  [815, 'TAR', 64, 'prw'],
  [849, 'VTB', 64, 'or'],
  [896, 'PPR', 64, 'prw'],
  [898, 'PPR32', 32, 'prw'],
];
const V2_07: readonly Fact[] = [
  [177, 'DHDES', 64, 'hrw'],
  [283, 'CIR', 32, 'or'],
  [312, 'RMOR', 64, 'hrw'],
  [339, 'HEIR', 32, 'hrw'],
];
const V3: readonly Fact[] = [
  [22, 'DEC', 64, 'orw'],
  [48, 'PIDR', 32, 'orw'],
  [310, 'HDEC', 64, 'hrw'],
  [464, 'PTCR', 64, 'hrw'],
  [799, 'IMC', 64, 'hrw'],
  [816, 'ASDR', 64, 'hrw'],
  [823, 'PSSCR', 64, 'orw'],
  [851, 'MMCRC', 32, 'hrw'],
  [855, 'PSSCR', 64, 'hrw'],
  [881, 'TRIG1', 64, 'ow'],
  [882, 'TRIG2', 64, 'ow'],
  [884, 'PMCR', 64, 'hrw'],
  [895, 'WORT', 64, 'orw'],
  [1006, 'TRACE', 64, 'pw'],
];
const V3_0: readonly Fact[] = [
  [144, 'TIDR', 64, 'orw'],
  [283, 'CIR', 32, 'or'],
  [339, 'HEIR', 32, 'hrw'],
];
const V3_1: readonly Fact[] = [
  [181, 'DAWR1', 64, 'hrw'],
  [189, 'DAWRX1', 32, 'hrw'],
  [455, 'HDEXCR', 32, 'pr'],
  [468, 'HASHKEYR', 64, 'orw'],
  [469, 'HASHPKEYR', 64, 'hrw'],
  [471, 'HDEXCR', 64, 'hrw'],
  [812, 'DEXCR', 32, 'pr'],
  [828, 'DEXCR', 64, 'orw'],
];

const MODELS: Readonly<Record<string, readonly Fact[]>> = {
  '970': [...COMMON, ...V2_01],
  power8: [...COMMON, ...POWER, ...V2_07],
  power9: [...COMMON, ...POWER, ...V3, ...V3_0],
  power10: [...COMMON, ...POWER, ...V3, ...V3_1],
};

const LEVEL = { p: 'problem', o: 'supervisor', h: 'hypervisor' } as const;
const rows = Object.entries(ppc64.registers as Readonly<Record<string, Row>>);

/** The row that a model has under a number. */
function rowAt(cpu: string, number: number): readonly [string, Row] | undefined {
  const features = cpus[cpu]?.features ?? [];
  return rows.find(
    ([, { at, needs }]) =>
      at?.space === 'spr' && at.index === number && (needs === undefined || features.includes(needs)),
  );
}

describe.each(Object.entries(MODELS))('registers of a %s', (cpu, facts) => {
  it.each(facts)('%i %s: %i bits, %s', (number, _name, width, access) => {
    const found = rowAt(cpu, number);
    expect(found).toBeDefined();
    const [, row] = found as readonly [string, Row];
    const level = LEVEL[access[0] as keyof typeof LEVEL];
    expect(row.width).toBe(width);
    if (access.includes('r')) expect(row.read).toBe(level);
    // Time base and its kin are the hypervisor's to write: a guest's write of them is none.
    if (access.includes('w')) expect(level === 'hypervisor' ? ['hypervisor'] : [level]).toContain(row.write);
    else expect(['never', 'hypervisor']).toContain(row.write);
    if (access === 'hw' || access === 'ow' || access === 'pw') expect(row.read).toBe('never');
  });

  it('and others it has not', () => {
    const mine = new Set(facts.map(([number]) => number));
    const other = Object.values(MODELS).flatMap((list) => list.map(([number]) => number));
    const here = other.filter((number) => !mine.has(number) && rowAt(cpu, number) !== undefined);
    // A 970 has a vector facility and a hypervisor decrementer; from 3.1 on CIR and HEIR are stored all the same.
    const known: Readonly<Record<string, readonly number[]>> = {
      '970': [22, 256, 310],
      power8: [22, 310, 895],
      power9: [177, 312],
      power10: [177, 283, 312, 339],
    };
    expect([...new Set(here)].sort((a, b) => a - b)).toEqual(known[cpu]);
  });
});

describe('rows', () => {
  it('a name without an address is reached by instructions alone', () => {
    const here = Object.entries({ ...general, ...control, ...timer });
    const hidden = here.filter(([, { at }]) => at === undefined).map(([name]) => name);
    expect(hidden.filter((name) => !/^(GPR|CR|RESERVE)/.test(name)).sort()).toEqual([
      'CA',
      'CA32',
      'CTRL',
      'DEC_ARMED',
      'DEC_PENDING',
      'DEC_ZERO',
      'MSR',
      'NIA',
      'OV',
      'OV32',
      'SO',
      'TRACE_DUE',
      'TRACE_PC',
      'XER_COUNT',
    ]);
  });
  it('a privileged number has the privileged bit: mfspr of problem state tells from it', () => {
    for (const [name, { at, read, write }] of rows) {
      if (at?.space !== 'spr') continue;
      const privileged = read !== 'problem' && write !== 'problem';
      expect([name, (at.index & 0x10) !== 0]).toEqual([name, privileged]);
    }
  });
});
