// A function in assembly, in either ABI: ELFv1 (big-endian) names functions by descriptors in .opd, ELFv2 (little-endian) by their code. Every source names itself
// by .file: the linker would otherwise put the name of the compiler's temporary file into the image.
#pragma once

#if _CALL_ELF == 2
#define FUNCTION(name)      \
  .globl name;              \
  .type name, @function;    \
  name:                     \
  .localentry name, . - name
#define END(name) .size name, . - name
#else
#define FUNCTION(name)               \
  .section .opd, "aw";               \
  .balign 8;                         \
  .globl name;                       \
  .type name, @function;             \
  name: .quad .L.name, .TOC.@tocbase, 0; \
  .previous;                         \
  .L.name:
#define END(name) .size name, . - .L.name
#endif

// An address of this image, which lies in the low 2 GiB.
.macro address register, symbol
  lis \register, (\symbol)@h
  ori \register, \register, (\symbol)@l
.endm
