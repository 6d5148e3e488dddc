// GICv2 (Arm IHI 0048) and GICv3 (IHI 0069), private interrupts only.
#include "platform.h"
#include "sysreg.h"

// The registers of interrupts 0..31: in the distributor of a GICv2, in the redistributor's SGI frame of a GICv3.
enum { CTLR = 0x0, IGROUPR0 = 0x80, ISENABLER0 = 0x100, ISPENDR0 = 0x200, IPRIORITYR = 0x400 };

enum { GICC_CTLR = 0x0, GICC_PMR = 0x4, GICC_IAR = 0xc, GICC_EOIR = 0x10 };

enum { GICR_WAKER = 0x14, SGI_FRAME = 0x10000, FRAMES = 0x20000 };
#define WAKER_PROCESSOR_SLEEP (1u << 1)
#define WAKER_CHILDREN_ASLEEP (1u << 2)
#define GICD_CTLR_RWP (1u << 31)
#define GICD_CTLR_V3 0x13 // ARE | EnableGrp1 in either security view: bits 4, 1 and 0

#define ICC_PMR_EL1 S3_0_C4_C6_0
#define ICC_IAR1_EL1 S3_0_C12_C12_0
#define ICC_EOIR1_EL1 S3_0_C12_C12_1
#define ICC_SRE_EL1 S3_0_C12_C12_5
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7

#define LOWEST_PRIORITY_MASK 0xf0
#define PRIORITY 0xa0

bool gic_is_v3(void) {
  return bits(read_sysreg(id_aa64pfr0_el1), 24, 4) != 0;
}

static u64 redistributor(void) {
  return GIC_REDISTRIBUTOR + bits(read_sysreg(mpidr_el1), 0, 8) * FRAMES;
}

static u64 private_registers(void) {
  return gic_is_v3() ? redistributor() + SGI_FRAME : GIC_DISTRIBUTOR;
}

static void enable_v3(void) {
  u64 waker = redistributor() + GICR_WAKER;
  write32(waker, read32(waker) & ~WAKER_PROCESSOR_SLEEP);
  while (read32(waker) & WAKER_CHILDREN_ASLEEP) {
  }
  write32(GIC_DISTRIBUTOR + CTLR, GICD_CTLR_V3);
  while (read32(GIC_DISTRIBUTOR + CTLR) & GICD_CTLR_RWP) {
  }
  write32(private_registers() + IGROUPR0, ~0u);
  write_sysreg(ICC_SRE_EL1, 1);
  isb();
  write_sysreg(ICC_PMR_EL1, LOWEST_PRIORITY_MASK);
  write_sysreg(ICC_IGRPEN1_EL1, 1);
  isb();
}

static void enable_v2(void) {
  write32(GIC_DISTRIBUTOR + CTLR, 1);
  write32(GIC_CPU + GICC_PMR, LOWEST_PRIORITY_MASK);
  write32(GIC_CPU + GICC_CTLR, 1);
}

void gic_enable(unsigned intid) {
  if (gic_is_v3()) enable_v3();
  else enable_v2();
  *(volatile u8 *)(private_registers() + IPRIORITYR + intid) = PRIORITY;
  write32(private_registers() + ISENABLER0, 1u << intid);
}

unsigned gic_acknowledge(void) {
  return gic_is_v3() ? (unsigned)read_sysreg(ICC_IAR1_EL1) : read32(GIC_CPU + GICC_IAR);
}

void gic_end(unsigned intid) {
  if (gic_is_v3()) write_sysreg(ICC_EOIR1_EL1, intid);
  else write32(GIC_CPU + GICC_EOIR, intid);
}

bool gic_pending(unsigned intid) {
  return read32(private_registers() + ISPENDR0) >> intid & 1;
}
