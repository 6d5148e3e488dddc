// bad-domain: counts without having asked for the monitor. Boot argument `ask`: asks first. Prints what it counted, and whether it still counts.
#include "../../runtime/boot.h"
#include "../../runtime/print.h"
#include "../platform.h"
#include "../pmu.h"

enum { TURNS = 5000 };

int main(const char *bootargs) {
  bool ask = has_word(bootargs, "ask");
  if (ask) hcall(H_PERFMON, 1ull << 63, 0, 0, 0);
  u64 on = counting();
  write_spr(SPR_MMCR0, MMCR0_FC | on);
  if (!is_970()) write_spr(SPR_MMCR1, 0x02020202);
  write_spr(SPR_PMC1, 0);
  u64 before;
  asm volatile(
      "mtctr %2\n"
      "mtspr 795, %1\n"
      "1: nop\n"
      "bdnz 1b\n"
      "mfspr %0, 795"
      : "=&r"(before)
      : "r"(on), "r"((u64)TURNS)
      : "ctr", "memory");
  u64 count = read_spr(SPR_PMC1);
  write_spr(SPR_MMCR0, MMCR0_FC | on);
  print("%s counted %lu of %lu, and %s\n", ask ? "asked," : "did not ask,", count, 2ul * TURNS + 1,
        before & MMCR0_FC ? "was frozen" : "counts");
  return 0;
}
