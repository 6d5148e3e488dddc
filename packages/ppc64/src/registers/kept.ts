/** What hypervisors keep of the performance monitor beside the registers themselves: for each vCPU, and for each physical CPU. No instruction names any of it. */
import { MMCR0 } from './mmcr.ts';
import { type Row, type Rows, slot } from './row.ts';

/** What a hypervisor saves of the monitor, in the order in which Xen does; those that a CPU has. */
export const MONITOR: readonly string[] = [
  'MMCR0',
  'MMCR1',
  'MMCRA',
  'MMCR2',
  'MMCR3',
  ...Array.from({ length: 8 }, (_, n) => `PMC${n + 1}`),
];

const each = (prefix: string, means: string, more: Partial<Row> = {}): Rows =>
  Object.fromEntries(
    MONITOR.map((name) => [
      `${prefix}${name}`,
      slot(`${name}, ${means}. Not architectural.`, name === 'MMCR0' ? MMCR0.FC : 0n, more),
    ]),
  );

export const kept: Rows = {
  ...each('KEPT_', 'as this vCPU’s was saved'),
  ...each('CLEAR_', 'as it was when the first vCPU asked for the monitor', { home: 'pcpu' }),
  KEPT: slot('Is there something in what was saved? Not architectural.', 0n),
  MODES: slot('Modes that H_PERFMON set for this vCPU, as its bits. Not architectural.', 0n),
  USERS: slot('vCPUs of this physical CPU that have the monitor turned on. Not architectural.', 0n, { home: 'pcpu' }),
  ASKED: slot('The hypervisor has answered H_BUSY once. Not architectural.', 0n),
  GUEST_PM: slot('HFSCR[PM] of this guest: it has used the monitor since it was last closed. Not architectural.', 0n),
  LOST: slot('The hypervisor left the monitor unsaved when this vCPU last left. Not architectural.', 0n),
};
