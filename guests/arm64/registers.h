// The registers that pmu-probe touches, by the manual's name: PMUv3 (D17.5) and self-hosted debug (D17.3).
// R(name, op0, op1, CRn, CRm, op2, the value to write). DBGDTRRX_EL0 is DBGDTRTX_EL0 when written.

#define PMU_REGISTERS(R)                        \
  R(ID_AA64DFR0_EL1, 3, 0, 0, 5, 0, 0)          \
  R(PMCR_EL0, 3, 3, 9, 12, 0, 0x40)             \
  R(PMCNTENSET_EL0, 3, 3, 9, 12, 1, 0xffffffff) \
  R(PMCNTENCLR_EL0, 3, 3, 9, 12, 2, 0xffffffff) \
  R(PMOVSSET_EL0, 3, 3, 9, 14, 3, 0xffffffff)   \
  R(PMOVSCLR_EL0, 3, 3, 9, 12, 3, 0xffffffff)   \
  R(PMINTENSET_EL1, 3, 0, 9, 14, 1, 0xffffffff) \
  R(PMINTENCLR_EL1, 3, 0, 9, 14, 2, 0xffffffff) \
  R(PMSWINC_EL0, 3, 3, 9, 12, 4, 1)             \
  R(PMSELR_EL0, 3, 3, 9, 12, 5, 0x1f)           \
  R(PMCEID0_EL0, 3, 3, 9, 12, 6, 0)             \
  R(PMCEID1_EL0, 3, 3, 9, 12, 7, 0)             \
  R(PMCCNTR_EL0, 3, 3, 9, 13, 0, 0x123456789)   \
  R(PMXEVTYPER_EL0, 3, 3, 9, 13, 1, 0x8)        \
  R(PMXEVCNTR_EL0, 3, 3, 9, 13, 2, 0x1234)      \
  R(PMUSERENR_EL0, 3, 3, 9, 14, 0, 0xf)         \
  R(PMMIR_EL1, 3, 0, 9, 14, 6, 0)               \
  R(PMCCFILTR_EL0, 3, 3, 14, 15, 7, 0x80000000)

// The registers of event counter n.
#define PMU_COUNTER_REGISTERS(R)                                                                              \
  C(R, 0) C(R, 1) C(R, 2) C(R, 3) C(R, 4) C(R, 5) C(R, 6) C(R, 7) C(R, 8) C(R, 9) C(R, 10) C(R, 11) C(R, 12)  \
  C(R, 13) C(R, 14) C(R, 15) C(R, 16) C(R, 17) C(R, 18) C(R, 19) C(R, 20) C(R, 21) C(R, 22) C(R, 23) C(R, 24) \
  C(R, 25) C(R, 26) C(R, 27) C(R, 28) C(R, 29) C(R, 30)
#define C(R, n)                                            \
  R(PMEVCNTR##n##_EL0, 3, 3, 14, 8 + n / 8, n % 8, 0x1234) \
  R(PMEVTYPER##n##_EL0, 3, 3, 14, 12 + n / 8, n % 8, 0x8)

#define DEBUG_REGISTERS(R)                \
  R(MDRAR_EL1, 2, 0, 1, 0, 0, 0)          \
  R(OSLAR_EL1, 2, 0, 1, 0, 4, 0)          \
  R(OSLSR_EL1, 2, 0, 1, 1, 4, 0)          \
  R(OSDLR_EL1, 2, 0, 1, 3, 4, 0)          \
  R(MDSCR_EL1, 2, 0, 0, 2, 2, 0x1000)     \
  R(DBGBVR0_EL1, 2, 0, 0, 0, 4, 0x1000)   \
  R(DBGBCR0_EL1, 2, 0, 0, 0, 5, 0x1e0)    \
  R(DBGWVR0_EL1, 2, 0, 0, 0, 6, 0x1000)   \
  R(DBGWCR0_EL1, 2, 0, 0, 0, 7, 0x1e0)    \
  R(DBGBVR1_EL1, 2, 0, 0, 1, 4, 0x1000)   \
  R(DBGBCR1_EL1, 2, 0, 0, 1, 5, 0x1e0)    \
  R(DBGWVR1_EL1, 2, 0, 0, 1, 6, 0x1000)   \
  R(DBGWCR1_EL1, 2, 0, 0, 1, 7, 0x1e0)    \
  R(MDCCSR_EL0, 2, 3, 0, 1, 0, 0)         \
  R(DBGDTR_EL0, 2, 3, 0, 4, 0, 0x5)       \
  R(DBGDTRRX_EL0, 2, 3, 0, 5, 0, 0x5)     \
  R(MDCCINT_EL1, 2, 0, 0, 2, 0, 0)        \
  R(DBGPRCR_EL1, 2, 0, 1, 4, 4, 0)        \
  R(OSDTRRX_EL1, 2, 0, 0, 0, 2, 0x5)      \
  R(OSDTRTX_EL1, 2, 0, 0, 3, 2, 0x5)      \
  R(OSECCR_EL1, 2, 0, 0, 6, 2, 0)         \
  R(DBGCLAIMSET_EL1, 2, 0, 7, 8, 6, 1)    \
  R(DBGCLAIMCLR_EL1, 2, 0, 7, 9, 6, 0xff) \
  R(DBGAUTHSTATUS_EL1, 2, 0, 7, 14, 6, 0)
