// fib: the 27th Fibonacci number by plain recursion, 196,418: calls, returns and stack traffic.
#include "bench.h"

void prepare(void) {}

// Not inlined into itself, so that every call is one.
__attribute__((noinline, noclone, optimize("no-optimize-sibling-calls"))) static u32 fib(u32 n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

u32 work(u32 sum) {
  return sum + fib(27);
}
