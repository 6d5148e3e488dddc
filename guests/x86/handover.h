// How this machine hands over to a program, and how a program ends: Multiboot, port 0xF4.
#pragma once

#include "../runtime/boot.h"
#include "platform.h"

// The Multiboot information block, as far as it is read (0.6.96, 3.3).
struct multiboot {
  u32 flags, lower, upper, boot_device, command_line;
};

// Behind the image's own name, which comes first.
static inline void boot_arguments(const void *block, char *out, size_t size) {
  const struct multiboot *multiboot = block;
  out[0] = 0;
  if (!(multiboot->flags & 4)) return;
  const char *line = (const char *)(u64)multiboot->command_line;
  while (*line && *line != ' ') line++;
  while (*line == ' ') line++;
  size_t n = 0;
  for (; line[n] && n + 1 < size; n++) out[n] = line[n];
  out[n] = 0;
}

_Noreturn static inline void end(int code) {
  out32(EXIT, (u32)code);
  for (;;) asm volatile("cli; hlt");
}
