// hello: the least a guest can do. Prints its level, its CPU and its boot arguments, and exits with 0.
#include "../../runtime/boot.h"
#include "../../runtime/print.h"
#include "../sysreg.h"

// Pointers in data: in the position-independent build (hello-pie) they are what start.S has to relocate.
static const char *const levels[] = {"EL0", "EL1", "EL2", "EL3"};

int main(const char *bootargs) {
  u64 level = bits(read_sysreg(currentel), 2, 2);
  print("hello from %s, MIDR_EL1 0x%lx, bootargs '%s'\n", levels[level], read_sysreg(midr_el1), bootargs);
  return 0;
}
