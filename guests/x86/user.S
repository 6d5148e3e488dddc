// What runs at CPL 3: each takes an address or a selector, does one thing, and ends with a system call.
  .file "user.S"

  .section .user, "ax"
  .code64
  .macro user_function name
  .balign 16
  .globl \name
\name:
  .endm

user_function user_nothing
  int $0x80
user_function user_read
  movq (%rdi), %rax
  int $0x80
user_function user_write
  movq %rax, (%rdi)
  int $0x80
user_function user_modify
  addq $0, (%rdi)
  int $0x80
user_function user_fetch
  jmp *%rdi
user_function user_load_ds
  movl %edi, %ds
  int $0x80
user_function user_load_ss
  movl %edi, %ss
  int $0x80
user_function user_load_fs
  movl %edi, %fs
  int $0x80
user_function user_interrupt
  int $0x81
  int $0x80
user_function user_far_call
  pushq %rdi
  movl $0, (%rsp)
  movl %edi, 4(%rsp)
  lcall *(%rsp)
  int $0x80
user_function user_cli
  cli
  int $0x80
user_function user_hlt
  hlt
  int $0x80
user_function user_out
  movl %edi, %edx
  outb %al, %dx
  int $0x80
user_function user_rdmsr
  movl %edi, %ecx
  rdmsr
  int $0x80
user_function user_cr
  movq %cr0, %rax
  int $0x80
user_function user_popf
  pushq %rdi
  popfq
  pushfq
  popq %rdi
  int $0x80
user_function user_iret
  iretq
user_function user_syscall
  syscall
  int $0x80

  .section .note.GNU-stack, "", @progbits
