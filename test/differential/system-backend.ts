/** The evaluator of lifts for system rows: enough of EL1 around it to say how each would end. */
import type { Lifter } from '@countervisor/contract';
import { sysreg } from '../../packages/arm64/src/address.ts';
import { instruction } from '../../packages/arm64/src/isa/decode.ts';
import { isa } from '../../packages/arm64/src/isa/index.ts';
import {
  type End,
  evaluate,
  type Machine,
  memoryOf,
  type Passed,
} from '../../packages/arm64/src/isa/testing/evaluate.ts';
import type { Mutation } from './backend.ts';
import { NARROW, STORAGE, type SystemCase, type SystemResult } from './system.ts';
import { MAINTENANCE, STORAGE_ADDRESS } from './system-cases.ts';

export interface SystemBackend {
  readonly name: string;
  run(c: SystemCase): SystemResult;
}

/** Exception classes, ESR_EL1.EC, by the names that lifts raise. */
const EC: Readonly<Record<string, number>> = {
  undefined: 0,
  'wfi-trap': 0x01,
  'fp-access': 0x07,
  svc: 0x15,
  'sysreg-trap': 0x18,
  brk: 0x3c,
};

/** What the driver's HCR_EL2 traps, by the causes that lifts trap with. */
const TRAPS: Readonly<Record<string, { readonly ec: number; iss(passed: Passed): number }>> = {
  hypercall: { ec: 0x16, iss: ({ argument }) => Number(argument) },
  smc: { ec: 0x17, iss: ({ argument }) => Number(argument) },
  wait: { ec: 0x01, iss: () => (1 << 24) | (0xe << 20) },
};

const SPSEL = sysreg(3, 0, 4, 2, 0).index;
const PAN = sysreg(3, 0, 4, 2, 3).index;
const UNPRIVILEGED = ['TPIDR_EL0', 'TPIDRRO_EL0'];
const FLAGS = ['V', 'C', 'Z', 'N'];

function road(registers: Map<string, bigint>): NonNullable<Machine['road']> {
  const el = registers.get('EL');
  const storage = (index: number): string | undefined => STORAGE[STORAGE_ADDRESS.indexOf(index)];
  return {
    read: (index) => {
      const name = storage(index);
      if (name === undefined || (el === 0n && !UNPRIVILEGED.includes(name))) return undefined;
      return registers.get(name);
    },
    write: (index, value) => {
      if (index === SPSEL && el === 1n) {
        const [from, to] = registers.get('SPSEL') === 0n ? ['SP_EL0', 'SP_EL1'] : ['SP_EL1', 'SP_EL0'];
        if (registers.get('SPSEL') !== value) {
          registers.set(from, registers.get('SP') as bigint);
          registers.set('SP', registers.get(to) as bigint);
        }
        registers.set('SPSEL', value);
        return true;
      }
      if (index === PAN && el === 1n) {
        registers.set('PAN', value >> 22n);
        return true;
      }
      const [op1, crn, crm, op2] = [(index >> 11) & 7, (index >> 7) & 15, (index >> 3) & 15, index & 7];
      if (index >> 14 === 1) return MAINTENANCE.some((m) => `${m}` === `${[op1, crn, crm, op2]}`);
      const name = storage(index);
      if (name === undefined || (el === 0n && name !== 'TPIDR_EL0')) return false;
      registers.set(name, NARROW.includes(name) ? value & 0xffff_ffffn : value);
      return true;
    },
  };
}

/** What a lift's end and the traps it passed come to, under the driver's EL2. */
function outcome(end: End, passed: readonly Passed[], pc: bigint): Pick<SystemResult, 'end' | 'pc' | 'ec' | 'iss'> {
  const [first] = passed;
  const trap = first && TRAPS[first.cause];
  if (trap) return { end: 'el2', pc, ec: trap.ec, iss: trap.iss(first) };
  if (end.kind === 'next') return { end: 'ran', pc: end.pc, ec: 0, iss: 0 };
  if (end.kind !== 'raise') throw new Error(`A system row ended in a ${end.kind}.`);
  const ec = EC[end.exception] as number;
  const to = end.exception === 'brk' ? 'el2' : 'el1';
  // A lift that says none leaves it to the entry of the exception: CV and COND 0b1110.
  const iss = Number(end.syndrome) || (end.exception === 'fp-access' ? 0x1e0_0000 : 0);
  return { end: to, pc: end.retires ? pc + 4n : pc, ec, iss };
}

/** What comes of the first instruction at the place that was gone to. */
function arrival(pc: bigint, registers: ReadonlyMap<string, bigint>): Partial<SystemResult> {
  if ((pc & 3n) !== 0n) return { end: 'el1', ec: 0x22 };
  return registers.get('IL') === 1n ? { end: 'el1', ec: 0x0e } : {};
}

export function systemEvaluator(mutate: Mutation = (_name, lift) => lift): SystemBackend {
  return {
    name: 'evaluator',
    run: (c) => {
      const registers = new Map<string, bigint>(c.x.map((value, n) => [`X${n}`, value]));
      const el = (c.pstate >>> 2) & 1;
      const spsel = c.pstate & 1;
      FLAGS.forEach((name, bit) => {
        registers.set(name, BigInt((c.pstate >>> (28 + bit)) & 1));
      });
      registers.set('DAIF', BigInt(c.pstate & 0x3c0));
      registers.set('EL', BigInt(el));
      registers.set('SPSEL', BigInt(spsel));
      registers.set('PAN', BigInt((c.pstate >>> 22) & 1));
      registers.set('SP_EL0', c.sp[0]);
      registers.set('SP_EL1', c.sp[1]);
      registers.set('SP', c.sp[spsel] as bigint);
      registers.set('SCTLR_EL1', c.SCTLR_EL1);
      STORAGE.forEach((name, n) => {
        registers.set(name, c.storage[n] as bigint);
      });
      const decoded = instruction(c.word);
      if (decoded === undefined) throw new Error(`${c.word.toString(16)} is not in the table.`);
      for (const name of ['CPACR_EL1', 'ELR_EL1', 'SPSR_EL1'] as const) registers.set(name, c[name]);
      const machine: Machine = {
        registers,
        memory: memoryOf(new Map()),
        road: road(registers),
        helpers: isa.helpers,
        vcpu: {
          get: (name) => registers.get(name) ?? 0n,
          set: (name, value) => registers.set(name, value),
          cpu: { name: '', features: new Set(['pan']), settings: {}, identity: {}, deviations: [] },
        },
      };
      const { end, passed } = evaluate(mutate(decoded.name, decoded.lift) as (b: Lifter) => void, c.pc, machine);
      const at = (name: string): bigint => registers.get(name) as bigint;
      const isEl1 = at('EL') === 1n && at('SPSEL') === 1n;
      let pstate = Number(at('DAIF')) + Number(at('EL')) * 4 + Number(isEl1) + Number(at('PAN')) * 2 ** 22;
      FLAGS.forEach((name, bit) => {
        pstate += Number(at(name)) * 2 ** (28 + bit);
      });
      pstate += Number(registers.get('IL') ?? 0n) * 2 ** 20;
      const ended = outcome(end, passed, c.pc);
      return {
        ...ended,
        ...(ended.end === 'ran' && arrival(ended.pc, registers)),
        x: c.x.map((_, n) => at(`X${n}`)),
        sp: isEl1 ? [at('SP_EL0'), at('SP')] : [at('SP'), at('SP_EL1')],
        pstate,
        storage: STORAGE.map(at),
      };
    },
  };
}

/** A floating-point word that CPACR_EL1 lets pass is refused by name: there is nothing to compare but that QEMU ran it without a trap to EL1. */
export const isUnmodelled = (c: SystemCase, vector: boolean): boolean => {
  const fpen = (c.CPACR_EL1 >> 20n) & 3n;
  return vector && (fpen === 3n || (fpen === 1n && ((c.pstate >>> 2) & 1) === 1));
};
