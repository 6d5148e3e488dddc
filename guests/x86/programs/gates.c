// gates: how interrupts enter handlers and how IRET leaves them, over every kind of gate and return; system calls; single step, shadows, NMI, the local APIC.
// It judges nothing: it prints what the CPU says, to be compared with what another CPU says.
#include "../../runtime/boot.h"
#include "../../runtime/print.h"
#include "../exception.h"
#include "../paging.h"

extern const u8 user_nothing[], user_interrupt[], user_cli[], user_hlt[], user_out[], user_rdmsr[], user_cr[], user_popf[], user_iret[], user_syscall[];

#define RF 0x10000 // some emulators never set it in what they save

static void outcome(bool failed) {
  if (!failed) print("-- ");
  else print("%x:%x ", (unsigned)caught.frame.vector, (unsigned)caught.frame.error);
}

static void interrupt(u64 unused) {
  (void)unused;
  asm volatile("int $0x81" ::: "memory", "cc");
}

u8 other_stack[4096] __attribute__((aligned(16)));

static void every_gate(void) {
  for (unsigned access = 0; access < 256; access++) {
    print("\ngate %02x: ", access);
    set_gate(0x81, stub_of(0x81), KERNEL_CODE, access, 0);
    outcome(attempt(interrupt, 0));
    print("%lx ", caught.frame.flags & ~(u64)RF & 0xfffff);
    user(user_interrupt, 0, 2);
    outcome(true);
  }
}

// Where a gate may lead: selectors of every kind, and with stacks of the interrupt stack table.
static void gate_targets(void) {
  for (unsigned access = 0; access < 256; access++) {
    print("\ntarget %02x: ", access);
    for (unsigned size = 0; size < 4; size++) {
      gdt[8] = 0x000f00000000ffffull | (u64)access << 40 | (u64)size << 53;
      set_gate(0x81, stub_of(0x81), 8 * 8, 0xee, 0);
      // Code of levels 1 and 2 would go on at those, where nothing is prepared for it.
      unsigned dpl = access >> 5 & 3;
      bool code = (access & 0x98) == 0x98;
      if (code && size == 1 && (dpl == 1 || dpl == 2)) continue;
      if (code && size == 1 && dpl == 3) {
        outcome(attempt(interrupt, 0));
        continue;
      }
      if (code && size == 1 && (access & 4)) {
        // Conforming: from CPL 3 the handler runs at CPL 3, on pages that are not its.
        outcome(attempt(interrupt, 0));
        continue;
      }
      outcome(attempt(interrupt, 0));
      user(user_interrupt, 0, 2);
      outcome(true);
    }
  }
  static const uint16_t selectors[] = {0, 3, 4, 8, 11, 0xfff8};
  for (unsigned n = 0; n < COUNT_OF(selectors); n++) {
    set_gate(0x81, stub_of(0x81), selectors[n], 0xee, 0);
    print("\nselector %x: ", selectors[n]);
    outcome(attempt(interrupt, 0));
    user(user_interrupt, 0, 2);
    outcome(true);
  }
}

static u64 seen_rsp;

static void note_stack(struct frame *frame) {
  seen_rsp = (u64)frame;
}

static void stacks(void) {
  hooks[0x81] = note_stack;
  for (unsigned n = 0; n < 8; n++) task.ist[n ? n - 1 : 0] = (u64)other_stack + 512 * n + 8 + n;
  for (unsigned ist = 0; ist < 8; ist++) {
    set_gate(0x81, stub_of(0x81), KERNEL_CODE, 0xee, ist);
    seen_rsp = 0;
    bool failed = attempt(interrupt, 0);
    print("\nist %u: %u ", ist, failed);
    if (ist) print("%lx ", seen_rsp - (u64)other_stack);
    else print("%lx ", seen_rsp & 15);
  }
  hooks[0x81] = 0;
  // Stacks that cannot be: not canonical, not there.
  static const u64 bad[] = {0x800000000000ull, 0x500000000000ull, 0xffff7ffffffffff0ull};
  for (unsigned n = 0; n < COUNT_OF(bad); n++) {
    task.ist[0] = bad[n];
    set_gate(0x81, stub_of(0x81), KERNEL_CODE, 0xee, 1);
    outcome(attempt(interrupt, 0));
    if (caught.frame.vector == 14) print("cr2 %lx ", caught.cr2);
  }
  // A vector beyond the table's limit, and beyond the 32 that are there.
  struct { uint16_t limit; u64 base; } __attribute__((packed)) small = {0x81 * 16 + 14, (u64)idt}, whole = {sizeof idt - 1, (u64)idt};
  asm volatile("lidt %0" ::"m"(small));
  outcome(attempt(interrupt, 0));
  asm volatile("lidt %0" ::"m"(whole));
}

// IRET to selectors of every kind. Offset 0 of a user segment is the supervisor's page: a page fault there is an arrival.
static struct { u64 rip, cs, flags, rsp, ss; } back;

static void go_back(u64 unused) {
  (void)unused;
  asm volatile("movq %0, %%rsp; iretq" ::"r"(&back) : "memory");
}

static void arrived(void) {
  outcome(true);
  print("%x %x %lx ", (unsigned)caught.frame.cs, (unsigned)caught.frame.ss, caught.frame.flags & ~(u64)RF & 0xfffff);
}

static void returns(void) {
  // Nothing is at the address that fits 32-bit code, either: the tables of level 2 are the third to sixth of start.S.
  ((u64 *)(read_cr3() + 0x2000))[0x7ff00000 >> 21] = 0;
  write_cr3(read_cr3());
  for (unsigned access = 0; access < 256; access++)
    for (unsigned size = 0; size < 4; size++) {
      if ((access & 0x18) != 0x18 && size != 1) continue;
      print("\niret %02x %u: ", access, size);
      for (unsigned rpl = 0; rpl < 4; rpl++) {
        gdt[8] = 0x008f00000000ffffull | (u64)access << 40 | (u64)size << 53;
        gdt[10] = 0x00cf13000000ffff | (u64)(0x80 | rpl << 5) << 40; // data of that level
        // Where it arrives there is nothing: a fault of level `rpl`, on a stack of level 0 again.
        back.rip = 0x200000000000ull;
        if (size != 1) back.rip = 0x7ff00000;
        back.cs = 8 * 8 | rpl;
        back.flags = 0x2 | 0x40 | (u64)(rpl & 1) << 14;
        back.rsp = 0x1000;
        back.ss = 10 * 8 | rpl;
        bool failed = attempt(go_back, 0);
        (void)failed;
        arrived();
      }
    }
  // Stacks for a return to CPL 3 and to CPL 0.
  for (unsigned access = 0; access < 256; access++) {
    print("\niret ss %02x: ", access);
    gdt[8] = 0x00cf00000000ffffull | (u64)access << 40;
    for (unsigned level = 0; level < 4; level += 3)
      for (unsigned rpl = 0; rpl < 4; rpl += 3) {
        back.rip = 0x200000000000ull;
        back.cs = level ? USER_CODE : KERNEL_CODE;
        back.flags = 2;
        back.rsp = 0x1000;
        back.ss = 8 * 8 | rpl;
        attempt(go_back, 0);
        arrived();
      }
  }
  static const struct { u64 rip; uint16_t cs, ss; u32 flags; } odd[] = {
      {0x800000000000ull, KERNEL_CODE, KERNEL_DATA, 2}, {0x800000000000ull, USER_CODE, USER_DATA, 2},
      {0x1000, 0, KERNEL_DATA, 2}, {0x1000, 3, USER_DATA, 2}, {0x1000, 0xfff8, KERNEL_DATA, 2},
      {0x200000000000ull, KERNEL_CODE, 0, 2}, {0x200000000000ull, USER_CODE, 0, 2}, {0x200000000000ull, USER_CODE, 3, 2},
      {0x200000000000ull, KERNEL_CODE, 3, 2}, {0x200000000000ull, KERNEL_CODE, 0xfff8, 2}, {0x200000000000ull, USER_CODE, USER_DATA, 0x3202},
      {0x200000000000ull, USER_CODE, USER_DATA, 0x44dd7 & ~0x100},
  };
  for (unsigned n = 0; n < COUNT_OF(odd); n++) {
    print("\niret odd %u: ", n);
    back.rip = odd[n].rip;
    back.cs = odd[n].cs;
    back.ss = odd[n].ss;
    back.flags = odd[n].flags;
    back.rsp = 0x1000;
    attempt(go_back, 0);
    arrived();
  }
}

static void nested(u64 unused) {
  (void)unused;
  asm volatile("pushfq; orl $0x4000, (%%rsp); popfq; iretq" ::: "memory");
}

// What CPL 3 may not do, by IOPL and by the permission map.
static void privileges(void) {
  static const u8 *const code[] = {user_nothing, user_cli, user_hlt, user_cr};
  for (unsigned iopl = 0; iopl < 4; iopl++) {
    print("\niopl %u: ", iopl);
    for (unsigned n = 0; n < COUNT_OF(code); n++) {
      user(code[n], 0, 2 | iopl << 12);
      outcome(caught.frame.vector != SYSTEM_CALL);
    }
    user(user_rdmsr, EFER, 2 | iopl << 12);
    outcome(caught.frame.vector != SYSTEM_CALL);
    task.io_map = (uint16_t)((u64)task.map - (u64)&task);
    for (unsigned n = 0; n < sizeof task.map; n++) task.map[n] = 0;
    task.map[0x80 / 8] = 0x02;
    task.map[sizeof task.map - 1] = 0xff;
    static const uint16_t ports[] = {0x80, 0x81, 0x40, 0x1f7, 0x1f8, 0x3f9, 0xffff};
    for (unsigned n = 0; n < COUNT_OF(ports); n++) {
      if (ports[n] == 0x40) continue;
      user(user_out, ports[n], 2 | iopl << 12);
      outcome(caught.frame.vector != SYSTEM_CALL);
    }
    task.io_map = sizeof task;
    user(user_popf, 0x3202 | 0x4000, 2 | iopl << 12);
    print("%lx ", caught.frame.flags & ~(u64)RF & 0xfffff);
  }
  user(user_iret, 0, 2);
  outcome(true);
  outcome(attempt(nested, 0));
}

u64 entered;
extern const u8 system_entry[];
asm(".text; .balign 16; system_entry: movq %rsp, %r8; movq %rcx, entered; movq $other_stack + 4096, %rsp; pushfq; popq entered_flags; sysretq; .previous");
u64 entered_flags;

static void system_calls(void) {
  write_msr(0xc0000081, (u64)KERNEL_CODE << 32 | (u64)0x1b << 48);
  write_msr(0xc0000082, (u64)system_entry);
  write_msr(0xc0000084, 0x47700);
  user(user_syscall, 0, 2 | 0xcd5);
  print("\nsyscall off: ");
  outcome(true);
  write_msr(EFER, read_msr(EFER) | 1);
  // SYSRET takes CS from 0x1b + 16 and SS from 0x1b + 8.
  u64 four = gdt[4], five = gdt[5], six = gdt[6];
  gdt[5] = gdt[3];
  gdt[4] = four;
  print("syscall on: ");
  user(user_syscall, 0, 2 | 0xcd5);
  outcome(true);
  print("cs %x ss %x rcx %lx flags %lx entry %lx ", (unsigned)caught.frame.cs, (unsigned)caught.frame.ss,
        entered - (u64)user_syscall, caught.frame.flags & ~(u64)RF, entered_flags);
  gdt[5] = five;
  gdt[6] = six;
}

static u64 steps[16], step_count;

static void stepped(struct frame *frame) {
  u64 dr6;
  asm volatile("movq %%dr6, %0" : "=r"(dr6));
  if (step_count < COUNT_OF(steps)) steps[step_count++] = frame->rip << 16 | (dr6 & 0xf00f);
  asm volatile("movq %0, %%dr6" ::"r"(0xffff0ff0ull));
}

extern const u8 step_start[], step_end[];
static void single_step(void) {
  hooks[1] = stepped;
  step_count = 0;
  asm volatile("pushfq; orl $0x100, (%%rsp); popfq; step_start: nop; nop; xorl %%eax, %%eax; int $0x82; pushfq; andl $~0x100, (%%rsp); popfq; step_end: nop" ::: "rax", "cc", "memory");
  hooks[1] = 0;
  print("\nsteps %u: ", (unsigned)step_count);
  for (unsigned n = 0; n < step_count; n++) print("%lx:%lx ", (steps[n] >> 16) - (u64)step_start, steps[n] & 0xffff);
}

static void nothing(struct frame *frame) { (void)frame; }

#define APIC ((volatile u32 *)0xfee00000)
static u32 apic(unsigned at) { return APIC[at / 4]; }
static void apic_write(unsigned at, u32 value) { APIC[at / 4] = value; }

static unsigned count[4];
static u64 where;
static void took(struct frame *frame) {
  count[0]++;
  where = frame->rip;
  apic_write(0xb0, 0);
}
static void nmi_depth(struct frame *frame) {
  (void)frame;
  count[1]++;
  if (count[1] == 1) {
    apic_write(0x300, 0x44400); // another NMI to this CPU: it waits until IRET
    for (volatile unsigned n = 0; n < 100; n++);
    count[2] = count[1];
  }
}

extern const u8 shadow_start[];
static void local_apic(void) {
  apic_write(0xf0, 0x1ff);
  print("\napic id %x version %x tpr %x ", apic(0x20), apic(0x30) & 0xff, apic(0x80));
  hooks[0x90] = took;
  hooks[2] = nmi_depth;
  // A self interrupt while interrupts are off waits; STI lets one more instruction pass.
  apic_write(0x300, 0x44090);
  print("irr %x ", apic(0x240));
  asm volatile("sti; shadow_start: nop; nop; nop; cli" ::: "memory");
  print("taken %u at %lx isr %x ", count[0], where - (u64)shadow_start, apic(0x140));
  // The task's priority holds a class back.
  apic_write(0x80, 0x90);
  apic_write(0x300, 0x44090);
  asm volatile("sti; nop; nop; nop; cli" ::: "memory");
  print("held %u ppr %x ", count[0], apic(0xa0));
  apic_write(0x80, 0x80);
  asm volatile("sti; nop; nop; nop; cli" ::: "memory");
  print("taken %u ", count[0]);
  u64 cr8;
  asm volatile("movq %%cr8, %0" : "=r"(cr8));
  print("cr8 %lx ", cr8);
  asm volatile("movq %0, %%cr8" ::"r"(0ull));
  print("tpr %x ", apic(0x80));
  apic_write(0x300, 0x44400);
  for (volatile unsigned n = 0; n < 100; n++);
  print("nmi %u inside %u ", count[1], count[2]);
  // The timer, once, with HLT; then periodically.
  apic_write(0x3e0, 0xb);
  apic_write(0x320, 0x90);
  apic_write(0x380, 20000);
  asm volatile("sti; hlt; cli" ::: "memory");
  print("timer %u current %u ", count[0], apic(0x390));
  apic_write(0x320, 0x20090);
  apic_write(0x380, 20000);
  for (unsigned n = 0; n < 3; n++) asm volatile("sti; hlt; cli" ::: "memory");
  apic_write(0x380, 0);
  print("periodic %u ", count[0] >= 6);
  apic_write(0x320, 0x10090);
  print("lvt %x %x %x ", apic(0x320), apic(0x340), apic(0x370));
}

static const struct { u32 index; u64 value; } writes[] = {
      {0xc0000080, 1ull << 1}, {0xc0000080, 1ull << 20}, {0xc0000082, 1ull << 47}, {0xc0000082, ~0ull << 47}, {0xc0000100, 1ull << 48}, {0xc0000101, 0x7fffffffffffull},
      {0xc0000102, 1ull << 63}, {0x277, 0x0007040600070406ull}, {0x175, 1ull << 47}, {0x176, 0},
};

static void write(u64 n) { write_msr(writes[n].index, writes[n].value); }

static void refusals(void) {
  for (unsigned n = 0; n < COUNT_OF(writes); n++) {
    bool failed = attempt(write, n);
    print("\nwrmsr %x %lx: ", writes[n].index, writes[n].value);
    outcome(failed);
  }
  write_msr(0xc0000101, 0);
}

int main(const char *bootargs) {
  (void)bootargs;
  exceptions_on();
  probe_on();
  every_gate();
  gate_targets();
  stacks();
  returns();
  privileges();
  system_calls();
  set_gate(0x82, stub_of(0x82), KERNEL_CODE, 0x8e, 0);
  hooks[0x82] = nothing;
  single_step();
  local_apic();
  refusals();
  print("\n");
  return 0;
}
