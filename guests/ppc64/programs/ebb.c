// ebb: in problem state PMC1 turns negative after n instructions, and the event-based branch is taken at the very next one; no interrupt, no change of state.
#include "../../runtime/boot.h"
#include "../../runtime/check.h"
#include "../pmu.h"
#include "../problem.h"

#define SPR_FSCR 153
#define FSCR_EBB (1ull << 7)
#define MMCR0_EBE (1ull << 20)
#define PMCC_OPEN (2ull << 18)

int main(const char *bootargs) {
  (void)bootargs;
  problem_state();
  write_spr(SPR_FSCR, FSCR_EBB);
  write_spr(SPR_MMCR1, 0x02020202);
  write_spr(SPR_MMCR2, 0);
  for (u64 n = 1; n <= 12; n++) {
    write_spr(SPR_MMCR0, MMCR0_FC | MMCR0_EBE | PMCC_OPEN | MMCR0_PMC1CE);
    write_spr(SPR_PMC1, 0x80000000 - n);
    u64 msr = read_msr();
    register u64 back asm("r7") = 0, kernel asm("r10") = msr, where asm("r9") = 0, first asm("r6");
    asm volatile(
        "bl 1f\n"
        "1: mflr 11\n"
        "addi %[back], 11, 5f - 1b\n"
        "addi %[first], 11, 3f - 1b\n"
        "addi 8, 11, 4f - 1b\n"
        "addi 11, 11, 2f - 1b\n"
        "mtspr 26, 11\n"
        "mtspr 27, %[problem]\n"
        "rfid\n"
        "2: mtspr 804, 8\n"       // EBBHR
        "mtspr 800, %[enable]\n"  // BESCRS: GE and PME
        "mtspr 779, %[alerts]\n"  // UMMCR0: PMAE, and FC is 0
        "3: nop\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nnop\n"
        "sc 0\n"
        "4: mfspr %[where], 805\n" // EBBRR
        "mtspr 779, %[off]\n"
        "mtspr 802, %[occurred]\n" // BESCRR: PMEO
        ".long 0x4c000924\n"       // rfebb 1
        "5:\n"
        : [back] "+&r"(back), [first] "=&r"(first), [where] "+&r"(where)
        : [problem] "r"(msr | MSR_PR | MSR_IR | MSR_DR | MSR_EE), [enable] "r"(1ull << 63 | 1ull << 32),
          [alerts] "r"(MMCR0_PMAE), [off] "r"(MMCR0_FC), [occurred] "r"(1ull), [kernel] "r"(kernel)
        : "r8", "r11", "lr", "memory");
    check(where - first == 4 * n, "%2lu instructions: branched behind %2ld", n, (int64_t)(where - first) / 4);
  }
  return check_result("ebb");
}
