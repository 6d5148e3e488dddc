/** Expected counts: read, compared, recorded. */
import { didYouMean } from '@countervisor/core';
import { InputError } from './exit.ts';
import { checked, type PlacedJson, parseJson } from './input/json.ts';
import { type Io, readInput, writeWhole } from './io.ts';
import { type ExpectJson, expectAddress, expectSchema } from './schemas/expect.ts';
import type { Count } from './schemas/parts.ts';
import type { DifferenceJson } from './schemas/stat.ts';

export interface Expectation {
  readonly file: string;
  readonly json: PlacedJson;
  readonly value: ExpectJson;
}

export function readExpectation(io: Io, file: string): Expectation {
  const json = parseJson(new TextDecoder().decode(readInput(io, file, 'the expectation')), file);
  return { file, json, value: checked(json, expectSchema, 'an expectation file', () => ['$schema', 'domains']) };
}

/** Every event that some domain is expected to have. */
export function expectedEvents({ value }: Expectation): string[] {
  return [...new Set(Object.values(value.domains).flatMap((events) => Object.keys(events)))];
}

/** @throws InputError with the place of a domain that does not run */
export function checkDomains({ value, json }: Expectation, names: readonly string[]): void {
  for (const name of Object.keys(value.domains)) {
    if (names.includes(name)) continue;
    throw new InputError(
      'CV_EXPECT_DOMAIN',
      `Counts are expected of the domain '${name}', and none of that name runs.`,
      didYouMean(name, names, `Domains: ${names.join(', ')}.`),
      json.place(['domains', name]),
    );
  }
}

/** What deviates; `counted` is null where the event is not supported. */
export function differences(
  { value }: Expectation,
  counted: (domain: string, event: string) => Count | null,
): DifferenceJson[] {
  return Object.entries(value.domains).flatMap(([domain, events]) =>
    Object.entries(events).flatMap(([event, expected]) => {
      const found = counted(domain, event);
      return found !== null && BigInt(found) === BigInt(expected) ? [] : [{ domain, event, expected, counted: found }];
    }),
  );
}

export function record(io: Io, file: string, domains: ExpectJson['domains']): void {
  const value: ExpectJson = { $schema: expectAddress, domains };
  writeWhole(io, file, `${JSON.stringify(value, undefined, 2)}\n`);
}
