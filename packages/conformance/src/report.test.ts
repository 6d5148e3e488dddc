import type { Arch } from '@countervisor/contract';
import { conformance as kit, template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { failure, junit, tap, text } from './report.ts';
import { type Outcome, runConformance } from './run.ts';
import { inert } from './testing/inert.ts';

const outcome: Outcome = {
  arch: 'mine',
  target: 'emulator',
  stopped: false,
  checks: [
    { suite: 'registers', name: 'A <b> & "c" # 1', result: { verdict: 'pass' } },
    { suite: 'registers', name: 'B', result: { verdict: 'absent', why: 'there is none' } },
    { suite: 'counting', name: 'C', result: { verdict: 'absent', why: 'nobody gave it', lacks: true } },
    {
      suite: 'counting',
      name: 'D',
      result: { verdict: 'fail', why: 'event 1', expected: '5', counted: '4', last: ['1  0x1000  kernel  nop'] },
    },
  ],
};

describe('as text', () => {
  it('shows failures whole, reasons of absence with their number, and the matrix', () => {
    expect(text(outcome)).toBe(`FAIL counting/D
  event 1
  expected 5
  counted  4
  last retired instructions:
    1  0x1000  kernel  nop

Absent, as the architecture says:
      1 × registers: there is none

Absent for want of something, which --strict does not let pass:
      1 × counting: nobody gave it

mine on emulator
              pass    fail  absent
registers        1       0       1
counting         0       1       1
all              1       1       2
`);
  });

  it('says when it was stopped', () => {
    expect(text({ ...outcome, stopped: true })).toMatch(/Stopped before the last check\.\n$/);
  });
});

describe('as TAP', () => {
  it('is version 14: a plan, a line for each check, a block for a failure', () => {
    expect(tap(outcome)).toBe(`TAP version 14
1..4
ok 1 - registers/A <b> & "c" \\# 1
ok 2 - registers/B # SKIP there is none
ok 3 - counting/C # SKIP nobody gave it
not ok 4 - counting/D
  ---
  message: |
    event 1
    expected 5
    counted  4
    last retired instructions:
      1  0x1000  kernel  nop
  ...
`);
  });
});

describe('as JUnit', () => {
  it('counts by suite and escapes what XML needs escaped', () => {
    const xml = junit(outcome);
    expect(xml).toContain('<testsuites name="conformance of mine" tests="4" failures="1" skipped="2">');
    expect(xml).toContain('<testsuite name="counting" tests="2" failures="1" skipped="1">');
    expect(xml).toContain('name="A &lt;b&gt; &amp; &quot;c&quot; # 1"/>');
    expect(xml).toContain('<skipped message="there is none"/>');
  });

  it('holds no character that XML does not have', () => {
    const [first] = outcome.checks;
    if (first === undefined) throw new Error('there is one');
    const odd = { ...outcome, checks: [{ ...first, name: 'a\u0000b\u001fc' }] };
    expect(junit(odd)).toContain('name="a\ufffdb\ufffdc"');
  });
});

describe('a failure', () => {
  it('tells the event, what was expected and counted, and the last retired instructions', async () => {
    const { checks } = await runConformance(inert(template as unknown as Arch), kit, {
      groups: ['counting/counter 2 under emulated'],
    });
    const [done] = checks;
    if (done?.result.verdict !== 'fail') throw new Error('an inert PMU fails');
    expect(done.result.why).toBe('counter 2');
    // 9 nops and 2 instructions of the stop, from 1000 on.
    expect(done.result.expected).toBe('1011 (0x3f3)');
    expect(done.result.counted).toBe('1000 (0x3e8)');
    expect(done.result.last?.length).toBe(8);
    // The stop is a movi and a write, and two nops were run behind it; each line tells what had retired before.
    expect(done.result.last?.slice(-4).map((line) => line.split(/\s+/).slice(2))).toEqual([
      ['kernel', 'movi'],
      ['kernel', 'writereg'],
      ['kernel', 'nop'],
      ['kernel', 'nop'],
    ]);
    expect(failure(done.result)).toMatch(
      /^counter 2\nexpected 1011 .*\ncounted {2}1000 .*\nlast retired instructions:\n/,
    );
  });
});
