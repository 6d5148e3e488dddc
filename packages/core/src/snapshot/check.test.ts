/** States that are another machine's, or none at all. */
import { asm } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import type { Machine } from '../machine.ts';
import { beside, CONSOLE, guest, type Line, times } from '../testing/guest.ts';
import { type MachineState, restore, state } from './state.ts';

const lines: readonly Line[] = [asm.movi('R3', CONSOLE), asm.store('R3', 'R3', 0), ...times(60, asm.nop())];

const text = (s: MachineState): string => JSON.stringify(s, (_, v) => (typeof v === 'bigint' ? `${v}n` : v));

/** Four domains, the first one with two vCPUs. */
function machine(): Machine {
  const a = guest(lines, { vcpus: 2, slice: 3, pcpus: 2 });
  for (const policy of ['switched', 'emulated', 'mediated'] as const) beside(a.machine, policy, lines, { policy });
  return a.machine;
}

describe('refused before anything changes', () => {
  const saved = (): MachineState => {
    const m = machine();
    m.run({ until: 40 });
    return state(m);
  };
  // biome-ignore lint/suspicious/noExplicitAny: tests write what no type allows
  type Any = any;
  const refusal = (m: Machine, s: unknown): string => {
    const before = text(state(m));
    let message = '';
    try {
      restore(m, s as MachineState);
    } catch (error) {
      expect((error as { code?: string }).code).toBe('CV_STATE');
      message = (error as Error).message;
    }
    expect(text(state(m)), 'unchanged').toBe(before);
    return message;
  };

  // A block: 38 registers and 19 slots of the bank, 8 bytes each, to the next multiple of 64.
  it.each<[string, (s: Any) => void, string]>([
    ['another contract', (s) => (s.contract = 99), 'This state has 99 at contract; this machine has 1.'],
    ['another architecture', (s) => (s.arch = 'other'), 'This state has other at arch; this machine has template.'],
    ['another CPU', (s) => (s.cpu = 'tiny-wide'), 'This state has tiny-wide at cpu; this machine has tiny.'],
    [
      'another personality',
      (s) => (s.personality = 'xen'),
      'This state has xen at personality; this machine has plain.',
    ],
    ['another mode', (s) => (s.mode = 'strict'), 'This state has strict at mode; this machine has compat.'],
    ['fewer physical CPUs', (s) => s.pcpus.pop(), 'This state has 1 entries at pcpus, where 2 belong.'],
    ['more domains', (s) => s.domains.push(s.domains[0]), 'This state has 5 entries at domains, where 4 belong.'],
    ['other vCPUs', (s) => s.domains[0].vcpus.pop(), 'This state has 1 entries at domains[0].vcpus, where 2 belong.'],
    [
      'a domain of another name',
      (s) => (s.domains[3].name = 'x'),
      'This state has x at domains[3].name; this machine has mediated.',
    ],
    [
      'another policy',
      (s) => (s.domains[1].policy = 'off'),
      'This state has off at domains[1].policy; this machine has switched.',
    ],
    [
      'another size of memory',
      (s) => (s.domains[0].memory = 131072),
      'This state has 131072 at domains[0].memory; this machine has 65536.',
    ],
    [
      'blocks of another size',
      (s) => (s.domains[2].blocks += '00'),
      'This state holds 513 bytes at domains[2].blocks, where 512 belong.',
    ],
    [
      'blocks that are no bytes',
      (s) => (s.domains[2].blocks = s.domains[2].blocks.replace('0', 'x')),
      'This state has a text of 1024 characters at domains[2].blocks, not hexadecimal bytes.',
    ],
    [
      'half a byte on the console',
      (s) => (s.domains[0].console = '4'),
      'This state has 4 at domains[0].console, not hexadecimal bytes.',
    ],
    [
      'a page beyond the memory',
      (s) => (s.domains[1].ram[0][0] = 0x100000),
      'This state has a page at 1048576, outside the memory of switched.',
    ],
    [
      'a page at an odd place',
      (s) => (s.domains[1].ram[0][0] = 8),
      'This state has a page at 8, outside the memory of switched.',
    ],
    [
      'a page that is too short',
      (s) => (s.domains[1].ram[0][1] = '00'),
      'This state holds 1 bytes at domains[1].ram[0], where 4096 belong.',
    ],
    [
      'a page without its bytes',
      (s) => s.domains[1].ram[0].pop(),
      'This state has 1 entries at domains[1].ram[0], where 2 belong.',
    ],
    [
      'a device it has not',
      (s) => (s.domains[0].devices.printer = []),
      'This state has console,printer,timer at domains[0].devices; this machine has console,timer.',
    ],
    [
      'a device it lacks',
      (s) => delete s.domains[0].devices.timer,
      'This state has console at domains[0].devices; this machine has console,timer.',
    ],
    [
      'one state too few of a device',
      (s) => s.domains[0].devices.timer.pop(),
      'This state has 1 entries at domains[0].devices.timer, where 2 belong.',
    ],
    [
      'another thing in a device',
      (s) => (s.domains[0].devices.timer[1] = { cmp: 1n }),
      'This state has cmp at domains[0].devices.timer[1], where compare belongs.',
    ],
    [
      'another kind in a device',
      (s) => (s.domains[0].devices.timer[1].compare = 5),
      'This state has a number at domains[0].devices.timer[1].compare, where a bigint belongs.',
    ],
    [
      'a count that is none',
      (s) => (s.domains[0].vcpus[1].instructions = -1),
      'This state has -1 at domains[0].vcpus[1].instructions, not a whole number.',
    ],
    [
      'half an instruction',
      (s) => (s.domains[0].round = 0.5),
      'This state has 0.5 at domains[0].round, not a whole number.',
    ],
    [
      'a truth that is none',
      (s) => (s.domains[0].vcpus[0].on = 'yes'),
      'This state has yes at domains[0].vcpus[0].on, not true or false.',
    ],
    [
      'a level that is none',
      (s) => (s.domains[0].vcpus[0].level = 3),
      'This state has the level 3 at domains[0].vcpus[0].',
    ],
    [
      'exits that are no counts',
      (s) => (s.domains[0].vcpus[0].exits = { wait: '1' }),
      'This state has 1 at domains[0].vcpus[0].exits.wait, not a whole number.',
    ],
    [
      'remainders of another number',
      (s) => s.domains[2].vcpus[0].remainders.pop(),
      'This state has 3 entries at domains[2].vcpus[0].remainders, where 4 belong.',
    ],
    [
      'a remainder that is none',
      (s) => (s.pcpus[0].remainders[2] = null),
      'This state has an object at pcpus[0].remainders[2].n, not a whole number.',
    ],
    [
      'an end without a reason',
      (s) => (s.domains[0].ended = { status: 0 }),
      'This state has missing at domains[0].ended.reason, not a text.',
    ],
    [
      'a vCPU that does not exist',
      (s) => (s.pcpus[0].current = [0, 7]),
      'This state has a vCPU at pcpus[0].current that does not exist.',
    ],
    [
      'one vCPU in two places',
      (s) => (s.pcpus[1].current = s.pcpus[0].current),
      'This state has one vCPU on two physical CPUs.',
    ],
    [
      'a bank of another size',
      (s) => (s.pcpus[1].rest = ''),
      'This state holds 0 bytes at pcpus[1].rest, where 152 belong.',
    ],
    ['no list where one belongs', (s) => (s.domains = {}), 'This state has an object at domains, not a list.'],
    [
      'no object where one belongs',
      (s) => (s.domains[2] = [1]),
      'This state has a list of 1 at domains[2], not an object.',
    ],
    [
      'nothing where something belongs',
      (s) => delete s.domains[0].vcpus[0].turn,
      'This state has missing at domains[0].vcpus[0].turn, not a whole number.',
    ],
  ])('%s', (_, spoil, message) => {
    const s = structuredClone(saved()) as Any;
    spoil(s);
    expect(refusal(machine(), s)).toBe(message);
  });

  it.each([undefined, null, 'text', 7, [], {}])('%s is no state', (thing) => {
    expect(refusal(machine(), thing)).toMatch(/^This state has /);
  });

  it('an unspoiled one is not', () => {
    expect(() => restore(machine(), saved())).not.toThrow();
  });
});
