// What QEMU's `pseries` machine offers: hypercalls (LoPAR 1.1, chapter 14) and run-time abstraction services (chapter 7).
#pragma once

#include "../runtime/types.h"

enum hypercall {
  H_GET_TERM_CHAR = 0x54,
  H_PUT_TERM_CHAR = 0x58,
  H_PERFMON = 0x7c,
  H_REGISTER_VPA = 0xdc,
  H_CEDE = 0xe0,
  H_SET_MODE = 0x31c,
  H_REGISTER_PROCESS_TABLE = 0x37c,
  H_RTAS = 0xf000,
};

int64_t hcall(u64 number, u64 a, u64 b, u64 c, u64 d);

// Tokens of services, as QEMU's device tree has them.
enum rtas_service { RTAS_POWER_OFF = 0x2003, RTAS_START_CPU = 0x2006 };

// With `inputs` arguments and one result, the status.
int rtas(enum rtas_service token, unsigned inputs, const u32 *arguments);

static inline u32 big32(u32 value) {
#ifdef __LITTLE_ENDIAN__
  return __builtin_bswap32(value);
#else
  return value;
#endif
}

static inline u64 big64(u64 value) {
#ifdef __LITTLE_ENDIAN__
  return __builtin_bswap64(value);
#else
  return value;
#endif
}
