// pmu-overflow: a counter that overflows after exactly N instructions interrupts before instruction N + 1.
//
// Counted from the instruction after the enabling write. The interrupt comes through LVTPC, which masks itself on Intel's CPUs and stays as it is on AMD's:
// it must be taken once, with the return address on the first instruction after the Nth counted one.
#include "../../runtime/boot.h"
#include "../../runtime/check.h"
#include "../../runtime/print.h"
#include "../exception.h"
#include "../pmu.h"

#define SLED 128
#define VECTOR 0x40
#define APIC 0xfee00000ul
#define APIC_EOI 0xb0
#define APIC_SVR 0xf0
#define APIC_LVTPC 0x340
#define MASKED 0x10000

static inline volatile u32 *apic(u32 offset) { return (volatile u32 *)(APIC + offset); }

extern const u8 sled[SLED];

// Counted: 3 × rounds instructions before sled[0] (2 and a branch), then one for each nop.
__attribute__((noinline, noclone)) static void run(u64 rounds, u64 counters) {
  u32 low = (u32)counters, high = (u32)(counters >> 32);
  asm volatile(
      "  testq %[rounds], %[rounds] \n"
      "  wrmsr                      \n" // not counted
      "  jz sled                    \n" // 1
      "1:nop                        \n" // rounds
      "  decq %[rounds]             \n" // rounds
      "  jnz 1b                     \n" // rounds
      "sled:                        \n"
      "  .rept 128                  \n"
      "  nop                        \n" // 1 each
      "  .endr                      \n"
      "  xorl %%eax, %%eax          \n"
      "  xorl %%edx, %%edx          \n"
      "  wrmsr                      \n"
      : [rounds] "+r"(rounds), "+a"(low), "+d"(high)
      : "c"(IA32_PERF_GLOBAL_CTRL)
      : "cc", "memory");
}

static struct {
  u64 taken, rip, status;
  u32 lvtpc;
} seen;

static void on_interrupt(struct frame *frame) {
  seen.taken++;
  seen.rip = frame->rip;
  seen.status = read_msr(IA32_PERF_GLOBAL_STATUS);
  seen.lvtpc = *apic(APIC_LVTPC);
  write_msr(IA32_PERF_GLOBAL_OVF_CTRL, seen.status);
  *apic(APIC_LVTPC) = VECTOR;
  *apic(APIC_EOI) = 0;
}

static void overflow_after(unsigned bit, u64 n) {
  u64 rounds = n <= SLED ? 0 : (n - SLED / 2) / 3, at = n - 2 - 3 * rounds;
  bool is_fixed = bit >= FIXED(0);
  pmu_reset();
  if (is_fixed) {
    write_msr(IA32_FIXED_CTR(bit - FIXED(0)), -n & ((1ull << pmu_width()) - 1));
    write_msr(IA32_FIXED_CTR_CTRL, 0xbull << 4 * (bit - FIXED(0)));
  } else {
    write_msr(IA32_PMC(bit), (u32)-n);
    write_msr(IA32_PERFEVTSEL(bit), INSTRUCTIONS | SELECT_USR | SELECT_OS | SELECT_INT | SELECT_EN);
  }
  __builtin_memset(&seen, 0, sizeof seen);
  asm volatile("sti" ::: "memory");
  run(rounds, 1ull << bit);
  asm volatile("cli" ::: "memory");
  long offset = (long)(seen.rip - (u64)sled);
  bool right = offset == (long)at + 1;
  check(seen.taken == 1 && right && seen.status == 1ull << bit && seen.lvtpc == (MASKED | VECTOR),
        "counter %2u  %6lu  at %7ld  taken %lu  status 0x%lx  LVTPC 0x%x", bit, n, offset, seen.taken, seen.status,
        seen.lvtpc);
}

static void silent(unsigned n) {
  pmu_reset();
  write_msr(IA32_PMC(n), (u32)-5);
  pmu_program(n, INSTRUCTIONS);
  __builtin_memset(&seen, 0, sizeof seen);
  asm volatile("sti" ::: "memory");
  run(0, 1ull << n);
  asm volatile("cli" ::: "memory");
  check(seen.taken == 0 && read_msr(IA32_PERF_GLOBAL_STATUS) == 1ull << n, "counter %2u  without INT: status, no interrupt", n);
}

int main(const char *bootargs) {
  static const u64 counts[] = {2, 7, 100, 1000, 65536};
  (void)bootargs;
  print("pmu-overflow: version %u, %u general counters, %u fixed\n", pmu_version(), pmu_counters(), pmu_fixed());
  if (!pmu_present()) {
    check(false, "this CPU has no architectural perfmon of version 2");
    return check_result("pmu-overflow");
  }
  exceptions_on();
  hooks[VECTOR] = on_interrupt;
  *apic(APIC_SVR) = 0x1ff;
  *apic(APIC_LVTPC) = VECTOR;
  for (unsigned i = 0; i < COUNT_OF(counts); i++) {
    for (unsigned n = 0; n < pmu_counters(); n++) overflow_after(n, counts[i]);
    if (pmu_fixed() > 0) overflow_after(FIXED(0), counts[i]);
  }
  for (unsigned n = 0; n < pmu_counters(); n++) silent(n);
  return check_result("pmu-overflow");
}
