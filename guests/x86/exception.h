// Exceptions and interrupts: caught and described, or handled; and a way down to CPL 3 and back.
#pragma once

#include "platform.h"
#include "selectors.h"

#define FREE_SELECTOR 0x38 // from here on the GDT is a program's own
#define GDT_ENTRIES 512

#define SYSTEM_CALL 0x80 // what user code ends with

// What the CPU pushes, and what the stubs add below it.
struct frame {
  u64 vector, error, rip, cs, flags, rsp, ss;
};

struct caught {
  struct frame frame;
  u64 cr2;
};
extern struct caught caught;

extern u64 gdt[GDT_ENTRIES];
struct gate {
  u64 low, high;
};
extern struct gate idt[256];
extern struct task {
  u32 reserved0;
  u64 rsp[3], reserved1, ist[7], reserved2;
  uint16_t reserved3, io_map;
  u8 map[64];
} __attribute__((packed)) task;

// A handler that returns. Vectors without one are caught: attempt() and user() return.
typedef void hook(struct frame *frame);
extern hook *hooks[256];

void exceptions_on(void);
void set_gate(unsigned vector, u64 entry, unsigned selector, unsigned type_dpl_p, unsigned ist);
u64 stub_of(unsigned vector);

// Calls `f`. Whether an exception ended it: `caught` describes it.
bool attempt(void (*f)(u64), u64 argument);
// Calls `f` at CPL 3, with these flags; f ends with INT SYSTEM_CALL, which is caught like everything else.
void user(const void *f, u64 argument, u64 flags);

extern u8 user_stack[], user_stack_top[];

static inline u64 read_cr0(void) { u64 v; asm volatile("movq %%cr0, %0" : "=r"(v)); return v; }
static inline u64 read_cr3(void) { u64 v; asm volatile("movq %%cr3, %0" : "=r"(v)); return v; }
static inline u64 read_cr4(void) { u64 v; asm volatile("movq %%cr4, %0" : "=r"(v)); return v; }
static inline void write_cr0(u64 v) { asm volatile("movq %0, %%cr0" ::"r"(v) : "memory"); }
static inline void write_cr3(u64 v) { asm volatile("movq %0, %%cr3" ::"r"(v) : "memory"); }
static inline void write_cr4(u64 v) { asm volatile("movq %0, %%cr4" ::"r"(v) : "memory"); }

#define EFER 0xc0000080
#define EFER_NXE 0x800
#define CR0_WP 0x10000
#define CR4_SMEP 0x100000
#define CR4_SMAP 0x200000
#define FLAG_AC 0x40000
#define FLAG_TF 0x100
