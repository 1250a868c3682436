/* The write barrier's slow half.
 *
 * The fast half is a test and a store in one restartable range (gort/inline.h).  When it finds the
 * flag set it comes here.
 *
 * Note [Test and store are one].  The store must be logged exactly if it takes effect while the
 * flag is on.  The flag changes only while the world is stopped, and a thread is not stopped inside
 * a critical section.  So the section tests the flag again, logs, and stores: all on one side of
 * any change.  What was tested before the section is a hint only: the thread may have been stopped
 * between, and the flag be off again.  For the same reason storing after the section, or before it,
 * would be wrong: a prototype that did so lost a store.
 *
 * Logged are both the overwritten and the stored word (a hybrid barrier).  The overwritten one is
 * needed, and enough: each stack is scanned before its goroutine's next instruction (Note
 * [Snapshot] in cycle.c), and stores by others into a stack that is not scanned yet log what they
 * overwrite there; test/model/barrier.pml searches it all, deletion-alone and
 * deletion-alone-shared.  The stored one is for programs whose own roots have no barrier, and costs
 * nothing while nobody marks.  The overwritten word may be read before the store, plainly: if
 * another goroutine stores into the same slot in between, that one logs what it overwrites, and so
 * on.
 *
 * The buffer belongs to the P, or to the M when it has none (a thread that computes without a P may
 * store).  A full one is shaded in one batch; not marking, there is nothing to shade.
 *
 * Bulk forms (alloc/bulk.c, and exchange here) do the same with many words in one section.
 *
 * Locking: none; critical sections.  Answers to: mwbbuf.go, mbarrier.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/barrier.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/race.h"
#include "gc/gc.h"
#include "gc/mark.h"
#include "heap/heap.h"
#include "gort/mem.h"
#include "sched/sched.h"
#include "sched/stw.h"

void (*barrier_observer)(const uintptr_t *words, uint32_t n);
static struct barrier_counts counts; /* atomic; statistics */

_Static_assert(BARRIER_ENTRIES % 2 == 0, "pairs fill a buffer");

void barrier_read_counts(struct barrier_counts *out)
{
    out->flushes = atomic_load_relaxed(&counts.flushes);
    out->logged = atomic_load_relaxed(&counts.logged);
}

static void queue_words(const struct barrier_buffer *b)
{
    struct word_sink k;
    sink_begin(&k);
    for (uint32_t i = 0; i < b->n; i++)
        sink_add(&k, b->entry[i]);
    sink_end(&k);
}

/* Markers look at the words later.  When nobody marks, the flag is on only in tests, who
 * observe. */
static never_inline void buffer_flush(struct barrier_buffer *b)
{
    race_hide();
    if (barrier_observer != NULL) barrier_observer(b->entry, b->n);
    if (heap_marking()) queue_words(b);
    race_show();
    atomic_fetch_add_relaxed(&counts.flushes, 1);
    atomic_fetch_add_relaxed(&counts.logged, b->n);
    b->n = 0;
}

static struct barrier_buffer *buffer_here(void)
{
    struct m *m = m_self();
    if (unlikely(m == NULL))
        throw_msg("a collected pointer is stored by a thread that gort does not know: attach it");
    return m->p != NULL ? &m->p->barrier : &m->barrier;
}

static void buffer_add(struct barrier_buffer *b, uintptr_t old, uintptr_t value)
{
    if (unlikely(b->n == BARRIER_ENTRIES)) buffer_flush(b);
    b->entry[b->n++] = old;
    b->entry[b->n++] = value;
}

void barrier_log(void *old, void *value)
{
    assert_that(crit_depth() != 0 && barrier_on());
    buffer_add(buffer_here(), (uintptr_t)old, (uintptr_t)value);
}

never_inline void gort_store_pointer_slow(void **slot, void *value)
{
    crit_enter();
    if (barrier_on()) /* Note [Test and store are one] */
        barrier_log(atomic_load_relaxed(slot), value);
    atomic_store_release(slot, value); /* as the fast half's store on this machine */
    crit_exit();
}

/* ---- single words, atomically ---------------------------------------------------------------- */

void *gort_exchange_raw(void **slot, void *value)
{
    crit_enter();
    race_release(slot);
    void *old = atomic_exchange_seq(slot, value);
    race_acquire(slot);
    if (barrier_on()) barrier_log(old, value);
    crit_exit();
    return old;
}

bool gort_compare_exchange_raw(void **slot, void **expected, void *value)
{
    crit_enter();
    void *old = *expected;
    race_release(slot);
    bool done = atomic_cas_seq(slot, expected, value);
    race_acquire(slot);
    if (done && barrier_on()) barrier_log(old, value);
    crit_exit();
    return done;
}

/* ---- many words ------------------------------------------------------------------------------ */

struct bulk {
    struct barrier_buffer *b;
    const char *dst, *src;
};

static void log_words(const struct bulk *k, size_t from, size_t to)
{
    for (size_t i = align_up(from, WORD_SIZE); i + WORD_SIZE <= to; i += WORD_SIZE) {
        uintptr_t old = *(const uintptr_t *)(k->dst + i);
        uintptr_t value = k->src != NULL ? *(const uintptr_t *)(k->src + i) : 0;
        if ((old | value) != 0) buffer_add(k->b, old, value);
    }
}

void barrier_log_objects(const struct gort_type *t, const void *dst, const void *src, size_t n)
{
    assert_that(crit_depth() != 0 && barrier_on());
    struct bulk k = { buffer_here(), dst, src };
    if (t->flags & GORT_TYPE_NOSCAN) return;
    if (t->flags & GORT_TYPE_CONSERVATIVE) {
        log_words(&k, 0, n * t->size);
        return;
    }
    for (size_t i = 0; i < n; i++)
        for (uint32_t r = 0; r < t->nruns; r++) {
            size_t from = i * t->size + t->runs[r].offset;
            log_words(&k, from, from + t->runs[r].size);
        }
}

void barrier_log_words(const uintptr_t *words, size_t n)
{
    assert_that(crit_depth() != 0 && barrier_on());
    struct barrier_buffer *b = buffer_here();
    for (size_t i = 0; i < n; i++) {
        uintptr_t word = words[i];
        if (word != 0) buffer_add(b, word, scan_ends_object(word) ? word - 1 : 0);
    }
}

/* ---- stopped --------------------------------------------------------------------------------- */

void barrier_flush_stw(struct p *p)
{
    if (p->barrier.n != 0) buffer_flush(&p->barrier);
}

void barrier_flush_all_stw(void)
{
    for (int i = 0; i < p_count(); i++)
        barrier_flush_stw(p_at(i));
    for (struct m *m = m_all(); m != NULL; m = m->all_next)
        if (m->barrier.n != 0) buffer_flush(&m->barrier);
}

void barrier_set_stw(bool on)
{
    assert_that(world_is_stopped());
    atomic_store_relaxed(&gort_barrier_flag, on);
}
