/** Drops ops whose results nobody uses and lets a result go straight to its register: fewer ops, the same meaning. */
import type { Op, Operand } from '@countervisor/contract';

type Draft = { -readonly [K in keyof Op]: Op[K] } & Op;

/** The operands an op reads. */
export function inputs(op: Op): readonly Operand[] {
  switch (op.op) {
    case 'load':
    case 'probe':
      return [op.at];
    case 'store':
      return [op.at, op.value];
    case 'skip':
      return [op.unless];
    case 'jump':
      return [op.to];
    case 'branch':
    case 'again':
      return [op.when];
    case 'read':
      return [op.index];
    case 'write':
      return [op.value, op.index];
    case 'raise':
      return [op.syndrome];
    case 'trap':
      return [op.argument];
    case 'call':
      return op.args;
    case 'emit':
      return [];
    default:
      return [op.a, op.b, op.c].filter((o) => o !== undefined);
  }
}

/** The operand an op writes. */
export function output(op: Op): Operand | undefined {
  return 'to' in op && typeof op.to === 'object' && op.op !== 'jump' ? op.to : undefined;
}

const isPure = (op: Op): boolean => 'width' in op;
const key = (o: Operand): string => (o.kind === 'temporary' ? `t${o.index}` : o.kind === 'register' ? o.name : '');

/** Which ops stand under which `skip`: two ops of the same region run together or not at all. */
function regions(ops: readonly Op[]): number[] {
  const of: number[] = [];
  const open: { id: number; end: number }[] = [{ id: -1, end: ops.length }];
  ops.forEach((op, i) => {
    while ((open.at(-1) as { end: number }).end <= i) open.pop();
    of.push((open.at(-1) as { id: number }).id);
    if (op.op === 'skip') open.push({ id: i, end: i + op.count + 1 });
  });
  return of;
}

/** May the op in between be passed by a write of `register` that moves up over it? */
function passable(op: Op, register: string): boolean {
  if (!isPure(op)) return false;
  const to = output(op);
  return (
    (to === undefined || key(to) !== register) && !inputs(op).some((o) => o.kind === 'register' && o.name === register)
  );
}

export function tidy(input: readonly Op[]): readonly Op[] {
  const ops = input.map((op) => ({ ...op }) as Draft);
  const dead = new Array<boolean>(ops.length).fill(false);
  const uses = new Map<string, number>();
  const writes = new Map<string, number>();
  for (const op of ops) {
    for (const o of inputs(op)) if (o.kind === 'temporary') uses.set(key(o), (uses.get(key(o)) ?? 0) + 1);
    const to = output(op);
    if (to?.kind === 'temporary') writes.set(key(to), (writes.get(key(to)) ?? 0) + 1);
  }
  const drop = (i: number): void => {
    dead[i] = true;
    for (const o of inputs(ops[i] as Op))
      if (o.kind === 'temporary') uses.set(key(o), (uses.get(key(o)) as number) - 1);
  };
  // From the end, so that what only dead ops used is dead, too, and so is a skip over nothing, whatever is around it.
  for (let i = ops.length - 1; i >= 0; i--) {
    const op = ops[i] as Draft;
    const to = output(op);
    if (op.op === 'skip') {
      if (dead.slice(i + 1, i + 1 + op.count).every(Boolean)) drop(i);
    } else if (isPure(op) && to?.kind === 'temporary' && (uses.get(key(to)) ?? 0) === 0) drop(i);
  }
  const region = regions(ops);
  for (let j = 0; j < ops.length; j++) {
    const copy = ops[j] as Draft;
    if (dead[j] || copy.op !== 'copy' || copy.to.kind !== 'register' || copy.a.kind !== 'temporary') continue;
    const t = key(copy.a);
    if (uses.get(t) !== 1 || writes.get(t) !== 1) continue;
    let i = j - 1;
    while (i >= 0 && (dead[i] || (output(ops[i] as Op) && key(output(ops[i] as Op) as Operand)) !== t)) {
      if (!dead[i] && !passable(ops[i] as Op, copy.to.name)) break;
      i--;
    }
    const source = ops[i];
    const made = source && output(source);
    if (!source || dead[i] || region[i] !== region[j] || made?.kind !== 'temporary' || key(made) !== t) continue;
    ops[i] = { ...source, to: copy.to } as Draft;
    dead[j] = true;
  }
  const kept: Op[] = [];
  ops.forEach((op, i) => {
    if (dead[i]) return;
    if (op.op === 'skip') {
      const count = dead.slice(i + 1, i + 1 + op.count).filter((gone) => !gone).length;
      kept.push({ ...op, count });
      return;
    }
    kept.push(op);
  });
  return kept;
}
