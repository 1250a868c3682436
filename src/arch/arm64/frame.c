/* Building contexts, and reading the signal frame, arm64.
 *
 * Note [Frames of handlers].  Here libc gives a handler no return address of its own: the kernel's
 * is in x30, and where the handler keeps it is the handler's affair.  What marks a frame is the
 * first record after the registers, that of the floating-point state, which the kernel always
 * writes there: its magic number and its size in one word.
 *
 * Answers to: gostartcall in sys_arm64.go, signal_linux_arm64.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <asm/sigcontext.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "arch/arch.h"
#include "base/bits.h"
#include "base/throw.h"

/* ---- contexts ----------------------------------------------------------------------------- */

/* What switch.S loads: see its head. */
struct saved_frame {
    uint64_t fpcr, unused;
    uint64_t d[8];
    uintptr_t x[10]; /* from x19 on */
    uintptr_t fp, lr;
};

_Static_assert(offsetof(struct saved_frame, d) == 16, "switch.S: d8 ... d15");
_Static_assert(offsetof(struct saved_frame, x) == 80, "switch.S: x19 ... x28");
_Static_assert(offsetof(struct saved_frame, fp) == 160, "switch.S: x29, x30");
_Static_assert(sizeof(struct saved_frame) == 176, "switch.S: FRAME_BYTES");

__attribute__((__visibility__("hidden"))) void arch_entry(void);
__attribute__((__visibility__("hidden"))) _Noreturn void arch_entry_returned(void);

_Noreturn void arch_entry_returned(void)
{
    throw_msg("entry function of a context returned");
}

void arch_context_make_with(struct arch_context *ctx, uintptr_t top, void (*entry)(void *),
                            void *arg, uint64_t fp_controls)
{
    struct saved_frame *f = (struct saved_frame *)align_down(top, 16) - 1;
    *f = (struct saved_frame){ .x = { (uintptr_t)entry, (uintptr_t)arg } };
    f->lr = (uintptr_t)arch_entry;
    f->fpcr = fp_controls;
    ctx->sp = (uintptr_t)f;
}

/* The floating-point controls are inherited, as a new thread's are from its creator. */
void arch_context_make(struct arch_context *ctx, uintptr_t top, void (*entry)(void *), void *arg)
{
    arch_context_make_with(ctx, top, entry, arg, arch_fp_controls());
}

/* What arch_call_spilled pushed lies as in a suspended context, which has the floating-point
 * controls below it: these the unwinder does not look at. */
void arch_call_behind_spilled(void (*fn)(void *), void *arg, uintptr_t saved_sp)
{
    struct arch_context ctx = { saved_sp - offsetof(struct saved_frame, d) };
    arch_call_behind(fn, arg, &ctx);
}

/* ---- the signal frame --------------------------------------------------------------------- */

/* Frames lie in the middle of a stack that sanitizers know nothing good of. */
#define reads_frames __attribute__((no_sanitize_address, no_sanitize_thread))

#define FP_REGISTER 29
#define LINK_REGISTER 30

reads_frames uintptr_t arch_frame_pc(const void *ucontext)
{
    return (uintptr_t)((const ucontext_t *)ucontext)->uc_mcontext.pc;
}

reads_frames void arch_frame_set_pc(void *ucontext, uintptr_t pc)
{
    ((ucontext_t *)ucontext)->uc_mcontext.pc = pc;
}

/* switch.S: arch_call_behind_registers */
enum { SP_WORD = 31, PC_WORD = 32 };

reads_frames void arch_registers_of_frame(struct arch_registers *out, const void *ucontext)
{
    const mcontext_t *m = &((const ucontext_t *)ucontext)->uc_mcontext;
    for (size_t i = 0; i < SP_WORD; i++)
        out->word[i] = (uintptr_t)m->regs[i];
    out->word[SP_WORD] = (uintptr_t)m->sp;
    out->word[PC_WORD] = (uintptr_t)m->pc;
}

uintptr_t arch_registers_pc(const struct arch_registers *r)
{
    return r->word[PC_WORD];
}

void arch_registers_of_call(struct arch_registers *out, uintptr_t pc, uintptr_t sp, uintptr_t fp)
{
    *out = (struct arch_registers){ { 0 } };
    out->word[PC_WORD] = pc - ARCH_CODE_UNIT; /* the call: it may be the last of its function */
    out->word[SP_WORD] = sp;
    out->word[FP_REGISTER] = fp;
}

void arch_frame_undo_call(void *ucontext)
{
    mcontext_t *m = &((ucontext_t *)ucontext)->uc_mcontext;
    m->pc = m->regs[LINK_REGISTER];
}

reads_frames void arch_frame_call(void *ucontext, void (*fn)(void *), void *arg, uintptr_t sp)
{
    mcontext_t *m = &((ucontext_t *)ucontext)->uc_mcontext;
    m->sp = align_down(sp, 16);
    m->pc = (uintptr_t)fn;
    m->regs[0] = (uintptr_t)arg;
    m->regs[LINK_REGISTER] = 0;
}

reads_frames uintptr_t arch_frame_sp(const void *ucontext)
{
    return (uintptr_t)((const ucontext_t *)ucontext)->uc_mcontext.sp;
}

reads_frames uintptr_t arch_frame_fp(const void *ucontext)
{
    return (uintptr_t)((const ucontext_t *)ucontext)->uc_mcontext.regs[FP_REGISTER];
}

#define ARCH_SS_AUTODISARM (UINT32_C(1) << 31) /* of the kernel; libc does not always say */

reads_frames void arch_frame_sigstack(const void *ucontext, uintptr_t *lo, uintptr_t *hi)
{
    const stack_t *s = &((const ucontext_t *)ucontext)->uc_stack;
    *lo = (s->ss_flags & SS_DISABLE) != 0 ? 0 : (uintptr_t)s->ss_sp;
    *hi = *lo == 0 ? 0 : *lo + s->ss_size;
}

bool arch_frame_sigstack_is_hidden(const void *ucontext)
{
    return ((uint32_t)((const ucontext_t *)ucontext)->uc_stack.ss_flags & ARCH_SS_AUTODISARM) != 0;
}

#define RECORDS_OFFSET (offsetof(ucontext_t, uc_mcontext) + offsetof(mcontext_t, __reserved))
#define FIRST_RECORD ((uint64_t)sizeof(struct fpsimd_context) << 32 | FPSIMD_MAGIC)

/* Note [Frames of handlers] */
reads_frames void *arch_frame_find(uintptr_t lo, uintptr_t hi, uintptr_t restorer)
{
    (void)restorer;
    size_t need = RECORDS_OFFSET + sizeof(struct fpsimd_context);
    for (uintptr_t p = align_up(lo, 16); p + need <= hi; p += 16)
        if (*(const volatile uint64_t *)(p + RECORDS_OFFSET) == FIRST_RECORD) return (void *)p;
    return NULL;
}

/* The records end with an empty one.  What does not fit the kernel writes elsewhere, into memory
 * that a record of the list names. */
int arch_frame_registers(const void *ucontext, struct arch_range out[2])
{
    const mcontext_t *m = &((const ucontext_t *)ucontext)->uc_mcontext;
    const unsigned char *at = m->__reserved, *end = at + sizeof m->__reserved;
    int n = 1;
    while ((size_t)(end - at) >= sizeof(struct _aarch64_ctx)) {
        const struct _aarch64_ctx *record = (const struct _aarch64_ctx *)at;
        if (record->magic == 0 || record->size < sizeof *record || record->size > end - at) break;
        if (record->magic == EXTRA_MAGIC && n == 1) {
            const struct extra_context *extra = (const struct extra_context *)record;
            out[n].lo = (uintptr_t)extra->datap;
            out[n++].hi = (uintptr_t)extra->datap + extra->size;
        }
        at += record->size;
    }
    out[0] = (struct arch_range){ (uintptr_t)m->regs, (uintptr_t)at };
    return n;
}
