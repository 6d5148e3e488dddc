/**
 * What GICv2 and GICv3 have in common: the state of interrupts, which one is next, acknowledging and ending it.
 * Arm IHI 0048B (GICv2) chapters 3 and 4.4; IHI 0069 (GICv3) chapter 4. One Security state, so GICD_CTLR.DS acts as 1: Group 0 and Group 1 are both the
 * guest's. Priorities have 5 bits; lower values go first.
 *
 * Lines of devices are pulled, not pushed: a level-sensitive interrupt is pending while its source says so.
 */
import type { Vcpu, View } from '@countervisor/contract';

/** INTIDs 0 to 287, as QEMU's `virt` has them; 1023 stands for none. */
export const INTIDS = 288;
export const WORDS: number = INTIDS / 32;
export const NONE = 1023;
/** Implemented bits of a priority. */
export const PRIORITY = 0xf8;
const IDLE = 0x100;

/** The distributor's state, INTID 32 and up: a bit per interrupt, word 0 unused. Device `gicd`. */
export type Distributor = {
  /** EnableGrp0 in bit 0, EnableGrp1 in bit 1. */
  ctlr: number;
  group: number[];
  enabled: number[];
  /** Latched: by an edge or by software. */
  pending: number[];
  active: number[];
  /** Edge-triggered. */
  edge: number[];
  priority: number[];
  /** GICv2: bit n is vCPU n. */
  targets: number[];
  /** GICv3: GICD_IROUTER<n>. */
  route: bigint[];
};

/** SGIs and PPIs of one vCPU. Device `gicr`. */
export type Local = {
  group: number;
  enabled: number;
  pending: number;
  active: number;
  priority: number[];
  /** GICv2, by SGI: bit n, vCPU n has sent it. */
  senders: number[];
  /** GICR_WAKER. */
  waker: number;
};

/** One vCPU's CPU interface. Device `gicc`. */
export type Interface = {
  pmr: number;
  /** Binary points of Group 0 and Group 1. */
  bpr: number[];
  /** Group enables. */
  enabled: number[];
  /** EOImode: ending an interrupt drops its priority only. */
  split: number;
  /** CBPR: Group 0's binary point serves both. */
  common: number;
  /** GICv2: AckCtl and FIQEn. */
  acknowledge: number;
  fiq: number;
  /** Active priorities by group: bit n, priority 8n. */
  active: number[];
};

export const distributor = (view: View): Distributor => view.device<Distributor>('gicd');
export const local = (view: View, vcpu?: number): Local => view.device<Local>('gicr', vcpu);
export const cpuInterface = (view: View): Interface => view.device<Interface>('gicc');

const words = (): number[] => Array.from({ length: WORDS }, () => 0);

export const newDistributor = (): Distributor => ({
  ctlr: 0,
  group: words(),
  enabled: words(),
  pending: words(),
  active: words(),
  edge: words(),
  priority: Array.from({ length: INTIDS }, () => 0),
  targets: Array.from({ length: INTIDS }, () => 0),
  route: Array.from({ length: INTIDS }, () => 0n),
});

export const newLocal = (): Local => ({
  group: 0,
  enabled: 0,
  pending: 0,
  active: 0,
  priority: Array.from({ length: 32 }, () => 0),
  senders: Array.from({ length: 16 }, () => 0),
  // ProcessorSleep and ChildrenAsleep.
  waker: 6,
});

/** The least binary points: 5 priority bits all take part in preemption. */
export const LEAST_POINT: readonly [number, number] = [2, 3];

export const newInterface = (): Interface => ({
  pmr: 0,
  bpr: [...LEAST_POINT],
  enabled: [0, 0],
  split: 0,
  common: 0,
  acknowledge: 0,
  fiq: 0,
  active: [0, 0],
});

/** Which GIC the domain has: the setting `gic`, 2 or 3. Without it 2, QEMU's default. */
export function gicVersion(view: Pick<View, 'settings'>): 2 | 3 {
  const gic = view.settings.gic;
  return gic === 3 || gic === '3' || gic === 'v3' ? 3 : 2;
}

/** Wires: INTID to the name of its source. */
export const WIRES: Readonly<Record<number, string>> = {
  23: 'pmu',
  27: 'virtual-timer',
  30: 'physical-timer',
  33: 'uart',
};

const WIRED: readonly (readonly [word: number, bit: number, source: string])[] = Object.entries(WIRES).map(
  ([id, source]) => [Number(id) >> 5, 1 << (Number(id) & 31), source],
);

/** Asserted level-sensitive lines among those bits of a word. */
export function lines(view: View, word: number, among: number): number {
  let asserted = 0;
  for (const [at, bit, source] of WIRED) {
    if (at !== word || (among & bit) === 0) continue;
    if (word !== 0 && ((distributor(view).edge[word] as number) & bit) !== 0) continue;
    if (view.line(source)) asserted |= bit;
  }
  return asserted;
}

/** An edge on a shared wire: latched when its interrupt is edge-triggered. */
export function edge(view: View, id: number): void {
  const gicd = distributor(view);
  const bit = 1 << (id & 31);
  const word = id >> 5;
  if (((gicd.edge[word] as number) & bit) !== 0) gicd.pending[word] = (gicd.pending[word] as number) | bit;
}

/** An interrupt that could be signalled. */
export interface Candidate {
  readonly id: number;
  readonly priority: number;
  readonly group: 0 | 1;
}

/** GICD_IROUTER: does it name this vCPU? Affinity fields only: GICD_TYPER.No1N is 1. */
const AFFINITY = 0xff_00ff_ffffn;

function routedHere(view: View, gicd: Distributor, id: number, version: 2 | 3): boolean {
  if (version === 2) return view.siblings === 1 || (((gicd.targets[id] as number) >> view.index) & 1) !== 0;
  return (((gicd.route[id] as bigint) ^ view.get('MPIDR_EL1')) & AFFINITY) === 0n;
}

/** The pending interrupt with the highest priority for this vCPU, of the groups in `groups` (bit 0: Group 0, bit 1: Group 1). */
export function highest(view: View, groups: number): Candidate | undefined {
  const gicd = distributor(view);
  const open = groups & gicd.ctlr;
  if (open === 0) return undefined;
  const own = local(view);
  let id = NONE;
  let priority = 0x100;
  const look = (word: number, able: number, latched: number, group: number, priorities: readonly number[]): void => {
    const mine = (open === 3 ? able : open === 2 ? able & group : able & ~group) | 0;
    if (mine === 0) return;
    let bits = (mine & latched) | lines(view, word, mine & ~latched);
    while (bits !== 0) {
      const n = 31 - Math.clz32(bits & -bits);
      bits &= bits - 1;
      const at = word * 32 + n;
      const p = priorities[at] as number;
      if (p >= priority) continue;
      if (word !== 0 && !routedHere(view, gicd, at, gicVersion(view))) continue;
      id = at;
      priority = p;
    }
  };
  look(0, own.enabled & ~own.active, own.pending, own.group, own.priority);
  for (let w = 1; w < WORDS; w++) {
    const able = (gicd.enabled[w] as number) & ~(gicd.active[w] as number);
    if (able !== 0) look(w, able, gicd.pending[w] as number, gicd.group[w] as number, gicd.priority);
  }
  return id === NONE ? undefined : { id, priority, group: groupOf(view, id) };
}

export function groupOf(view: View, id: number): 0 | 1 {
  const word = id < 32 ? local(view).group : (distributor(view).group[id >> 5] as number);
  return ((word >>> (id & 31)) & 1) as 0 | 1;
}

/** The highest active priority, or 0xFF when nothing is active: ICC_RPR_EL1, GICC_RPR. */
export function running(gicc: Interface): number {
  const all = (gicc.active[0] as number) | (gicc.active[1] as number);
  return all === 0 ? 0xff : (31 - Math.clz32(all & -all)) << 3;
}

/** The bits of a priority that decide about preemption: Group 0 uses bits 7 to n+1 of its binary point n, Group 1 bits 7 to n of its own. */
export function groupMask(gicc: Interface, group: 0 | 1): number {
  const low = group === 1 && gicc.common === 0 ? (gicc.bpr[1] as number) : (gicc.bpr[0] as number) + 1;
  return (0xff << low) & 0xff;
}

/** The interrupt that this vCPU's CPU interface signals now: enabled groups, priority mask, running priority. */
export function signalled(view: View): Candidate | undefined {
  const gicc = cpuInterface(view);
  const groups = (gicc.enabled[0] as number) | ((gicc.enabled[1] as number) << 1);
  if (groups === 0) return undefined;
  const found = highest(view, groups);
  if (found === undefined || found.priority >= gicc.pmr) return undefined;
  const now = running(gicc);
  const limit = now === 0xff ? IDLE : now;
  return (found.priority & groupMask(gicc, found.group)) < limit ? found : undefined;
}

/** Group 1 interrupts are IRQs; Group 0 ones are FIQs, on a GICv2 when GICC_CTLR.FIQEn says so. */
export function isFiq(view: View, group: 0 | 1): boolean {
  return group === 0 && (gicVersion(view) === 3 || cpuInterface(view).fiq === 1);
}

function setActive(view: View, id: number, on: boolean): void {
  const bit = 1 << (id & 31);
  if (id < 32) {
    const own = local(view);
    own.active = on ? own.active | bit : own.active & ~bit;
    return;
  }
  const { active } = distributor(view);
  const word = id >> 5;
  active[word] = on ? (active[word] as number) | bit : (active[word] as number) & ~bit;
}

/** Acknowledges: active, no longer latched, its priority running. Returns the sending vCPU of a GICv2 SGI, else 0. */
export function acknowledge(vcpu: Vcpu, { id, priority, group }: Candidate): number {
  const gicc = cpuInterface(vcpu);
  const bit = 1 << (id & 31);
  let sender = 0;
  setActive(vcpu, id, true);
  if (id >= 32) {
    const { pending } = distributor(vcpu);
    pending[id >> 5] = (pending[id >> 5] as number) & ~bit;
  } else {
    const own = local(vcpu);
    const waiting = id < 16 ? (own.senders[id] as number) : 0;
    if (waiting !== 0) {
      sender = 31 - Math.clz32(waiting & -waiting);
      own.senders[id] = waiting & (waiting - 1);
    }
    if (id >= 16 || own.senders[id] === 0) own.pending &= ~bit;
  }
  gicc.active[group] = (gicc.active[group] as number) | (1 << ((priority & groupMask(gicc, group)) >> 3));
  vcpu.changed('interrupts');
  return sender;
}

/** Priority drop: the highest active priority goes, if it belongs to one of these groups. False: it does not. */
export function drop(vcpu: Vcpu, groups: number): boolean {
  const gicc = cpuInterface(vcpu);
  const now = running(gicc);
  if (now === 0xff) return false;
  const bit = 1 << (now >> 3);
  for (const group of [0, 1] as const) {
    const held = gicc.active[group] as number;
    if ((held & bit) === 0) continue;
    if (((groups >> group) & 1) === 0) return false;
    gicc.active[group] = held & ~bit;
    break;
  }
  vcpu.changed('interrupts');
  return true;
}

export function deactivate(vcpu: Vcpu, id: number): void {
  if (id >= INTIDS) return;
  setActive(vcpu, id, false);
  everyone(vcpu);
}

/** A shared interrupt changed: every vCPU of the domain looks again. */
export function everyone(vcpu: Vcpu): void {
  for (let index = 0; index < vcpu.siblings; index++) vcpu.domain.vcpu(index).changed('interrupts');
}
