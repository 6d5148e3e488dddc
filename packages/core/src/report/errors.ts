/**
 * Every sentence that core says to a person when it refuses, in one table: code, sentence, remedy.
 *
 * A row is a function of named facts, so a missing fact is a compile error. Sentences say what is wrong and where; remedies say what to do,
 * with a row ready to paste where a table lacks one. Codes are stable: scripts match on them.
 */
import { CountervisorError, type Place } from '@countervisor/contract';

/** What one row of the table says. */
export interface Said {
  readonly says: string;
  readonly remedy: string;
}

/** A number as sentences show addresses and register values. */
export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

const said = (says: string, remedy: string): Said => ({ says, remedy });

/** "Did you mean X?" when something is near, else what there is. */
function instead(near: string | undefined, known: readonly string[]): string {
  if (near !== undefined) return `Did you mean ${near}?`;
  if (known.length === 0) return 'There is none to choose from.';
  const most = 12;
  const rest = known.length - most;
  return `Known: ${known.slice(0, most).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}.`;
}

/** The table. */
export const ERRORS = {
  // — A plugin at load —————————————————————————————————————————————————————————————————————————————————————————————————————
  CV_PLUGIN_REFUSED: (f: { arch: string; problems: readonly string[] }): Said =>
    said(
      `${f.arch} is refused: ${f.problems.length === 1 ? 'one problem' : `${f.problems.length} problems`} in its tables.`,
      f.problems.join('\n'),
    ),
  CV_CONTRACT: (f: { arch: string; has: string; accepted: readonly number[] }): Said =>
    said(
      `${f.arch} is written for contract ${f.has}; this core speaks ${f.accepted.join(' and ')}.`,
      'Install the release of the architecture package that matches this core, or the core that matches it.',
    ),
  CV_SHAPE: (f: { where: string; expected: string; found: string }): Said =>
    said(
      `${f.where} is ${f.found}; it must be ${f.expected}.`,
      `Write ${f.expected} there; the type in @countervisor/contract says more.`,
    ),
  CV_FIELD_GAP: (f: { register: string; bits: string; row: string }): Said =>
    said(
      `${f.register} leaves ${f.bits} undescribed.`,
      `Name them after the manual, or paste into the fields of ${f.register}:\n  ${f.row}`,
    ),
  CV_FIELD_OVERLAP: (f: { register: string; field: string; other: string; bits: string }): Said =>
    said(
      `${f.register} describes ${f.bits} twice: in ${f.other} and in ${f.field}.`,
      'Correct the bits of one of them: every bit belongs to one field.',
    ),
  CV_FIELD_RANGE: (f: { register: string; field: string; bits: string; width: number }): Said =>
    said(
      `${f.register}.${f.field} has ${f.bits}, outside a register of ${f.width} bits.`,
      `Write a bit, or [high, low], from ${f.width - 1} down to 0.`,
    ),
  CV_FIELD_VALUE: (f: { where: string; value: string; bits: string }): Said =>
    said(`${f.where} is ${f.value}, which does not fit ${f.bits}.`, 'Correct the value or the width of the field.'),
  CV_RESET: (f: { register: string; reset: string; why: string }): Said =>
    said(
      `${f.register} resets to ${f.reset}, ${f.why}.`,
      "Correct the reset value, or the field; write 'unknown' where the manual says so.",
    ),
  CV_CONTRADICTION: (f: { where: string; why: string; remedy: string }): Said => said(`${f.where} ${f.why}.`, f.remedy),
  CV_SAME_ADDRESS: (f: { register: string; other: string; address: string }): Said =>
    said(
      `${f.register} and ${f.other} are both at ${f.address}, and a CPU can have both.`,
      'Correct one address, or give both rows features (`needs`) that no CPU model can have together.',
    ),
  CV_SAME_EVENT: (f: { event: string; other: string; id: string }): Said =>
    said(
      `The events ${f.event} and ${f.other} have the same number, ${f.id}.`,
      'Correct one number in events.ts, or remove one row.',
    ),
  CV_UNKNOWN_NAME: (f: {
    where: string;
    kind: string;
    name: string;
    near: string | undefined;
    known: readonly string[];
  }): Said => said(`${f.where} names the ${f.kind} ${f.name}, which does not exist.`, instead(f.near, f.known)),
  CV_NOT_SWITCHABLE: (f: { where: string; register: string }): Said =>
    said(
      `${f.where} carries ${f.register}, which stays with its vCPU: it has neither a PMU role nor the home 'pcpu'.`,
      `Give ${f.register} its role, or take it from the list.`,
    ),
  CV_LISTED_TWICE: (f: { where: string; name: string; before: string }): Said =>
    said(`${f.where} lists ${f.name}, as ${f.before} does.`, 'Remove one of the two.'),
  CV_NOT_A_COUNTER: (f: { where: string; register: string }): Said =>
    said(
      `${f.where} counts in ${f.register}, which has not the role 'counter'.`,
      `Write role: 'counter' in the row of ${f.register}, or name the register that holds the count.`,
    ),
  CV_RANGES_OVERLAP: (f: { platform: string; a: string; b: string; at: string }): Said =>
    said(
      `On the platform ${f.platform}, ${f.a} and ${f.b} both answer at ${f.at}.`,
      'Correct the base or the size of one.',
    ),
  CV_THREW: (f: { where: string; message: string }): Said =>
    said(`${f.where} threw: ${f.message}`, 'It is asked once at load and must answer.'),
  CV_NEEDS_UNMET: (f: { arch: string; need: string; near: string | undefined; granted: readonly string[] }): Said =>
    said(
      `${f.arch} needs '${f.need}', which this core was not built with or was started without.`,
      f.near === undefined
        ? `Granted: ${f.granted.length === 0 ? 'nothing' : f.granted.join(', ')}. Update the core, or load the architecture without what needs it.`
        : `Did you mean '${f.near}'?`,
    ),
  CV_POLICY_NOT_OFFERED: (f: { who: string; policy: string; offered: readonly string[] }): Said =>
    said(`${f.who} asks for the policy '${f.policy}', which is not offered.`, `Offered: ${f.offered.join(', ')}.`),
  CV_UNABLE: (f: { who: string; policy: string; cpu: string; why: string }): Said =>
    said(
      `${f.who} ${f.why}: no domain with the policy '${f.policy}' on the CPU model ${f.cpu}.`,
      'Choose another --cpu, another --policy, or other options of the personality.',
    ),
  CV_LIFT: (f: { instruction: string; problem: string }): Said =>
    said(
      `The lift of ${f.instruction} ${f.problem}.`,
      'Correct its row: whatever can fault or trap comes before the first change (a set, a count, a store that no probe has tried), and every name is one of the tables.',
    ),

  // — Extensions of an architecture ————————————————————————————————————————————————————————————————————————————————————————
  CV_EXTENSION_CONFLICT: (f: { extension: string; other: string; kind: string; name: string; base: boolean }): Said =>
    said(
      `${f.extension} and ${f.other} both declare the ${f.kind} ${f.name}.`,
      f.base
        ? `Rename it in ${f.extension}, or leave it out: an extension adds, and replaces nothing of ${f.other}.`
        : `Rename it in one of them, or compose only one of ${f.other} and ${f.extension}.`,
    ),
  CV_EXTENSION_ORDER: (f: {
    extension: string;
    other: string;
    there: boolean;
    order: string | undefined;
    near: string | undefined;
  }): Said =>
    f.there
      ? said(
          `${f.extension} must come behind ${f.other}, and is stated before it.`,
          f.order === undefined ? `State ${f.other} first.` : `State them in this order: ${f.order}.`,
        )
      : said(
          `${f.extension} must come behind ${f.other}, which is not there.`,
          f.near === undefined
            ? `State ${f.other} before ${f.extension}, or leave ${f.extension} out.`
            : `Did you mean ${f.near}?`,
        ),
  CV_EXTENSION_CIRCLE: (f: { extension: string; way: string }): Said =>
    said(
      `${f.extension} would have to come behind itself: ${f.way}.`,
      'Take one of these names out of the `after` of the one before it.',
    ),
  CV_EXTENSION_TWICE: (f: { extension: string }): Said =>
    said(
      `${f.extension} is composed twice.`,
      'State it once; two packages of the same name cannot be told apart, so rename one.',
    ),
  CV_EXTENSION_BASE: (f: { extension: string; base: string; arch: string }): Said =>
    said(`${f.extension} extends ${f.base}, and this is ${f.arch}.`, `Compose it with ${f.base}.`),
  CV_EXTENSION_ENFORCE: (f: { extension: string; register: string; owner: string }): Said =>
    said(
      `${f.extension} enforces a write to ${f.register}, which is ${f.owner}'s.`,
      `\`enforce\` of an extension writes registers of its own; what ${f.owner} does with ${f.register} is a personality's to change.`,
    ),

  // — A CPU model ——————————————————————————————————————————————————————————————————————————————————————————————————————————
  CV_UNKNOWN_CPU: (f: { arch: string; name: string; near: string | undefined; known: readonly string[] }): Said =>
    said(`${f.arch} has no CPU model ${f.name}.`, instead(f.near, f.known)),
  CV_CPU_SPEC: (f: { spec: string; why: string }): Said =>
    said(`The CPU '${f.spec}' ${f.why}.`, 'Write MODEL, or MODEL,+feature,-feature without spaces.'),
  CV_UNKNOWN_FEATURE: (f: { arch: string; name: string; near: string | undefined; known: readonly string[] }): Said =>
    said(`${f.arch} knows no CPU feature ${f.name}.`, instead(f.near, f.known)),
  CV_FEATURE_IMPOSSIBLE: (f: {
    cpu: string;
    feature: string;
    verb: 'add' | 'remove';
    optional: readonly string[];
  }): Said =>
    f.verb === 'add'
      ? said(
          `The CPU model ${f.cpu} cannot have ${f.feature}.`,
          f.optional.length === 0
            ? 'It has no optional features.'
            : `Features it can be given: ${f.optional.join(', ')}.`,
        )
      : said(`The CPU model ${f.cpu} has no ${f.feature} to take away.`, `Leave out -${f.feature}.`),
  CV_UNKNOWN_SETTING: (f: { arch: string; name: string; near: string | undefined; known: readonly string[] }): Said =>
    said(`${f.arch} has no CPU setting ${f.name}.`, instead(f.near, f.known)),
  CV_SETTING_VALUE: (f: { setting: string; value: string; allowed: string }): Said =>
    said(`The CPU setting ${f.setting} cannot be ${f.value}.`, `It may be ${f.allowed}.`),

  CV_VALUE: (f: { where: string; value: string; allowed: string }): Said =>
    said(`${f.where} cannot be ${f.value}.`, `It may be ${f.allowed}.`),

  CV_UNKNOWN_PERSONALITY: (f: {
    arch: string;
    name: string;
    near: string | undefined;
    known: readonly string[];
  }): Said => said(`${f.arch} has no personality ${f.name}.`, instead(f.near, f.known)),
  CV_UNKNOWN_PLATFORM: (f: { arch: string; name: string; near: string | undefined; known: readonly string[] }): Said =>
    said(`${f.arch} has no platform ${f.name}.`, instead(f.near, f.known)),
  CV_MEMORY_EXHAUSTED: (f: { bytes: string }): Said =>
    said(
      `This process cannot have ${f.bytes} bytes of memory for a domain.`,
      'Give the domain less memory, or run fewer domains in one process.',
    ),

  CV_NO_ROOM: (f: { what: string; at: string; bytes: string; domain: string }): Said =>
    said(
      `${f.what} needs ${f.bytes} bytes at ${f.at}, which the memory of ${f.domain} does not have.`,
      'Give the domain more memory.',
    ),
  CV_STATE: (f: { why: string }): Said =>
    said(`This state ${f.why}.`, 'Restore it into a machine made from the configuration it was saved from.'),

  CV_OBSERVER: (f: { event: string; what: string }): Said =>
    said(
      `A listener of '${f.event}' called ${f.what}, which could change what a guest sees.`,
      'Take a note of what is to be done, and do it when `run` or `pass` has returned; `paused` of a domain may be set at any time.',
    ),

  // — A guest at run time ——————————————————————————————————————————————————————————————————————————————————————————————————
  CV_UNKNOWN_REGISTER: (f: {
    arch: string;
    verb: 'read' | 'wrote';
    address: string;
    pc: string;
    level: string;
    row: string;
  }): Said =>
    said(
      `${f.arch}: the guest ${f.verb} ${f.address} at pc ${f.pc} (${f.level}), which no table declares.`,
      `The guest got what it gets for such a register: an exception, or nothing. To declare it, add to packages/${f.arch}/src/registers:\n${f.row}`,
    ),
  CV_UNKNOWN_HYPERCALL: (f: {
    domain: string;
    arch: string;
    number: string;
    hex: string;
    name?: string | undefined;
    pc: string;
  }): Said =>
    said(
      `${f.domain}: the guest called the hypervisor with number ${f.hex}${f.name === undefined ? '' : ` (${f.name})`} at pc ${f.pc}, which no service answers.`,
      `It was told that there is none. To answer it, add a service with the number '${f.number}' to the hypercalls of ${f.arch}.`,
    ),
  CV_UNMODELLED_DEVICE_REGISTER: (f: {
    domain: string;
    verb: 'read' | 'wrote';
    size: number;
    offset: string;
    device: string;
    pc: string;
    platform: string;
    ignored: boolean;
  }): Said =>
    said(
      `${f.domain}: the guest ${f.verb} ${f.size} bytes at offset ${f.offset} of ${f.device} at pc ${f.pc}, which the platform ${f.platform} does not model.`,
      f.ignored
        ? 'The read gave 0, the write was dropped, as the setting unmodelled=ignore asks.'
        : 'It got a bus fault. Add the register to the device, or run with unmodelled=ignore to read 0 there.',
    ),
  CV_NO_PORT: (f: { domain: string; verb: 'read' | 'wrote'; port: string; pc: string; platform: string }): Said =>
    said(
      `${f.domain}: the guest ${f.verb} port ${f.port} at pc ${f.pc}, where the platform ${f.platform} has no device: it read ones, or its write was lost.`,
      `Add the device to the platform ${f.platform}, with its range of ports, or do not use it.`,
    ),
  CV_NOTHING_THERE: (f: {
    domain: string;
    kind: 'read' | 'write' | 'fetch';
    physical: string;
    pc: string;
    platform: string;
  }): Said =>
    said(
      `${f.domain}: the guest ${f.kind === 'read' ? 'read' : f.kind === 'write' ? 'wrote' : 'fetched an instruction from'} physical ${f.physical} at pc ${f.pc}, where there is no memory${f.kind === 'fetch' ? '' : ' and no device'}.`,
      f.kind === 'fetch'
        ? 'It got a bus fault. Its code jumped astray, or its memory is smaller than it believes.'
        : `It got a bus fault. The platform ${f.platform} lists its devices; a row with this range would answer.`,
    ),
  CV_EXCEPTION_LOOP: (f: { domain: string; vcpu: number; times: number; exception: string; pc: string }): Said =>
    said(
      `${f.domain}: vCPU ${f.vcpu} took ${f.times} exceptions in a row without retiring an instruction, the last one '${f.exception}' to pc ${f.pc}.`,
      "The guest's exception vectors fault themselves: check that they are in memory, mapped and executable.",
    ),
  CV_RETRIED_FOR_EVER: (f: { domain: string; cause: string; times: number; pc: string }): Said =>
    said(
      `${f.domain}: the handler of '${f.cause}' has asked ${f.times} times in a row for the instruction at pc ${f.pc} to be run again.`,
      "Correct the handler: 'retry' is for an obstacle that it has removed.",
    ),
  CV_WAITS_FOR_EVER: (f: { domain: string }): Said =>
    said(
      `${f.domain}: every vCPU waits for an interrupt, and nothing within 2^52 cycles could raise one.`,
      'Enable a timer or an interrupt before the guest waits, or let it power off.',
    ),
  CV_MORE: (f: { domain: string; most: number }): Said =>
    said(
      `${f.domain}: ${f.most} different things were reported, and what comes after them is not.`,
      'Mend the first ones, and run again.',
    ),
  CV_UNKNOWN_REGISTER_NAME: (f: {
    arch: string;
    name: string;
    near: string | undefined;
    known: readonly string[];
  }): Said => said(`${f.arch} has no register ${f.name}.`, instead(f.near, f.known)),
} as const;

export type ErrorCode = keyof typeof ERRORS;
export type FactsOf<Code extends ErrorCode> = Parameters<(typeof ERRORS)[Code]>[0];

/** Sentence and remedy of a code, from its facts. */
export function say<Code extends ErrorCode>(code: Code, facts: FactsOf<Code>): Said {
  const row = ERRORS[code] as unknown as (facts: FactsOf<Code>) => Said;
  return row(facts);
}

/** Code, sentence and remedy, for `Domain.diagnose` and `giveUp`: what a guest ran into is said, not thrown. */
export function told<Code extends ErrorCode>(
  code: Code,
  facts: FactsOf<Code>,
): readonly [code: Code, message: string, remedy: string] {
  const { says, remedy } = say(code, facts);
  return [code, says, remedy];
}

/** The error of a code, to be thrown: `throw fail('CV_LIFT', { … })`. */
export function fail<Code extends ErrorCode>(code: Code, facts: FactsOf<Code>, place?: Place): CountervisorError {
  const { says, remedy } = say(code, facts);
  return new CountervisorError(code, says, remedy, place);
}
