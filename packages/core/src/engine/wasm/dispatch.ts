/**
 * The dispatcher: goes from region to region by PC until nobody has the code there, the budget is spent, or the stepper is asked for. It alone imports
 * the table of regions: every instance that does gets a copy of it (see the engine's measurements). Regions are found in a small cache in
 * the domain's memory; a change of page asks the soft-TLB, as the stepper does.
 */
import { CONTROL, JUMP_BITS, JUMP_ENTRY, TLB_ENTRIES, TLB_WORDS } from '../../memory/layout.ts';
import { Body, I32, I64 } from './encode.ts';
import { FETCH, HOST } from './memory.ts';
import { encodeModule, type FunctionType } from './module.ts';
import { REASON } from './region.ts';

export const REGION_TYPE: FunctionType = { parameters: [I32, I32, I32], results: [I32] };

/** `(state, tlb, budget, context) → budget left`. The context is what a region's key has beside the host page: mode and variant. */
const STATE = 0;
const TLB = 1;
const BUDGET = 2;
const CONTEXT = 3;

export interface DispatchFacts {
  readonly pages: number;
  readonly jumps: number;
  readonly pcOffset: number;
  readonly grainBits: number;
  readonly slots: number;
}

export function encodeDispatcher({ pages, jumps, pcOffset, grainBits, slots }: DispatchFacts): Uint8Array {
  const body = new Body(4);
  const pc = body.local(I64);
  const page = body.local(I64);
  const host = body.local(I32);
  const entry = body.local(I32);
  const out = body.block();
  body.i32(0).memory('i64.load', CONTROL.page).set(page);
  body.i32(0).memory('i32.load', CONTROL.host).set(host);
  const again = body.loop();
  body.get(STATE).memory('i64.load', pcOffset).set(pc);
  // Another page: the soft-TLB must know it for fetching, else the stepper asks for it.
  body.get(pc).i64(12n).op('i64.shr_u').get(page).op('i64.ne');
  body.if();
  const shift = 12 - Math.log2(TLB_WORDS * 4);
  body.get(TLB).get(pc).op('i32.wrap_i64').i32(shift).op('i32.shr_u');
  body
    .i32((TLB_ENTRIES - 1) * TLB_WORDS * 4)
    .op('i32.and')
    .op('i32.add')
    .tee(entry)
    .memory('i64.load', FETCH);
  body.get(pc).i64(12n).op('i64.shr_u').op('i64.ne').brIf(out);
  body.get(pc).i64(12n).op('i64.shr_u').set(page);
  body.get(entry).memory('i32.load', HOST).set(host);
  body.end();
  // The cache: pc, host page and context, function.
  body
    .get(pc)
    .op('i32.wrap_i64')
    .i32(grainBits)
    .op('i32.shr_u')
    .i32((1 << JUMP_BITS) - 1)
    .op('i32.and');
  body.i32(Math.log2(JUMP_ENTRY)).op('i32.shl').tee(entry).memory('i64.load', jumps);
  body.get(pc).op('i64.ne').brIf(out);
  body
    .get(entry)
    .memory('i32.load', jumps + 8)
    .get(host)
    .get(CONTEXT)
    .op('i32.or')
    .op('i32.ne')
    .brIf(out);
  // From here on the page is open.
  body.i32(0).get(page).memory('i64.store', CONTROL.page);
  body.i32(0).get(host).memory('i32.store', CONTROL.host);
  body
    .get(STATE)
    .get(TLB)
    .get(BUDGET)
    .get(entry)
    .memory('i32.load', jumps + 12)
    .callIndirect(0)
    .set(BUDGET);
  body.i32(0).memory('i32.load', CONTROL.reason).op('i32.eqz').brIf(again);
  body.get(BUDGET).op('return');
  body.end();
  body.end();
  body.i32(0).i32(REASON.chain).memory('i32.store', CONTROL.reason);
  body.get(BUDGET);
  return encodeModule({
    types: [REGION_TYPE, { parameters: [I32, I32, I32, I32], results: [I32] }],
    pages,
    table: slots,
    functions: [{ name: 'run', type: 1, body }],
  });
}
