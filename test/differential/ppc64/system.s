# Runs Power instructions one case at a time in supervisor state with translation off, on QEMU's pseries, in place of its firmware. Cases and results are
# in memory; every case ends in an interrupt, whose handler records the state, loads the next case and returns into it.
# The layout of memory and of the records is that of system.ts. Entered at 0x100, big-endian, in 32-bit mode.

        .set IN, 0x2000         # address of the case that runs
        .set OUT, 0x2008        # and of its result
        .set LEFT, 0x2010       # cases that are left, this one among them
        .set TRAPS, 0x2018      # two traps in the cases' byte order
        .set SCRATCH, 0x2020
        .set RTAS, 0x2040
        .set SHADOW, 0x100000   # from data to what it holds between cases

        # Places behind the 32 general registers of a record.
        .set CTR, 256
        .set LR, 264
        .set XER, 272
        .set CR, 280
        .set PC, 288            # and SRR0
        .set WINDOW, 296        # and SRR1
        .set MSR, 304           # and DAR
        .set FSCR, 312          # and DSISR
        .set WORDS, 320         # and the vector
        .set BYTES, 344
        .set RECORD, 536

        .macro stub
        mtsprg  1, 3
        mflr    3
        mtsprg  2, 3
        bla     common
        .endm

        .org    0x100
        ba      start
        .set vector, 0x200
        .rept   112
        .org    vector
        stub
        .set vector, vector + 0x20
        .endr

        .org    0x3000
start:  li      3, 1
        sldi    3, 3, 63
        mtmsrd  3
        isync
        ld      4, LEFT(0)
        cmpdi   4, 0
        bgt     next
        b       .

common: ld      3, OUT(0)
        .irp r, 0,1,2,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        std     \r, 8*\r(3)
        .endr
        mfsprg  4, 1
        std     4, 24(3)
        mfctr   4
        std     4, CTR(3)
        mfsprg  4, 2
        std     4, LR(3)
        mfxer   4
        std     4, XER(3)
        mfcr    4
        std     4, CR(3)
        mfspr   4, 26
        std     4, PC(3)
        mfspr   4, 27
        std     4, WINDOW(3)
        mfspr   4, 19
        std     4, MSR(3)
        mfspr   4, 18
        std     4, FSCR(3)
        mflr    4
        std     4, WORDS(3)
        # The window to the result, and what belongs there to the window.
        ld      5, IN(0)
        ld      6, WINDOW(5)
        lis     8, SHADOW@h
        add     8, 8, 6
        addi    7, 3, BYTES
        li      9, 24
        mtctr   9
1:      ld      10, 0(6)
        std     10, 0(7)
        ld      10, 0(8)
        std     10, 0(6)
        addi    6, 6, 8
        addi    7, 7, 8
        addi    8, 8, 8
        bdnz    1b
        # Traps again where its words were.
        ld      6, PC(5)
        ld      7, TRAPS(0)
        std     7, 0(6)
        std     7, 8(6)
        std     7, 16(6)
        addi    3, 3, RECORD
        std     3, OUT(0)
        addi    5, 5, RECORD
        std     5, IN(0)
        ld      4, LEFT(0)
        addi    4, 4, -1
        std     4, LEFT(0)
        cmpdi   4, 0
        beq     off

next:   ld      5, IN(0)
        ld      6, PC(5)
        ld      7, WORDS(5)
        std     7, 0(6)
        ld      7, WORDS+8(5)
        std     7, 8(6)
        ld      7, WORDS+16(5)
        std     7, 16(6)
        ld      6, WINDOW(5)
        addi    7, 5, BYTES
        li      9, 24
        mtctr   9
2:      ld      10, 0(7)
        std     10, 0(6)
        addi    6, 6, 8
        addi    7, 7, 8
        bdnz    2b
        # No reservation is left from before.
        li      6, SCRATCH
        stdcx.  6, 0, 6
        li      6, 0
        mtspr   19, 6
        mtspr   18, 6
        ld      6, CTR(5)
        mtctr   6
        ld      6, LR(5)
        mtlr    6
        ld      6, XER(5)
        mtxer   6
        ld      6, CR(5)
        mtcr    6
        ld      6, FSCR(5)
        mtspr   153, 6
        ld      6, PC(5)
        mtspr   26, 6
        ld      6, MSR(5)
        mtspr   27, 6
        .irp r, 0,1,2,3,4,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,5
        ld      \r, 8*\r(5)
        .endr
        rfid

        # power-off by RTAS: H_RTAS with the address of its arguments.
off:    lis     3, 0
        ori     3, 3, 0xf000
        li      4, RTAS
        sc      1
        b       .

        .set vector, 0x17000
        .rept   128
        .org    vector
        stub
        .set vector, vector + 32
        .endr
