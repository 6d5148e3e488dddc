// What a test run amounts to, read from Vitest's JSON report: the numbers, and why tests were skipped.

const REASON = /\[(needs [^\]]+|absent: [^\]]+)\]/;

/** @param report Vitest's JSON report. @returns {{passed: number, failed: number, skipped: number, reasons: Map<string, number>}} */
export function outcomeOf(report) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  const reasons = new Map();
  for (const file of report.testResults) {
    let failedHere = 0;
    for (const test of file.assertionResults) {
      if (test.status === 'passed') passed += 1;
      else if (test.status === 'failed') failedHere += 1;
      else {
        skipped += 1;
        // In its name, or, found out while it ran, in what it told of itself.
        const reason = REASON.exec(test.fullName)?.[1] ?? test.meta?.absent;
        const why = reason ?? `no reason given: ${test.fullName}`;
        reasons.set(why, (reasons.get(why) ?? 0) + 1);
      }
    }
    // A file that does not load has no tests to fail, and must not pass for that.
    if (file.status === 'failed' && failedHere === 0) failedHere = 1;
    failed += failedHere;
  }
  return { passed, failed, skipped, reasons };
}

/** One line: how many tests were skipped and why. */
export function skipLine({ skipped, reasons }) {
  if (skipped === 0) return 'Skips: none.';
  const whys = [...reasons].sort(([a], [b]) => (a < b ? -1 : 1)).map(([why, count]) => `${count} ${why}`);
  return `Skips: ${whys.join('; ')}. (A tool that is missing skips its whole group, counted once; CV_REQUIRE=qemu,as,gcc,dtc makes it a failure.)`;
}

/**
 * The skips that count as failures: those of a required tool, and, where anything is required, those that state no reason. What an architecture
 * does not have ("absent") is no skip of a tool.
 */
export function forbiddenSkips({ reasons }, required) {
  if (required.length === 0) return [];
  return [...reasons.keys()].filter((why) => {
    if (why.startsWith('absent: ')) return false;
    const tools = why.startsWith('needs ') ? why.slice('needs '.length).split(', ') : required;
    return tools.some((tool) => required.includes(tool));
  });
}

/** The last line of every run. */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
