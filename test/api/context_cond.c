// Conditions that are waited for with contexts that end meanwhile: each waiter leaves once, and no
// signal is lost.
//
// TEST notmodes=determ
// TEST timeout=120
// SPDX-License-Identifier: BSD-3-Clause
#include "../conform.h"

// Some wait with a context that ends meanwhile, some without; as many are woken as there were
// signals.
struct crowd {
    gort_mutex m;
    gort_cond cond;
    int waiting, woken; // by m
    int gone, left;     // of the plain ones, of the others; atomic
    int lingering;      // plain ones not woken yet; by m
    int told;           // atomic; who broadcasts has
};

static void wait_plainly(void *arg)
{
    struct crowd *k = arg;
    gort_mutex_lock(&k->m);
    k->waiting++;
    k->lingering++;
    gort_cond_wait(&k->cond, &k->m);
    k->woken++;
    k->lingering--;
    gort_mutex_unlock(&k->m);
    ADD(&k->gone, 1);
}

static void unlock_crowd(void *arg)
{
    gort_mutex_unlock(&((struct crowd *)arg)->m);
}

static void wait_in_context(void *arg)
{
    struct crowd *k = arg;
    gort_mutex_lock(&k->m);
    gort_defer(unlock_crowd, k);
    k->waiting++;
    gort_cond_wait(&k->cond, &k->m);
    k->woken++;
}

struct crowd_member {
    struct crowd *k;
    gort_context *c;
};

static void run_in_crowd(void *arg)
{
    struct crowd_member *m = arg;
    (void)gort_context_run(m->c, wait_in_context, m->k);
    ADD(&m->k->left, 1);
}

static void cancel_soon(void *c)
{
    gort_context_cancel(c, 0);
}

enum { PLAIN = 3, BOUND = 6 };

static int count_of(struct crowd *k, const int *count)
{
    gort_mutex_lock(&k->m);
    int n = *count;
    gort_mutex_unlock(&k->m);
    return n;
}

static void signal_a_crowd(int signals)
{
    struct crowd k = { .waiting = 0 };
    gort_context *c[BOUND];
    for (int i = 0; i < BOUND; i++) {
        if (i < PLAIN) gort_go(wait_plainly, &k);
        c[i] = gort_context_make(NULL);
        struct crowd_member m = { &k, c[i] };
        gort_go_copy(run_in_crowd, &m, sizeof m);
    }
    WAIT_FOR(count_of(&k, &k.waiting) == PLAIN + BOUND);
    for (int i = 0; i < BOUND; i++) {
        gort_go(cancel_soon, c[i]);
        if (i < signals) gort_cond_signal(&k.cond);
    }
    WAIT_FOR(LOAD(&k.left) == BOUND && count_of(&k, &k.woken) == signals);
    for (int n = count_of(&k, &k.lingering); n > 0; n--)
        gort_cond_signal(&k.cond);
    WAIT_FOR(LOAD(&k.gone) == PLAIN);
    CHECK_EQ(k.cond.waiting, 0);
}

static void no_signal_is_lost(void)
{
    for (int64_t i = 0; i < test_count(200); i++)
        signal_a_crowd((int)(i % (PLAIN + 1)));
}

// A broadcast, and contexts that end beside it: each waiter leaves once, by the one or the other.
static void broadcast_soon(void *arg)
{
    struct crowd *k = arg;
    gort_cond_broadcast(&k->cond);
    STORE(&k->told, 1);
}

// Waits that are too many to sleep in between.
static void yield_until(int *n, int value)
{
    while (LOAD(n) != value)
        gort_yield();
}

static void broadcast_to_a_crowd(void)
{
    struct crowd k = { .waiting = 0 };
    gort_context *c[BOUND];
    for (int i = 0; i < BOUND; i++) {
        c[i] = gort_context_make(NULL);
        struct crowd_member m = { &k, c[i] };
        gort_go_copy(run_in_crowd, &m, sizeof m);
    }
    while (count_of(&k, &k.waiting) != BOUND)
        gort_yield();
    gort_go(broadcast_soon, &k);
    for (int i = 0; i < BOUND; i++)
        gort_go(cancel_soon, c[i]);
    yield_until(&k.left, BOUND);
    yield_until(&k.told, 1);
    CHECK_EQ(k.cond.waiting, 0);
}

static void broadcasts_beside_ends(void)
{
    for (int64_t i = 0; i < test_count(2000); i++)
        broadcast_to_a_crowd();
}

// The context ends while its goroutine is on the way to the condition.
struct late {
    struct crowd k;
    gort_context *c;
    int begins; // atomic
};

static void wait_late(void *arg)
{
    struct late *l = arg;
    gort_mutex_lock(&l->k.m);
    gort_defer(unlock_crowd, &l->k);
    STORE(&l->begins, 1);
    gort_cond_wait(&l->k.cond, &l->k.m);
    l->k.woken++;
}

static void run_late(void *arg)
{
    struct late *l = arg;
    (void)gort_context_run(l->c, wait_late, l);
    ADD(&l->k.left, 1);
}

static void ends_before_it_is_queued(void)
{
    for (int64_t i = 0; i < test_count(20000); i++) {
        struct late l = { .begins = 0 };
        gort_init(&l.c, gort_context_make(NULL));
        gort_go(run_late, &l);
        for (int k = 1; LOAD(&l.begins) == 0; k++)
            if (k % 4096 == 0) gort_yield();
        for (volatile int k = 0; k < i % 64; k++) {
        }
        gort_context_cancel(l.c, 0);
        yield_until(&l.k.left, 1);
        CHECK_EQ(l.k.woken, 0);
    }
}

// Many at one condition, half of them by one context and half by one each below it.
static void a_crowd_leaves_at_once(void)
{
    struct crowd k = { .waiting = 0 };
    int n = (int)test_count(2000);
    gort_context *c = gort_context_make(NULL);
    for (int i = 0; i < n; i++) {
        struct crowd_member m = { &k, i % 2 == 0 ? c : gort_context_make(c) };
        gort_go_copy(run_in_crowd, &m, sizeof m);
    }
    WAIT_FOR(count_of(&k, &k.waiting) == n);
    gort_context_cancel(c, 0);
    WAIT_FOR(LOAD(&k.left) == n);
    CHECK_EQ(k.woken, 0);
    CHECK_EQ(k.cond.waiting, 0);
}

static const struct conform_case cases[] = {
    CASE(no_signal_is_lost, 0),
    CASE(broadcasts_beside_ends, 0),
    CASE(a_crowd_leaves_at_once, 0),
    CASE(ends_before_it_is_queued, 0),
};
CONFORM_MAIN(cases)
