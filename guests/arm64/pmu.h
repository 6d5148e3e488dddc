// PMUv3 as a guest programs it (Arm ARM chapter D12). Counters are reached through PMSELR, as every hypervisor knows it.
#pragma once

#include "sysreg.h"

#define PMCR_E (1u << 0)  // enable
#define PMCR_P (1u << 1)  // event counters := 0
#define PMCR_C (1u << 2)  // cycle counter := 0
#define PMCR_LC (1u << 6) // the cycle counter overflows at 64 bits

// What starts and stops all enabled counters. The write of PMU_ON is not counted by them; the write of PMU_OFF is.
#define PMU_ON ((u64)(PMCR_LC | PMCR_E))
#define PMU_OFF ((u64)PMCR_LC)

#define CYCLE_COUNTER 31 // its bit in PMCNTEN, PMINTEN and PMOVS, and its number in PMSELR

enum pmu_event {
  LD_RETIRED = 0x06,
  ST_RETIRED = 0x07,
  INST_RETIRED = 0x08,
  BR_IMMED_RETIRED = 0x0d,
  CPU_CYCLES = 0x11,
  BR_RETIRED = 0x21,
};

// ID_AA64DFR0_EL1.PMUVer: 0 and 0xf mean that there is no PMUv3.
static inline unsigned pmu_version(void) {
  return (unsigned)bits(read_sysreg(id_aa64dfr0_el1), 8, 4);
}

static inline bool pmu_present(void) {
  return pmu_version() != 0 && pmu_version() != 0xf;
}

// PMCR_EL0.N: the event counters this level may use.
static inline unsigned pmu_counters(void) {
  return (unsigned)bits(read_sysreg(pmcr_el0), 11, 5);
}

// PMCEID0/1_EL0 hold events 0..31 and 32..63.
static inline bool pmu_has_event(enum pmu_event event) {
  return bits(event < 32 ? read_sysreg(pmceid0_el0) : read_sysreg(pmceid1_el0), event % 32, 1);
}

// Everything stopped, disabled, cleared and zero. The event types keep what they had.
static inline void pmu_reset(void) {
  write_sysreg(pmcr_el0, PMU_OFF | PMCR_P | PMCR_C);
  write_sysreg(pmcntenclr_el0, 0xffffffff);
  write_sysreg(pmintenclr_el1, 0xffffffff);
  write_sysreg(pmovsclr_el0, 0xffffffff);
  isb();
}

// The type register of event counter n, or the cycle counter's filter: no filter bits, so EL0 and EL1 are counted.
static inline void pmu_program(unsigned n, u64 type) {
  write_sysreg(pmselr_el0, n);
  isb();
  write_sysreg(pmxevtyper_el0, type);
  write_sysreg(pmcntenset_el0, 1ull << n);
}

static inline void pmu_program_cycles(void) {
  pmu_program(CYCLE_COUNTER, 0);
}

static inline void pmu_write(unsigned n, u64 value) {
  write_sysreg(pmselr_el0, n);
  isb();
  if (n == CYCLE_COUNTER) write_sysreg(pmccntr_el0, value);
  else write_sysreg(pmxevcntr_el0, value);
}

static inline u64 pmu_read(unsigned n) {
  if (n == CYCLE_COUNTER) return read_sysreg(pmccntr_el0);
  write_sysreg(pmselr_el0, n);
  isb();
  return read_sysreg(pmxevcntr_el0);
}

// What pmu_program wrote, as the register has it now.
static inline u64 pmu_read_type(unsigned n) {
  write_sysreg(pmselr_el0, n);
  isb();
  return read_sysreg(pmxevtyper_el0);
}
