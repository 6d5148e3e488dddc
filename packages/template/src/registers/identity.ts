/** What this CPU says it is. Constants of the CPU model, derived rather than stored, so no switch has to carry them. */
import type { Register, View } from '@countervisor/contract';
import { control as at } from '../address.ts';
import { events } from '../events.ts';
import { counters, type Level } from '../features.ts';
import type { GroupName } from '../traps.ts';

export type IdentityName = 'CPUID' | 'PMINFO' | 'PMEVENTS';

type Row = Register<IdentityName, Level, GroupName>;

export const identity: Readonly<Record<IdentityName, Row>> = {
  CPUID: {
    at: at(0x30),
    width: 64,
    reset: 0n,
    read: 'user',
    write: 'never',
    fields: { MODEL: { bits: [63, 0], means: 'Number of the CPU model.', write: 'ignored' } },
    derive: (view: View): bigint => view.cpu.identity.CPUID ?? 0n,
  },
  PMINFO: {
    at: at(0x31),
    width: 32,
    reset: 0n,
    read: 'kernel',
    write: 'never',
    role: 'identity',
    traps: ['TPM'],
    needs: 'pmu',
    fields: {
      RESERVED: { bits: [31, 5], means: 'Reserved.', write: 'zero' },
      WIDE: { bits: 4, means: 'Counters have 64 bits, not 32.', write: 'ignored' },
      COUNTERS: { bits: [3, 0], means: 'How many counters there are.', write: 'ignored' },
    },
    derive: (view: View): bigint => BigInt(counters(view)) | (view.cpu.features.has('wide') ? 16n : 0n),
  },
  PMEVENTS: {
    at: at(0x32),
    width: 32,
    reset: 0n,
    read: 'kernel',
    write: 'never',
    role: 'identity',
    traps: ['TPM'],
    needs: 'pmu',
    fields: { N: { bits: [31, 0], means: 'Bit n: the event with number n can be counted.', write: 'ignored' } },
    derive: (): bigint => events.reduce((bits, event) => bits | (1n << BigInt(event.id)), 0n),
  },
};
