/**
 * The manual's facts, a second time: what the tables under `registers/`, `events`, `traps`, `policy` and `switching` say, written apart from them and
 * in other terms, so that a slip in one of the two shows. A real architecture writes this from its manual's descriptions, never from its own tables.
 */
import type { Control, Manual, RegisterFacts } from '@countervisor/contract';

const ALL = 0xffff_ffff_ffff_ffffn;
/** Bits 63:2. */
const WORDS = 0xffff_ffff_ffff_fffcn;
const FOUR = 0xfn;
const PMU = ['PMUSER.EN', 'HCTL.TPM'];

const n4 = (facts: (n: number) => readonly [name: string, facts: RegisterFacts]): Record<string, RegisterFacts> =>
  Object.fromEntries([0, 1, 2, 3].map(facts));

const kernel = (facts: Omit<RegisterFacts, 'levels'>): RegisterFacts => ({ levels: ['kernel', 'kernel'], ...facts });
/** Read at the kernel level, written by nobody. */
const told = (level: 'user' | 'kernel', facts: Omit<RegisterFacts, 'levels'>): RegisterFacts => ({
  levels: [level, 'never'],
  ...facts,
});

const controls: Readonly<Record<string, Control>> = {
  'PMUSER.EN': { register: 'PMUSER', bits: 1n, while: 'clear', levels: ['user'], to: 'kernel' },
  'HCTL.TPM': { register: 'HCTL', bits: 1n, while: 'set', levels: ['user', 'kernel'], to: 'hypervisor' },
};

export const manual: Manual = {
  cpu: 'tiny',
  registers: {
    // R0, PC and LEVEL are set at entry.
    ...Object.fromEntries(
      [1, 2, 3, 4, 5, 6, 7].map((n) => [`R${n}`, { levels: ['user', 'user'], reset: 'unknown', plain: ALL }]),
    ),

    STATUS: kernel({ reset: 0n, plain: 7n }),
    VECTOR: kernel({ reset: 'unknown', plain: WORDS, nonzero: true }),
    EPC: kernel({ reset: 'unknown', plain: WORDS }),
    CAUSE: told('kernel', { reset: 0n, keeps: 0xffff_ffffn }),
    FAULT: told('kernel', { reset: 0n, keeps: ALL }),
    USER_FROM: kernel({ reset: 0n, plain: 0xffff_ffff_ffff_f000n }),
    SCRATCH: kernel({ reset: 'unknown', plain: ALL }),
    TIME: told('user', { keeps: ALL, made: true }),
    HCTL: { levels: ['hypervisor', 'hypervisor'], reset: 0n, plain: 1n },

    PMCTL: kernel({ reset: 0n, plain: 1n, controls: PMU, role: 'global', needs: 'pmu' }),
    PMENSET: kernel({ reset: 0n, sets: FOUR, controls: PMU, role: 'enable', needs: 'pmu' }),
    PMENCLR: kernel({ clears: FOUR, of: 'PMENSET', controls: PMU, role: 'enable', needs: 'pmu' }),
    PMSTAT: kernel({ reset: 0n, clears: FOUR, controls: PMU, role: 'overflow', needs: 'pmu' }),
    PMINTEN: kernel({ reset: 0n, plain: FOUR, controls: PMU, role: 'interrupt', needs: 'pmu' }),
    PMUSER: kernel({ reset: 0n, plain: 1n, controls: ['HCTL.TPM'], role: 'user-access', needs: 'pmu' }),
    PMINC: { levels: ['never', 'user'], reset: 0n, controls: PMU, role: 'counter', needs: 'pmu' },
    ...n4((n) => [
      `PMSEL${n}`,
      kernel({ reset: 0n, plain: 0xe000_00ffn, refuses: 0x1fff_ff00n, controls: PMU, role: 'selector', needs: 'pmu' }),
    ]),
    ...n4((n) => [
      `PMC${n}`,
      {
        levels: ['user', 'kernel'],
        reset: 'unknown',
        plain: 0xffff_ffffn,
        controls: PMU,
        role: 'counter',
        needs: 'pmu',
      },
    ]),
    PMSAMPLE: kernel({ reset: 0n, plain: ALL, controls: PMU, role: 'sampling', needs: 'sample' }),

    CPUID: told('user', { reset: 0x7e01n, keeps: ALL, made: true }),
    PMINFO: told('kernel', {
      reset: 4n,
      keeps: 0x1fn,
      made: true,
      controls: ['HCTL.TPM'],
      role: 'identity',
      needs: 'pmu',
    }),
    // Events 0 to 0x11.
    PMEVENTS: told('kernel', {
      reset: 0x3_ffffn,
      keeps: 0xffff_ffffn,
      made: true,
      controls: ['HCTL.TPM'],
      role: 'identity',
      needs: 'pmu',
    }),
  },
  models: [
    {
      cpu: 'tiny-wide',
      registers: {
        ...n4((n) => [`PMC${n}`, { plain: ALL } as RegisterFacts]),
        PMINFO: { reset: 0x14n },
        CPUID: { reset: 0x7e02n },
      },
    },
  ],
  controls,
  policies: {
    off: { controls: ['HCTL.TPM'], pmu: 'undefined' },
    passthrough: { controls: [], pmu: 'performed' },
    switched: { controls: [], pmu: 'performed' },
    // One bit traps the whole PMU, so whoever wants to see some registers sees them all.
    emulated: { controls: ['HCTL.TPM'], pmu: 'performed' },
    mediated: { controls: ['HCTL.TPM'], pmu: 'performed' },
  },
  events: {
    0: ['increment'],
    1: ['instruction'],
    2: ['cycle'],
    3: ['load'],
    4: ['store'],
    5: ['access'],
    6: ['unaligned'],
    7: ['branch'],
    8: ['taken'],
    9: ['branch-immediate'],
    10: ['call'],
    11: ['return'],
    12: ['exception'],
    13: ['exception-return'],
    14: ['stall-frontend'],
    15: ['stall-backend'],
    16: ['load', 'store'],
    17: ['carry'],
  },
  // PMCTL.E starts the counters: last in, first out, before the freeze.
  order: [
    ['PMENSET', 'PMCTL'],
    ['PMINTEN', 'PMCTL'],
    ['PMUSER', 'PMCTL'],
    ['PMSEL0', 'PMCTL'],
    ['PMSEL1', 'PMCTL'],
    ['PMSEL2', 'PMCTL'],
    ['PMSEL3', 'PMCTL'],
    ['PMSTAT', 'PMINTEN'],
    ['PMC0', 'PMENSET'],
    ['PMC1', 'PMENSET'],
    ['PMC2', 'PMENSET'],
    ['PMC3', 'PMENSET'],
  ],
  carried: [
    'PMCTL',
    'PMENSET',
    'PMINTEN',
    'PMUSER',
    'PMSTAT',
    'PMSAMPLE',
    'PMSEL0',
    'PMSEL1',
    'PMSEL2',
    'PMSEL3',
    'PMC0',
    'PMC1',
    'PMC2',
    'PMC3',
  ],
  calls: [
    { number: 0n, arguments: [], answers: 1n },
    { number: 1n, arguments: [0x2an], answers: 0n },
    { number: 2n, arguments: [7n], answers: { ends: 'poweroff', status: 7 } },
    // No such vCPU; and itself, which is on.
    { number: 3n, arguments: [9n, 0x1000n, 0n], answers: ALL },
    { number: 3n, arguments: [0n, 0x1000n, 0n], answers: ALL },
    { number: 4n, arguments: [], answers: 0n },
    { number: 5n, arguments: [], answers: ALL },
    { number: 0x1_0000_0000n, arguments: [], answers: ALL },
  ],
};
