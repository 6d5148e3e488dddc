// sieve: the primes below 1,000,000 by Eratosthenes, a byte each: strided stores. There are 78,498 of them.
#include "bench.h"

#define LIMIT 1000000

static u8 composite[LIMIT];

void prepare(void) {}

u32 work(u32 sum) {
  u32 primes = 0;
  for (u32 i = 2; i < LIMIT; i++) composite[i] = 0;
  for (u32 i = 2; i < LIMIT; i++) {
    if (composite[i]) continue;
    primes++;
    for (u32 k = 2 * i; k < LIMIT; k += i) composite[k] = 1;
  }
  return sum + primes;
}
