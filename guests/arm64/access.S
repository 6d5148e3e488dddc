// One access each, on a page of its own that can be mapped for EL0 too. x0 is the address, and the result.
#include "asm.h"

  .file "access.S"

  .section .user, "ax"
  .balign 4096
function load
  ldr x0, [x0]
  ret
end load

function store
  str x0, [x0]
  ret
end store

function load_exclusive
  ldxr x0, [x0]
  ret
end load_exclusive

// Loads through SP (EL0 only: x0 becomes its stack).
function load_from_stack
  mov sp, x0
  ldr x0, [sp]
  ret
end load_from_stack

// Jumps to x0, which returns to the caller.
function jump
  br x0
end jump

// What a jump may land on.
function landing
  mov x0, #42
  ret
end landing
