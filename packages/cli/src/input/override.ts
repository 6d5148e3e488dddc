/** Arguments of the form key=value: settings of xl.cfg, as `xl create` takes them behind the file. */

/** The name of a key of xl.cfg, then = or +=. */
const SETTING = /^[a-z][._0-9a-z]*\+?=/;

export interface Arguments {
  readonly files: readonly string[];
  readonly overrides: readonly string[];
}

/**
 * Parts files from settings. Values that are neither a number nor quoted become strings: shells eat quotes, and `xl create name=dom2` is what
 * people write.
 */
export function partArguments(args: readonly string[]): Arguments {
  const files: string[] = [];
  const overrides: string[] = [];
  for (const arg of args) {
    if (SETTING.test(arg)) overrides.push(quoted(arg));
    else files.push(arg);
  }
  return { files, overrides };
}

function quoted(setting: string): string {
  const split = setting.indexOf('=') + 1;
  const value = setting.slice(split).trim();
  if (value === '' || /^["'[]/.test(value) || /^[0-9][0-9a-fx]*$/.test(value)) return setting;
  return `${setting.slice(0, split)}"${value.replace(/[\\"]/g, '\\$&')}"`;
}
