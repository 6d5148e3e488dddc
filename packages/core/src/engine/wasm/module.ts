/** Whole modules (W3C "WebAssembly Core" 2.0, 5.5): functions, a memory from outside, and perhaps a table from outside. */
import { type Body, Bytes } from './encode.ts';

export interface FunctionType {
  readonly parameters: readonly number[];
  readonly results: readonly number[];
}

/** What a module has. The memory is always imported, the table when asked for; functions are exported under their names. */
export interface ModuleParts {
  readonly types: readonly FunctionType[];
  /** 64 KiB pages that the memory has at least. */
  readonly pages: number;
  readonly table?: number;
  readonly functions: readonly { readonly name: string; readonly type: number; readonly body: Body }[];
}

function section(out: Bytes, id: number, content: Bytes): void {
  out.byte(id);
  out.u32(content.length);
  out.append(content);
}

/** A whole module: it imports `m.m`, the memory, and `m.t`, the table. */
export function encodeModule({ types, pages, table, functions }: ModuleParts): Uint8Array {
  const out = new Bytes();
  for (const byte of [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) out.byte(byte);
  const typed = new Bytes();
  typed.u32(types.length);
  for (const { parameters, results } of types) {
    typed.byte(0x60);
    for (const list of [parameters, results]) {
      typed.u32(list.length);
      for (const type of list) typed.byte(type);
    }
  }
  section(out, 1, typed);
  const imports = new Bytes();
  imports.u32(table === undefined ? 1 : 2);
  imports.name('m');
  imports.name('m');
  imports.byte(2);
  imports.byte(0);
  imports.u32(pages);
  if (table !== undefined) {
    imports.name('m');
    imports.name('t');
    imports.byte(1);
    imports.byte(0x70);
    imports.byte(0);
    imports.u32(table);
  }
  section(out, 2, imports);
  const declared = new Bytes();
  declared.u32(functions.length);
  for (const { type } of functions) declared.u32(type);
  section(out, 3, declared);
  const exported = new Bytes();
  exported.u32(functions.length);
  functions.forEach(({ name }, i) => {
    exported.name(name);
    exported.byte(0);
    exported.u32(i);
  });
  section(out, 7, exported);
  const code = new Bytes();
  code.u32(functions.length);
  for (const { body } of functions) {
    const finished = body.finish();
    code.u32(finished.length);
    code.append(finished);
  }
  section(out, 10, code);
  return out.done();
}
