// pmu-probe: touches every PMU register and the debug registers beside them, and prints what happened. One line each:
//
//     NAME  LEVEL  read   value=0x…                     it was read
//     NAME  LEVEL  write  value=0x… after=0x…           it was written, and EL1 reads this afterwards (`after=-`: cannot)
//     NAME  LEVEL  read|write  ec=0x… iss=0x…           an exception came to EL1; ec=0x0 is an undefined instruction
//
// LEVEL is EL1, EL0 (with PMUSERENR_EL0 = 0) or EL0+en (with PMUSERENR_EL0 = 0xf). After every write the PMU is reset.
#include "../../runtime/boot.h"
#include "../../runtime/print.h"
#include "../exception.h"
#include "../pmu.h"
#include "../registers.h"

#define ALL_REGISTERS(R) PMU_REGISTERS(R) PMU_COUNTER_REGISTERS(R) DEBUG_REGISTERS(R)

static const struct row {
  const char *name;
  u64 write;
} rows[] = {
#define R(name, op0, op1, crn, crm, op2, value) {#name, value},
    ALL_REGISTERS(R)
#undef R
};

// For every row `mrs x0, …; ret` and `msr …, x0; ret`, by encoding (C6.2.228, C6.2.230).
extern const u32 stubs[COUNT_OF(rows)][4];

#define ENCODING(op0, op1, crn, crm, op2)                                                                     \
  "((" TEXT_OF(op0) ") << 19) + ((" TEXT_OF(op1) ") << 16) + ((" TEXT_OF(crn) ") << 12) + ((" TEXT_OF(crm) ") " \
  "<< 8) + ((" TEXT_OF(op2) ") << 5)"
#define R(name, op0, op1, crn, crm, op2, value)                \
  ".inst 0xd5200000 + " ENCODING(op0, op1, crn, crm, op2) "\n" \
  "ret\n"                                                      \
  ".inst 0xd5000000 + " ENCODING(op0, op1, crn, crm, op2) "\n" \
  "ret\n"
asm(".pushsection .text\n"
    ".type stubs, %function\n"
    "stubs:\n" ALL_REGISTERS(R) ".size stubs, . - stubs\n"
    ".popsection\n");
#undef R

static struct {
  u64 esr, elr;
  bool taken;
} fault;

void on_fault(struct frame *frame, u64 esr, bool from_el0) {
  if (!(from_el0 && ESR_EC(esr) == EC_SVC)) {
    fault.taken = true;
    fault.esr = esr;
    fault.elr = frame->elr;
  }
  if (from_el0) el0_leave(frame);
  else frame->elr += 4;  // to the stub's ret
}

enum level { AT_EL1, AT_EL0, AT_EL0_ENABLED };
static const char *const level_names[] = {"EL1", "EL0", "EL0+en"};
static u64 accesses, exceptions;

// Runs one stub at a level and returns x0; `fault` says whether it came through.
static u64 run(const u32 *stub, u64 x0, enum level level) {
  fault.taken = false;
  if (level == AT_EL1) return ((u64(*)(u64))stub)(x0);
  return el0_call((u64)stub, x0, (u64)el0_exit, 0);
}

// The PMU as every access finds it.
static void quiet(enum level level) {
  pmu_reset();
  write_sysreg(pmselr_el0, 0);
  write_sysreg(pmuserenr_el0, level == AT_EL0_ENABLED ? 0xf : 0);
  isb();
}

static bool report(const struct row *row, enum level level, const char *what, const u32 *stub) {
  accesses++;
  print("%-17s %-6s %-5s ", row->name, level_names[level], what);
  if (!fault.taken) return true;
  exceptions++;
  print("ec=0x%lx iss=0x%lx%s\n", ESR_EC(fault.esr), ESR_ISS(fault.esr), fault.elr == (u64)stub ? "" : " elr=wrong");
  return false;
}

static void probe(unsigned i, enum level level) {
  const struct row *row = &rows[i];
  const u32 *read = &stubs[i][0], *write = &stubs[i][2];

  u64 value = run(read, 0, level);
  if (report(row, level, "read", read)) print("value=0x%lx\n", value);

  run(write, row->write, level);
  if (report(row, level, "write", write)) {
    value = run(read, 0, AT_EL1);
    print("value=0x%lx ", row->write);
    if (fault.taken) print("after=-\n");
    else print("after=0x%lx\n", value);
    run(write, 0, AT_EL1);
  }
  quiet(level);
}

int main(const char *bootargs) {
  (void)bootargs;
  for (enum level level = AT_EL1; level <= AT_EL0_ENABLED; level++) {
    quiet(level);
    for (unsigned i = 0; i < COUNT_OF(rows); i++) probe(i, level);
  }
  print("pmu-probe: %lu accesses, %lu exceptions\n", accesses, exceptions);
  return 0;
}
