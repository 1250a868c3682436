/* What ThreadSanitizer is told, so that a program built with it hears of its own races.
 *
 * Note [Races of the program].  The library is never built with -fsanitize=thread: the runtime's
 * own orders (futexes, fences, stops, one thread doing another's work) are not what that sanitizer
 * models, and a runtime that it understood would order goroutines that the program does not
 * order.  So it sees only what is said here, each time a call promises an order:
 *   - race_release(x) before, and race_acquire(x) after, whatever the documentation says comes
 *     before the other: a send and its receive, an unlock and the next lock.  What does not follow
 *     from the documentation is not said, though the runtime's locks would give it: the race would
 *     be hidden where it happens to go well.
 *   - Goroutines are the sanitizer's fibers.  A switch says that it orders nothing
 *     (sched/sanitize.h).
 *   - An object, and the stack of a new goroutine, are new memory (race_new_memory): what was done
 *     at the same address in a former life can not race with what is done now.
 *   - The sanitizer replaces memcpy and memset, so the runtime's copies of its own records are seen
 *     as if the goroutine had made them: race_hide and race_show enclose these.  Threads of the
 *     runtime are hidden from their first instruction.
 *   - What the runtime reads and writes on behalf of the program, a channel's element, is said by
 *     race_read_slow and race_write_slow, as done where the program called.
 *
 * Note [Inside the sanitizer].  It has locks of its own, and the runtime's sections call it.  So a
 * thread that holds one must not be stopped: another would wait for the lock in a section, and the
 * stop for that section.  The handler of the stop signal sees where the thread is, and lets it go on
 * where that is the sanitizer's code; stops ask again until they are answered.  That code is known
 * where it is a library of its own, as gcc has it.  clang links it into the program; and who reports
 * holds such a lock in libc too.  For these a stop is given up after a while and tried again: Note
 * [Stops beside the sanitizer] in sched/stw.c.
 *
 * The sanitizer is asked for by weak symbols, which exist when the program is linked with it.
 * Without it each of these is the test of a byte that is never written.  See doc/decisions/0017.
 *
 * Answers to: race.go, internal/race.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_BASE_RACE_H
#define GORT_BASE_RACE_H

#include "base/config.h"

extern bool race_on;                       /* constant from before main */
extern uintptr_t race_code, race_code_end; /* the sanitizer's, if it is known; constant likewise */

/* Note [Inside the sanitizer]. */
static inline bool race_is_inside(uintptr_t pc)
{
    return unlikely(pc - race_code < race_code_end - race_code);
}

void race_acquire_slow(const void *x);
void race_release_slow(const void *x);
void race_read_slow(const void *p, size_t n, const void *pc);
void race_write_slow(void *p, size_t n, const void *pc);
void race_hide_slow(void);
void race_show_slow(void);
void race_new_memory_slow(uintptr_t p, size_t n, bool object);
/* All that any goroutine has done comes before what this one does next: finalizers. */
void race_acquire_all_slow(void);

/* Fibers.  Making one: what the caller did comes before what it does.  From no other thread than
 * that which runs on it, but for the two with a fiber, which is parked. */
void *race_fiber_self(void);
void *race_fiber_make(const char *name, const void *pc);
void race_fiber_free(void *fiber);
void race_fiber_switch(void *fiber);
/* On behalf of a parked fiber: race_acquire and race_release. */
void race_fiber_pass(void *fiber, const void *x);
/* The caller and a parked fiber meet at x: what either did comes before what the other does
 * next. */
void race_fiber_meet(void *fiber, const void *x);

static force_inline void race_acquire(const void *x)
{
    if (unlikely(race_on)) race_acquire_slow(x);
}
static force_inline void race_release(const void *x)
{
    if (unlikely(race_on)) race_release_slow(x);
}
static force_inline void race_hide(void)
{
    if (unlikely(race_on)) race_hide_slow();
}
static force_inline void race_show(void)
{
    if (unlikely(race_on)) race_show_slow();
}
static force_inline void race_acquire_all(void)
{
    if (unlikely(race_on)) race_acquire_all_slow();
}

#endif
