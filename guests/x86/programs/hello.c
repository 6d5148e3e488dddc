// hello: the least a guest can do. Prints its level, its CPU and its boot arguments, and exits with 0.
#include "../../runtime/boot.h"
#include "../../runtime/print.h"
#include "../platform.h"

int main(const char *bootargs) {
  struct cpuid vendor = cpuid(0, 0);
  char name[13];
  const u32 words[] = {vendor.ebx, vendor.edx, vendor.ecx};
  for (unsigned i = 0; i < 12; i++) name[i] = (char)(words[i / 4] >> (8 * (i % 4)));
  name[12] = 0;
  uint16_t cs;
  asm("movw %%cs, %0" : "=r"(cs));
  print("hello from CPL %u, %s, CPUID.1:EAX 0x%x, bootargs '%s'\n", cs & 3, name, cpuid(1, 0).eax, bootargs);
  return 0;
}
