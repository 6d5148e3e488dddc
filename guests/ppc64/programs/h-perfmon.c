// h-perfmon: turns the monitor on and off by H_PERFMON, and prints what each call answers.
#include "../../runtime/boot.h"
#include "../../runtime/check.h"
#include "../../runtime/print.h"
#include "../platform.h"
#include "../pmu.h"

#define ENABLE (1ull << 63)
#define GRANULARITY (1ull << 62)

static int64_t perfmon(u64 set, u64 clear, u64 *r4) {
  register u64 r3 asm("r3") = H_PERFMON, a asm("r4") = set, b asm("r5") = clear;
  asm volatile("sc 1" : "+r"(r3), "+r"(a), "+r"(b) : : "r0", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "ctr", "xer", "cr0", "memory");
  *r4 = a;
  return (int64_t)r3;
}

int main(const char *bootargs) {
  bool strict = has_word(bootargs, "strict");
  static const struct {
    const char *name;
    u64 set, clear;
    int64_t status;
    u64 state; // R4 under LoPAR
  } rows[] = {
      {"a bit that is none", 1, 0, -4, 0},
      {"one bit in both words", ENABLE, ENABLE, -16, 0},
      {"enable", ENABLE, 0, 0, ENABLE},
      {"enable again", ENABLE, 0, 0, ENABLE},
      {"high granularity", GRANULARITY, 0, 0, ENABLE | GRANULARITY},
      {"neither bit", 0, 0, 0, ENABLE | GRANULARITY},
      {"disable", 0, ENABLE, 0, GRANULARITY},
      {"disable again", 0, ENABLE, 0, GRANULARITY},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    u64 r4;
    int64_t status = perfmon(rows[i].set, rows[i].clear, &r4);
    check(status == rows[i].status, "%-21s answers %ld", rows[i].name, status);
    if (status != 0) continue;
    u64 expected = strict ? rows[i].state : rows[i].set;
    check(r4 == expected, "%-21s leaves 0x%lx in R4", rows[i].name, r4);
  }
  return check_result("h-perfmon");
}
