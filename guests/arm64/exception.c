#include "exception.h"

#include "../runtime/boot.h"
#include "../runtime/print.h"
#include "sysreg.h"

// Called by vectors.S. A vector's number is 4 × (where from) + kind: kind 0 synchronous, 1 IRQ; from 2 is EL0.
void exception(struct frame *frame, u64 vector) {
  switch (vector % 4) {
    case 0:
      on_fault(frame, read_sysreg(esr_el1), vector / 4 == 2);
      break;
    case 1:
      on_interrupt(frame);
      break;
    default:
      print("unexpected exception, vector %lu\n", vector);
      exit(1);
  }
}

__attribute__((weak)) void on_fault(struct frame *frame, u64 esr, bool from_el0) {
  print("unexpected exception from %s: ESR 0x%lx (EC 0x%lx) FAR 0x%lx ELR 0x%lx\n", from_el0 ? "EL0" : "EL1", esr,
        ESR_EC(esr), read_sysreg(far_el1), frame->elr);
  exit(1);
}

__attribute__((weak)) void on_interrupt(struct frame *frame) {
  print("unexpected interrupt, ELR 0x%lx\n", frame->elr);
  exit(1);
}
