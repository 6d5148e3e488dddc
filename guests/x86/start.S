// Entry as a Multiboot loader gives it: 32-bit protected mode, paging off, eax = 0x2badb002, ebx = the information block, no stack.
  .file "start.S"

#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define PRESENT 1
#define WRITABLE 2
#define LARGE 0x80

  .section .text.start, "ax"
  .code32
  // The header says where everything goes (flag 16), so that loaders which do not read this class of ELF take the image, too.
  .balign 4
header:
  .long 0x1badb002
  .long 0x10000
  .long -(0x1badb002 + 0x10000)
  .long header
  .long __image_start
  .long __data_end
  .long __bss_end
  .long _start

  .globl _start
_start:
  movl $__stack_top, %esp
  movl %ebx, %ebp

  // Identity map of 4 GiB in pages of 2 MiB: one table of level 4, one of level 3, four of level 2.
  movl $tables, %edi
  xorl %eax, %eax
  movl $6 * 1024, %ecx
  rep stosl
  movl $tables + 0x1000 + PRESENT + WRITABLE, tables
  movl $tables + 0x2000 + PRESENT + WRITABLE, %eax
  movl $tables + 0x1000, %edi
  movl $4, %ecx
1:movl %eax, (%edi)
  addl $0x1000, %eax
  addl $8, %edi
  loop 1b
  movl $PRESENT + WRITABLE + LARGE, %eax
  movl $tables + 0x2000, %edi
  movl $4 * 512, %ecx
2:movl %eax, (%edi)
  addl $0x200000, %eax
  addl $8, %edi
  loop 2b

  movl $tables, %eax
  movl %eax, %cr3
  movl %cr4, %eax
  orl $CR4_PAE, %eax
  movl %eax, %cr4
  movl $MSR_EFER, %ecx
  rdmsr
  orl $EFER_LME, %eax
  wrmsr
  movl %cr0, %eax
  orl $CR0_PG, %eax
  movl %eax, %cr0
  lgdt gdt_pointer
  ljmp $8, $start64

  .code64
start64:
  movl $16, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  xorl %eax, %eax
  movl %eax, %fs
  movl %eax, %gs
  movl $__stack_top, %esp
  movl %ebp, %edi
  call boot
1:hlt
  jmp 1b

  .section .rodata
  .balign 8
gdt:
  .quad 0
  .quad 0x00af9b000000ffff // 8: 64-bit code
  .quad 0x00cf93000000ffff // 16: data
gdt_pointer:
  .word gdt_pointer - gdt - 1
  .quad gdt

  .section .bss.tables, "aw", @nobits
  .balign 4096
  .globl tables
tables:
  .skip 6 * 4096

  .section .note.GNU-stack, "", @progbits
