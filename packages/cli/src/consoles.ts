/** Consoles as lines: each as soon as it is whole, with its domain's name in front, in the order in which the guests finished them. */
import type { Machine } from '@countervisor/core';
import { visible } from './print/text.ts';

const NEWLINE = 10;

interface Open {
  bytes: Uint8Array;
  length: number;
}

export interface Consoles {
  /** What no newline has ended yet, as lines of their own. */
  close(): void;
}

/** Listens to a machine's consoles; `line` is given whole lines, without their end and without what could steer a terminal. */
export function listen(machine: Machine, line: (domain: string, text: string) => void): Consoles {
  const open = new Map<string, Open>();
  const decoder = new TextDecoder();
  const finish = (domain: string, one: Open): void => {
    const text = decoder.decode(one.bytes.subarray(0, one.length));
    one.length = 0;
    line(domain, visible(text.endsWith('\r') ? text.slice(0, -1) : text));
  };
  const off = machine.events.on('console', ({ domain, byte }) => {
    let one = open.get(domain);
    if (one === undefined) {
      one = { bytes: new Uint8Array(256), length: 0 };
      open.set(domain, one);
    }
    if (byte === NEWLINE) {
      finish(domain, one);
      return;
    }
    if (one.length === one.bytes.length) {
      const more = new Uint8Array(one.length * 2);
      more.set(one.bytes);
      one.bytes = more;
    }
    one.bytes[one.length++] = byte;
  });
  return {
    close() {
      off();
      for (const [domain, one] of open) if (one.length > 0) finish(domain, one);
    },
  };
}
