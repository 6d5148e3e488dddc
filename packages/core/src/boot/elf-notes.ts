/** Notes of an ELF file: build identity, properties, boot protocols' entry notes. System V gABI, chapter 5, "Note Section". */
import { type ElfImage, PT, SHT } from './elf.ts';
import { refuse } from './errors.ts';

export interface ElfNote {
  /** Who defines the type: `GNU`, `Xen` … */
  readonly owner: string;
  readonly type: number;
  /** A view into the file. */
  readonly description: Uint8Array;
}

/** Bytes of an owner's name that are kept. */
const LONGEST_OWNER = 255;

/**
 * All notes, in file order: those of PT_NOTE segments, or of SHT_NOTE sections in a file without such segments.
 * @throws CV_ELF_FIELD when a note leaves its segment, CV_ELF_LIMIT when the segments hold more bytes than the file (they overlap)
 */
export function elfNotes(image: ElfImage): ElfNote[] {
  const { file, fields } = image;
  const segments = image.segments.filter(({ type }) => type === PT.NOTE);
  const areas =
    segments.length > 0
      ? segments.map(({ index, offset, filesz, align }) => ({ what: `segment ${index}`, offset, size: filesz, align }))
      : image.sections
          .filter(({ type, size }) => type === SHT.NOTE && size > 0n)
          .map(({ index, offset, size, align }) => ({
            what: `section ${index}`,
            offset: Number(offset),
            size: Number(size),
            align,
          }));
  const total = areas.reduce((sum, { size }) => sum + size, 0);
  const most = fields.bytes.length;
  if (total > most) throw refuse('CV_ELF_LIMIT', { file, what: 'bytes of notes', count: total, most });

  const notes: ElfNote[] = [];
  for (const { what, offset, size, align } of areas) {
    // 4, but for segments aligned to 8: GNU properties in the 64-bit class (x86-64 psABI, "Program Property").
    const pad = align === 8n ? 8 : 4;
    const up = (value: number): number => Math.ceil(value / pad) * pad;
    for (let at = 0; at < size; ) {
      const start = at;
      const short = () =>
        refuse('CV_ELF_FIELD', {
          file,
          field: `the note at byte ${start} of ${what}`,
          value: 'cut off',
          must: `inside its ${size} bytes`,
        });
      if (at + 12 > size) throw short();
      const nameSize = fields.u32(offset + at, [0, 0]);
      const descriptionSize = fields.u32(offset + at, [4, 4]);
      const description = up(at + 12 + nameSize);
      if (description + descriptionSize > size) throw short();
      const name = offset + at + 12;
      notes.push({
        owner: fields.string(name, name + nameSize, LONGEST_OWNER),
        type: fields.u32(offset + at, [8, 8]),
        description: fields.bytes.subarray(offset + description, offset + description + descriptionSize),
      });
      at = up(description + descriptionSize);
    }
  }
  return notes;
}
