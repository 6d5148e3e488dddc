// Page tables of a program's own: one place in linear memory whose entries of every level it may write.
#pragma once

#include "exception.h"

#define PROBE 0x400000000000ull // entry 0 of its tables at every level but the top, where it has entry 0x80

#define P 1ull
#define RW 2ull
#define US 4ull
#define ACCESSED 0x20ull
#define DIRTY 0x40ull
#define PS 0x80ull
#define NX (1ull << 63)

// Tables of levels 3, 2 and 1 (pdpt, pd, pt), and the page behind them.
extern u64 probe_pdpt[512], probe_pd[512], probe_pt[512];
extern u8 probe_page[4096];

void probe_on(void); // links them into the tables in use, and lets CPL 3 reach `.user` and its stack

static inline void forget(u64 address) { asm volatile("invlpg (%0)" ::"r"(address) : "memory"); }
