// paging: who may read, write and execute a page, over every combination of what decides it; error codes, accessed and dirty flags, reserved bits.
// It judges nothing: it prints what the CPU says, to be compared with what another CPU says.
#include "../../runtime/boot.h"
#include "../../runtime/print.h"
#include "../paging.h"

extern const u8 user_read[], user_write[], user_modify[], user_fetch[];

static void read(u64 at) { (void)*(volatile u64 *)at; }
static void write(u64 at) { *(volatile u64 *)at = 0; }
static void modify(u64 at) { asm volatile("addq $0, (%0)" ::"r"(at) : "memory", "cc"); }
static void fetch(u64 at) { ((void (*)(void))at)(); }

static void (*const kernel[])(u64) = {read, write, modify, fetch};
static const u8 *const users[] = {user_read, user_write, user_modify, user_fetch};

// Data lies behind the code.
#define DATA (PROBE + 64)
static u64 target(u64 which) { return which == 3 ? PROBE : DATA; }

static u64 flags; // of the access: AC or not

static void with_flags(u64 which) {
  asm volatile("pushfq; popq %%rax; andq $~0x40000, %%rax; orq %0, %%rax; pushq %%rax; popfq" ::"r"(flags) : "rax", "cc", "memory");
  kernel[which](target(which));
}

// One access: '--' when nothing happened, else the error code (of #PF) or the vector; then the accessed and dirty flags of the last entry.
static void one(unsigned which, bool at_user, volatile u64 *leaf) {
  *leaf &= ~(ACCESSED | DIRTY);
  forget(PROBE);
  bool failed;
  if (at_user) {
    user(users[which], target(which), 2 | flags);
    failed = caught.frame.vector != SYSTEM_CALL;
  } else {
    failed = attempt(with_flags, which);
  }
  if (!failed) print("--");
  else if (caught.frame.vector == 14) print("%02x", (unsigned)caught.frame.error);
  else print("v%x", (unsigned)caught.frame.vector);
  if (failed && caught.frame.vector == 14 && caught.cr2 != target(which)) print("!");
  print("%x ", (unsigned)((*leaf >> 5) & 3));
}

static void all(volatile u64 *leaf) {
  for (unsigned at_user = 0; at_user < 2; at_user++)
    for (unsigned which = 0; which < 4; which++) one(which, at_user, leaf);
}

static void controls(unsigned bits) {
  write_cr0((read_cr0() & ~(u64)CR0_WP) | (bits & 1 ? CR0_WP : 0));
  write_cr4((read_cr4() & ~(u64)(CR4_SMEP | CR4_SMAP)) | (bits & 2 ? CR4_SMEP : 0) | (bits & 4 ? CR4_SMAP : 0));
  write_msr(EFER, (read_msr(EFER) & ~(u64)EFER_NXE) | (bits & 8 ? EFER_NXE : 0));
  flags = bits & 16 ? FLAG_AC : 0;
}

static u64 rights(unsigned bits) {
  return (bits & 1 ? P : 0) | (bits & 2 ? RW : 0) | (bits & 4 ? US : 0) | (bits & 8 ? NX : 0);
}

static void small_pages(void) {
  for (unsigned mode = 0; mode < 32; mode++) {
    controls(mode);
    for (unsigned upper = 0; upper < 4; upper++) {
      probe_pd[0] = (u64)probe_pt | P | (upper & 1 ? RW : 0) | (upper & 2 ? US : 0);
      print("\n%02x %x: ", mode, upper);
      for (unsigned bits = 0; bits < 16; bits++) {
        probe_pt[0] = (u64)probe_page | rights(bits);
        all(&probe_pt[0]);
      }
    }
  }
}

// A page of 2 MiB or 1 GiB whose first bytes are probe_page's: it begins at 0, and the probe goes to where the page is.
static void large_page(const char *name, u64 *entry, u64 extra) {
  for (unsigned mode = 0; mode < 32; mode += 5) {
    controls(mode);
    print("\n%s %02x: ", name, mode);
    for (unsigned bits = 0; bits < 16; bits++) {
      *entry = rights(bits) | PS | extra;
      all(entry);
    }
  }
}

static void reserved(void) {
  controls(1 | 8);
  static const u64 bits[] = {0, 1ull << 7, 1ull << 8, 1ull << 12, 1ull << 13, 1ull << 20, 1ull << 21, 1ull << 29, 1ull << 48, 1ull << 51, 1ull << 52, 1ull << 62};
  u64 *const entries[] = {&probe_pt[0], &probe_pd[0], &probe_pdpt[0]};
  for (unsigned large = 0; large < 2; large++)
    for (unsigned level = 0; level < 3; level++) {
      if (large && level == 0) continue;
      print("\nreserved %u%s: ", level, large ? " large" : "");
      for (unsigned n = 0; n < COUNT_OF(bits); n++) {
        // Bits that are part of an address lead elsewhere, to what the probe must not touch.
        bool address = !large && bits[n] >= 1ull << 12 && bits[n] <= 1ull << 29;
        if (large && level == 1 && bits[n] >= 1ull << 21 && bits[n] <= 1ull << 29) address = true;
        if (address || (!large && level == 1 && bits[n] == PS) || (!large && level == 2 && bits[n] == PS)) continue;
        probe_pt[0] = (u64)probe_page | P | RW;
        probe_pd[0] = (u64)probe_pt | P | RW;
        probe_pdpt[0] = (u64)probe_pd | P | RW;
        if (large) *entries[level] = P | RW | PS;
        *entries[level] |= bits[n];
        print("%u:", n);
        one(0, false, entries[level]);
        one(1, false, entries[level]);
        one(0, true, entries[level]);
      }
    }
  probe_pdpt[0] = (u64)probe_pd | P | RW | US;
  probe_pd[0] = (u64)probe_pt | P | RW | US;
}

static void addresses(void) {
  static const u64 places[] = {0x7fffffffffffull, 0x800000000000ull, 0xffff7fffffffffffull, 0xffff800000000000ull, 0x7ffffffffffaull};
  for (unsigned n = 0; n < COUNT_OF(places); n++)
    for (unsigned which = 0; which < 4; which++) {
      bool failed = attempt(kernel[which], places[n]);
      print("\n%lx %u: %u v%u e%x", places[n], which, failed, (unsigned)caught.frame.vector, (unsigned)caught.frame.error);
      if (caught.frame.vector == 14) print(" cr2 %lx", caught.cr2);
    }
}

// An access over the end of a page, the second of which is not there; and over the other edge.
static void straddling(void) {
  controls(1 | 8);
  probe_pt[0] = (u64)probe_page | P | RW | US;
  for (unsigned present = 0; present < 2; present++) {
    probe_pt[1] = present ? (u64)probe_page | P : 0;
    forget(PROBE + 4096);
    for (unsigned which = 0; which < 3; which++) {
      probe_pt[0] &= ~(ACCESSED | DIRTY);
      forget(PROBE);
      bool failed = attempt(kernel[which], PROBE + 4092);
      print("\nover %u %u: %u", present, which, failed);
      if (failed) print(" v%u e%x cr2 %lx", (unsigned)caught.frame.vector, (unsigned)caught.frame.error, caught.cr2);
    }
  }
}

int main(const char *bootargs) {
  (void)bootargs;
  exceptions_on();
  probe_on();
  probe_pdpt[0] = (u64)probe_pd | P | RW | US;
  // What is executed there is INT 0x80, at either level.
  probe_page[0] = 0xcd;
  probe_page[1] = SYSTEM_CALL;
  small_pages();
  // Large pages begin at address 0, whose first bytes the firmware has left: they get the same code.
  asm volatile("movw %0, 0" ::"r"(*(uint16_t *)probe_page) : "memory");
  large_page("2M", &probe_pd[0], 0);
  large_page("1G", &probe_pdpt[0], 0);
  probe_pdpt[0] = (u64)probe_pd | P | RW | US;
  reserved();
  addresses();
  straddling();
  print("\n");
  return 0;
}
