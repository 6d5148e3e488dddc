#include "paging.h"

#include "../runtime/boot.h"
#include "platform.h"
#include "sysreg.h"

table identity;
static table devices_1, devices_2, devices_3, ram_2;

void identity_map(void) {
  identity[0] = (u64)devices_1 | TABLE;
  devices_1[index_of(UART, 1)] = (u64)devices_2 | TABLE;
  devices_2[index_of(UART, 2)] = (u64)devices_3 | TABLE;
  devices_3[index_of(UART, 3)] = UART | LEAF_PAGE | DEVICE | ACCESSED | PXN | UXN;
  devices_1[index_of(RAM, 1)] = (u64)ram_2 | TABLE;
  for (u64 at = RAM; at < RAM + 16 * MIB; at += 2 * MIB) ram_2[index_of(at, 2)] = at | BLOCK | MEMORY;
}

#define MAIR 0xff00ul  // attribute 1 write-back, attribute 0 Device-nGnRnE

// TCR_EL1: T0SZ = 16, walks inner-shareable and write-back, TG0 = 4 KiB, EPD1, IPS = 32 bits, 8-bit ASIDs of TTBR0.
#define TCR (16ul | 1ul << 8 | 1ul << 10 | 3ul << 12 | 1ul << 23)

#define SCTLR_M (1ul << 0)
#define SCTLR_C (1ul << 2)
#define SCTLR_SA0 (1ul << 4)  // SP alignment checks at EL0
#define SCTLR_I (1ul << 12)

void mmu_on(u64 ttbr0) {
  write_sysreg(mair_el1, MAIR);
  write_sysreg(tcr_el1, TCR);
  write_sysreg(ttbr0_el1, ttbr0);
  asm volatile("dsb ish\n isb\n tlbi vmalle1\n dsb ish\n isb\n" ::: "memory");
  sctlr_set(SCTLR_M | SCTLR_C | SCTLR_I | SCTLR_SA0);
}

void paging_on(void) {
  identity_map();
  mmu_on((u64)identity);
}

void sctlr_set(u64 bits) {
  write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) | bits);
  isb();
}

void sctlr_clear(u64 bits) {
  write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) & ~bits);
  isb();
}
