/* Readers of a rwmutex on several threads: each counts itself in its own thread's cell.
 *
 * What it is: a table for all rwmutexes, with a row of RW_BUCKETS cells for each thread. A rwmutex
 * of which readers met gets the bucket of its address: in each row one cell, which is open for it,
 * by its address in the cell's upper part. A reader adds 1 to the cell of its thread, one that
 * leaves takes 1 from the cell of its, and a writer first takes all of them back into the object's
 * word.
 *
 * Why this way: the object stays 24 bytes that start as zeros and need no end, and readers of one
 * that nobody else reads pay nothing. Rejected: doc/decisions/0022; and rows of Ps, since a
 * goroutine that reads in a loop, and computes, may be without one (Note [Retaking a P] in
 * sched/monitor.c).
 *
 * Note [Spread readers].  The number of readers is a sum: what is in `readers`, and what is in the
 * open cells.  Who reads is nowhere, so any reader may leave through any of them.
 *
 *   - While cells are open, PHANTOM readers are inside by the word. So it stays far above zero
 *     when readers leave through it that came through a cell (on another thread, or when the cell
 *     was closed meanwhile), and nobody takes it for one with a writer, or for a mistake.
 *   - Opening (rw_open_cells): the cells are taken from another object, PHANTOM is added, the sign
 *     for readers is set, the cells are opened. The opener holds rw->writers, so there is no
 *     writer, and none comes.
 *   - Folding (rw_fold): the sign is taken away, which would be in the writer's count of those that
 *     depart, and the cells are closed one by one, each by an exchange that tells how many were in
 *     it; then this is added to the word, and PHANTOM taken away.  A writer folds before it shuts
 *     readers out.  So does a reader that leaves through the word and takes it below PHANTOM: who
 *     leaves is still told at once whether it ever came.
 *   - Both happen under the bucket's lock, and look again under it whether they are wanted.
 *
 * Conclusions:
 *  (1) Each reader is at each instant in the word, or in an open cell, or in the hands of who
 *      folds. A cell's tag and number are one word, so a reader's compare-and-swap meets an open
 *      cell or fails; then it uses the word, which is always right.
 *  (2) An open cell implies PHANTOM in the word: it is added before the first is opened, and taken
 *      away after the last was closed.
 *  (3) PHANTOM implies that no writer has shut readers out: a writer folds under rw->writers,
 *      without which PHANTOM is not added. So a reader that finds an open cell is inside at once,
 *      and who folds finds no writer that waits for its result.
 *  (4) After a fold the word has exactly the readers inside, so below zero means that more left
 *      than came. With nobody inside all cells are empty, and the word has PHANTOM: it had less
 *      only on the way to a fold. So who leaves then without having come takes it below, folds,
 *      and is told; with others inside it leaves in the place of one, who is told, as with the
 *      word alone.
 *  (5) The sign may be out of date: without it a reader uses the word, and with it, if the cell is
 *      closed.
 *
 * Note [Readers of former objects].  Nobody tells when an object ends, or becomes zero bytes again.
 * Its cells stay open, and the bucket its.
 *   - A new rwmutex at the same address has no sign, so no reader of it looks at cells, before it
 *     is spread itself; and then what the cells of its own bucket hold is the former object's and
 *     thrown away, before PHANTOM is added and the sign is set.
 *   - Another object takes the bucket over, if all its cells are empty: each is closed by a
 *     compare-and-swap of the empty one. Nothing is written to the former object, which may be
 *     gone. If it is there, it keeps PHANTOM and sign: it counts in the word, until a fold that
 *     finds the bucket another's takes both away, and nothing from cells.
 *   - An object that ends while somebody has it locked for reading, through a cell, leaves that
 *     cell for ever, and the others of its bucket count in their words. Unlocked ones leave empty
 *     cells: the word never keeps readers below zero (4).
 *
 * The bucket's owner is stored complemented, and a cell's address is shifted: the table keeps no
 * object alive.  An address above 48 bits is never spread.
 *
 * Locking: READ_CELLS, one bucket, in a critical section; for an operation on each of RW_ROWS
 * lines. It is needed because opening and folding are many steps, and neither may run into the
 * other. Memory order: a cell is opened by a release after the opener acquired rw->writers, so a
 * reader that acquires it has seen what the writers before did; who folds acquires what readers
 * released there.
 *
 * Answers to: nothing in Go; the table is that of BRAVO (Dice and Kogan, 2019).
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/rwcells.h"

#include "base/unscanned.h"
#include "lang/mutex.h"
#include "os/os.h"

/* Opening and folding move each reader's line there and back.  A fold ends spreading for so many
 * times as long as it took, so writers are slowed down by a twentieth at most. */
#define PAUSE_FACTOR 20
#define PAUSE_MOST (10 * 1000000) /* ns: the thread may have lost its CPU */
#define KEPT 1000000              /* ns that a bucket stays with the object that got it */
#define LOOK_EACH 16              /* of a row's readers that met others, one looks at the clock */

#define TAG_BITS (64 - RW_CELL_BITS)

struct rw_row rw_rows[RW_ROWS];
UNSCANNED(rw_rows);

static struct bucket {
    struct lock lock;
    uintptr_t owner;     /* complemented address, 0: nobody; lock */
    int64_t next_change; /* it is not opened before; atomic, written under lock */
} buckets[RW_BUCKETS] = {
    [0 ... RW_BUCKETS - 1] = { .lock = LOCK_INIT(RANK_READ_CELLS) },
};
UNSCANNED(buckets);

/* Those that are closed. */
static void open_locked(unsigned bucket, uint64_t tag)
{
    for (int i = 0; i < RW_ROWS; i++) {
        uint64_t *cell = &rw_rows[i].cells[bucket];
        if (atomic_load_relaxed(cell) == 0) atomic_store_release(cell, tag); /* rw_cell_enter */
    }
}

/* How many readers were in them. */
static int32_t close_locked(unsigned bucket)
{
    int32_t n = 0;
    for (int i = 0; i < RW_ROWS; i++) {
        uint64_t was = atomic_exchange_acqrel(&rw_rows[i].cells[bucket], UINT64_C(0));
        n += (int32_t)(was & RW_CELL_FULL);
    }
    return n;
}

/* Closes them if nobody is in them. */
static bool take_over_locked(unsigned bucket)
{
    uint64_t empty = (uint64_t)~buckets[bucket].owner << RW_CELL_BITS;
    for (int i = 0; i < RW_ROWS; i++) {
        uint64_t *cell = &rw_rows[i].cells[bucket], was = atomic_load_relaxed(cell);
        if (was == 0 || (was == empty && atomic_cas_acqrel(cell, &was, UINT64_C(0)))) continue;
        open_locked(bucket, empty);
        return false;
    }
    return true;
}

/* Note [Spread readers], and [Readers of former objects]. */
static bool own_locked(gort_rwmutex *rw, unsigned bucket)
{
    struct bucket *b = &buckets[bucket];
    bool owner = b->owner == ~(uintptr_t)rw, spread = rw_is_spread(rw);
    if (owner && spread) return true;
    if (owner)
        (void)close_locked(bucket);
    else if (!take_over_locked(bucket))
        return false;
    b->owner = ~(uintptr_t)rw;
    if (!spread) {
        (void)rw_add(&rw->readers, RW_PHANTOM);
        (void)rw_add(&rw->departing, RW_SPREAD);
    }
    return true;
}

void rw_open_cells(gort_rwmutex *rw)
{
    unsigned bucket = rw_bucket(rw);
    struct bucket *b = &buckets[bucket];
    if ((uint64_t)(uintptr_t)rw >> TAG_BITS != 0) return;
    crit_enter();
    lock_acquire(&b->lock);
    if (own_locked(rw, bucket)) open_locked(bucket, rw_tag(rw));
    atomic_store_relaxed(&b->next_change, os_now() + KEPT);
    lock_release(&b->lock);
    crit_exit();
}

/* false: more readers left than came. */
static bool fold_locked(gort_rwmutex *rw, unsigned bucket)
{
    struct bucket *b = &buckets[bucket];
    if (!rw_is_spread(rw)) return true;
    int64_t begin = os_now();
    int32_t n = 0;
    (void)rw_add(&rw->departing, -RW_SPREAD);
    if (b->owner == ~(uintptr_t)rw) {
        n = close_locked(bucket);
        b->owner = 0;
    }
    int32_t readers = rw_add(&rw->readers, n - RW_PHANTOM);
    int64_t now = os_now(), pause = PAUSE_FACTOR * (now - begin);
    atomic_store_relaxed(&b->next_change, now + (pause < PAUSE_MOST ? pause : PAUSE_MOST));
    return readers >= 0;
}

void rw_fold(gort_rwmutex *rw)
{
    unsigned bucket = rw_bucket(rw);
    crit_enter();
    lock_acquire(&buckets[bucket].lock);
    bool right = fold_locked(rw, bucket);
    lock_release(&buckets[bucket].lock);
    crit_exit();
    if (!right) throw_msg("read unlock of unlocked rwmutex");
}

/* By the clock; a hint. */
static bool worth_spreading(const gort_rwmutex *rw)
{
    uint64_t *met = &rw_own_row()->met, n = atomic_load_relaxed(met);
    atomic_store_relaxed(met, n + 1);
    return n % LOOK_EACH == 0 &&
           os_now() >= atomic_load_relaxed(&buckets[rw_bucket(rw)].next_change);
}

/* On one P only who lost it meets others on other CPUs. */
void rw_spread(gort_rwmutex *rw)
{
    if (p_count() == 1 && !m_self()->computing) return;
    if (!worth_spreading(rw) || !mutex_trylock(&rw->writers)) return;
    rw_open_cells(rw);
    mutex_unlock(&rw->writers);
}
