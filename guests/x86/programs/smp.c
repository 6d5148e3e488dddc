// smp: the other CPUs start by INIT and a start-up message, in 16-bit mode; each takes interrupts, and a lock keeps their count exact.
#include "../../runtime/boot.h"
#include "../../runtime/print.h"
#include "../exception.h"

#define APIC ((volatile u32 *)0xfee00000)
#define ROUNDS 1000
#define TRAMPOLINE 0x8000

extern const u8 trampoline[], trampoline_end[];
u64 trampoline_stack; // what the next CPU takes for its stack

static u8 stacks[8][4096] __attribute__((aligned(16)));
static volatile u32 awake, total, lock, interrupted, finished;

static void apic_write(unsigned at, u32 value) { APIC[at / 4] = value; }

static void took(struct frame *frame) {
  (void)frame;
  __atomic_fetch_add(&interrupted, 1, __ATOMIC_SEQ_CST);
  apic_write(0xb0, 0);
}

static void work(void) {
  for (unsigned n = 0; n < ROUNDS; n++) {
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) asm volatile("pause");
    total++;
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
  }
}

// Where trampoline.S arrives, in 64-bit mode on a stack of its own.
_Noreturn void secondary(void) {
  struct { uint16_t limit; u64 base; } __attribute__((packed)) idtr = {sizeof idt - 1, (u64)idt};
  asm volatile("lidt %0" ::"m"(idtr));
  apic_write(0xf0, 0x1ff);
  __atomic_fetch_add(&awake, 1, __ATOMIC_SEQ_CST);
  work();
  // The first CPU's interrupt ends the wait.
  asm volatile("sti; hlt; cli");
  __atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
  for (;;) asm volatile("hlt");
}

int main(const char *bootargs) {
  unsigned cpus = 1;
  for (const char *c = bootargs; *c; c++) if (*c >= '1' && *c <= '8') cpus = (unsigned)(*c - '0');
  exceptions_on();
  hooks[0x91] = took;
  for (const u8 *from = trampoline; from < trampoline_end; from++) ((u8 *)TRAMPOLINE)[from - trampoline] = *from;
  apic_write(0xf0, 0x1ff);
  for (unsigned n = 1; n < cpus; n++) {
    trampoline_stack = (u64)(stacks[n] + sizeof stacks[n]);
    apic_write(0x310, n << 24);
    apic_write(0x300, 0x4500); // INIT
    for (volatile unsigned k = 0; k < 1000; k++);
    apic_write(0x300, 0x4600 | TRAMPOLINE >> 12); // start-up
    while (awake != n) asm volatile("pause");
  }
  work();
  // Wakes every other CPU until each has gone on: one may not wait yet.
  while (finished != cpus - 1) {
    apic_write(0x300, 0xc4091); // to all but this one
    for (volatile unsigned k = 0; k < 1000; k++);
  }
  print("cpus %u awake %u total %u interrupted %u\n", cpus, awake, total, interrupted >= cpus - 1);
  return total == cpus * ROUNDS ? 0 : 1;
}
