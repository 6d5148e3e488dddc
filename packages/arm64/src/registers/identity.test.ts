/** Identification registers: the silicon's values less what is not modelled. Silicon values from the technical reference manuals. */
import { describe, expect, it } from 'vitest';
import { Fake, type Options, tables } from '../testing/view.ts';
import { affinity } from './identity.ts';

const read = (cpu: string, name: string, options: Options = {}) => new Fake({ cpu, ...options }).read(name);

describe('what a guest reads', () => {
  it.each([
    // A57: 0x411FD070; ID_AA64DFR0 0x10305106; MMFR0 0x1124 without mixed-endian and 16-bit and 64K granules; ISAR0 CRC32 alone.
    ['cortex-a57', 0x411f_d070n, 0x1030_5106n, 0x1_0000n, 0n, 0x0f00_1024n, 0n, 0n],
    ['cortex-a72', 0x410f_d083n, 0x1030_5106n, 0x1_0000n, 0n, 0x0f00_1024n, 0n, 0n],
    // A76: PMUVer 4; CRC32 and atomics; DC CVAP and LDAPR; PAN.
    ['cortex-a76', 0x414f_d0b1n, 0x1030_5408n, 0x21_0000n, 0x10_0001n, 0x0f00_1022n, 0x10_0020n, 0n],
    ['neoverse-n1', 0x414f_d0c1n, 0x1030_5408n, 0x21_0000n, 0x10_0001n, 0x0f00_1025n, 0x10_0020n, 0n],
    // V1: PMUVer 5, no DoubleLock (0xF), SPE and trace hidden; TS 1; LRCPC 2; CCIDX 1.
    [
      'neoverse-v1',
      0x411f_d402n,
      0xf0_1030_5509n,
      0x10_0000_0021_0000n,
      0x20_0001n,
      0x0f00_1025n,
      0x10_0020n,
      0x10_0000n,
    ],
    // N2: PMUVer 6; TS 2; SB 1.
    [
      'neoverse-n2',
      0x410f_d493n,
      0xf0_1030_5609n,
      0x20_0000_0021_0000n,
      0x10_0020_0001n,
      0x0f00_1025n,
      0x10_0020n,
      0x10_0000n,
    ],
    ['max', 0x000f_0510n, 0xf0_1030_5609n, 0x20_0000_0021_0000n, 0x10_0020_0001n, 0x0f00_1025n, 0x10_0020n, 0x10_0000n],
  ] as const)('of a %s', (cpu, midr, dfr0, isar0, isar1, mmfr0, mmfr1, mmfr2) => {
    const names = [
      'MIDR_EL1',
      'ID_AA64DFR0_EL1',
      'ID_AA64ISAR0_EL1',
      'ID_AA64ISAR1_EL1',
      'ID_AA64MMFR0_EL1',
      'ID_AA64MMFR1_EL1',
      'ID_AA64MMFR2_EL1',
    ];
    expect(names.map((name) => read(cpu, name))).toEqual([midr, dfr0, isar0, isar1, mmfr0, mmfr1, mmfr2]);
  });

  it('is AArch64 alone at EL0 and EL1', () => {
    expect(read('cortex-a57', 'ID_AA64PFR0_EL1')).toBe(0x11n);
    // CSV2 and CSV3 stay.
    expect(read('cortex-a76', 'ID_AA64PFR0_EL1')).toBe(0x1100_0000_0000_0011n);
    for (const name of ['ID_PFR0_EL1', 'ID_DFR0_EL1', 'ID_ISAR5_EL1', 'MVFR0_EL1'])
      expect(read('cortex-a57', name)).toBe(0n);
  });
  it('has the host’s EL2 and EL3, and the GIC’s registers, where the settings say so', () => {
    const pfr0 = (settings: NonNullable<Options['settings']>) =>
      new Fake({ cpu: 'cortex-a57', settings }).get('ID_AA64PFR0_EL1');
    expect(pfr0({ levels: 'host' })).toBe(0x1111n);
    expect(pfr0({ gic: 3 })).toBe(0x0100_0011n);
    expect(pfr0({ gic: 2 })).toBe(0x11n);
  });
});

describe('PMUVer', () => {
  const pmuver = (options: Options) => new Fake({ cpu: 'neoverse-n1', ...options }).field('ID_AA64DFR0_EL1', 'PMUVer');
  it('is the CPU’s', () => expect(pmuver({})).toBe(4n));
  it('is 0 under the policy off, unless the personality shows the host’s', () => {
    expect(pmuver({ policy: 'off' })).toBe(0n);
    expect(pmuver({ policy: 'off', settings: { pmuver: 'host' } })).toBe(4n);
  });
  it('is 0 where the personality hides it', () => {
    expect(pmuver({ policy: 'emulated', settings: { pmuver: 'hidden' } })).toBe(0n);
  });
  it('is 0 on a CPU without the feature, and falls with it', () => {
    expect(pmuver({ without: ['pmuv3'] })).toBe(0n);
    expect(pmuver({ without: ['pmuv3p1'] })).toBe(1n);
  });
});

describe('the feature space', () => {
  it('has all 56 registers, reserved ones reading as 0, none for EL0, none writable', () => {
    const rows = Object.entries(tables).filter(
      ([, { at }]) =>
        at !== undefined &&
        at.index >>> 7 === 0xc000 >>> 7 &&
        ((at.index >> 3) & 15) >= 1 &&
        ((at.index >> 3) & 15) <= 7,
    );
    expect(rows.length).toBe(56);
    for (const [name] of rows) {
      expect(new Fake({ level: 0 }).decide(name)).toEqual({ verdict: 'undefined' });
      expect(new Fake().decide(name, 0n)).toEqual({ verdict: 'undefined' });
      if (name.startsWith('S3_')) expect(new Fake().read(name)).toBe(0n);
    }
  });
});

describe('caches', () => {
  it('are selected by CSSELR_EL1', () => {
    const view = new Fake({ cpu: 'cortex-a57' });
    const of = (csselr: bigint) => {
      view.write('CSSELR_EL1', csselr);
      return view.read('CCSIDR_EL1');
    };
    // 32 KiB 2-way, 48 KiB 3-way, 2 MiB 16-way, lines of 64 bytes: sets - 1 in 27:13, ways - 1 in 12:3, log2(line) - 4 in 2:0.
    const geometry = (sets: bigint, ways: bigint) => ((sets - 1n) << 13n) | ((ways - 1n) << 3n) | 2n;
    const low = (v: bigint | string) => (v as bigint) & 0xfff_ffffn;
    expect(low(of(0n))).toBe(geometry(256n, 2n));
    expect(low(of(1n))).toBe(geometry(256n, 3n));
    expect(low(of(2n))).toBe(geometry(2048n, 16n));
    expect(of(4n)).toBe(0n);
  });
});

describe('EL0', () => {
  it('may read DCZID_EL0, which tells whether it may execute DC ZVA', () => {
    const of = (level: 0 | 1, dze: bigint) =>
      new Fake({ level, registers: { SCTLR_EL1: dze << 14n } }).read('DCZID_EL0');
    expect([of(0, 0n), of(0, 1n), of(1, 0n)]).toEqual([0x14n, 4n, 4n]);
    expect(new Fake({ level: 0 }).decide('DCZID_EL0')).toEqual({ verdict: 'direct' });
  });
  it('may not read MIDR_EL1 and its kin', () => {
    for (const name of ['MIDR_EL1', 'MPIDR_EL1', 'REVIDR_EL1', 'AIDR_EL1', 'CLIDR_EL1', 'CCSIDR_EL1']) {
      expect(new Fake({ level: 0 }).decide(name)).toEqual({ verdict: 'undefined' });
    }
  });
});

it('MPIDR_EL1 numbers vCPUs 16 to a cluster', () => {
  const of = (index: number) => new Fake({ index }).read('MPIDR_EL1');
  expect([of(0), of(1), of(15), of(16), of(33)]).toEqual([
    0x8000_0000n,
    0x8000_0001n,
    0x8000_000fn,
    0x8000_0100n,
    0x8000_0201n,
  ]);
  expect(affinity(17)).toBe(0x101n);
});
