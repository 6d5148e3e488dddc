// list: 512 KiB of list nodes in pseudo-random order, a call and a pseudo-random four-way dispatch for each: made to be
// mispredicted.
#include "bench.h"

struct node {
  struct node *next;
  u64 kind, a, b;
};

#define BYTES (512 * 1024)
#define NODES (BYTES / 32)

static struct node nodes[NODES];
static u32 order[NODES];

_Static_assert(sizeof(nodes) == BYTES, "32 bytes a node");

// xorshift32 (Marsaglia 2003).
static u32 state = 2463534242u;

static u32 next_random(void) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

void prepare(void) {
  for (u32 i = 0; i < NODES; i++) order[i] = i;
  for (u32 i = NODES - 1; i > 0; i--) {
    u32 j = next_random() % (i + 1), t = order[i];
    order[i] = order[j];
    order[j] = t;
  }
  for (u32 i = 0; i < NODES; i++) {
    struct node *n = &nodes[order[i]];
    n->next = i + 1 < NODES ? &nodes[order[i + 1]] : NULL;
    n->kind = next_random() >> 30;
    n->a = next_random();
    n->b = next_random();
  }
}

// Each case loads a field of its own choice, so that the compiler branches instead of computing all four.
__attribute__((noipa)) static u64 visit(const struct node *n, u64 sum) {
  switch (n->kind) {
    case 0:
      return sum + n->a;
    case 1:
      return sum ^ n->b << 3;
    case 2:
      return sum - (n->a & 0xff);
    default:
      return sum * 3 + n->b;
  }
}

u32 work(u32 sum) {
  u64 s = sum;
  for (const struct node *n = nodes + order[0]; n; n = n->next) s = visit(n, s);
  return (u32)(s ^ s >> 32);
}
