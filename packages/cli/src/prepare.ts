/** The beginning that run, stat, regs and trace share: plan, say what was odd, create, and pass on what the guests run into. */
import type { EventMap, Machine } from '@countervisor/core';
import { needGuests } from './input/guest.ts';
import { partArguments } from './input/override.ts';
import type { Io } from './io.ts';
import { notes, type Plan, plan } from './plan.ts';
import { colours, printWarning } from './print/error.ts';
import { grouped, hex } from './print/number.ts';
import type { SelectionFlags } from './selection.ts';

export interface CommonFlags extends SelectionFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

export async function prepare(io: Io, args: readonly string[], flags: CommonFlags): Promise<Plan> {
  const { files, overrides } = partArguments(args);
  needGuests(files);
  const planned = await plan(io, flags, files, overrides);
  if (flags.quiet !== true) {
    for (const guest of planned.guests) {
      for (const warning of guest.warnings) printWarning(io, warning);
      for (const note of notes(guest.xl, planned.selected)) note_(io, note);
    }
  }
  if (flags.verbose === true) {
    const { personality, mode, machine } = planned.selected;
    note_(io, `${personality.name}:${mode} on ${planned.toolstack.cpu.name}, ${machine.pcpus ?? 1} pCPU`);
    for (const quirk of mode === 'compat' ? personality.quirks : []) note_(io, `quirk ${quirk.name}: ${quirk.means}`);
    for (const deviation of planned.toolstack.cpu.deviations) note_(io, `${planned.toolstack.cpu.name}: ${deviation}`);
  }
  return planned;
}

function note_(io: Io, text: string): void {
  io.err(`${colours(io, 'err').dim('note')}  ${text}\n`);
}

/** What guests run into is said as it happens: unmodelled things once each, and where a chain of exceptions that ends a domain began. */
export function diagnose(io: Io, machine: Machine, flags: CommonFlags): void {
  if (flags.quiet === true) return;
  const { events } = machine;
  events.on('diagnostic', ({ code, message, remedy }) => printWarning(io, { code, message, remedy, place: undefined }));
  const first = new Map<string, EventMap['exception']>();
  events.on('exception', (event) => {
    const who = `${event.domain}/${event.vcpu}`;
    if (first.get(who)?.icount !== event.icount) first.set(who, event);
  });
  events.on('exit', ({ domain, reason }) => {
    if (reason !== 'exception-loop') return;
    for (const [who, { pc, level, exception, address, icount }] of first) {
      if (!who.startsWith(`${domain}/`)) continue;
      const where = address === undefined || address === pc ? '' : `, address ${hex(address)}`;
      const message = `${who}: it began with '${exception}' at pc ${hex(pc)} (${level})${where}, after ${grouped(icount)} instructions.`;
      printWarning(io, { code: 'CV_EXCEPTION_LOOP', message, remedy: '', place: undefined });
    }
  });
}
