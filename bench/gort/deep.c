// Pauses while a goroutine is 64 MB deep in a recursion (quick: 8 MB), and makes garbage there.
// Every frame has an object that only it knows.  worst is the longest time that a thousand small
// allocations took the deep goroutine: its stack has to be scanned before it goes on.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

#define FRAME_WORDS 24

typedef struct cell cell;
struct cell {
    cell *next;
    uint64_t value;
};
GORT_TYPE(cell, next);

static ptrdiff_t depth;
static int at_bottom, finished; // atomic
static int64_t worst;
static gort_waitgroup done;

static cell *list_of(uint64_t n)
{
    cell *list = NULL;
    while (n-- > 0) {
        cell *c = gort_new(cell);
        c->value = n;
        gort_init(&c->next, list);
        list = c;
    }
    return list;
}

static void churn(void)
{
    __atomic_store_n(&at_bottom, 1, __ATOMIC_RELEASE); // pairs with deep_run
    while (!__atomic_load_n(&finished, __ATOMIC_RELAXED)) {
        int64_t begin = load_now();
        if (list_of(1000)->next->value != 1) load_fail("garbage was lost");
        int64_t t = load_now() - begin;
        if (t > worst) worst = t;
    }
}

static __attribute__((noinline)) uint64_t descend(uint64_t level, const char *top)
{
    cell *volatile frame[FRAME_WORDS];
    uint64_t below = 0;
    for (int i = 0; i < FRAME_WORDS; i++)
        frame[i] = NULL;
    frame[level % FRAME_WORDS] = list_of(1);
    frame[level % FRAME_WORDS]->value = level;
    if (top - (const char *)frame < depth)
        below = descend(level + 1, top);
    else
        churn();
    if (frame[level % FRAME_WORDS]->value != level) load_fail("a frame's object was lost");
    return below + 1;
}

static void deep(void *arg)
{
    char top = 0;
    (void)arg;
    if (descend(0, &top) < 1000) load_fail("not deep");
    gort_waitgroup_done(&done);
}

void deep_run(void)
{
    depth = (ptrdiff_t)(load_quick ? 8 : 64) << 20;
    gort_go_options o = { .name = "deep", .stack_size = (size_t)depth * 5 / 4 };
    gort_waitgroup_add(&done, 1);
    gort_go_opt(&o, deep, NULL);
    while (!__atomic_load_n(&at_bottom, __ATOMIC_ACQUIRE)) // pairs with churn
        gort_sleep(GORT_MS);
    gort_gc();
    load_pauses_begin();
    for (int i = 0; i < (load_quick ? 5 : 30); i++) {
        gort_gc();
        gort_sleep(GORT_MS);
    }
    struct load_pauses p = load_pauses_end("");
    load_stop(1, p.p50);
    __atomic_store_n(&finished, 1, __ATOMIC_RELAXED);
    gort_waitgroup_wait(&done);
    load_figure("worst", (double)worst / 1e3);
    load_check((uint64_t)depth << 12);
}
