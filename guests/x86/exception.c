#include "exception.h"

struct caught caught;
hook *hooks[256];
struct gate idt[256] __attribute__((aligned(16)));
struct task task __attribute__((aligned(16)));
u64 gdt[GDT_ENTRIES] __attribute__((aligned(16)));

static u8 interrupt_stack[8192] __attribute__((aligned(16)));

extern const u8 stubs[];
#define STUB_BYTES 16

struct pointer {
  uint16_t limit;
  u64 base;
} __attribute__((packed));

u64 stub_of(unsigned vector) {
  return (u64)stubs + vector * STUB_BYTES;
}

// `type_dpl_p`: bits 15:8 of the gate's second word.
void set_gate(unsigned vector, u64 entry, unsigned selector, unsigned type_dpl_p, unsigned ist) {
  idt[vector].low = (entry & 0xffff) | (u64)selector << 16 | (u64)ist << 32 | (u64)type_dpl_p << 40 |
                    (entry & 0xffff0000) << 32;
  idt[vector].high = entry >> 32;
}

void exceptions_on(void) {
  // The firmware leaves the board's timer interrupting.
  out8(0x21, 0xff);
  out8(0xa1, 0xff);
  u64 at = (u64)&task;
  gdt[1] = 0x00af9b000000ffff;
  gdt[2] = 0x00cf93000000ffff;
  gdt[3] = 0x00affb000000ffff;
  gdt[4] = 0x00cff3000000ffff;
  gdt[5] = (sizeof task - 1) | (at & 0xffffff) << 16 | 0x89ull << 40 | (at >> 24 & 0xff) << 56;
  gdt[6] = at >> 32;
  task.rsp[0] = (u64)(interrupt_stack + sizeof interrupt_stack);
  task.io_map = sizeof task;
  for (unsigned n = 0; n < 256; n++) set_gate(n, stub_of(n), KERNEL_CODE, 0x8e, 0);
  set_gate(SYSTEM_CALL, stub_of(SYSTEM_CALL), KERNEL_CODE, 0xee, 0);
  struct pointer gdtr = {sizeof gdt - 1, (u64)gdt}, idtr = {sizeof idt - 1, (u64)idt};
  asm volatile("lgdt %0; lidt %1; ltr %w2" ::"m"(gdtr), "m"(idtr), "r"(TASK) : "memory");
}
