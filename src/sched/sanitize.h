/* What sanitizers are told of switches between stacks.
 *
 * AddressSanitizer: each switch announces the stack it goes to, and the arrival confirms it; a
 * context that never runs again passes NULL so that its fake stack is freed.  Frames that a dead
 * goroutine left behind are forgotten before their memory is used again.
 * ThreadSanitizer: each goroutine is a fiber, and so is each thread's own stack, of which nothing
 * is told but that it exists (Note [Races of the program] in base/race.h).  An attached thread's
 * goroutine is the thread itself; the loop that runs while it is parked gets a fiber of its own, so
 * that a parked goroutine's fiber is never the one that a thread is on.
 *
 * A thread's thread-local variables, errno first of all, are used by one goroutine after the other,
 * in turn because they share the thread: each finds them as new memory.
 *
 * Both are asked for by weak symbols, so that a program built with a sanitizer is understood
 * whether the library was or not.  Without them each of these is the test of a byte.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_SCHED_SANITIZE_H
#define GORT_SCHED_SANITIZE_H

#include "base/race.h"
#include "sched/sched_data.h"

extern bool sanitize_switches; /* constant from before main: there is one of them */

void sanitize_to_g_slow(void **save, const struct g *to);
void sanitize_to_system_slow(void **save, const struct m *m);
void sanitize_arrived_slow(void *fake_stack);
void sanitize_forget_slow(uintptr_t lo, uintptr_t hi);
void sanitize_g_born_slow(struct g *g);
void sanitize_g_buried_slow(struct g *g);
void sanitize_thread_slow(struct m *m);
void sanitize_attached_slow(struct m *m);
void sanitize_detached_slow(struct m *m);
void sanitize_system_stack_slow(const struct m *m);
/* Does AddressSanitizer keep locals where no collector finds them? */
bool sanitize_hides_locals(void);

/* Right before arch_switch.  save: where the fake stack of the context that is left is kept. */
static force_inline void sanitize_to_g(void **save, const struct g *to)
{
    if (unlikely(sanitize_switches)) sanitize_to_g_slow(save, to);
}
static force_inline void sanitize_to_system(void **save, const struct m *m)
{
    if (unlikely(sanitize_switches)) sanitize_to_system_slow(save, m);
}
/* Right after it, or first thing on a new stack. */
static force_inline void sanitize_arrived(const struct g *g)
{
    if (unlikely(sanitize_switches)) sanitize_arrived_slow(g->asan_fake_stack);
}
static force_inline void sanitize_arrived_system(const struct m *m)
{
    if (unlikely(sanitize_switches)) sanitize_arrived_slow(m->asan_fake_stack);
}
/* Frames abandoned there left marks. */
static force_inline void sanitize_forget(uintptr_t lo, uintptr_t hi)
{
    if (unlikely(sanitize_switches)) sanitize_forget_slow(lo, hi);
}
/* Frames are about to be left other than by returning. */
void sanitize_unwinding(void);
/* By who starts g, before anything is written to its stack; on another stack, when g has ended. */
static force_inline void sanitize_g_born(struct g *g)
{
    if (unlikely(race_on)) sanitize_g_born_slow(g);
}
static force_inline void sanitize_g_buried(struct g *g)
{
    if (unlikely(race_on)) sanitize_g_buried_slow(g);
}
/* On a thread of the runtime; on a foreign one, its goroutine made; before it is foreign again. */
static inline void sanitize_thread(struct m *m)
{
    if (unlikely(race_on)) sanitize_thread_slow(m);
}
static inline void sanitize_attached(struct m *m)
{
    if (unlikely(race_on)) sanitize_attached_slow(m);
}
static inline void sanitize_detached(struct m *m)
{
    if (unlikely(race_on)) sanitize_detached_slow(m);
}

/* The program's own code is about to run on the thread's system stack, as that of others did
 * before. */
static inline void sanitize_system_stack(const struct m *m)
{
    if (unlikely(race_on)) sanitize_system_stack_slow(m);
}

#endif
