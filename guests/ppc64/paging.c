// Radix translation of POWER9 and POWER10 (Power ISA 3.0B, book III, 5.7.10): 1 GiB of memory mapped to itself, for supervisor state.
#include "../runtime/boot.h"
#include "platform.h"
#include "spr.h"

enum { RADIX_MODIFY_REGISTER_GTSE = 0x1d };

static u64 processes[512] __attribute__((aligned(4096)));
static u64 root[8192] __attribute__((aligned(65536)));
static u64 second[512] __attribute__((aligned(4096)));

void paging_on(void) {
  second[0] = big64(1ull << 63 | 1ull << 62 | 0xf);          // valid, leaf, supervisor, all access: 1 GiB from 0
  root[0] = big64(1ull << 63 | (u64)second | 9);             // 2^9 entries
  processes[0] = big64(1ull << 62 | (u64)root | 5 << 5 | 13);  // 52 bits, a root of 2^13 entries
  hcall(H_REGISTER_PROCESS_TABLE, RADIX_MODIFY_REGISTER_GTSE, (u64)processes, 0, 0);
  asm volatile("ptesync; isync" ::: "memory");
  asm volatile("mtmsrd %0; isync" ::"r"(read_msr() | MSR_IR | MSR_DR) : "memory");
}
