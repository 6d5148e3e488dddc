// pmu-leak: `count` counts a loop; without it, reads PMC1 again and again and tells whether it ever holds what this guest did not put there.
#include "../../runtime/boot.h"
#include "../../runtime/print.h"
#include "../platform.h"
#include "../pmu.h"

enum { TURNS = 5000 };

int main(const char *bootargs) {
  if (has_word(bootargs, "count")) {
    hcall(H_PERFMON, 1ull << 63, 0, 0, 0);
    u64 on = counting();
    write_spr(SPR_MMCR0, MMCR0_FC | on);
    if (!is_970()) write_spr(SPR_MMCR1, 0x02020202);
    write_spr(SPR_PMC1, 0);
    counted_loop(on, MMCR0_FC | on, TURNS);
    u64 count = read_spr(SPR_PMC1);
    print("counted %lu of %lu\n", count, 2ul * TURNS + 1);
    return count == 2 * TURNS + 1 ? 0 : 1;
  }
  u64 seen = 0;
  for (unsigned n = 0; n < TURNS; n++) {
    u64 now = read_spr(SPR_PMC1);
    if (now > seen) seen = now;
  }
  print(seen == 0 ? "saw nothing of its neighbour\n" : "saw %lu of its neighbour's\n", seen);
  return 0;
}
