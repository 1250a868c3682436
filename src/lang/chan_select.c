/* Select: waits for the first of several channel operations.
 *
 * First a look without locks: one of those that seem ready, at random, is locked alone and tried.
 * If there is none, or somebody was faster, all channels are locked, and one of those ready is
 * chosen.  If there is none, a record is queued on each channel, and the goroutine parks; its
 * commit releases the locks.  Woken, it locks all channels again and takes the records back that
 * did not win.
 *
 * Note [A look without locks].  What is chosen was ready when it was locked, and done then.  A case
 * that the look passed over was not ready at some moment during the call, and when it became ready
 * after that, the other one might have been chosen as well.  That nothing is ready is another
 * matter: it must hold at one moment, so it counts only with all locks held, or with one P.
 *
 * Why all locks at once: between finding one channel not ready and queueing on it nobody may make
 * it ready, or the wake-up is lost.  Locks are taken in address order (the rank allows several that
 * way), each channel once however many cases name it.  With one P no lock is touched (Note [One P]
 * in hchan.h), and the order is not made; who is woken with more Ps makes it then.
 *
 * Note [Who decides a select].  g->select_done is 0 while a waiting select is open.  Whoever takes
 * one of its records off a channel, and its timer, must turn it to 1 first (select_win); only the
 * one that did wakes the goroutine, so exactly one case happens.  It is set to 0 under all the
 * locks, before any record is queued, and all records are taken back under all the locks, so no
 * stale record outlives the call.
 *
 * Note [The frame outlives the commit].  The commit runs on another stack and reads this call's
 * frame, while a waker may already have readied the goroutine.  The commit releases the locks from
 * the last to the first in lock order and touches the frame no more after that; the woken goroutine
 * begins by taking the first.  With a deadline and no channel at all nobody but the timer wakes it,
 * so the commit adds the timer last and touches nothing afterwards.
 *
 * Invariant: lock_order[0 .. n) names the live cases (channel not NULL), by address once sorted is
 * set; it is whenever locks are touched.
 *
 * Locking: SELECT_CHAN many times, TIMERS inside.
 * Answers to: select.go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "base/random.h"
#include "gort/mem.h"
#include "gort/panic.h"
#include "lang/context.h"
#include "lang/timer_chan.h"
#include "sched/timer.h"

#define FRAME_CASES 32   /* up to so many cases need no allocation */
#define INSERTION_MAX 16 /* up to so many are sorted by insertion */

struct select {
    struct g *g;
    gort_case *cases;
    uint32_t n;           /* live cases */
    uint32_t *lock_order; /* indices of live cases */
    bool sorted;          /* by address of the channel */
    struct sudog *spare;  /* records acquired beforehand, through wait_link */
    int64_t deadline;
    bool timed;
    struct timer timer; /* while parked, when timed */
};

static force_inline struct hchan *chan_of(const struct select *s, uint32_t index)
{
    return s->cases[index].ch;
}

/* ---- which are ready ------------------------------------------------------------------------ */

static cold_path void bad_case(const gort_case *c, int index)
{
    if (c->kind != GORT_CASE_RECV && c->kind != GORT_CASE_SEND)
        gort_panic("gort_select: case %d was not made by gort_on_recv or gort_on_send", index);
    gort_panic("gort_select: case %d has no value to send", index);
}

static force_inline void check_case(const gort_case *c, int index)
{
    if (likely(c->kind == GORT_CASE_RECV)) return;
    if (likely(c->kind == GORT_CASE_SEND) && (c->elem != NULL || c->ch == NULL)) return;
    bad_case(c, index);
}

enum readiness { NO, YES, UNKNOWN };

/* With the channel locked never UNKNOWN, and exact but for records of selects that are decided. */
static force_inline enum readiness readiness(const gort_case *k, bool locked)
{
    const struct hchan *c = k->ch;
    if (c == NULL) return NO;
    uint32_t kind = atomic_load_relaxed(&c->closed); /* all are looked at again under the lock */
    if (unlikely(kind != CHAN_OPEN)) {
        if (kind == CHAN_CLOSED || k->kind == GORT_CASE_SEND) return YES;
        return !locked ? UNKNOWN : timer_chan_is_due(c) ? YES : NO;
    }
    size_t count = atomic_load_relaxed(&c->count);
    if (k->kind == GORT_CASE_SEND)
        return count != c->cap || atomic_load_relaxed(&c->recvq.first) != NULL;
    return count != 0 || atomic_load_relaxed(&c->sendq.first) != NULL;
}

/* One of those that seem ready, each with the same chance; -1: none, or it is not known without the
 * locks.  In a section. */
static force_inline int pick_ready(const gort_case *cases, int n, bool locked)
{
    int chosen = -1;
    uint32_t ready = 0;
    for (int i = 0; i < n; i++) {
        enum readiness r = readiness(&cases[i], locked);
        if (unlikely(r == UNKNOWN)) return -1;
        if (r == NO) continue;
        if (ready++ == 0 || random_below(sched_random(), ready) == 0) chosen = i;
    }
    return chosen;
}

/* ---- the order of locks --------------------------------------------------------------------- */

/* Restores the heap below `at`: the greatest channel address on top. */
static void sift_down(const struct select *s, uint32_t at, uint32_t n)
{
    uint32_t *a = s->lock_order, moving = a[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= n) break;
        if (child + 1 < n && chan_of(s, a[child]) < chan_of(s, a[child + 1])) child++;
        if (chan_of(s, moving) >= chan_of(s, a[child])) break;
        a[at] = a[child];
        at = child;
    }
    a[at] = moving;
}

static void sort_by_heap(struct select *s)
{
    uint32_t *a = s->lock_order;
    for (uint32_t i = s->n / 2; i-- > 0;)
        sift_down(s, i, s->n);
    for (uint32_t i = s->n - 1; i > 0; i--) {
        uint32_t last = a[i];
        a[i] = a[0];
        a[0] = last;
        sift_down(s, 0, i);
    }
}

static void sort_by_insertion(struct select *s)
{
    uint32_t *a = s->lock_order;
    for (uint32_t i = 1; i < s->n; i++) {
        uint32_t moving = a[i], j = i;
        for (; j > 0 && chan_of(s, a[j - 1]) > chan_of(s, moving); j--)
            a[j] = a[j - 1];
        a[j] = moving;
    }
}

/* Fills lock_order, each at a random place among those before it: of cases that wait on one channel
 * the first one is served, and sorting does not undo that.  In a section. */
static void find_live(struct select *s, int n)
{
    struct random *r = sched_random();
    for (int i = 0; i < n; i++) {
        if (s->cases[i].ch == NULL) continue;
        uint32_t place = random_below(r, s->n + 1);
        s->lock_order[s->n++] = s->lock_order[place];
        s->lock_order[place] = (uint32_t)i;
    }
}

static void sort(struct select *s)
{
    if (s->n <= INSERTION_MAX)
        sort_by_insertion(s);
    else
        sort_by_heap(s);
    s->sorted = true;
}

/* ---- locks ---------------------------------------------------------------------------------- */

/* Does place i of the lock order name another channel than the place before? */
static force_inline bool is_first_of_channel(const struct select *s, uint32_t i)
{
    return i == 0 || chan_of(s, s->lock_order[i]) != chan_of(s, s->lock_order[i - 1]);
}

static void lock_all(struct select *s)
{
    if (p_count() == 1) return; /* Note [One P] */
    if (!s->sorted) sort(s);
    for (uint32_t i = 0; i < s->n; i++)
        if (is_first_of_channel(s, i)) chan_lock(chan_of(s, s->lock_order[i]));
}

/* Note [The frame outlives the commit]: from the last to the first. */
static void unlock_all(const struct select *s)
{
    if (p_count() == 1) return; /* as it was when they were locked */
    for (uint32_t i = s->n; i-- > 0;) {
        if (!is_first_of_channel(s, i)) continue;
        struct hchan *c = chan_of(s, s->lock_order[i]);
        assert_heavy(chan_is_valid(c));
        chan_unlock(c);
    }
}

/* ---- records -------------------------------------------------------------------------------- */

/* In a section with a P, as all of these.  Many records are acquired before the locks, because that
 * may have to ask the kernel for memory; a few are mostly at hand. */
static void reserve_records(struct select *s)
{
    if (s->n <= FRAME_CASES) return;
    for (uint32_t i = 0; i < s->n; i++) {
        struct sudog *w = sudog_acquire(s->g);
        w->g = s->g;
        w->wait_link = s->spare;
        s->spare = w;
    }
}

static struct sudog *take_record(struct select *s)
{
    struct sudog *w = s->spare;
    if (w == NULL) return sudog_acquire(s->g);
    s->spare = w->wait_link;
    return w;
}

static void release_records(struct sudog *w)
{
    struct sudog *next;
    for (; w != NULL; w = next) {
        next = w->wait_link;
        sudog_release(w);
    }
}

/* ---- pass 1: is one ready? ------------------------------------------------------------------ */

enum outcome { NOT_READY, DONE, SEND_CLOSED };

static enum outcome try_case(gort_case *k, struct g **wake)
{
    struct hchan *c = k->ch;
    if (k->kind == GORT_CASE_SEND) {
        if (c->closed) return SEND_CLOSED;
        return chan_put_locked(c, k->elem, wake) ? DONE : NOT_READY;
    }
    int got = chan_take_locked(c, k->elem, wake);
    if (got == GORT_EMPTY) return NOT_READY;
    k->ok = got == GORT_GOT;
    return DONE;
}

/* Case `index` was tried, and done or found closed; its lock is released.  Leaves the section. */
static force_inline int finish_case(struct select *s, enum outcome o, int index, struct g *wake)
{
    if (wake != NULL) g_ready(wake);
    release_records(s->spare);
    p_unpin();
    if (unlikely(o == SEND_CLOSED)) chan_panic_send_closed(chan_of(s, (uint32_t)index));
    return index;
}

/* Note [A look without locks].  In a section with a P, which is left unless it returns -1. */
static force_inline int try_picked(struct select *s, int index)
{
    struct g *wake = NULL;
    struct hchan *c = s->cases[index].ch;
    chan_lock(c);
    enum outcome o = try_case(&s->cases[index], &wake);
    chan_unlock(c);
    return o == NOT_READY ? -1 : finish_case(s, o, index, wake);
}

/* All locked, in a section with a P.  The case done, with all unlocked and the section left; -1:
 * none is ready, and all are still locked.  A try that fails has taken decided records off. */
static int try_all(struct select *s, int n)
{
    int index;
    while ((index = pick_ready(s->cases, n, true)) >= 0) {
        struct g *wake = NULL;
        enum outcome o = try_case(&s->cases[index], &wake);
        if (o == NOT_READY) continue;
        unlock_all(s);
        return finish_case(s, o, index, wake);
    }
    return -1;
}

/* ---- pass 2: wait --------------------------------------------------------------------------- */

static struct waitq *queue_of(const gort_case *k)
{
    struct hchan *c = k->ch;
    return k->kind == GORT_CASE_SEND ? &c->sendq : &c->recvq;
}

/* A record for each case, chained from g->waiting in lock order. */
static void enqueue_all(struct select *s)
{
    struct sudog **end = &s->g->waiting;
    for (uint32_t i = 0; i < s->n; i++) {
        gort_case *k = &s->cases[s->lock_order[i]];
        struct sudog *w = take_record(s);
        w->g = s->g;
        w->elem = k->elem;
        w->object = k->ch;
        w->case_index = (int32_t)s->lock_order[i];
        w->is_select = true;
        w->success = false;
        lang_shade(k->elem, k->ch);
        waitq_push(queue_of(k), w);
        if (unlikely(chan_of(s, s->lock_order[i])->closed)) timer_chan_settle(k->ch);
        *end = w;
        end = &w->wait_link;
    }
    *end = NULL;
}

static void deadline_passed(struct timer *t, struct ready_list *ready)
{
    struct g *g = t->arg;
    if (select_win(g)) ready_list_append(ready, g);
}

/* Note [The frame outlives the commit]. */
static bool commit_select(struct g *g, void *arg)
{
    struct select *s = arg;
    (void)g;
    if (!s->timed) {
        unlock_all(s);
        return true;
    }
    int64_t deadline = s->deadline;
    bool locked = s->n != 0;
    bool earliest = timer_add(m_self()->p, &s->timer);
    if (locked) unlock_all(s);
    if (earliest) sched_timer_added(deadline);
    return true;
}

/* ---- pass 3: take the records back ---------------------------------------------------------- */

/* All locked.  Leaves them chained, off their channels, cleared. */
static void dequeue_all(struct select *s, const struct sudog *winner)
{
    for (struct sudog *w = s->g->waiting; w != NULL; w = w->wait_link) {
        struct waitq *q = queue_of(&s->cases[w->case_index]);
        if (w != winner && waitq_has(q, w)) waitq_remove(q, w);
        if (unlikely(((struct hchan *)w->object)->closed)) timer_chan_settle(w->object);
        w->elem = NULL;
    }
}

/* All locked, in a section with a P.  The case chosen, or -1: the deadline passed; the section is
 * left. */
static int wait_all(struct select *s)
{
    struct g *g = s->g;
    atomic_store_relaxed(&g->select_done, 0u); /* the locks order it */
    g->wake_param = NULL;
    enqueue_all(s);
    if (s->timed) s->timer = (struct timer){ .when = s->deadline, .fn = deadline_passed, .arg = g };
    g_park(commit_select, s, WAIT_SELECT);

    struct sudog *winner = g->wake_param;
    g->wake_param = NULL;
    if (s->timed) timer_remove(&s->timer);
    lock_all(s);
    dequeue_all(s, winner);
    unlock_all(s);
    int chosen = winner != NULL ? winner->case_index : -1;
    bool success = winner != NULL && winner->success;
    struct sudog *records = g->waiting;
    g->waiting = NULL;
    release_records(records);
    p_unpin();
    if (chosen < 0) return -1;
    if (!success) race_acquire(&((struct hchan *)s->cases[chosen].ch)->closed);
    if (s->cases[chosen].kind == GORT_CASE_RECV)
        s->cases[chosen].ok = success;
    else if (!success)
        chan_panic_send_closed(s->cases[chosen].ch);
    return chosen;
}

/* ---- the calls ------------------------------------------------------------------------------ */

/* Nothing was ready at a first look. */
static never_inline int select_slow(struct g *g, gort_case *cases, int n, const int64_t *until)
{
    uint32_t in_frame[FRAME_CASES];
    struct select s = { .g = g, .cases = cases, .lock_order = in_frame };
    if (n > FRAME_CASES) s.lock_order = gort_alloc_noscan((size_t)n * sizeof *s.lock_order);
    if (until != NULL) {
        s.timed = true;
        s.deadline = *until;
    }
    p_pin();
    find_live(&s, n);
    reserve_records(&s);
    lock_all(&s);
    int chosen = try_all(&s, n);
    if (chosen >= 0) return chosen;
    if (s.timed && s.deadline <= 0) {
        unlock_all(&s);
        release_records(s.spare);
        p_unpin();
        return -1;
    }
    return wait_all(&s);
}

/* until: NULL: for ever; *until < 0: not at all. */
static int select_among(struct g *g, gort_case *cases, int n, const int64_t *until)
{
    for (int i = 0; i < n; i++)
        check_case(&cases[i], i);
    p_pin();
    int index = pick_ready(cases, n, false);
    if (index >= 0) {
        struct select s = { .cases = cases };
        index = try_picked(&s, index);
        if (index >= 0) return index;
    }
    p_unpin();
    return select_slow(g, cases, n, until);
}

/* What is ready is done, whatever became of the context; only then the context is one case more. */
int select_bound(struct g *g, gort_case *cases, int n, const int64_t *until)
{
    static const int64_t passed = -1;
    gort_case in_frame[FRAME_CASES];
    gort_case *all = in_frame;
    int chosen = select_among(g, cases, n, &passed);
    if (chosen >= 0) return chosen;
    if (n >= FRAME_CASES) all = gort_alloc(((size_t)n + 1) * sizeof *all);
    if (n != 0) memcpy(all, cases, (size_t)n * sizeof *all); /* first stores: no barrier */
    all[n] = (gort_case){ .ch = context_done(g), .kind = GORT_CASE_RECV };
    chosen = select_among(g, all, n + 1, until);
    if (chosen == n) context_leave(g);
    if (chosen >= 0) cases[chosen].ok = all[chosen].ok;
    return chosen;
}

static void check_count(const char *call, int n)
{
    if (unlikely(n < 0)) gort_panic("%s: %d cases", call, n);
}

/* One case on a channel is an ordinary operation. */
static int select_one(struct g *g, gort_case *k)
{
    if (k->kind == GORT_CASE_SEND)
        chan_send(g, k->ch, k->elem);
    else
        k->ok = chan_recv(g, k->ch, k->elem);
    return 0;
}

static int try_one(gort_case *k)
{
    if (k->kind == GORT_CASE_SEND) return chan_try_send(k->ch, k->elem) ? 0 : -1;
    int got = chan_try_recv(k->ch, k->elem);
    if (got == GORT_EMPTY) return -1;
    k->ok = got == GORT_GOT;
    return 0;
}

/* Note [Elements and races] in chan.c: what is offered is read, ... */
static force_inline void race_offer(const gort_case *cases, int n)
{
    if (likely(!race_on)) return;
    for (int i = 0; i < n; i++)
        if (cases[i].kind == GORT_CASE_SEND) chan_race_read(cases[i].ch, cases[i].elem);
}

/* ... and what was received is written by the goroutine that selects.  Returns chosen. */
static force_inline int race_take(const gort_case *cases, int chosen)
{
    if (unlikely(race_on) && chosen >= 0 && cases[chosen].kind == GORT_CASE_RECV)
        chan_race_write(cases[chosen].ch, cases[chosen].elem);
    return chosen;
}

static bool is_single(const gort_case *cases, int n)
{
    return n == 1 && cases[0].ch != NULL;
}

static force_inline int select_blocking(struct g *g, gort_case *cases, int n)
{
    if (unlikely(context_bound(g))) return select_bound(g, cases, n, NULL);
    if (n == 0) chan_wait_for_ever(WAIT_SELECT_NO_CASES);
    if (!is_single(cases, n)) return select_among(g, cases, n, NULL);
    check_case(&cases[0], 0);
    return select_one(g, &cases[0]);
}

int gort_select(gort_case *cases, int n)
{
    struct g *g = lang_enter_blocking("gort_select");
    check_count("gort_select", n);
    race_offer(cases, n);
    return race_take(cases, select_blocking(g, cases, n));
}

static force_inline int select_trying(struct g *g, gort_case *cases, int n)
{
    static const int64_t passed = -1;
    if (!is_single(cases, n)) return select_among(g, cases, n, &passed);
    check_case(&cases[0], 0);
    return try_one(&cases[0]);
}

int gort_select_try(gort_case *cases, int n)
{
    struct g *g = lang_enter("gort_select_try");
    check_count("gort_select_try", n);
    race_offer(cases, n);
    return race_take(cases, select_trying(g, cases, n));
}

int gort_select_until(gort_case *cases, int n, int64_t deadline)
{
    struct g *g = lang_enter_blocking("gort_select_until");
    check_count("gort_select_until", n);
    race_offer(cases, n);
    int chosen = unlikely(context_bound(g)) ? select_bound(g, cases, n, &deadline)
                                            : select_among(g, cases, n, &deadline);
    return race_take(cases, chosen);
}
