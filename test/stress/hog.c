// Goroutines that compute without ever calling gort do not keep others waiting: their P is taken
// away, they go on without one, and take one again at their next call.  Without the monitor this
// program does not end.
//
// TEST notmodes=determ
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "../test.h"

typedef struct node node;
struct node {
    node *next;
    uint64_t value;
};
GORT_TYPE(node, next);

static bool quit; // atomic
#define MOST 32
static uint64_t spins[8 * MOST]; // a cache line each
static gort_waitgroup done;

static bool has_to_quit(void)
{
    return __atomic_load_n(&quit, __ATOMIC_RELAXED);
}

// Computes, and now and then allocates and stores: with and without a P.
static void hog(void *arg)
{
    uint64_t *count = arg;
    node *list = NULL;
    while (!has_to_quit()) {
        for (volatile int i = 0; i < 20000000 && !has_to_quit(); i++)
            ;
        node *n = gort_new(node);
        n->value = ++*count;
        gort_init(&n->next, list);
        list = n;
        if (*count % 8 == 0) gort_gc();
    }
    uint64_t want = *count;
    for (node *n = list; n; n = n->next)
        CHECK_EQ(n->value, want--);
    CHECK_EQ(want, 0);
    gort_waitgroup_done(&done);
}

static void answer(void *arg)
{
    gort_chan(int) c = arg;
    int v;
    while (gort_recv(c, &v))
        CHECK(v >= 0);
    gort_waitgroup_done(&done);
}

static int gort_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    int hogs = gort_max_procs(0) + 1;
    if (hogs > MOST) hogs = MOST;
    gort_chan(int) c = gort_chan_make(int, 0);
    gort_waitgroup_add(&done, hogs + 1);
    for (int i = 0; i < hogs; i++)
        gort_go(hog, &spins[8 * i]);
    gort_go(answer, (void *)c);
    for (int i = 0; i < 30; i++) {
        gort_sleep(5 * GORT_MS);
        gort_send(c, i);
    }
    gort_close(c);
    __atomic_store_n(&quit, true, __ATOMIC_RELAXED);
    gort_waitgroup_wait(&done);
    double taken = -1;
    CHECK_EQ(gort_metric_read("/gort/sched/retakes:events", &taken), 0);
    if (hogs > gort_max_procs(0)) CHECK_GT((int64_t)taken, 0);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(gort_main, argc, argv);
}
