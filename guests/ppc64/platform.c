#include "platform.h"

#include "../runtime/boot.h"
#include "../runtime/print.h"

int64_t hcall(u64 number, u64 a, u64 b, u64 c, u64 d) {
  register u64 r3 asm("r3") = number, r4 asm("r4") = a, r5 asm("r5") = b, r6 asm("r6") = c, r7 asm("r7") = d;
  asm volatile("sc 1"
               : "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7)
               :
               : "r0", "r8", "r9", "r10", "r11", "r12", "lr", "ctr", "xer", "cr0", "cr1", "cr5", "cr6", "cr7", "memory");
  return (int64_t)r3;
}

void console_put(char c) {
  hcall(H_PUT_TERM_CHAR, 0, 1, (u64)(u8)c << 56, 0);
}

int rtas(enum rtas_service token, unsigned inputs, const u32 *arguments) {
  static u32 buffer[16];
  buffer[0] = big32(token), buffer[1] = big32(inputs), buffer[2] = big32(1);
  for (unsigned i = 0; i < inputs; i++) buffer[3 + i] = big32(arguments[i]);
  hcall(H_RTAS, (u64)buffer, 0, 0, 0);
  return (int)big32(buffer[3 + inputs]);
}

_Noreturn void power_off(void) {
  rtas(RTAS_POWER_OFF, 2, (const u32[]){~0u, ~0u});
  for (;;) {
  }
}
