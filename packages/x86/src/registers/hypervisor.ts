/** What the hypervisor tells the CPU about its guest: VM-execution controls. Intel SDM volume 3, 25.6.2. AMD's VMCB has the same choices in other places. */
import { LVT, lapicOf, MASKED } from '../platform/lapic.ts';
import { field, type Rows, slot, whole, zero } from './row.ts';

/** Xen's flags of a vCPU's vPMU (xen/arch/x86/include/asm/vpmu.h). */
export const VPMU: Readonly<Record<'INITIALIZED' | 'LOADED' | 'RUNNING', bigint>> = {
  INITIALIZED: 1n,
  LOADED: 4n,
  RUNNING: 8n,
};

export const hypervisor: Rows = {
  VPMU_FLAGS: slot('Xen’s flags of this vCPU’s vPMU: 0 initialised, 2 loaded, 3 running. Not architectural.', 1n, {
    read: 'root',
    write: 'root',
  }),
  VPMU_LVTPC: slot(
    'What Xen has in the hardware’s LVTPC for this vCPU: vector 0xF9, and the guest’s mask. Not architectural.',
    0n,
    {
      read: 'root',
      write: 'root',
      fields: whole('LVTPC.', 'ignored'),
      derive: (view) => 0xf9n | (BigInt(lapicOf(view).lvt[LVT.performance] ?? 0) & BigInt(MASKED)),
    },
  ),
  PROCBASED_CTLS: slot('Primary processor-based VM-execution controls.', 0n, {
    read: 'root',
    write: 'root',
    home: 'pcpu',
    fields: {
      ...zero([6, 0], [10, 8], [14, 13], [22, 17], [27, 24], [63, 29]),
      HLT_EXITING: field(7, 'HLT exits.'),
      RDPMC_EXITING: field(11, 'RDPMC exits.'),
      RDTSC_EXITING: field(12, 'RDTSC and RDTSCP exit.'),
      CR3_LOAD_EXITING: field(15, 'MOV to CR3 exits.'),
      CR3_STORE_EXITING: field(16, 'MOV from CR3 exits.'),
      MOV_DR_EXITING: field(23, 'MOV to and from debug registers exits.'),
      USE_MSR_BITMAPS: field(28, 'RDMSR and WRMSR exit as the bitmaps say.'),
    },
  }),
};
