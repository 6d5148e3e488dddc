// A function in assembly, with the symbol type and size that a profiler needs. Every source names itself by .file: the
// linker would otherwise put the name of the compiler's temporary file into the image.
#pragma once

.macro function name
  .globl \name
  .type \name, %function
\name:
.endm

.macro end name
  .size \name, . - \name
.endm

// An address of this image, wherever it was loaded.
.macro address register, symbol
  adrp \register, \symbol
  add \register, \register, :lo12:\symbol
.endm
