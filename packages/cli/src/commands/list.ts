/** `countervisor list`: what there is to choose from; never needs a guest. */
import { didYouMean } from '@countervisor/core';
import { UsageError } from '../exit.ts';
import type { Io } from '../io.ts';
import { cpus, events, host, type List, personalities, policies, registers } from '../lists.ts';
import { choose } from '../plan.ts';
import type { CommonFlags } from '../prepare.ts';
import { table } from '../print/table.ts';
import { LISTS, type ListJson, type ListName } from '../schemas/list.ts';
import { schemaAddress } from '../schemas/parts.ts';

export interface CommandLine {
  readonly name: string;
  readonly means: string;
}

function listOf(name: string): ListName {
  if ((LISTS as readonly string[]).includes(name)) return name as ListName;
  throw new UsageError(
    'CV_USAGE',
    `There is no list of '${name}'.`,
    didYouMean(name, LISTS, `Lists: ${LISTS.join(', ')}.`),
  );
}

function text(name: ListName, found: List): string {
  // The one that `xl info` prints: name, colon, value.
  if (name === 'host') return found.text.map(([key = '', value = '']) => `${key.padEnd(23)}: ${value}\n`).join('');
  return table([found.head, ...found.text], { left: found.head.map((_, i) => i) });
}

export async function list(
  io: Io,
  what: string,
  flags: CommonFlags,
  commands: readonly CommandLine[],
): Promise<number> {
  const name = listOf(what);
  let arch: string | null = null;
  let found: List;
  if (name === 'commands') {
    found = {
      head: ['COMMAND', 'MEANING'],
      rows: commands.map((c) => ({ ...c })),
      text: commands.map((c) => [c.name, c.means]),
    };
  } else {
    const { selected, toolstack } = await choose(io, flags, []);
    arch = selected.arch.name;
    const { cpu } = toolstack;
    const lists = {
      events: () => events(selected.arch, cpu),
      regs: () => registers(selected.arch, cpu),
      cpus: () => cpus(selected.arch),
      personalities: () => personalities(selected.arch),
      policies: () => policies(selected.arch),
      host: () => host(selected, toolstack),
    };
    found = lists[name]();
  }
  const json: ListJson = { $schema: schemaAddress('list'), list: name, arch, rows: found.rows };
  io.out(flags.json === true ? `${JSON.stringify(json, undefined, 2)}\n` : text(name, found));
  return 0;
}
