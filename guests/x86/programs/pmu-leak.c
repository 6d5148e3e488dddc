// pmu-leak: what one domain learns of another through the PMU of the CPU they share.
//
// Boot argument `observer`: counts a loop whose numbers it knows, then leaves every register of the PMU at 0, waits, and looks again. `victim`: works, and uses
// the PMU as any guest would. A line that begins with `leak` names a register and what it gave away. Always exits with 0: a leak is a finding about the host.
#include "../../runtime/boot.h"
#include "../../runtime/print.h"
#include "../pmu.h"

#define OBSERVER_ROUNDS 100000
#define VICTIM_ROUNDS 20000
#define VICTIM_WINDOWS 4

static unsigned leaks;

static void compare(const char *what, u64 mine, u64 read) {
  print("  %-12s mine %7lu  read %7lu\n", what, mine, read);
  if (read != mine) {
    leaks++;
    print("leak: %s differs by %ld from what is mine\n", what, (long)(read - mine));
  }
}

static void must_be_zero(const char *name, unsigned n, u64 value) {
  if (value == 0) return;
  leaks++;
  print("leak: %s%u was left 0, and is 0x%lx\n", name, n, value);
}

static void observe(void) {
  pmu_reset();
  pmu_program(0, INSTRUCTIONS);
  pmu_program(1, BRANCHES);
  spin(OBSERVER_ROUNDS, 3);
  compare("instructions", SPIN_INSTRUCTIONS(OBSERVER_ROUNDS), read_msr(IA32_PMC(0)));
  compare("branches", OBSERVER_ROUNDS, read_msr(IA32_PMC(1)));
  pmu_reset();
  for (u64 n = 0; n < OBSERVER_ROUNDS; n++) asm volatile("");
  for (unsigned n = 0; n < pmu_counters(); n++) {
    must_be_zero("IA32_PERFEVTSEL", n, read_msr(IA32_PERFEVTSEL(n)));
    must_be_zero("IA32_PMC", n, read_msr(IA32_PMC(n)));
  }
  for (unsigned n = 0; n < pmu_fixed(); n++) must_be_zero("IA32_FIXED_CTR", n, read_msr(IA32_FIXED_CTR(n)));
  must_be_zero("IA32_PERF_GLOBAL_STATUS", 0, read_msr(IA32_PERF_GLOBAL_STATUS));
  if (leaks) print("%u leaks\n", leaks);
  else print("no leak\n");
}

static void be_watched(void) {
  for (unsigned window = 1; window <= VICTIM_WINDOWS; window++) {
    u64 rounds = window * VICTIM_ROUNDS;
    pmu_reset();
    pmu_program(0, INSTRUCTIONS);
    pmu_program(1, CYCLES);
    spin(rounds, 3);
    print("victim: window %u: mine %6lu  read %6lu\n", window, SPIN_INSTRUCTIONS(rounds), read_msr(IA32_PMC(0)));
  }
}

int main(const char *bootargs) {
  bool observer = has_word(bootargs, "observer");
  if (!observer && !has_word(bootargs, "victim")) {
    print("pmu-leak: the boot arguments must name a role: observer or victim\n");
    return 2;
  }
  print("pmu-leak: %s, version %u, %u general counters\n", observer ? "observer" : "victim", pmu_version(), pmu_counters());
  if (!pmu_present()) {
    print("this CPU has no architectural perfmon%s\n", observer ? ": no leak" : "");
    return 0;
  }
  if (observer) observe();
  else be_watched();
  return 0;
}
