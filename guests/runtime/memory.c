// The functions a compiler may call without being asked (GCC manual, "Language Standards Supported by GCC").
#include "types.h"

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
  u8 *t = to;
  for (const u8 *f = from; n; n--) *t++ = *f++;
  return to;
}

void *memset(void *to, int value, size_t n) {
  for (u8 *t = to; n; n--) *t++ = (u8)value;
  return to;
}
