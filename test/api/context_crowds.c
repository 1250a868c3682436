// Broadcasts and closes wake many waiters a batch at a time. Contexts that end between the batches find some
// waiters off the queue and not called yet: each leaves once, by the one or the other.
//
// TEST timeout=120
// SPDX-License-Identifier: BSD-3-Clause
#include "../conform.h"

enum { WAITERS = 1500, CONTEXTS = 6 }; // more than ten batches of 128

struct crowd {
    gort_mutex m;
    gort_cond cond;
    ints c;
    gort_context *contexts[CONTEXTS];
    int n;
    int waiting;        // by m
    int woken, gave_up; // atomic
    int at_the_line;    // atomic: of the two that race
    int contexts_ended; // atomic: the one of them needs this no more
};

struct crowd_member {
    struct crowd *k;
    gort_context *c; // NULL: none
    void (*wait)(void *);
};

static void unlock_crowd(void *k)
{
    gort_mutex_unlock(&((struct crowd *)k)->m);
}

static void wait_for_signal(void *arg)
{
    struct crowd *k = arg;
    gort_mutex_lock(&k->m);
    gort_defer(unlock_crowd, k);
    k->waiting++;
    gort_cond_wait(&k->cond, &k->m);
}

static void wait_for_close(void *arg)
{
    struct crowd *k = arg;
    int v = 5;
    gort_mutex_lock(&k->m);
    k->waiting++;
    gort_mutex_unlock(&k->m);
    CHECK(!gort_recv(k->c, &v));
    CHECK_EQ(v, 0);
}

static void wait_as_member(void *arg)
{
    struct crowd_member *m = arg;
    int error = 0;
    if (m->c == NULL)
        CHECK(!gort_try(m->wait, m->k, NULL));
    else
        error = gort_context_run(m->c, m->wait, m->k);
    ADD(error == 0 ? &m->k->woken : &m->k->gave_up, 1);
}

static int gathered(struct crowd *k)
{
    gort_mutex_lock(&k->m);
    int n = k->waiting;
    gort_mutex_unlock(&k->m);
    return n;
}

// As many with each of the contexts as with none.
static void gather(struct crowd *k, void (*wait)(void *))
{
    k->n = (int)test_count(WAITERS);
    gort_set(&k->c, gort_chan_make(int, 0));
    for (int i = 0; i < CONTEXTS; i++)
        gort_init(&k->contexts[i], gort_context_make(NULL));
    for (int i = 0; i < k->n; i++) {
        int of = i % (CONTEXTS + 1);
        struct crowd_member m = { k, of < CONTEXTS ? k->contexts[of] : NULL, wait };
        gort_go_copy(wait_as_member, &m, sizeof m);
    }
    while (gathered(k) != k->n)
        gort_yield();
}

static void to_the_line(struct crowd *k)
{
    ADD(&k->at_the_line, 1);
    while (LOAD(&k->at_the_line) < 2)
        gort_yield();
}

static void end_contexts(void *arg)
{
    struct crowd *k = arg;
    to_the_line(k);
    for (int i = 0; i < CONTEXTS; i++)
        gort_context_cancel(k->contexts[i], 0);
    STORE(&k->contexts_ended, 1);
}

static void disperse(struct crowd *k)
{
    while (LOAD(&k->woken) + LOAD(&k->gave_up) != k->n || !LOAD(&k->contexts_ended))
        gort_yield();
    settle(); // who left twice would have been counted twice
    CHECK_EQ(LOAD(&k->woken) + LOAD(&k->gave_up), k->n);
    CHECK_GE(LOAD(&k->woken), k->n / (CONTEXTS + 1));
}

static void beside_ends(void (*wait)(void *), void (*wake)(struct crowd *))
{
    for (int64_t round = 0; round < test_count(10); round++) {
        struct crowd k = { .n = 0 };
        gather(&k, wait);
        gort_go(end_contexts, &k);
        to_the_line(&k);
        wake(&k);
        disperse(&k);
        CHECK_EQ(k.cond.waiting, 0);
    }
}

static void broadcast_crowd(struct crowd *k)
{
    gort_cond_broadcast(&k->cond);
}

static void close_crowd(struct crowd *k)
{
    gort_close(k->c);
}

static void a_broadcast_beside_ends(void)
{
    beside_ends(wait_for_signal, broadcast_crowd);
}

static void a_close_beside_ends(void)
{
    beside_ends(wait_for_close, close_crowd);
}

static const struct conform_case cases[] = {
    CASE(a_broadcast_beside_ends, 0),
    CASE(a_close_beside_ends, 0),
};
CONFORM_MAIN(cases)
