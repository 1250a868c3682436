/* Marking: markers beside the program and in a stop, helper threads, termination, overflow.
 *
 * Each P has a marker: where it is at, and its end of the queue.
 *
 * Beside the program whoever has pinned a P marks with its marker for a while (mark_some): workers,
 * those who allocate, those who wait for the cycle.  When the section ends the marker holds
 * nothing: what is left went to the queue's global lists.  So no work is hidden in a P that does
 * something else, and in a stop all of it is in the lists.  The first stop prepares the roots and
 * scans those that have no barrier (mark_begin_stw), the last one marks what is left
 * (mark_end_stw); why that is enough is Note [Snapshot] in cycle.c.
 *
 * Marking in one stop (GORTDEBUG=gcstoptheworld): the thread that stopped it marks with the work
 * queue of P 0, and a helper thread stands in for each further P.  Helpers are plain threads, made
 * before any stop needs them; they know no goroutine, are no M, and sleep on a futex word while the
 * world runs.  Rejected: marking on the stopped Ms themselves: an M may be stopped inside user code
 * with any lock held, and how many there are is not ours to say.
 *
 * A marker's life in a cycle (edges: the marker itself):
 *
 *     ASLEEP -- joins (helper), unless the round is closed --> DRAIN
 *
 *        words, local queue and FIFO empty        no root job left
 *     DRAIN ---------------------------> ROOTS ---------------------> GLOBAL ----+
 *       ^                                  |     got a buffer           |        | list empty
 *       |         one job scanned          |  <-------------------------+        v
 *       +----------------------------------+                                  HUNGRY
 *       ^                 list not empty: hungry -= 1                           |  |
 *       +-----------------------------------------------------------------------+  | all hungry,
 *                                                                                  | round closed
 *                                                                                  v
 *                                                                                 DONE
 *
 * Note [Termination].  A marker counts itself hungry only when it holds no work, has found no root
 * job, and has seen the global list empty; it stops being counted before it takes anything.  When
 * all are counted, nothing is left: consider the last buffer ever pushed.  Its pusher was not
 * hungry, and became so only after it saw the list empty; so somebody who was not hungry took the
 * buffer, and became hungry only after it held nothing more.
 * "All" are those who joined the round: a helper that the kernel has not run yet is not waited for.
 * Who becomes hungry and finds as many hungry as joined closes the round by a compare-and-swap of
 * the count; a helper that joins first makes it fail, works, becomes hungry, and tries in its turn.
 *
 * Note [Words].  When a word is taken up, what it points to is made to come to the cache: the
 * slot's mark, the object's first line, its pointer bits.  The word then waits in a FIFO for as
 * long as that may take.  When its turn comes the object is marked; and as all is near now, and
 * later may be gone again, a small one is scanned at once: those of its words that may be pointers
 * go to an array of the marker, from where they are taken up in their turn; the object itself is
 * never queued.  Objects are queued, and so can be shared, where the array is full, where their
 * pointers are described elsewhere, and while another marker is hungry.  The span's record is not
 * looked at: one word for each page says what there is to know of it (PAGE_* in heap/arena.h).
 * Candidates are taken from a FIFO that is not full only when there is nothing else: it is what
 * makes several misses overlap, and a list, which has no others, must not wait for it to fill.
 * Once it is full, words come in twos (drain_pairs): two that were put one after the other are
 * often of one object, and where they point to one page, what is known of it is looked up once.
 * Between steps the FIFO has room for one more, as marker_see wants it.
 *
 * Note [Overflow].  When the queue can get no memory, the object at hand is marked but not queued,
 * and a flag is set.  After all are done, the marked objects of the whole heap are scanned once
 * more (as root jobs, one per piece of an arena), until no such round sets the flag.  Each round
 * that sets it has marked at least one more object, so this ends.  Marking thus needs no memory to
 * be complete, only to be fast.
 * Only an object that has just been marked sets the flag.  An oblet that can not be queued is
 * scanned at once (scan_large): it would be again in each round, and mark nothing new; and where a
 * special's object is scanned without being marked, no round would come back to it.
 *
 * Note [Budgets].  What mark_some does is measured in bytes that were scanned: of objects, of root
 * jobs and of pieces of stacks alike.  A budget is looked at after each step, and a step is at most
 * a root job, a piece of a stack for each goroutine of one, or MARK_STEP_BYTES and an oblet.  So an
 * assist for a small debt does not scan the stacks of all who wait, and pays with what it did scan;
 * and a worker's section ends in time.  Words that lead to nothing are not counted: each was
 * counted where it was found, but for those that barriers logged.
 * What a byte costs differs: each third word of the directory of a map of ten million leads to a
 * table, a large object with a record of its own.  Where steps were up to 192 KB (oblets of 128, as
 * in Go), and these records came only when they were wanted, a step took 1.0 to 1.5 ms, which some
 * put paid as its assist.  They are fetched early now, in half the time, and a step is 64 KB at
 * most: 0.3 ms.
 *
 * Locking: none.  Memory order: `joined` is released by the stopper and acquired by joining
 * helpers; `left` is raised with release by helpers and acquired by the stopper: before and after a
 * round everything belongs to the stopper.  A helper that woke late reads nmarkers of a later
 * round, or of none: joining the round that is open is what counts.
 *
 * Answers to: gcDrain, gcMarkDone in mgcmark.go, mgc.go; gchelper of older versions.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "gc/mark.h"

#include <string.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/unscanned.h"
#include "gc/pace.h"
#include "gc/roots.h"
#include "gc/stackroots.h"
#include "heap/heap.h"
#include "heap/persistent.h"
#include "os/os.h"
#include "sched/sched.h"

#define HELPER_STACK (256 * KB)
#define BALANCE_EVERY 32       /* objects between looks at who is hungry; a power of two */
#define HUNGRY_PAUSES 64       /* rounds of waiting by pauses, */
#define HUNGRY_YIELDS 64       /* then by giving the CPU up, */
#define HUNGRY_SLEEP_NS 500000 /* then asleep, looking again after this */
#define ROUND_CLOSED 0x80000000u
#define BYTES_PER_MARKER (512 * KB) /* of live heap, below which waking one more costs more */
#define MARK_STEP 32 /* words or objects of a step: between two looks at who wants the P, */
#define MARK_STEP_BYTES (32 * KB) /* or so much of larger objects: stops wait for a step */
#define STOP_BYTES (512 * KB)     /* scanned in a stop, roots too; it leaves the rest to markers */
#define STEPS_IN_STOP 64          /* likewise, steps that found something */
#define LOOKS_IN_STOP 1024u /* steps of any kind; twice as many after each stop that took all, */
#define LOOKS_IN_STOP_MOST (1u << 30) /* up to here */
#define MARK_SHARE 64                 /* words worth sharing */
#define MARK_SHARE_EVERY 16           /* steps between two looks whether others have work */
#define RESCAN_PAGES ((size_t)512)
#define RESCAN_JOBS_PER_ARENA (PAGES_PER_ARENA / RESCAN_PAGES)

struct helper {
    struct marker *marker; /* of the P that it stands in for */
    uint32_t seen;         /* last value of mark.go it answered; own */
} cache_aligned;

/* Off-heap records hang here; the structure itself holds no collected pointer. */
static struct {
    uint32_t go cache_aligned;   /* futex: number of the present round; released by the stopper */
    uint32_t nmarkers;           /* at most so many in the present round; written before go */
    uint32_t done cache_aligned; /* atomic; nothing is left in this round */
    uint32_t joined;             /* atomic; markers in the round, and ROUND_CLOSED */
    uint32_t overflow;           /* atomic; Note [Overflow] */
    uint32_t left cache_aligned; /* futex: helpers that joined and are through */
    uint32_t next_job cache_aligned;  /* atomic; root jobs handed out */
    uint32_t njobs;                   /* of the present round */
    bool rescan;                      /* the jobs are pieces of the heap */
    int nhelpers;                     /* the holder of the cycle's semaphore */
    int nrecords;                     /* markers ever made; the world is stopped, or boot */
    struct marker *marker[MAX_PROCS]; /* [i] is P i's; never freed */
    uintptr_t below, bytes; /* the heap when marking began: ~below up; the stopper.  The heap's own
                             * address is not kept in data that is searched for pointers */
    /* Beside the program. */
    uint32_t working cache_aligned;        /* atomic; markers that may hold work */
    uint32_t own_stacks;                   /* atomic; stopped threads that are to scan their own */
    uint64_t direct_bytes, direct_objects; /* atomic; by mark_directly */
    uint64_t ns;                           /* atomic; time of mark_some */
    uint32_t lenient; /* stops of this cycle that took all their LOOKS_IN_STOP; the stopper */
} mark;
UNSCANNED(mark);

void mark_overflowed(void)
{
    atomic_store_relaxed(&mark.overflow, 1); /* read when all markers are done */
}

/* ---- words ----------------------------------------------------------------------------------- */

never_inline void marker_next(struct marker *m)
{
    struct candidate c = m->fifo[m->head++ & (MARK_FIFO - 1)];
    m->nwords = marker_mark(m, c, MARK_WORDS_ROOM, m->nwords);
}

void marker_flush(struct marker *m)
{
    while (m->head != m->tail)
        marker_next(m);
}

/* Its span's record, two lines for each such object: Note [Budgets]. */
never_inline void marker_fetch_large(uintptr_t word)
{
    const struct span *s = span_of(word);
    if (s == NULL) return;
    arch_prefetch(s);
    arch_prefetch(s->inline_marks);
}

never_inline void marker_mark_large(struct marker *m, uintptr_t word)
{
    struct span *s;
    uint32_t i;
    uintptr_t obj;
    if (!span_find_object(word, &s, &i, &obj) || !span_mark(s, i)) return;
    assert_that(span_is_large(s));
    span_note_mark(s);
    m->marked_objects++;
    m->marked_bytes += s->npages << PAGE_SHIFT;
    /* Acquire pairs with the release in alloc/large.c: a large object that is not zeroed yet holds
     * old bytes, and nothing of its own. */
    if (span_is_noscan(s) || !atomic_load_acquire(&s->large_zeroed)) return;
    if (unlikely(!work_put(m->w, obj))) mark_overflowed();
}

never_inline uint32_t marker_scan_later(struct marker *m, uintptr_t obj, unsigned kind, uint32_t n)
{
    m->scanned += m->kinds.slot[kind].size;
    if (unlikely(!work_put(m->w, obj))) mark_overflowed();
    return n;
}

/* ---- rescanning ------------------------------------------------------------------------------ */

static void rescan_span(struct marker *m, struct span *s)
{
    if (span_state_of(s) != SPAN_IN_USE || span_is_noscan(s)) return;
    if (span_is_large(s) && !atomic_load_acquire(&s->large_zeroed)) /* as in marker_marked */
        return;
    for (uint32_t i = 0; i < s->nelems; i++)
        if (span_is_marked(s, i)) scan_object(m, span_slot(s, i));
}

static void rescan_job(struct marker *m, uint32_t job)
{
    struct arena *a = arena_at(job / RESCAN_JOBS_PER_ARENA);
    size_t first = job % RESCAN_JOBS_PER_ARENA * RESCAN_PAGES;
    for (size_t w = first / 64; w < (first + RESCAN_PAGES) / 64; w++) {
        uint64_t bits = atomic_load_relaxed(&a->in_use_pages[w]); /* the world is stopped */
        for (; bits != 0; bits &= bits - 1)
            rescan_span(m, a->spans[w * 64 + bits_ctz64(bits)]);
    }
}

/* ---- one marker ------------------------------------------------------------------------------ */

static void feed_the_hungry(struct marker *m)
{
    if (atomic_load_relaxed(&work_pool.hungry) == 0 || !work_global_is_empty()) /* hints */
        return;
    work_balance(m->w);
    os_futex_wake(&work_pool.hungry, 1);
}

/* Looks at two words and marks the two oldest candidates, again and again: the FIFO is full, and
 * stays so.  Two words that were put one after the other are often of one object, and point to one
 * page. */
static force_inline int drain_pairs(struct marker *m, int most, int left, uint32_t *words,
                                    uint32_t *oldest)
{
    uint32_t n = *words, head = *oldest;
    for (; n >= 2 && left >= 2; left -= 2, head += 2) {
        struct candidate *c = &m->fifo[head % MARK_FIFO], first = c[0], second = c[1];
        uintptr_t a = m->words[n - 1], b = m->words[n - 2];
        struct page_view v = page_look(m, a);
        n -= 2;
        c[0] = slot_look(v, a);
        if ((a ^ b) >= PAGE_BYTES) v = page_look(m, b);
        c[1] = slot_look(v, b);
        n = marker_mark(m, first, most, n);
        n = marker_mark(m, second, most, n);
    }
    *words = n;
    *oldest = head;
    return left;
}

/* Looks at words, and at candidates once there are neither words nor queued objects; `left` in all.
 * Words of objects are put with the others while these are at most `most`; -1 if objects are to be
 * queued, so that others get some.  Returns how many are left to be looked at: some, there are no
 * words, and there are objects or no candidates. */
static int drain_words(struct marker *m, int most, int left)
{
    uint32_t n = m->nwords, head = m->head, tail = m->tail;
    while (left > 0) {
        if (likely(n >= 2 && left >= 2 && tail - head == MARK_FIFO && head % 2 == 0)) {
            left = drain_pairs(m, most, left, &n, &head);
            tail = head + MARK_FIFO;
            continue;
        }
        left--;
        if (n != 0 && tail - head < MARK_FIFO) {
            m->fifo[tail++ % MARK_FIFO] = marker_look(m, m->words[--n]);
            continue;
        }
        if (n == 0 && (head == tail || !work_is_empty(m->w))) {
            left++;
            break;
        }
        n = marker_mark(m, m->fifo[head++ % MARK_FIFO], most, n);
    }
    if (tail - head == MARK_FIFO) n = marker_mark(m, m->fifo[head++ % MARK_FIFO], most, n);
    m->nwords = n;
    m->head = head;
    m->tail = tail;
    return left;
}

static void marker_drain(struct marker *m)
{
    for (;;) {
        bool hungry = !m->single && atomic_load_relaxed(&work_pool.hungry) != 0; /* a hint */
        drain_words(m, hungry ? -1 : MARK_WORDS_ROOM, BALANCE_EVERY);
        if (hungry) feed_the_hungry(m);
        if (m->nwords != 0) continue;
        uintptr_t obj = work_get(m->w);
        if (obj != 0)
            scan_object(m, obj);
        else if (m->head == m->tail)
            return;
    }
}

static bool marker_job(struct marker *m)
{
    if (atomic_load_relaxed(&mark.next_job) >= mark.njobs) /* rises only */
        return false;
    uint32_t job = atomic_fetch_add_relaxed(&mark.next_job, 1); /* jobs are independent */
    if (job >= mark.njobs) return false;
    if (mark.rescan)
        rescan_job(m, job);
    else
        roots_scan_job(m, job);
    return true;
}

/* Takes work from what all share.  false: there is none. */
static bool marker_more(struct marker *m)
{
    assert_that(m->nwords == 0);
    m->nwords = (uint32_t)work_words_get(m->words);
    return m->nwords != 0 || marker_job(m) || stackroots_scan_rest(&m->roots) ||
           work_get_global(m->w);
}

static void hungry_pause(uint32_t round)
{
    if (round < HUNGRY_PAUSES) {
        arch_pause();
    } else if (round < HUNGRY_PAUSES + HUNGRY_YIELDS) {
        os_thread_yield();
    } else {
        uint32_t n = atomic_load_relaxed(&work_pool.hungry); /* the wait compares again */
        if (work_global_is_empty() && !atomic_load_relaxed(&mark.done))
            os_futex_wait(&work_pool.hungry, n, HUNGRY_SLEEP_NS);
    }
}

static bool round_close(uint32_t hungry)
{
    /* Acquire pairs with the release of those who became hungry before. */
    return atomic_cas_acqrel(&mark.joined, &hungry, hungry | ROUND_CLOSED);
}

/* Waits for work.  false: nothing is left (Note [Termination]). */
static bool marker_wait(struct marker *m)
{
    assert_that(work_is_empty(m->w) && m->nwords == 0 && m->head == m->tail);
    if (round_close(atomic_fetch_add_acqrel(&work_pool.hungry, 1) + 1)) {
        atomic_store_release(&mark.done, 1); /* pairs with the acquire below */
        os_futex_wake(&work_pool.hungry, INT32_MAX);
        return false;
    }
    for (uint32_t round = 0;; round++) {
        if (atomic_load_acquire(&mark.done)) return false;
        if (!work_global_is_empty()) {
            atomic_fetch_sub_acqrel(&work_pool.hungry, 1);
            return true;
        }
        hungry_pause(round);
    }
}

static void count_kind(struct marker *m, unsigned kind)
{
    m->marked_objects += m->marked_kinds[kind];
    uint64_t bytes = m->marked_kinds[kind] * m->kinds.slot[kind].size;
    m->marked_bytes += bytes;
    m->marked_kinds[kind] = 0;
}

/* Moves the counts to the P's.  In a stop, for every P: of few kinds there are any. */
static void marker_count(struct marker *m)
{
    for (unsigned k = 0; k < MARK_KINDS; k += 4) {
        const uint64_t *n = &m->marked_kinds[k];
        if ((n[0] | n[1] | n[2] | n[3]) == 0) continue;
        for (unsigned i = 0; i < 4; i++)
            count_kind(m, k + i);
    }
    m->w->objects_marked += m->marked_objects;
    m->w->bytes_marked += m->marked_bytes;
    m->w->scan_work += m->scanned;
    m->marked_objects = m->marked_bytes = m->scanned = 0;
}

static void marker_run(struct marker *m)
{
    int64_t begin = os_thread_cpu();
    do {
        do
            marker_drain(m);
        while (marker_more(m));
    } while (marker_wait(m));
    work_dispose(m->w);
    marker_count(m);
    m->cpu += os_thread_cpu() - begin;
}

/* ---- helpers --------------------------------------------------------------------------------- */

/* false: the round is closed, or needs no so many. */
static bool round_join(const struct helper *h)
{
    uint32_t n = atomic_load_acquire(&mark.joined); /* pairs with round_begin */
    do {
        if ((n & ROUND_CLOSED) != 0 || h->marker->id >= mark.nmarkers) return false;
    } while (!atomic_cas_acqrel(&mark.joined, &n, n + 1)); /* pairs with round_close */
    return true;
}

static void helper_main(void *arg)
{
    struct helper *h = arg;
    for (;;) {
        uint32_t go;
        while ((go = atomic_load_acquire(&mark.go)) == h->seen) /* pairs with round_begin */
            os_futex_wait(&mark.go, h->seen, -1);
        h->seen = go;
        if (!round_join(h)) continue;
        marker_run(h->marker);
        atomic_fetch_add_acqrel(&mark.left, 1); /* pairs with round_finish */
        os_futex_wake(&mark.left, 1);
    }
}

bool mark_make_marker(struct p *p)
{
    int id = (int)p->id;
    if (id < mark.nrecords) return true;
    struct marker *m = persistent_alloc(sizeof *m, CACHE_LINE, &heap->meta);
    if (m == NULL) return false;
    m->id = (uint32_t)id;
    m->w = &p->gcwork;
    m->lo = ~mark.below; /* it may mark in the present cycle already */
    m->bytes = mark.bytes;
    m->stamp = arena_stamp(heap_sweepgen());
    mark_kinds_init(&m->kinds);
    mark.marker[id] = m;
    mark.nrecords = id + 1;
    return true;
}

static struct helper *helper_record(int id)
{
    struct helper *h = persistent_alloc(sizeof *h, CACHE_LINE, &heap->meta);
    if (h == NULL) return NULL;
    h->marker = mark.marker[id];
    h->seen = atomic_load_relaxed(&mark.go); /* no round begins while helpers are made */
    return h;
}

void mark_prepare_helpers(int nprocs)
{
    for (int i = mark.nhelpers + 1; i < nprocs; i++) {
        struct helper *h = helper_record(i);
        /* Without memory or threads the cycle goes on with the markers there are. */
        if (h == NULL || os_thread_create(helper_main, h, HELPER_STACK) != 0) return;
        mark.nhelpers = i;
    }
}

int mark_helpers(void)
{
    return mark.nhelpers;
}

/* ---- the stopper ----------------------------------------------------------------------------- */

static void marker_reset(struct marker *m, bool single)
{
    uint32_t id = m->id;
    struct gcwork *w = m->w;
    memset(m, 0, offsetof(struct marker, words));
    m->id = id;
    m->w = w;
    m->lo = ~mark.below;
    m->bytes = mark.bytes;
    m->single = single;
    m->stamp = arena_stamp(heap_sweepgen());
    m->w->bytes_marked = m->w->objects_marked = m->w->scan_work = 0;
}

static void markers_reset(bool single)
{
    uintptr_t lo = UINTPTR_MAX, hi = 0;
    for (size_t i = 0; i < arena_count(); i++) {
        struct arena *a = arena_at(i);
        if (a->base < lo) lo = a->base;
        if (a->base + ARENA_BYTES > hi) hi = a->base + ARENA_BYTES;
    }
    if (hi == 0) lo = 0;
    mark.below = ~lo;
    mark.bytes = hi - lo;
    mark.direct_bytes = mark.direct_objects = mark.ns = 0;
    work_begin_stw();
    for (int i = 0; i < mark.nrecords; i++)
        marker_reset(mark.marker[i], single);
}

static void round_begin(uint32_t njobs, bool rescan)
{
    mark.njobs = njobs;
    mark.rescan = rescan;
    mark.done = mark.overflow = 0;
    mark.next_job = 0;
    work_pool.hungry = 0;
    mark.left = 0;
    atomic_store_release(&mark.joined, 1); /* the stopper; opens the round: round_join */
    if (mark.nmarkers == 1) return;
    atomic_store_release(&mark.go, mark.go + 1); /* pairs with helper_main */
    os_futex_wake(&mark.go, INT32_MAX);
}

/* The round is closed: waits until every helper in it is through. */
static void round_finish(void)
{
    uint32_t helpers = (atomic_load_relaxed(&mark.joined) & ~ROUND_CLOSED) - 1, left;
    for (uint32_t round = 0; (left = atomic_load_acquire(&mark.left)) != helpers; round++) {
        if (round < HUNGRY_PAUSES) /* the load pairs with helper_main */
            arch_pause();
        else
            os_futex_wait(&mark.left, left, -1);
    }
    check(work_global_is_empty());
}

static void mark_round(uint32_t njobs, bool rescan)
{
    round_begin(njobs, rescan);
    marker_run(mark.marker[0]);
    round_finish();
}

static void collect_result(struct mark_result *out)
{
    for (int i = 0; i < mark.nrecords; i++) {
        struct marker *m = mark.marker[i];
        check(m->w->first == NULL);
        out->bytes += m->w->bytes_marked;
        out->objects += m->w->objects_marked;
        out->scan_work += m->w->scan_work;
        if (i != 0) /* the stopper accounts for itself */
            out->helper_cpu += (uint64_t)m->cpu;
        for (int k = 0; k < ROOT_KINDS; k++) {
            out->root_bytes[k] += m->root_bytes[k];
            out->root_jobs[k] += m->root_jobs[k];
        }
    }
    out->bytes += mark.direct_bytes;
    out->objects += mark.direct_objects;
    work_end_stw();
    out->root_bytes[ROOT_STACKS] = stackroots_bytes();
}

static uint32_t useful_markers(int nprocs, uint64_t expected)
{
    uint64_t n = 1 + expected / BYTES_PER_MARKER;
    uint64_t most = (uint64_t)(nprocs < mark.nhelpers + 1 ? nprocs : mark.nhelpers + 1);
    return (uint32_t)(n < most ? n : most);
}

static void rescan_overflows(struct mark_result *out)
{
    while (mark.overflow != 0) {
        out->overflows++;
        mark_round((uint32_t)(arena_count() * RESCAN_JOBS_PER_ARENA), true);
    }
}

void mark_run_stw(int nprocs, uint64_t expected, struct mark_result *out)
{
    memset(out, 0, sizeof *out);
    mark.nmarkers = useful_markers(nprocs, expected);
    markers_reset(mark.nmarkers == 1);
    mark_round(roots_prepare_stw(), false);
    rescan_overflows(out);
    collect_result(out);
    out->markers = atomic_load_relaxed(&mark.joined) & ~ROUND_CLOSED; /* of the last round */
}

/* ---- beside the program ---------------------------------------------------------------------- */

void mark_heap_range(uintptr_t *lo, uintptr_t *bytes)
{
    *lo = ~mark.below; /* written in stops */
    *bytes = mark.bytes;
}

void mark_own_stack_scanned(void)
{
    atomic_fetch_sub_acqrel(&mark.own_stacks, 1); /* after a rest was counted: mark_looks_done */
}

bool mark_stacks_done(void)
{
    /* Of two that end at once, one in each count, one at least sees both at 0. */
    atomic_fence_seq();
    return heap_marking() && atomic_load_seq(&mark.own_stacks) == 0 && stackroots_unfinished() == 0;
}

void mark_directly(uintptr_t word)
{
    struct span *s;
    uint32_t i;
    uintptr_t base;
    if (!span_find_object(word, &s, &i, &base) || !span_is_slot_allocated(s, i)) return;
    span_note_mark(s);
    if (!span_mark(s, i)) return;
    atomic_fetch_add_relaxed(&mark.direct_objects, 1);
    atomic_fetch_add_relaxed(&mark.direct_bytes, span_elem_size(s));
    mark_overflowed();
}

bool marker_step(struct marker *m)
{
    uint64_t enough = m->w->scan_work + MARK_STEP_BYTES;
    for (int left = MARK_STEP; left > 0 && m->w->scan_work < enough; left--) {
        left = drain_words(m, MARK_WORDS_ROOM, left);
        if (left == 0) break;
        uintptr_t obj = work_get(m->w);
        if (obj == 0) return marker_more(m); /* a job is a step */
        scan_object(m, obj);
    }
    return true;
}

/* What the queue has no memory for is marked here and now. */
void marker_release(struct marker *m)
{
    do {
        marker_flush(m);
        size_t given = work_words_put(m->words, m->nwords);
        if (given == m->nwords) {
            m->nwords = 0;
        } else {
            memmove(m->words, m->words + given, (m->nwords - given) * sizeof m->words[0]);
            m->nwords -= (uint32_t)given;
            while (m->nwords != 0)
                mark_directly(m->words[--m->nwords]);
        }
    } while (m->nwords != 0);
    work_dispose(m->w);
}

bool mark_has_work(void)
{
    return !work_global_is_empty() || atomic_load_relaxed(&mark.next_job) < mark.njobs ||
           stackroots_has_rest();
}

/* Read in this order: who gives work away does so before it stops working. */
bool mark_looks_done(void)
{
    return atomic_load_seq(&mark.working) == 0 && atomic_load_seq(&mark.own_stacks) == 0 &&
           stackroots_unfinished() == 0 && !mark_has_work();
}

/* A share for markers that have none, and threads for idle Ps. */
static void share(struct marker *m)
{
    sched_wake_for_marking();
    if (!work_global_is_empty()) return;
    if (m->nwords > MARK_SHARE) {
        uint32_t half = m->nwords / 2;
        half = (uint32_t)work_words_put(m->words, half);
        memmove(m->words, m->words + half, (m->nwords - half) * sizeof m->words[0]);
        m->nwords -= half;
    } else {
        work_balance(m->w);
    }
}

static uint64_t heap_scanned(const struct marker *m)
{
    return m->scanned + m->w->scan_work;
}

uint64_t mark_some(struct p *p, uint64_t budget, bool *left)
{
    struct marker *m = mark.marker[p->id];
    assert_that(crit_depth() != 0 && heap_marking() && m->nwords == 0);
    uint64_t heap = heap_scanned(m), begin = heap + m->roots, done = 0;
    int64_t start = os_now();
    *left = true;
    atomic_fetch_add_seq(&mark.working, 1);
    for (uint32_t n = 0; done < budget && !crit_is_pending(); n++) {
        if (!marker_step(m)) {
            *left = false;
            break;
        }
        if (n % MARK_SHARE_EVERY == MARK_SHARE_EVERY - 1) share(m);
        done = heap_scanned(m) + m->roots - begin;
    }
    done = heap_scanned(m) + m->roots - begin;
    heap = heap_scanned(m) - heap;
    marker_release(m);
    if (*left && mark_has_work()) sched_wake_for_marking(); /* this P may not come back to it */
    pacer_scanned(&pace_shared, PACER_SCAN_HEAP, heap);
    atomic_fetch_add_relaxed(&mark.ns, (uint64_t)(os_now() - start));
    atomic_fetch_sub_seq(&mark.working, 1);
    return done;
}

void mark_begin_stw(bool stacks)
{
    mark.nmarkers = 1;
    markers_reset(false);
    mark.njobs = roots_prepare_stw();
    mark.rescan = false;
    mark.done = mark.overflow = mark.lenient = 0;
    work_pool.hungry = 0;
    g_grey_all_stw();
    for (uint32_t job = 0; job < roots_stopped_jobs(); job++)
        roots_scan_job(mark.marker[0], job);
    mark.next_job = roots_stopped_jobs();
    mark.own_stacks = stackroots_begin_stw(stacks);
    marker_release(mark.marker[0]);
}

/* Note [Stops that end marking] in cycle.c. */
static bool mark_some_stw(struct marker *m)
{
    uint64_t begin = heap_scanned(m) + m->roots, seen = begin;
    uint32_t found = 0, looks = LOOKS_IN_STOP << mark.lenient, all = looks;
    bool more = true;
    while (found < STEPS_IN_STOP && looks > 0 && more && seen - begin < STOP_BYTES) {
        more = marker_step(m);
        looks--;
        uint64_t now = heap_scanned(m) + m->roots;
        found += now != seen; /* a step counts if it found something to scan */
        seen = now;
    }
    if (more && looks == 0 && all < LOOKS_IN_STOP_MOST) mark.lenient++;
    marker_release(m);
    return more;
}

bool mark_end_stw(struct mark_result *out)
{
    if (stackroots_unfinished() != 0 || mark.own_stacks != 0) return false;
    if (mark_some_stw(mark.marker[0])) return false;
    memset(out, 0, sizeof *out);
    mark.nmarkers = 1;
    rescan_overflows(out);
    for (int i = 0; i < mark.nrecords; i++)
        marker_count(mark.marker[i]);
    collect_result(out);
    out->helper_cpu = mark.ns;
    return true;
}

uint64_t gc_marker_bytes(int i)
{
    return p_at(i)->gcwork.bytes_marked; /* a test's look, after a cycle */
}
