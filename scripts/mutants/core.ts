/** Single mutants of core: a line that says one of its rules, said otherwise. Each text stands once in its file; one that does not is an error. */
export interface CoreMutant {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly what: string;
  readonly first: readonly string[];
}

const m = (file: string, find: string, replace: string, what: string, ...first: string[]): CoreMutant => ({
  file,
  find,
  replace,
  what,
  first,
});

export const CORE: readonly CoreMutant[] = [
  m('pmu/bank.ts', 'this.#written.add(counter);', '', 'rule 3: a write does not win', 'counting'),
  m(
    'pmu/bank.ts',
    'if (boundary) amount += this.#added',
    'if (false) amount += this.#added',
    'rule 7: increments are lost',
    'counting',
  ),
  m(
    'pmu/bank.ts',
    '+ amount);\n  }\n\n  /** The event',
    '+ amount + 1);\n  }\n\n  /** The event',
    'rule 7: an increment is two',
    'counting',
  ),
  m(
    'pmu/bank.ts',
    'if (a.overflowWidth === 32) carried',
    'if (a.overflowWidth === 64) carried',
    'rule 7: carries at 64 bits',
    'counting',
  ),
  m('pmu/bank.ts', 'amount += carried?.get(a.carries) ?? 0;', 'amount += 0;', 'rule 7: no carries', 'counting'),
  m(
    'pmu/bank.ts',
    'this.remainders[index] = all % a.divisor;',
    'this.remainders[index] = 0;',
    'a divider forgets its remainder',
    'counting',
  ),
  m('pmu/bank.ts', 'amount = Math.floor(all / a.divisor);', 'amount = all;', 'a divider divides nothing', 'counting'),
  m('pmu/bank.ts', '      overflowed(a.counter);', '', 'rule 6: nobody is told of an overflow', 'overflow'),
  m('pmu/bank.ts', 'if (wraps === 0) continue;', 'if (wraps >= 0) continue;', 'rule 6: no overflow', 'overflow'),
  m(
    'pmu/bank.ts',
    'Math.max(1, Math.ceil(least /',
    'Math.max(1, 1 + Math.ceil(least /',
    'rule 6: looked at one instruction late',
    'overflow',
  ),
  m('pmu/bank.ts', 'else critical |= rare;', '', 'rule 6: rare events are not watched', 'overflow'),
  m('pmu/bank.ts', '(amounts.get(index) ?? 0) + 1);', '1);', 'a signal named twice counts once', 'counting'),
  m('pmu/bank.ts', 'a.width <= 32 ? 0 :', 'a.width <= 32 ? carried :', '32-bit counts have an upper half', 'overflow'),
  m(
    'pmu/bank.ts',
    'this.arm(view, level);\n    this.fold(m, signals, false',
    'this.fold(m, signals, false',
    "rule 8: the hypervisor's work is counted at the guest's level",
    'counting',
  ),
  m('pmu/classes.ts', '1 + backend + frontend);', '1 + backend);', 'rule 9: fetch costs no cycles', 'counting'),
  m(
    'pmu/classes.ts',
    "'stall-backend', backend);",
    "'stall-backend', frontend);",
    'rule 9: stalls are mixed up',
    'counting',
  ),
  m('access/decide.ts', 'if (level < least)', 'if (level > least)', 'privilege is the wrong way round', 'registers'),
  m(
    'access/decide.ts',
    'if (!register.exists) return',
    'if (false) return',
    'a feature that is not there is',
    'registers',
  ),
  m(
    'access/decide.ts',
    "if (group.on !== 'both' &&",
    "if (group.on === 'both' &&",
    'groups about both stop nothing',
    'access',
  ),
  m('access/decide.ts', 'if (((group.levels >> level) & 1) === 0) continue;', '', 'groups stop every level', 'access'),
  m(
    'access/legalize.ts',
    '((before | written) & register.oneSets)',
    '(written & register.oneSets)',
    'one-sets clears',
    'registers',
  ),
  m(
    'access/legalize.ts',
    '(before & ~written & register.oneClears)',
    '(before & register.oneClears)',
    'one-clears does not',
    'registers',
  ),
  m(
    'access/legalize.ts',
    '(before & register.ignored)',
    '(written & register.ignored)',
    'read-only is written',
    'registers',
  ),
  m('access/legalize.ts', 'if (ones !== 0n) return', 'if (false) return', 'must-be-0 is not', 'registers'),
  m('switch/switch.ts', "write(machine, v, order.freeze, 'freeze', steps);", '', 'nothing is frozen', 'switching'),
  m('switch/switch.ts', '    out(v, order.counters, steps);', '', 'counters are not saved', 'switching'),
  m('switch/switch.ts', '    back(v, order.back, steps);', '', 'nothing is restored', 'switching'),
  m('switch/switch.ts', '    out(v, order.controls, steps);', '', 'controls are not saved', 'switching'),
  m('switch/switch.ts', 'pcpu.rest.set(live(v, pcpu.rest.length));', '', 'the bank does not stay', 'switching'),
  m('switch/switch.ts', 'live(v, pcpu.rest.length).set(pcpu.rest);', '', 'the bank does not come', 'switching'),
  m(
    'policy/table.ts',
    "home: 'pcpu',\n    onSwitch: 'carry'",
    "home: 'pcpu',\n    onSwitch: 'leave'",
    'switched carries nothing',
    'policy',
  ),
  m('machine.ts', 'domain.engine.emit(SIGNAL_INDEX.exception, 1);', '', 'exceptions are not counted', 'counting'),
  m('hypercall/hypercall.ts', 'handle.set(convention.result, result);', '', 'no service answers', 'hypercalls'),
  m(
    'hypercall/hypercall.ts',
    'handle.set(convention.result, hypercalls.unknown(handle, number));',
    '',
    'an unknown call is not answered',
    'hypercalls',
  ),
  m(
    'trap/dispatch.ts',
    '(v.exits.get(cause.name) ?? 0) + 1',
    '(v.exits.get(cause.name) ?? 0) + 2',
    'an exit is two',
    'access',
  ),
  m('snapshot/state.ts', 'domain.round = s.round;', '', "a restored domain's clock begins anew", 'snapshot'),
];
