// Every benchmark program: prints `S`, does its kernel's work `repeat=N` times (1 without it), prints `E` and the result.
// With `mmu=on` it runs under an identity map, else on physical addresses.
#include "../runtime/boot.h"
#include "../runtime/print.h"
#include "bench.h"

static u64 repeats(const char *bootargs) {
  static const char key[] = "repeat=";
  for (const char *p = bootargs; *p; p++) {
    if (p != bootargs && p[-1] != ' ') continue;
    const char *k = key;
    const char *v = p;
    while (*k && *v == *k) v++, k++;
    if (*k) continue;
    u64 n = 0;
    for (; *v >= '0' && *v <= '9'; v++) n = 10 * n + (u64)(*v - '0');
    return n;
  }
  return 1;
}

int main(const char *bootargs) {
  u64 n = repeats(bootargs);
  u32 sum = 0;
  if (has_word(bootargs, "mmu=on")) paging_on();
  prepare();
  print("S\n");
  while (n-- > 0) sum = work(sum);
  print("E %x\n", sum);
  return 0;
}
