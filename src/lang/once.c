/* Once.
 *
 * The mutex is held while fn runs, so that whoever comes meanwhile waits until it has returned.
 * `done` is set afterwards, by a deferred call: also when fn panics or exits its goroutine.
 *
 * Memory order: the acquiring load of done pairs with the releasing store in finish.
 * Answers to: sync/once.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gort/sync.h"
#include "lang/mutex.h"
#include "lang/panic.h"

static void finish(void *arg)
{
    gort_once *once = arg;
    race_release(once);
    atomic_store_release(&once->done, 1u);
    mutex_unlock(&once->m);
}

static never_inline void do_slow(struct g *g, gort_once *once, void (*fn)(void *), void *arg)
{
    mutex_lock(g, &once->m, WAIT_ONCE);
    if (once->done) {
        mutex_unlock(&once->m);
        return;
    }
    struct defer *d = defer_push(g, finish, once);
    fn(arg);
    defer_cancel(g, d);
    finish(once);
}

void gort_once_do(gort_once *once, void (*fn)(void *), void *arg)
{
    struct g *g = lang_enter_blocking("gort_once_do");
    if (unlikely(!atomic_load_acquire(&once->done))) do_slow(g, once, fn, arg);
    race_acquire(once);
}
