/** Results as text, TAP (https://testanything.org/tap-version-14-specification.html) and JUnit XML. Nothing of the host is in them: the same results give the same bytes. */
import type { Result } from './check.ts';
import { type Done, matrix, type Outcome } from './run.ts';

type Failure = Result & { readonly verdict: 'fail' };

/** A failure as lines: what, expected, counted, and the last retired instructions. */
export function failure({ why, expected, counted, last = [] }: Failure): string {
  return [
    why,
    ...(expected === undefined ? [] : [`expected ${expected}`]),
    ...(counted === undefined ? [] : [`counted  ${counted}`]),
    ...(last.length === 0 ? [] : ['last retired instructions:', ...last.map((line) => `  ${line}`)]),
  ].join('\n');
}

const indent = (text: string, by: string): string => text.replaceAll(/^/gm, by);

/** Reasons of what is absent, each once, with how many checks it keeps from being done. */
function absences(checks: readonly Done[], lacks: true | undefined): string[] {
  const reasons = new Map<string, number>();
  for (const { suite, result } of checks) {
    if (result.verdict !== 'absent' || result.lacks !== lacks) continue;
    const reason = `${suite}: ${result.why}`;
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  return [...reasons].map(([reason, count]) => `  ${String(count).padStart(5)} × ${reason}`);
}

/** Failures, reasons of absence, and the matrix architecture × suite. */
export function text({ arch, target, checks, stopped }: Outcome): string {
  const lines: string[] = [];
  for (const { suite, name, result } of checks) {
    if (result.verdict === 'fail') lines.push(`FAIL ${suite}/${name}`, indent(failure(result), '  '), '');
  }
  for (const [head, lacks] of [
    ['Absent, as the architecture says:', undefined],
    ['Absent for want of something, which --strict does not let pass:', true],
  ] as const) {
    const reasons = absences(checks, lacks);
    if (reasons.length > 0) lines.push(head, ...reasons, '');
  }
  const cells = [...matrix(checks)];
  const width = Math.max(...cells.map(([suite]) => suite.length), arch.length, 5) + 1;
  const row = (name: string, ...numbers: (string | number)[]): string =>
    `${name.padEnd(width)}${numbers.map((n) => String(n).padStart(8)).join('')}`;
  lines.push(`${arch} on ${target}`, row('', 'pass', 'fail', 'absent'));
  const total = { pass: 0, fail: 0, absent: 0 };
  for (const [suite, { pass, fail, absent }] of cells) {
    lines.push(row(suite, pass, fail, absent));
    total.pass += pass;
    total.fail += fail;
    total.absent += absent;
  }
  lines.push(row('all', total.pass, total.fail, total.absent));
  if (stopped) lines.push('Stopped before the last check.');
  return `${lines.join('\n')}\n`;
}

/** In TAP a backslash and a hash sign in a description are escaped. */
const escaped = (name: string): string => name.replaceAll(/[\\#]/g, '\\$&').replaceAll('\n', ' ');

/** One line of TAP 14 for each check, with a YAML block for a failure. */
export function tapLine({ suite, name, result }: Done, number: number): string {
  const line = `${result.verdict === 'fail' ? 'not ok' : 'ok'} ${number} - ${escaped(`${suite}/${name}`)}`;
  if (result.verdict === 'absent') return `${line} # SKIP ${result.why.replaceAll('\n', ' ')}\n`;
  if (result.verdict === 'pass') return `${line}\n`;
  return `${line}\n  ---\n  message: |\n${indent(failure(result), '    ')}\n  ...\n`;
}

export const tapHead = (checks: number): string => `TAP version 14\n1..${checks}\n`;

export function tap({ checks }: Outcome): string {
  return tapHead(checks.length) + checks.map((done, n) => tapLine(done, n + 1)).join('');
}

/** Characters that XML 1.0 does not have at all become U+FFFD. */
const xml = (value: string): string =>
  value
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be in there
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

/** JUnit XML: a test suite for each suite. */
export function junit({ arch, checks }: Outcome): string {
  const lines = ['<?xml version="1.0" encoding="UTF-8"?>'];
  const count = (own: readonly Done[], verdict: Result['verdict']): number =>
    own.filter((d) => d.result.verdict === verdict).length;
  const figures = (own: readonly Done[]): string =>
    `tests="${own.length}" failures="${count(own, 'fail')}" skipped="${count(own, 'absent')}"`;
  lines.push(`<testsuites name="conformance of ${xml(arch)}" ${figures(checks)}>`);
  for (const suite of matrix(checks).keys()) {
    const own = checks.filter((done) => done.suite === suite);
    lines.push(`  <testsuite name="${xml(suite)}" ${figures(own)}>`);
    for (const { name, result } of own) {
      const head = `    <testcase classname="${xml(`${arch}.${suite}`)}" name="${xml(name)}"`;
      if (result.verdict === 'pass') lines.push(`${head}/>`);
      else if (result.verdict === 'absent') lines.push(`${head}><skipped message="${xml(result.why)}"/></testcase>`);
      else lines.push(`${head}><failure message="${xml(result.why)}">${xml(failure(result))}</failure></testcase>`);
    }
    lines.push('  </testsuite>');
  }
  lines.push('</testsuites>');
  return `${lines.join('\n')}\n`;
}
