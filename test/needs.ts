/** What tests need from the machine: a missing tool is a skip that states its reason, or a failure where CV_REQUIRE names it. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { required, TOOLS } from '../scripts/tools.mjs';

export type Tool = keyof typeof TOOLS;

function onPath(command: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The commands of these tools that the machine lacks. */
export function missing(...tools: readonly Tool[]): string[] {
  return tools.flatMap((tool) => TOOLS[tool].filter((command) => !onPath(command)));
}

/**
 * `describe` for tests that call outside tools. Without the tools the body is not run: one skipped test stands in its place and
 * names what is missing, in the form that `npm test` counts; where CV_REQUIRE names the tool, that test fails instead.
 */
export function describeWith(tools: readonly Tool[], title: string, body: () => void): void {
  const demanded = required();
  const absent = tools.filter((tool) => missing(tool).length > 0);
  if (absent.length === 0) {
    describe(title, body);
    return;
  }
  const reason = `[needs ${absent.join(', ')}]`;
  const must = demanded.some((tool) => absent.includes(tool));
  describe(title, () => {
    it.skipIf(!must)(reason, () => {
      expect(missing(...absent), 'commands not found, though CV_REQUIRE asks for them').toEqual([]);
    });
  });
}
