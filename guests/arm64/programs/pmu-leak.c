// pmu-leak: what one domain learns of another through the PMU of the CPU they share.
//
// Boot argument `observer`: looks. `victim`: works, and uses the PMU as any guest would. Run one of each on one pCPU.
//
// The observer asks two questions.
//   1. Do my counters count what is not mine? It counts a loop whose numbers it knows; whatever a counter reads beyond
//      them happened elsewhere.
//   2. Do my registers keep what I write? It stops and zeroes every PMU register and waits; whatever is not zero
//      afterwards was written elsewhere.
// A line that begins with `leak` names a register and what it gave away. Always exits with 0: a leak is a finding about
// the host, not a failure of the guest.
#include "../../runtime/boot.h"
#include "../../runtime/print.h"
#include "../pmu.h"

// The observer's loops have two instructions a round, the victim's quiet work five: in fair slices it outlasts the
// first question, and the windows in which the victim counts fall into the second.
#define OBSERVER_ROUNDS 100000
#define VICTIM_QUIET_ROUNDS 50000
#define VICTIM_COUNTED_ROUNDS 5000
#define VICTIM_WINDOWS 4
#define VICTIM_PERIOD 1000ul

// SPIN_INSTRUCTIONS(rounds) are counted: no load, no store, and a branch a round.
static void spin(u64 rounds, u64 on, u64 off) {
  asm volatile(
      "  msr pmcr_el0, %[on]           \n"  // not counted
      "  isb                           \n"  // 1
      "1:subs %[rounds], %[rounds], #1 \n"  // rounds
      "  b.ne 1b                       \n"  // rounds branches
      "  msr pmcr_el0, %[off]          \n"  // 1
      : [rounds] "+r"(rounds)
      : [on] "r"(on), [off] "r"(off)
      : "cc", "memory");
}

#define SPIN_INSTRUCTIONS(rounds) (2ul * (rounds) + 2)

static unsigned leaks;

static void compare(const char *counter, const char *unit, u64 mine, u64 read) {
  print("  %-12s mine %7lu  read %7lu\n", counter, mine, read);
  if (read > mine) {
    leaks++;
    print("leak: %s saw %lu %s that are not mine\n", counter, read - mine, unit);
  } else if (read < mine) {
    print("  %s lost %lu of mine: it was stopped or written elsewhere, or does not count\n", counter, mine - read);
  }
}

static void count_own_work(void) {
  static const struct {
    const char *name, *unit;
    enum pmu_event event;
    u64 mine;
  } counted[] = {
      {"INST_RETIRED", "instructions", INST_RETIRED, SPIN_INSTRUCTIONS(OBSERVER_ROUNDS)},
      {"LD_RETIRED", "loads", LD_RETIRED, 0},
      {"ST_RETIRED", "stores", ST_RETIRED, 0},
      {"BR_RETIRED", "branches", BR_RETIRED, OBSERVER_ROUNDS},
  };
  unsigned counters = pmu_counters() < COUNT_OF(counted) ? pmu_counters() : COUNT_OF(counted);

  print("observer: do my counters count what is not mine?\n");
  pmu_reset();
  pmu_program_cycles();
  for (unsigned n = 0; n < counters; n++) pmu_program(n, counted[n].event);
  spin(OBSERVER_ROUNDS, PMU_ON, PMU_OFF);

  // One cycle per instruction: the default cost table.
  compare("PMCCNTR", "cycles", SPIN_INSTRUCTIONS(OBSERVER_ROUNDS), pmu_read(CYCLE_COUNTER));
  for (unsigned n = 0; n < counters; n++) {
    if (pmu_has_event(counted[n].event)) compare(counted[n].name, counted[n].unit, counted[n].mine, pmu_read(n));
    else print("  %-12s not offered by PMCEID\n", counted[n].name);
  }
}

static void must_be_zero(const char *name, u64 value) {
  if (value == 0) return;
  leaks++;
  print("leak: %s was left 0, and is 0x%lx\n", name, value);
}

static void must_be_zero_n(const char *name, unsigned n, u64 value) {
  if (value == 0) return;
  leaks++;
  print("leak: %s%u was left 0, and is 0x%lx\n", name, n, value);
}

static void zero(unsigned n) {
  pmu_program(n, 0);
  pmu_write(n, 0);
}

// As long as spin, without a write to the PMU.
static void wait(u64 rounds) {
  while (rounds--) asm volatile("");
}

static void keep_own_registers(void) {
  unsigned counters = pmu_counters();

  print("observer: do my registers keep what I write?\n");
  pmu_reset();
  for (unsigned n = 0; n < counters; n++) zero(n);
  zero(CYCLE_COUNTER);
  write_sysreg(pmcntenclr_el0, 0xffffffff);
  write_sysreg(pmuserenr_el0, 0);
  write_sysreg(pmselr_el0, 0);
  isb();
  wait(OBSERVER_ROUNDS);

  u64 selector = read_sysreg(pmselr_el0);  // before reading the others changes it
  must_be_zero("PMCR_EL0.E", bits(read_sysreg(pmcr_el0), 0, 1));
  must_be_zero("PMSELR_EL0", selector);
  must_be_zero("PMUSERENR_EL0", read_sysreg(pmuserenr_el0));
  must_be_zero("PMCNTENSET_EL0", read_sysreg(pmcntenset_el0));
  must_be_zero("PMINTENSET_EL1", read_sysreg(pmintenset_el1));
  must_be_zero("PMOVSCLR_EL0", read_sysreg(pmovsclr_el0));
  must_be_zero("PMCCNTR_EL0", pmu_read(CYCLE_COUNTER));
  must_be_zero("PMCCFILTR_EL0", pmu_read_type(CYCLE_COUNTER));
  for (unsigned n = 0; n < counters; n++) {
    must_be_zero_n("PMEVTYPER", n, pmu_read_type(n));
    must_be_zero_n("PMEVCNTR", n, pmu_read(n));
  }
}

static void observe(void) {
  count_own_work();
  keep_own_registers();
  if (leaks) print("%u leaks\n", leaks);
  else print("no leak\n");
}

// 5 instructions a round: 1 load, 1 store, 2 others, 1 branch. Never touches the PMU.
static void quiet_work(u64 rounds) {
  static u64 cell;
  u64 x, *at = &cell;
  asm volatile(
      "1:ldr %[x], [%[at]]             \n"
      "  add %[x], %[x], #1            \n"
      "  str %[x], [%[at]]             \n"
      "  subs %[rounds], %[rounds], #1 \n"
      "  b.ne 1b                       \n"
      : [rounds] "+r"(rounds), [x] "=&r"(x)
      : [at] "r"(at)
      : "cc", "memory");
}

static void be_watched(void) {
  unsigned counters = pmu_counters();

  quiet_work(VICTIM_QUIET_ROUNDS);
  print("victim: %lu instructions done, without touching the PMU\n", 5ul * VICTIM_QUIET_ROUNDS);

  for (unsigned window = 1; window <= VICTIM_WINDOWS; window++) {
    u64 rounds = window * VICTIM_COUNTED_ROUNDS;
    pmu_reset();
    if (counters > 0) pmu_program(0, INST_RETIRED);
    pmu_program_cycles();
    pmu_write(CYCLE_COUNTER, -VICTIM_PERIOD);  // as for a sample: it overflows, and leaves its bit in PMOVS
    write_sysreg(pmuserenr_el0, 1);            // counters for user space, as a profiler sets it
    spin(rounds, PMU_ON, PMU_OFF);
    print("victim: window %u: mine %5lu  PMCCNTR read %5lu\n", window, SPIN_INSTRUCTIONS(rounds),
          pmu_read(CYCLE_COUNTER) + VICTIM_PERIOD);
  }
}

int main(const char *bootargs) {
  bool observer = has_word(bootargs, "observer");
  if (!observer && !has_word(bootargs, "victim")) {
    print("pmu-leak: the boot arguments must name a role: observer or victim\n");
    return 2;
  }
  print("pmu-leak: %s, PMUVer %u, PMCR_EL0.N = %u\n", observer ? "observer" : "victim", pmu_version(), pmu_counters());
  if (!pmu_present()) {
    print("this CPU has no PMUv3%s\n", observer ? ": no leak" : "");
    return 0;
  }
  if (observer) observe();
  else be_watched();
  return 0;
}
