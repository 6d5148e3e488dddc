// pmu-freeze: each freeze bit of MMCR0 and MMCR2, alone and in pairs, against privilege, MSR[PMM] and the run latch. The rows are sentences of Power ISA
// 3.0B, book III, 9.4.4 and 9.4.6; every count must be exact.
#include "../../runtime/boot.h"
#include "../../runtime/check.h"
#include "../../runtime/print.h"
#include "../pmu.h"
#include "../problem.h"

enum bit { FC, FCS, FCP, FCM1, FCM0, TRIGGER, FCPC, C56RUN, FC14, FC56, FCWAIT, FCH, S, P0, P1, M1, M0, WAIT, H, BITS };

static const struct {
  const char *name;
  int mmcr0; // bit from the right, or -1: one of MMCR2's
} rows[BITS] = {
    {"FC", 31},  {"FCS", 30},  {"FCP", 29},   {"FCM1", 28},  {"FCM0", 27}, {"TRIGGER", 13}, {"FCPC", 12},
    {"C56RUN", 8}, {"FC14", 5}, {"FC56", 4}, {"FCWAIT", 1}, {"FCH", 0},   {"FCnS", -1},    {"FCnP0", -1},
    {"FCnP1", -1}, {"FCnM1", -1}, {"FCnM0", -1}, {"FCnWAIT", -1}, {"FCnH", -1},
};

static bool frozen(u32 set, unsigned n, bool problem, bool marked, bool run) {
  bool has[BITS];
  for (unsigned i = 0; i < BITS; i++) has[i] = set >> i & 1;
  bool low = n <= 4;
  return has[FC] || (has[FCS] && !problem) || (problem && (has[FCPC] ? !has[FCP] : has[FCP])) || (has[FCM1] && marked) ||
         (has[FCM0] && !marked) || (has[TRIGGER] && n > 1) || (!low && !run && !has[C56RUN]) || (has[FC14] && low) ||
         (has[FC56] && !low) || (has[FCWAIT] && low && !run) || (has[S] && !problem) || (has[P0] && problem) ||
         (has[M1] && marked) || (has[M0] && !marked) || (has[WAIT] && !run);
}

static unsigned windows, wrong;

static void window(u32 set, bool mark, bool run) {
  u64 mmcr0 = 0, mmcr2 = 0;
  for (unsigned i = 0; i < BITS; i++) {
    if (!(set >> i & 1)) continue;
    if (rows[i].mmcr0 >= 0) mmcr0 |= 1ull << rows[i].mmcr0;
    else
      for (unsigned n = 0; n < 6; n++) mmcr2 |= 1ull << (63 - 9 * n - (i - S));
  }
  clear_counters();
  write_spr(SPR_MMCR2, mmcr2);
  write_spr(SPR_CTRLT, run);
  freeze_window(mmcr0, mark ? MSR_PMM : 0);
  u64 read[] = {read_spr(787), read_spr(788), read_spr(789), read_spr(790), read_spr(791), read_spr(792)};
  for (unsigned n = 1; n <= 6; n++) {
    u64 expected = (frozen(set, n, false, mark, run) ? 0 : 4) + (frozen(set, n, true, mark, run) ? 0 : 6) +
                   (frozen(set, n, false, false, run) ? 0 : 4);
    if (read[n - 1] == expected) continue;
    wrong++;
    print("PMC%u expected %lu read %lu: bits", n, expected, read[n - 1]);
    for (unsigned i = 0; i < BITS; i++)
      if (set >> i & 1) print(" %s", rows[i].name);
    print(", PMM %d, RUN %d\n", mark, run);
  }
  windows++;
}

int main(const char *bootargs) {
  (void)bootargs;
  problem_state();
  write_spr(SPR_MMCR0, MMCR0_FC);
  write_spr(SPR_MMCR1, 0x02020202);
  for (unsigned state = 0; state < 4; state++) {
    window(0, state & 1, state >> 1);
    for (unsigned i = 0; i < BITS; i++)
      for (unsigned j = i; j < BITS; j++) window(1u << i | 1u << j, state & 1, state >> 1);
  }
  write_spr(SPR_CTRLT, 1);
  check(wrong == 0, "%u windows of six counters, %u counts wrong", windows, wrong);
  return check_result("pmu-freeze");
}
