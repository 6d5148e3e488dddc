/** A vCPU of plain values, for tests of one function at a time. Not a model of core: no traps, no counting. */
import { extract, type Vcpu } from '@countervisor/contract';
import { template } from '../index.ts';
import { cpuRow } from './cpu.ts';

/** What a test sees of it: the registers' values, the console's text, and the calls that reached the domain. */
export interface TestVcpu extends Vcpu {
  readonly values: Record<string, bigint>;
  readonly lines: Record<string, boolean>;
  readonly devices: Record<string, object>;
  readonly calls: string[];
}

const rows = template.registers as Readonly<Record<string, (typeof template.registers)['PMCTL']>>;

export function testVcpu(values: Record<string, bigint> = {}, cpu = 'tiny', more: Partial<Vcpu> = {}): TestVcpu {
  const calls: string[] = [];
  const lines: Record<string, boolean> = {};
  const devices: Record<string, object> = {};
  const get = (register: string): bigint => {
    const value = values[register];
    if (value === undefined) throw new Error(`The test sets no ${register}.`);
    return value;
  };
  const vcpu: Partial<TestVcpu> = {
    values,
    lines,
    devices,
    calls,
    cpu: cpuRow(cpu),
    policy: 'emulated',
    siblings: 2,
    now: 0n,
    get,
    field(register: string, field: string): bigint {
      const bits = rows[register]?.fields[field]?.bits;
      if (bits === undefined) throw new Error(`There is no ${register}.${field}.`);
      return extract(get(register), bits);
    },
    set(register: string, value: bigint): void {
      if (rows[register] === undefined) throw new Error(`There is no ${register}.`);
      values[register] = value;
    },
    count: (counter, amount) => void calls.push(`count ${counter} ${amount}`),
    note: (what) => void calls.push(`note ${what}`),
    warn: (code) => void calls.push(`warn ${code}`),
    console: (byte) => void calls.push(`console ${byte}`),
    line: (source) => lines[source] ?? false,
    device: <State extends object>(name: string): State => devices[name] as State,
    domain: {
      exit: (reason: string, status: number) => void calls.push(`exit ${reason} ${status}`),
      start: (index: number, entry: bigint, argument: bigint) => {
        calls.push(`start ${index} ${entry} ${argument}`);
        return index === 1;
      },
      yield: () => void calls.push('yield'),
    } as unknown as Vcpu['domain'],
    ...more,
  };
  return vcpu as TestVcpu;
}
