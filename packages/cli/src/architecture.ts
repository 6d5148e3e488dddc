/** Which architecture runs these guests: the one asked for, the host's personality's, the images' own, else the first there is. */
import { type Arch, elfMachine } from '@countervisor/contract';
import { InputError, UnsupportedError } from './exit.ts';
import { type Found, findArchitectures, named, noneFound, PUBLISHED } from './find.ts';
import { type Host, partPersonality } from './host.ts';
import { elfMachineOf, type GuestSource } from './input/guest.ts';
import type { Io } from './io.ts';
import type { SelectionFlags } from './selection.ts';

async function loadAll(found: readonly Found[]): Promise<Arch[]> {
  const loaded: Arch[] = [];
  // One after another: their errors then come in the same order every time.
  for (const one of found) loaded.push(await one.load());
  return loaded;
}

function machinesOf(arch: Arch): number[] {
  return Object.values(arch.platforms ?? {}).flatMap((platform) => platform.images?.elf ?? []);
}

/** @throws UnsupportedError CV_NO_ARCHITECTURE with the line that installs one; InputError when nobody runs this machine's images */
export async function chooseArchitecture(
  io: Io,
  flags: SelectionFlags,
  host: Host,
  sources: readonly GuestSource[],
): Promise<Arch> {
  const found = findArchitectures(io);
  if (flags.arch !== undefined) return named(found, flags.arch).load();
  if (found.length === 0) throw noneFound();
  const only = found[0] as Found;
  if (found.length === 1) return only.load();

  const asked = flags.personality ?? host.file.personality;
  const all = await loadAll(found);
  if (asked !== undefined) {
    const { name } = partPersonality(asked);
    const theirs = all.find((arch) => Object.hasOwn(arch.personalities ?? {}, name));
    if (theirs !== undefined) return theirs;
  }
  for (const { image, file } of sources) {
    const machine = image && elfMachineOf(image);
    if (machine === undefined) continue;
    const theirs = all.find((arch) => machinesOf(arch).includes(machine));
    if (theirs !== undefined) return theirs;
    // An image that an architecture knows and refuses is refused in its words.
    for (const arch of all) if (image !== undefined) arch.toolstack?.refuse?.(image.bytes, image.file);
    const published = PUBLISHED.find((p) => p.elf.includes(machine));
    if (published !== undefined) {
      throw new UnsupportedError(
        'CV_NO_ARCHITECTURE',
        `${file} is for ${elfMachine(machine)}, and ${published.name} is not installed here.`,
        `npm install ${published.package}`,
      );
    }
    throw new InputError(
      'CV_ELF_MACHINE',
      `${image?.file ?? file} is for ${elfMachine(machine)}, which no installed architecture runs.`,
      `Installed: ${all.map((arch) => arch.name).join(', ')}. Build the image for one of them.`,
    );
  }
  return all[0] as Arch;
}
