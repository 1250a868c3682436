/* The contract with the processor (floor 1): context switch, calls on another stack, the signal
 * frame, and the thread's own block (gort_tls).  Implemented by src/arch/amd64/.
 *
 * Answers to: asm_amd64.s, signal_amd64.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_ARCH_ARCH_H
#define GORT_ARCH_ARCH_H

#include "base/config.h"
#include "gort/inline.h"

/* A suspended context: its callee-saved registers are on its own stack, sp points at them. */
struct arch_context {
    uintptr_t sp;
};

/* Saves the running context in *from and continues *to.  Returns when somebody switches back to
 * *from, possibly on another thread: no thread-local may be cached across it.  Rounding and the
 * other floating-point controls belong to the context; exception flags belong to the thread. */
void arch_switch(struct arch_context *from, const struct arch_context *to);
/* Prepares *ctx so that the first switch to it calls entry(arg) on the stack that ends at top
 * (16-byte alignment is arranged).  entry never returns. */
void arch_context_make(struct arch_context *ctx, uintptr_t top, void (*entry)(void *), void *arg);
/* Calls fn(arg) on the stack that ends at top, after storing in *saved_sp the stack pointer below
 * which nothing of the caller lives; all callee-saved registers have been pushed above it, so a
 * scan from *saved_sp sees them.  Unwinds through (CFI).  Returns when fn does. */
void arch_call_on_stack(void (*fn)(void *), void *arg, uintptr_t top, uintptr_t *saved_sp);
/* Calls fn(arg) on the present stack after pushing the callee-saved registers, with *saved_sp set as
 * above: how a thread makes itself scannable before it waits. */
void arch_call_spilled(void (*fn)(void *), void *arg, uintptr_t *saved_sp);
/* Calls fn(arg) on the present stack, described by CFI as if *ctx, which stays suspended, had called
 * it: an unwinder that starts in fn walks on into the suspended context's frames, and never meets
 * the real caller.  How a report prints the trace of a parked goroutine. */
void arch_call_behind(void (*fn)(void *), void *arg, const struct arch_context *ctx);
/* The same behind a frame of arch_call_on_stack or arch_call_spilled that set saved_sp. */
void arch_call_behind_spilled(void (*fn)(void *), void *arg, uintptr_t saved_sp);

/* The general registers and the program counter of a place where a thread was interrupted, in the order of
 * the signal frame. */
struct arch_registers {
    uintptr_t word[17];
};
void arch_registers_of_frame(struct arch_registers *out, const void *ucontext);
/* At a call: the address that it returns to, stack and frame pointer after it returned. */
void arch_registers_of_call(struct arch_registers *out, uintptr_t pc, uintptr_t sp, uintptr_t fp);
/* The same for a place that is known by its registers. */
void arch_call_behind_registers(void (*fn)(void *), void *arg, const struct arch_registers *r);

static force_inline uintptr_t arch_stack_pointer(void)
{
    uintptr_t sp;
#if defined(__x86_64__)
    __asm__ volatile("movq %%rsp, %0" : "=r"(sp));
#else
#error "no such architecture yet"
#endif
    return sp;
}

static force_inline void arch_pause(void)
{
    __asm__ volatile("pause" ::: "memory");
}

/* A full barrier behind an atomic read-modify-write, which is one by itself on this machine. */
static force_inline void arch_fence_after_rmw(void)
{
    __asm__ volatile("" ::: "memory");
}

static force_inline void arch_prefetch(const void *p)
{
    __builtin_prefetch(p);
}

/* Bytes below the stack pointer that the ABI lets a function use without moving it. */
#define ARCH_RED_ZONE 128

/* ---- the signal frame (ucontext) ---------------------------------------------------------- */

uintptr_t arch_frame_pc(const void *ucontext);
void arch_frame_set_pc(void *ucontext, uintptr_t pc);
/* The thread has called an address that is no code: its registers become those of the caller as if
 * the call had returned. */
void arch_frame_undo_call(void *ucontext);
uintptr_t arch_frame_sp(const void *ucontext);
uintptr_t arch_frame_fp(const void *ucontext);
/* The alternate stack in force then, [*lo, *hi); *lo 0: none. */
void arch_frame_sigstack(const void *ucontext, uintptr_t *lo, uintptr_t *hi);
/* The ucontext of the first frame in [lo, hi) of a signal handler that returns to `restorer`; NULL: none.
 * Memory that once was such a frame may be taken for one. */
void *arch_frame_find(uintptr_t lo, uintptr_t hi, uintptr_t restorer);
/* Memory that holds the interrupted registers, general and vector, by its recorded size: at most
 * two ranges [lo, hi); returns how many. */
struct arch_range {
    uintptr_t lo, hi;
};
int arch_frame_registers(const void *ucontext, struct arch_range out[2]);

/* ---- the thread's block ------------------------------------------------------------------- *
 * gort_tls (gort/inline.h) is read by assembly that computes the address anew each time: a
 * goroutine may continue on another thread after any switch, and compilers keep the address of a
 * thread-local across calls.  No C expression takes its address. */

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

/* Address of the thread's control block, and an int at a distance from it: for libc's errno, whose
 * address no C expression may keep across a switch. */
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

/* The critical-section word: low bits count nested sections, the top bit (GORT_CRIT_PENDING) says
 * that a stop was asked for meanwhile.  Only the thread itself and its own signal handler touch
 * it, so single instructions suffice. */
static force_inline void arch_crit_enter(void)
{
    uintptr_t off;
    __asm__ volatile("movq gort_tls@gottpoff(%%rip), %0\n\tincl %%fs:%c1(%0)"
                     : "=&r"(off)
                     : "i"(GORT_TLS_CRIT)
                     : "memory", "cc");
}
/* true: the count is 0 and nothing is pending, the common case.  false: nested still, or pending;
 * the caller looks at arch_crit_word. */
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
