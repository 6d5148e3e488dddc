/*
 * Runs x86 instructions one case at a time at CPL 3, under qemu-x86_64 or qemu-i386 (or on the machine itself), and reports what they did: cases on
 * stdin, results on stdout. Every case ends in a signal: SIGTRAP of the INT3 behind it or at its branch's target, or the fault it took. The handler
 * records the interrupted context, loads the next case into it and returns. Freestanding, so that FS and GS belong to the cases.
 * The layout of memory and of the records is that of x86-user.ts.
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned long word;

#define WRITABLE 0x2000ul
#define READABLE 0x3000ul
#define CODE_SIZE 0x10000ul
#define WINDOW 256
#define FPU 512

#ifdef __x86_64__
#define CODE 0x1000000000ul
#define DATA 0x1000080000ul
#else
#define CODE 0x10000000ul
#define DATA 0x10080000ul
#endif

struct in {
  u64 r[16], rip, flags, window;
  u32 count, fpu;
  u8 code[16], bytes[WINDOW], state[FPU];
};

struct out {
  u64 r[16], rip, flags, address;
  u32 code, pad, signal, stray;
  u8 bytes[WINDOW], state[FPU];
};

#ifdef __x86_64__
struct context {
  word r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags;
  unsigned short cs, gs, fs, ss;
  word error, trap, mask, cr2;
  u8 *fpu;
};
struct ucontext {
  word flags, link, stack[3];
  struct context m;
};
enum { READ = 0, WRITE = 1, MMAP = 9, MPROTECT = 10, SIGACTION = 13, EXIT = 60, SIGALTSTACK = 131, ARCH_PRCTL = 158 };
static long sys(long n, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
}
__asm__(".globl _start\n_start: and $-16, %rsp\ncall begin\n.globl restore\nrestore: mov $15, %eax\nsyscall\n");
#else
struct context {
  u32 gs, fs, es, ds, di, si, bp, sp, bx, dx, cx, ax, trap, error, ip, cs, flags, sp_at_signal, ss;
  u8 *fpu;
  u32 mask, cr2;
};
struct ucontext {
  word flags, link, stack[3];
  struct context m;
};
enum { READ = 3, WRITE = 4, MMAP = 192, MPROTECT = 125, SIGACTION = 174, EXIT = 1, SIGALTSTACK = 186, SET_THREAD_AREA = 243 };
static long sys6(const long *a) {
  long result;
  __asm__ volatile("pushl %%ebp\npushl %%ebx\nmovl %1, %%eax\nmovl 4(%%eax), %%ebx\nmovl 8(%%eax), %%ecx\nmovl 12(%%eax), %%edx\n"
                   "movl 16(%%eax), %%esi\nmovl 20(%%eax), %%edi\nmovl 24(%%eax), %%ebp\nmovl (%%eax), %%eax\nint $0x80\npopl %%ebx\npopl %%ebp"
                   : "=&a"(result) : "r"(a) : "ecx", "edx", "esi", "edi", "memory");
  return result;
}
static long sys(long n, long a, long b, long c, long d, long e, long f) {
  long all[7] = {n, a, b, c, d, e, f};
  return sys6(all);
}
__asm__(".globl _start\n_start: andl $-16, %esp\ncall begin\n.globl restore\nrestore: movl $173, %eax\nint $0x80\n");
#endif

struct information {
  int signal, error, code;
  word address;
};

extern void restore(void);

static struct in *cases;
static struct out *results;
static u64 count, next;
static u8 shadow[WRITABLE];
static u8 stack[1 << 16];

void *memcpy(void *to, const void *from, word n) {
  u8 *t = to;
  const u8 *f = from;
  while (n-- > 0) *t++ = *f++;
  return to;
}
void *memset(void *to, int value, word n) {
  u8 *t = to;
  while (n-- > 0) *t++ = (u8)value;
  return to;
}

static u8 fill(u64 address) { return (u8)(address * 13 + (address >> 8) * 7 + 5); }

static void quit(int status) {
  sys(EXIT, status, 0, 0, 0, 0, 0);
  for (;;) {}
}

static void all(int write_it, void *at, word bytes) {
  u8 *p = at;
  while (bytes > 0) {
    long n = sys(write_it ? WRITE : READ, write_it ? 1 : 0, (long)p, (long)bytes, 0, 0, 0);
    if (n <= 0) quit(3);
    p += n;
    bytes -= (word)n;
  }
}

static void *map(word at, word bytes, int prot) {
  /* MAP_PRIVATE, MAP_ANONYMOUS, and MAP_FIXED where a place is given. */
  long result = sys(MMAP, (long)at, (long)bytes, prot, at ? 0x32 : 0x22, -1, 0);
  if (result < 0 && result > -4096) quit(4);
  return (void *)result;
}

/* The handler's own code must not need what the cases change: DF is cleared on entry by the kernel, and FS and GS are not used. */
static void record(int signal, const struct information *info, struct context *m) {
  struct in *c = &cases[next];
  struct out *r = &results[next];
#ifdef __x86_64__
  word values[16] = {m->ax, m->cx, m->dx, m->bx, m->sp, m->bp, m->si, m->di, m->r8, m->r9, m->r10, m->r11, m->r12, m->r13, m->r14, m->r15};
  for (int i = 0; i < 16; i++) r->r[i] = values[i];
#else
  word values[8] = {m->ax, m->cx, m->dx, m->bx, m->sp, m->bp, m->si, m->di};
  for (int i = 0; i < 8; i++) r->r[i] = values[i];
#endif
  r->rip = m->ip;
  r->flags = m->flags;
  r->code = (u32)info->code;
  r->address = info->address;
  r->signal = (u32)signal;
  memset((void *)(word)c->rip, 0xcc, 16);
  u8 *window = (u8 *)(word)c->window;
  memcpy(r->bytes, window, WINDOW);
  memcpy(window, &shadow[c->window - DATA], WINDOW);
  u8 *data = (u8 *)DATA;
  r->stray = 0;
  for (word i = 0; i < WRITABLE; i++) {
    if (data[i] == shadow[i]) continue;
    r->stray = 1;
    data[i] = shadow[i];
  }
#ifdef __x86_64__
  memcpy(r->state, m->fpu, FPU);
#endif
  next++;
}

static void handler(int signal, const struct information *info, struct ucontext *context) {
  static int started;
  struct context *m = &context->m;
  if (started) record(signal, info, m);
  started = 1;
  if (next == count) {
    all(1, results, (word)count * sizeof *results);
    quit(0);
  }
  struct in *c = &cases[next];
  memcpy((void *)(word)c->rip, c->code, c->count);
  memcpy((void *)(word)c->window, c->bytes, WINDOW);
  word r[16];
  for (int i = 0; i < 16; i++) r[i] = (word)c->r[i];
  m->ax = r[0], m->cx = r[1], m->dx = r[2], m->bx = r[3], m->sp = r[4], m->bp = r[5], m->si = r[6], m->di = r[7];
#ifdef __x86_64__
  m->r8 = r[8], m->r9 = r[9], m->r10 = r[10], m->r11 = r[11], m->r12 = r[12], m->r13 = r[13], m->r14 = r[14], m->r15 = r[15];
  if (c->fpu) memcpy(m->fpu, c->state, 416);
#endif
  m->ip = (word)c->rip;
  m->flags = (word)c->flags;
}

void begin(void) {
  all(0, &count, sizeof count);
  cases = map(0, (word)count * sizeof *cases, 3);
  results = map(0, (word)count * sizeof *results, 3);
  all(0, cases, (word)count * sizeof *cases);
  memset(map(CODE, CODE_SIZE, 7), 0xcc, CODE_SIZE);
  u8 *data = map(DATA, READABLE, 3);
  for (word i = 0; i < READABLE; i++) data[i] = fill(DATA + i);
  memcpy(shadow, data, WRITABLE);
  sys(MPROTECT, DATA + WRITABLE, READABLE - WRITABLE, 1, 0, 0, 0);
#ifdef __x86_64__
  sys(ARCH_PRCTL, 0x1002, DATA + 0x100, 0, 0, 0, 0);
  sys(ARCH_PRCTL, 0x1001, DATA + 0x300, 0, 0, 0, 0);
#else
  /* 32-bit data segments of 4 GiB with bases of their own. */
  u32 fs[4] = {(u32)-1, DATA + 0x100, 0xfffff, 0x51};
  u32 gs[4] = {(u32)-1, DATA + 0x300, 0xfffff, 0x51};
  sys(SET_THREAD_AREA, (long)fs, 0, 0, 0, 0, 0);
  sys(SET_THREAD_AREA, (long)gs, 0, 0, 0, 0, 0);
  __asm__ volatile("movw %w0, %%fs\nmovw %w1, %%gs" : : "r"(fs[0] * 8 + 3), "r"(gs[0] * 8 + 3));
#endif
  word alternate[3] = {(word)stack, 0, sizeof stack};
  sys(SIGALTSTACK, (long)alternate, 0, 0, 0, 0, 0);
  /* SA_SIGINFO, SA_ONSTACK, SA_RESTORER; all signals are blocked meanwhile. */
  struct {
    void *handler;
    word flags;
    void *restorer;
    u64 mask;
  } action = {handler, 0x0c000004, restore, ~0ull};
  int signals[] = {4, 5, 7, 8, 11};
  for (int i = 0; i < 5; i++) sys(SIGACTION, signals[i], (long)&action, 0, 8, 0, 0);
  __asm__ volatile("int3");
  quit(5);
}
