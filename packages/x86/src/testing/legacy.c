// 32-bit protected mode, as a Multiboot loader leaves it: 32-bit and PAE paging, gates, segments, call gates. It judges nothing: it
// prints what the CPU says. Built by qemu.test.ts with `gcc -m32`, for this machine and for QEMU's.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned u32;
typedef unsigned long long u64;

asm(".section .text.unlikely.first, \"ax\"; .balign 4; .long 0x1badb002, 0, -0x1badb002; .globl _start; _start: movl $stack_top, %esp; call start; .text");

static void out8(u16 port, u8 value) { asm volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
static void put(char c) { out8(0x3f8, (u8)c); }
static void text(const char *s) { while (*s) put(*s++); }
static void hex(u32 v, int digits) {
  while (digits--) put("0123456789abcdef"[v >> 4 * digits & 15]);
}

__attribute__((aligned(16))) u8 stack[8192];
asm(".globl stack_top; .set stack_top, stack + 8192");
__attribute__((aligned(4096))) u8 user_stack[4096];
__attribute__((aligned(16))) u8 inner_stack[4096];
u64 gdt[32], idt[256];
u32 task[32];
u32 vector, error, recover;

extern u8 stubs[];
asm(".text; .balign 16; stubs: .set n, 0; .rept 256; .balign 16; .if (n == 8) || (n >= 10 && n <= 14) || (n == 17); .else; pushl $0; .endif; pushl $n; jmp common; .set n, n + 1; .endr;"
    "common: movl $0x10, %eax; movl %eax, %ds; popl vector; popl error; movl %eax, %es; movl %eax, %fs; movl %eax, %ss; movl recover, %esp; movl $1, %eax; jmp out;"
    ".globl attempt; attempt: pushfl; pushl %ebx; pushl %ebp; pushl %esi; pushl %edi; movl 24(%esp), %eax; movl 28(%esp), %ecx; movl %esp, recover; pushl %ecx; call *%eax; movl recover, %esp; xorl %eax, %eax;"
    "out: popl %edi; popl %esi; popl %ebp; popl %ebx; popfl; ret;"
    ".globl user; user: pushfl; pushl %ebx; pushl %ebp; pushl %esi; pushl %edi; movl 24(%esp), %eax; movl 28(%esp), %ecx; movl %esp, recover; movl $0x23, %edx; movl %edx, %ds; pushl $0x23; pushl $user_stack + 4096; pushl $2; pushl $0x1b; pushl %eax; iretl");
int attempt(void (*f)(u32), u32 argument);
int user(const void *f, u32 argument); // the argument is in ECX

asm(".section .user, \"ax\"; .balign 4096; .globl user_start; user_start:"
    "user_read: movl (%ecx), %eax; int $0x80;"
    "user_write: movl %eax, (%ecx); int $0x80;"
    "user_fetch: jmp *%ecx;"
    "user_interrupt: int $0x81; int $0x80;"
    "user_ds: movl %ecx, %ds; int $0x80;"
    "user_ss: movl %ecx, %ss; int $0x80;"
    "user_call: pushl %ecx; pushl $0; movl $0x5678, %eax; pushl %eax; lcall *4(%esp); int $0x80;"
    ".balign 4096; .text");
extern const u8 user_start[], user_read[], user_write[], user_fetch[], user_interrupt[], user_ds[], user_ss[], user_call[];

static void outcome(int failed) {
  put(' ');
  if (!failed || (failed == 2 && vector == 0x80)) text("--");
  else { hex(vector, 2); put(':'); hex(error, 3); }
}

static void read(u32 at) { (void)*(volatile u32 *)at; }
static void write(u32 at) { *(volatile u32 *)at = 0; }
static void fetch(u32 at) { ((void (*)(void))at)(); }
static void interrupt(u32 unused) { (void)unused; asm volatile("int $0x81"); }
// What they load may not be fit for use.
static void load_ds(u32 s) { asm volatile("movl %0, %%ds; movl %1, %%ds" ::"r"(s), "r"(0x10)); }
static void load_ss(u32 s) { asm volatile("movl %0, %%ss; movl %1, %%ss" ::"r"(s), "r"(0x10)); }
static void load_ldt(u32 s) { asm volatile("lldt %w0" ::"r"(s)); }
static void load_task(u32 s) { asm volatile("ltr %w0" ::"r"(s)); }

static void set_gate(u32 n, u32 selector, u32 access) {
  u32 at = (u32)stubs + n * 16;
  idt[n] = (at & 0xffff) | (u64)selector << 16 | (u64)access << 40 | (u64)(at & 0xffff0000) << 32;
}

// Paging. One page at PROBE, everything else mapped to itself.
#define PROBE 0x40000000u
__attribute__((aligned(4096))) u32 pd[1024], pt[1024], low[1024];
__attribute__((aligned(4096))) u64 pdpt[4], pd_pae[512], pt_pae[512], low_pae[512], pd_low[512];
__attribute__((aligned(4096))) u8 page[4096];

static int is_user(u32 at) {
  u32 start = (u32)user_start;
  return (at >= start && at < start + 4096) || at == (u32)user_stack;
}

static void invalidate(void) { asm volatile("invlpg (%0)" ::"r"(PROBE) : "memory"); }
static void set_wp(int on) {
  u32 v;
  asm volatile("movl %%cr0, %0" : "=r"(v));
  v = on ? v | 0x10000 : v & ~0x10000u;
  asm volatile("movl %0, %%cr0" ::"r"(v));
}
static u32 fault_address(void) { u32 v; asm volatile("movl %%cr2, %0" : "=r"(v)); return v; }

static void accesses(volatile u8 *leaf) {
  for (u32 n = 0; n < 6; n++) {
    *leaf &= ~0x60;
    invalidate();
    u32 at = PROBE + (n % 3 == 2 ? 0 : 64);
    int failed;
    if (n < 3) failed = attempt(n == 0 ? read : n == 1 ? write : fetch, at);
    else failed = user(n == 3 ? user_read : n == 4 ? user_write : user_fetch, at) + 1;
    outcome(failed);
    if (failed && vector == 14 && fault_address() != at) put('!');
    else if (!(failed && vector == 14)) put("0123"[*leaf >> 5 & 3]);
  }
}

static void paging32(void) {
  for (u32 n = 0; n < 1024; n++) low[n] = n << 12 | 3 | (is_user(n << 12) ? 4 : 0);
  pd[0] = (u32)low | 7;
  asm volatile("movl %0, %%cr3; movl %%cr4, %%eax; orl $0x10, %%eax; movl %%eax, %%cr4; movl %%cr0, %%eax; orl $0x80000000, %%eax; movl %%eax, %%cr0" ::"r"(pd) : "eax", "memory");
  for (u32 wp = 0; wp < 2; wp++)
    for (u32 upper = 0; upper < 4; upper++) {
      set_wp((int)wp);
      text("\npage32 "); hex(wp * 4 + upper, 1); put(':');
      for (u32 bits = 0; bits < 8; bits++) {
        pd[PROBE >> 22] = (u32)pt | 1 | upper << 1;
        pt[0] = (u32)page | bits;
        accesses((u8 *)pt);
      }
    }
  // Pages of 4 MiB: the first one's first bytes are the same code.
  asm volatile("movw %0, 0" ::"r"(*(u16 *)page) : "memory");
  for (u32 bits = 0; bits < 8; bits++) {
    text("\nlarge32 "); hex(bits, 1); put(':');
    pd[PROBE >> 22] = 0x80 | bits;
    accesses((u8 *)&pd[PROBE >> 22]);
    pd[PROBE >> 22] |= 1 << 21;
    accesses((u8 *)&pd[PROBE >> 22]);
  }
}

static void paging_pae(int nxe) {
  for (u32 n = 0; n < 512; n++) low_pae[n] = n << 12 | 3 | (is_user(n << 12) ? 4 : 0);
  pd_low[0] = (u32)low_pae | 7;
  pdpt[0] = (u32)pd_low | 1;
  pdpt[1] = (u32)pd_pae | 1;
  asm volatile("movl %%cr0, %%eax; andl $0x7fffffff, %%eax; movl %%eax, %%cr0; movl %0, %%cr3; movl %%cr4, %%eax; orl $0x20, %%eax; movl %%eax, %%cr4;"
               "movl $0xc0000080, %%ecx; rdmsr; andl $~0x800, %%eax; orl %1, %%eax; wrmsr; movl %%cr0, %%eax; orl $0x80000000, %%eax; movl %%eax, %%cr0" ::"r"(pdpt), "b"(nxe ? 0x800 : 0) : "eax", "ecx", "edx", "memory");
  for (u32 upper = 0; upper < 8; upper++) {
    set_wp(1);
    text("\npae "); hex((u32)nxe * 8 + upper, 1); put(':');
    for (u32 bits = 0; bits < 16; bits++) {
      pd_pae[0] = (u32)pt_pae | 1 | (upper & 3) << 1 | (u64)(upper >> 2) << 63;
      pt_pae[0] = (u32)page | (bits & 7) | (u64)(bits >> 3) << 63;
      accesses((u8 *)pt_pae);
    }
  }
}

// Gates and segments.
static void gates(void) {
  for (u32 access = 0; access < 256; access++) {
    if ((access & 0x9f) == 0x85) continue; // a task gate
    text("\ngate "); hex(access, 2); put(':');
    // 16-bit gates have 16 bits of offset, which lead nowhere here: only those that fault.
    int narrow = (access & 0x9e) == 0x86;
    set_gate(0x81, 8, access);
    if (!narrow) outcome(attempt(interrupt, 0));
    if (!narrow || (access >> 5 & 3) != 3) outcome(user(user_interrupt, 0) + 1);
  }
  for (u32 access = 0; access < 256; access++) {
    u32 dpl = access >> 5 & 3;
    if ((access & 0x98) == 0x98 && (dpl == 1 || dpl == 2 || (access & 4))) continue;
    text("\nto "); hex(access, 2); put(':');
    gdt[8] = 0x00cf00000000ffffull | (u64)access << 40;
    set_gate(0x81, 8 * 8, 0xee);
    outcome(attempt(interrupt, 0));
    if (!((access & 0x98) == 0x98 && dpl == 3)) outcome(user(user_interrupt, 0) + 1);
  }
  // Stacks of the task state segment.
  for (u32 access = 0; access < 256; access++) {
    text("\nstack "); hex(access, 2); put(':');
    gdt[8] = 0x00cf00000000ffffull | (u64)access << 40;
    set_gate(0x81, 8, 0xee);
    for (u32 rpl = 0; rpl < 4; rpl += 3) {
      task[2] = 8 * 8 | rpl;
      // What cannot be a stack for the fault either is a double fault, and that one needs a stack, too: the fault comes at this level.
      u32 good = (access & 0x9e) == 0x92 && (access >> 5 & 3) == 0 && rpl == 0;
      if (good) outcome(user(user_interrupt, 0) + 1);
    }
    task[2] = 0x10;
  }
}

static void segments(void) {
  for (u32 access = 0; access < 256; access++) {
    text("\nload "); hex(access, 2); put(':');
    for (u32 rpl = 0; rpl < 4; rpl++) {
      gdt[8] = 0x00cf00000000ffffull | (u64)access << 40;
      outcome(attempt(load_ds, 8 * 8 | rpl));
      outcome(attempt(load_ss, 8 * 8 | rpl));
      outcome(user(user_ds, 8 * 8 | rpl) + 1);
      outcome(user(user_ss, 8 * 8 | rpl) + 1);
      put(' ');
      hex((u32)(gdt[8] >> 40) & 255, 2);
    }
    gdt[8] = 0x00cf00000000ffffull | (u64)access << 40;
    outcome(attempt(load_ldt, 8 * 8));
    outcome(attempt(load_task, 8 * 8));
    gdt[5] &= ~(2ull << 40);
    load_task(0x28);
  }
}

// Call gates: from both levels, with parameters, and back.
asm(".text; gate_target: movl %esp, gate_esp; movl 8(%esp), %eax; movl %eax, gate_word; movw %cs, %ax; movw %ax, gate_cs; int $0x82");
u32 gate_esp, gate_word;
u16 gate_cs;
extern u8 gate_target[];
static void call_gate(u32 selector) {
  struct { u32 offset; u16 selector; } __attribute__((packed)) pointer = {0, (u16)selector};
  asm volatile("pushl $0x1234; lcall *%0" ::"m"(pointer) : "memory");
}

static void call_gates(void) {
  set_gate(0x82, 8, 0x8e);
  for (u32 access = 0; access < 256; access++) {
    if ((access & 0x1f) != 0x0c && (access & 0x1f) != 4) continue;
    for (u32 parameters = 0; parameters < 4; parameters++) {
      text("\ncall "); hex(access, 2); put(' '); hex(parameters, 1); put(':');
      u32 at = (u32)gate_target;
      gdt[8] = (at & 0xffff) | 8u << 16 | (u64)parameters << 32 | (u64)access << 40 | (u64)(at & 0xffff0000) << 32;
      // 16-bit gates lead to 16 bits of the address: only those that fault.
      if ((access & 0x9f) == 0x84) continue;
      for (u32 rpl = 0; rpl < 4; rpl++) {
        gate_esp = gate_word = gate_cs = 0;
        outcome(attempt(call_gate, 8 * 8 | rpl));
        put('/'); hex(gate_cs, 2);
        outcome(user(user_call, 8 * 8 | rpl) + 1);
        put('/'); hex(gate_cs, 2); put('/'); hex(gate_esp ? (u32)inner_stack + sizeof inner_stack - gate_esp : 0, 8); put('/'); hex(gate_word, 4);
      }
    }
  }
}

void start(void) {
  out8(0x21, 0xff);
  out8(0xa1, 0xff);
  gdt[1] = 0x00cf9b000000ffff;
  gdt[2] = 0x00cf93000000ffff;
  gdt[3] = 0x00cffb000000ffff;
  gdt[4] = 0x00cff3000000ffff;
  u32 at = (u32)task;
  gdt[5] = (sizeof task - 1) | (u64)(at & 0xffffff) << 16 | 0x89ull << 40 | (u64)(at >> 24) << 56;
  task[1] = (u32)inner_stack + sizeof inner_stack;
  task[2] = 0x10;
  for (u32 n = 0; n < 256; n++) set_gate(n, 8, 0x8e);
  set_gate(0x80, 8, 0xee);
  struct { u16 limit; u32 base; } __attribute__((packed)) gdtr = {sizeof gdt - 1, (u32)gdt}, idtr = {sizeof idt - 1, (u32)idt};
  asm volatile("lgdt %0; lidt %1; ljmp $8, $1f; 1: movl $16, %%eax; movl %%eax, %%ds; movl %%eax, %%es; movl %%eax, %%ss; ltr %w2" ::"m"(gdtr), "m"(idtr), "c"(0x28) : "eax", "memory");
  page[0] = 0xcd;
  page[1] = 0x80;
  segments();
  gates();
  call_gates();
  paging32();
  paging_pae(0);
  paging_pae(1);
  text("\n");
  asm volatile("outl %0, $0xf4" ::"a"(0));
  for (;;) asm volatile("hlt");
}
