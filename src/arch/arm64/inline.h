/* What arch.h promises inline, arm64.
 *
 * The critical-section word is changed by an exclusive pair: a signal between load and store makes
 * the store fail (returning from an exception clears the monitor), so the handler never comes
 * between.  The pair costs nothing more than a plain one where nobody interferes, and needs no
 * newer instructions.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_ARCH_ARM64_INLINE_H
#define GORT_ARCH_ARM64_INLINE_H

#include "base/config.h"
#include "gort/inline.h"

static force_inline uintptr_t arch_stack_pointer(void)
{
    uintptr_t sp;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    return sp;
}

static force_inline uint64_t arch_fp_controls(void)
{
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
}

static force_inline void arch_pause(void)
{
    __asm__ volatile("yield" ::: "memory");
}

static force_inline void arch_fence_after_rmw(void)
{
    __asm__ volatile("dmb ish" ::: "memory");
}

/* At the address, which is anywhere in the frame, lies the address of the caller's record.  Frames
 * have records unless the compiler was asked to leave them out. */
static force_inline uintptr_t arch_frame_end(const void *address)
{
    return *(const uintptr_t *)address;
}

#define ARCH_OWN_FRAME_END() ((uintptr_t)__builtin_dwarf_cfa())
#define ARCH_RED_ZONE 0
#define ARCH_CODE_UNIT 4
#define ARCH_CALL_PUSHES 0
#define ARCH_FINDS_FRAMES_BY_RETURN 0 /* Note [Frames of handlers] in frame.c */

/* at: the address of gort_tls in this thread. */
#define ARCH_TLS_FIND_                                                                             \
    "adrp %[at], :gottprel:gort_tls\n\t"                                                           \
    "ldr %[at], [%[at], :gottprel_lo12:gort_tls]\n\t"                                              \
    "mrs %[tp], tpidr_el0\n\t"                                                                     \
    "add %[at], %[at], %[tp]\n\t"

static force_inline void *arch_tls_load_(long offset)
{
    uintptr_t at, tp;
    __asm__ volatile(ARCH_TLS_FIND_ "ldr %[at], [%[at], %[offset]]"
                     : [at] "=&r"(at), [tp] "=&r"(tp)
                     : [offset] "r"(offset)
                     : "memory");
    return (void *)at;
}
static force_inline void arch_tls_store_(void *value, long offset)
{
    uintptr_t at, tp;
    __asm__ volatile(ARCH_TLS_FIND_ "str %[value], [%[at], %[offset]]"
                     : [at] "=&r"(at), [tp] "=&r"(tp)
                     : [value] "r"(value), [offset] "r"(offset)
                     : "memory");
}

static force_inline void *arch_tls_m(void)
{
    return arch_tls_load_(GORT_TLS_M);
}
static force_inline void *arch_tls_g(void)
{
    return arch_tls_load_(GORT_TLS_G);
}
static force_inline void *arch_tls_cache(void)
{
    return arch_tls_load_(GORT_TLS_CACHE);
}
static force_inline void arch_tls_set_m(void *m)
{
    arch_tls_store_(m, GORT_TLS_M);
}
static force_inline void arch_tls_set_g(void *g)
{
    arch_tls_store_(g, GORT_TLS_G);
}
static force_inline void arch_tls_set_cache(void *cache)
{
    arch_tls_store_(cache, GORT_TLS_CACHE);
}

static force_inline uintptr_t arch_thread_pointer(void)
{
    uintptr_t tp;
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(tp));
    return tp;
}
static force_inline int arch_thread_int(intptr_t offset)
{
    uintptr_t value;
    __asm__ volatile("mrs %0, tpidr_el0\n\tldr %w0, [%0, %1]"
                     : "=&r"(value)
                     : "r"(offset)
                     : "memory");
    return (int)value;
}
static force_inline void arch_thread_int_set(intptr_t offset, int value)
{
    uintptr_t tp;
    __asm__ volatile("mrs %0, tpidr_el0\n\tstr %w2, [%0, %1]"
                     : "=&r"(tp)
                     : "r"(offset), "r"(value)
                     : "memory");
}

/* The word becomes what `change` and the constant `by` make of it; what it became. */
#define ARCH_CRIT_CHANGE_(change, by)                                                              \
    __extension__({                                                                                \
        uintptr_t at_, tp_;                                                                        \
        uint32_t word_, failed_;                                                                   \
        __asm__ volatile(                                                                          \
            ARCH_TLS_FIND_ "add %[at], %[at], %[offset]\n"                                         \
                           "1:\tldxr %w[word], [%[at]]\n\t" change " %w[word], %w[word], #" by     \
                           "\n\t"                                                                  \
                           "stxr %w[failed], %w[word], [%[at]]\n\t"                                \
                           "cbnz %w[failed], 1b"                                                   \
            : [at] "=&r"(at_), [tp] "=&r"(tp_), [word] "=&r"(word_), [failed] "=&r"(failed_)       \
            : [offset] "i"(GORT_TLS_CRIT)                                                          \
            : "memory");                                                                           \
        word_;                                                                                     \
    })

_Static_assert(GORT_CRIT_PENDING == 0x80000000u, "as written below");

static force_inline void arch_crit_enter(void)
{
    (void)ARCH_CRIT_CHANGE_("add", "1");
}
static force_inline bool arch_crit_leave(void)
{
    return ARCH_CRIT_CHANGE_("sub", "1") == 0;
}
static force_inline void arch_crit_set_pending(void)
{
    (void)ARCH_CRIT_CHANGE_("orr", "0x80000000");
}
static force_inline void arch_crit_clear_pending(void)
{
    (void)ARCH_CRIT_CHANGE_("and", "0x7fffffff");
}
static force_inline uint32_t arch_crit_word(void)
{
    uintptr_t at, tp;
    __asm__ volatile(ARCH_TLS_FIND_ "ldr %w[at], [%[at], %[offset]]"
                     : [at] "=&r"(at), [tp] "=&r"(tp)
                     : [offset] "i"(GORT_TLS_CRIT)
                     : "memory");
    return (uint32_t)at;
}

#endif
