/* Waiter records (sudogs): of goroutines that wait in more than one place, or in a second one.
 *
 * A goroutine's first record is part of its own (g->sudog0), so only a select of several cases, and
 * what waits inside another wait, come here.  A P keeps some free records; the others lie in
 * chunks, each with a list of its own, found through the record.  A burst of selects would else
 * leave records for ever: they are released by Ps that did not acquire them, so every P in turn
 * would have its high-water mark.
 *
 * A cycle empties the Ps' lists while the world is stopped (sudogs_flush_stw: at most SUDOGS_KEPT
 * records each), and the sweeper then unmaps chunks of which nothing is used, but for one
 * (sudogs_trim).
 *
 * Why records may be unmapped: whoever reads one holds the lock of the object that it is queued on,
 * is its goroutine, or has the goroutine's waiting list while it is parked (roots, reports).  In
 * all three cases it is not free.  Readers without a lock compare a queue's head with NULL only
 * (hchan.h).
 *
 * Invariants:
 *   1. a free record is on one P's list or on its chunk's, linked through wait_link, all else of it
 *      but `chunk` zero;
 *   2. a chunk is in pool.with_free exactly when its list is not empty; those that are wholly free
 *      come last, so that records are taken from the others first;
 *   3. sudog.chunk is constant, and NULL in a goroutine's own record.
 *
 * Locking: SUDOGS for chunks and their lists; a P's list belongs to who owns the P.
 * Answers to: acquireSudog, releaseSudog in proc.go, clearpools in mgc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "base/assert.h"
#include "base/list.h"
#include "base/throw.h"
#include "heap/persistent.h"
#include "sched/sched_internal.h"

#define CHUNK_BYTES (64 * KB)
#define SUDOGS_KEPT 64                 /* by a P, */
#define SUDOGS_MOVED (SUDOGS_KEPT / 2) /* and how many come or go at once */

struct sudog_chunk {
    struct list link; /* pool.with_free */
    struct sudog *free;
    uint32_t nfree;
};
#define CHUNK_RECORDS                                                                              \
    ((uint32_t)((CHUNK_BYTES - sizeof(struct sudog_chunk)) / sizeof(struct sudog)))

static struct {
    struct lock lock;
    struct list with_free;
    uint64_t bytes;   /* of chunks; atomic */
    uint64_t trimmed; /* bytes of chunks unmapped so far; atomic */
} pool;

void sudogs_init(void)
{
    lock_init(&pool.lock, RANK_SUDOGS);
    list_init(&pool.with_free);
}

uint64_t sudogs_bytes(void)
{
    return atomic_load_relaxed(&pool.bytes); /* a statistic, as is the next */
}

uint64_t sudogs_trimmed(void)
{
    return atomic_load_relaxed(&pool.trimmed);
}

/* ---- chunks ---------------------------------------------------------------------------------- */

static bool is_wholly_free(const struct sudog_chunk *c)
{
    return c->nfree == CHUNK_RECORDS;
}

static struct sudog_chunk *first_locked(void)
{
    struct list *l = pool.with_free.next;
    return l == &pool.with_free ? NULL : container_of(l, struct sudog_chunk, link);
}

static void put_locked(struct sudog *s)
{
    struct sudog_chunk *c = s->chunk;
    s->wait_link = c->free;
    c->free = s;
    c->nfree++;
    if (is_wholly_free(c)) {
        list_remove(&c->link);
        list_push_back(&pool.with_free, &c->link);
    } else if (c->nfree == 1)
        list_push_front(&pool.with_free, &c->link);
}

static struct sudog *take_locked(struct sudog_chunk *c)
{
    struct sudog *s = c->free;
    c->free = s->wait_link;
    if (--c->nfree == 0) list_remove(&c->link);
    return s;
}

static struct sudog_chunk *chunk_make(void)
{
    struct sudog_chunk *c = persistent_map(CHUNK_BYTES, &sched.meta_bytes);
    if (c == NULL) return NULL;
    struct sudog *records = (struct sudog *)(c + 1);
    list_init(&c->link);
    for (uint32_t i = CHUNK_RECORDS; i-- > 0;) {
        records[i].chunk = c;
        records[i].wait_link = c->free;
        c->free = &records[i];
    }
    c->nfree = CHUNK_RECORDS;
    atomic_fetch_add_relaxed(&pool.bytes, CHUNK_BYTES);
    return c;
}

static void chunk_unmake(struct sudog_chunk *c)
{
    atomic_fetch_sub_relaxed(&pool.bytes, CHUNK_BYTES);
    atomic_fetch_add_relaxed(&pool.trimmed, CHUNK_BYTES);
    persistent_unmap(c, CHUNK_BYTES, &sched.meta_bytes);
}

/* ---- a P's list ------------------------------------------------------------------------------ */

static void p_push(struct p *p, struct sudog *s)
{
    s->wait_link = p->sudog_free;
    p->sudog_free = s;
    p->nsudog_free++;
}

static struct sudog *p_pop(struct p *p)
{
    struct sudog *s = p->sudog_free;
    p->sudog_free = s->wait_link;
    p->nsudog_free--;
    s->wait_link = NULL;
    return s;
}

/* Moves n of the P's records to their chunks. */
static void p_spill(struct p *p, uint32_t n)
{
    lock_acquire(&pool.lock);
    for (; n > 0; n--)
        put_locked(p_pop(p));
    lock_release(&pool.lock);
}

static cold_path void p_refill(struct p *p)
{
    lock_acquire(&pool.lock);
    struct sudog_chunk *c = first_locked();
    if (c == NULL) {
        c = chunk_make();
        if (c == NULL) throw_msg("out of memory: no waiter record");
        list_push_back(&pool.with_free, &c->link);
    }
    for (uint32_t n = 0; n < SUDOGS_MOVED && c->nfree != 0; n++)
        p_push(p, take_locked(c));
    lock_release(&pool.lock);
}

struct sudog *sudog_acquire(struct g *g)
{
    if (!g->sudog0_used) {
        g->sudog0_used = true;
        return &g->sudog0;
    }
    struct p *p = m_self()->p;
    if (p->sudog_free == NULL) p_refill(p);
    return p_pop(p);
}

void sudog_release(struct sudog *s)
{
    assert_that(s->elem == NULL && s->next == NULL && s->prev == NULL);
    struct g *g = s->g;
    s->g = NULL;
    s->object = NULL;
    s->before = NULL;
    s->wait_link = NULL;
    s->is_select = s->success = false;
    if (s->chunk == NULL) {
        g->sudog0_used = false;
        return;
    }
    struct p *p = m_self()->p;
    p_push(p, s);
    if (p->nsudog_free >= SUDOGS_KEPT) p_spill(p, SUDOGS_MOVED);
}

/* ---- giving back ----------------------------------------------------------------------------- */

void sudogs_flush_stw(struct p *p)
{
    if (p->nsudog_free != 0) p_spill(p, p->nsudog_free);
}

/* A wholly free chunk that is not the only one: off the list.  NULL: none. */
static struct sudog_chunk *take_chunk(void)
{
    struct sudog_chunk *c = NULL;
    lock_acquire(&pool.lock);
    struct list *last = pool.with_free.prev;
    if (last != pool.with_free.next) {
        c = container_of(last, struct sudog_chunk, link);
        if (is_wholly_free(c))
            list_remove(&c->link);
        else
            c = NULL;
    }
    lock_release(&pool.lock);
    return c;
}

bool sudogs_trim(void)
{
    struct sudog_chunk *c = take_chunk();
    if (c != NULL) chunk_unmake(c);
    return c != NULL;
}
