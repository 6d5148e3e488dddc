/**
 * Events: what a selector's number means, in neutral signals. The PMU implements no events: instructions emit signals (`isa/instructions`), an event
 * names signals, and core adds. Amounts add up: an event may name two signals, or one twice.
 */
import type { PmuEvent } from '@countervisor/contract';

export type EventName =
  | 'INCREMENT'
  | 'INSTRUCTIONS'
  | 'CYCLES'
  | 'LOADS'
  | 'STORES'
  | 'ACCESSES'
  | 'UNALIGNED'
  | 'BRANCHES'
  | 'TAKEN'
  | 'IMMEDIATE_BRANCHES'
  | 'CALLS'
  | 'RETURNS'
  | 'EXCEPTIONS'
  | 'EXCEPTION_RETURNS'
  | 'STALL_FRONTEND'
  | 'STALL_BACKEND'
  | 'MEMORY'
  | 'CARRY';

export const EVENT_IDS: Readonly<Record<EventName, number>> = {
  INCREMENT: 0x00,
  INSTRUCTIONS: 0x01,
  CYCLES: 0x02,
  LOADS: 0x03,
  STORES: 0x04,
  ACCESSES: 0x05,
  UNALIGNED: 0x06,
  BRANCHES: 0x07,
  TAKEN: 0x08,
  IMMEDIATE_BRANCHES: 0x09,
  CALLS: 0x0a,
  RETURNS: 0x0b,
  EXCEPTIONS: 0x0c,
  EXCEPTION_RETURNS: 0x0d,
  STALL_FRONTEND: 0x0e,
  STALL_BACKEND: 0x0f,
  MEMORY: 0x10,
  CARRY: 0x11,
};

const event = (name: EventName, means: string, ...counts: PmuEvent['counts']): PmuEvent => ({
  id: EVENT_IDS[name],
  name,
  means,
  counts,
});

export const events: readonly PmuEvent[] = [
  event('INCREMENT', 'Writes of PMINC with the bit of this counter.', 'increment'),
  event('INSTRUCTIONS', 'Instructions retired.', 'instruction'),
  event('CYCLES', 'Cycles, by the cost table.', 'cycle'),
  event('LOADS', 'Instructions that loaded.', 'load'),
  event('STORES', 'Instructions that stored.', 'store'),
  event('ACCESSES', 'Data memory accesses.', 'access'),
  event('UNALIGNED', 'Instructions whose access was not aligned to its size.', 'unaligned'),
  event('BRANCHES', 'Branches retired, taken or not.', 'branch'),
  event('TAKEN', 'Branches retired and taken.', 'taken'),
  event('IMMEDIATE_BRANCHES', 'Branches to a constant target.', 'branch-immediate'),
  event('CALLS', 'Branches that left a return address.', 'call'),
  event('RETURNS', 'Returns from a call.', 'return'),
  event('EXCEPTIONS', 'Exceptions taken, at the level they were taken from.', 'exception'),
  event('EXCEPTION_RETURNS', 'Returns from an exception, at the level they left.', 'exception-return'),
  event('STALL_FRONTEND', 'Cycles lost fetching, by the cost table.', 'stall-frontend'),
  event('STALL_BACKEND', 'Cycles beyond the first of an instruction, by the cost table.', 'stall-backend'),
  event('MEMORY', 'Instructions that loaded or stored.', 'load', 'store'),
  event('CARRY', 'Carries out of the even counter below this one.', 'carry'),
];
