// The exception vectors (D1.3.1): every one saves the general registers and calls exception(frame, vector).
#include "asm.h"

  .file "vectors.S"

#define FRAME 272 // x0..x30, ELR, SPSR and padding to 16: struct frame in exception.h

.macro vector number
  .balign 0x80
  sub sp, sp, #FRAME
  stp x0, x1, [sp]
  mov x1, #\number
  b enter
.endm

.macro pairs instruction
  \instruction x2, x3, [sp, #16]
  \instruction x4, x5, [sp, #32]
  \instruction x6, x7, [sp, #48]
  \instruction x8, x9, [sp, #64]
  \instruction x10, x11, [sp, #80]
  \instruction x12, x13, [sp, #96]
  \instruction x14, x15, [sp, #112]
  \instruction x16, x17, [sp, #128]
  \instruction x18, x19, [sp, #144]
  \instruction x20, x21, [sp, #160]
  \instruction x22, x23, [sp, #176]
  \instruction x24, x25, [sp, #192]
  \instruction x26, x27, [sp, #208]
  \instruction x28, x29, [sp, #224]
.endm

  .text
  .balign 0x800
function vectors
  .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  vector \number
  .endr
end vectors

function enter
  pairs stp
  mrs x2, elr_el1
  mrs x3, spsr_el1
  stp x30, x2, [sp, #240]
  str x3, [sp, #256]
  mov x0, sp
  bl exception

  ldp x30, x2, [sp, #240]
  ldr x3, [sp, #256]
  msr elr_el1, x2
  msr spsr_el1, x3
  pairs ldp
  ldp x0, x1, [sp]
  add sp, sp, #FRAME
  eret
end enter

// u64 el0_call(u64 pc, u64 argument, u64 link, u64 stack): runs `pc` at EL0, where x30 = link, until an exception's
// handler calls el0_leave; returns EL0's x0 then. The callee-saved registers wait on the EL1 stack meanwhile.
function el0_call
  stp x29, x30, [sp, #-96]!
  stp x19, x20, [sp, #16]
  stp x21, x22, [sp, #32]
  stp x23, x24, [sp, #48]
  stp x25, x26, [sp, #64]
  stp x27, x28, [sp, #80]
  msr elr_el1, x0
  mov x4, #0x3c0                // EL0t, D A I F masked
  msr spsr_el1, x4
  msr sp_el0, x3
  mov x30, x2
  mov x0, x1
  eret
end el0_call

// Where el0_leave sends the handler's ERET: EL1h, with sp as el0_call left it.
function el0_return
  ldp x19, x20, [sp, #16]
  ldp x21, x22, [sp, #32]
  ldp x23, x24, [sp, #48]
  ldp x25, x26, [sp, #64]
  ldp x27, x28, [sp, #80]
  ldp x29, x30, [sp], #96
  ret
end el0_return

  .section .user, "ax"
// The link that takes an EL0 function back to EL1.
function el0_exit
  svc #0
end el0_exit
