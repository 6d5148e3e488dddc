// The architecture packages carry the same file names for the same subjects. What an architecture lacks is an export none('why'),
// not a missing file; what only one has lies where each has its own: registers/, platform/, isa/ and sampling/.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ARCHITECTURES, close, isMain, isTest } from './house.mjs';

/** The rooms, in the order of the design. A name that ends in a slash is a folder with at least one file of the architecture's own. */
export const ROOMS = [
  'index.ts',
  'address.ts',
  'features.ts',
  'registers/general.ts',
  'registers/control.ts',
  'registers/pmu.ts',
  'registers/sampling.ts',
  'registers/identity.ts',
  'events.ts',
  'counters.ts',
  'overflow.ts',
  'sampling.ts',
  'traps.ts',
  'policy.ts',
  'switching.ts',
  'hypercall.ts',
  'platform/',
  'personalities/domctl.ts',
  'personalities/xen.ts',
  'personalities/kvm.ts',
  'isa/decode.ts',
  'isa/exceptions.ts',
  'isa/mmu.ts',
  'isa/instructions/',
  'asm.ts',
  'conformance.ts',
  'manual.ts',
  'programs.ts',
];

const OWN = ['registers/', 'platform/', 'isa/', 'sampling/'];

/** Every difference from the rooms, one line each. @param {readonly string[]} paths the files of the package's src */
export function symmetryOf(name, paths) {
  const files = paths.filter((path) => !isTest(path)).sort();
  const missing = ROOMS.filter((room) =>
    room.endsWith('/') ? !files.some((file) => file.startsWith(room)) : !files.includes(room),
  );
  const extra = files.filter((file) => !ROOMS.includes(file) && !OWN.some((folder) => file.startsWith(folder)));
  return [
    ...missing.map(
      (room) => `packages/${name}/src/${room}: missing; export none('why') there if ${name} has no such thing.`,
    ),
    ...extra.map(
      (file) => `packages/${name}/src/${file}: no such room; it belongs in ${OWN.join(', ')} or in a room of its name.`,
    ),
  ];
}

/** The differences of every architecture package under `root`/packages. */
export function symmetryFindings(root) {
  const present = ARCHITECTURES.filter((name) => existsSync(join(root, 'packages', name)));
  if (present.length === 0) return ['packages/: no architecture package found, so there is nothing to compare.'];
  return present.flatMap((name) => {
    const src = join(root, 'packages', name, 'src');
    const entries = existsSync(src) ? readdirSync(src, { recursive: true, withFileTypes: true }) : [];
    const files = entries.filter((entry) => entry.isFile());
    return symmetryOf(
      name,
      files.map((entry) =>
        join(entry.parentPath, entry.name)
          .slice(src.length + 1)
          .replaceAll('\\', '/'),
      ),
    );
  });
}

if (isMain(import.meta.url)) {
  close(
    symmetryFindings(fileURLToPath(new URL('..', import.meta.url))),
    'Symmetry: the architecture packages have the same rooms.',
    'symmetry broken (scripts/check-symmetry.mjs lists the rooms)',
  );
}
