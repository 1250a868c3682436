// Many goroutines build, change, hand over and check trees while collections run; no node is lost
// or overwritten. In the modes that clobber freed memory a lost node shows as a wrong value.
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "../test.h"

typedef struct node {
    struct node *left, *right;
    uint64_t key, check;
    char *text; // pointer-free object
} node;
GORT_TYPE(node, left, right, text);

typedef struct job {
    node *root;
    uint64_t base;
    int depth;
} job;
GORT_TYPE(job, root);

enum { WORKERS = 24, DEPTH = 9 };
static gort_chan(job *) jobs;
static gort_waitgroup workers;
static uint64_t nodes_checked; // atomic
static node *shared[64];
static gort_mutex shared_lock;

static uint64_t mix(uint64_t x)
{
    return (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
}

static node *node_new(uint64_t key)
{
    node *n = gort_new(node);
    CHECK(n->left == NULL && n->right == NULL && n->key == 0 && n->check == 0 && n->text == NULL);
    n->key = key;
    n->check = mix(key);
    size_t len = 1 + key % 40;
    gort_init(&n->text, (char *)gort_alloc_noscan(len));
    memset(n->text, (int)(key & 0x7f), len);
    return n;
}

static node *build(uint64_t base, uint64_t lo, uint64_t hi)
{
    if (lo >= hi) return NULL;
    uint64_t mid = lo + (hi - lo) / 2;
    node *n = node_new(base + mid);
    gort_init(&n->left, build(base, lo, mid));
    gort_init(&n->right, build(base, mid + 1, hi));
    return n;
}

static uint64_t verify(const node *n, uint64_t lo, uint64_t hi)
{
    if (n == NULL) {
        CHECK_EQ(lo, hi);
        return 0;
    }
    CHECK_GE(n->key, lo);
    CHECK_LT(n->key, hi);
    CHECK_EQ(n->check, mix(n->key));
    for (size_t i = 0; i < 1 + n->key % 40; i++)
        CHECK_EQ(n->text[i], (char)(n->key & 0x7f));
    return 1 + verify(n->left, lo, n->key) + verify(n->right, n->key + 1, hi);
}

// Rebuilds random paths: new nodes point to old subtrees.
static node *renew(node *n, uint64_t *rnd, int depth)
{
    if (n == NULL || depth == 0) return n;
    node *m = node_new(n->key);
    bool left = test_random(rnd) & 1;
    gort_init(&m->left, left ? renew(n->left, rnd, depth - 1) : n->left);
    gort_init(&m->right, left ? n->right : renew(n->right, rnd, depth - 1));
    return m;
}

// Rotates in place: stores into old nodes.
static void rotate_below(node *n)
{
    node *x = n->left;
    if (x == NULL || x->right == NULL) return;
    node *y = x->right;
    gort_set(&x->right, y->left);
    gort_set(&y->left, x);
    gort_set(&n->left, y);
}

static void swap_with_shared(job *j, uint64_t *rnd)
{
    uint64_t i = test_random(rnd) % 64;
    gort_mutex_lock(&shared_lock);
    node *other = shared[i];
    gort_set(&shared[i], j->root);
    gort_mutex_unlock(&shared_lock);
    if (other != NULL) { // whole, whoever built it
        uint64_t base = other->key >> 20 << 20, n = (UINT64_C(1) << DEPTH) - 1;
        CHECK_EQ(verify(other, base, base + n), n);
    }
}

static void work_on(job *j, uint64_t *rnd)
{
    uint64_t n = (UINT64_C(1) << j->depth) - 1;
    CHECK_EQ(verify(j->root, j->base, j->base + n), n);
    for (int i = 0; i < 20; i++) {
        gort_set(&j->root, renew(j->root, rnd, j->depth));
        rotate_below(j->root);
        if (i % 8 == 0) gort_yield();
    }
    CHECK_EQ(verify(j->root, j->base, j->base + n), n);
    __atomic_fetch_add(&nodes_checked, 2 * n, __ATOMIC_RELAXED);
    swap_with_shared(j, rnd);
}

static void worker(void *arg)
{
    uint64_t rnd = test_seed() + (uint64_t)(uintptr_t)arg;
    job *j;
    while (gort_recv(jobs, &j))
        work_on(j, &rnd);
    gort_waitgroup_done(&workers);
}

// A recursion with a tree in every frame, while others collect.
static uint64_t deep(int depth, uint64_t base)
{
    node *n = build(base, 0, 3);
    uint64_t below = depth > 0 ? deep(depth - 1, base + 3) : 0;
    return below + verify(n, base, base + 3);
}

static void deep_worker(void *arg)
{
    for (int i = 0; i < 4; i++)
        CHECK_EQ(deep(200, (uint64_t)(uintptr_t)arg), 603);
    gort_waitgroup_done(&workers);
}

static int gort_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    int64_t rounds = test_count(600);
    gort_set(&jobs, gort_chan_make(job *, 4));
    gort_waitgroup_add(&workers, WORKERS + 4);
    for (uintptr_t i = 0; i < WORKERS; i++)
        gort_go(worker, (void *)i);
    for (uintptr_t i = 0; i < 4; i++)
        gort_go(deep_worker, (void *)(i * 100000));
    for (int64_t r = 0; r < rounds; r++) {
        job *j = gort_new(job);
        j->base = (uint64_t)r << 20;
        j->depth = DEPTH;
        gort_init(&j->root, build(j->base, 0, (UINT64_C(1) << DEPTH) - 1));
        gort_send(jobs, j);
        if (r % 50 == 0) gort_gc();
    }
    gort_close(jobs);
    gort_waitgroup_wait(&workers);
    gort_stats s;
    gort_read_stats(&s);
    CHECK_GE(s.num_gc, (uint64_t)rounds / 50);
    CHECK_EQ(nodes_checked, (uint64_t)rounds * 2 * ((1 << DEPTH) - 1));
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(gort_main, argc, argv);
}
