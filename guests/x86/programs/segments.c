// segments: what may be loaded into a segment register, reached by a far call, described by LAR and its kin, over every kind of descriptor.
// It judges nothing: it prints what the CPU says, to be compared with what another CPU says.
#include "../../runtime/boot.h"
#include "../../runtime/print.h"
#include "../exception.h"
#include "../paging.h"

extern const u8 user_load_ds[], user_load_ss[], user_load_fs[], user_far_call[];

static void load_ds(u64 s) { asm volatile("movl %k0, %%ds" ::"r"(s) : "memory"); }
static void load_ss(u64 s) { asm volatile("movl %k0, %%ss" ::"r"(s) : "memory"); }
static void load_fs(u64 s) { asm volatile("movl %k0, %%fs" ::"r"(s) : "memory"); }
static void load_ldt(u64 s) { asm volatile("lldt %w0" ::"r"(s) : "memory"); }
static void load_task(u64 s) { asm volatile("ltr %w0" ::"r"(s) : "memory"); }

static void outcome(bool failed) {
  if (!failed) print("-- ");
  else print("%x:%x ", (unsigned)caught.frame.vector, (unsigned)caught.frame.error);
}

static void at_kernel(void (*f)(u64), unsigned selector) {
  outcome(attempt(f, selector));
}

static void at_user(const void *f, unsigned selector) {
  user(f, selector, 2);
  outcome(caught.frame.vector != SYSTEM_CALL);
}

// A descriptor of 16 bytes' room: type and S 4:0, DPL 6:5, P 7 of `access`; L and D in `size`.
static void describe(unsigned slot, unsigned access, unsigned size) {
  gdt[slot] = 0x000f00000000ffffull | (u64)access << 40 | (u64)size << 53;
  gdt[slot + 1] = 0;
}

static void data_segments(void) {
  for (unsigned access = 0; access < 256; access++) {
    print("\n%02x: ", access);
    for (unsigned rpl = 0; rpl < 4; rpl++) {
      describe(8, access, 2);
      unsigned selector = 8 * 8 | rpl;
      at_kernel(load_ds, selector);
      at_kernel(load_ss, selector);
      describe(8, access, 2);
      at_user(user_load_ds, selector);
      at_user(user_load_ss, selector);
      at_user(user_load_fs, selector);
      print("%x ", (unsigned)(gdt[8] >> 40 & 255)); // the accessed flag
    }
  }
}

static void questions(void) {
  for (unsigned access = 0; access < 256; access++) {
    print("\nask %02x: ", access);
    for (unsigned rpl = 0; rpl < 4; rpl += 3) {
      describe(8, access, 4 | 1);
      u64 rights = 0x1234567890, limit = 0x1234567890;
      u64 selector = 8 * 8 | rpl;
      u8 zero[4];
      asm volatile("lar %3, %0; setz %1; lsl %3, %2" : "+r"(rights), "=qm"(zero[0]), "+r"(limit) : "r"(selector) : "cc");
      asm volatile("lsl %1, %0" : "+r"(limit) : "r"(selector) : "cc");
      asm volatile("verr %w1; setz %0" : "=qm"(zero[2]) : "r"(selector) : "cc");
      asm volatile("verw %w1; setz %0" : "=qm"(zero[3]) : "r"(selector) : "cc");
      print("%lx %u %lx %u %u ", rights, zero[0], limit, zero[2], zero[3]);
    }
  }
}

// A far call to a code segment or gate: where the code is, it returns.
extern const u8 far_target[];
asm(".text; .balign 16; far_target: lretq; .previous");
static const struct { u32 offset; uint16_t selector; } __attribute__((packed)) far_pointer_type;

static void far_call(u64 selector) {
  (void)far_pointer_type;
  struct { u64 offset; uint16_t selector; } __attribute__((packed)) pointer = {(u64)far_target, (uint16_t)selector};
  asm volatile("rex.w lcall *%0" ::"m"(pointer) : "memory", "cc");
}

static void far_calls(void) {
  for (unsigned access = 0; access < 256; access++)
    for (unsigned size = 0; size < 4; size++) {
      // Compatibility-mode code would execute LRETQ as something else.
      bool code = (access & 0x18) == 0x18;
      if (code && size != 1 && size != 3) continue;
      if (!code && size != 0) continue;
      print("\nfar %02x %u: ", access, size);
      for (unsigned rpl = 0; rpl < 4; rpl++) {
        describe(8, access, size);
        if (!code) gdt[8] = (u64)access << 40 | ((u64)far_target & 0xffff) | (u64)KERNEL_CODE << 16 | ((u64)far_target & 0xffff0000) << 32;
        at_kernel(far_call, 8 * 8 | rpl);
        // From CPL 3 a code segment leads to offset 0, which is the supervisor's page.
        at_user(user_far_call, 8 * 8 | rpl);
      }
    }
}

static void system_segments(void) {
  for (unsigned access = 0; access < 256; access++) {
    print("\nsystem %02x: ", access);
    for (unsigned upper = 0; upper < 3; upper++) {
      describe(8, access, 0);
      gdt[9] = upper == 1 ? 1ull << 40 : upper == 2 ? 0x8000 : 0;
      at_kernel(load_ldt, 8 * 8);
      at_kernel(load_ldt, 8 * 8 | 4);
      describe(8, access, 0);
      gdt[9] = upper == 1 ? 1ull << 40 : upper == 2 ? 0x8000 : 0;
      at_kernel(load_task, 8 * 8);
      print("%x ", (unsigned)(gdt[8] >> 40 & 255));
      gdt[5] &= ~(2ull << 40);
      asm volatile("ltr %w0" ::"r"(TASK) : "memory");
    }
  }
  at_kernel(load_ldt, 0);
}

static void odd_selectors(void) {
  static const uint16_t selectors[] = {0, 1, 2, 3, 4, 7, 0xfff8, 0x1008, 0xffb, 0xff8, 0xfff};
  for (unsigned n = 0; n < COUNT_OF(selectors); n++) {
    print("\nodd %x: ", selectors[n]);
    at_kernel(load_ds, selectors[n]);
    at_kernel(load_ss, selectors[n]);
    at_kernel(load_fs, selectors[n]);
    at_user(user_load_ds, selectors[n]);
    at_user(user_load_ss, selectors[n]);
    at_kernel(far_call, selectors[n]);
  }
}

int main(const char *bootargs) {
  (void)bootargs;
  exceptions_on();
  probe_on();
  data_segments();
  questions();
  far_calls();
  system_segments();
  odd_selectors();
  print("\n");
  return 0;
}
