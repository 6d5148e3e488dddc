/** The beginning that run, stat, regs and trace share: plan, say what was odd, create, and pass on what the guests run into. */
import type { Machine } from '@countervisor/core';
import { needGuests } from './input/guest.ts';
import { partArguments } from './input/override.ts';
import type { Io } from './io.ts';
import { notes, type Plan, plan } from './plan.ts';
import { colours, printWarning } from './print/error.ts';
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

/** Unmodelled things that guests touch are said as they happen, once each. */
export function diagnose(io: Io, machine: Machine, flags: CommonFlags): void {
  if (flags.quiet === true) return;
  machine.events.on('diagnostic', ({ code, message, remedy }) =>
    printWarning(io, { code, message, remedy, place: undefined }),
  );
}
