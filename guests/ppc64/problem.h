#pragma once

#include "../runtime/types.h"

// Maps all memory to itself for problem state, and catches its system calls. POWER9 and since.
void problem_state(void);

// Counts from this MMCR0 on: 4 instructions in supervisor state and 6 in problem state with this mark of MSR, then 4 in supervisor state without.
void freeze_window(u64 on, u64 mark);
