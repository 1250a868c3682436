/* Run queues: one ring per P with a next slot, and the global queue.
 *
 * The owner's ends, put and get, are inline in runq.h.
 *
 * Note [Run queue].  The ring holds goroutines [head, tail).  Only the owner moves tail; owner and
 * thieves move head by compare-and-swap.  Indices grow without bound; 32 bits wrap harmlessly
 * because a thief's compare-and-swap succeeds only on the very value it read, and the ring would
 * have to turn 2^32 / 256 times in between.
 *
 * Memory order: the owner's release of tail (A) pairs with a thief's acquire of tail: the slots
 * below it are visible.  A consumer's release by compare-and-swap of head (B) pairs with the
 * owner's acquire of head in runq_put: the slot may be written again only after it was read.
 *
 * run_next is one more goroutine that runs before the ring: the one just made ready, whose data is
 * in cache.  It is exchanged atomically because thieves take it too.  A pair of goroutines that
 * ready each other through it would starve the ring, so the owner counts its uses in a row.
 *
 * With one P there are no thieves, and the exchanges are plain (p_count changes only while the
 * world is stopped).
 *
 * Note [Far ahead].  Many goroutines on the global queue lie in as many pages, and by the time they
 * are taken off, none is in the cache: walking the links would be one miss after the other.  So
 * where a batch comes to the queue each is given another AHEAD places on, which is prefetched when
 * the first one is taken.  Records are never unmapped, and nothing but a prefetch looks at the
 * hint.
 *
 * Note [A ring half full].  A P whose ring is empty takes half a ring from the global queue.  At a
 * look around, with a ring that holds some, it takes as many as make it half full; with one that
 * holds more, TURN_OF_GLOBAL.  Where goroutines start others faster than they end, rings are full
 * all the time: then half a ring more at each look around overflows, and as many go back to the end
 * of the global queue.  So each goroutine went through it several times, each by a miss of the
 * cache: a fifth of the CPU time of a tree of a million tasks.  Not fewer than TURN_OF_GLOBAL, for
 * fairness: goroutines that yield stay in the ring, and what comes in is what pushes the oldest of
 * them out, to wait behind the others.  So each that is in the ring has a few turns, and then it
 * is others' turn.
 *
 * Answers to: runqput, runqget, runqgrab, globrunqget in proc.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "sched/runq.h"

#define AHEAD 8
#define TURN_OF_GLOBAL 8 /* at least so many at a look around, whatever waits in the ring */

/* ---- global queue: SCHED held --------------------------------------------------------------- */

void global_put_locked(struct g *g)
{
    *queue_link(g) = *queue_ahead(g) = NULL;
    if (sched.runq_last != NULL)
        *queue_link(sched.runq_last) = g;
    else
        sched.runq_first = g;
    sched.runq_last = g;
    atomic_store_relaxed(&sched.nrunq, sched.nrunq + 1);
}

void global_put_head_locked(struct g *g)
{
    *queue_link(g) = sched.runq_first;
    sched.runq_first = g;
    if (sched.runq_last == NULL) sched.runq_last = g;
    atomic_store_relaxed(&sched.nrunq, sched.nrunq + 1);
}

void global_put_chain_locked(struct g *first, struct g *last, uint32_t n)
{
    *queue_link(last) = NULL;
    if (sched.runq_last != NULL)
        *queue_link(sched.runq_last) = first;
    else
        sched.runq_first = first;
    sched.runq_last = last;
    atomic_store_relaxed(&sched.nrunq, sched.nrunq + n);
}

void global_put_list(struct g *first, struct g *last, uint32_t n)
{
    struct g *ahead = first;
    for (uint32_t i = 0; i < AHEAD && ahead != NULL; i++)
        ahead = ahead->sched_link;
    for (struct g *g = first; g != NULL; g = g->sched_link) { /* Note [Far ahead] */
        g->sched_ahead = ahead;
        if (ahead != NULL) ahead = ahead->sched_link;
    }
    lock_acquire(&sched.lock);
    global_put_chain_locked(first, last, n);
    lock_release(&sched.lock);
}

#define CHOSEN_AMONG 64u /* of more that wait, the first so many are drawn from */

static bool is_the_runtimes(const struct g *g)
{
    return !is_newborn(g) && g->no_objects;
}

/* Note [One order for each seed]: the one that is drawn becomes the first. */
static cold_path void draw_first_locked(void)
{
    uint32_t n = sched.nrunq < CHOSEN_AMONG ? sched.nrunq : CHOSEN_AMONG;
    struct g *before = sched.runq_first;
    if (n < 2 || is_the_runtimes(before)) return;
    /* The runtime's own come first and use up no draw: threads wake them when they like. */
    uint32_t skip = 0, i = 1;
    for (struct g *g = *queue_link(before); i < n && skip == 0; g = *queue_link(g), i++)
        if (is_the_runtimes(g)) skip = i;
    if (skip == 0) skip = random_below(sched_random(), n);
    if (skip == 0) return;
    while (--skip > 0)
        before = *queue_link(before);
    struct g *drawn = *queue_link(before);
    *queue_link(before) = *queue_link(drawn);
    if (sched.runq_last == drawn) sched.runq_last = before;
    *queue_link(drawn) = sched.runq_first;
    sched.runq_first = drawn;
}

static struct g *global_pop_locked(void)
{
    if (unlikely(sched_debug.deterministic)) draw_first_locked();
    struct g *g = sched.runq_first;
    if (g == NULL) return NULL;
    arch_prefetch(*queue_ahead(g)); /* Note [Far ahead] */
    sched.runq_first = *queue_link(g);
    if (sched.runq_first == NULL) sched.runq_last = NULL;
    *queue_link(g) = NULL;
    atomic_store_relaxed(&sched.nrunq, sched.nrunq - 1);
    return g;
}

/* How many may come from the global queue at once: Note [A ring half full]. */
static uint32_t room_for_global(const struct p *p)
{
    uint32_t half = runq_limit() / 2, held = runq_length(p);
    uint32_t least = half < TURN_OF_GLOBAL ? 1 : TURN_OF_GLOBAL;
    return held + least < half ? half - held : least;
}

/* One goroutine to run and a fair share of the others into p's ring. */
struct g *global_get_batch_locked(struct p *p, uint32_t max)
{
    uint32_t n = sched.nrunq / (uint32_t)p_count() + 1;
    if (n > max) n = max;
    uint32_t room = room_for_global(p);
    if (n > room) n = room;
    if (unlikely(sched_debug.migrate == 2)) n = 1;
    struct g *first = global_pop_locked();
    for (uint32_t i = 1; first != NULL && i < n; i++) {
        uint32_t head = atomic_load_acquire(&p->runq_head); /* pairs with B */
        if (p->runq_tail - head >= runq_limit()) break;
        struct g *g = global_pop_locked();
        if (g == NULL) break;
        atomic_store_relaxed(&p->runq[p->runq_tail % RUNQ_SIZE], g);
        atomic_store_release(&p->runq_tail, p->runq_tail + 1); /* A */
    }
    return first;
}

struct g *global_get(struct p *p)
{
    if (atomic_load_relaxed(&sched.nrunq) == 0) return NULL; /* hint; sleepers look again */
    lock_acquire(&sched.lock);
    struct g *g = global_get_batch_locked(p, UINT32_MAX);
    lock_release(&sched.lock);
    return g;
}

/* ---- the ring ------------------------------------------------------------------------------- */

/* The ring is full: g and half of the ring go to the global queue.  false: thieves made room. */
bool runq_overflow_slow(struct p *p, struct g *g, uint32_t head, uint32_t tail)
{
    struct g *batch[RUNQ_SIZE / 2];
    uint32_t n = (tail - head) / 2;
    if (n == 0) n = 1;
    for (uint32_t i = 0; i < n; i++)
        batch[i] = atomic_load_relaxed(&p->runq[(head + i) % RUNQ_SIZE]);
    if (!atomic_cas_acqrel(&p->runq_head, &head, head + n)) return false; /* B */
    for (uint32_t i = 0; i + 1 < n; i++)
        *queue_link(batch[i]) = batch[i + 1];
    *queue_link(batch[n - 1]) = g;
    for (uint32_t i = 0; i < n; i++)
        *queue_ahead(batch[i]) = i + AHEAD < n ? batch[i + AHEAD] : NULL;
    *queue_ahead(g) = NULL;
    lock_acquire(&sched.lock);
    global_put_chain_locked(batch[0], g, n + 1);
    atomic_store_relaxed(&sched.overflows, sched.overflows + 1);
    lock_release(&sched.lock);
    return true;
}

uint64_t sched_overflows(void)
{
    return atomic_load_relaxed(&sched.overflows); /* a statistic */
}

/* Racy for others than the owner: a hint, confirmed by whoever acts on it. */
bool runq_empty(struct p *p)
{
    return atomic_load_acquire(&p->runq_head) == atomic_load_acquire(&p->runq_tail) &&
           atomic_load_relaxed(&p->run_next) == NULL;
}

/* Takes half of from's goroutines: the last of them into *out, the others into to's ring (empty,
 * `to` belongs to the caller).  Returns how many. */
uint32_t runq_steal(struct p *from, struct p *to, bool steal_next, struct g **out)
{
    uint32_t base = to->runq_tail, n;
    for (;;) {
        uint32_t head = atomic_load_acquire(&from->runq_head);
        uint32_t tail = atomic_load_acquire(&from->runq_tail); /* pairs with A */
        n = tail - head;
        n -= n / 2;
        if (n == 0) break;
        if (n > RUNQ_SIZE / 2) continue; /* head and tail were read apart in time */
        for (uint32_t i = 0; i < n; i++) {
            struct g *g = atomic_load_relaxed(&from->runq[(head + i) % RUNQ_SIZE]);
            atomic_store_relaxed(&to->runq[(base + i) % RUNQ_SIZE], g);
        }
        if (atomic_cas_acqrel(&from->runq_head, &head, head + n)) break; /* B */
    }
    if (n == 0) {
        if (!steal_next) return 0;
        struct g *g = atomic_load_relaxed(&from->run_next);
        if (g == NULL) return 0;
        g = atomic_exchange_acqrel(&from->run_next, (struct g *)NULL);
        if (g == NULL) return 0;
        *out = g;
        return 1;
    }
    *out = atomic_load_relaxed(&to->runq[(base + n - 1) % RUNQ_SIZE]);
    if (n > 1) atomic_store_release(&to->runq_tail, base + n - 1); /* A */
    return n;
}

void runq_drain_locked(struct p *p)
{
    struct g *g;
    while ((g = ring_get(p)) != NULL)
        global_put_locked(g);
    if ((g = next_take(p)) != NULL) global_put_head_locked(g);
}
