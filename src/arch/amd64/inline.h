/* What arch.h promises inline, amd64.  A single instruction that reads and writes the
 * critical-section word is not interrupted in the middle.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_ARCH_AMD64_INLINE_H
#define GORT_ARCH_AMD64_INLINE_H

#include "base/config.h"
#include "gort/inline.h"

static force_inline uintptr_t arch_stack_pointer(void)
{
    uintptr_t sp;
    __asm__ volatile("movq %%rsp, %0" : "=r"(sp));
    return sp;
}

#define ARCH_MXCSR_EXCEPTIONS 0x3fu /* flags that were raised, as opposed to controls */

static force_inline uint64_t arch_fp_controls(void)
{
    uint32_t mxcsr;
    uint16_t x87_control;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(x87_control));
    return (mxcsr & ~ARCH_MXCSR_EXCEPTIONS) | (uint64_t)x87_control << 32;
}

static force_inline void arch_pause(void)
{
    __asm__ volatile("pause" ::: "memory");
}

static force_inline void arch_fence_after_rmw(void)
{
    __asm__ volatile("" ::: "memory"); /* it is one by itself */
}

/* Above the address lie the saved frame pointer and the return address. */
static force_inline uintptr_t arch_frame_end(const void *address)
{
    return (uintptr_t)address + 2 * sizeof(uintptr_t);
}

#define ARCH_OWN_FRAME_END() arch_frame_end(__builtin_frame_address(0))
#define ARCH_RED_ZONE 128
#define ARCH_CODE_UNIT 1
#define ARCH_CALL_PUSHES 1
#define ARCH_FINDS_FRAMES_BY_RETURN 1

#define ARCH_TLS_LOAD(type, offset)                                                                \
    __extension__({                                                                                \
        type tls_value_;                                                                           \
        __asm__ volatile("movq gort_tls@gottpoff(%%rip), %0\n\tmovq %%fs:%c1(%0), %0"              \
                         : "=&r"(tls_value_)                                                       \
                         : "i"(offset));                                                           \
        tls_value_;                                                                                \
    })

static force_inline void *arch_tls_m(void)
{
    return ARCH_TLS_LOAD(void *, GORT_TLS_M);
}
static force_inline void *arch_tls_g(void)
{
    return ARCH_TLS_LOAD(void *, GORT_TLS_G);
}
static force_inline void *arch_tls_cache(void)
{
    return ARCH_TLS_LOAD(void *, GORT_TLS_CACHE);
}
#define ARCH_TLS_STORE(value, offset)                                                              \
    do {                                                                                           \
        uintptr_t tls_off_;                                                                        \
        __asm__ volatile("movq gort_tls@gottpoff(%%rip), %0\n\tmovq %1, %%fs:%c2(%0)"              \
                         : "=&r"(tls_off_)                                                         \
                         : "r"(value), "i"(offset)                                                 \
                         : "memory");                                                              \
    } while (0)
static force_inline void arch_tls_set_m(void *m)
{
    ARCH_TLS_STORE(m, GORT_TLS_M);
}
static force_inline void arch_tls_set_g(void *g)
{
    ARCH_TLS_STORE(g, GORT_TLS_G);
}
static force_inline void arch_tls_set_cache(void *cache)
{
    ARCH_TLS_STORE(cache, GORT_TLS_CACHE);
}

static force_inline uintptr_t arch_thread_pointer(void)
{
    uintptr_t tp;
    __asm__ volatile("movq %%fs:0, %0" : "=r"(tp));
    return tp;
}
static force_inline int arch_thread_int(intptr_t offset)
{
    int value;
    __asm__ volatile("movl %%fs:(%1), %0" : "=r"(value) : "r"(offset) : "memory");
    return value;
}
static force_inline void arch_thread_int_set(intptr_t offset, int value)
{
    __asm__ volatile("movl %1, %%fs:(%0)" : : "r"(offset), "r"(value) : "memory");
}

static force_inline void arch_crit_enter(void)
{
    uintptr_t off;
    __asm__ volatile("movq gort_tls@gottpoff(%%rip), %0\n\tincl %%fs:%c1(%0)"
                     : "=&r"(off)
                     : "i"(GORT_TLS_CRIT)
                     : "memory", "cc");
}
static force_inline bool arch_crit_leave(void)
{
    uintptr_t off;
    bool zero;
    __asm__ volatile("movq gort_tls@gottpoff(%%rip), %0\n\tdecl %%fs:%c2(%0)"
                     : "=&r"(off), "=@ccz"(zero)
                     : "i"(GORT_TLS_CRIT)
                     : "memory");
    return zero;
}
static force_inline uint32_t arch_crit_word(void)
{
    uintptr_t word;
    __asm__ volatile("movq gort_tls@gottpoff(%%rip), %0\n\tmovl %%fs:%c1(%0), %k0"
                     : "=&r"(word)
                     : "i"(GORT_TLS_CRIT)
                     : "memory");
    return (uint32_t)word;
}
static force_inline void arch_crit_set_pending(void)
{
    uintptr_t off;
    __asm__ volatile("movq gort_tls@gottpoff(%%rip), %0\n\torl %2, %%fs:%c1(%0)"
                     : "=&r"(off)
                     : "i"(GORT_TLS_CRIT), "i"((int)GORT_CRIT_PENDING)
                     : "memory", "cc");
}
static force_inline void arch_crit_clear_pending(void)
{
    uintptr_t off;
    __asm__ volatile("movq gort_tls@gottpoff(%%rip), %0\n\tandl %2, %%fs:%c1(%0)"
                     : "=&r"(off)
                     : "i"(GORT_TLS_CRIT), "i"((int)~GORT_CRIT_PENDING)
                     : "memory", "cc");
}

#endif
