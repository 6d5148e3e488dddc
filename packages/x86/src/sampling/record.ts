/**
 * PEBS records, byte for byte. Intel SDM volume 3, 20.6.2.4.2 (formats 0 to 3: tables 20-3, 20-13, 20-23, 20-34), 20.8.2 (Silvermont, table 20-69),
 * 20.9.2.2 (adaptive groups).
 */
import type { Retired, View } from '@countervisor/contract';
import { LOADS, STORES } from '../events.ts';
import { timeStamp } from '../registers/msr.ts';
import { type Pebs, perfmon } from '../registers/perfmon.ts';
import { depth } from '../registers/sampling.ts';
import { wordSize, words } from './store.ts';

/** What a record is about. */
export interface Facts {
  readonly retired: Retired;
  /** Counters that made it: bits as in GLOBAL_STATUS. */
  readonly counters: bigint;
  /** Event numbers of those. */
  readonly events: readonly number[];
  /** GLOBAL_STATUS before. */
  readonly status: bigint;
  /** Groups of PEBS_DATA_CFG; 0 when no counter asks for adaptive records. */
  readonly groups: bigint;
}

const GROUP = { MEMINFO: 1n, GP: 2n, XMM: 4n, LBR: 8n } as const;

/** Every access is found in the first cache: the data source that says so (20.3.1.1.2, table 20-4), and one cycle. */
const FIRST_CACHE = 1n;
const LATENCY = 1n;

const PREFIX = ['RAX', 'RBX', 'RCX', 'RDX', 'RSI', 'RDI', 'RBP', 'RSP'] as const;
const GROUP_ORDER = ['RAX', 'RCX', 'RDX', 'RBX', 'RSP', 'RBP', 'RSI', 'RDI'] as const;
const HIGH = ['R8', 'R9', 'R10', 'R11', 'R12', 'R13', 'R14', 'R15'] as const;

/** Outside IA-32e mode upper halves and the registers that are not there are written as 0. */
const longMode = (view: View): boolean => (view.get('EFER') & 0x400n) !== 0n;

/** Address of the data, its source and latency: of the events of loads and stores alone. */
function memory(facts: Facts): readonly [address: bigint, source: bigint, latency: bigint] {
  const { access } = facts.retired;
  const about = facts.events.some((event) => event === (access?.write === true ? STORES : LOADS));
  return access === undefined || !about ? [0n, 0n, 0n] : [access.address, FIRST_CACHE, access.write ? 0n : LATENCY];
}

function registers(view: View, order: readonly string[], ip: bigint): bigint[] {
  const wide = longMode(view);
  const cut = (value: bigint): bigint => (wide ? value : value & 0xffff_ffffn);
  return [
    cut(view.get('RFLAGS')),
    cut(ip),
    ...order.map((name) => cut(view.get(name))),
    ...HIGH.map((name) => (wide ? view.get(name) : 0n)),
  ];
}

function adaptive(view: View, facts: Facts): Uint8Array {
  const { retired, groups } = facts;
  const body: bigint[] = [];
  if ((groups & GROUP.MEMINFO) !== 0n) body.push(...memory(facts), 0n);
  if ((groups & GROUP.GP) !== 0n) body.push(...registers(view, GROUP_ORDER, retired.next));
  if ((groups & GROUP.XMM) !== 0n) {
    for (let n = 0; n < 16; n++) for (const half of ['LOW', 'HIGH']) body.push(xmm(view, n, half));
  }
  if ((groups & GROUP.LBR) !== 0n) body.push(...branches(view, Number((groups >> 24n) & 0xffn) + 1));
  const size = BigInt(32 + 8 * body.length);
  return words([(size << 48n) | groups, retired.pc, facts.counters, timeStamp(view), ...body]);
}

/** XMM registers; zeros on a CPU without SSE. */
function xmm(view: View, n: number, half: string): bigint {
  return view.cpu.features.has('sse2') ? view.get(`XMM${n}_${half}`) : 0n;
}

/** The youngest entry first; zeros behind the last. */
function branches(view: View, count: number): bigint[] {
  const most = depth(view);
  const top = Number(view.get('LBR_TOS'));
  return Array.from({ length: count }, (_, n) =>
    ['FROM', 'TO', 'INFO'].map((what) => (n < most ? view.get(`LBR_${what}_${(top - n + 32 * most) % most}`) : 0n)),
  ).flat();
}

/** Bytes of one record. */
export function record(view: View, facts: Facts): Uint8Array {
  const { format, layout } = perfmon(view).pebs as Pebs;
  const { retired, status } = facts;
  if (format >= 4) return adaptive(view, facts);
  const prefix = registers(view, PREFIX, retired.next);
  if (wordSize(view) === 4) return words(prefix.slice(0, 10), 4);
  if (layout === 'silvermont') return words([...prefix, status, 0n, 0n, 0n, retired.pc, 0n]);
  if (format === 0) return words(prefix);
  const common = [...prefix, format === 3 ? facts.counters : status, ...memory(facts)];
  if (format === 1) return words(common);
  const precise = [...common, retired.pc, 0n];
  return words(format === 2 ? precise : [...precise, timeStamp(view)]);
}
