/* Switching contexts and stacks, amd64 (System V ABI).
 *
 * A suspended context's callee-saved state lies on its own stack, and its sp points at it:
 *
 *      sp ->  0  mxcsr (4 bytes), x87 control word (2), unused (2)
 *             8  r15    16  r14    24  r13    32  r12    40  rbx    48  rbp
 *            56  where it continues
 *            64  the CFA: the stack pointer after arch_switch returned
 *
 * Invariants:
 *  (1) Every context has this one layout, whether arch_switch suspended it or arch_context_make
 *      built it (frame.c): so the CFI of arch_switch is right before and after the stack pointer
 *      moves, and arch_call_behind can describe any suspended context.
 *  (2) The stack is 16-byte aligned at every call made here.
 *  (3) rbp is 0 and rip undefined in arch_entry: both kinds of unwinder stop there.
 *
 * Why `ret` and not `pop; jmp`: the processor predicts returns from a stack of the calls it has
 * seen.  The call of this function pushed an entry, and only a ret takes it off again.  After a jmp
 * every return up to the goroutine's own code is predicted one frame wrongly; after a ret they are
 * right whenever both goroutines stood in the same calls, as those do that talk to each other, and
 * the ret itself is right because goroutines switch at one or two places.  Measured against a jmp,
 * by turns: yield 0.85, thread ring 0.83, sieve 0.77, round trip over a channel 0.90 of its time,
 * and none slower.  (Two bare contexts in a loop, with nothing to return to, are faster by jmp: 2.3
 * against 11.5 ns.)  Who ends is mostly followed by one that begins, in arch_entry, which a ret
 * never predicts: there it is a jmp.
 *
 * Why the floating-point controls are kept: the ABI calls them callee-saved, and a goroutine that
 * rounds upwards must not make another one do so.  They are loaded only where they differ: loading
 * another value into mxcsr costs 40 to 100 ns, and its exception flags, which the ABI does not
 * preserve, differ as soon as one of two goroutines has computed.  So the flags are not kept: they
 * belong to the thread.  The caller-saved rest is dead across a call.
 *
 * Answers to: gogo, mcall, systemstack in asm_amd64.s.
 * SPDX-License-Identifier: BSD-3-Clause
 */

#define FP_BYTES 8
#define RETURN_OFFSET 56
#define FRAME_BYTES 64
#define MXCSR_CONTROLS 0xffc0 /* the other six bits are exception flags */

        .text

        .macro FUNCTION name
        .globl  \name
        .hidden \name
        .type   \name, @function
        .p2align 4
        .endm

        .macro PUSH reg
        pushq   %\reg
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset \reg, 0
        .endm

        .macro POP reg
        popq    %\reg
        .cfi_adjust_cfa_offset -8
        .cfi_restore \reg
        .endm

/* `leave` continues at the address on top of the stack, which is the new one. */
        .macro SWITCH name, leave
        FUNCTION \name
\name:
        .cfi_startproc
        PUSH    rbp
        PUSH    rbx
        PUSH    r12
        PUSH    r13
        PUSH    r14
        PUSH    r15
        subq    $FP_BYTES, %rsp
        .cfi_adjust_cfa_offset FP_BYTES
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
        movl    (%rsp), %eax
        movzwl  4(%rsp), %edx
        movq    %rsp, (%rdi)
        movq    (%rsi), %rsp            /* now the other's stack: invariant (1) */
        movzwl  4(%rsp), %ecx
        xorl    (%rsp), %eax
        xorl    %ecx, %edx
        andl    $MXCSR_CONTROLS, %eax
        orl     %edx, %eax
        jnz     2f
1:      addq    $FP_BYTES, %rsp
        .cfi_remember_state
        .cfi_adjust_cfa_offset -FP_BYTES
        POP     r15
        POP     r14
        POP     r13
        POP     r12
        POP     rbx
        POP     rbp
        \leave
        .cfi_restore_state
2:      fnclex                          /* what one context raised must not trap in another */
        ldmxcsr (%rsp)
        fldcw   4(%rsp)
        jmp     1b
        .cfi_endproc
        .size   \name, . - \name
        .endm

        .macro JUMP_ON
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        .cfi_register rip, rcx
        jmpq    *%rcx
        .endm

/* void arch_switch(struct arch_context *from, const struct arch_context *to) */
        SWITCH  arch_switch, ret

/* void arch_switch_last(struct arch_context *from, const struct arch_context *to) */
        SWITCH  arch_switch_last, JUMP_ON

/* Where a context made by arch_context_make begins: entry in r12, its argument in r13.  The nop
 * belongs to the function because unwinders look up the address before the one they return to. */
        FUNCTION arch_entry
        .cfi_startproc
        .cfi_undefined rip
        nop
arch_entry:
        movq    %r13, %rdi
        callq   *%r12
        callq   arch_entry_returned     /* does not return */
        ud2
        .cfi_endproc
        .size   arch_entry, . - arch_entry

/* rbp keeps the caller's stack: CFA = rbp + 16, whichever stack rsp is on. */
        .macro ENTER_SPILLED
        PUSH    rbp
        movq    %rsp, %rbp
        .cfi_def_cfa_register rbp
        pushq   %rbx
        .cfi_offset rbx, -24
        pushq   %r12
        .cfi_offset r12, -32
        pushq   %r13
        .cfi_offset r13, -40
        pushq   %r14
        .cfi_offset r14, -48
        pushq   %r15
        .cfi_offset r15, -56
        .endm

        .macro LEAVE_SPILLED
        leaq    -40(%rbp), %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        .cfi_restore rbp
        .cfi_def_cfa rsp, 8
        ret
        .endm

/* void arch_call_on_stack(void (*fn)(void *), void *arg, uintptr_t top, uintptr_t *saved_sp) */
        FUNCTION arch_call_on_stack
arch_call_on_stack:
        .cfi_startproc
        ENTER_SPILLED
        movq    %rsp, (%rcx)
        movq    %rdx, %rsp
        andq    $-16, %rsp
        movq    %rdi, %rax
        movq    %rsi, %rdi
        callq   *%rax
        LEAVE_SPILLED
        .cfi_endproc
        .size   arch_call_on_stack, . - arch_call_on_stack

/* void arch_call_spilled(void (*fn)(void *), void *arg, uintptr_t *saved_sp) */
        FUNCTION arch_call_spilled
arch_call_spilled:
        .cfi_startproc
        ENTER_SPILLED
        movq    %rsp, (%rdx)
        andq    $-16, %rsp
        movq    %rdi, %rax
        movq    %rsi, %rdi
        callq   *%rax
        LEAVE_SPILLED
        .cfi_endproc
        .size   arch_call_spilled, . - arch_call_spilled

/* void arch_call_behind(void (*fn)(void *), void *arg, const struct arch_context *ctx)
 *
 * Around the call the CFI says that this function was called by the suspended context: its frame,
 * seen from fn, is arch_switch's in ctx.  rbx holds ctx's sp (the context's own rbx and the others
 * are found in its frame); rbp finds the real caller again. */
        FUNCTION arch_call_behind
arch_call_behind:
        .cfi_startproc
        PUSH    rbp
        movq    %rsp, %rbp
        .cfi_def_cfa_register rbp
        pushq   %rbx
        .cfi_offset rbx, -24
        subq    $8, %rsp
        movq    (%rdx), %rbx
        movq    %rdi, %rax
        movq    %rsi, %rdi
        .cfi_remember_state
        .cfi_def_cfa rbx, FRAME_BYTES
        .cfi_offset rbp, -16
        .cfi_offset rbx, -24
        .cfi_offset r12, -32
        .cfi_offset r13, -40
        .cfi_offset r14, -48
        .cfi_offset r15, -56
        callq   *%rax
        nop                             /* the return address belongs to the range above */
        .cfi_restore_state
        addq    $8, %rsp
        popq    %rbx
        popq    %rbp
        .cfi_restore rbx
        .cfi_restore rbp
        .cfi_def_cfa rsp, 8
        ret
        .cfi_endproc
        .size   arch_call_behind, . - arch_call_behind

/* Register number `reg` of the CFI was saved in word `place` of what rbx points at.
 * DW_CFA_expression reg, { DW_OP_breg3 8 * place }, the offset as two bytes of SLEB128. */
        .macro SAVED_IN reg, place
        .cfi_escape 0x10, \reg, 3, 0x73, ((8 * \place) & 0x7f) | 0x80, (8 * \place) >> 7
        .endm

/* void arch_call_behind_registers(void (*fn)(void *), void *arg, const struct arch_registers *r)
 *
 * The same trick for a place that a signal interrupted: each register is a word of *r.  The frame
 * counts as a signal's, so that unwinders look up rip itself and not the address before it. */
        FUNCTION arch_call_behind_registers
arch_call_behind_registers:
        .cfi_startproc
        .cfi_signal_frame
        PUSH    rbp
        movq    %rsp, %rbp
        .cfi_def_cfa_register rbp
        pushq   %rbx
        .cfi_offset rbx, -24
        subq    $8, %rsp
        movq    %rdx, %rbx
        movq    %rdi, %rax
        movq    %rsi, %rdi
        .cfi_remember_state
        .cfi_escape 0x0f, 4, 0x73, 0xf8, 0x00, 0x06 /* the CFA is word 15, rsp: breg3 120, deref */
        SAVED_IN 0, 13  /* rax */
        SAVED_IN 1, 12  /* rdx */
        SAVED_IN 2, 14  /* rcx */
        SAVED_IN 3, 11  /* rbx */
        SAVED_IN 4, 9   /* rsi */
        SAVED_IN 5, 8   /* rdi */
        SAVED_IN 6, 10  /* rbp */
        SAVED_IN 8, 0   /* r8 and on */
        SAVED_IN 9, 1
        SAVED_IN 10, 2
        SAVED_IN 11, 3
        SAVED_IN 12, 4
        SAVED_IN 13, 5
        SAVED_IN 14, 6
        SAVED_IN 15, 7
        SAVED_IN 16, 16 /* rip */
        callq   *%rax
        nop                             /* the return address belongs to the range above */
        .cfi_restore_state
        addq    $8, %rsp
        popq    %rbx
        popq    %rbp
        .cfi_restore rbx
        .cfi_restore rbp
        .cfi_def_cfa rsp, 8
        ret
        .cfi_endproc
        .size   arch_call_behind_registers, . - arch_call_behind_registers

        .section .note.GNU-stack, "", @progbits
