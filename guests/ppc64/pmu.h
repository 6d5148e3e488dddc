// The performance monitor of POWER8 and since, from supervisor state (Power ISA 3.0B, book III, 9), and of the 970 where it is the same.
#pragma once

#include "../runtime/types.h"
#include "spr.h"

#define SPR_MMCR0 795
#define SPR_MMCR1 798
#define SPR_MMCR2 785
#define SPR_MMCRA 786
#define SPR_PMC1 787
#define SPR_SIAR 796
#define SPR_CTRLT 152
#define SPR_DEC 22

#define MMCR0_FC 0x80000000ull
#define MMCR0_PMAE 0x04000000ull
#define MMCR0_PMC1CE 0x8000ull
#define MMCR0_PMAO 0x80ull
#define MSR_PMM 4ull

// PMC1SEL of the 970 stands in MMCR0: instructions there, and nothing on the others.
#define PMC1SEL_970 (1ull << 8)
#define PVR_970 0x39

static inline bool is_970(void) {
  return read_spr(287) >> 16 == PVR_970;
}

// MMCR0 with which PMC1 counts instructions.
static inline u64 counting(void) {
  return is_970() ? PMC1SEL_970 : 0;
}

static inline void clear_counters(void) {
  write_spr(787, 0);
  write_spr(788, 0);
  write_spr(789, 0);
  write_spr(790, 0);
  write_spr(791, 0);
  write_spr(792, 0);
}

// Two instructions a turn, `turns` of them branches, all but one taken; and the write that stops.
static inline void counted_loop(u64 on, u64 off, u64 turns) {
  asm volatile(
      "mtctr %2\n"
      "mtspr 795, %0\n"
      "1: nop\n"
      "bdnz 1b\n"
      "mtspr 795, %1"
      :
      : "r"(on), "r"(off), "r"(turns)
      : "ctr", "memory");
}
