/** What each vPMU policy means: for every role direct or trapped, where the registers live, and what a context switch does with them. */
import type { Demand, PmuRole, PolicyName } from '@countervisor/contract';

export interface Policy {
  readonly means: string;
  readonly demand: Demand;
  /** Where the guest's PMU registers live while it runs. */
  readonly home: 'pcpu' | 'vcpu';
  /** On a switch the registers stay behind, travel with the vCPU, or never were on the physical CPU. */
  readonly onSwitch: 'leave' | 'carry' | 'virtual';
  /** Guest-visible history does not depend on slices, neighbours or the number of physical CPUs (counting rule 11). */
  readonly independent: boolean;
}

/** What a switch does, in words. */
export const ON_SWITCH: Readonly<Record<Policy['onSwitch'], string>> = {
  leave: 'the PMU registers stay as the one before left them',
  carry: 'the PMU registers are saved and restored',
  virtual: 'its PMU registers never are on the pCPU',
};

const all = (what: 'direct' | 'trap' | 'absent'): Demand => ({
  counter: what,
  selector: what,
  enable: what,
  global: what,
  overflow: what,
  interrupt: what,
  identity: what,
  sampling: what,
  'user-access': what,
});

const but = (demand: Demand, changes: Partial<Record<PmuRole, 'direct' | 'trap' | 'absent'>>): Demand => ({
  ...demand,
  ...changes,
});

export const POLICY_TABLE: Readonly<Record<PolicyName, Policy>> = {
  off: {
    means: 'The guest has no PMU; what it touches is trapped.',
    demand: but(all('trap'), { identity: 'direct' }),
    home: 'vcpu',
    onSwitch: 'virtual',
    independent: true,
  },
  passthrough: {
    means: 'The guest has the physical registers as they are; nothing is saved (Xen, 2021).',
    demand: all('direct'),
    home: 'pcpu',
    onSwitch: 'leave',
    independent: false,
  },
  switched: {
    means: 'The guest has the physical registers; they are saved and restored on every switch (Xen, 2007 and since).',
    demand: all('direct'),
    home: 'pcpu',
    onSwitch: 'carry',
    independent: true,
  },
  emulated: {
    means: 'Every access is trapped and performed on counters of the vCPU, which run only while it does (KVM).',
    demand: but(all('trap'), { identity: 'direct' }),
    home: 'vcpu',
    onSwitch: 'virtual',
    independent: true,
  },
  mediated: {
    means:
      'Counters, their enables and interrupts are direct, selectors trapped and checked; all are carried (KVM 2025).',
    // What a selector may count is the hypervisor's to say, and what the host's PMU is like. The rest reaches nothing but the guest's own counters.
    demand: but(all('direct'), { selector: 'trap', identity: 'trap', sampling: 'trap' }),
    home: 'pcpu',
    onSwitch: 'carry',
    independent: true,
  },
};
