/* Switching contexts and stacks, arm64 (AAPCS64).
 *
 * A suspended context's callee-saved state lies on its own stack, and its sp points at it:
 *
 *      sp ->  0  fpcr (8 bytes), unused (8)
 *            16  d8 ... d15
 *            80  x19 ... x28
 *           160  x29 (frame pointer)
 *           168  x30: where it continues
 *           176  the CFA: the stack pointer after arch_switch returned
 *
 * Invariants:
 *  (1) Every context has this one layout, whether arch_switch suspended it or arch_context_make
 *      built it (frame.c): so the CFI of arch_switch is right before and after the stack pointer
 *      moves, and arch_call_behind can describe any suspended context.
 *  (2) The stack is 16-byte aligned, always.
 *  (3) x29 is 0 and x30 undefined in arch_entry: both kinds of unwinder stop there.
 *
 * Why `ret` and not `br x30`: as on amd64, it keeps the stack of predicted returns level with the
 * calls; who ends is followed by one that begins, so there it is a br.
 *
 * Why fpcr is kept: the ABI has a function preserve rounding and the other controls.  It is written
 * only where it differs, for that is slow.  fpsr, the exception flags, belongs to the thread.
 *
 * Answers to: gogo, mcall, systemstack in asm_arm64.s.
 * SPDX-License-Identifier: BSD-3-Clause
 */

#define FRAME_BYTES 176
#define SPILLED_BYTES 160
#define D8 72 /* its number in DWARF; the others follow */

        .text

        .macro FUNCTION name
        .globl  \name
        .hidden \name
        .type   \name, %function
        .p2align 4
        .endm

/* A pair at sp + at, and where the unwinder finds it. */
        .macro SAVE a, b, at
        stp     \a, \b, [sp, #\at]
        .cfi_rel_offset \a, \at
        .cfi_rel_offset \b, \at + 8
        .endm

        .macro LOAD a, b, at
        ldp     \a, \b, [sp, #\at]
        .cfi_restore \a
        .cfi_restore \b
        .endm

        .macro SAVE_FLOATS at
        stp     d8, d9, [sp, #\at]
        stp     d10, d11, [sp, #\at + 16]
        stp     d12, d13, [sp, #\at + 32]
        stp     d14, d15, [sp, #\at + 48]
        .irp    i, 0, 1, 2, 3, 4, 5, 6, 7
        .cfi_rel_offset D8 + \i, \at + 8 * \i
        .endr
        .endm

        .macro LOAD_FLOATS at
        ldp     d8, d9, [sp, #\at]
        ldp     d10, d11, [sp, #\at + 16]
        ldp     d12, d13, [sp, #\at + 32]
        ldp     d14, d15, [sp, #\at + 48]
        .irp    i, 0, 1, 2, 3, 4, 5, 6, 7
        .cfi_restore D8 + \i
        .endr
        .endm

        .macro SAVE_GENERAL at
        SAVE    x19, x20, \at
        SAVE    x21, x22, \at + 16
        SAVE    x23, x24, \at + 32
        SAVE    x25, x26, \at + 48
        SAVE    x27, x28, \at + 64
        .endm

        .macro LOAD_GENERAL at
        LOAD    x19, x20, \at
        LOAD    x21, x22, \at + 16
        LOAD    x23, x24, \at + 32
        LOAD    x25, x26, \at + 48
        LOAD    x27, x28, \at + 64
        .endm

        .macro SWITCH name, leave:vararg
        FUNCTION \name
\name:
        .cfi_startproc
        sub     sp, sp, #FRAME_BYTES
        .cfi_adjust_cfa_offset FRAME_BYTES
        SAVE    x29, x30, 160
        SAVE_GENERAL 80
        SAVE_FLOATS 16
        mrs     x9, fpcr
        str     x9, [sp]
        mov     x10, sp
        str     x10, [x0]
        ldr     x10, [x1]
        mov     sp, x10                 /* now the other's stack: invariant (1) */
        ldr     x11, [sp]
        cmp     x11, x9
        b.ne    2f
1:      .cfi_remember_state
        LOAD_FLOATS 16
        LOAD_GENERAL 80
        LOAD    x29, x30, 160
        add     sp, sp, #FRAME_BYTES
        .cfi_adjust_cfa_offset -FRAME_BYTES
        \leave
        .cfi_restore_state
2:      msr     fpcr, x11
        b       1b
        .cfi_endproc
        .size   \name, . - \name
        .endm

/* void arch_switch(struct arch_context *from, const struct arch_context *to) */
        SWITCH  arch_switch, ret

/* void arch_switch_last(struct arch_context *from, const struct arch_context *to) */
        SWITCH  arch_switch_last, br x30

/* Where a context made by arch_context_make begins: entry in x19, its argument in x20.  The nop
 * belongs to the function because unwinders look up the address before the one they return to. */
        FUNCTION arch_entry
        .cfi_startproc
        .cfi_undefined x30
        nop
arch_entry:
        mov     x0, x20
        blr     x19
        bl      arch_entry_returned     /* does not return */
        brk     #0
        .cfi_endproc
        .size   arch_entry, . - arch_entry

/* Laid out as a suspended context from d8 on.  x29 keeps the caller's stack, whichever stack sp is
 * on. */
        .macro ENTER_SPILLED
        sub     sp, sp, #SPILLED_BYTES
        .cfi_adjust_cfa_offset SPILLED_BYTES
        SAVE    x29, x30, 144
        SAVE_GENERAL 64
        SAVE_FLOATS 0
        mov     x9, sp
        add     x29, sp, #144
        .cfi_def_cfa x29, SPILLED_BYTES - 144
        .endm

        .macro LEAVE_SPILLED
        sub     sp, x29, #144
        .cfi_def_cfa sp, SPILLED_BYTES
        LOAD_FLOATS 0
        LOAD_GENERAL 64
        LOAD    x29, x30, 144
        add     sp, sp, #SPILLED_BYTES
        .cfi_adjust_cfa_offset -SPILLED_BYTES
        ret
        .endm

/* void arch_call_on_stack(void (*fn)(void *), void *arg, uintptr_t top, uintptr_t *saved_sp) */
        FUNCTION arch_call_on_stack
arch_call_on_stack:
        .cfi_startproc
        ENTER_SPILLED
        str     x9, [x3]
        and     x9, x2, #-16
        mov     sp, x9
        mov     x9, x0
        mov     x0, x1
        blr     x9
        LEAVE_SPILLED
        .cfi_endproc
        .size   arch_call_on_stack, . - arch_call_on_stack

/* void arch_call_spilled(void (*fn)(void *), void *arg, uintptr_t *saved_sp) */
        FUNCTION arch_call_spilled
arch_call_spilled:
        .cfi_startproc
        ENTER_SPILLED
        str     x9, [x2]
        mov     x9, x0
        mov     x0, x1
        blr     x9
        LEAVE_SPILLED
        .cfi_endproc
        .size   arch_call_spilled, . - arch_call_spilled

/* void arch_call_behind(void (*fn)(void *), void *arg, const struct arch_context *ctx)
 *
 * Around the call the CFI says that this function was called by the suspended context: its frame,
 * seen from fn, is arch_switch's in ctx.  x19 holds ctx's sp (the context's own x19 and the others
 * are found in its frame); sp finds the real caller again. */
        FUNCTION arch_call_behind
arch_call_behind:
        .cfi_startproc
        sub     sp, sp, #32
        .cfi_adjust_cfa_offset 32
        SAVE    x29, x30, 0
        str     x19, [sp, #16]
        .cfi_rel_offset x19, 16
        mov     x29, sp
        ldr     x19, [x2]
        mov     x9, x0
        mov     x0, x1
        .cfi_remember_state
        .cfi_def_cfa x19, FRAME_BYTES
        .irp    i, 0, 1, 2, 3, 4, 5, 6, 7
        .cfi_offset D8 + \i, 16 + 8 * \i - FRAME_BYTES
        .endr
        .irp    i, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
        .cfi_offset \i, 80 + 8 * (\i - 19) - FRAME_BYTES
        .endr
        blr     x9
        nop                             /* the return address belongs to the range above */
        .cfi_restore_state
        ldr     x19, [sp, #16]
        .cfi_restore x19
        LOAD    x29, x30, 0
        add     sp, sp, #32
        .cfi_adjust_cfa_offset -32
        ret
        .cfi_endproc
        .size   arch_call_behind, . - arch_call_behind

/* Register `reg` of the CFI was saved in word `place` of what x19 points at.
 * DW_CFA_expression reg, { DW_OP_breg19 8 * place }, the offset as two bytes of SLEB128. */
        .macro SAVED_IN reg, place
        .cfi_escape 0x10, \reg, 3, 0x83, ((8 * \place) & 0x7f) | 0x80, (8 * \place) >> 7
        .endm

#define PC_COLUMN 96 /* where libgcc has the address of a frame whose x30 is another matter */

/* void arch_call_behind_registers(void (*fn)(void *), void *arg, const struct arch_registers *r)
 *
 * The same trick for a place that a signal interrupted: each register is a word of *r.  The frame
 * counts as a signal's, so that unwinders look up the pc itself and not the address before it. */
        FUNCTION arch_call_behind_registers
arch_call_behind_registers:
        .cfi_startproc
        .cfi_signal_frame
        .cfi_return_column PC_COLUMN
        .cfi_register PC_COLUMN, x30
        sub     sp, sp, #32
        .cfi_adjust_cfa_offset 32
        stp     x29, x30, [sp]
        .cfi_rel_offset x29, 0
        .cfi_rel_offset PC_COLUMN, 8
        str     x19, [sp, #16]
        .cfi_rel_offset x19, 16
        mov     x29, sp
        mov     x19, x2
        mov     x9, x0
        mov     x0, x1
        .cfi_remember_state
        .cfi_escape 0x0f, 4, 0x83, 0xf8, 0x01, 0x06 /* the CFA is word 31, sp: breg19 248, deref */
        .irp    i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        SAVED_IN \i, \i
        .endr
        .irp    i, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
        SAVED_IN \i, \i
        .endr
        SAVED_IN PC_COLUMN, 32
        blr     x9
        nop                             /* the return address belongs to the range above */
        .cfi_restore_state
        ldr     x19, [sp, #16]
        .cfi_restore x19
        ldp     x29, x30, [sp]
        .cfi_restore x29
        .cfi_register PC_COLUMN, x30
        add     sp, sp, #32
        .cfi_adjust_cfa_offset -32
        ret
        .cfi_endproc
        .size   arch_call_behind_registers, . - arch_call_behind_registers

        .section .note.GNU-stack, "", %progbits
