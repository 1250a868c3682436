/* The contract with the processor (floor 1): context switch, calls on another stack, the signal
 * frame, and the thread's own block (gort_tls).  Implemented by src/arch/amd64/ and
 * src/arch/arm64/.
 *
 * Answers to: asm_amd64.s, asm_arm64.s, signal_amd64.go, signal_arm64.go.
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
/* The same by one that is never continued. */
void arch_switch_last(struct arch_context *from, const struct arch_context *to);
/* Prepares *ctx so that the first switch to it calls entry(arg) on the stack that ends at top
 * (16-byte alignment is arranged).  entry never returns. */
void arch_context_make(struct arch_context *ctx, uintptr_t top, void (*entry)(void *), void *arg);
/* The same with floating-point controls that arch_fp_controls returned elsewhere, instead of the
 * caller's. */
void arch_context_make_with(struct arch_context *ctx, uintptr_t top, void (*entry)(void *),
                            void *arg, uint64_t fp_controls);
/* Calls fn(arg) on the stack that ends at top, after storing in *saved_sp the stack pointer below
 * which nothing of the caller lives; all callee-saved registers have been pushed above it, so a
 * scan from *saved_sp sees them.  Unwinds through (CFI).  Returns when fn does. */
void arch_call_on_stack(void (*fn)(void *), void *arg, uintptr_t top, uintptr_t *saved_sp);
/* Calls fn(arg) on the present stack after pushing the callee-saved registers, with *saved_sp set
 * as above: how a thread makes itself scannable before it waits. */
void arch_call_spilled(void (*fn)(void *), void *arg, uintptr_t *saved_sp);
/* Calls fn(arg) on the present stack, described by CFI as if *ctx, which stays suspended, had
 * called it: an unwinder that starts in fn walks on into the suspended context's frames, and never
 * meets the real caller.  How a report prints the trace of a parked goroutine. */
void arch_call_behind(void (*fn)(void *), void *arg, const struct arch_context *ctx);
/* The same behind a frame of arch_call_on_stack or arch_call_spilled that set saved_sp. */
void arch_call_behind_spilled(void (*fn)(void *), void *arg, uintptr_t saved_sp);

/* The general registers and the program counter of a place where a thread was interrupted, in the
 * order of the signal frame. */
#if defined(__x86_64__)
#define ARCH_REGISTERS 17
#else
#define ARCH_REGISTERS 33
#endif
struct arch_registers {
    uintptr_t word[ARCH_REGISTERS];
};
void arch_registers_of_frame(struct arch_registers *out, const void *ucontext);
/* At a call: the address that it returns to, stack and frame pointer after it returned. */
void arch_registers_of_call(struct arch_registers *out, uintptr_t pc, uintptr_t sp, uintptr_t fp);
uintptr_t arch_registers_pc(const struct arch_registers *r);
/* The same for a place that is known by its registers. */
void arch_call_behind_registers(void (*fn)(void *), void *arg, const struct arch_registers *r);

/* Does this processor have AES instructions? */
bool arch_has_aes(void);
/* A hash of more than 16 bytes by them. */
uint64_t arch_hash_long(const unsigned char *p, size_t n, uint64_t seed, const uint64_t secret[8]);

static force_inline void arch_prefetch(const void *p)
{
    __builtin_prefetch(p);
}

/* In the processor's own header, at the end of this one:
 *
 *      uintptr_t arch_stack_pointer(void);
 *      uint64_t arch_fp_controls(void);
 *                                  rounding and the like, without exception flags
 *      void arch_pause(void);      in a loop that waits for another thread
 *      void arch_fence_after_rmw(void);
 *                                  a full barrier behind an atomic read-modify-write
 *      ARCH_RED_ZONE               bytes below the stack pointer that a function may use without
 *                                  moving it
 *      ARCH_CODE_UNIT              bytes of the shortest instruction
 *      ARCH_CALL_PUSHES            a call leaves the return address at the end of the callee's
 *                                  frame (1), or in a register (0)
 *      ARCH_FINDS_FRAMES_BY_RETURN whether arch_frame_find needs the restorer
 *
 *      uintptr_t arch_frame_end(const void *address);
 *                                  where the frame ends whose __builtin_frame_address(0) that is,
 *                                  or above, in its caller's; 0: not known
 *      ARCH_OWN_FRAME_END()        where this function's frame ends
 *
 * and the accessors of the thread's block. */

/* ---- the signal frame (ucontext) ---------------------------------------------------------- */

uintptr_t arch_frame_pc(const void *ucontext);
void arch_frame_set_pc(void *ucontext, uintptr_t pc);
/* The thread has called an address that is no code: its registers become those of the caller as if
 * the call had returned. */
void arch_frame_undo_call(void *ucontext);
/* When the handler returns the thread calls fn(arg), whose frame lies below sp; fn does not
 * return. */
void arch_frame_call(void *ucontext, void (*fn)(void *), void *arg, uintptr_t sp);
uintptr_t arch_frame_sp(const void *ucontext);
uintptr_t arch_frame_fp(const void *ucontext);
/* The alternate stack in force then, [*lo, *hi); *lo 0: none. */
void arch_frame_sigstack(const void *ucontext, uintptr_t *lo, uintptr_t *hi);
/* Was it set with SS_AUTODISARM?  Then while a handler is on it, nothing tells where it is. */
bool arch_frame_sigstack_is_hidden(const void *ucontext);
/* The ucontext of the first frame in [lo, hi) of a signal handler that returns to `restorer`; NULL:
 * none.  Memory that once was such a frame may be taken for one. */
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
 * thread-local across calls.  No C expression takes its address.
 *
 *      void *arch_tls_m(void);         void arch_tls_set_m(void *m);
 *      void *arch_tls_g(void);         void arch_tls_set_g(void *g);
 *      void *arch_tls_cache(void);     void arch_tls_set_cache(void *cache);
 *
 * The thread's control block, and an int at a distance from it: for libc's errno, whose address no
 * C expression may keep across a switch.
 *
 *      uintptr_t arch_thread_pointer(void);
 *      int arch_thread_int(intptr_t offset);
 *      void arch_thread_int_set(intptr_t offset, int value);
 *
 * The critical-section word: low bits count nested sections, the top bit (GORT_CRIT_PENDING) says
 * that a stop was asked for meanwhile.  Only the thread itself and its own signal handler touch
 * it, so what suffices is that the handler never comes between the load and the store.
 * arch_crit_leave: true: the count is 0 and nothing is pending, the common case; false: nested
 * still, or pending: the caller looks at arch_crit_word.
 *
 *      void arch_crit_enter(void);     bool arch_crit_leave(void);     uint32_t arch_crit_word(void);
 *      void arch_crit_set_pending(void);   void arch_crit_clear_pending(void); */
#if defined(__x86_64__)
#include "arch/amd64/inline.h"
#elif defined(__aarch64__)
#include "arch/arm64/inline.h"
#else
#error "no such architecture yet"
#endif

#endif
