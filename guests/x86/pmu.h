// The performance monitors: architectural perfmon (Intel, version 2 and later), in the words of its manual.
#pragma once

#include "platform.h"

#define IA32_PMC(n) (0xc1 + (n))
#define IA32_PERFEVTSEL(n) (0x186 + (n))
#define IA32_FIXED_CTR(n) (0x309 + (n))
#define IA32_FIXED_CTR_CTRL 0x38d
#define IA32_PERF_GLOBAL_STATUS 0x38e
#define IA32_PERF_GLOBAL_CTRL 0x38f
#define IA32_PERF_GLOBAL_OVF_CTRL 0x390

#define SELECT_USR (1u << 16)
#define SELECT_OS (1u << 17)
#define SELECT_INT (1u << 20)
#define SELECT_EN (1u << 22)
#define FIXED(n) (32 + (n)) // bit of a fixed counter in the global registers

#define CYCLES 0x003c
#define INSTRUCTIONS 0x00c0
#define BRANCHES 0x00c4

static inline unsigned pmu_version(void) { return cpuid(10, 0).eax & 0xff; }
static inline unsigned pmu_counters(void) { return cpuid(10, 0).eax >> 8 & 0xff; }
static inline unsigned pmu_width(void) { return cpuid(10, 0).eax >> 16 & 0xff; }
static inline unsigned pmu_fixed(void) { return pmu_version() < 2 ? 0 : cpuid(10, 0).edx & 0x1f; }
static inline bool pmu_present(void) { return cpuid(0, 0).eax >= 10 && pmu_version() >= 2; }

static inline u64 pmu_all(void) { return ((1ull << pmu_counters()) - 1) | ((1ull << pmu_fixed()) - 1) << 32; }

// Everything stopped and at 0, no status.
static inline void pmu_reset(void) {
  write_msr(IA32_PERF_GLOBAL_CTRL, 0);
  for (unsigned n = 0; n < pmu_counters(); n++) {
    write_msr(IA32_PERFEVTSEL(n), 0);
    write_msr(IA32_PMC(n), 0);
  }
  write_msr(IA32_FIXED_CTR_CTRL, 0);
  for (unsigned n = 0; n < pmu_fixed(); n++) write_msr(IA32_FIXED_CTR(n), 0);
  write_msr(IA32_PERF_GLOBAL_OVF_CTRL, pmu_all());
}

static inline void pmu_program(unsigned n, u32 event) {
  write_msr(IA32_PERFEVTSEL(n), event | SELECT_USR | SELECT_OS | SELECT_EN);
}

// 2 + 3 × rounds + 4 instructions are counted, and as many branches as rounds.
#define SPIN_INSTRUCTIONS(rounds) (3ul * (rounds) + 6)
static inline void spin(u64 rounds, u64 counters) {
  u32 low = (u32)counters, high = (u32)(counters >> 32);
  asm volatile(
      "  wrmsr                  \n" // starts, and is not counted
      "  nop                    \n" // 1
      "  nop                    \n" // 2
      "1:nop                    \n" // rounds
      "  decq %[rounds]         \n" // rounds
      "  jnz 1b                 \n" // rounds; branches
      "  xorl %%eax, %%eax      \n" // 3
      "  xorl %%edx, %%edx      \n" // 4
      "  nop                    \n" // 5
      "  wrmsr                  \n" // 6: stops, and is counted
      : [rounds] "+r"(rounds), "+a"(low), "+d"(high)
      : "c"(IA32_PERF_GLOBAL_CTRL)
      : "cc", "memory");
}
