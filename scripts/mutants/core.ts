/** Single mutants of core: a line that says one of its rules, said otherwise. Each text stands once in its file; one that does not is an error. */
import type { CoreMutant } from './build.ts';

const m =
  (file: string) =>
  (find: string, replace: string, what: string, ...first: string[]): CoreMutant => ({
    file,
    find,
    replace,
    what,
    first,
  });

const bank = m('pmu/bank.ts');
const classes = m('pmu/classes.ts');
const observe = m('pmu/observe.ts');
const decide = m('access/decide.ts');
const legalize = m('access/legalize.ts');
const perform = m('access/perform.ts');
const road = m('access/access.ts');
const handle = m('handle.ts');
const machine = m('machine.ts');
const change = m('switch/switch.ts');
const policy = m('policy/table.ts');
const dispatch = m('trap/dispatch.ts');
const hypercall = m('hypercall/hypercall.ts');
const rounds = m('run/rounds.ts');
const run = m('run/run.ts');
const domain = m('domain.ts');
const doors = m('run/doors.ts');
const vcpu = m('vcpu.ts');
const state = m('snapshot/state.ts');
const compile = m('load/compile.ts');
const engine = m('engine/engine.ts');

export const CORE: readonly CoreMutant[] = [
  doors(
    'return because(isa.faults.undefined(',
    "throw new TypeError('undefined');\n          return because(isa.faults.undefined(",
    'an undefined instruction is a crash',
    'hostile',
  ),
  perform(
    "if (typeof legal !== 'bigint') return { refuse: 'undefined', why: legal.refuse };",
    "if (typeof legal !== 'bigint') throw new TypeError(legal.refuse);",
    'a refused write is a crash',
    'each bit',
  ),

  bank('this.#written.add(counter);', '', 'rule 3: a write does not win', 'rule 3'),
  bank(
    'if (boundary) amount += this.#added',
    'if (false) amount += this.#added',
    'rule 7: software adds nothing',
    'rule 7',
  ),
  bank(
    'this.#added.set(counter, (this.#added.get(counter) ?? 0) + amount);',
    'this.#added.set(counter, (this.#added.get(counter) ?? 0) + amount + 1);',
    'rule 7: an increment is two',
    'rule 7',
  ),
  bank('if (a.overflowWidth === 32) {', 'if (a.overflowWidth === 64) {', 'rule 7: carries at 64 bits', 'rule 7'),
  bank('amount += carried?.get(a.carries) ?? 0;', 'amount += 0;', 'rule 7: no carries', 'rule 7'),
  bank(
    'this.remainders[index] = all % a.divisor;',
    'this.remainders[index] = 0;',
    'a divider forgets its remainder',
    'counts every',
  ),
  bank('amount = Math.floor(all / a.divisor);', 'amount = all;', 'a divider divides nothing', 'counts every'),
  bank('      overflowed(a.counter);', '', 'rule 6: nobody is told of an overflow', 'at n events'),
  bank('if (wraps === 0) continue;', 'if (wraps >= 0) continue;', 'rule 6: no overflow', 'at n events'),
  bank(
    'Math.max(1, Math.ceil(least /',
    'Math.max(1, 1 + Math.ceil(least /',
    'rule 6: looked at one instruction late',
    'overflow-at-n',
  ),
  bank('          critical |= rare;\n', '', 'rule 6: rare events are not watched', 'rare event'),
  bank('(amounts.get(index) ?? 0) + 1);', '1);', 'a signal named twice counts once', 'counting'),
  bank('a.width <= 32 ? 0 :', 'a.width <= 32 ? carried :', '32-bit counts have an upper half', 'overflow'),
  bank(
    'const armed = this.#armed;\n    this.#ask(view, level);',
    'const armed = this.#armed;',
    "rule 8: the hypervisor's work is counted at the guest's level",
    'rule 8',
  ),
  bank(
    'if (!counter.row.counting(view, level)) return undefined;',
    '',
    'every counter counts always',
    'rule 1',
    'counts alone',
  ),
  bank(
    "if (signal === 'carry' || signal === 'increment') continue;",
    "if (signal === 'carry') continue;",
    'rule 7: increments are signals as well',
    'rule 7',
  ),
  bank(
    'a.overflowWidth - 32);\n}',
    'a.overflowWidth - 31);\n}',
    'overflows at 64 bits are missed every other time',
    '64 bits',
  ),
  bank(
    'carried % 2 ** (a.width - 32)',
    'high % 2 ** (a.width - 32)',
    'the upper half never moves',
    '64 bits',
    'overflow',
  ),
  classes(
    "1 + backend + frontend);\n    this.#set(kind, 'stall-b",
    "1 + backend);\n    this.#set(kind, 'stall-b",
    'rule 9: fetch costs no cycles',
    'rule 9',
  ),
  classes("'stall-backend', backend);", "'stall-backend', frontend);", 'rule 9: stalls are mixed up', 'rule 9'),
  classes("'stall-frontend', frontend);", "'stall-frontend', frontend + 1);", 'rule 9: every fetch stalls', 'rule 9'),
  classes(
    "this.#set(kind, 'instruction', 1);",
    "this.#set(kind, 'instruction', 2);",
    'every instruction is two',
    'counting',
  ),
  classes(
    'for (const signal of new Set(signals))',
    'for (const signal of new Set(signals.slice(1)))',
    "an instruction's first signal is lost",
    'counting',
  ),
  observe('const at = level * WIDTH;', 'const at = 0;', 'from outside every level is the lowest', 'counting'),
  observe('+ amount;', '+ 1;', 'from outside many are one', 'counting'),
  decide('if (level < least)', 'if (level > least)', 'privilege is the wrong way round', 'who may'),
  decide('if (level < least)', 'if (level <= least)', 'one level more is needed', 'who may'),
  decide('if (!register.exists) return', 'if (false) return', 'what a CPU lacks is there', 'is not there without'),
  decide(
    "return { verdict: 'absent', rule:",
    "return { verdict: 'undefined', rule:",
    'what a CPU lacks is told as undefined',
    'is not there without',
  ),
  decide("if (group.on !== 'both' &&", "if (group.on === 'both' &&", 'groups about both stop half', 'access'),
  decide('if (((group.levels >> level) & 1) === 0) continue;', '', 'groups stop every level', 'access'),
  decide(
    'const least = write ? register.writeLevel : register.readLevel;',
    'const least = register.readLevel;',
    'who may read may write',
    'who may',
  ),
  decide('=== g.is;', '!== g.is;', 'traps are armed by the opposite', 'access'),
  decide(
    'for (const group of register.groups) {',
    'for (const group of [...register.groups].reverse()) {',
    'trap groups are asked backwards',
    'access',
  ),
  decide(
    ['rule: `$', '{group.name} ($', '{group.group.source})`'].join(''),
    "rule: 'a trap'",
    'the explanation names nothing',
    'access',
  ),
  decide('return DIRECT;', "return { verdict: 'undefined', rule: 'nothing decides' };", 'nothing is direct', 'access'),
  legalize('((before | written) & register.oneSets)', '(written & register.oneSets)', 'one-sets clears', 'each bit'),
  legalize(
    '(before & ~written & register.oneClears)',
    '(before & register.oneClears)',
    'one-clears does not',
    'each bit',
  ),
  legalize('(before & register.ignored)', '(written & register.ignored)', 'read-only is written', 'each bit'),
  legalize('if (ones !== 0n) return', 'if (false) return', 'must-be-0 is not', 'each bit'),
  legalize(
    '    register.one |\n    register.mustBe1\n',
    '    register.mustBe1\n',
    'bits that are one are not',
    'each bit',
  ),
  legalize('(written & register.plain) |', '(before & register.plain) |', 'plain bits are never written', 'each bit'),
  legalize(
    'return written & register.mask;',
    'return (written & register.mask) ^ 1n;',
    'bit 0 of what is plain throughout is turned',
    'each bit',
  ),
  legalize(
    '| register.one | register.mustBe1;',
    '| register.mustBe1;',
    'after power-on bits that are one are not',
    'after power-on',
  ),
  perform(
    'return { value: value & register.mask };\n}\n\nexport function performWrite',
    'return { value: ~value & register.mask };\n}\n\nexport function performWrite',
    'reads show the opposite',
    'what a read shows',
  ),
  perform(
    "if (target === 'undefined') return nowhere(register);\n  if (target === 'ignored') return { value: 0n };",
    "if (target === 'undefined' || target === 'ignored') return { value: 0n };",
    'windows onto nothing read as 0',
    'registers',
  ),
  perform(
    'if (target.row.derive === undefined || target.row.parts !== undefined) handle.put(target, stored);',
    '',
    'writes are lost',
    'each bit',
  ),
  perform('row.wrote?.(handle, value, before);', '', 'effects of writes are lost', 'counting'),
  perform(
    'stored = (legal & implemented) | (handle.raw(target) & ~implemented);',
    'stored = legal;',
    'bits that are not implemented are written',
    'each bit',
    'switching',
  ),
  perform(
    'row.implemented !== undefined) value &= row.implemented(handle);',
    'false) value &= 0n;',
    'windows show bits that are not implemented',
    'what a read shows',
  ),
  perform(
    'if (isRefusal(accepted)) return',
    'if (isRefusal(accepted) && false) return',
    'nothing is refused',
    'registers',
  ),
  road(
    "if (decision.verdict === 'undefined' || decision.verdict === 'absent') {",
    "if (decision.verdict === 'absent') {",
    'what is undefined is performed',
    'who may',
  ),
  road('if (settled.code !== 0) {', 'if (false) {', 'what the hypervisor refuses is performed', 'under off'),
  handle("if (role === 'counter') {", 'if (false) {', 'rule 3: nobody is told of a written counter', 'rule 3'),
  handle(
    "if (row.role === 'counter' || row.role === 'overflow') this",
    'if (false) this',
    'rule 4: a read sees old counts',
    'rule 4',
  ),
  handle(
    'if (!register.exists) return 0n;',
    'if (!register.exists) return 1n;',
    'what is not there is 1',
    'registers',
    'access',
  ),
  handle(
    'return row.implemented === undefined ? value : value & row.implemented(this);',
    'return value;',
    'bits that are not implemented show',
    'registers',
    'switching',
  ),
  handle(
    "if (pmu || (register.affects & (PMU | AFFECTS.level)) !== 0 || register.home === 'pcpu') machine.sync(this.v);",
    '',
    'rule 4: a change comes before what was counted',
    'rule 4',
    'rule 1',
  ),
  handle(
    "const affects = register.affects | (pmu || register.home === 'pcpu' ? PMU : 0);",
    'const affects = register.affects;',
    'nobody looks at changed controls',
    'counting',
  ),
  handle(
    'this.bank().add(counter.index, amount);',
    'this.bank().add(0, amount);',
    'rule 7: every increment is of the first counter',
    'rule 7',
  ),
  machine('domain.engine.emit(SIGNAL_INDEX.exception, 1);', '', 'rule 5: exceptions are not counted', 'rule 5'),
  machine(
    'signals[SIGNAL_INDEX.instruction] = instructions;',
    'signals[SIGNAL_INDEX.instruction] = 0;',
    "rule 8: the hypervisor's instructions are not counted",
    'rule 8',
  ),
  machine(
    "if (reset === 'unknown') return withFixedBits(register, UNKNOWN);",
    "if (reset === 'unknown') return 0n;",
    'what is unknown is 0',
    'after power-on',
  ),
  machine(
    "if (typeof reset === 'bigint') return reset;",
    "if (typeof reset === 'bigint') return reset ^ 1n;",
    'resets are off by a bit',
    'after power-on',
  ),
  machine(
    'this.arch.arch.pmu.overflow(view, counter.index));',
    'this.arch.arch.pmu.overflow(view, counter.index ^ 1));',
    'rule 6: the neighbour is told to have overflowed',
    'overflow',
  ),
  machine(
    'this.arch.arch.pmu.overflow(view, counter.index));\n    this.attend(v, ATTENTION.interrupts);',
    'this.arch.arch.pmu.overflow(view, counter.index));',
    'rule 6: nobody looks at the interrupt',
    'overflow',
  ),
  machine('v.instructions += retired;', 'v.instructions += 2 * retired;', 'a vCPU has done twice as much', 'counting'),
  machine('v.cycles += cycles;', 'v.cycles += 2 * cycles;', 'a vCPU has spent twice as many cycles', 'determinism'),
  change('    freeze(v, order, steps);', '', 'nothing is frozen', 'switching'),
  change('    out(v, order.counters, steps);', '', 'counters are not saved', 'switching'),
  change('    back(v, order.back, steps);', '', 'nothing is restored', 'switching'),
  change('    out(v, order.controls, steps);', '', 'controls are not saved', 'switching'),
  change('pcpu.rest.set(live(v, pcpu.rest.length));', '', 'the hardware does not stay', 'switching'),
  change('live(v, pcpu.rest.length).set(pcpu.rest);', '', 'the hardware does not come', 'switching'),
  change(
    'back: [...controls, ...counters].reverse(),',
    'back: [...controls, ...counters],',
    'what is restored is not the mirror image',
    'travels',
  ),
  change(
    'v.remainders = [...pcpu.bank.remainders];',
    '',
    'remainders of dividers do not travel',
    'switching',
    'determinism',
  ),
  change(
    'if (personality.enforce === undefined) enforce(',
    'if (false) enforce(',
    'nothing is enforced',
    'access',
    'policy',
  ),
  change(
    "  hooks(v, order, 'contextSwitchTo', steps);",
    '',
    'what no register holds does not come back',
    'sampling',
    'switching',
  ),
  change(
    "machine.charge(v, 'switch');",
    "machine.charge(v, 'trap');",
    'rule 8: a switch costs what a trap does',
    'rule 8',
  ),
  policy(
    "home: 'pcpu',\n    onSwitch: 'leave',",
    "home: 'pcpu',\n    onSwitch: 'carry',",
    'passthrough carries',
    'policy',
  ),
  policy(
    "means: 'The guest has the physical registers; they are saved and restored on every switch (Xen, 2007 and since).',\n    demand: all('direct'),\n    home: 'pcpu',\n    onSwitch: 'carry'",
    "means: 'The guest has the physical registers; they are saved and restored on every switch (Xen, 2007 and since).',\n    demand: all('direct'),\n    home: 'pcpu',\n    onSwitch: 'leave'",
    'switched carries nothing',
    'switching',
  ),
  policy(
    "selector: 'trap', identity: 'trap', sampling: 'trap'",
    "selector: 'direct', identity: 'trap', sampling: 'trap'",
    'mediated does not see selectors',
    'policy',
  ),
  policy(
    "(KVM).',\n    demand: but(all('trap'), { identity: 'direct' }),",
    "(KVM).',\n    demand: all('direct'),",
    'emulated traps nothing',
    'policy',
    'access',
  ),
  policy(
    "trapped.',\n    demand: but(all('trap'), { identity: 'direct' }),\n    home: 'vcpu',",
    "trapped.',\n    demand: but(all('trap'), { identity: 'direct' }),\n    home: 'pcpu',",
    'off lives on the physical CPU',
    'policy',
  ),
  policy(
    "onSwitch: 'leave',\n    independent: false,",
    "onSwitch: 'leave',\n    independent: true,",
    'passthrough promises independence',
    'policy',
  ),
  hypercall('handle.set(convention.result, result);', '', 'no service answers', 'hypercalls'),
  hypercall(
    'handle.set(convention.result, hypercalls.unknown(handle, number));',
    '',
    'an unknown call is not answered',
    'hypercalls',
  ),
  hypercall(
    "v.domain.diagnose(...told('CV_UNKNOWN_HYPERCALL'",
    "void (told('CV_UNKNOWN_HYPERCALL'",
    'an unknown call is not told',
    'hypercalls',
  ),
  hypercall(
    'convention.arguments.map((name)',
    '[...convention.arguments].reverse().map((name)',
    'arguments come backwards',
    'hypercalls',
  ),
  dispatch('(v.exits.get(cause.name) ?? 0) + 1', '(v.exits.get(cause.name) ?? 0) + 2', 'an exit is two', 'access'),
  dispatch(
    "const toHypervisor = cause.cause.to === 'hypervisor';",
    'const toHypervisor = true;',
    "the guest's own traps are exits",
    'access',
  ),
  dispatch("machine.charge(v, 'trap');", '', 'rule 8: a trap costs nothing', 'rule 8'),
  dispatch(
    "      return { code: CODE.fault, ...(outcome.why !== undefined && { why: outcome.why }) };\n    case 'exit':",
    "      return { code: 0, ...(outcome.why !== undefined && { why: outcome.why }) };\n    case 'exit':",
    'an injected exception is not taken',
    'under off',
    'access',
  ),
  dispatch(
    'v.domain.end(outcome.reason, outcome.status);',
    'v.domain.end(outcome.reason, 0);',
    'every status is 0',
    'hypercalls',
  ),
  rounds('domain.round += longest;', 'domain.round += longest + 1;', 'rule 11: every round is longer', 'determinism'),
  rounds(
    'longest = Math.max(longest, v.cycles - v.roundStart);',
    'longest += machine.slice;',
    'rule 11: the clock depends on slices',
    'determinism',
  ),
  run(
    'if ((what & (ATTENTION.pmu | ATTENTION.level)) !== 0) {',
    'if ((what & ATTENTION.pmu) !== 0) {',
    'rule 1: a change of level is not looked at',
    'rule 1',
  ),
  run(
    'const due = v.deadline != null',
    'const due = false && v.deadline != null',
    'deadlines pass unseen',
    'determinism',
  ),
  run(
    'x.critical = pcpu.bank.critical | (v.bank?.critical ?? 0) | v.branches;',
    'x.critical = pcpu.bank.critical;',
    "the vCPU's own rare events are not watched",
    'rare event',
  ),
  run('        pcpu.bank.budget,\n', '', 'rule 6: physical overflows are seen late', 'at n events'),
  run(
    'v.bank?.budget ?? Number.POSITIVE_INFINITY,',
    'Number.POSITIVE_INFINITY,',
    'rule 6: virtual overflows are seen late',
    'at n events',
  ),
  run(
    'execute(machine, v, Math.min(machine.slice,',
    'execute(machine, v, Math.min(machine.slice + 1,',
    'slices are one instruction longer',
    'switching',
  ),
  domain(
    'return this.pmuInterrupt && this.arch.arch.pmu.line(v.handle);',
    'return this.arch.arch.pmu.line(v.handle) && false;',
    'the line never comes up',
    'overflow',
  ),
  domain(
    'return this.round + (v.cycles - v.roundStart);',
    'return this.round;',
    'rule 11: the clock stands still within a round',
    'determinism',
    'registers',
  ),
  domain(
    'this.ended = { reason, status };',
    "this.ended = { reason: 'poweroff', status };",
    'every end is a power-off',
    'hypercalls',
  ),
  domain(
    'handle.store(register, this.machine.resetValue(register, v.handle));',
    '',
    "a vCPU's registers are not reset",
    'after power-on',
  ),
  vcpu(
    "this.bank = domain.policy.home === 'vcpu' ?",
    "this.bank = domain.policy.home !== 'vcpu' ?",
    'counters of the wrong home',
    'counting',
  ),
  state('domain.round = s.round;', '', "a restored domain's clock begins anew", 'snapshot'),
  state('v.instructions = s.instructions;', '', 'a restored vCPU has done nothing', 'snapshot'),
  state(
    'bytes(s.blocks, memory.bytes',
    'bytes(s.blocks.replace(/./g, "0"), memory.bytes',
    'restored registers are 0',
    'snapshot',
  ),
  state('bytes(p.rest, asBytes(pcpu.rest));', '', 'the physical bank is not restored', 'snapshot'),
  state('bytes(page, memory.bytes', 'bytes(page.replace(/./g, "0"), memory.bytes', 'restored memory is 0', 'snapshot'),
  state('v.turn = s.turn;', '', "a restored vCPU's turn begins anew", 'snapshot'),
  compile('levelIndex(row.write),', 'levelIndex(row.read),', 'tables: who may read may write', 'who may'),
  compile('exists: has(row.needs),', 'exists: true,', 'tables: every CPU has everything', 'is not there without'),
  compile(
    'events: new Map(arch.pmu.events',
    'events: new Map(arch.pmu.events.slice(1)',
    'the first event is none',
    'counting',
  ),
  engine(
    'this.extra[signal] as number) + amount;',
    'this.extra[signal] as number) + 2 * amount;',
    'what is known late counts twice',
    'counting',
  ),
];
