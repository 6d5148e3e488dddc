// Entry as QEMU's `pseries` gives it to a kernel: 32-bit mode, big-endian, real mode, interrupts off, r3 = device tree, no stack.
#include "asm.h"

  .file "start.S"

  .section .text.start, "ax"
FUNCTION(_start)
#ifdef __LITTLE_ENDIAN__
  // The first instructions are fetched big-endian: return to the ones behind them with MSR[LE] on.
.macro big word
  .byte (\word >> 24) & 255, (\word >> 16) & 255, (\word >> 8) & 255, \word & 255
.endm
  big 0x7c8000a6 // mfmsr r4
  big 0x60840001 // ori r4, r4, LE
  big 0x429f0005 // bcl 20, 31, . + 4
  big 0x7ca802a6 // mflr r5
  big 0x38a50014 // addi r5, r5, the instruction behind rfid
  big 0x7cba03a6 // mtsrr0 r5
  big 0x7c9b03a6 // mtsrr1 r4
  big 0x4c000024 // rfid
#endif
  mfmsr 4
  li 5, 1
  sldi 5, 5, 63
  or 4, 4, 5
  mtmsrd 4 // 64-bit mode

  address 2, .TOC.
  address 1, __stack_top
  li 0, 0
  stdu 0, -64(1)

  address 4, __bss_start
  address 5, __bss_end
1:cmpld 4, 5
  bge 2f
  std 0, 0(4)
  addi 4, 4, 8
  b 1b

2:bl boot
  nop
END(_start)
