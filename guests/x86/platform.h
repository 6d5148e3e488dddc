// The ports and registers of QEMU's `pc` machine that the programs use.
#pragma once

#include "../runtime/types.h"

#define COM1 0x3f8
#define EXIT 0xf4 // isa-debug-exit: the machine ends with (value << 1) | 1

static inline void out8(uint16_t port, u8 value) {
  asm volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static inline u8 in8(uint16_t port) {
  u8 value;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static inline void out32(uint16_t port, u32 value) {
  asm volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

struct cpuid {
  u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf, u32 subleaf) {
  struct cpuid r;
  asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
  return r;
}

static inline u64 read_msr(u32 index) {
  u32 low, high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index) : "memory");
  return (u64)high << 32 | low;
}

static inline void write_msr(u32 index, u64 value) {
  asm volatile("wrmsr" ::"c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}
