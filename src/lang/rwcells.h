/* Cells of the threads, in which the readers of a rwmutex count themselves: rwcells.c.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_LANG_RWCELLS_H
#define GORT_LANG_RWCELLS_H

#include "gort/sync.h"
#include "lang/lang.h"

/* In gort_rwmutex.readers, beside the number of readers, which is less than SPREAD: */
#define RW_WRITER (1 << 30)  /* subtracted while a writer waits or writes */
#define RW_PHANTOM (1 << 28) /* added while cells may hold readers */
#define RW_SPREAD (1 << 27)  /* what is not less than this has the phantom readers in it */

/* May cells hold readers?  A moment ago, but exact for who holds rw->writers and sees false. */
static force_inline bool rw_is_spread(const gort_rwmutex *rw)
{
    return atomic_load_relaxed(&rw->readers) >= RW_SPREAD;
}

/* Is it worth a look at this thread's cell?  The sign lies in a word of its own: a load of the one
 * that the last reader changed by a locked instruction waits for that, 2 ns of 8. */
static force_inline bool rw_looks_spread(const gort_rwmutex *rw)
{
    return atomic_load_relaxed(&rw->departing) >= RW_SPREAD;
}

static force_inline int32_t rw_add(int32_t *word, int32_t n)
{
    return atomic_fetch_add_seq(word, n) + n;
}

#define RW_BUCKETS 256  /* objects whose readers are spread at a time, at most */
#define RW_CELL_BITS 16 /* of a cell: its readers; above: the object's address */
#define RW_CELL_FULL ((UINT64_C(1) << RW_CELL_BITS) - 1)

#define RW_ROWS 64 /* threads beyond share a row with others */

/* What threads of one number, modulo RW_ROWS, write. */
extern struct rw_row {
    uint64_t cells[RW_BUCKETS]; /* 0: closed.  atomic; opened and closed under the bucket's lock,
                                   counted in by anybody */
    uint64_t met;               /* how often readers met others; atomic, and may lose some */
} cache_aligned rw_rows[RW_ROWS];

static force_inline struct rw_row *rw_own_row(void)
{
    return &rw_rows[m_self()->id % RW_ROWS];
}

_Static_assert(RW_BUCKETS == 1 << 8, "the upper eight bits");
static force_inline unsigned rw_bucket(const gort_rwmutex *rw)
{
    return (unsigned)(((uint64_t)(uintptr_t)rw * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

static force_inline uint64_t rw_tag(const gort_rwmutex *rw)
{
    return (uint64_t)(uintptr_t)rw << RW_CELL_BITS;
}

/* One reader more, or one less, in this thread's cell. false: not there. Most often no other
 * reader is; to try that first saves a load of what the last one locked. Not in a section: any
 * cell is as good as any other. */
static force_inline bool rw_cell_enter(const gort_rwmutex *rw)
{
    uint64_t *cell = &rw_own_row()->cells[rw_bucket(rw)], tag = rw_tag(rw), was = tag;
    if (likely(atomic_cas_acqrel(cell, &was, tag + 1))) return true;
    return was - tag < RW_CELL_FULL && atomic_cas_acqrel(cell, &was, was + 1);
}
static force_inline bool rw_cell_leave(const gort_rwmutex *rw)
{
    uint64_t *cell = &rw_own_row()->cells[rw_bucket(rw)], tag = rw_tag(rw), was = tag + 1;
    if (likely(atomic_cas_acqrel(cell, &was, tag))) return true;
    return was - tag - 1 < RW_CELL_FULL && atomic_cas_acqrel(cell, &was, was - 1);
}

/* By a reader inside that met others: spreads rw's readers, if that seems worth it. */
void rw_spread(gort_rwmutex *rw);
/* By who holds rw->writers and is no writer: the cells are rw's if they can be had.  For tests
 * too. */
void rw_open_cells(gort_rwmutex *rw);
/* All readers are in the word from now on. */
void rw_fold(gort_rwmutex *rw);

#endif
