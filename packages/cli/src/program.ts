/** The command line as commander sees it: commands, options, and how their arguments are read. */
import { Command, Option } from 'commander';
import { check } from './commands/check.ts';
import { type ConformanceFlags, conformance } from './commands/conformance.ts';
import { list } from './commands/list.ts';
import { type RegsFlags, regs } from './commands/regs.ts';
import { type RunFlags, run } from './commands/run.ts';
import { type StatFlags, stat } from './commands/stat.ts';
import { type TraceFlags, trace } from './commands/trace.ts';
import { UsageError } from './exit.ts';
import { LONGEST_SLICE, MOST_PCPUS } from './host.ts';
import { countOption } from './input/number.ts';
import type { Io } from './io.ts';
import type { CommonFlags } from './prepare.ts';
import { printError } from './print/error.ts';
import { LISTS } from './schemas/list.ts';
import { TRACE_KINDS } from './schemas/trace.ts';
import { version } from './version.ts';

const EXIT_HELP = `
Exit codes: 0 ok; 1 a guest failed or an expectation was not met; 2 usage; 3 invalid input;
4 a guest faulted; 5 unsupported; 130 interrupted.`;

const EXTENSION = 'package or path that extends the architecture; repeatable, in order';
const GUESTS = 'xl.cfg files or images, then key=value settings over those of the files';

const MOST_JOBS = 256;

const collect = (value: string, before: readonly string[] | undefined): string[] => [...(before ?? []), value];

/** The machine: the same for every command. */
function selection(command: Command): Command {
  return command
    .option('--host <FILE>', 'host file: CPU, pCPUs, personality … (schemas/host.schema.json)')
    .option('--arch <NAME>', 'architecture; else that of the images')
    .option('--extension <WHAT>', EXTENSION, collect)
    .option('--cpu <MODEL>', 'CPU model: MODEL[,+feature,-feature]')
    .option('--personality <NAME>', "hypervisor's ways: NAME[:compat|strict]")
    .option('--option <KEY=VALUE>', 'option of the personality, such as pebs=pin; repeatable', collect)
    .option('--policy <NAME>', 'vPMU policy of domains with vpmu = 1: off, passthrough, switched, emulated, mediated')
    .option('--platform <NAME>', 'machine that guests see')
    .option('--pcpus <N>', 'physical CPUs', countOption('--pcpus', 1, MOST_PCPUS))
    .option('--slice <N>', 'instructions between two context switches', countOption('--slice', 1, LONGEST_SLICE))
    .option('--set <KEY=VALUE>', 'setting of the CPU model, such as hpmn0=all; repeatable', collect)
    .option('--engine <NAME>', 'auto, translator or stepper: speed alone differs');
}

function guests(command: Command): Command {
  return selection(command.argument('<guest...>', GUESTS)).option(
    '--until <N>',
    'stop each domain after N instructions: 5000, 10M, icount:10000',
    countOption('--until'),
  );
}

/** `-j` where perf has it. */
function common(command: Command, json: '--json' | '-j, --json' = '--json'): Command {
  return command
    .option(json, 'one JSON object, by the published schema')
    .option('-q, --quiet', 'no warnings, notes and progress')
    .option('-v, --verbose', 'say more on stderr');
}

/** Commander's `error: …`, with its suggestion in brackets on the next line, as our own. */
function usageError(text: string): UsageError {
  const [first = '', second = ''] = text.trim().split('\n');
  const said = first.replace(/^error: /, '').replace(/\.$/, '');
  const meant = /^\((.+)\)$/.exec(second)?.[1];
  return new UsageError(
    'CV_USAGE',
    `${said.charAt(0).toUpperCase()}${said.slice(1)}.`,
    meant ?? '`countervisor help COMMAND` says what there is.',
  );
}

type Work = () => Promise<number>;

export function program(io: Io, finish: (code: number) => void): Command {
  const root = new Command('countervisor');
  const act = async (work: Work): Promise<void> => finish(await work());
  root
    .description('Runs guests on emulated CPUs with exact, virtualized performance counters.')
    .version(version(), '-V, --version')
    .helpCommand(true)
    .showSuggestionAfterError(true)
    .addHelpText('after', EXIT_HELP)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      outputError: (text) => printError(io, usageError(text)),
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  const add = (name: string, means: string): Command => root.command(name).description(means);

  common(guests(add('run', 'boot domains, show their consoles, close with a table')))
    .option('--exit-from <NAME>', "exit with this domain's own status")
    .option('-n, --dry-run', 'check only, as xl create -n')
    .action((args: string[], flags: RunFlags) => act(() => run(io, args, flags)));

  common(guests(add('stat', 'count what each domain really did, as perf stat')), '-j, --json')
    .option('-e, --event <LIST>', 'events: names, rNNN, cycles, instructions, branches; :u :k :h', collect)
    .option('-r, --repeat <N>', 'run N times; every count must be the same', countOption('--repeat', 1, 1000))
    .option('--expect <FILE>', 'exit 1 where a count is not as this file says')
    .option('--record-expect <FILE>', 'write such a file')
    .action((args: string[], flags: StatFlags) => act(() => stat(io, args, flags)));

  common(guests(add('regs', 'registers at the end, or at a moment')))
    .option('--at <MOMENT>', 'icount:N or pc:0xADDRESS')
    .option('--decode', 'fields as well')
    .option('--grep <RE>', 'registers whose name matches')
    .option('--domain <NAME>', 'of this domain alone')
    .action((args: string[], flags: RegsFlags) => act(() => regs(io, args, flags)));

  const named = () => root.commands.map((command) => ({ name: command.name(), means: command.description() }));
  const lists = add('list', 'what there is to choose from').argument('<what>', LISTS.join(', '));
  common(selection(lists), '-j, --json').action((what: string, flags: CommonFlags) =>
    act(() => list(io, what, flags, named())),
  );

  common(guests(add('check', 'validate configurations, create nothing'))).action((args: string[], flags: CommonFlags) =>
    act(() => check(io, args, flags)),
  );

  common(guests(add('trace', 'what was decided, moment by moment, and by which rule')))
    .option('--log <LIST>', `kinds: ${TRACE_KINDS.join(',')}`, collect)
    .option('-o, --output <FILE>', 'write there: the whole trace or nothing')
    .option('--limit <N>', 'lines, 1M unless said', countOption('--limit'))
    .action((args: string[], flags: TraceFlags) => act(() => trace(io, args, flags)));

  add('conformance', 'prove an architecture, suite by suite')
    .argument('<architecture>', 'its name, or the folder of its package')
    .option('--extension <WHAT>', EXTENSION, collect)
    .option('-g, --group <NAME>', "a suite, or part of a check's name; repeatable", collect)
    .option('--strict', 'fail, too, where the architecture does not give the kit what a check needs')
    .option('-j, --jobs <N>', 'processes', countOption('--jobs', 1, MOST_JOBS))
    .option('--shard <I/N>', 'part I of N; all parts together do every check once')
    .option('--tap', 'results as TAP 14')
    .option('--junit <FILE>', 'results as JUnit XML as well')
    .option('-q, --quiet', 'no progress')
    .addOption(new Option('--lines', 'one result a line').hideHelp())
    .action((what: string, flags: ConformanceFlags) => act(() => conformance(io, what, flags)));
  return root;
}
