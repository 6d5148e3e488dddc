/**
 * The second back end: hot code as WebAssembly, the rest in the stepper. It runs a vCPU exactly as `step` does: the same instructions, counts and
 * stops. Whatever translated code cannot do, or not now, it leaves to the stepper, before anything of that instruction has happened.
 */
import type { CompiledRegister } from '../load/compile.ts';
import { CONTROL, JUMP_BITS, JUMP_ENTRY, PAGE } from '../memory/layout.ts';
import { SIGNAL_INDEX, SIGNAL_NAMES } from '../pmu/classes.ts';
import type { CodePage, Insn } from './code.ts';
import type { Engine } from './engine.ts';
import { step } from './stepper.ts';
import { discover } from './wasm/blocks.ts';
import { encodeDispatcher, REGION_TYPE } from './wasm/dispatch.ts';
import { NARROW } from './wasm/lazy.ts';
import { encodeModule } from './wasm/module.ts';
import { emitRegion, REASON } from './wasm/region.ts';

/** Regions that are kept; each is a module and an instance, some 30 KB. */
const MOST_LIVE = 512;
/** Never hot again. */
const COLD = -(2 ** 30);

/** Critical signals are counted down in a signed word. */
const MOST_RARE = 2 ** 30;

/** Critical signals that retiring an instruction of this class emits. */
function rareOf({ critical, classes: { amounts, emitted } }: Engine, kind: number): number {
  return (emitted[kind] ?? [])
    .filter((signal) => ((critical >> signal) & 1) !== 0)
    .reduce((sum, signal) => sum + (amounts[kind * SIGNAL_NAMES.length + signal] as number), 0);
}

type Dispatch = (state: number, tlb: number, budget: number, context: number) => number;

/** One region in the table of the dispatcher. */
interface Live {
  readonly index: number;
  readonly hostPage: number;
  readonly context: number;
  readonly entries: ReadonlySet<bigint>;
  readonly blocks: ReadonlyMap<bigint, number>;
  /** Instructions that only the stepper performs. */
  readonly stepped: ReadonlySet<bigint>;
  readonly owner: PageRecord;
  /** When it was last looked up: a number that grows. */
  used: number;
}

/** What is known of one page of code, as one mode reads it at one virtual address. */
interface PageRecord {
  /** By context. */
  readonly live: Map<number, Live>;
  /** How often it was translated. */
  times: number;
  /** Heads that have been asked to wait until they are hotter. */
  readonly waiting: Set<Insn>;
}

const PER_INSTRUCTION = (1 << SIGNAL_INDEX.instruction) | (1 << SIGNAL_INDEX.cycle);

/** Registers of few bits that are not always 0 are flags. */
function isFlag(register: CompiledRegister | undefined): boolean {
  return register !== undefined && (register.mask & ~register.zero) >> BigInt(NARROW) === 0n;
}

export interface TranslatorCounts {
  /** Units that translated code ran; regions made, dropped and alive; and those that the host refused to compile. */
  translated: number;
  made: number;
  dropped: number;
  alive: number;
  refused: number;
}

export class Translator {
  readonly #x: Engine;
  #dispatch: Dispatch | undefined;
  #table: WebAssembly.Table | undefined;
  readonly #free: number[] = [];
  #records = new WeakMap<CodePage, PageRecord>();
  readonly #byHost = new Map<number, Set<Live>>();
  readonly #contexts = new Map<number, number>();
  /** How often code of a host page was dropped because somebody stored to it. */
  readonly #rewritten = new Map<number, number>();
  #clock = 0;
  /** The class of an instruction that emits nothing but itself and one cycle. */
  readonly #plain: number;
  readonly counts: TranslatorCounts = { translated: 0, made: 0, dropped: 0, alive: 0, refused: 0 };

  constructor(x: Engine) {
    this.#x = x;
    this.#plain = x.classes.of('', []);
    x.dropped = (hostPage) => {
      if (hostPage === undefined) this.#dropAll();
      else this.#dropPage(hostPage);
    };
  }

  /** As `step`. */
  run(budget: number): number {
    const x = this.#x;
    if (x.stop !== undefined || (x.critical !== 0 && x.rare === 0)) {
      x.hunting = false;
      return step(x, budget);
    }
    x.m[CONTROL.rare >> 2] = Math.min(x.rare, MOST_RARE);
    // What the cost table makes of a cycle only classes know.
    const counting = (x.needed & ~PER_INSTRUCTION) !== 0 || x.classes.mostCycles > 1;
    // Who samples wants to know the last instruction: the stepper performs that one.
    const kept = x.noting ? 1 : 0;
    let used = 0;
    for (;;) {
      let tail = false;
      const left = budget - used - kept;
      if (this.#dispatch !== undefined) {
        const reason = left > 0 ? this.#enter(left, counting) : REASON.budget;
        const done = left > 0 ? left - this.#rest : 0;
        used += done;
        if (used >= budget) return used;
        if (done > 0) x.led = reason === REASON.chain;
        if (reason === REASON.step) {
          x.hunting = false;
          const one = step(x, 1);
          used += one;
          if (one === 0 || x.attention !== 0 || used >= budget || x.critical !== 0) return used;
          x.led = true;
          continue;
        }
        tail = reason === REASON.budget;
      }
      x.reached = undefined;
      x.hunting = !tail;
      used += step(x, budget - used);
      const head = x.reached as Insn | undefined;
      if (head === undefined) return used;
      if (this.#arrive(head, counting)) continue;
      x.hunting = false;
      const one = step(x, 1);
      used += one;
      if (one === 0 || x.attention !== 0 || used >= budget || x.critical !== 0) return used;
    }
  }

  #rest = 0;

  /** Runs translated code from PC on; why it came back. The budget that it left is in `#rest`. */
  #enter(budget: number, counting: boolean): number {
    const x = this.#x;
    const { m } = x;
    const page = CONTROL.page >> 2;
    m[page] = x.pageLo;
    m[page + 1] = x.page === undefined ? -1 : x.pageHi;
    m[CONTROL.host >> 2] = x.pageHost;
    const mode = x.page === undefined ? x.doors.mode(x.v) : x.pageMode;
    const context = this.#context(mode, counting);
    this.#rest = (this.#dispatch as Dispatch)(x.v.s * 4, x.tlb * 4, budget, context);
    const done = budget - this.#rest;
    if (!counting) x.counts[this.#plain] = (x.counts[this.#plain] as number) + done;
    this.counts.translated += done;
    if (m[page] !== x.pageLo || m[page + 1] !== x.pageHi) {
      if (m[page + 1] !== -1) {
        x.pageLo = m[page] as number;
        x.pageHi = m[page + 1] as number;
        x.pageHost = m[CONTROL.host >> 2] as number;
        x.pageMode = mode;
        x.page = x.code.page(x.pageHost / PAGE, mode, x.pageHi, x.pageLo);
      }
    }
    return m[CONTROL.reason >> 2] as number;
  }

  /** A small number for a mode and a way of counting. */
  #context(mode: number, counting: boolean): number {
    const key = (2 * mode + (counting ? 1 : 0)) * 2 ** 32 + this.#x.critical;
    let context = this.#contexts.get(key);
    if (context === undefined) {
      context = this.#contexts.size;
      this.#contexts.set(key, context);
    }
    return context;
  }

  /** The stepper came to a hot head: its region is looked up, or made. False: it is for the stepper, and translated code goes on behind it. */
  #arrive(head: Insn, counting: boolean): boolean {
    const x = this.#x;
    const { page } = x;
    // Decoding it has dropped all code: next time.
    if (page === undefined) return true;
    const context = this.#context(x.pageMode, counting);
    let record = this.#records.get(page);
    if (record === undefined) {
      record = { live: new Map(), times: 0, waiting: new Set() };
      this.#records.set(page, record);
    }
    let live = record.live.get(context);
    if (live === undefined || !live.entries.has(head.pc)) {
      // A block that it has, but no entry: one of its loops will come to one, unless its own jumps lead here.
      if (live?.blocks.has(head.pc) && !x.led) {
        head.heat = Math.min(0, x.hot);
        return true;
      }
      const behind = head.pc + BigInt(head.length);
      if (this.#goesOn(live, head, behind)) return false;
      if (!this.#patient(record, head)) return true;
      live = this.#translate(record, page, head, context, counting);
      if (this.#goesOn(live, head, behind)) return false;
      if (live === undefined || !live.entries.has(head.pc)) {
        head.heat = COLD;
        return true;
      }
    }
    // All of it, since a store or another region may have emptied the cache.
    for (const pc of live.entries) this.#publish(live, pc);
    this.#publish(live, head.pc);
    return true;
  }

  /** The dispatcher will find this entry. */
  #publish(live: Live, pc: bigint): void {
    const { m, memory, grainBits } = this.#x;
    live.used = ++this.#clock;
    const at =
      (memory.layout.jumps + Number((pc >> BigInt(grainBits)) & (2n ** BigInt(JUMP_BITS) - 1n)) * JUMP_ENTRY) >> 2;
    m[at] = Number(BigInt.asIntN(32, pc));
    m[at + 1] = Number(BigInt.asIntN(32, pc >> 32n));
    m[at + 2] = (live.hostPage * PAGE) | live.context;
    m[at + 3] = live.index;
  }

  /** Is the head for the stepper, and does translated code go on behind it? */
  #goesOn(live: Live | undefined, head: Insn, behind: bigint): boolean {
    if (!live?.entries.has(behind) || !live.stepped.has(head.pc)) return false;
    this.#publish(live, behind);
    return true;
  }

  /** Is it time to translate? Each time for a page, and each rewriting of it, asks for twice the heat. */
  #patient(record: PageRecord, head: Insn): boolean {
    const rewritten = this.#rewritten.get(this.#x.pageHost / PAGE) ?? 0;
    const doublings = Math.min(10, record.times + Math.max(0, rewritten - 2));
    if (doublings === 0 || record.waiting.delete(head)) return true;
    record.waiting.add(head);
    const { hot } = this.#x;
    head.heat = hot - hot * 2 ** doublings;
    return false;
  }

  #translate(record: PageRecord, page: CodePage, head: Insn, context: number, counting: boolean): Live | undefined {
    const x = this.#x;
    const { layout, wasm, buffer } = x.memory;
    // The key of a region has the host page's offset in a signed word, and the context below it.
    if (x.pageHost >= 2 ** 31 || context >= PAGE) return undefined;
    const warm = Math.max(0, x.hot >> 3);
    const seeds = page.flatMap((insn, slot) => (insn !== undefined && insn.heat > warm && insn !== head ? [slot] : []));
    seeds.sort((a, b) => (page[b] as Insn).heat - (page[a] as Insn).heat);
    seeds.unshift(page.indexOf(head));
    const region = discover(x, page, head.pc & ~0xfffn, seeds);
    if (region === undefined || region.entries.length === 0) return undefined;
    const body = emitRegion(region, {
      pcName: x.arch.pc.name,
      pcOffset: x.arch.pc.id * 8,
      offsetOf: (name) => (x.arch.byName.get(name)?.id as number) * 8,
      isFlag: (name) => isFlag(x.arch.byName.get(name)),
      grainBits: x.grainBits,
      counts: layout.counts,
      signals: layout.signals,
      counting,
      rareOf: (kind) => rareOf(x, kind),
      critical: x.critical,
    });
    const pages = buffer.byteLength / 65536;
    const bytes = encodeModule({ types: [REGION_TYPE], pages, functions: [{ name: 'r', type: 0, body }] });
    let instance: WebAssembly.Instance;
    try {
      instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { m: { m: wasm } });
    } catch {
      // The stepper does it; whoever tests this engine looks at the count.
      this.counts.refused++;
      return undefined;
    }
    this.#open(pages);
    const old = record.live.get(context);
    if (old !== undefined) this.#drop(old);
    if (this.#free.length === 0) this.#evict();
    const live: Live = {
      index: this.#free.pop() as number,
      hostPage: x.pageHost / PAGE,
      context,
      entries: new Set(region.entries.map((id) => region.blocks[id]?.pc as bigint)),
      blocks: region.byPc,
      stepped: region.stepped,
      owner: record,
      used: this.#clock,
    };
    (this.#table as WebAssembly.Table).set(live.index, instance.exports.r);
    record.live.set(context, live);
    record.times++;
    const mine = this.#byHost.get(live.hostPage) ?? new Set();
    this.#byHost.set(live.hostPage, mine.add(live));
    this.counts.made++;
    this.counts.alive++;
    return live;
  }

  /** The dispatcher and its table: for domains that need them. */
  #open(pages: number): void {
    if (this.#dispatch !== undefined) return;
    const x = this.#x;
    this.#table = new WebAssembly.Table({ element: 'anyfunc', initial: MOST_LIVE });
    for (let i = MOST_LIVE - 1; i >= 0; i--) this.#free.push(i);
    const bytes = encodeDispatcher({
      pages,
      jumps: x.memory.layout.jumps,
      pcOffset: x.arch.pc.id * 8,
      grainBits: x.grainBits,
      slots: MOST_LIVE,
    });
    const imports = { m: { m: x.memory.wasm, t: this.#table } };
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
    this.#dispatch = instance.exports.run as unknown as Dispatch;
  }

  #drop(live: Live): void {
    const { jumps, tlb } = this.#x.memory.layout;
    this.#table?.set(live.index, null);
    this.#free.push(live.index);
    live.owner.live.delete(live.context);
    const others = this.#byHost.get(live.hostPage);
    others?.delete(live);
    if (others?.size === 0) this.#byHost.delete(live.hostPage);
    this.#x.m.fill(0, jumps >> 2, tlb >> 2);
    this.counts.alive--;
    this.counts.dropped++;
  }

  /** Drops the quarter that was looked up longest ago. */
  #evict(): void {
    const all = [...this.#byHost.values()].flatMap((set) => [...set]).sort((a, b) => a.used - b.used);
    for (const live of all.slice(0, MOST_LIVE / 4)) this.#drop(live);
  }

  #dropPage(hostPage: number): void {
    const mine = this.#byHost.get(hostPage);
    if (mine === undefined) return;
    this.#rewritten.set(hostPage, (this.#rewritten.get(hostPage) ?? 0) + 1);
    for (const live of [...mine]) this.#drop(live);
  }

  #dropAll(): void {
    for (const set of [...this.#byHost.values()]) for (const live of [...set]) this.#drop(live);
    this.#records = new WeakMap();
  }
}
