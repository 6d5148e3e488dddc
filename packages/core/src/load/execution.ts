/** Checks of what executes: the instruction set, and hypercalls. */
import type { Names } from './names.ts';
import { loosely } from './names.ts';
import type { Problems } from './problems.ts';
import { SHAPES } from './shapes.ts';

const GRAINS: readonly unknown[] = [1, 2, 4];
/** Bytes; no instruction set has longer ones. */
const LONGEST = 64;

export function checkIsa(problems: Problems, thing: unknown, names: Names): void {
  const isa = problems.named('isa', thing, 'the instruction set');
  if (isa === undefined) return;
  problems.only('isa', isa, SHAPES.isa);
  if (!GRAINS.includes(isa.grain)) problems.shape('isa.grain', '1, 2 or 4', isa.grain);
  problems.whole('isa.longest', isa.longest, typeof isa.grain === 'number' ? isa.grain : 1, LONGEST);
  checkPc(problems, isa.pc, names);
  const costs = problems.entries('isa.costs', isa.costs);
  if (costs.length === 0 && isa.costs !== undefined)
    problems.shape('isa.costs', 'a table with a cost class', isa.costs);
  for (const [name, thing] of costs) {
    const cost = problems.named(`isa.costs.${name}`, thing, 'a cost');
    if (cost === undefined) continue;
    problems.only(`isa.costs.${name}`, cost, SHAPES.cost);
    for (const part of ['backend', 'frontend']) problems.whole(`isa.costs.${name}.${part}`, cost[part], 0, 1_000_000);
  }
  problems.whole('isa.regimes', isa.regimes, 1, 64);
  for (const name of ['mode', 'checksAlignment']) problems.function(`isa.${name}`, isa[name], 'optional');
  for (const name of ['decode', 'regime', 'translate', 'take']) problems.function(`isa.${name}`, isa[name]);
  const faults = problems.named('isa.faults', isa.faults);
  if (faults !== undefined) {
    problems.only('isa.faults', faults, SHAPES.faults);
    for (const name of ['undefined', 'alignment', 'bus']) problems.function(`isa.faults.${name}`, faults[name]);
    for (const name of ['fetchAlignment', 'register']) {
      problems.function(`isa.faults.${name}`, faults[name], 'optional');
    }
  }
  for (const [name, helper] of problems.entries('isa.helpers', isa.helpers)) {
    problems.function(`isa.helpers.${name}`, helper);
  }
}

function checkPc(problems: Problems, thing: unknown, names: Names): void {
  const pc = problems.name('isa.pc', 'register', thing, names.registers);
  if (pc === undefined) return;
  const { role, home, view, derive } = names.register(pc);
  if (role === undefined && home !== 'pcpu' && view === undefined && derive === undefined) return;
  problems.note('CV_CONTRADICTION', 'isa.pc', {
    where: 'isa.pc',
    why: `is ${pc}, which is not plain storage of the vCPU`,
    remedy: 'Name a register without role, home, view and derive.',
  });
}

export function checkHypercalls(problems: Problems, thing: unknown, names: Names): void {
  const hypercalls = problems.named('hypercalls', thing);
  if (hypercalls === undefined) return;
  problems.only('hypercalls', hypercalls, SHAPES.hypercalls);
  const convention = problems.named('hypercalls.convention', hypercalls.convention);
  if (convention !== undefined) {
    const where = 'hypercalls.convention';
    problems.only(where, convention, SHAPES.convention);
    problems.name(`${where}.number`, 'register', convention.number, names.registers);
    problems.name(`${where}.result`, 'register', convention.result, names.registers);
    for (const [i, name] of problems.items(`${where}.arguments`, convention.arguments).entries()) {
      problems.name(`${where}.arguments[${i}]`, 'register', name, names.registers);
    }
  }
  checkServices(problems, 'hypercalls.services', hypercalls.services);
  problems.function('hypercalls.unknown', hypercalls.unknown);
}

/** Services by number: the key is how core finds them, so it is a plain decimal one. */
export function checkServices(problems: Problems, where: string, table: unknown): void {
  for (const [number, thing] of problems.entries(where, table)) {
    const at = `${where}.${number}`;
    if (!/^(0|[1-9]\d{0,19})$/.test(number)) problems.shape(at, 'under a number in plain decimal', `the key ${number}`);
    const service = problems.named(at, thing, 'a service');
    if (service === undefined) continue;
    problems.only(at, service, SHAPES.service);
    problems.text(`${at}.name`, loosely(service).name);
    problems.text(`${at}.source`, service.source);
    problems.function(`${at}.call`, service.call);
  }
}
