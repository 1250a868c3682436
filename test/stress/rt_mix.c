// A little of everything: goroutines that allocate, keep, yield and exchange, and a large object.
// test/prog/rt_failing.sh runs it with failing system calls.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "test.h"

#define WORKERS 20
#define LARGE ((size_t)100 << 20)

typedef struct node node;
struct node {
    node *next;
    char *bytes;
    size_t size;
};
GORT_TYPE(node, next, bytes);

static gort_chan(int) done;

static void fill(node *n, size_t size)
{
    n->size = size;
    gort_set(&n->bytes, (char *)gort_alloc_noscan(size));
    memset(n->bytes, (int)(size & 0x7f), size);
}

static void check(const node *n)
{
    for (; n != NULL; n = n->next)
        for (size_t i = 0; i < n->size; i++)
            CHECK_EQ(n->bytes[i], (int)(n->size & 0x7f));
}

static void worker(void *arg)
{
    node *kept = NULL;
    (void)arg;
    for (int64_t i = test_count(2000); i > 0; i--) {
        node *n = gort_new(node);
        fill(n, (size_t)(i % 3000) + 1);
        if (i % 10 == 0) {
            gort_set(&n->next, kept);
            kept = n;
        }
        if (i % 100 == 0) gort_yield();
    }
    check(kept);
    gort_send(done, 1);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    gort_set(&done, gort_chan_make(int, 0));
    for (int i = 0; i < WORKERS; i++)
        gort_go(worker, NULL);
    for (int i = 0; i < WORKERS; i++)
        gort_recv(done, NULL);
    gort_gc();
    char *large = gort_alloc(LARGE);
    large[LARGE - 1] = 1;
    gort_keep_alive(large);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
