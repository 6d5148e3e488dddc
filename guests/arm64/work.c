// Every loop has the same frame, one instruction on either side of the counted code:
//
//     msr pmcr_el0, on     not counted: the write that enables a counter is not counted by it
//     isb                  1
//     …                    counts in the right column, for n rounds
//     msr pmcr_el0, off    1: the write that disables it is
//
// A load or store of a pair is one instruction; a branch counts whether it is taken or not; `ret` and `br` are branches
// but not immediate ones; `isb` is no branch.
#include "work.h"

#define FRAME 2
#define ROUNDS 1000

static u64 buffer[2 * ROUNDS];

static void nops(u64 on, u64 off) {
  asm volatile(
      "  msr pmcr_el0, %[on]       \n"
      "  isb                       \n"
      "  .rept 100                 \n"
      "  nop                       \n"  // 100
      "  .endr                     \n"
      "  msr pmcr_el0, %[off]      \n" ::[on] "r"(on), [off] "r"(off)
      : "memory");
}

static void countdown(u64 on, u64 off) {
  u64 n = ROUNDS;
  asm volatile(
      "  msr pmcr_el0, %[on]       \n"
      "  isb                       \n"
      "1:subs %[n], %[n], #1       \n"  // n
      "  b.ne 1b                   \n"  // n branches, n immediate
      "  msr pmcr_el0, %[off]      \n"
      : [n] "+r"(n)
      : [on] "r"(on), [off] "r"(off)
      : "cc", "memory");
}

static void copy(u64 on, u64 off) {
  u64 n = ROUNDS, x, *from = buffer, *to = buffer + ROUNDS;
  asm volatile(
      "  msr pmcr_el0, %[on]       \n"
      "  isb                       \n"
      "1:ldr %[x], [%[from]], #8   \n"  // n loads
      "  str %[x], [%[to]], #8     \n"  // n stores
      "  subs %[n], %[n], #1       \n"  // n
      "  b.ne 1b                   \n"  // n branches, n immediate
      "  msr pmcr_el0, %[off]      \n"
      : [n] "+r"(n), [x] "=&r"(x), [from] "+r"(from), [to] "+r"(to)
      : [on] "r"(on), [off] "r"(off)
      : "cc", "memory");
}

static void pairs(u64 on, u64 off) {
  u64 n = ROUNDS, x, y, *at = buffer;
  asm volatile(
      "  msr pmcr_el0, %[on]       \n"
      "  isb                       \n"
      "1:ldp %[x], %[y], [%[at]]   \n"  // n loads
      "  ldr %[x], [%[at], #8]     \n"  // n loads
      "  stp %[y], %[x], [%[at]]   \n"  // n stores
      "  subs %[n], %[n], #1       \n"  // n
      "  b.ne 1b                   \n"  // n branches, n immediate
      "  msr pmcr_el0, %[off]      \n"
      : [n] "+r"(n), [x] "=&r"(x), [y] "=&r"(y)
      : [at] "r"(at), [on] "r"(on), [off] "r"(off)
      : "cc", "memory");
}

static void calls(u64 on, u64 off) {
  u64 n = ROUNDS;
  asm volatile(
      "  msr pmcr_el0, %[on]       \n"
      "  isb                       \n"
      "1:bl 2f                     \n"  // n branches, n immediate
      "  subs %[n], %[n], #1       \n"  // n
      "  b.ne 1b                   \n"  // n branches, n immediate
      "  b 3f                      \n"  // 1 branch, 1 immediate
      "2:ret                       \n"  // n branches
      "3:msr pmcr_el0, %[off]      \n"
      : [n] "+r"(n)
      : [on] "r"(on), [off] "r"(off)
      : "x30", "cc", "memory");
}

static void untaken(u64 on, u64 off) {
  u64 n = ROUNDS;
  asm volatile(
      "  msr pmcr_el0, %[on]       \n"
      "  isb                       \n"
      "1:cbnz xzr, 2f              \n"  // n branches, n immediate, none taken
      "  tbnz xzr, #0, 2f          \n"  // n branches, n immediate, none taken
      "  subs %[n], %[n], #1       \n"  // n
      "  b.mi 2f                   \n"  // n branches, n immediate, none taken
      "  cbnz %[n], 1b             \n"  // n branches, n immediate
      "2:msr pmcr_el0, %[off]      \n"
      : [n] "+r"(n)
      : [on] "r"(on), [off] "r"(off)
      : "cc", "memory");
}

#define N ROUNDS

const struct work works[] = {
    // name        run        instructions       loads  stores  branches   immediate
    {"nops",      nops,      100 + FRAME,       0,     0,      0,         0},
    {"countdown", countdown, 2 * N + FRAME,     0,     0,      N,         N},
    {"copy",      copy,      4 * N + FRAME,     N,     N,      N,         N},
    {"pairs",     pairs,     5 * N + FRAME,     2 * N, N,      N,         N},
    {"calls",     calls,     4 * N + 1 + FRAME, 0,     0,      3 * N + 1, 2 * N + 1},
    {"untaken",   untaken,   5 * N + FRAME,     0,     0,      4 * N,     4 * N},
};

const unsigned work_count = COUNT_OF(works);
