// One window of counting through supervisor state, problem state and back: what each of them retires is known.
#include "problem.h"

#include "low.h"
#include "pmu.h"

enum { RADIX_MODIFY_REGISTER_GTSE = 0x1d };

static u64 processes[512] __attribute__((aligned(4096)));
static u64 root[8192] __attribute__((aligned(65536)));
static u64 second[512] __attribute__((aligned(4096)));

void problem_state(void) {
  second[0] = big64(1ull << 63 | 1ull << 62 | 0x7); // 1 GiB from 0, for problem state
  root[0] = big64(1ull << 63 | (u64)second | 9);
  processes[0] = big64(1ull << 62 | (u64)root | 5 << 5 | 13);
  hcall(H_REGISTER_PROCESS_TABLE, RADIX_MODIFY_REGISTER_GTSE, (u64)processes, 0, 0);
  handler_at(0xc00, MTSRR0_R7, MTSRR1_R10, RFID);
  write_spr(SPR_DEC, 0x7fffffff);
}

void freeze_window(u64 on, u64 mark) {
  u64 msr = read_msr();
  register u64 back asm("r7") = 0, kernel asm("r10") = msr;
  asm volatile(
      "bl 1f\n"
      "1: mflr 9\n"
      "addi %[back], 9, 3f - 1b\n"
      "addi 9, 9, 2f - 1b\n"
      "mtspr 26, 9\n"
      "mtspr 27, %[problem]\n"
      "mtmsrd %[marked]\n"
      "mtspr 795, %[on]\n"
      "nop\nnop\nnop\n" // supervisor, marked: 3
      "rfid\n"          // 4
      "2: nop\nnop\nnop\nnop\nnop\n" // problem state: 5
      "sc 0\n"          // 6; unmarked: 3 in the handler
      "3: mtspr 795, %[off]\n" // 4
      : [back] "+&r"(back)
      : [on] "r"(on), [off] "r"(MMCR0_FC), [marked] "r"(msr | mark), [kernel] "r"(kernel),
        [problem] "r"(msr | mark | MSR_PR | MSR_IR | MSR_DR | MSR_EE)
      : "r9", "lr", "memory");
}
