/* The readers-writer mutex.
 *
 * Readers count themselves in one word and are done.  A writer, having shut out other writers by a
 * mutex, subtracts RW_WRITER from that word: from then on every reader that comes finds it negative
 * and waits, so writers do not starve; and the writer waits until those who were inside have left.
 * It hands over to all readers that came meanwhile before another writer may begin, so readers do
 * not starve either.
 *
 * Invariants: (1) readers, with RW_WRITER added when it is negative, is the number of readers
 * inside or waiting, but for those in cells; (2) while negative, departing is the number that were
 * inside when the writer came, minus those that have left; whoever brings it to 0 wakes the writer.
 * (While cells are open, and so no writer is there, it is RW_SPREAD: the sign for readers to look
 * at them.)
 *
 * Readers on several CPUs would pass the word's cache line around. When they meet, they are
 * spread: they count themselves in cells of their threads, until the next writer comes. Note
 * [Spread readers] in rwcells.c.
 *
 * The object lives until all calls on it have returned.
 *
 * Memory order: sequentially consistent adds on `readers` and `departing`; waiting is ordered by
 * the semaphore.  Answers to: sync/rwmutex.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gort/sync.h"
#include "lang/mutex.h"
#include "lang/rwcells.h"
#include "lang/sema.h"

/* Others are there, or a writer; readers is the count just after this one came. */
static never_inline void rlock_slow(struct g *g, gort_rwmutex *rw, int32_t readers)
{
    if (readers < 0)
        sema_acquire(g, &rw->reader_sema, false, WAIT_RWMUTEX_R);
    else
        rw_spread(rw);
}

static inline void rlock_word(struct g *g, gort_rwmutex *rw)
{
    int32_t readers = rw_add(&rw->readers, 1);
    if (unlikely(readers != 1)) rlock_slow(g, rw, readers);
}

static never_inline void rlock_cell(struct g *g, gort_rwmutex *rw)
{
    if (!rw_cell_enter(rw)) rlock_word(g, rw);
}

void gort_rwmutex_rlock(gort_rwmutex *rw)
{
    struct g *g = lang_enter_blocking("gort_rwmutex_rlock");
    if (unlikely(rw_looks_spread(rw)))
        rlock_cell(g, rw);
    else
        rlock_word(g, rw);
    race_acquire(&rw->reader_sema);
}

/* A writer waits or writes, or there are cells; readers is the count just after this one left. */
static never_inline void runlock_slow(gort_rwmutex *rw, int32_t readers)
{
    if (readers >= RW_SPREAD) {
        if (readers < RW_PHANTOM) rw_fold(rw); /* Note [Spread readers] (4) */
        return;
    }
    if (readers == -1 || readers == -RW_WRITER - 1) throw_msg("read unlock of unlocked rwmutex");
    if (rw_add(&rw->departing, -1) == 0) sema_release(&rw->writer_sema);
}

static inline void runlock_word(gort_rwmutex *rw)
{
    int32_t readers = rw_add(&rw->readers, -1);
    if (unlikely((uint32_t)readers >= RW_SPREAD)) runlock_slow(rw, readers);
}

static never_inline void runlock_cell(gort_rwmutex *rw)
{
    if (!rw_cell_leave(rw)) runlock_word(rw);
}

void gort_rwmutex_runlock(gort_rwmutex *rw)
{
    (void)lang_enter("gort_rwmutex_runlock");
    race_release(&rw->writer_sema);
    if (unlikely(rw_looks_spread(rw)))
        runlock_cell(rw);
    else
        runlock_word(rw);
}

void gort_rwmutex_lock(gort_rwmutex *rw)
{
    struct g *g = lang_enter_blocking("gort_rwmutex_lock");
    mutex_lock(g, &rw->writers, WAIT_RWMUTEX_W);
    if (rw_is_spread(rw)) rw_fold(rw);
    int32_t inside = rw_add(&rw->readers, -RW_WRITER) + RW_WRITER;
    /* Some of them may have left already and made departing negative. */
    if (inside != 0 && rw_add(&rw->departing, inside) != 0)
        sema_acquire(g, &rw->writer_sema, false, WAIT_RWMUTEX_W);
    race_acquire(&rw->reader_sema);
    race_acquire(&rw->writer_sema);
}

void gort_rwmutex_unlock(gort_rwmutex *rw)
{
    (void)lang_enter("gort_rwmutex_unlock");
    race_release(&rw->reader_sema);
    int32_t waiting = rw_add(&rw->readers, RW_WRITER);
    if (unlikely(waiting < 0 || waiting >= RW_WRITER)) throw_msg("unlock of unlocked rwmutex");
    for (int32_t i = 0; i < waiting; i++)
        sema_release(&rw->reader_sema);
    mutex_unlock(&rw->writers);
}
