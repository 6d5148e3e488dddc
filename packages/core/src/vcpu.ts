/** A vCPU at run time: where its block stands, what it has done, and whether it can go on. Everything a guest can see is in the block. */
import type { Exception, PolicyName } from '@countervisor/contract';
import type { Domain } from './domain.ts';
import type { Running } from './engine/engine.ts';
import type { Handle } from './handle.ts';
import type { Pcpu } from './pcpu.ts';
import { Bank } from './pmu/bank.ts';

export class VcpuRuntime implements Running {
  readonly domain: Domain;
  readonly index: number;
  /** Word index of its block in the domain's memory. */
  readonly s: number;
  readonly policy: PolicyName;
  /** The counters of its own, under policies whose home is the vCPU. */
  readonly bank: Bank | undefined;
  /** How the architecture's functions see it. */
  readonly handle: Handle;
  level = 0;
  on = false;
  /** Nothing to do until an interrupt is pending. */
  waiting = false;
  /** Retired instructions and cycles since power-on: exact up to 2^53. */
  instructions = 0;
  cycles = 0;
  /** `cycles` at the start of the domain's present round. */
  roundStart = 0;
  /** Instructions left of its turn in the present round. */
  turn = 0;
  /** Cycle on the domain's clock at which something changes by itself; `undefined`: never; `null`: not asked since. */
  deadline: number | undefined | null = null;
  /** What must be looked at before it runs next: `ATTENTION` bits. */
  attention = 0;
  /** Exceptions taken since the last retired instruction. */
  barren = 0;
  /** Hypervisor exits by cause. */
  readonly exits: Map<string, number> = new Map();
  /** Switches to this vCPU. */
  switches = 0;
  /** What a sample's record ran into; taken at this boundary. */
  assist: Exception | undefined;
  /** Signals of branches, while somebody writes them down: bit per signal. */
  branches = 0;
  pcpu: Pcpu | undefined;
  /** Clock-divider remainders of the counters that travel with it. */
  remainders: number[] | undefined;
  /** Physical CPUs it may run on. */
  readonly pins: readonly number[];

  constructor(
    domain: Domain,
    index: number,
    policy: PolicyName,
    pins: readonly number[],
    handle: (v: VcpuRuntime) => Handle,
  ) {
    this.domain = domain;
    this.index = index;
    const { layout } = domain.memory;
    this.s = (layout.vcpus + index * layout.block) >> 2;
    this.policy = policy;
    this.pins = pins;
    this.handle = handle(this);
    this.bank = domain.policy.home === 'vcpu' ? new Bank('vcpu', domain.arch) : undefined;
  }

  get name(): string {
    return this.domain.vcpus.length === 1 ? this.domain.name : `${this.domain.name}/${this.index}`;
  }

  /** Index of the physical CPU it belongs to: fixed, so that a run depends on nothing but its configuration. */
  get home(): number {
    const position = this.domain.machine.domains.indexOf(this.domain) + this.index;
    return this.pins[position % this.pins.length] as number;
  }

  /** Can it execute at all, sooner or later? */
  get alive(): boolean {
    return this.on && this.domain.ended === undefined;
  }
}
