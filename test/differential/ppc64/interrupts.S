# What a guest sees of interrupts, MSR and hypercalls, printed case by case: run by QEMU and by the emulator, the consoles compared line by line.
# A flat image at 0, entered at 0x100 in real mode, big-endian. RADIX is defined for CPUs that translate by radix, VERSION is 200, 207, 300 or 310.
#
# Each line: the case's number and group, then the vector (0: none), SRR0, SRR1, DSISR, DAR, MSR in the handler, r3, and LR and CTR for scv.
# r2 and r16-r31 belong to the harness.

  .set H_PUT_TERM_CHAR, 0x58

  .macro address register, symbol
    lis \register, \symbol@h
    ori \register, \register, \symbol@l
  .endm

  .macro vector at
    .org \at
    li 29, \at
    b caught
  .endm

  # A case: what happens until `end`, or until the interrupt that it takes.
  .macro case
    addi 21, 21, 1
    address 30, 9f
    bl prepare
  .endm
  .macro end
    bl nothing
    9:
  .endm

  .section .text
  .org 0x100
  b start
  vector 0x200
  vector 0x300
  vector 0x380
  vector 0x400
  vector 0x480
  vector 0x500
  vector 0x600
  vector 0x700
  vector 0x800
  vector 0x900
  vector 0xc00
  vector 0xd00
  vector 0xe40
  vector 0xf00
  vector 0xf20
  vector 0xf40
  vector 0xf60
  .org 0x3000 # scv with LPCR[AIL] = 3
  .rept 128
  li 29, 0x3001
  b caught
  .balign 32
  .endr
  vector 0x4700 # LPCR[AIL] = 3
  vector 0x4c00
  .org 0x17000 # scv
  .rept 128
  li 29, 0x3000
  b caught
  .balign 32
  .endr
  .org 0x18700 # LPCR[AIL] = 2
  li 29, 0x2700
  b caught
  .org 0x18c00
  li 29, 0x2c00
  b caught
  .org 0x19000

caught:
  mfspr 28, 26
  mfspr 27, 27
  mfspr 26, 18
  mfspr 25, 19
  mfmsr 24
  mflr 23
  mfctr 22
report:
  mr 20, 3
  mr 14, 21
  bl hex
  bl space
  mr 15, 2
  bl put
  bl space
  mr 14, 29
  bl hex
  bl space
  mr 14, 28
  bl hex
  bl space
  mr 14, 27
  bl hex
  bl space
  mr 14, 26
  bl hex
  bl space
  mr 14, 25
  bl hex
  bl space
  mr 14, 24
  bl hex
  bl space
  mr 14, 20
  bl hex
  clrrdi 0, 29, 1
  cmpwi 0, 0x3000
  bne 1f
  bl space
  mr 14, 23
  bl hex
  bl space
  mr 14, 22
  bl hex
1:bl newline
  # Back to the harness: real mode, 64 bits, from wherever we are.
  mtspr 26, 30
  mtspr 27, 31
  rfid

nothing: # no interrupt came; r3 is what the case made
  li 29, 0
  li 28, 0
  li 27, 0
  mfspr 26, 18
  mfspr 25, 19
  mfmsr 24
  b report

prepare:
  li 0, 0x1111
  mtspr 19, 0
  li 0, 0x2222
  mtspr 18, 0
  li 3, 0x3333
  blr

space:
  li 15, 32
  b put
newline:
  li 15, 10
put:
  mr 12, 3
  mr 11, 4
  mr 10, 5
  mr 9, 6
  sldi 6, 15, 56
  li 3, H_PUT_TERM_CHAR
  li 4, 0
  li 5, 1
  sc 1
  mr 3, 12
  mr 4, 11
  mr 5, 10
  mr 6, 9
  blr

hex: # r14, without leading zeros
  mflr 19
  li 16, 60
1:srd. 15, 14, 16
  bne 2f
  cmpwi 16, 0
  beq 2f
  addi 16, 16, -4
  b 1b
2:srd 15, 14, 16
  andi. 15, 15, 15
  cmpwi 15, 10
  blt 3f
  addi 15, 15, 39
3:addi 15, 15, 48
  bl put
  addic. 16, 16, -4
  bge 2b
  mtlr 19
  blr

power_off:
  address 4, buffer
  li 3, 0x2003
  stw 3, 0(4)
  li 3, 2
  stw 3, 4(4)
  li 3, 1
  stw 3, 8(4)
  li 3, -1
  stw 3, 12(4)
  stw 3, 16(4)
  lis 3, 0
  ori 3, 3, 0xf000
  sc 1
1:b 1b

start:
  li 0, 0
  li 21, 0
  # MSR of the harness: 64 bits, and ME, which QEMU lets a guest set.
  li 31, 1
  sldi 31, 31, 63
  ori 31, 31, 0x1000
  address 5, 1f
  mtspr 26, 5
  mtspr 27, 31
  rfid
1:
  # DEC positive for a long time.
  lis 0, 0x7fff
  mtspr 22, 0

# program interrupts and system calls
  li 2, 'p'
  case
  .long 0
  end
  case
  trap
  end
  case
  li 4, 5
  twi 4, 4, 5
  end
  case
  li 4, 5
  twi 8, 4, 5
  end
  case
  tdi 31, 4, 0
  end
  case
  sc
  end
  .if RADIX
  # LPCR[GTSE] is still 0.
  case
  li 8, 0
  tlbie 9, 8, 2, 1, 1
  end
  case
  li 9, 0xc00
  tlbiel 9, 8, 2, 1, 1
  end
  case
  tlbiel 9, 8, 2, 0, 1
  end
  .endif
# numbers of registers
  li 2, 'r'
  .irp n, 0, 4, 5, 6, 2, 7, 20, 21, 100, 112, 700, 720, 808, 318, 304
  case
  mfspr 3, \n
  end
  .endr
  li 2, 'w'
  .irp n, 0, 4, 5, 6, 2, 7, 100, 112, 318, 304
  case
  mtspr \n, 3
  end
  .endr
# facilities
  li 2, 'f'
  case
  lfd 1, 0(4)
  end
  case
  lvx 1, 0, 4
  end
  .if VERSION >= 207
  case
  lxvd2x 1, 0, 4
  end
  case
  mfvsrd 3, 1
  end
  .endif
  .if VERSION >= 300
  case
  scv 0
  end
  mfspr 4, 153
  ori 4, 4, 0x1000
  mtspr 153, 4
  case
  scv 0
  end
  case
  scv 3
  end
  case
  scv 127
  end
  .endif
# alignment
  li 2, 'a'
  address 4, buffer
  .irp n, 1, 2, 3
  case
  addi 5, 4, \n
  lwarx 3, 0, 5
  end
  case
  addi 5, 4, \n
  ldarx 3, 0, 5
  end
  .endr
  li 2, 'c'
  case
  addi 5, 4, 1
  stwcx. 3, 0, 5
  end
  case
  addi 5, 4, 4
  stdcx. 3, 0, 5
  end
  li 2, 'a'
  case
  addi 5, 4, 1
  lwz 3, 0(5)
  end
# MSR: mtmsrd, mtmsr, rfid
  .macro msr_case how, low, high
  case
  lis 5, \high
  ori 5, 5, \low
  .ifc \how, mtmsrd
    mtmsrd 5
  .endif
  .ifc \how, mtmsrd1
    mtmsrd 5, 1
  .endif
  .ifc \how, mtmsr
    mtmsr 5
  .endif
  .ifc \how, rfid
    address 6, 8f
    mtspr 26, 6
    mtspr 27, 5
    rfid
  8:
  .endif
  mfmsr 3
  mtmsrd 31
  end
  .endm
  li 2, 'm'
  # Without LE, IR, DR, PR, SE, BE, EE, and with SF or without.
  .irp how, mtmsrd, mtmsrd1, mtmsr, rfid
  .ifc \how, rfid
    li 2, 'i'
  .endif
  msr_case \how, 0x1002, 0
  msr_case \how, 0x0002, 0
  msr_case \how, 0x2904, 0
  msr_case \how, 0x2904, 0x0280
  msr_case \how, 0x0006, 0x0250
  msr_case \how, 0x20c8, 0x0d7f
  msr_case \how, 0x2904, 0xffff
  .endr
  .irp how, mtmsrd, rfid
  li 2, 'm'
  .ifc \how, rfid
    li 2, 'i'
  .endif
  case
  lis 5, 0x7fff
  ori 5, 5, 0xffff
  sldi 5, 5, 32
  oris 5, 5, 0x0280
  ori 5, 5, 0x2906
  .ifc \how, mtmsrd
    mtmsrd 5
  .else
    address 6, 8f
    mtspr 26, 6
    mtspr 27, 5
    rfid
  8:
  .endif
  mfmsr 3
  mtmsrd 31
  end
  .endr
  # SRR0's low bits, and 32-bit mode.
  case
  address 6, 8f + 3
  li 5, -1
  sldi 5, 5, 33
  or 6, 6, 5
  mtspr 26, 6
  li 5, 0x1000
  mtspr 27, 5
  rfid
8:mfmsr 3
  trap
  end
# trace
  li 2, 't'
  .macro trace_case bits
  case
  address 6, 8f
  mtspr 26, 6
  ori 5, 31, \bits
  mtspr 27, 5
  rfid
  8:
  .endm
  trace_case 0x400
  nop
  nop
  end
  trace_case 0x400
  address 4, buffer
  end
  address 4, buffer
  trace_case 0x400
  ld 3, 0(4)
  end
  trace_case 0x400
  std 3, 0(4)
  end
  trace_case 0x400
  sc
  end
  trace_case 0x400
  trap
  end
  trace_case 0x400
  b 7f
  nop
7:nop
  end
  trace_case 0x400
  mtmsrd 31
  end
  trace_case 0x200
  nop
  nop
  b 7f
7:nop
  end
  trace_case 0x200
  cmpw 31, 31
  bne 7f
  nop
7:nop
  end
# decrementer
  li 2, 'd'
  .macro dec_case value
  case
  .if \value < 0
  li 5, \value
  .else
  lis 5, \value
  .endif
  mtspr 22, 5
  ori 5, 31, 0
  li 6, 1
  sldi 6, 6, 15
  or 5, 5, 6
  mtmsrd 5
  nop
  mtmsrd 31
  end
  .endm
  dec_case -1
  dec_case 0x7fff
  dec_case -5
  # Once more without writing: a level is still there, an edge is not.
  case
  ori 5, 31, 0
  li 6, 1
  sldi 6, 6, 15
  or 5, 5, 6
  mtmsrd 5
  nop
  mtmsrd 31
  end
  # From here on it must not come: problem state has interrupts on.
  lis 5, 0x7fff
  .if RADIX
  sldi 5, 5, 16
  .endif
  mtspr 22, 5

# hypercalls: r3 to r7 from the table, then r3 and r4 printed
  address 17, hcalls
1:addi 21, 21, 1
  ld 3, 0(17)
  cmpdi 3, 0
  beq 2f
  ld 4, 8(17)
  ld 5, 16(17)
  ld 6, 24(17)
  ld 7, 32(17)
  addi 17, 17, 40
  sc 1
  mtmsrd 31
  mr 20, 4
  mr 18, 3
  mr 14, 21
  bl hex
  bl space
  mr 14, 18
  bl hex
  bl newline
  b 1b
2:
  .if RADIX
  b radix
  .else
  b power_off
  .endif

  .balign 8
buffer:
  .space 64
hcalls:
  .macro hcall n, a=0, b=0, c=0, d=0
  .quad \n, \a, \b, \c, \d
  .endm
  hcall 0x58, 1, 1, 0
  hcall 0x58, 0, 17, 0
  hcall 0x58, 0x71000000, 2, 0x410a000000000000
  hcall 0x54, 1
  hcall 0x54, 0
  hcall 0x28, 0x1000
  hcall 0x31c, 0, 4, 0, 0
  hcall 0x31c, 2, 4, 0, 0
  hcall 0x31c, 0, 4, 1, 0
  hcall 0x31c, 0, 4, 0, 1
  hcall 0x31c, 0, 9, 0, 0
  hcall 0x31c, 1, 3, 0, 0
  hcall 0x31c, 2, 3, 0, 0
  hcall 0x31c, 0, 3, 1, 0
  hcall 0x31c, 0, 3, 0, 0
  hcall 0x3c, 3, 0x100
  hcall 0x3c, 4, hcalls
  hcall 0x40, 8, buffer, 0x1122334455667788
  hcall 0x40, 5, buffer, 0
  hcall 0xdc, 0x200000000000, 0, 0
  hcall 0xdc, 0x200000000000, 0, 0x90010
  hcall 0xdc, 0x200000000000, 7, 0x90000
  hcall 0xdc, 0x200000000000, 0, 0x91000
  hcall 0xdc, 0x600000000000, 0, 0x92000
  hcall 0xdc, 0x200000000000, 0, 0x90e00
  hcall 0xdc, 0x200000000000, 0, 0x90000
  hcall 0xdc, 0x600000000000, 0, 0x92000
  hcall 0xdc, 0x400000000000, 0, 0x92000
  hcall 0xdc, 0xa00000000000, 0, 0
  hcall 0xdc, 0xe00000000000, 0, 0
  hcall 0xdc, 0xc00000000000, 0, 0
  hcall 0xdc, 0xa00000000000, 0, 0
  hcall 0xdc, 0x800000000000, 0, 0
  hcall 0xe4, 5, 0
  hcall 0xe8, 5
  hcall 0xe8, 0
  hcall 0x7c, 0, 0
  hcall 0xf004
  .if RADIX
  hcall 0x37c, 0x20
  hcall 0x37c, 0x1c, 0x100800, 0, 0
  hcall 0x37c, 0x1c, 0x100000, 1, 0
  hcall 0x37c, 0x1c, 0x100000, 0, 25
  hcall 0x37c, 0x1a, 0x100000, 0, 0
  hcall 0x37c, 0x1d, 0x100000, 0, 0
  hcall 0x37c, 0x5, 0, 0, 0
  .endif
  .quad 0

  .if RADIX
# Each probe: page, what is done there, in which state, with which AMR and IAMR. The line ends with the sum of all entries of the trees, so that R and C show.
radix:
  li 5, 1
  mtspr 48, 5
  isync
  li 2, 'x'
  address 17, probes
1:addi 21, 21, 1
  ld 4, 0(17)
  cmpdi 4, -1
  beq relocated
  ld 5, 8(17)
  ld 6, 16(17)
  mtspr 29, 6
  ld 6, 24(17)
  mtspr 61, 6
  addi 17, 17, 32
  li 0, 0x1111
  mtspr 19, 0
  li 0, 0x2222
  mtspr 18, 0
  li 3, 0
  address 30, 8f
  # Bits of r5: 0 store, 1 fetch, 2 problem state.
  ori 6, 31, 0x30
  andi. 7, 5, 4
  beq 2f
  ori 6, 6, 0x4000
  li 7, 1
  sldi 7, 7, 15
  or 6, 6, 7
2:andi. 7, 5, 2
  mr 8, 4
  bne 3f
  # The snippet, in a page that both states may execute.
  lis 8, 0x0020
  andi. 7, 5, 1
  beq 3f
  ori 8, 8, 0x10
3:mtspr 26, 8
  mtspr 27, 6
  li 9, 0xc00
  li 8, 0
  ptesync
  tlbie 9, 8, 2, 1, 1
  eieio
  tlbsync
  ptesync
  isync
  rfid
8:address 8, trees
  address 9, trees_end
  li 14, 0
4:ld 7, 0(8)
  add 14, 14, 7
  rotldi 14, 14, 1
  addi 8, 8, 8
  cmpd 8, 9
  blt 4b
  bl hex
  bl newline
  li 0, 0
  b 1b

  .balign 8
probes:
  .macro probe page, amr=0, iamr=0
  .irp how, 0, 1, 2, 4, 5, 6
  .quad \page, \how, \amr, \iamr
  .endr
  .endm
  # 4 KiB pages with every access authority, then attributes, then what is wrong.
  .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20
  probe 0x200000 + \n * 0x1000
  .endr
  .irp n, 7, 15
  probe 0x200000 + \n * 0x1000, 0x4000000000000000
  probe 0x200000 + \n * 0x1000, 0x8000000000000000
  probe 0x200000 + \n * 0x1000, 0xc000000000000000, 0x4000000000000000
  .endr
  # 64 KiB, 2 MiB, 1 GiB; nothing there; a table that is too small; quadrants.
  probe 0x410040
  probe 0x420040
  probe 0x600040
  probe 0x40000040
  probe 0x80000040
  probe 0x8000000000
  probe 0x10000000000
  probe 0x4000000000200040
  probe 0x8000000000200040
  probe 0xc000000000000040 + 0x140000
  probe 0xc000000000210000
  .quad -1

# Where interrupts go while translation is on, from supervisor state (code at its own address) and problem state (the snippets).
relocated:
  li 2, 'l'
  .irp ail, 2, 3
  li 3, 0x31c
  li 4, \ail
  li 5, 3
  li 6, 0
  li 7, 0
  sc 1
  .irp what, 0, 1, 2, 3
  case
  ori 6, 31, 0x30
  address 5, 8f
  mtspr 26, 5
  mtspr 27, 6
  rfid
8:
  .if \what == 0
  sc
  .elseif \what == 1
  trap
  .elseif \what == 2
  scv 1
  .else
  # Instructions alone translated: nothing is relocated.
  li 5, 0x10
  andc 6, 6, 5
  mtmsrd 6
  sc
  .endif
  end
  .endr
  case
  li 6, 1
  sldi 6, 6, 15
  ori 6, 6, 0x4030
  or 6, 6, 31
  lis 5, 0x20
  ori 5, 5, 0x40
  mtspr 26, 5
  mtspr 27, 6
  rfid
  end
  .endr
  b power_off
  .endif

  .org 0x90000 # processor areas: size 640 in the halfword at 4; 639; SLB shadow and log
  .long 0, 0x02800000
  .org 0x90e00
  .long 0, 0x02800000
  .org 0x91000
  .long 0, 0x027f0000
  .org 0x92000
  .long 0, 0x100

  .if RADIX
  .org 0x100000 # the process table
  .quad 0x40000000001100ad, 0 # process 0, for quadrant 3: 52 bits, a root of 2^13 entries
  .quad 0x40000000001200ad, 0 # process 1
  .org 0x110000
  .quad 0x8000000000130009
  .org 0x120000
  .quad 0x8000000000131009
  .quad 0x8000000000134003 # a table of 2^3
  .org 0x130000
trees:
  .quad 0x8000000000132009
  .org 0x131000
  .quad 0x8000000000133009
  .quad 0xc00000000000000e # 1 GiB, RAM from 0, of supervisor state
  .org 0x132000
  .quad 0xc00000000000000f # quadrant 3: 2 MiB from 0
  .quad 0
  .org 0x133000
  .quad 0xc00000000000000f # 0: the code
  .quad 0x8000000000135009 # 2 MiB: 4 KiB pages
  .quad 0x8000000000136005 # 4 MiB: 64 KiB pages
  .quad 0xc000000000000007 # 6 MiB: 2 MiB from 0
  .org 0x135000
  .quad 0xc000000000140105 # the snippets
  .set n, 1
  .rept 15
  .quad 0xc000000000141000 | n
  .set n, n + 1
  .endr
  .quad 0xc000000000141017 # strong access order
  .quad 0xc000000000141027 # non-idempotent
  .quad 0xc000000000141037 # tolerant
  .quad 0x4000000000141007 # not valid
  .quad 0x8000000000141007 # a directory where no more can come
  .org 0x136000
  .quad 0
  .quad 0xc000000000140007
  .quad 0xc000000000140007
trees_end:
  .org 0x140000
  ld 3, 0(4)
  sc
  nop
  nop
  std 5, 0(4)
  sc
  .org 0x140040
  sc
  .org 0x141000
  sc
  .org 0x150000
  .quad 0
  .endif
