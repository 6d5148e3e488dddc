// smp: a second CPU by PSCI CPU_ON, and what two CPUs must get right together: exclusives, a lock, WFE and SEV,
// atomics, and a PMU that counts its own CPU alone. The domain needs two vCPUs.
#include "../../runtime/boot.h"
#include "../../runtime/check.h"
#include "../../runtime/print.h"
#include "../paging.h"
#include "../platform.h"
#include "../pmu.h"
#include "../work.h"

#define ROUNDS 2000
#define SECOND 1 // its MPIDR_EL1 affinity
#define CONTEXT 0x5ec0ull

#define PSCI_INVALID_PARAMETERS (-2)
#define PSCI_ALREADY_ON (-4)

extern void secondary_start(void);

static volatile u64 met, turn, by_exclusive, by_lock, by_atomic;
static u64 lock;
static u64 counted[2][2]; // by CPU: the cycle counter, event counter 0
static u64 second_mpidr, second_argument;

// ---- two CPUs, one memory ----

static u64 add_exclusive(volatile u64 *to, u64 n) {
  u64 value;
  u32 failed;
  asm volatile(
      "1:ldaxr %[value], [%[to]]            \n"
      "  add %[value], %[value], %[n]       \n"
      "  stlxr %w[failed], %[value], [%[to]] \n"
      "  cbnz %w[failed], 1b                \n"
      : [value] "=&r"(value), [failed] "=&r"(failed)
      : [to] "r"(to), [n] "r"(n)
      : "memory");
  return value;
}

// LDADD (FEAT_LSE): ID_AA64ISAR0_EL1.Atomic is 2 or more.
static bool has_atomics(void) {
  return bits(read_sysreg(id_aa64isar0_el1), 20, 4) >= 2;
}

static void add_atomic(volatile u64 *to, u64 n) {
  asm volatile(".arch_extension lse\n ldadd %1, xzr, [%0]\n .arch_extension nolse\n" ::"r"(to), "r"(n) : "memory");
}

static void signal(void) {
  asm volatile("dsb ish\n sev" ::: "memory");
}

static void wait(void) {
  asm volatile("wfe" ::: "memory");
}

static void take_lock(void) {
  u32 busy;
  asm volatile(
      "  sevl                       \n"
      "1:wfe                        \n"
      "2:ldaxr %w[busy], [%[lock]]  \n"
      "  cbnz %w[busy], 1b          \n"
      "  stxr %w[busy], %w[one], [%[lock]] \n"
      "  cbnz %w[busy], 2b          \n"
      : [busy] "=&r"(busy)
      : [lock] "r"(&lock), [one] "r"(1)
      : "memory");
}

static void release_lock(void) {
  asm volatile("stlr %w0, [%1]" ::"r"(0), "r"(&lock) : "memory");
  signal();
}

// Both CPUs leave it together. `met` only grows: two a meeting.
static void meet(void) {
  u64 all = (add_exclusive(&met, 1) + 1) / 2 * 2;
  signal();
  while (met < all) wait();
}

// ---- what both do at the same time ----

static void share_memory(void) {
  meet();
  for (unsigned i = 0; i < ROUNDS; i++) add_exclusive(&by_exclusive, 1);
  meet();
  for (unsigned i = 0; i < ROUNDS; i++) {
    take_lock();
    by_lock = by_lock + 1;
    release_lock();
  }
  meet();
  for (unsigned i = 0; i < ROUNDS && has_atomics(); i++) add_atomic(&by_atomic, 1);
  meet();
}

static void take_turns(unsigned cpu) {
  for (unsigned i = 0; i < 20; i++) {
    while (turn % 2 != cpu) wait();
    turn = turn + 1;
    signal();
  }
  meet();
}

// Each counts a loop of its own length, while the other runs too.
static const struct work *own_work(unsigned cpu) {
  return &works[1 + cpu];
}

static void count_own(unsigned cpu) {
  if (!pmu_present()) return;
  pmu_reset();
  pmu_program_cycles();
  if (pmu_counters() > 0) pmu_program(0, INST_RETIRED);
  meet();
  own_work(cpu)->run(PMU_ON, PMU_OFF);
  counted[cpu][0] = pmu_read(CYCLE_COUNTER);
  if (pmu_counters() > 0) counted[cpu][1] = pmu_read(0);
  meet();
}

// ---- the second CPU ----

static void second(u64 argument) {
  mmu_on((u64)identity);
  second_argument = argument;
  second_mpidr = read_sysreg(mpidr_el1);
  take_lock();
  print("cpu 1: running, argument 0x%lx\n", argument);
  release_lock();
  share_memory();
  take_turns(1);
  count_own(1);
  psci(PSCI_CPU_OFF, 0, 0, 0);
}

static u64 second_stack[512] __attribute__((aligned(16)));

// Read with the second CPU's MMU and caches off, so it is never written: no cache has to be cleaned.
static const struct {
  void *stack_top;
  void (*function)(u64);
  u64 argument;
} second_start = {second_stack + COUNT_OF(second_stack), second, CONTEXT};

static int64_t cpu_on(u64 target) {
  return psci(PSCI_CPU_ON, target, (u64)secondary_start, (u64)&second_start);
}

int main(const char *bootargs) {
  (void)bootargs;
  u64 version = (u64)psci(PSCI_VERSION, 0, 0, 0);
  print("smp: PSCI %lu.%lu, %s atomics\n", version >> 16, version & 0xffff, has_atomics() ? "with" : "without");
  identity_map();
  mmu_on((u64)identity);

  check(cpu_on(0xff) == PSCI_INVALID_PARAMETERS, "CPU_ON of a CPU that does not exist is refused");
  int64_t on = cpu_on(SECOND);
  if (!check(on == 0, "CPU_ON of CPU 1 returns %ld", (long)on)) return check_result("smp");

  share_memory();
  check(second_argument == CONTEXT && bits(second_mpidr, 0, 8) == SECOND, "CPU 1 ran, MPIDR_EL1 0x%lx", second_mpidr);
  check(cpu_on(SECOND) == PSCI_ALREADY_ON, "CPU_ON once more: already on");
  check(by_exclusive == 2 * ROUNDS, "LDAXR/STLXR: 2 x %u increments make %lu", ROUNDS, by_exclusive);
  check(by_lock == 2 * ROUNDS, "a lock: 2 x %u increments make %lu", ROUNDS, by_lock);
  if (has_atomics()) check(by_atomic == 2 * ROUNDS, "LDADD: 2 x %u increments make %lu", ROUNDS, by_atomic);

  take_turns(0);
  check(turn == 40, "WFE and SEV: %lu turns", turn);

  count_own(0);
  for (unsigned cpu = 0; cpu < 2 && pmu_present(); cpu++) {
    u64 expected = own_work(cpu)->instructions;
    check(counted[cpu][0] == expected, "cpu %u: PMCCNTR      expected %lu read %lu", cpu, expected, counted[cpu][0]);
    if (pmu_counters() == 0) continue;
    check(counted[cpu][1] == expected, "cpu %u: INST_RETIRED expected %lu read %lu", cpu, expected, counted[cpu][1]);
  }

  unsigned polls = 0;
  while (psci(PSCI_AFFINITY_INFO, SECOND, 0, 0) != 1 && polls < 100000) polls++;
  check(polls < 100000, "CPU_OFF: CPU 1 is off");
  return check_result("smp");
}
