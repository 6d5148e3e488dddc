// pmu-count: run instructions, run cycles, branches taken, instructions and cycles around a loop of known counts. Every number must be exact.
#include "../../runtime/boot.h"
#include "../../runtime/check.h"
#include "../pmu.h"

static void counter(unsigned n, const char *name, u64 turns, u64 expected, u64 read) {
  check(expected == read, "%5lu turns PMC%u %-16s expected %6lu read %6lu", turns, n, name, expected, read);
}

int main(const char *bootargs) {
  (void)bootargs;
  // Instructions, taken branches, cycles, instructions: selectors 02, FA, 1E, 02.
  write_spr(SPR_MMCR0, MMCR0_FC);
  write_spr(SPR_MMCR1, 0x02fa1e02);
  write_spr(SPR_MMCR2, 0);
  write_spr(SPR_CTRLT, 1);
  static const u64 turns[] = {1, 2, 10, 1000, 20000};
  for (unsigned i = 0; i < sizeof turns / sizeof *turns; i++) {
    u64 n = turns[i], all = 2 * n + 1;
    clear_counters();
    counted_loop(0, MMCR0_FC, n);
    counter(1, "instructions", n, all, read_spr(787));
    counter(2, "taken branches", n, n - 1, read_spr(788));
    counter(3, "cycles", n, all, read_spr(789));
    counter(4, "instructions", n, all, read_spr(790));
    counter(5, "run instructions", n, all, read_spr(791));
    counter(6, "run cycles", n, all, read_spr(792));
  }
  return check_result("pmu-count");
}
