// The outside tools that tests call, by the names that CV_REQUIRE uses, each with the commands that must be on the PATH.
export const TOOLS = /** @type {const} */ ({
  qemu: ['qemu-aarch64', 'qemu-system-aarch64', 'qemu-x86_64', 'qemu-i386', 'qemu-system-x86_64'],
  as: [
    ...['aarch64-linux-gnu-as', 'aarch64-linux-gnu-ld', 'aarch64-linux-gnu-objcopy', 'aarch64-linux-gnu-objdump'],
    ...['as', 'ld', 'objcopy', 'objdump'],
  ],
  gcc: ['aarch64-linux-gnu-gcc', 'gcc'],
  'qemu-ppc64': ['qemu-ppc64', 'qemu-ppc64le', 'qemu-system-ppc64'],
  'as-ppc64': [
    ...[
      'powerpc64-linux-gnu-as',
      'powerpc64-linux-gnu-ld',
      'powerpc64-linux-gnu-objcopy',
      'powerpc64-linux-gnu-objdump',
    ],
  ],
  'gcc-ppc64': ['powerpc64-linux-gnu-gcc', 'powerpc64le-linux-gnu-gcc'],
  dtc: ['dtc'],
  perf: ['perf'],
});

/** @typedef {keyof typeof TOOLS} Tool */

/**
 * The tools whose absence is a failure: `CV_REQUIRE=qemu,as`. An unknown name is an error, lest a typing slip require nothing.
 * @param {string} [value]
 * @returns {Tool[]}
 */
export function required(value = process.env.CV_REQUIRE ?? '') {
  const names = value.split(',').filter((name) => name !== '');
  for (const name of names) {
    if (!Object.hasOwn(TOOLS, name)) {
      throw new Error(`CV_REQUIRE names '${name}', which is no tool; the tools are ${Object.keys(TOOLS).join(', ')}.`);
    }
  }
  return /** @type {Tool[]} */ (names);
}
