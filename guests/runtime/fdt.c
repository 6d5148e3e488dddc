#include "fdt.h"

enum { MAGIC = 0xd00dfeed, BEGIN_NODE = 1, END_NODE = 2, PROP = 3, NOP = 4 };

// Header words, by index.
enum { H_MAGIC = 0, H_STRUCT = 2, H_STRINGS = 3 };

static u32 big_endian(const u32 *word) {
  return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? *word : __builtin_bswap32(*word);
}

static bool equal(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

static const u32 *after(const void *text, size_t bytes) {
  return (const u32 *)(((uintptr_t)text + bytes + 3) & ~(uintptr_t)3);
}

static size_t length_with_zero(const char *text) {
  size_t n = 0;
  while (text[n++]) {
  }
  return n;
}

void fdt_bootargs(const void *tree, char *out, size_t size) {
  const u32 *header = tree;
  out[0] = 0;
  if (!tree || big_endian(&header[H_MAGIC]) != MAGIC) return;

  const char *strings = (const char *)tree + big_endian(&header[H_STRINGS]);
  const u32 *at = (const u32 *)((const char *)tree + big_endian(&header[H_STRUCT]));
  int depth = 0;  // the root is 1, its children are 2
  bool in_chosen = false;

  for (;;) {
    switch (big_endian(at++)) {
      case BEGIN_NODE:
        in_chosen = ++depth == 2 && equal((const char *)at, "chosen");
        at = after(at, length_with_zero((const char *)at));
        break;
      case END_NODE:
        in_chosen = false;
        depth--;
        break;
      case PROP: {
        u32 length = big_endian(&at[0]);
        const char *name = strings + big_endian(&at[1]), *value = (const char *)&at[2];
        if (in_chosen && equal(name, "bootargs")) {
          for (size_t i = 0; i + 1 < size && i < length && value[i]; i++) out[i] = value[i], out[i + 1] = 0;
          return;
        }
        at = after(value, length);
        break;
      }
      case NOP:
        break;
      default:  // END, or not a tree
        return;
    }
  }
}
