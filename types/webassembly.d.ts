/**
 * The part of the WebAssembly JavaScript interface that the packages use (W3C "WebAssembly JavaScript Interface" 2.0, section 5).
 * TypeScript declares it only in its browser library, which would also make names like `event`, `name` and `status` legal everywhere.
 */
declare namespace WebAssembly {
  type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128' | 'funcref' | 'externref';
  type ImportExportKind = 'function' | 'table' | 'memory' | 'global';
  type ExportValue = ((...args: never[]) => unknown) | Table | Memory | Global;
  type Exports = Record<string, ExportValue>;
  type Imports = Record<string, Record<string, ExportValue | number | bigint>>;

  interface MemoryDescriptor {
    /** In pages of 64 KiB. */
    initial: number;
    maximum?: number;
    shared?: boolean;
  }
  class Memory {
    constructor(descriptor: MemoryDescriptor);
    readonly buffer: ArrayBuffer;
    /** @returns the former size, in pages */
    grow(pages: number): number;
  }

  interface TableDescriptor {
    element: 'anyfunc' | 'externref';
    initial: number;
    maximum?: number;
  }
  class Table {
    constructor(descriptor: TableDescriptor, value?: unknown);
    readonly length: number;
    get(index: number): unknown;
    set(index: number, value?: unknown): void;
    grow(by: number, value?: unknown): number;
  }

  class Global {
    constructor(descriptor: { value: ValueType; mutable?: boolean }, value?: unknown);
    // biome-ignore lint/suspicious/noExplicitAny: as the standard library types it; the value's type is chosen at run time.
    value: any;
    valueOf(): unknown;
  }

  class Module {
    constructor(bytes: ArrayBuffer | ArrayBufferView);
    static exports(module: Module): { name: string; kind: ImportExportKind }[];
    static imports(module: Module): { module: string; name: string; kind: ImportExportKind }[];
  }

  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Exports;
  }

  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}

  function validate(bytes: ArrayBuffer | ArrayBufferView): boolean;
  function compile(bytes: ArrayBuffer | ArrayBufferView): Promise<Module>;
  function instantiate(module: Module, imports?: Imports): Promise<Instance>;
}
