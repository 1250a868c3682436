// Reports that name fields of objects that the heap knows no types of, by the records of
// GORTDEBUG=leaks=1: chains to what was not marked, slots that are free and marked.
// SPDX-License-Identifier: BSD-3-Clause
#include "../../expect_fatal.h"
#include "gc/checkmark.h"
#include "gort.h"
#include "heap/heap.h"
#include "sched/sched.h"

typedef struct spot {
    uint64_t x, y;
} spot;
GORT_STRUCT(spot, x, y);
typedef struct node {
    struct node *next;
    spot at[2];
    struct node *kids[2];
} node;
GORT_STRUCT(node, (next, node), (at, spot), (kids, node));
typedef struct tail {
    node *first;
    node *rest[];
} tail;
GORT_STRUCT(tail, (first, node));
// Of a size that nobody else allocates.
typedef struct odd {
    struct odd *next;
    spot at[20];
} odd;
GORT_STRUCT(odd, (next, odd), (at, spot));

static void *kept;
// The victim, by its slot: so its address stays on no stack.
static struct span *span;
static uint32_t slot;

static void make_victim(const void *p)
{
    uintptr_t base;
    CHECK(span_find_object((uintptr_t)p, &span, &slot, &base));
}

static void take_mark(bool before)
{
    if (before) span->marks[slot] = SLOT_WHITE;
}

static int run_collect(void)
{
    checkmark_observer = take_mark;
    gort_gc();
    return 0;
}

static int miss_in_nodes(int argc, char **argv)
{
    (void)argc, (void)argv;
    node *n = gort_new_array(node, 3);
    gort_set(&kept, (void *)n);
    gort_init(&n[2].kids[1], gort_new(node));
    gort_init(&n[2].kids[1]->next, gort_new(node));
    make_victim(n[2].kids[1]->next);
    return run_collect();
}

static int miss_in_a_tail(int argc, char **argv)
{
    (void)argc, (void)argv;
    tail *t = gort_new_flex(tail, rest, 9);
    gort_set(&kept, (void *)t);
    gort_init(&t->rest[7], gort_new(node));
    make_victim(t->rest[7]);
    return run_collect();
}

// ---- a slot that is free and marked -------------------------------------------------------------

static void mark_a_free_slot(bool before)
{
    if (before) return;
    CHECK(!span_is_slot_allocated(span, slot));
    span->marks[slot] = SLOT_MARKED;
}

// One that stays keeps the span, whose pages would else be used for others.
static void make_two(void *done)
{
    gort_set(&kept, (void *)gort_new(odd));
    odd *x = gort_new(odd);
    x->at[1].y = 0x600d600d;
    make_victim(x);
    gort_waitgroup_done(done);
}

static bool is_free(void)
{
    crit_enter();
    span_ensure_swept(span);
    bool is = !span_is_slot_allocated(span, slot);
    crit_exit();
    return is;
}

static int zombie(int argc, char **argv)
{
    (void)argc, (void)argv;
    static gort_waitgroup done;
    gort_waitgroup_add(&done, 1);
    gort_go(make_two, &done);
    gort_waitgroup_wait(&done);
    do { // a stack that is left may keep it for a while
        gort_sleep(GORT_MS);
        gort_gc();
    } while (!is_free());
    checkmark_observer = mark_a_free_slot;
    gort_gc();
    return 0;
}

// -------------------------------------------------------------------------------------------------

static void run_main(void *fn)
{
    int (*const *main_of)(int, char **) = fn;
    setenv("GORTDEBUG", "gccheckmark=1,leaks=1", 1);
    _exit(gort_run(*main_of, 0, NULL));
}

static void expect_parts(int (*fn)(int, char **), const char *const *parts)
{
    for (; *parts != NULL; parts++)
        expect_fatal(run_main, &fn, *parts);
}

TEST(chains_name_fields)
{
    static const char *const parts[] = { " (pointer bitmap: node, class ",
                                         "), field next\n\tfrom word at 0x",
                                         "), field [2].kids[1]\n\tfrom root of kind data at 0x",
                                         NULL };
    expect_parts(miss_in_nodes, parts);
}

// What is behind the described part has no name, and none of its fields'.
TEST(flexible_arrays_have_none)
{
    static const char *const parts[] = { ", byte 64 of object ", ": tail, class ",
                                         "slot 0)\n\tfrom root of kind data at 0x", NULL };
    expect_parts(miss_in_a_tail, parts);
}

TEST(zombies_are_dumped_by_field)
{
    static const char *const parts[] = {
        " is free and marked: next:0 at[0].x:0 at[0].y:0 at[1].x:0 at[1].y:600d600d at[2].x:0 at[2].y:0 at[3].x:0\n0x",
        " is byte 0 of a freed object of 328 bytes (odd), field next\nallocated by gort_new in goroutine ",
        "freed by collection ", NULL
    };
    expect_parts(zombie, parts);
}

int main(void)
{
    RUN(chains_name_fields);
    RUN(flexible_arrays_have_none);
    RUN(zombies_are_dumped_by_field);
    return 0;
}
