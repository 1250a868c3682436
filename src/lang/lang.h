/* What the files of this floor share: the guard at the door of a public call, and telling the
 * collector of pointers that move through memory it does not scan in step.
 *
 * Note [Door].  A public call that needs a goroutine begins with lang_enter, one that may block
 * with lang_enter_blocking.  Both return the running goroutine; its record never changes under a
 * function, whatever thread it continues on, while m_self() and its P do: those are read anew after
 * each call that may switch.
 *
 * Note [Moving pointers].  While marking runs, a stack that was scanned is not scanned again, and
 * neither is a waiter's record.  So a pointer that goes from one to the other, by a channel or by a
 * list of deferred calls, is shaded on the way, and so is the one it overwrites (DESIGN section 4,
 * rules 3 and 9).  Test and store are one restartable range, as in the program's own stores: the
 * flag changes only while the world is stopped.
 *
 * Note [Waiter records].  A goroutine that parks shades what its record names (lang_shade): the
 * place of the element, which may lie in a collected object, and the object waited at.  What leaves
 * a record needs nothing: the waker uses both in the critical section in which it clears them and
 * keeps neither, and the goroutine, when it goes on, has what it needs on its own stack.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_LANG_H
#define GORT_LANG_LANG_H

#include "base/assert.h"
#include "base/atomic.h"
#include "base/race.h"
#include "gc/barrier.h"
#include "sched/sched.h"

/* Throws, naming the call, when not on a goroutine. */
static force_inline struct g *lang_enter(const char *call)
{
    struct g *g = g_self();
    if (likely(g != NULL && crit_depth() == 0)) return g;
    return g_require(call);
}

static force_inline struct g *lang_enter_blocking(const char *call)
{
    struct g *g = lang_enter(call);
    sched_maybe_yield(); /* a test mode */
    return g;
}

/* Of what is to be called later: here the trace shows the caller, then there would be a fault at
 * address 0.  The parameter's attribute says that there is a function, so the compiler is not to
 * know what is looked at. */
static force_inline void lang_require_function(void (*fn)(void *), const char *call)
{
    __asm__("" : "+r"(fn));
    if (unlikely(fn == NULL)) throw_fmt("%s: no function to run", call);
}

/* *slot = value, where slot lies in a goroutine's record. */
static inline void lang_store_root(void **slot, void *value)
{
    gort_store_pointer(slot, value); /* a marker may read it meanwhile: either was logged */
}

/* A record outside the heap takes up a and b: Note [Waiter records].  In a critical section. */
static force_inline void lang_shade(const void *a, const void *b)
{
    if (unlikely(barrier_on())) barrier_log((void *)(uintptr_t)a, (void *)(uintptr_t)b);
}

#endif
