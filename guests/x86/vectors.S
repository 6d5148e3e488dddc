// Where exceptions enter, and the ways into what may raise them. See exception.h.
  .file "vectors.S"
#include "selectors.h"

  .section .text.vectors, "ax"
  .code64
  .balign 16
  .globl stubs
stubs:
  .set n, 0
  .rept 256
  .balign 16
  .if (n == 8) || (n >= 10 && n <= 14) || (n == 17) || (n == 21) || (n == 29) || (n == 30)
  .else
  pushq $0
  .endif
  pushq $n
  jmp common
  .set n, n + 1
  .endr

common:
  pushq %rax
  movq 8(%rsp), %rax
  cmpq $0, hooks(, %rax, 8)
  popq %rax
  jne hooked
  popq caught
  popq caught + 8
  popq caught + 16
  popq caught + 24
  popq caught + 32
  popq caught + 40
  popq caught + 48
  movq %cr2, %rax
  movq %rax, caught + 56
  movl $KERNEL_DATA, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  movq recover, %rsp
  movl $1, %eax
  jmp out

hooked:
  pushq %rax
  pushq %rcx
  pushq %rdx
  pushq %rsi
  pushq %rdi
  pushq %r8
  pushq %r9
  pushq %r10
  pushq %r11
  leaq 72(%rsp), %rdi
  movq (%rdi), %rax
  movq %rsp, %r8
  andq $-16, %rsp
  pushq %r8
  pushq %r8
  call *hooks(, %rax, 8)
  popq %rsp
  popq %r11
  popq %r10
  popq %r9
  popq %r8
  popq %rdi
  popq %rsi
  popq %rdx
  popq %rcx
  popq %rax
  addq $16, %rsp
  iretq

  .macro keep
  pushfq
  pushq %rbx
  pushq %rbp
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  pushq recover
  movq %rsp, recover
  .endm

  .globl attempt
attempt:
  keep
  movq %rdi, %rax
  movq %rsi, %rdi
  call *%rax
  xorl %eax, %eax
  movq recover, %rsp
out:
  popq recover
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbp
  popq %rbx
  popfq
  ret

  .globl user
user:
  keep
  pushq $USER_DATA
  pushq $user_stack_top
  pushq %rdx
  pushq $USER_CODE
  pushq %rdi
  movq %rsi, %rdi
  iretq

  .section .bss.recover, "aw", @nobits
  .balign 8
recover:
  .skip 8

  .section .bss.user, "aw", @nobits
  .balign 4096
  .globl user_stack
user_stack:
  .skip 4096
  .globl user_stack_top
user_stack_top:

  .section .note.GNU-stack, "", @progbits
