// pmu-count: cycles, instructions and branches around loops of known counts, on every counter. Every number must be exact.
//
// Cycles: one per instruction, which is the default cost table.
#include "../../runtime/boot.h"
#include "../../runtime/check.h"
#include "../../runtime/print.h"
#include "../pmu.h"

static const struct {
  const char *name;
  u32 event;
} events[] = {{"cycles", CYCLES}, {"instructions", INSTRUCTIONS}, {"branches", BRANCHES}};

static u64 expected(u32 event, u64 rounds) {
  return event == BRANCHES ? rounds : SPIN_INSTRUCTIONS(rounds);
}

static void compare(u64 rounds, const char *kind, unsigned n, const char *event, u64 expected, u64 read) {
  check(expected == read, "%7lu rounds  %s %u  %-12s expected %7lu read %7lu%s", rounds, kind, n, event, expected, read,
        expected == read ? "" : "  <- wrong");
}

int main(const char *bootargs) {
  static const u64 loops[] = {1, 1000, 100000};
  (void)bootargs;
  print("pmu-count: version %u, %u general counters of %u bits, %u fixed\n", pmu_version(), pmu_counters(), pmu_width(),
        pmu_fixed());
  if (!pmu_present()) {
    check(false, "this CPU has no architectural perfmon of version 2");
    return check_result("pmu-count");
  }
  for (unsigned l = 0; l < COUNT_OF(loops); l++) {
    for (unsigned e = 0; e < COUNT_OF(events); e++) {
      pmu_reset();
      for (unsigned n = 0; n < pmu_counters(); n++) pmu_program(n, events[(e + n) % COUNT_OF(events)].event);
      if (pmu_fixed() > 0) write_msr(IA32_FIXED_CTR_CTRL, 0x333 & ((1u << 4 * pmu_fixed()) - 1));
      spin(loops[l], pmu_all());
      for (unsigned n = 0; n < pmu_counters(); n++) {
        unsigned which = (e + n) % COUNT_OF(events);
        compare(loops[l], "general", n, events[which].name, expected(events[which].event, loops[l]),
                read_msr(IA32_PMC(n)));
      }
      for (unsigned n = 0; e == 0 && n < pmu_fixed(); n++) {
        compare(loops[l], "fixed  ", n, n == 0 ? "instructions" : "cycles", SPIN_INSTRUCTIONS(loops[l]),
                read_msr(IA32_FIXED_CTR(n)));
      }
    }
  }
  return check_result("pmu-count");
}
