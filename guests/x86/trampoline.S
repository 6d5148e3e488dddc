// Where a start-up message sends a CPU: real mode, at a page below 1 MiB. On to 64-bit mode with the tables of start.S.
  .file "trampoline.S"

  .section .text.trampoline, "ax"
  .code16
  .globl trampoline
trampoline:
  cli
  movw %cs, %ax
  movw %ax, %ds
  lgdtl pointer - trampoline
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl $24, $0x8000 + protected - trampoline

  .code32
protected:
  movl $16, %eax
  movl %eax, %ds
  movl %eax, %ss
  movl %cr4, %eax
  orl $0x20, %eax
  movl %eax, %cr4
  movl $tables, %eax
  movl %eax, %cr3
  movl $0xc0000080, %ecx
  rdmsr
  orl $0x100, %eax
  wrmsr
  movl %cr0, %eax
  orl $0x80000000, %eax
  movl %eax, %cr0
  ljmpl $8, $long

  .balign 8
descriptors:
  .quad 0
  .quad 0x00af9b000000ffff // 8: 64-bit code
  .quad 0x00cf93000000ffff // 16: data
  .quad 0x00cf9b000000ffff // 24: 32-bit code
pointer:
  .word . - descriptors - 1
  .long 0x8000 + descriptors - trampoline
  .globl trampoline_end
trampoline_end:

  .code64
long:
  movq trampoline_stack, %rsp
  call secondary

  .section .note.GNU-stack, "", @progbits
