#include "platform.h"

#include "../runtime/boot.h"
#include "../runtime/print.h"
#include "sysreg.h"

void console_put(char c) {
  *(volatile u8 *)UART = (u8)c;
}

int64_t psci(u64 function, u64 a, u64 b, u64 c) {
  register u64 x0 asm("x0") = function, x1 asm("x1") = a, x2 asm("x2") = b, x3 asm("x3") = c;
  asm volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
  return (int64_t)x0;
}

_Noreturn void power_off(void) {
  psci(PSCI_SYSTEM_OFF, 0, 0, 0);
  for (;;) asm volatile("wfi");
}
