#include "paging.h"

u64 probe_pdpt[512] __attribute__((aligned(4096)));
u64 probe_pd[512] __attribute__((aligned(4096)));
u64 probe_pt[512] __attribute__((aligned(4096)));
u8 probe_page[4096] __attribute__((aligned(4096)));

static u64 low_pt[512] __attribute__((aligned(4096)));
extern u8 __user_start[], __user_end[];

// The first 2 MiB in pages of 4 KiB: those of user code and its stack are user pages, all others the supervisor's.
void probe_on(void) {
  u64 *pml4 = (u64 *)read_cr3();
  u64 *pdpt = (u64 *)(pml4[0] & ~0xfffull);
  u64 *pd = (u64 *)(pdpt[0] & ~0xfffull);
  for (u64 n = 0; n < 512; n++) {
    u64 at = n * 4096;
    bool open = (at >= (u64)__user_start && at < (u64)__user_end) || at == (u64)user_stack;
    low_pt[n] = at | P | RW | (open ? US : 0);
  }
  pd[0] = (u64)low_pt | P | RW | US;
  pdpt[0] |= US;
  pml4[0] |= US;
  pml4[PROBE >> 39] = (u64)probe_pdpt | P | RW | US;
  write_cr3((u64)pml4);
}
