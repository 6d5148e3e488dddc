// Entry as QEMU's `virt` gives it: EL1h, MMU off, interrupts masked, x0 = device tree, no stack.
#include "asm.h"

  .file "start.S"

// SCTLR_EL1 with MMU, caches and alignment checks off: the bits that are RES1 in Armv8.0 (D17.2.118).
#define SCTLR_OFF 0x30d00800

  .section .text.start, "ax"
function _start
  mov x19, x0
  bl cpu_setup
  address x0, __stack_top
  mov sp, x0

  // Relocate: every entry is R_AARCH64_RELATIVE (none in an image linked at its own address).
  address x0, __relocations_start
  address x1, __relocations_end
  address x2, __image_start
1:cmp x0, x1
  b.hs 2f
  ldr x3, [x0], #8      // r_offset
  ldr x4, [x0, #8]      // r_addend, after r_info
  add x0, x0, #16
  add x4, x4, x2
  str x4, [x2, x3]
  b 1b

2:address x0, __bss_start
  address x1, __bss_end
3:cmp x0, x1
  b.hs 4f
  stp xzr, xzr, [x0], #16
  b 3b

4:mov x0, x19
  bl boot
end _start

// Where PSCI CPU_ON starts another CPU: x0 = address of { stack top, function, argument }.
function secondary_start
  mov x19, x0
  bl cpu_setup
  ldp x1, x2, [x19]
  mov sp, x1
  ldr x0, [x19, #16]
  blr x2
1:wfi
  b 1b
end secondary_start

function cpu_setup
  ldr x1, =SCTLR_OFF
  msr sctlr_el1, x1
  address x1, vectors
  msr vbar_el1, x1
  isb
  ret
end cpu_setup
