// Marking beside the program while the number of Ps changes, threads attach and detach, and
// goroutines enter and leave blocking regions: no node of a tree is lost, and every collection
// ends.
// TEST notmodes=determ
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <pthread.h>
#include <sched.h>

#include "../test.h"

typedef struct node {
    struct node *left, *right;
    uint64_t key;
} node;
GORT_TYPE(node, left, right);

enum { WORKERS = 6, ATTACHING = 2, TREES = 64, DEPTH = 7, MOST_PROCS = 6 };
static node *trees[TREES];
static gort_mutex lock;
static gort_waitgroup group;
static uint32_t ended, working = WORKERS; // atomic

static node *tree(uint64_t key, int depth)
{
    node *n = gort_new(node);
    n->key = key;
    if (depth > 0) {
        gort_init(&n->left, tree(2 * key, depth - 1));
        gort_init(&n->right, tree(2 * key + 1, depth - 1));
    }
    return n;
}

static void tree_check(const node *n, uint64_t key, int depth)
{
    CHECK_EQ(n->key, key);
    CHECK_EQ(n->left != NULL, depth > 0);
    if (depth == 0) return;
    tree_check(n->left, 2 * key, depth - 1);
    tree_check(n->right, 2 * key + 1, depth - 1);
}

// Takes a tree out: only this frame has it until it is put back.
static node *take(uint64_t i)
{
    gort_mutex_lock(&lock);
    node *n = gort_exchange(&trees[i], (node *)NULL);
    gort_mutex_unlock(&lock);
    return n;
}

// A part of it is made anew, and the halves change places twice.
static void change(node *n)
{
    node *left = n->left;
    gort_set(&n->left, NULL);
    gort_set(&n->left, n->right);
    gort_set(&n->right, left);
    gort_set(&n->right, n->left);
    gort_set(&n->left, left);
    gort_set(&n->left, tree(2 * n->key, DEPTH - 1));
}

static void step(uint64_t *rnd)
{
    uint64_t r = test_random(rnd), i = r % TREES;
    node *n = take(i);
    if (n == NULL) n = tree(i + 1, DEPTH);
    if (r >> 8 & 1) change(n);
    if ((r >> 16) % 16 == 0) {
        gort_enter_blocking();
        sched_yield();
        gort_exit_blocking();
    }
    if ((r >> 24) % 4 == 0) gort_yield();
    tree_check(n, i + 1, DEPTH);
    gort_exchange(&trees[i], n);
}

static void worker(void *arg)
{
    uint64_t rnd = test_seed() + 31 * (uint64_t)(uintptr_t)arg;
    for (int64_t i = 0; i < test_count(3000); i++)
        step(&rnd);
    __atomic_fetch_sub(&working, 1, __ATOMIC_RELAXED);
    gort_waitgroup_done(&group);
}

static void *attach(void *arg)
{
    uint64_t rnd = test_seed() + 77 * (uint64_t)(uintptr_t)arg;
    while (!__atomic_load_n(&ended, __ATOMIC_RELAXED)) {
        CHECK_EQ(gort_thread_attach(), 0);
        for (int i = 0; i < 5; i++)
            step(&rnd);
        gort_thread_detach();
    }
    return NULL;
}

static void change_procs(void *arg)
{
    uint64_t rnd = test_seed();
    while (!__atomic_load_n(&ended, __ATOMIC_RELAXED)) {
        gort_max_procs(1 + (int)(test_random(&rnd) % MOST_PROCS));
        gort_sleep(300000);
    }
    (void)arg;
    gort_waitgroup_done(&group);
}

static int gort_main(int argc, char **argv)
{
    pthread_t t[ATTACHING];
    (void)argc;
    (void)argv;
    for (uintptr_t i = 0; i < ATTACHING; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, attach, (void *)i), 0);
    gort_waitgroup_add(&group, WORKERS + 1);
    gort_go(change_procs, NULL);
    for (uintptr_t i = 0; i < WORKERS; i++)
        gort_go(worker, (void *)i);
    for (int i = 0; i < test_count(100); i++)
        gort_gc();
    while (__atomic_load_n(&working, __ATOMIC_RELAXED) != 0)
        gort_yield();
    __atomic_store_n(&ended, 1, __ATOMIC_RELAXED);
    gort_waitgroup_wait(&group);
    gort_enter_blocking();
    for (int i = 0; i < ATTACHING; i++)
        pthread_join(t[i], NULL);
    gort_exit_blocking();
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(gort_main, argc, argv);
}
