/* Building contexts, and reading the signal frame, amd64.
 *
 * Answers to: gostartcall in sys_x86.go, signal_linux_amd64.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "arch/arch.h"
#include "base/bits.h"
#include "base/throw.h"

/* ---- contexts ----------------------------------------------------------------------------- */

/* What switch.S pops, in this order: see its head. */
struct saved_frame {
    uint32_t mxcsr;
    uint16_t x87_control;
    uint16_t unused;
    uintptr_t r15, r14, r13, r12, rbx, rbp;
    uintptr_t rip;
    uintptr_t end[2]; /* zero words that end a chain of frame pointers */
};

_Static_assert(offsetof(struct saved_frame, r15) == 8, "switch.S pops r15 first");
_Static_assert(offsetof(struct saved_frame, rip) == 56, "switch.S: RETURN_OFFSET");
_Static_assert(offsetof(struct saved_frame, end) == 64, "switch.S: FRAME_BYTES");
_Static_assert(sizeof(struct saved_frame) % 16 == 0, "aligned at entry: the end is at a top");

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
    *f = (struct saved_frame){ .r12 = (uintptr_t)entry, .r13 = (uintptr_t)arg };
    f->rip = (uintptr_t)arch_entry;
    f->mxcsr = (uint32_t)fp_controls;
    f->x87_control = (uint16_t)(fp_controls >> 32);
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
    struct arch_context ctx = { saved_sp - offsetof(struct saved_frame, r15) };
    arch_call_behind(fn, arg, &ctx);
}

/* ---- the signal frame --------------------------------------------------------------------- */

/* Frames lie in the middle of a stack that sanitizers know nothing good of. */
#define reads_frames __attribute__((no_sanitize_address, no_sanitize_thread))

static const greg_t *registers_of(const void *ucontext)
{
    return ((const ucontext_t *)ucontext)->uc_mcontext.gregs;
}

reads_frames uintptr_t arch_frame_pc(const void *ucontext)
{
    return (uintptr_t)registers_of(ucontext)[REG_RIP];
}

_Static_assert(REG_R8 == 0 && REG_R15 == 7 && REG_RDI == 8 && REG_RSI == 9 && REG_RBP == 10 &&
                   REG_RBX == 11 && REG_RDX == 12 && REG_RAX == 13 && REG_RCX == 14 &&
                   REG_RSP == 15 && REG_RIP == 16,
               "switch.S: arch_call_behind_registers");

reads_frames void arch_registers_of_frame(struct arch_registers *out, const void *ucontext)
{
    for (size_t i = 0; i < sizeof out->word / sizeof out->word[0]; i++)
        out->word[i] = (uintptr_t)registers_of(ucontext)[i];
}

uintptr_t arch_registers_pc(const struct arch_registers *r)
{
    return r->word[REG_RIP];
}

void arch_registers_of_call(struct arch_registers *out, uintptr_t pc, uintptr_t sp, uintptr_t fp)
{
    *out = (struct arch_registers){ { 0 } };
    out->word[REG_RIP] = pc - 1; /* in the call: it may be the last instruction of its function */
    out->word[REG_RSP] = sp;
    out->word[REG_RBP] = fp;
}

reads_frames void arch_frame_set_pc(void *ucontext, uintptr_t pc)
{
    ((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP] = (greg_t)pc;
}

void arch_frame_undo_call(void *ucontext)
{
    greg_t *r = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
    r[REG_RIP] = *(const greg_t *)r[REG_RSP]; /* pushed by the call */
    r[REG_RSP] += (greg_t)sizeof(greg_t);
}

#define FLAG_DIRECTION 0x400 /* clear at every call */

reads_frames void arch_frame_call(void *ucontext, void (*fn)(void *), void *arg, uintptr_t sp)
{
    greg_t *r = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
    sp = align_down(sp, 16) - sizeof(uintptr_t);
    *(volatile uintptr_t *)sp = 0; /* the return address */
    r[REG_RSP] = (greg_t)sp;
    r[REG_RIP] = (greg_t)(uintptr_t)fn;
    r[REG_RDI] = (greg_t)(uintptr_t)arg;
    r[REG_EFL] &= ~(greg_t)FLAG_DIRECTION;
}

reads_frames uintptr_t arch_frame_sp(const void *ucontext)
{
    return (uintptr_t)registers_of(ucontext)[REG_RSP];
}

reads_frames uintptr_t arch_frame_fp(const void *ucontext)
{
    return (uintptr_t)registers_of(ucontext)[REG_RBP];
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

/* The kernel pushes the handler's return address last, so the context lies right above it. */
reads_frames void *arch_frame_find(uintptr_t lo, uintptr_t hi, uintptr_t restorer)
{
    size_t need = sizeof(uintptr_t) + offsetof(ucontext_t, uc_sigmask) + sizeof(uint64_t);
    for (uintptr_t p = align_up(lo, sizeof(uintptr_t)); p + need <= hi; p += sizeof(uintptr_t))
        if (*(const volatile uintptr_t *)p == restorer) return (void *)(p + sizeof(uintptr_t));
    return NULL;
}

/* The kernel's words at the end of the legacy area of an fpstate: they tell whether an extended
 * area follows, and how large the whole is. */
struct fpstate_software {
    uint32_t magic;
    uint32_t extended_bytes;
    uint64_t features;
    uint32_t state_bytes;
};
#define FPSTATE_LEGACY_BYTES 512
#define FPSTATE_SOFTWARE_OFFSET 464
#define FPSTATE_MAGIC 0x46505853u

static size_t fpstate_bytes(const char *fpstate)
{
    struct fpstate_software sw;
    memcpy(&sw, fpstate + FPSTATE_SOFTWARE_OFFSET, sizeof(sw));
    bool extended = sw.magic == FPSTATE_MAGIC && sw.extended_bytes >= FPSTATE_LEGACY_BYTES;
    return extended ? sw.extended_bytes : FPSTATE_LEGACY_BYTES;
}

int arch_frame_registers(const void *ucontext, struct arch_range out[2])
{
    const mcontext_t *m = &((const ucontext_t *)ucontext)->uc_mcontext;
    out[0].lo = (uintptr_t)m->gregs;
    out[0].hi = out[0].lo + sizeof(m->gregs);
    if (m->fpregs == NULL) return 1;
    out[1].lo = (uintptr_t)m->fpregs;
    out[1].hi = out[1].lo + fpstate_bytes((const char *)m->fpregs);
    return 2;
}
