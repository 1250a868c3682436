/* GORTDEBUG=mutexcheck=1: pthread mutexes that a goroutine holds while it parks.
 *
 * A pthread mutex belongs to the thread that locked it.  A goroutine that parks with one may go on
 * on another thread, and its unlock is then another thread's: undefined for libc; meanwhile whoever
 * wants the mutex blocks a thread until then, perhaps the very one that the goroutine needs.
 * Nobody notices at the place.
 *
 * So the mode replaces the calls of the program and of its libraries (os_calls_replace) by ones
 * that count, for each goroutine, what it holds, and each switch away from a goroutine looks at the
 * count.  Where the goroutine stays on its thread it may hold what it likes: locked ones, attached
 * threads, calls that wait for a P without leaving their thread.
 *
 * A condition's wait unlocks and locks inside libc, which is not seen, and changes nothing in the
 * count.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <errno.h>
#include <pthread.h>

#include "os/os.h"
#include "sched/sched_internal.h"

static int (*real_lock)(pthread_mutex_t *);
static int (*real_trylock)(pthread_mutex_t *);
static int (*real_timedlock)(pthread_mutex_t *, const struct timespec *);
static int (*real_unlock)(pthread_mutex_t *);

static int note_locked(int error, void *pc)
{
    struct m *m = m_self();
    struct g *g = m != NULL ? m->curg : NULL;
    if ((error == 0 || error == EOWNERDEAD) && g != NULL) {
        g->mutexes_held++;
        g->mutex_locked_at = (uintptr_t)pc;
    }
    return error;
}

static int watched_lock(pthread_mutex_t *m)
{
    return note_locked(real_lock(m), __builtin_return_address(0));
}

static int watched_trylock(pthread_mutex_t *m)
{
    return note_locked(real_trylock(m), __builtin_return_address(0));
}

static int watched_timedlock(pthread_mutex_t *m, const struct timespec *until)
{
    return note_locked(real_timedlock(m, until), __builtin_return_address(0));
}

static int watched_unlock(pthread_mutex_t *m)
{
    struct m *self = m_self();
    struct g *g = self != NULL ? self->curg : NULL;
    int error = real_unlock(m);
    if (error == 0 && g != NULL && g->mutexes_held != 0) g->mutexes_held--;
    return error;
}

/* The loader may fill a slot at its first call only. */
static void call_each(void)
{
    pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
    struct timespec past = { 0, 0 };
    (void)pthread_mutex_lock(&m);
    (void)pthread_mutex_trylock(&m);
    (void)pthread_mutex_timedlock(&m, &past);
    (void)pthread_mutex_unlock(&m);
}

void mutexcheck_start(void)
{
    const struct os_call calls[] = {
        { "pthread_mutex_lock", (void *)watched_lock, (void **)&real_lock },
        { "pthread_mutex_trylock", (void *)watched_trylock, (void **)&real_trylock },
        { "pthread_mutex_timedlock", (void *)watched_timedlock, (void **)&real_timedlock },
        { "pthread_mutex_unlock", (void *)watched_unlock, (void **)&real_unlock },
    };
    call_each();
    if (!os_calls_replace(calls, array_len(calls)))
        throw_msg("GORTDEBUG=mutexcheck=1: calls of pthread_mutex_lock can not be watched in a "
                  "program that is linked statically");
}

/* g is about to be switched away from. */
void mutexcheck_leaves(const struct g *g)
{
    if (g->mutexes_held == 0 || g->locked_m != NULL) return;
    throw_fmt(
        "a goroutine %s while it holds a pthread mutex (%u of them, the last one locked before "
        "pc %#lx): it may go on on another thread",
        g->status == G_DEAD ? "ends" : "waits or yields", g->mutexes_held,
        (unsigned long)g->mutex_locked_at);
}
