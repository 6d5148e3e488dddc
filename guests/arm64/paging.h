// Translation tables of stage 1: 4 KiB granule, 48-bit addresses, levels 0 to 3 (Arm ARM D8.3).
#pragma once

#include "../runtime/types.h"

#define PAGE 0x1000ul
#define MIB 0x100000ul
#define GIB 0x40000000ul
#define RAM GIB

// Descriptor bits.
#define VALID 0x1ul
#define TABLE 0x3ul      // levels 0 to 2: the address of the next table
#define LEAF_PAGE 0x3ul  // level 3
#define BLOCK 0x1ul      // levels 1 and 2
#define DEVICE (0ul << 2)  // MAIR attribute 0: Device-nGnRnE
#define NORMAL (1ul << 2)  // MAIR attribute 1: write-back
#define USER (1ul << 6)     // AP[1]: EL0 too
#define READ_ONLY (1ul << 7) // AP[2]
#define SHARED (3ul << 8)   // inner shareable
#define ACCESSED (1ul << 10)
#define NOT_GLOBAL (1ul << 11) // tagged with the ASID
#define PXN (1ul << 53)     // no execution at EL1
#define UXN (1ul << 54)     // no execution at EL0

#define MEMORY (NORMAL | SHARED | ACCESSED)

typedef u64 table[512] __attribute__((aligned(4096)));

static inline unsigned index_of(u64 address, unsigned level) {
  return (address >> (39 - 9 * level)) & 511;
}

// The tables that map what a program runs on, address to address: the UART by one page, 16 MiB of RAM by 2 MiB blocks.
extern table identity;
void identity_map(void);

// Sets MAIR, TCR (32-bit physical addresses, TTBR1 off) and TTBR0, and turns the MMU and the caches on.
void mmu_on(u64 ttbr0);
#define SCTLR_A (1ul << 1)  // alignment checks on every load and store
void sctlr_set(u64 bits);
void sctlr_clear(u64 bits);
