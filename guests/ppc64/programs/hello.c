// hello: the least a guest can do. Prints its byte order, its CPU and its boot arguments, and exits with 0.
#include "../../runtime/boot.h"
#include "../../runtime/print.h"
#include "../spr.h"

int main(const char *bootargs) {
  const char *order = read_msr() & MSR_LE ? "little" : "big";
  print("hello from supervisor state, %s-endian, PVR 0x%lx, bootargs '%s'\n", order, read_spr(SPR_PVR), bootargs);
  return 0;
}
