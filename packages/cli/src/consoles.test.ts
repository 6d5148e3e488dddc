import { Events, type Machine } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { listen } from './consoles.ts';

function scene(): { print(domain: string, text: string | readonly number[]): void; lines: string[]; close(): void } {
  const events = new Events();
  const lines: string[] = [];
  const consoles = listen({ events } as unknown as Machine, (domain, text) => lines.push(`${domain}| ${text}`));
  return {
    lines,
    close: () => consoles.close(),
    print(domain, text) {
      const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
      for (const byte of bytes) events.tell('console', { domain, byte });
    },
  };
}

describe('consoles', () => {
  it('gives lines in the order in which they were finished', () => {
    const { print, lines, close } = scene();
    print('a', 'first ');
    print('b', 'second\nrest of b');
    print('a', 'line\n\n');
    close();
    expect(lines).toEqual(['b| second', 'a| first line', 'a| ', 'b| rest of b']);
  });

  it('puts characters together that arrive byte by byte, and drops the CR of CRLF alone', () => {
    const { print, lines } = scene();
    print('a', 'grün\r\nx\ry\n');
    print('a', [0xff, 0x41, 0x0a]);
    expect(lines).toEqual(['a| grün', 'a| x\\x0dy', 'a| \ufffdA']);
  });

  it('holds lines longer than its first buffer', () => {
    const { print, lines } = scene();
    print('a', `${'x'.repeat(5000)}\n`);
    expect(lines).toEqual([`a| ${'x'.repeat(5000)}`]);
  });

  it('lets no guest steer the terminal', () => {
    const { print, lines } = scene();
    print('a', '\u001b[31mred\n');
    expect(lines).toEqual(['a| \\x1b[31mred']);
  });
});
