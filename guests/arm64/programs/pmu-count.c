// pmu-count: six events around loops of known counts, and the cycle counter beside them. Every number must be exact.
//
// Cycles: one per instruction, which is the default cost table (and QEMU's with -icount shift=0).
// Boot argument `allow-absent`: an event that PMCEID does not offer is then no failure.
#include "../../runtime/boot.h"
#include "../../runtime/check.h"
#include "../../runtime/print.h"
#include "../pmu.h"
#include "../work.h"

static const struct {
  const char *name;
  enum pmu_event number;
} events[] = {
    {"INST_RETIRED", INST_RETIRED}, {"LD_RETIRED", LD_RETIRED},
    {"ST_RETIRED", ST_RETIRED},     {"BR_RETIRED", BR_RETIRED},
    {"BR_IMMED_RETIRED", BR_IMMED_RETIRED}, {"CPU_CYCLES", CPU_CYCLES},
};

static u64 expected(const struct work *work, enum pmu_event event) {
  switch (event) {
    case INST_RETIRED:
    case CPU_CYCLES:
      return work->instructions;
    case LD_RETIRED:
      return work->loads;
    case ST_RETIRED:
      return work->stores;
    case BR_RETIRED:
      return work->branches;
    case BR_IMMED_RETIRED:
      return work->immediate_branches;
  }
  return ~0ull;
}

static void compare(const char *loop, const char *counter, u64 expected, u64 read) {
  check(expected == read, "%-10s %-17s expected %5lu read %5lu%s", loop, counter, expected, read,
        expected == read ? "" : "  <- wrong");
}

// Runs the loop once with events[first…] on counters 0…; the cycle counter counts along.
static void measure(const struct work *work, unsigned first, unsigned count, bool allow_absent) {
  pmu_reset();
  pmu_program_cycles();
  for (unsigned n = 0; n < count; n++) pmu_program(n, events[first + n].number);
  work->run(PMU_ON, PMU_OFF);

  for (unsigned n = 0; n < count; n++) {
    if (pmu_has_event(events[first + n].number)) {
      compare(work->name, events[first + n].name, expected(work, events[first + n].number), pmu_read(n));
    } else if (allow_absent) {
      print("-    %-10s %-17s not offered by PMCEID\n", work->name, events[first + n].name);
    } else {
      check(false, "%-10s %-17s not offered by PMCEID", work->name, events[first + n].name);
    }
  }
  if (first == 0) compare(work->name, "PMCCNTR", work->instructions, pmu_read(CYCLE_COUNTER));
}

int main(const char *bootargs) {
  unsigned counters = pmu_counters();
  bool allow_absent = has_word(bootargs, "allow-absent");

  print("pmu-count: PMUVer %u, PMCR_EL0.N = %u\n", pmu_version(), counters);
  if (!pmu_present()) {
    check(false, "this CPU has no PMUv3");
    return check_result("pmu-count");
  }
  if (counters == 0) print("no event counters at this level: the cycle counter alone\n");

  for (unsigned w = 0; w < work_count; w++) {
    unsigned first = 0;
    do {
      unsigned left = COUNT_OF(events) - first;
      measure(&works[w], first, counters < left ? counters : left, allow_absent);
      first += counters;
    } while (counters && first < COUNT_OF(events));
  }
  return check_result("pmu-count");
}
