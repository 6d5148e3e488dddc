/*
 * Runs A64 instructions one case at a time at EL1 or EL0 under this driver at EL2, on qemu-system-aarch64 -M virt,virtualization=on.
 * Cases lie in memory, results are written to the file results.bin by semihosting. Every case ends with an exception to EL2: a BRK (routed
 * here by MDCR_EL2.TDE), which fills the code area and stands at EL1's vectors, or what the instruction itself was trapped with.
 * The layout of memory and of the records is that of system.ts.
 */
#include <stdint.h>

#define CASES 0x44000000ul
#define RESULTS 0x50000000ul
#define CODE 0x43000000ul
#define CODE_SIZE 0x10000ul
#define SENTINEL 0xd43ffe00u /* BRK #0xfff0 */

struct in {
  uint64_t x[31], sp_el0, sp_el1, pc, pstate, sctlr, cpacr, elr, spsr, storage[8];
  uint32_t word, pad;
};

struct out {
  uint64_t x[31], sp_el0, sp_el1;
  uint64_t elr_el2, spsr_el2, esr_el2, far_el2;
  uint64_t esr_el1, elr_el1, spsr_el1, far_el1, storage[8];
};

void run(const struct in *, struct out *);

__asm__(
    ".pushsection .start, \"ax\"\n"
    ".globl _start\n"
    "_start:\n"
    "  ldr x0, =0x42f00000\n"
    "  mov sp, x0\n"
    "  adr x0, vectors2\n"
    "  msr vbar_el2, x0\n"
    "  adr x0, vectors1\n"
    "  msr vbar_el1, x0\n"
    "  ldr x0, =0x80086000\n" /* HCR_EL2: RW, TSC, TWE, TWI */
    "  msr hcr_el2, x0\n"
    "  mov x0, #0x33ff\n" /* CPTR_EL2: RES1, no traps */
    "  msr cptr_el2, x0\n"
    "  mrs x0, mdcr_el2\n"
    "  orr x0, x0, #0x100\n" /* TDE */
    "  msr mdcr_el2, x0\n"
    "  mov x0, #3\n"
    "  msr cnthctl_el2, x0\n"
    "  msr hstr_el2, xzr\n"
    "  isb\n"
    "  bl main\n"
    "  b .\n"
    ".popsection\n"

    ".globl run\n"
    "run:\n"
    "  stp x19, x20, [sp, #-16]!\n"
    "  stp x21, x22, [sp, #-16]!\n"
    "  stp x23, x24, [sp, #-16]!\n"
    "  stp x25, x26, [sp, #-16]!\n"
    "  stp x27, x28, [sp, #-16]!\n"
    "  stp x29, x30, [sp, #-16]!\n"
    "  msr tpidr_el2, x1\n"
    "  mov x30, x0\n"
    "  ldp x0, x1, [x30, #248]\n"
    "  msr sp_el0, x0\n"
    "  msr sp_el1, x1\n"
    "  ldp x0, x1, [x30, #264]\n"
    "  msr elr_el2, x0\n"
    "  msr spsr_el2, x1\n"
    "  ldp x0, x1, [x30, #280]\n"
    "  msr sctlr_el1, x0\n"
    "  msr cpacr_el1, x1\n"
    "  ldp x0, x1, [x30, #296]\n"
    "  msr elr_el1, x0\n"
    "  msr spsr_el1, x1\n"
    "  ldp x0, x1, [x30, #312]\n"
    "  msr tpidr_el0, x0\n"
    "  msr tpidrro_el0, x1\n"
    "  ldp x0, x1, [x30, #328]\n"
    "  msr tpidr_el1, x0\n"
    "  msr contextidr_el1, x1\n"
    "  ldp x0, x1, [x30, #344]\n"
    "  msr mair_el1, x0\n"
    "  msr far_el1, x1\n"
    "  ldp x0, x1, [x30, #360]\n"
    "  msr ttbr0_el1, x0\n"
    "  msr ttbr1_el1, x1\n"
    "  isb\n"
    "  ldp x0, x1, [x30, #0]\n"
    "  ldp x2, x3, [x30, #16]\n"
    "  ldp x4, x5, [x30, #32]\n"
    "  ldp x6, x7, [x30, #48]\n"
    "  ldp x8, x9, [x30, #64]\n"
    "  ldp x10, x11, [x30, #80]\n"
    "  ldp x12, x13, [x30, #96]\n"
    "  ldp x14, x15, [x30, #112]\n"
    "  ldp x16, x17, [x30, #128]\n"
    "  ldp x18, x19, [x30, #144]\n"
    "  ldp x20, x21, [x30, #160]\n"
    "  ldp x22, x23, [x30, #176]\n"
    "  ldp x24, x25, [x30, #192]\n"
    "  ldp x26, x27, [x30, #208]\n"
    "  ldp x28, x29, [x30, #224]\n"
    "  ldr x30, [x30, #240]\n"
    "  eret\n"
    "back:\n"
    "  str x30, [sp, #-16]!\n"
    "  mrs x30, tpidr_el2\n"
    "  stp x0, x1, [x30, #0]\n"
    "  stp x2, x3, [x30, #16]\n"
    "  stp x4, x5, [x30, #32]\n"
    "  stp x6, x7, [x30, #48]\n"
    "  stp x8, x9, [x30, #64]\n"
    "  stp x10, x11, [x30, #80]\n"
    "  stp x12, x13, [x30, #96]\n"
    "  stp x14, x15, [x30, #112]\n"
    "  stp x16, x17, [x30, #128]\n"
    "  stp x18, x19, [x30, #144]\n"
    "  stp x20, x21, [x30, #160]\n"
    "  stp x22, x23, [x30, #176]\n"
    "  stp x24, x25, [x30, #192]\n"
    "  stp x26, x27, [x30, #208]\n"
    "  stp x28, x29, [x30, #224]\n"
    "  ldr x0, [sp], #16\n"
    "  str x0, [x30, #240]\n"
    "  mrs x0, sp_el0\n"
    "  mrs x1, sp_el1\n"
    "  stp x0, x1, [x30, #248]\n"
    "  mrs x0, elr_el2\n"
    "  mrs x1, spsr_el2\n"
    "  stp x0, x1, [x30, #264]\n"
    "  mrs x0, esr_el2\n"
    "  mrs x1, far_el2\n"
    "  stp x0, x1, [x30, #280]\n"
    "  mrs x0, esr_el1\n"
    "  mrs x1, elr_el1\n"
    "  stp x0, x1, [x30, #296]\n"
    "  mrs x0, spsr_el1\n"
    "  mrs x1, far_el1\n"
    "  stp x0, x1, [x30, #312]\n"
    "  mrs x0, tpidr_el0\n"
    "  mrs x1, tpidrro_el0\n"
    "  stp x0, x1, [x30, #328]\n"
    "  mrs x0, tpidr_el1\n"
    "  mrs x1, contextidr_el1\n"
    "  stp x0, x1, [x30, #344]\n"
    "  mrs x0, mair_el1\n"
    "  mrs x1, far_el1\n"
    "  stp x0, x1, [x30, #360]\n"
    "  mrs x0, ttbr0_el1\n"
    "  mrs x1, ttbr1_el1\n"
    "  stp x0, x1, [x30, #376]\n"
    "  ldp x29, x30, [sp], #16\n"
    "  ldp x27, x28, [sp], #16\n"
    "  ldp x25, x26, [sp], #16\n"
    "  ldp x23, x24, [sp], #16\n"
    "  ldp x21, x22, [sp], #16\n"
    "  ldp x19, x20, [sp], #16\n"
    "  ret\n"

    /* An exception of the driver itself ends the run: semihosting SYS_EXIT. */
    ".balign 2048\n"
    "vectors2:\n"
    ".rept 8\n"
    ".balign 128\n"
    "  b broken\n"
    ".endr\n"
    ".rept 8\n"
    ".balign 128\n"
    "  b back\n"
    ".endr\n"
    ".balign 2048\n"
    "vectors1:\n"
    ".set vector, 0\n"
    ".rept 16\n"
    ".balign 128\n"
    "  brk #(0xe00 + vector)\n"
    ".set vector, vector + 1\n"
    ".endr\n"
    ".balign 128\n"
    "broken:\n"
    "  mov x0, #0x18\n"
    "  mov x1, #0\n"
    "  hlt #0xf000\n"
    "  b .\n");

static uint64_t semihost(uint64_t number, const uint64_t *block) {
  register uint64_t x0 __asm__("x0") = number;
  register const uint64_t *x1 __asm__("x1") = block;
  __asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
  return x0;
}

void main(void) {
  uint64_t count = *(volatile uint64_t *)CASES;
  const struct in *cases = (const struct in *)(CASES + 8);
  struct out *results = (struct out *)RESULTS;
  uint32_t *code = (uint32_t *)CODE;
  for (uint64_t i = 0; i < CODE_SIZE / 4; i++) code[i] = SENTINEL;
  for (uint64_t i = 0; i < count; i++) {
    uint32_t *at = (uint32_t *)cases[i].pc;
    *at = cases[i].word;
    run(&cases[i], &results[i]);
    *at = SENTINEL;
  }
  uint64_t open[3] = {(uint64_t)"results.bin", 5, 11};
  uint64_t file = semihost(1, open);
  uint64_t write[3] = {file, RESULTS, count * sizeof *results};
  semihost(5, write);
  uint64_t end[2] = {0x20026, 0};
  semihost(0x18, end);
}
