// Exceptions taken to EL1, and a way down to EL0 and back.
#pragma once

#include "../runtime/types.h"

struct frame {
  u64 x[31];
  u64 elr, spsr;
};

// ESR_EL1 (D17.2.37).
#define ESR_EC(esr) (((esr) >> 26) & 0x3f)
#define ESR_ISS(esr) ((esr) & 0x1ffffff)
enum exception_class {
  EC_UNDEFINED = 0x00,
  EC_SVC = 0x15,
  EC_SYSREG = 0x18,
  EC_FETCH_ABORT_EL0 = 0x20,
  EC_FETCH_ABORT_EL1 = 0x21,
  EC_PC_ALIGNMENT = 0x22,
  EC_DATA_ABORT_EL0 = 0x24,
  EC_DATA_ABORT_EL1 = 0x25,
  EC_SP_ALIGNMENT = 0x26,
};

// A program that expects them defines these; the defaults print what came and exit with 1.
void on_fault(struct frame *frame, u64 esr, bool from_el0);
void on_interrupt(struct frame *frame);

// In vectors.S.
u64 el0_call(u64 pc, u64 argument, u64 link, u64 stack);
void el0_exit(void);
void el0_return(void);

// Called by a handler: its return ends the running el0_call.
static inline void el0_leave(struct frame *frame) {
  frame->elr = (u64)el0_return;
  frame->spsr = 0x3c5;  // EL1h, D A I F masked
}

static inline void interrupts_on(void) {
  asm volatile("msr daifclr, #2" ::: "memory");
}

static inline void interrupts_off(void) {
  asm volatile("msr daifset, #2" ::: "memory");
}
