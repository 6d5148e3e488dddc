// Interrupt handlers of three instructions at their vectors. They are entered big-endian, whatever the program is.
#pragma once

#include "../runtime/types.h"
#include "platform.h"

static inline void handler_at(u64 vector, u32 first, u32 second, u32 third) {
  volatile u32 *at = (volatile u32 *)vector;
  asm("" : "+r"(at)); // a low address is no null pointer
  at[0] = big32(first), at[1] = big32(second), at[2] = big32(third);
  asm volatile("sync; isync" ::: "memory");
}

#define MFSRR0_R9 0x7d3a02a6
#define MTMMCR0_R8 0x7d1bc3a6
#define MTSRR0_R7 0x7cfa03a6
#define MTSRR1_R10 0x7d5b03a6
#define RFID 0x4c000024
