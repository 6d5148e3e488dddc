/** Events of a machine as trace lines, as data and as text. Every line names the rule that decided. */
import type { Machine } from '@countervisor/core';
import { count, hex } from './print/number.ts';
import { visible } from './print/text.ts';
import type { TraceKind, TraceLine } from './schemas/trace.ts';

type Data = Exclude<TraceLine, { type: 'trace' }>;

/** Tells `line` everything of these kinds. Returns the way to stop. */
export function tracing(machine: Machine, kinds: ReadonlySet<TraceKind>, line: (line: Data) => void): () => void {
  const { events } = machine;
  const off: (() => void)[] = [];
  if (kinds.has('access')) {
    off.push(
      events.on('access', (e) =>
        line({
          type: 'access',
          domain: e.domain,
          vcpu: e.vcpu,
          pc: hex(e.pc),
          icount: count(e.icount),
          level: e.level,
          register: e.register,
          write: e.write,
          value: e.value === undefined ? null : hex(e.value),
          verdict: e.verdict,
          rule: e.rule,
        }),
      ),
    );
  }
  if (kinds.has('trap')) {
    off.push(
      events.on('trap', (e) =>
        line({
          type: 'trap',
          domain: e.domain,
          vcpu: e.vcpu,
          pc: hex(e.pc),
          icount: count(e.icount),
          level: e.level,
          cause: e.cause,
          to: e.to,
          register: e.register ?? null,
          outcome: e.outcome,
          rule: e.rule,
        }),
      ),
    );
  }
  if (kinds.has('switch')) {
    off.push(
      events.on('switch', (e) =>
        line({
          type: 'switch',
          pcpu: e.pcpu,
          from: e.from,
          to: e.to,
          icount: count(e.icount),
          steps: [...e.steps],
          rule: e.rule,
        }),
      ),
    );
  }
  if (kinds.has('overflow')) {
    off.push(
      events.on('overflow', (e) =>
        line({
          type: 'overflow',
          domain: e.domain,
          vcpu: e.vcpu,
          pc: hex(e.pc),
          icount: count(e.icount),
          bank: e.bank,
          counter: e.counter,
          line: e.line,
          rule: e.rule,
        }),
      ),
    );
  }
  if (kinds.has('irq')) {
    off.push(
      events.on('irq', (e) =>
        line({
          type: 'irq',
          domain: e.domain,
          vcpu: e.vcpu,
          pc: hex(e.pc),
          icount: count(e.icount),
          exception: e.exception,
          rule: e.rule,
        }),
      ),
    );
  }
  if (kinds.has('exception')) {
    off.push(
      events.on('exception', (e) =>
        line({
          type: 'exception',
          domain: e.domain,
          vcpu: e.vcpu,
          pc: hex(e.pc),
          icount: count(e.icount),
          level: e.level,
          exception: e.exception,
          address: e.address === undefined ? null : hex(e.address),
          rule: e.rule,
        }),
      ),
    );
  }
  if (kinds.has('note')) {
    off.push(
      events.on('note', (e) =>
        line({
          type: 'note',
          domain: e.domain,
          vcpu: e.vcpu,
          pc: hex(e.pc),
          icount: count(e.icount),
          what: e.what,
          rule: e.rule,
        }),
      ),
    );
  }
  return () => {
    for (const stop of off) stop();
  };
}

function what(line: Data): string {
  switch (line.type) {
    case 'access':
      return `${line.level} ${line.write ? 'write' : 'read'} ${line.register}${line.value === null ? '' : ` ${line.value}`} ${line.verdict}`;
    case 'trap':
      return `${line.level} ${line.cause}${line.register === null ? '' : ` ${line.register}`} to ${line.to}: ${line.outcome}`;
    case 'switch':
      return `${line.from} -> ${line.to}${line.steps.length === 0 ? '' : `: ${line.steps.join(', ')}`}`;
    case 'overflow':
      return `${line.counter} of the ${line.bank}`;
    case 'irq':
      return line.exception;
    case 'note':
      return line.what;
    case 'exception':
      return `${line.level} ${line.exception}${line.address === null ? '' : ` at ${line.address}`}`;
  }
}

/** `who @icount pc kind what | rule`. */
export function traceText(line: Data): string {
  const who = line.type === 'switch' ? `pcpu${line.pcpu}` : `${line.domain}/${line.vcpu}`;
  const pc = line.type === 'switch' ? '' : ` ${line.pc}`;
  return `${visible(who)} @${line.icount}${pc} ${line.type} ${visible(what(line))} | ${visible(line.rule)}\n`;
}
