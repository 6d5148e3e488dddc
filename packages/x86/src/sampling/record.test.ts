/**
 * One record of each format, byte for byte. The bytes were laid out by hand from the manual's tables (SDM volume 3: 20-3, 20-13, 20-23, 20-34, 20-69; 20.9.2.2),
 * with a value in each register that says which one it is; they are not made by any code of this package.
 */
import type { View } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { LOADS } from '../events.ts';
import { type Facts, record } from './record.ts';

const REGISTERS: Readonly<Record<string, bigint>> = {
  RAX: 0x1111_1111_0000_00a0n,
  RBX: 0x1111_1111_0000_00b0n,
  RCX: 0x1111_1111_0000_00c0n,
  RDX: 0x1111_1111_0000_00d0n,
  RSI: 0x1111_1111_0000_0051n,
  RDI: 0x1111_1111_0000_00d1n,
  RBP: 0x1111_1111_0000_00b9n,
  RSP: 0x1111_1111_0000_0059n,
  ...Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`R${n + 8}`, 0x2222_2222_0000_0000n + BigInt(n + 8)])),
  RFLAGS: 0x246n,
  EFER: 0x500n,
  LBR_TOS: 1n,
  LBR_FROM_1: 0x40_1000n,
  LBR_TO_1: 0x40_2000n,
  LBR_INFO_1: 0x7n,
  LBR_FROM_0: 0x40_3000n,
  LBR_TO_0: 0x40_4000n,
  LBR_INFO_0: 0x9n,
};

function view(perfmon: string, more: Readonly<Record<string, bigint>> = {}, dtes64 = true): View {
  return {
    get: (name: string) => more[name] ?? REGISTERS[name] ?? 0n,
    cpu: { settings: { perfmon, tsc: 1000 }, features: new Set(dtes64 ? ['dtes64'] : []) },
    now: 0x5566n,
  } as unknown as View;
}

const facts = (more: Partial<Facts> = {}): Facts => ({
  retired: {
    pc: 0x40_00aan,
    next: 0x40_00adn,
    level: 1,
    name: 'MOV',
    access: { address: 0xffff_8000_1234_5678n, size: 8, write: false },
  },
  counters: 1n,
  events: [LOADS],
  status: 0x4000_0000_0000_0001n,
  groups: 0n,
  ...more,
});

const hex = (bytes: Uint8Array): string[] => {
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; at += 8) {
    rows.push([...bytes.subarray(at, at + 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' '));
  }
  return rows;
};

const FLAGS = '46 02 00 00 00 00 00 00';
const NEXT = 'ad 00 40 00 00 00 00 00';
const HIGH = [
  '08 00 00 00 22 22 22 22',
  '09 00 00 00 22 22 22 22',
  '0a 00 00 00 22 22 22 22',
  '0b 00 00 00 22 22 22 22',
  '0c 00 00 00 22 22 22 22',
  '0d 00 00 00 22 22 22 22',
  '0e 00 00 00 22 22 22 22',
  '0f 00 00 00 22 22 22 22',
];
/** Flags, IP of the next instruction, AX BX CX DX SI DI BP SP, R8 to R15. */
const PREFIX = [
  FLAGS,
  NEXT,
  'a0 00 00 00 11 11 11 11',
  'b0 00 00 00 11 11 11 11',
  'c0 00 00 00 11 11 11 11',
  'd0 00 00 00 11 11 11 11',
  '51 00 00 00 11 11 11 11',
  'd1 00 00 00 11 11 11 11',
  'b9 00 00 00 11 11 11 11',
  '59 00 00 00 11 11 11 11',
  ...HIGH,
];
const STATUS = '01 00 00 00 00 00 00 40';
const ADDRESS = '78 56 34 12 00 80 ff ff';
const ONE = '01 00 00 00 00 00 00 00';
const ZERO = '00 00 00 00 00 00 00 00';
const EVENTING = 'aa 00 40 00 00 00 00 00';
const TSC = '66 55 00 00 00 00 00 00';

describe('a record', () => {
  it.each<[string, View, Facts, readonly string[], number]>([
    ['of format 0', view('core2'), facts(), PREFIX, 144],
    [
      'of format 1: status, data address, source, latency',
      view('nehalem'),
      facts(),
      [...PREFIX, STATUS, ADDRESS, ONE, ONE],
      176,
    ],
    [
      'of format 2: the eventing address, and nothing of transactions',
      view('haswell'),
      facts(),
      [...PREFIX, STATUS, ADDRESS, ONE, ONE, EVENTING, ZERO],
      192,
    ],
    [
      'of Silvermont: no data address',
      view('silvermont'),
      facts(),
      [...PREFIX, STATUS, ZERO, ZERO, ZERO, EVENTING, ZERO],
      192,
    ],
    [
      'of format 3: applicable counters for the status, and the time stamp',
      view('skylake'),
      facts({ counters: 0b101n }),
      [...PREFIX, '05 00 00 00 00 00 00 00', ADDRESS, ONE, ONE, EVENTING, ZERO, TSC],
      200,
    ],
    [
      'of an instruction that its event says nothing of: no data address',
      view('skylake'),
      facts({ events: [0xc0] }),
      [...PREFIX, ONE, ZERO, ZERO, ZERO, EVENTING, ZERO, TSC],
      200,
    ],
    [
      'outside IA-32e mode: upper halves and R8 to R15 are 0',
      view('core2', { EFER: 0n }),
      facts(),
      [
        FLAGS,
        NEXT,
        'a0 00 00 00 00 00 00 00',
        'b0 00 00 00 00 00 00 00',
        'c0 00 00 00 00 00 00 00',
        'd0 00 00 00 00 00 00 00',
        '51 00 00 00 00 00 00 00',
        'd1 00 00 00 00 00 00 00',
        'b9 00 00 00 00 00 00 00',
        '59 00 00 00 00 00 00 00',
        ...HIGH.map(() => ZERO),
      ],
      144,
    ],
    [
      'of a debug store with 32-bit addresses',
      view('core2', { EFER: 0n }, false),
      facts(),
      [
        '46 02 00 00 ad 00 40 00',
        'a0 00 00 00 b0 00 00 00',
        'c0 00 00 00 d0 00 00 00',
        '51 00 00 00 d1 00 00 00',
        'b9 00 00 00 59 00 00 00',
      ],
      40,
    ],
    // Adaptive: size 63:48 and groups in the first word.
    [
      'of format 4: the basic group',
      view('icelake-server'),
      facts(),
      ['00 00 00 00 00 00 20 00', EVENTING, ONE, TSC],
      32,
    ],
    [
      'with the memory group',
      view('icelake-server'),
      facts({ groups: 1n }),
      ['01 00 00 00 00 00 40 00', EVENTING, ONE, TSC, ADDRESS, ONE, ONE, ZERO],
      64,
    ],
    [
      'with the register group: AX CX DX BX SP BP SI DI',
      view('icelake-server'),
      facts({ groups: 2n }),
      [
        '02 00 00 00 00 00 b0 00',
        EVENTING,
        ONE,
        TSC,
        FLAGS,
        NEXT,
        'a0 00 00 00 11 11 11 11',
        'c0 00 00 00 11 11 11 11',
        'd0 00 00 00 11 11 11 11',
        'b0 00 00 00 11 11 11 11',
        '59 00 00 00 11 11 11 11',
        'b9 00 00 00 11 11 11 11',
        '51 00 00 00 11 11 11 11',
        'd1 00 00 00 11 11 11 11',
        ...HIGH,
      ],
      176,
    ],
    [
      'with the XMM group: zeros without SSE',
      view('icelake-server'),
      facts({ groups: 4n }),
      ['04 00 00 00 00 00 20 01', EVENTING, ONE, TSC, ...new Array<string>(32).fill(ZERO)],
      288,
    ],
    [
      'with three last branches of which two were: the youngest first',
      view('icelake-server'),
      facts({ groups: 8n | (2n << 24n) }),
      [
        '08 00 00 02 00 00 68 00',
        EVENTING,
        ONE,
        TSC,
        '00 10 40 00 00 00 00 00',
        '00 20 40 00 00 00 00 00',
        '07 00 00 00 00 00 00 00',
        '00 30 40 00 00 00 00 00',
        '00 40 40 00 00 00 00 00',
        '09 00 00 00 00 00 00 00',
        ZERO,
        ZERO,
        ZERO,
      ],
      104,
    ],
    [
      'of format 5, with memory and eight last branches: 32 + 32 + 144 + 192 bytes',
      view('sapphire-rapids', { IA32_LBR_DEPTH: 32n }),
      facts({ groups: 0x0700_000bn }),
      [],
      400,
    ],
  ])('%s', (_what, from, about, expected, bytes) => {
    const made = record(from, about);
    expect(made.length).toBe(bytes);
    if (expected.length > 0) expect(hex(made)).toEqual(expected);
  });
});
