// Note [Stops that end marking] in gc/cycle.c: a stop that finds much lets the world go on, as
// often as it takes; what is logged and marked already does not count, unless there is very much of
// it.
// SPDX-License-Identifier: BSD-3-Clause
#include "gc/mark.h"
#include "marking.h"
#include "sched/hooks.h"

static const struct gc_test_options clobbered = { .percent = 100,
                                                  .gccheck = true,
                                                  .clobber = true };

enum { LISTS = 20, LENGTH = 8192 };

static node *slot; // the first list; the last node of each has the next
static struct hidden first[LISTS], last[LISTS];
static struct gc_cycle_record ended;
static uint32_t stops;

static void note_cycle(const struct gc_cycle_record *r)
{
    ended = *r;
}

static void note_stop(enum stop_reason why, uint64_t pause, uint64_t stopping)
{
    CHECK_GE(pause, stopping);
    stops += why == STOP_GC_MARK || why == STOP_GC_TERM;
}

__attribute__((noinline)) static void build_lists(void)
{
    node *next = NULL;
    for (int i = LISTS - 1; i >= 0; i--) {
        node *list = NULL;
        for (int k = LENGTH - 1; k >= 0; k--) {
            node *x = gort_new(node);
            x->value = (uint64_t)k;
            gort_init(&x->left, list);
            if (list == NULL) {
                gort_init(&x->right, next);
                last[i] = hide(x);
            }
            list = x;
        }
        first[i] = hide(list);
        next = list;
    }
    gort_set(&slot, next);
}

static void mark_all(void)
{
    bool left = true;
    while (left) {
        mark_some(p_pin(), UINT64_MAX, &left);
        p_unpin();
    }
}

static void begin(void)
{
    static const struct sched_hooks hooks = { .stop_over = note_stop };
    scrub_stack();
    begin_marking();
    gc_cycle_listener = note_cycle;
    sched_hooks_install(&hooks);
    stops = 0;
    ended.number = 0;
}

static void lists_live(void)
{
    for (int i = 0; i < LISTS; i++) {
        const node *x = shown(first[i]);
        for (uint64_t k = 0; k < LENGTH; k++, x = x->left)
            CHECK_EQ(x->value, k);
        CHECK(x == NULL);
    }
}

// Each list is cut off before the markers reach it, after the list before it was: only the log has
// it.
static void each_stop_is_short(void)
{
    prepare_marking();
    build_lists();
    begin();
    gort_set(&slot, NULL);
    for (int i = 0; i < LISTS; i++) {
        mark_all();
        CHECK(mark_looks_done());
        CHECK(!gc_try_end());
        CHECK_EQ(stops, i + 1);
        CHECK(!is_marked(last[i])); // the stop left most of it
        gort_set(&((node *)shown(last[i]))->right, NULL);
    }
    mark_all();
    CHECK(gc_try_end());
    CHECK_EQ(ended.restarts, LISTS);
    CHECK_EQ(ended.stops, LISTS + 2); // and the first one
    gc_sweep_all();
    lists_live();
}

// 16 full buffers of one object that is marked.
static void what_is_marked_does_not_restart(void)
{
    prepare_marking();
    begin();
    mark_all();
    CHECK(mark_looks_done());
    crit_enter();
    for (int i = 0; i < p_count(); i++) {
        struct barrier_buffer *b = &p_at(i)->barrier;
        while (b->n < BARRIER_ENTRIES - 2)
            b->entry[b->n++] = (uintptr_t)marking_wide[0];
    }
    crit_exit();
    CHECK(gc_try_end());
    CHECK_EQ(ended.restarts, 0);
    CHECK_EQ(stops, 1);
}

// Words that lead to nothing: more each time than the first stop looks at.
enum { LATE_WORDS = 60000 };
static uint32_t tries;

static void queue_words(void)
{
    uintptr_t words[100];
    for (int i = 0; i < 100; i++)
        words[i] = (uintptr_t)marking_wide[0];
    for (int i = 0; i < LATE_WORDS / 100; i++)
        CHECK_EQ(work_words_put(words, 100), 100);
    tries++;
}

static void words_that_lead_nowhere_are_left(void)
{
    prepare_marking();
    begin();
    mark_all();
    gc_debug.late_work = queue_words;
    CHECK(!gc_try_end());
    CHECK(mark_has_work());
    do
        mark_all();
    while (!gc_try_end() && tries < 10);
    gc_debug.late_work = NULL;
    CHECK_GE(ended.restarts, 1);
    CHECK_LE(ended.restarts, 3); // each stop looks at twice as many
    CHECK_EQ(stops, ended.restarts + 1);
}

int main(void)
{
    gc_test_child("short", each_stop_is_short, 1, &clobbered);
    gc_test_child("marked", what_is_marked_does_not_restart, 16, &clobbered);
    gc_test_child("nowhere", words_that_lead_nowhere_are_left, 1, &clobbered);
    return 0;
}
