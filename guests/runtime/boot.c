#include "boot.h"

#include "handover.h"
#include "print.h"

// Copied out of what the loader left, because a program may map memory without it.
static char bootargs[256];

_Noreturn void boot(const void *handed) {
  boot_arguments(handed, bootargs, sizeof bootargs);
  exit(main(bootargs));
}

_Noreturn void exit(int code) {
  print("\nEXIT: STATUS=%d\n", (code << 1) | 1);
  end(code);
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
