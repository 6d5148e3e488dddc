#include "boot.h"

#include "fdt.h"
#include "print.h"

// Copied out of the device tree, because a program may map memory without it.
static char bootargs[256];

_Noreturn void boot(const void *device_tree) {
  fdt_bootargs(device_tree, bootargs, sizeof bootargs);
  exit(main(bootargs));
}

_Noreturn void exit(int code) {
  print("\nEXIT: STATUS=%d\n", (code << 1) | 1);
  power_off();
}

bool has_word(const char *text, const char *word) {
  while (*text) {
    const char *w = word;
    while (*w && *text == *w) text++, w++;
    if (!*w && (!*text || *text == ' ')) return true;
    while (*text && *text != ' ') text++;
    while (*text == ' ') text++;
  }
  return false;
}
