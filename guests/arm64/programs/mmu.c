// mmu: address translation of stage 1, and every fault it can raise, with ESR, FAR and ELR compared to the bit.
#include "../../runtime/boot.h"
#include "../../runtime/check.h"
#include "../exception.h"
#include "../paging.h"
#include "../sysreg.h"

// The tests' own gigabytes: entry 1 of the level-0 table.
#define BASE (1ul << 39)
#define AT_PAGE(i) (BASE + (i) * PAGE)
#define AT_BLOCK(i) (BASE + (i) * 2 * MIB)
#define AT_GIB(i) (BASE + (i) * GIB)

// Pages, by index in level3. What is not named is invalid.
enum {
  P_DATA,         // data_a, writable
  P_ALIAS,        // data_a again
  P_READ_ONLY,    // data_a
  P_USER,         // data_a, EL0 may write
  P_USER_READ_ONLY,
  P_NO_EXECUTE,   // the code page, PXN and UXN
  P_NOT_ACCESSED, // data_a without the access flag
  P_TOO_FAR,      // an output address above 32 bits
  P_CODE,         // the code page, for EL0 and EL1
  P_CODE_NO_EL1,  // PXN
  P_CODE_NO_EL0,  // UXN
  P_CODE_WRITABLE,// EL0 may write: EL1 may not execute
  P_DEVICE,       // data_a as device memory
  P_TAGGED,       // data_a or data_b, by ASID
  P_LAST,         // data_a, before an invalid page
  P_INVALID,
};
// Blocks of 2 MiB, by index in level2; 0 is level3.
enum { B_RAM = 1, B_READ_ONLY, B_NOT_ACCESSED, B_INVALID };
// Gigabytes, by index in level1; 0 is level2.
enum { G_RAM = 1, G_READ_ONLY, G_NOT_ACCESSED, G_INVALID };

static u64 data_a[512] __attribute__((aligned(4096)));
static u64 data_b[512] __attribute__((aligned(4096)));
static table level1, level2, level3;
static table other_identity, other_1, other_2, other_3; // the same pages for another ASID, but P_TAGGED is data_b

// access.S
u64 load(u64 at), store(u64 at), load_exclusive(u64 at), jump(u64 at);
extern const u32 load_from_stack[], landing[];

static void map(void) {
  const u64 a = (u64)data_a | LEAF_PAGE | MEMORY, code = ((u64)load & -PAGE) | LEAF_PAGE | MEMORY | READ_ONLY;

  identity[1] = (u64)level1 | TABLE;
  level1[0] = (u64)level2 | TABLE;
  level1[G_RAM] = RAM | BLOCK | MEMORY;
  level1[G_READ_ONLY] = RAM | BLOCK | MEMORY | READ_ONLY;
  level1[G_NOT_ACCESSED] = RAM | BLOCK | NORMAL | SHARED;
  level2[0] = (u64)level3 | TABLE;
  level2[B_RAM] = RAM | BLOCK | MEMORY;
  level2[B_READ_ONLY] = RAM | BLOCK | MEMORY | READ_ONLY;
  level2[B_NOT_ACCESSED] = RAM | BLOCK | NORMAL | SHARED;

  level3[P_DATA] = level3[P_ALIAS] = level3[P_LAST] = a;
  level3[P_READ_ONLY] = a | READ_ONLY;
  level3[P_USER] = a | USER;
  level3[P_USER_READ_ONLY] = a | USER | READ_ONLY;
  level3[P_NO_EXECUTE] = code | PXN | UXN;
  level3[P_NOT_ACCESSED] = a & ~ACCESSED;
  level3[P_TOO_FAR] = a | 1ul << 32;
  level3[P_CODE] = code | USER;
  level3[P_CODE_NO_EL1] = code | USER | PXN;
  level3[P_CODE_NO_EL0] = code | USER | UXN;
  level3[P_CODE_WRITABLE] = (code | USER) & ~READ_ONLY;
  level3[P_DEVICE] = (u64)data_a | LEAF_PAGE | DEVICE | ACCESSED | PXN | UXN;
  level3[P_TAGGED] = a | NOT_GLOBAL;

  for (unsigned i = 0; i < 512; i++) other_identity[i] = identity[i], other_3[i] = level3[i];
  other_identity[1] = (u64)other_1 | TABLE;
  other_1[0] = (u64)other_2 | TABLE;
  other_2[0] = (u64)other_3 | TABLE;
  other_3[P_TAGGED] = (u64)data_b | LEAF_PAGE | MEMORY | NOT_GLOBAL;
}

// ---- running one access and looking at what it raised ----

static struct fault {
  u64 taken, esr, far, elr;
  bool repair; // set the access flag of P_NOT_ACCESSED, and try again
} fault;

void on_fault(struct frame *frame, u64 esr, bool from_el0) {
  if (from_el0 && ESR_EC(esr) == EC_SVC) {
    el0_leave(frame);
    return;
  }
  fault.taken++;
  fault.esr = esr;
  fault.far = read_sysreg(far_el1);
  fault.elr = frame->elr;
  if (fault.repair) level3[P_NOT_ACCESSED] |= ACCESSED; // an entry without it is never cached: no TLBI is needed
  else if (from_el0) el0_leave(frame);
  else frame->elr = frame->x[30]; // back to the caller of the access
}

// An address in the code page, as EL0 (and EL1) sees it through one of the code pages.
static u64 through(unsigned page, const void *function) {
  return AT_PAGE(page) + (u64)function % PAGE;
}

static u64 at_el0(const void *function, u64 argument) {
  return el0_call(through(P_CODE, function), argument, through(P_CODE, el0_exit), 0);
}

// Data fault status codes (D17.2.37); instruction faults have the same.
enum { ADDRESS_SIZE = 0x00, TRANSLATION = 0x04, ACCESS_FLAG = 0x08, PERMISSION = 0x0c, ALIGNMENT = 0x21 };
#define WRITE (1ul << 6) // WnR

// An exception with this class and syndrome, IL = 1, from the instruction at `elr`, with this FAR.
static void expect(const char *what, u64 class, u64 iss, u64 far, u64 elr) {
  u64 esr = class << 26 | 1ul << 25 | iss;
  check(fault.taken == 1 && fault.esr == esr && fault.far == far && fault.elr == elr,
        "%-42s ESR 0x%lx FAR 0x%lx ELR +0x%lx", what, fault.esr, fault.far, fault.elr % PAGE);
  fault = (struct fault){0};
}

static void expect_none(const char *what, bool passed) {
  check(fault.taken == 0 && passed, "%s", what);
  fault = (struct fault){0};
}

static void el1_load(const char *what, u64 at, u64 status) {
  load(at);
  expect(what, EC_DATA_ABORT_EL1, status, at, (u64)load);
}

static void el1_store(const char *what, u64 at, u64 status) {
  store(at);
  expect(what, EC_DATA_ABORT_EL1, WRITE | status, at, (u64)store);
}

static void el0_load(const char *what, u64 at, u64 status) {
  at_el0(load, at);
  expect(what, EC_DATA_ABORT_EL0, status, at, through(P_CODE, load));
}

static void el0_store(const char *what, u64 at, u64 status) {
  at_el0(store, at);
  expect(what, EC_DATA_ABORT_EL0, WRITE | status, at, through(P_CODE, store));
}

static void el1_fetch(const char *what, u64 at, u64 status) {
  jump(at);
  expect(what, EC_FETCH_ABORT_EL1, status, at, at);
}

static void el0_fetch(const char *what, u64 at, u64 status) {
  at_el0(jump, at);
  expect(what, EC_FETCH_ABORT_EL0, status, at, at);
}

// ---- the tests ----

static void aliases(void) {
  volatile u64 *page = (u64 *)AT_PAGE(P_DATA), *alias = (u64 *)AT_PAGE(P_ALIAS);
  u64 offset = (u64)data_a - RAM;
  page[3] = 0x1111;
  expect_none("two pages are one: written here, read there", alias[3] == 0x1111 && data_a[3] == 0x1111);
  *(volatile u64 *)(AT_BLOCK(B_RAM) + offset + 24) = 0x2222;
  expect_none("a 2 MiB block is the same memory", page[3] == 0x2222);
  *(volatile u64 *)(AT_GIB(G_RAM) + offset + 24) = 0x3333;
  expect_none("a 1 GiB block is the same memory", page[3] == 0x3333);
  expect_none("EL0 reads its read-only page", at_el0(load, AT_PAGE(P_USER_READ_ONLY) + 24) == 0x3333);
  at_el0(store, AT_PAGE(P_USER) + 32);
  expect_none("EL0 writes its page", data_a[4] == AT_PAGE(P_USER) + 32);
  expect_none("EL1 runs code through another mapping", jump(through(P_CODE_NO_EL0, landing)) == 42);
  expect_none("EL0 runs code that EL1 may not", at_el0(jump, through(P_CODE_NO_EL1, landing)) == 42);
}

static void translation_faults(void) {
  el1_load("translation fault, level 0, load", 2ul << 39, TRANSLATION | 0);
  el1_load("translation fault, level 1, load", AT_GIB(G_INVALID), TRANSLATION | 1);
  el1_load("translation fault, level 2, load", AT_BLOCK(B_INVALID), TRANSLATION | 2);
  el1_load("translation fault, level 3, load", AT_PAGE(P_INVALID), TRANSLATION | 3);
  el1_store("translation fault, level 3, store", AT_PAGE(P_INVALID) + 8, TRANSLATION | 3);
  el0_load("translation fault, level 3, EL0 load", AT_PAGE(P_INVALID), TRANSLATION | 3);
  el1_load("translation fault, above 48 bits", 1ul << 48, TRANSLATION | 0);
  el1_load("translation fault, TTBR1 turned off", -PAGE, TRANSLATION | 0);
  el1_fetch("translation fault, level 3, fetch", AT_PAGE(P_INVALID), TRANSLATION | 3);
  el0_fetch("translation fault, level 2, EL0 fetch", AT_BLOCK(B_INVALID), TRANSLATION | 2);
  el1_load("address size fault, level 3", AT_PAGE(P_TOO_FAR), ADDRESS_SIZE | 3);

  u64 across = AT_PAGE(P_INVALID) - 4; // the first half is mapped: FAR is the half that is not
  load(across);
  expect("load across pages into an invalid one", EC_DATA_ABORT_EL1, TRANSLATION | 3, AT_PAGE(P_INVALID), (u64)load);
}

static void permission_faults(void) {
  el1_store("permission fault, level 3, store", AT_PAGE(P_READ_ONLY), PERMISSION | 3);
  el1_store("permission fault, level 2, store", AT_BLOCK(B_READ_ONLY) + MIB, PERMISSION | 2);
  el1_store("permission fault, level 1, store", AT_GIB(G_READ_ONLY) + 8, PERMISSION | 1);
  el0_load("permission fault, EL0 load of EL1's page", AT_PAGE(P_DATA), PERMISSION | 3);
  el0_store("permission fault, EL0 store to EL1's page", AT_PAGE(P_DATA), PERMISSION | 3);
  el0_store("permission fault, EL0 store, read-only", AT_PAGE(P_USER_READ_ONLY), PERMISSION | 3);
  el1_fetch("permission fault, EL1 fetch, no execution", through(P_NO_EXECUTE, landing), PERMISSION | 3);
  el1_fetch("permission fault, EL1 fetch, PXN", through(P_CODE_NO_EL1, landing), PERMISSION | 3);
  el1_fetch("permission fault, EL1 fetch, EL0 may write", through(P_CODE_WRITABLE, landing), PERMISSION | 3);
  el0_fetch("permission fault, EL0 fetch, UXN", through(P_CODE_NO_EL0, landing), PERMISSION | 3);
}

static void access_flag_faults(void) {
  el1_load("access flag fault, level 3", AT_PAGE(P_NOT_ACCESSED), ACCESS_FLAG | 3);
  el1_load("access flag fault, level 2", AT_BLOCK(B_NOT_ACCESSED), ACCESS_FLAG | 2);
  el1_load("access flag fault, level 1", AT_GIB(G_NOT_ACCESSED), ACCESS_FLAG | 1);

  data_a[5] = 0x5555;
  fault.repair = true;
  u64 read = load(AT_PAGE(P_NOT_ACCESSED) + 40);
  check(fault.taken == 1 && read == 0x5555, "access flag set by the handler: one fault, then the load succeeds");
  fault = (struct fault){0};
}

static void alignment_faults(void) {
  u64 odd = AT_PAGE(P_USER) + 9; // across 16 bytes, where FEAT_LSE2 does not help an exclusive

  data_a[1] = 0x0807060504030201;
  data_a[2] = 0x09;
  expect_none("unaligned load from normal memory", load(odd) == 0x0908070605040302);
  el1_load("alignment fault, device memory", AT_PAGE(P_DEVICE) + 1, ALIGNMENT);
  load_exclusive(odd);
  expect("alignment fault, exclusive", EC_DATA_ABORT_EL1, ALIGNMENT, odd, (u64)load_exclusive);
  sctlr_set(SCTLR_A);
  el1_load("alignment fault, SCTLR.A, load", odd, ALIGNMENT);
  el1_store("alignment fault, SCTLR.A, store", odd, ALIGNMENT);
  el0_load("alignment fault, SCTLR.A, EL0 load", odd, ALIGNMENT);
  sctlr_clear(SCTLR_A);

  u64 pc = through(P_CODE, landing) + 2;
  jump(pc);
  expect("PC alignment fault", EC_PC_ALIGNMENT, 0, pc, pc);

  // A misaligned SP leaves FAR unknown, so what it reads is not compared.
  at_el0(load_from_stack, AT_PAGE(P_USER) + 8);
  expect("SP alignment fault, EL0", EC_SP_ALIGNMENT, 0, fault.far, through(P_CODE, load_from_stack) + 4);
}

static void use(u64 asid, const u64 *root) {
  write_sysreg(ttbr0_el1, asid << 48 | (u64)root);
  isb();
}

static bool tagged_is(u64 value) {
  return load(AT_PAGE(P_TAGGED)) == value;
}

// Break before make (D8.14.1): the entry is invalid, the TLB is told, then the new entry is written.
#define REMAP(entry, value, operation, argument)                                     \
  do {                                                                               \
    *(volatile u64 *)&(entry) = 0;                                                   \
    asm volatile("dsb ishst\n tlbi " operation ", %0\n dsb ish\n isb" ::"r"(argument) : "memory"); \
    load(AT_PAGE(P_TAGGED));                                                         \
    expect("  entry invalid after tlbi " operation, EC_DATA_ABORT_EL1, TRANSLATION | 3, AT_PAGE(P_TAGGED), (u64)load); \
    *(volatile u64 *)&(entry) = (value);                                             \
    asm volatile("dsb ishst\n isb" ::: "memory");                                    \
  } while (0)

static void address_spaces(void) {
  const u64 a = level3[P_TAGGED], b = other_3[P_TAGGED], page = AT_PAGE(P_TAGGED) >> 12;
  data_a[0] = 0xaaaa, data_b[0] = 0xbbbb;

  use(1, identity);
  bool first = tagged_is(0xaaaa);
  use(2, other_identity);
  bool second = tagged_is(0xbbbb);
  use(1, identity);
  expect_none("two ASIDs, two pages, no TLBI", first && second && tagged_is(0xaaaa));

  REMAP(level3[P_TAGGED], b, "vae1", 1ul << 48 | page);
  expect_none("remapped for ASID 1, TLBI VAE1", tagged_is(0xbbbb));
  REMAP(level3[P_TAGGED], a, "aside1", 1ul << 48);
  expect_none("remapped for ASID 1, TLBI ASIDE1", tagged_is(0xaaaa));
  REMAP(level3[P_TAGGED], b, "vaae1is", page);
  expect_none("remapped for ASID 1, TLBI VAAE1IS", tagged_is(0xbbbb));
  REMAP(level3[P_TAGGED], a, "vale1", 1ul << 48 | page);
  expect_none("remapped for ASID 1, TLBI VALE1", tagged_is(0xaaaa));

  asm volatile("tlbi aside1, %0\n dsb ish\n isb" ::"r"(1ul << 48) : "memory");
  use(1, other_identity);
  expect_none("ASID 1 given to other tables, TLBI ASIDE1", tagged_is(0xbbbb));
  asm volatile("tlbi vmalle1\n dsb ish\n isb" ::: "memory");
  use(1, identity);
  expect_none("and given back, TLBI VMALLE1", tagged_is(0xaaaa));
}

int main(const char *bootargs) {
  (void)bootargs;
  identity_map();
  map();
  mmu_on((u64)identity);
  expect_none("MMU on: the program still runs, the console still prints", read_sysreg(sctlr_el1) & 1);
  aliases();
  translation_faults();
  permission_faults();
  access_flag_faults();
  alignment_faults();
  address_spaces();
  return check_result("mmu");
}
