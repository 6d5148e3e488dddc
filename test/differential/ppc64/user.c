/*
 * Runs Power instructions one case at a time in problem state, under qemu-ppc64 or qemu-ppc64le, and reports what they did: cases on stdin, results on stdout,
 * in the byte order that it was compiled for. Every case ends in a signal: SIGTRAP of the trap behind it or at its branch's target, or what it took
 * itself. The handler records the interrupted context, loads the next case into it and returns.
 * The layout of memory and of the records is that of user.ts.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x1000000000ul
#define CODE_SIZE 0x10000ul
#define DATA 0x1000080000ul
#define WRITABLE 0x2000ul
#define READABLE 0x3000ul
#define WINDOW 192
#define WORDS 6
#define TRAP 0x7fe00008u

/* Places of registers in gp_regs, behind the 32 general ones. */
enum { NIP = 32, CTR = 35, LINK = 36, XER = 37, CCR = 38 };

struct in {
  uint64_t gpr[32], ctr, lr, xer, cr, pc, window;
  uint32_t count, pad, words[WORDS];
  uint8_t bytes[WINDOW];
};

struct out {
  uint64_t gpr[32], ctr, lr, xer, cr, pc, address;
  uint32_t signal, code, stray, pad;
  uint8_t bytes[WINDOW];
};

static struct in *cases;
static struct out *results;
static size_t count;
static size_t next;
static uint8_t shadow[WRITABLE];
/* The thread pointer, which the library's functions need and cases overwrite. */
static uint64_t thread;

static uint8_t fill(uint64_t address) { return (uint8_t)(address * 13 + (address >> 8) * 7 + 5); }

static void all(int write_it, void *at, size_t bytes) {
  char *p = at;
  while (bytes > 0) {
    ssize_t n = write_it ? write(1, p, bytes) : read(0, p, bytes);
    if (n <= 0) _exit(3);
    p += n;
    bytes -= (size_t)n;
  }
}

static void record(int signal, siginfo_t *info, mcontext_t *m) {
  struct in *c = &cases[next];
  struct out *r = &results[next];
  for (int i = 0; i < 32; i++) r->gpr[i] = m->gp_regs[i];
  r->pc = m->gp_regs[NIP];
  r->ctr = m->gp_regs[CTR];
  r->lr = m->gp_regs[LINK];
  r->xer = m->gp_regs[XER];
  r->cr = m->gp_regs[CCR];
  r->signal = (uint32_t)signal;
  r->code = (uint32_t)info->si_code;
  r->address = (uint64_t)info->si_addr;
  uint32_t *code = (uint32_t *)c->pc;
  for (uint32_t i = 0; i < c->count; i++) code[i] = TRAP;
  memcpy(r->bytes, (void *)c->window, WINDOW);
  memcpy((void *)c->window, &shadow[c->window - DATA], WINDOW);
  r->stray = memcmp((void *)DATA, shadow, WRITABLE) != 0;
  if (r->stray) memcpy((void *)DATA, shadow, WRITABLE);
  next++;
}

static void handler(int signal, siginfo_t *info, void *context) {
  __asm__ volatile("mr 13, %0" : : "r"(thread));
  static int started;
  mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
  if (started) record(signal, info, m);
  started = 1;
  if (next == count) {
    all(1, results, count * sizeof *results);
    _exit(0);
  }
  struct in *c = &cases[next];
  uint32_t *code = (uint32_t *)c->pc;
  for (uint32_t i = 0; i < c->count; i++) code[i] = c->words[i];
  memcpy((void *)c->window, c->bytes, WINDOW);
  for (int i = 0; i < 32; i++) m->gp_regs[i] = c->gpr[i];
  m->gp_regs[NIP] = c->pc;
  m->gp_regs[CTR] = c->ctr;
  m->gp_regs[LINK] = c->lr;
  m->gp_regs[XER] = c->xer;
  m->gp_regs[CCR] = c->cr;
}

int main(void) {
  uint64_t n;
  __asm__ volatile("mr %0, 13" : "=r"(thread));
  all(0, &n, sizeof n);
  count = n;
  cases = malloc(count * sizeof *cases);
  results = calloc(count, sizeof *results);
  all(0, cases, count * sizeof *cases);

  int prot = PROT_READ | PROT_WRITE;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  uint32_t *code = mmap((void *)CODE, CODE_SIZE, prot | PROT_EXEC, flags, -1, 0);
  uint8_t *data = mmap((void *)DATA, READABLE, prot, flags, -1, 0);
  stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
  if (code == MAP_FAILED || data == MAP_FAILED || stack.ss_sp == 0 || sigaltstack(&stack, 0)) return 4;
  for (size_t i = 0; i < CODE_SIZE / 4; i++) code[i] = TRAP;
  for (size_t i = 0; i < READABLE; i++) data[i] = fill(DATA + i);
  memcpy(shadow, data, WRITABLE);
  mprotect(data + WRITABLE, READABLE - WRITABLE, PROT_READ);

  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigfillset(&action.sa_mask);
  int signals[] = {SIGTRAP, SIGSEGV, SIGBUS, SIGILL};
  for (int i = 0; i < 4; i++) sigaction(signals[i], &action, 0);
  __asm__ volatile("trap");
  return 5;
}
