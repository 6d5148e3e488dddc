// System registers, by the assembler's name or as S<op0>_<op1>_C<n>_C<m>_<op2>.
#pragma once

#include "../runtime/types.h"

#define TEXT_OF(x) #x
#define REGISTER_TEXT(name) TEXT_OF(name)

#define read_sysreg(name)                                                   \
  ({                                                                        \
    u64 value_;                                                             \
    asm volatile("mrs %0, " REGISTER_TEXT(name) : "=r"(value_)::"memory");  \
    value_;                                                                 \
  })

#define write_sysreg(name, value) asm volatile("msr " REGISTER_TEXT(name) ", %x0" ::"rZ"((u64)(value)) : "memory")

static inline void isb(void) {
  asm volatile("isb" ::: "memory");
}

// `width` bits of `value`, from bit `low`.
static inline u64 bits(u64 value, unsigned low, unsigned width) {
  return (value >> low) & ((1ull << width) - 1);
}
