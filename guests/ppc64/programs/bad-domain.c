// bad-domain: counts without having asked for the monitor. Boot argument `ask`: asks first; `short`: a shorter loop. Prints what it counted, and whether PMC1 still
// moves at the end.
#include "../../runtime/boot.h"
#include "../../runtime/print.h"
#include "../platform.h"
#include "../pmu.h"

int main(const char *bootargs) {
  bool ask = has_word(bootargs, "ask");
  u64 turns = has_word(bootargs, "short") ? 1500 : 5000;
  if (ask) hcall(H_PERFMON, 1ull << 63, 0, 0, 0);
  u64 on = counting();
  write_spr(SPR_MMCR0, MMCR0_FC | on);
  if (!is_970()) write_spr(SPR_MMCR1, 0x02020202);
  write_spr(SPR_PMC1, 0);
  u64 first, second;
  asm volatile(
      "mtctr %3\n"
      "mtspr 795, %2\n"
      "1: nop\n"
      "bdnz 1b\n"
      "mfspr %0, 787\n"
      "mfspr %1, 787\n"
      "mtspr 795, %4"
      : "=&r"(first), "=&r"(second)
      : "r"(on), "r"(turns), "r"(MMCR0_FC | on)
      : "ctr", "memory");
  print("%s counted %lu of %lu, and %s\n", ask ? "asked," : "did not ask,", first, 2 * turns,
        first == second ? "stands still" : "goes on");
  return 0;
}
