// Special-purpose registers by number (Power ISA 3.0B, book III, 4.4.4), and MSR.
#pragma once

#include "../runtime/types.h"

#define SPR_PVR 287

#define read_spr(number)                                 \
  ({                                                     \
    u64 value_;                                          \
    asm volatile("mfspr %0, %1" : "=r"(value_) : "i"(number)); \
    value_;                                              \
  })
#define write_spr(number, value) asm volatile("mtspr %0, %1" ::"i"(number), "r"((u64)(value)) : "memory")

static inline u64 read_msr(void) {
  u64 value;
  asm volatile("mfmsr %0" : "=r"(value));
  return value;
}

#define MSR_LE 1ull
#define MSR_DR 0x10ull
#define MSR_IR 0x20ull
#define MSR_PR 0x4000ull
#define MSR_EE 0x8000ull
#define MSR_SF (1ull << 63)
