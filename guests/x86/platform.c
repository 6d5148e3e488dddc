#include "platform.h"

#include "../runtime/boot.h"
#include "../runtime/print.h"

void console_put(char c) {
  while (!(in8(COM1 + 5) & 0x20));
  out8(COM1, (u8)c);
}

_Noreturn void power_off(void) {
  for (;;) asm volatile("cli; hlt");
}

// start.S maps the first 4 GiB to themselves before anything else: 64-bit code has no other way to run.
void paging_on(void) {}
