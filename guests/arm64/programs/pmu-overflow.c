// pmu-overflow: a counter that overflows after exactly N instructions interrupts before instruction N + 1.
//
// Counted from the instruction after the enabling write. The interrupt (PPI 23, level) must be taken once, with ELR on
// the first instruction after the Nth counted one, and its line must fall when PMOVSCLR is written. Then the terms of
// the interrupt line, one by one: PMOVS & PMINTEN & PMCR.E.
#include "../../runtime/boot.h"
#include "../../runtime/check.h"
#include "../../runtime/print.h"
#include "../exception.h"
#include "../platform.h"
#include "../pmu.h"

#define SLED 128

// The first of the nops in which every interrupt is to be taken.
extern const u32 sled[SLED];

// Counted: 1 + 2 × rounds instructions before sled[0], then one for each nop.
__attribute__((noinline, noclone)) static void run(u64 rounds, u64 on, u64 off) {
  asm volatile(
      "  msr pmcr_el0, %[on]                  \n"  // not counted
      "  cbz %[rounds], sled                  \n"  // 1
      "1:subs %[rounds], %[rounds], #1        \n"  // rounds
      "  b.ne 1b                              \n"  // rounds
      "sled:                                  \n"
      "  .rept 128                            \n"
      "  nop                                  \n"  // 1 each
      "  .endr                                \n"
      "  msr pmcr_el0, %[off]                 \n"
      : [rounds] "+r"(rounds)
      : [on] "r"(on), [off] "r"(off)
      : "cc", "memory");
}

// What the handler saw, and what it is to do.
static struct {
  u64 taken, elr, status;
  unsigned intid;
  bool pending_after;
  u64 keep;  // so many times it leaves PMOVS as it is, and the line high
} seen;

void on_interrupt(struct frame *frame) {
  seen.intid = gic_acknowledge();
  seen.taken++;
  seen.elr = frame->elr;
  seen.status = read_sysreg(pmovsclr_el0);
  if (seen.keep) {
    seen.keep--;
  } else {
    write_sysreg(pmovsclr_el0, seen.status);
    isb();
  }
  seen.pending_after = gic_pending(PPI_PMU);
  gic_end(seen.intid);
  // A line that stays high would interrupt for ever.
  if (seen.taken > 2) write_sysreg(pmintenclr_el1, 0xffffffff);
}

// `counter` is about to overflow after `n` counts, its interrupt enabled.
static void arm(unsigned counter, u64 n) {
  pmu_reset();
  if (counter == CYCLE_COUNTER) pmu_program_cycles();
  else pmu_program(counter, INST_RETIRED);
  pmu_write(counter, counter == CYCLE_COUNTER ? -n : (u32)-n);
  write_sysreg(pmintenset_el1, 1ull << counter);
  isb();
  __builtin_memset(&seen, 0, sizeof seen);
}

// How many rounds of the loop leave the last count somewhere inside the sled.
static u64 rounds_for(u64 n) {
  return n <= SLED ? 0 : (n - SLED / 2) / 2;
}

static void overflow_after(unsigned counter, u64 n) {
  u64 rounds = rounds_for(n), at = n - 1 - 2 * rounds;  // the nop before which the interrupt is taken
  arm(counter, n);
  interrupts_on();
  run(rounds, PMU_ON, PMU_OFF);
  interrupts_off();

  const char *name = counter == CYCLE_COUNTER ? "PMCCNTR" : "INST_RETIRED";
  if (!seen.taken) {
    check(false, "%-12s %6lu  no interrupt; PMOVS 0x%lx", name, n, read_sysreg(pmovsclr_el0));
    return;
  }
  u64 offset = (seen.elr - (u64)sled) / 4;
  check(seen.taken == 1 && seen.intid == PPI_PMU && offset == at && seen.status == 1ull << counter &&
            !seen.pending_after && read_sysreg(pmovsclr_el0) == 0,
        "%-12s %6lu %9lu %7ld %6lu %6u  0x%08lx %s", name, n, at, (long)offset, seen.taken, seen.intid, seen.status,
        seen.pending_after ? "high" : "low");
}

// The line, term by term.
static void line_terms(unsigned counter) {
  const char *name = counter == CYCLE_COUNTER ? "PMCCNTR" : "INST_RETIRED";
  u64 bit = 1ull << counter, after;

  arm(counter, 1);
  write_sysreg(pmintenclr_el1, bit);
  interrupts_on();
  run(0, PMU_ON, PMU_OFF);
  interrupts_off();
  check(seen.taken == 0 && read_sysreg(pmovsclr_el0) == bit, "%-12s PMINTEN clear: status, and no interrupt", name);

  arm(counter, 1);
  seen.keep = 1;
  interrupts_on();
  run(0, PMU_ON, PMU_OFF);
  interrupts_off();
  check(seen.taken == 2 && seen.elr == (u64)&sled[0], "%-12s PMOVS not cleared: taken again at the same place", name);

  arm(counter, 1000);
  write_sysreg(pmcr_el0, PMU_ON);
  interrupts_on();
  asm volatile("msr pmovsset_el0, %1\n adr %0, .\n" : "=r"(after) : "r"(bit) : "memory");
  isb();
  interrupts_off();
  check(seen.taken == 1 && seen.elr == after, "%-12s PMOVSSET: taken at the next instruction", name);

  arm(counter, 1000);
  write_sysreg(pmovsset_el0, bit);
  interrupts_on();
  isb();
  bool before = seen.taken != 0;
  asm volatile("msr pmcr_el0, %1\n adr %0, .\n" : "=r"(after) : "r"(PMU_ON) : "memory");
  isb();
  interrupts_off();
  check(!before && seen.taken == 1 && seen.elr == after, "%-12s PMCR.E clear: no interrupt until it is set", name);

  arm(counter, 1000);
  write_sysreg(pmcr_el0, PMU_ON);
  write_sysreg(pmovsset_el0, bit);
  isb();
  bool high = gic_pending(PPI_PMU);
  write_sysreg(pmcr_el0, PMU_OFF);
  isb();
  check(high && !gic_pending(PPI_PMU), "%-12s PMCR.E cleared: the line falls", name);
}

int main(const char *bootargs) {
  static const u64 counts[] = {1, 2, 7, 100, 1000, 65536};
  (void)bootargs;

  print("pmu-overflow: PMUVer %u, PMCR_EL0.N = %u, GICv%u\n", pmu_version(), pmu_counters(),
        gic_is_v3() ? 3 : 2);
  if (!pmu_present()) {
    check(false, "this CPU has no PMUv3");
    return check_result("pmu-overflow");
  }
  if (pmu_counters() == 0) print("no event counters at this level: the cycle counter alone\n");
  gic_enable(PPI_PMU);

  print("     counter           N  expected  ELR at  taken  INTID  PMOVS      line after\n");
  for (unsigned i = 0; i < COUNT_OF(counts); i++) {
    if (pmu_counters() > 0) overflow_after(0, counts[i]);
    overflow_after(CYCLE_COUNTER, counts[i]);
  }
  if (pmu_counters() > 0) line_terms(0);
  line_terms(CYCLE_COUNTER);
  return check_result("pmu-overflow");
}
