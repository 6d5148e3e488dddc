/**
 * What paging, descriptors, gates and returns decide, over every combination that the guests `paging`, `segments` and `gates` make in 64-bit mode, and
 * testing/legacy.c in 32-bit mode, against QEMU's system emulation. Where the two differ, a row says which is right, by the manual; a row that nothing needs is a defect of this file, and so is an unexplained word.
 */
import { describeWith } from '@countervisor/house/needs';
import { expect, it } from 'vitest';
import { built, here, onQemu } from './testing/machines.ts';

/** One word of a line that the two print differently. */
interface Word {
  /** The line's words, here. */
  readonly line: readonly string[];
  readonly at: number;
  readonly theirs: string;
  readonly ours: string;
}

interface Departure {
  /** What QEMU 7.2 does, and where the manual says otherwise. */
  readonly why: string;
  readonly explains: (word: Word) => boolean;
}

/** A cell of `paging`: an error code or nothing, then the accessed and dirty flags. */
const cell = (word: string): { readonly error: number; readonly flags: number } | undefined => {
  const found = /^(?:\d+:)?([0-9a-f]{2})(!?)([0-3])$/.exec(word);
  return found === null ? undefined : { error: Number.parseInt(found[1] as string, 16), flags: Number(found[3]) };
};

const RSVD = 8;
const WRITE = 2;

/** The columns of `all()`: read, write, modify, fetch at CPL 0, then at CPL 3. */
const isModify = ({ line, at }: Word): boolean => {
  const first = line.findIndex((word) => word.endsWith(':'));
  return /^([0-9a-f]{2}|2M|1G)$/.test(line[0] as string) && (at - first - 1) % 4 === 2;
};

/** Error code bits that QEMU leaves out, for the reasons of the rows below. */
const differs = (
  word: Word,
): { readonly rsvd: boolean; readonly modify: boolean; readonly flags: boolean } | undefined => {
  const [theirs, ours] = [cell(word.theirs), cell(word.ours)];
  if (theirs === undefined || ours === undefined) return undefined;
  let { error } = theirs;
  const rsvd = (error & RSVD) !== 0 && (error & 1) === 0;
  if (rsvd) error |= 1;
  const modify = isModify(word) && (error & WRITE) === 0;
  if (modify) error |= WRITE;
  return error === ours.error ? { rsvd, modify, flags: theirs.flags !== ours.flags } : undefined;
};

const PAGING: readonly Departure[] = [
  {
    why: 'RSVD without P. Reserved bits are not looked at in an entry that is not present, so RSVD comes with P (SDM volume 3, 4.7).',
    explains: (word) => differs(word)?.rsvd === true,
  },
  {
    why: 'A read-modify-write instruction that faults reports a read. Processors ask for the right to write at once.',
    explains: (word) => {
      const { line, theirs, ours } = word;
      const spelt = line.includes('2:') && theirs === 'e0' && ours === 'e2';
      return spelt || differs(word)?.modify === true;
    },
  },
  {
    why: 'The accessed flag of an entry for 1 GiB is set by a walk that faults; it may be, and is not here (SDM volume 3, 4.8).',
    explains: (word) => differs(word)?.flags === true,
  },
];

const SEGMENTS: readonly Departure[] = [
  {
    why: 'A far call to code with L and D set goes through. The combination is reserved: #GP with the selector (SDM volume 2, CALL, far).',
    explains: ({ line, ours }) => line[0] === 'far' && line[2] === '3:' && ours === 'd:40',
  },
  {
    why: 'LAR and LSL in long mode describe 16-bit task segments, call and task gates. These types are reserved there (SDM volume 2, tables 3-52 and 3-55).',
    explains: ({ line }) => line[0] === 'ask' && [1, 3, 4, 5].includes(Number.parseInt(line[1] as string, 16) & 0x1f),
  },
  {
    why: 'LTR in long mode takes a 16-bit task segment. The type is reserved there (SDM volume 3, table 3-2).',
    explains: ({ line }) => line[0] === 'system' && (Number.parseInt(line[1] as string, 16) & 0x1f) === 1,
  },
  {
    why: 'LLDT and LTR take a base that is not canonical, and LLDT an upper half whose type is not 0: both are #GP with the selector (SDM volume 3, 3.5 and 3.3.7.1).',
    explains: ({ line, at, ours, theirs }) =>
      line[0] === 'system' &&
      at > 5 &&
      (ours === 'd:40' || Number.parseInt(theirs, 16) - Number.parseInt(ours, 16) === 2),
  },
  {
    why: 'A null selector whose RPL is not CPL goes into SS (SDM volume 2, MOV, 64-bit mode exceptions: #GP(0)).',
    explains: ({ line, at, ours }) => line[0] === 'odd' && at === 3 && ours === 'd:0',
  },
];

const GATES: readonly Departure[] = [
  {
    why: 'The error code of a gate of long mode has 16 times the vector. It has the vector in bits 15:3 (SDM volume 3, 6.13).',
    explains: ({ theirs, ours }) => theirs.slice(1) === ':812' && ours.slice(1) === ':40a',
  },
  {
    why: 'IRET to code with L and D set goes through. The combination is reserved: #GP with the selector.',
    explains: ({ line }) => line[0] === 'iret' && line[2] === '3:',
  },
  {
    why: 'IRET to a stack segment that is not present is #NP. It is #SS (SDM volume 2, RET and IRET, operation).',
    explains: ({ line, theirs, ours }) => line[1] === 'ss' && theirs === 'b:40' && ours === 'c:40',
  },
  {
    why: 'IRET to an address that is not canonical arrives there, and faults then. It faults itself (SDM volume 2, IRET, 64-bit mode exceptions).',
    explains: ({ line }) => line[1] === 'odd' && ['0:', '1:'].includes(line[2] as string),
  },
  {
    why: 'IRET takes a null SS whose RPL is not that of CS (SDM volume 2, IRET, 64-bit mode exceptions).',
    explains: ({ line }) => line[1] === 'odd' && line[2] === '8:',
  },
  {
    why: 'IRET at CPL 3 reads its stack as the supervisor. Only descriptor tables and task state are read so (SDM volume 3, 4.6.1).',
    explains: ({ line, theirs, ours }) => line[0] === 'iopl' && theirs === 'd:0' && ours === 'e:5',
  },
  {
    why: 'SYSCALL leaves the arithmetic flags clear. It clears those of the mask (SDM volume 2, SYSCALL).',
    explains: ({ line, theirs, ours }) => line[0] === 'syscall' && theirs === '2' && ours === '8d7',
  },
  {
    why: 'WRMSR takes reserved bits of EFER, and addresses that are not canonical (SDM volume 2, WRMSR: #GP(0)).',
    explains: ({ line, theirs, ours }) => line[0] === 'wrmsr' && theirs === '--' && ours === 'd:0',
  },
];

const LEGACY: readonly Departure[] = [
  {
    why: 'RSVD without P, as in `paging`.',
    explains: ({ theirs, ours }) => {
      const [one, other] = [theirs, ours]
        .map((word) => /^0e:(\d[0-9a-f]{2})/.exec(word)?.[1])
        .map((code) => Number.parseInt(code ?? '', 16));
      return one !== undefined && (one & (RSVD | 1)) === RSVD && other === (one | 1);
    },
  },
];

const lines = (text: string): string[][] =>
  text
    .replaceAll('\r', '')
    .split('\n')
    .map((line) => line.split(' ').filter((word) => word !== ''));

/** Words compared, and for each row how many it explained; every other difference as text. */
function compare(
  theirs: string,
  ours: string,
  rows: readonly Departure[],
): { readonly words: number; readonly explained: readonly number[]; readonly unexplained: readonly string[] } {
  const [one, other] = [lines(theirs), lines(ours)];
  const explained = rows.map(() => 0);
  const unexplained: string[] = [];
  let words = 0;
  expect(other.map((line) => line.length)).toEqual(one.map((line) => line.length));
  for (const [n, line] of other.entries()) {
    for (const [at, word] of line.entries()) {
      words++;
      const found = one[n]?.[at] as string;
      if (found === word) continue;
      const difference = { line, at, theirs: found, ours: word };
      let known = false;
      rows.forEach(({ explains }, i) => {
        if (!explains(difference)) return;
        known = true;
        explained[i] = (explained[i] as number) + 1;
      });
      if (!known) unexplained.push(`${line.slice(0, 3).join(' ')} … word ${at}: QEMU ${found}, here ${word}`);
    }
  }
  return { words, explained, unexplained };
}

describeWith(['qemu'], 'against QEMU', () => {
  it.each([
    ['paging', PAGING, 18_000],
    ['segments', SEGMENTS, 16_000],
    ['gates', GATES, 17_000],
  ] as const)(
    '%s: every word is the same, or a row says why not',
    (name, rows, least) => {
      const domain = here(name);
      expect(domain.ended).toEqual({ reason: 'poweroff', status: 1 });
      const { words, explained, unexplained } = compare(onQemu(name), domain.console, rows);
      expect(unexplained).toEqual([]);
      expect(words).toBeGreaterThan(least);
      // A row that explains nothing is out of date.
      expect(rows.filter((_, n) => explained[n] === 0).map(({ why }) => why)).toEqual([]);
    },
    240_000,
  );
});

describeWith(['qemu', 'gcc'], 'against QEMU, in 32-bit mode', () => {
  it('32-bit and PAE paging, gates, segments and call gates: every word is the same, or a row says why not', () => {
    const { words, explained, unexplained } = built('./legacy.c', (elf) => {
      const domain = here(elf, { cpu: 'nehalem' });
      expect(domain.ended).toEqual({ reason: 'poweroff', status: 1 });
      return compare(onQemu(elf), domain.console, LEGACY);
    });
    expect(unexplained).toEqual([]);
    expect(words).toBeGreaterThan(11_000);
    expect(explained[0]).toBeGreaterThan(0);
  }, 240_000);

  it('four CPUs start in 16-bit mode, take interrupts, and count exactly', () => {
    const run = { vcpus: 4, bootargs: '4' };
    const domain = here('smp', run);
    expect(domain.console).toBe('cpus 4 awake 3 total 4000 interrupted 1\n\nEXIT: STATUS=1\n');
    expect(domain.console).toBe(onQemu('smp', run));
    expect(here('smp', { ...run, slice: 333 }).console).toBe(domain.console);
  }, 240_000);
});
