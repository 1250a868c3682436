/* Counters: a cell for each P.
 *
 * The cells of the Ps that there were when the counter was made are what the inlined addition
 * knows.  When their number grows later, the first of the new ones that adds makes cells for all
 * that there can be, and these Ps use the call.  Rejected: cells for MAX_PROCS at once, 16 KB for
 * each counter; moving to larger cells, which would need everybody who adds to stop; one shared
 * cell for the later ones, which would need locked instructions just where there are many Ps.
 *
 * Who owns a P owns its cell, whatever the counter: adding is a plain addition, in a restartable
 * range (gort/counter.h) or, here, in a critical section.  A P that goes to another thread, or is
 * taken away for good, leaves its cells as they are: the sum is over all Ps that ever were.
 *
 * Memory order: relaxed.  A cell is one aligned word that only grows by additions, so each load of
 * it finds all that happened before the load.  Who adds on a P after another thread did has it by
 * way of the scheduler's lock.  `more` is published by its compare-and-swap, for the zeros in it.
 *
 * Locking: none; critical sections.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gort/counter.h"

#include "gort/mem.h"
#include "lang/lang.h"

struct cell {
    int64_t n; /* owner of the P; anybody reads */
} __attribute__((aligned(CACHE_LINE)));
_Static_assert(sizeof(struct cell) == GORT_COUNTER_STRIDE, "what a P's cache says");

GORT_TYPE(gort_counter, cells, more);
static const struct gort_type cell_type = { .name = "cell of a counter",
                                            .size = sizeof(struct cell),
                                            .align = _Alignof(struct cell),
                                            .flags = GORT_TYPE_NOSCAN };

gort_counter *gort_counter_make(void)
{
    (void)lang_enter("gort_counter_make");
    size_t n = (size_t)p_count();
    gort_counter *c = gort_new_raw(gort_type_gort_counter);
    gort_store_pointer((void **)&c->cells, gort_new_array_raw(&cell_type, n));
    c->bytes = n * sizeof(struct cell);
    return c;
}

static size_t first_cells(const gort_counter *c)
{
    return c->bytes / sizeof(struct cell);
}

/* The cell of the P whose section this is; NULL: it has none yet. */
static struct cell *cell_of(const gort_counter *c, const struct p *p)
{
    if (p->id < first_cells(c)) return (struct cell *)c->cells + p->id;
    struct cell *more = (struct cell *)atomic_load_acquire(&c->more); /* pairs with make_more */
    return more != NULL ? more + p->id : NULL;
}

static void make_more(gort_counter *c)
{
    void *none = NULL;
    void *cells = gort_new_array_raw(&cell_type, MAX_PROCS);
    (void)gort_compare_exchange_raw((void **)&c->more, &none, cells);
}

void gort_counter_add_slow(gort_counter *c, int64_t n)
{
    (void)lang_enter("gort_counter_add");
    for (;;) {
        struct cell *cell = cell_of(c, p_pin());
        if (cell != NULL)
            atomic_store_relaxed(&cell->n, (int64_t)((uint64_t)cell->n + (uint64_t)n));
        p_unpin();
        if (likely(cell != NULL)) return;
        make_more(c);
    }
}

static uint64_t sum_of(const struct cell *cell, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (uint64_t)atomic_load_relaxed(&cell[i].n);
    return sum;
}

int64_t gort_counter_read(const gort_counter *c)
{
    const struct cell *more = (const struct cell *)atomic_load_acquire(&c->more); /* make_more */
    uint64_t sum = sum_of((const struct cell *)c->cells, first_cells(c));
    return (int64_t)(more != NULL ? sum + sum_of(more, MAX_PROCS) : sum);
}
