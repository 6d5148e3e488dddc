// The devices of QEMU's `virt` machine that the programs use, and the firmware calls.
#pragma once

#include "../runtime/types.h"

#define UART 0x09000000ull        // PL011: a byte written to DR (+0) is printed
#define GIC_DISTRIBUTOR 0x08000000ull
#define GIC_CPU 0x08010000ull     // GICv2
#define GIC_REDISTRIBUTOR 0x080a0000ull // GICv3: one of 128 KiB per CPU

#define PPI_PMU 23
#define PPI_VIRTUAL_TIMER 27

static inline void write32(u64 address, u32 value) {
  *(volatile u32 *)address = value;
}

static inline u32 read32(u64 address) {
  return *(volatile u32 *)address;
}

// PSCI 1.1 (Arm DEN 0022), by HVC.
enum psci_function {
  PSCI_VERSION = 0x84000000,
  PSCI_CPU_OFF = 0x84000002,
  PSCI_SYSTEM_OFF = 0x84000008,
};
#define PSCI_CPU_ON 0xc4000003ull
#define PSCI_AFFINITY_INFO 0xc4000004ull

int64_t psci(u64 function, u64 a, u64 b, u64 c);

// GICv3 when ID_AA64PFR0_EL1.GIC says that the CPU has its system registers, GICv2 otherwise.
bool gic_is_v3(void);
void gic_enable(unsigned intid); // the calling CPU's interface, and one private interrupt
unsigned gic_acknowledge(void);
void gic_end(unsigned intid);
bool gic_pending(unsigned intid); // for a level interrupt: its line is high, or was when last sampled
