// pmu-overflow: PMC1 turns negative after n instructions, and the interrupt at 0xF00 is taken at the very next one, once. SIAR is the n-th.
#include "../../runtime/boot.h"
#include "../../runtime/check.h"
#include "../low.h"
#include "../pmu.h"

#define NOPS4 "nop\nnop\nnop\nnop\n"

int main(const char *bootargs) {
  (void)bootargs;
  handler_at(0xf00, MFSRR0_R9, MTMMCR0_R8, RFID);
  write_spr(SPR_DEC, 0x7fffffff);
  write_spr(SPR_MMCR0, MMCR0_FC);
  write_spr(SPR_MMCR1, 0x02020202);
  write_spr(SPR_MMCR2, 0);
  for (u64 n = 1; n <= 16; n++) {
    write_spr(SPR_PMC1, 0x80000000 - n);
    register u64 on asm("r10") = MMCR0_PMAE | MMCR0_PMC1CE, off asm("r8") = MMCR0_FC, where asm("r9") = 0;
    register u64 enable asm("r7") = MSR_EE, first asm("r6");
    asm volatile(
        "bl 1f\n"
        "1: mflr %[first]\n"
        "addi %[first], %[first], 2f - 1b\n"
        "mtmsrd %[enable], 1\n"
        "mtspr 795, %[on]\n"
        "2:" NOPS4 NOPS4 NOPS4 NOPS4 NOPS4
        "li %[enable], 0\n"
        "mtmsrd %[enable], 1\n"
        "mtspr 795, %[off]\n"
        : [where] "+r"(where), [first] "=&r"(first), [enable] "+r"(enable)
        : [on] "r"(on), [off] "r"(off)
        : "lr", "memory");
    check(where - first == 4 * n, "%2lu instructions: interrupted behind %2ld", n, (int64_t)(where - first) / 4);
    check(read_spr(SPR_SIAR) - first == 4 * (n - 1), "%2lu instructions: SIAR is the address of number %2ld", n,
          (int64_t)(read_spr(SPR_SIAR) - first) / 4 + 1);
    check(read_spr(SPR_PMC1) >> 31 == 1, "%2lu instructions: PMC1 is negative", n);
  }
  return check_result("pmu-overflow");
}
