// Kinds of work of the soak that compute, share memory, and come and go.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_TEST_SOAK_WORKS_H
#define GORT_TEST_SOAK_WORKS_H

#include <errno.h>
#include <pthread.h>

#include "soak.h"

// ---- maps ---------------------------------------------------------------------------------------

enum { KEYS = 1000 };

static void change_map(void *arg)
{
    uint64_t random = own_seed();
    (void)arg;
    do {
        gort_map(int64_t, struct parcel *) m = gort_map_make(int64_t, struct parcel *, 0);
        for (int i = 0; i < 3 * KEYS; i++) {
            int64_t key = (int64_t)(test_random(&random) % KEYS);
            parcel *p;
            if (gort_map_get(m, key, &p)) {
                parcel_check(p);
                CHECK(gort_map_delete(m, key));
                TAKE(ENTRIES, 1);
            } else {
                gort_map_put(m, key, parcel_new(&random));
                GIVE(ENTRIES, 1);
            }
        }
        gort_map_iter it = { 0 };
        int64_t key, n = 0;
        parcel *p;
        for (; gort_map_next(m, &it, &key, &p); n++)
            parcel_check(p);
        CHECK_EQ((int64_t)gort_map_len(m), n);
        TAKE(ENTRIES, n);
    } while (goes_on());
    end();
}

static gort_cmap(int64_t, struct parcel *) shared_map;

static void change_shared_map(void *arg)
{
    uint64_t random = own_seed();
    int64_t first = (int64_t)(uintptr_t)arg * KEYS;
    do {
        for (int64_t i = 0; i < KEYS; i++) {
            gort_cmap_store(shared_map, first + i, parcel_new(&random));
            GIVE(SHARED, 1);
        }
        for (int64_t i = 0; i < KEYS; i++) {
            parcel *p;
            CHECK(gort_cmap_load_and_delete(shared_map, first + i, &p));
            parcel_check(p);
            TAKE(SHARED, 1);
        }
    } while (goes_on());
    CHECK(!gort_cmap_load_and_delete(shared_map, first, NULL));
    end();
}

// ---- locks --------------------------------------------------------------------------------------

enum { ACCOUNTS = 10 };
static struct account {
    gort_mutex lock;
    int64_t money;
} accounts[ACCOUNTS];
static gort_rwmutex audit;

static void transfer(uint64_t *random)
{
    unsigned i = test_random(random) % ACCOUNTS, k = test_random(random) % ACCOUNTS;
    int64_t n = (int64_t)(1 + test_random(random) % 100);
    if (i == k) k = (k + 1) % ACCOUNTS;
    struct account *first = &accounts[i < k ? i : k], *second = &accounts[i < k ? k : i];
    gort_rwmutex_rlock(&audit);
    gort_mutex_lock(&first->lock);
    gort_mutex_lock(&second->lock);
    first->money -= n;
    GIVE(MONEY, n);
    second->money += n;
    TAKE(MONEY, n);
    gort_mutex_unlock(&second->lock);
    gort_mutex_unlock(&first->lock);
    gort_rwmutex_runlock(&audit);
}

static void check_accounts(void)
{
    int64_t sum = 0;
    gort_rwmutex_lock(&audit);
    for (int i = 0; i < ACCOUNTS; i++)
        sum += accounts[i].money;
    gort_rwmutex_unlock(&audit);
    CHECK_EQ(sum, 0);
}

static void use_locks(void *arg)
{
    uint64_t random = own_seed();
    (void)arg;
    do {
        for (int i = 0; i < 50; i++)
            transfer(&random);
        check_accounts();
    } while (goes_on());
    end();
}

// ---- trees --------------------------------------------------------------------------------------

typedef struct node {
    struct node *left, *right;
    int64_t depth;
} node;
GORT_TYPE(node, left, right);

static node *tree(int depth)
{
    node *n = gort_new(node);
    n->depth = depth;
    GIVE(NODES, 1);
    if (depth > 0) {
        gort_set(&n->left, tree(depth - 1));
        gort_set(&n->right, tree(depth - 1));
    }
    return n;
}

static int64_t count_nodes(const node *n, int depth)
{
    CHECK_EQ(n->depth, depth);
    return depth == 0 ? 1 : 1 + count_nodes(n->left, depth - 1) + count_nodes(n->right, depth - 1);
}

static void build_trees(void *arg)
{
    enum { DEPTH = 9 };
    (void)arg;
    node *kept = tree(DEPTH);
    gort_weak *w = gort_weak_make(kept);
    do {
        node *next = tree(DEPTH);
        CHECK_PTR_EQ(gort_weak_get(w), kept);
        TAKE(NODES, count_nodes(kept, DEPTH));
        kept = next;
        w = gort_weak_make(kept);
    } while (goes_on());
    TAKE(NODES, count_nodes(kept, DEPTH));
    end();
}

// ---- goroutines that come and go ----------------------------------------------------------------

struct branch {
    gort_chan(int64_t) out;
    int depth;
};

static void branch(void *arg)
{
    struct branch *b = arg, below = { NULL, b->depth - 1 };
    int64_t sum = 1, n;
    if (b->depth > 0) {
        below.out = gort_chan_make(int64_t, 0);
        GIVE(STARTED, 8);
        for (int i = 0; i < 8; i++)
            gort_go_copy(branch, &below, sizeof below);
        for (int i = 0; i < 8; i++) {
            CHECK(gort_recv(below.out, &n));
            sum += n;
        }
    }
    TAKE(STARTED, 1);
    gort_send(b->out, sum);
}

static void start_others(void *arg)
{
    (void)arg;
    do {
        struct branch b = { gort_chan_make(int64_t, 0), 2 };
        int64_t sum;
        GIVE(STARTED, 1);
        gort_go_copy(branch, &b, sizeof b);
        CHECK(gort_recv(b.out, &sum));
        CHECK_EQ(sum, 1 + 8 + 64);
    } while (goes_on());
    end();
}

// ---- panics, contexts, blocking calls, foreign threads ------------------------------------------

static void note_left(void *law)
{
    TAKE(*(enum law *)law, 1);
}

static void raise_panic(void *arg)
{
    static enum law law = PANICS;
    gort_defer(note_left, &law);
    gort_panic("number %d", *(int *)arg);
}

static void panic_and_catch(void *arg)
{
    (void)arg;
    for (int i = 0; i == 0 || goes_on(); i++) {
        gort_panic_info info;
        char text[64];
        GIVE(PANICS, 1);
        CHECK(gort_try(raise_panic, &i, &info));
        snprintf(text, sizeof text, "number %d", i);
        CHECK_STR_HAS(info.message, text);
        gort_yield();
    }
    end();
}

static void wait_for_ever(void *unused)
{
    gort_chan(int) never = gort_chan_make(int, 0);
    (void)unused;
    gort_recv(never, NULL);
}

static int wait_in_context(void *c)
{
    int error = gort_context_run(c, wait_for_ever, NULL);
    TAKE(ENDED, error == ECANCELED);
    return 0;
}

static void cancel_waits(void *arg)
{
    uint64_t random = own_seed();
    (void)arg;
    do {
        gort_context *c = gort_context_make(NULL);
        gort_scope *s = gort_scope_make(NULL);
        GIVE(ENDED, 5);
        for (int i = 0; i < 5; i++)
            gort_scope_go(s, wait_in_context, c);
        if (test_random(&random) % 2 == 0) gort_sleep(200 * GORT_US);
        gort_context_cancel(c, 0);
        CHECK_EQ(gort_scope_wait(s), 0);
    } while (goes_on());
    end();
}

static void sleep_in_kernel(void *us)
{
    (void)usleep(*(unsigned *)us);
}

static void block(void *arg)
{
    uint64_t random = own_seed();
    (void)arg;
    do {
        unsigned us = test_random(&random) % 500;
        GIVE(BLOCKED, 1);
        gort_blocking(sleep_in_kernel, &us);
        TAKE(BLOCKED, 1);
    } while (goes_on());
    end();
}

static gort_chan(int64_t) from_threads;

static void *foreign_thread(void *arg)
{
    (void)arg;
    CHECK_EQ(gort_thread_attach(), 0);
    for (int64_t i = 1; i <= 10; i++) {
        GIVE(FOREIGN, i);
        gort_send(from_threads, i);
    }
    gort_thread_detach();
    return NULL;
}

static void join_thread(void *thread)
{
    CHECK_EQ(pthread_join(*(pthread_t *)thread, NULL), 0);
}

static void use_threads(void *arg)
{
    (void)arg;
    do {
        pthread_t thread;
        int64_t n;
        CHECK_EQ(pthread_create(&thread, NULL, foreign_thread, NULL), 0);
        for (int i = 0; i < 10; i++) {
            CHECK(gort_recv(from_threads, &n));
            TAKE(FOREIGN, n);
        }
        gort_blocking(join_thread, &thread);
        gort_sleep(GORT_MS);
    } while (goes_on());
    end();
}

static void disturb(void *arg)
{
    int former = gort_max_procs(0);
    uint64_t random = own_seed();
    (void)arg;
    do {
        gort_max_procs(1 + (int)(test_random(&random) % 8));
        if (test_random(&random) % 4 == 0) gort_gc();
        gort_sleep((int64_t)(test_random(&random) % 50) * GORT_MS);
    } while (goes_on());
    gort_max_procs(former);
    end();
}

#endif
