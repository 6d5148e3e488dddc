// How this machine hands over to a program, and how a program ends: a device tree, RTAS.
#pragma once

#include "../runtime/boot.h"
#include "../runtime/fdt.h"

static inline void boot_arguments(const void *device_tree, char *out, size_t size) {
  fdt_bootargs(device_tree, out, size);
}

_Noreturn static inline void end(int code) {
  (void)code;
  power_off();
}
