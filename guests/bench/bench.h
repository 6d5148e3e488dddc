// One kernel of the benchmark: what it prepares before the clock runs, and the work that is repeated and timed.
#pragma once

#include "../runtime/types.h"

void prepare(void);

// Does the whole work once and folds its result into `sum`, so that no round can be left out.
u32 work(u32 sum);
