/** One counter, its interrupt, and where that came. */
import { asm } from '@countervisor/template';
import { type Asked, event, type Guest, guest, type Line, vector } from './guest.ts';

const { label, movi, readreg, writereg } = asm;

/** Counter 0 counts an event from `count`, with its interrupt enabled. Uses R2. */
export const counter = (name: string, count: number): Line[] => [
  movi('R2', event(name)),
  writereg('PMSEL0', 'R2'),
  movi('R2', count),
  writereg('PMC0', 'R2'),
  movi('R2', 1),
  writereg('PMENSET', 'R2'),
  writereg('PMINTEN', 'R2'),
];

/**
 * Counts `body` with the interrupt on. Its handler leaves the place where the interrupt came in R4, in instructions from the label `body`,
 * and status and count in R5 and R6, from when counting had stopped; R4 is -1 when none came. Uses R2, R3; the body has R4 to R7.
 */
export function sampled(name: string, count: number, body: readonly Line[], asked: Asked = {}): Guest {
  const g = guest(
    [
      ...vector('handler'),
      ...counter(name, count),
      movi('R2', 0x2000),
      movi('R3', 1),
      writereg('STATUS', 'R3'),
      writereg('PMCTL', 'R3'),
      label('body'),
      ...body,
      movi('R3', 0),
      writereg('PMCTL', 'R3'),
      movi('R4', -1),
      writereg('EPC', 'R4'),
      movi('R3', 0),
      label('handler'),
      movi('R3', 0),
      writereg('PMCTL', 'R3'),
      readreg('R4', 'EPC'),
      readreg('R5', 'PMSTAT'),
      readreg('R6', 'PMC0'),
      movi('R7', 'body'),
    ],
    asked,
  );
  return g.run();
}

/** Where the interrupt came: instructions from `body`. */
export const place = (g: Guest): number => (Number(BigInt.asIntN(64, g.get('R4'))) - Number(g.get('R7'))) / 4;
