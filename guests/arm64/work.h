// Loops whose counts are known by reading them. Each starts all enabled counters, works, and stops them.
#pragma once

#include "../runtime/types.h"

struct work {
  const char *name;
  void (*run)(u64 on, u64 off); // values for PMCR_EL0: PMU_ON and PMU_OFF
  // What the counters see from after the write of `on` up to and including the write of `off`.
  u64 instructions, loads, stores, branches, immediate_branches;
};

extern const struct work works[];
extern const unsigned work_count;
