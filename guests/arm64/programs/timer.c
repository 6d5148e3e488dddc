// timer: the virtual timer's interrupt (PPI 27), and WFI that sleeps until it.
#include "../../runtime/boot.h"
#include "../../runtime/check.h"
#include "../../runtime/print.h"
#include "../exception.h"
#include "../platform.h"
#include "../sysreg.h"

#define TICKS 5

#define CTL_ENABLE 1u
#define CTL_IMASK 2u
#define CTL_ISTATUS 4u

static struct {
  u64 taken, count, status;
  unsigned intid;
} seen;

void on_interrupt(struct frame *frame) {
  (void)frame;
  seen.intid = gic_acknowledge();
  seen.taken++;
  seen.count = read_sysreg(cntvct_el0);
  seen.status = read_sysreg(cntv_ctl_el0);
  write_sysreg(cntv_ctl_el0, 0);  // the line is level: it must fall before the end of interrupt
  isb();
  gic_end(seen.intid);
}

static u64 now(void) {
  isb();
  return read_sysreg(cntvct_el0);
}

int main(const char *bootargs) {
  u64 frequency = read_sysreg(cntfrq_el0), interval = frequency / 1000;
  (void)bootargs;

  print("timer: CNTFRQ_EL0 %lu Hz, GICv%u\n", frequency, gic_is_v3() ? 3 : 2);
  gic_enable(PPI_VIRTUAL_TIMER);

  // Masked at the CPU, a pending interrupt still ends WFI, and is not taken (D1.6.2).
  u64 due = now() + interval;
  write_sysreg(cntv_cval_el0, due);
  write_sysreg(cntv_ctl_el0, CTL_ENABLE);
  isb();
  while (now() < due) asm volatile("wfi");
  check(seen.taken == 0 && read_sysreg(cntv_ctl_el0) == (CTL_ENABLE | CTL_ISTATUS), "WFI ends though DAIF.I is set");
  write_sysreg(cntv_ctl_el0, 0);
  isb();

  // Ticks, each asked for by the distance from now.
  for (unsigned tick = 1; tick <= TICKS; tick++) {
    u64 start = now();
    write_sysreg(cntv_tval_el0, interval);
    write_sysreg(cntv_ctl_el0, CTL_ENABLE);
    // Masked from the test to the WFI, lest the interrupt come between them and the WFI wait for another.
    while (seen.taken < tick) {
      asm volatile("wfi");
      interrupts_on();
      isb();
      interrupts_off();
    }
    check(seen.taken == tick && seen.intid == PPI_VIRTUAL_TIMER && seen.status == (CTL_ENABLE | CTL_ISTATUS) &&
              seen.count >= start + interval,
          "tick %u after %lu us", tick, (seen.count - start) * 1000000 / frequency);
  }

  // A condition that is met raises no interrupt while CTL masks it.
  write_sysreg(cntv_cval_el0, 0);
  write_sysreg(cntv_ctl_el0, CTL_ENABLE | CTL_IMASK);
  isb();
  interrupts_on();
  isb();
  interrupts_off();
  check(seen.taken == TICKS && read_sysreg(cntv_ctl_el0) == (CTL_ENABLE | CTL_IMASK | CTL_ISTATUS),
        "CTL.IMASK: condition met, no interrupt");
  return check_result("timer");
}
