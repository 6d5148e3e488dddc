/** Tagged branch targets on a whole machine: PC never holds what TCR_EL1.TBI0 has ignored. BranchAddr() of Arm DDI 0487, J1. */
import { describe, expect, it } from 'vitest';
import { adr, blr, br, type Item, isb, label, load, mov, movk, msr, ret } from './asm.ts';
import { machine, run } from './testing/guest.ts';

const TBI0 = 1n << 37n;
const set = (register: string, value: bigint): Item => [load('X0', value), msr(register, 'X0'), isb()];
/** The address of a label with 0xA5 in its top byte. */
const tagged = (x: string, to: string): Item => [adr(x, to), movk(x, 0xa500, 48)];
const here = (x: string): Item => adr(x, 0);

const program: Item = [
  tagged('X1', 'one'),
  br('X1'),
  label('one'),
  here('X10'),
  tagged('X2', 'two'),
  blr('X2'),
  label('two'),
  here('X11'),
  // The address behind BLR is that of 'two'.
  mov('X12', 'X30'),
  tagged('X3', 'three'),
  ret('X3'),
  label('three'),
  here('X13'),
];

describe('branches to tagged addresses', () => {
  it('go to the address without the tag where TBI0 ignores it', () => {
    const [one = 0n, two, link, three = 0n] = run([set('TCR_EL1', TBI0), program], {}, 'X10', 'X11', 'X12', 'X13');
    // Flat images stand at 0x40080000. From 'one' to 'two' are ADR, ADR, MOVK, BLR; from there to 'three' ADR, MOV, ADR, MOVK, RET.
    expect(one >> 12n).toBe(0x40080n);
    expect([two, link, three]).toEqual([one + 16n, one + 16n, one + 36n]);
  });

  it('go to no address of this CPU where nothing ignores the tag', () => {
    const made = machine({}, { program: [set('TCR_EL1', 0n), program] });
    const { ended, vcpus } = made.domain('d0');
    // With translation off, an address of more bits than the CPU has is an address size fault; the vectors, at 0, fault too.
    expect(ended?.reason).toBe('exception-loop');
    expect(vcpus[0]?.handle.get('X10')).toBe(0n);
  });
});
