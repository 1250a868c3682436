// Verification of marks (GORTDEBUG=gccheckmark): marks taken away on purpose are missed, with the
// chain that leads there, by the names of fields where the heap knows them; nothing else is. What
// stacks alone lead to is counted, or missed too where all was marked in one stop. Marks on free
// slots are fatal at the sweep. Names of smaller objects' fields: unit/diag/field_names.
// SPDX-License-Identifier: BSD-3-Clause
#include "gc/checkmark.h"

#include "../../expect_fatal.h"
#include "../gc/gc_test.h"
#include "gc/gc.h"
#include "gort.h"
#include "heap/mcache.h"

typedef struct node {
    struct node *next;
    uint64_t value;
} node;
GORT_TYPE(node, next);

// 800 bytes: described by a layout word at the slot's end.
typedef struct wide {
    uint64_t before[60];
    struct node *a;
    uint64_t between[38];
    struct wide *b;
} wide;

// The same, described: its fields have names.
typedef struct told {
    struct told *next;
    uint64_t before[60];
    wide within[2];
    node *kids[3];
    uint64_t unlisted;
} told;
GORT_STRUCT(wide, before, (a, node), between, (b, wide));
GORT_STRUCT(told, (next, told), before, (within, wide), (kids, node));

typedef struct tail {
    node *first;
    uint64_t between[70];
    node *rest[];
} tail;
GORT_STRUCT(tail, (first, node), between);

static const struct gc_test_options verified = {
    .percent = 100, .gccheck = true, .gccheckmark = true, .clobber = true
};

// The victim, hidden from the collector; its mark is taken away before the comparison.
static uintptr_t hidden;
static bool was_marked;

#define HIDE(p) (~(uintptr_t)(p))

static void take_mark(bool before)
{
    struct span *s;
    uint32_t i;
    uintptr_t base;
    CHECK(span_find_object(~hidden, &s, &i, &base));
    if (before) {
        was_marked = span_is_marked(s, i);
        s->marks[i] = SLOT_WHITE;
    } else if (was_marked) {
        span_mark(s, i);
    }
}

static void collect_without(const void *victim)
{
    hidden = HIDE(victim);
    checkmark_observer = take_mark;
    gort_gc();
    checkmark_observer = NULL;
    CHECK(was_marked);
}

// ---- misses: each of these is to end in a report ------------------------------------------------

static node *global_list;
static void *global_any;

static void miss_in_a_list(void)
{
    for (int i = 0; i < 10; i++) {
        node *x = gort_new(node);
        gort_init(&x->next, global_list);
        gort_set(&global_list, x);
    }
    collect_without(global_list->next->next);
}

static void miss_at_a_global(void)
{
    gort_set(&global_list, gort_new(node));
    collect_without(global_list);
}

static void miss_below_typed(void)
{
    wide *w = gort_new(wide);
    gort_init(&w->b, gort_new(wide));
    gort_init(&w->b->a, gort_new(node));
    gort_set(&global_any, (void *)w);
    collect_without(w->b->a);
}

static void miss_in_a_large_array(void)
{
    enum { N = 10000 };
    wide *w = gort_new_array(wide, N);
    gort_set(&global_any, (void *)w);
    gort_init(&w[N - 1].a, gort_new(node));
    collect_without(w[N - 1].a);
}

static void miss_below_fields(void)
{
    told *t = gort_new(told);
    gort_set(&global_any, (void *)t);
    gort_init(&t->next, gort_new(told));
    gort_init(&t->next->within[1].b, gort_new(wide));
    gort_init(&t->next->within[1].b->a, gort_new(node));
    collect_without(t->next->within[1].b->a);
}

static void miss_in_a_row(void)
{
    told *t = gort_new_array(told, 5);
    gort_set(&global_any, (void *)t);
    gort_init(&t[3].kids[2], gort_new(node));
    collect_without(t[3].kids[2]);
}

static void miss_in_a_tail(void)
{
    tail *t = gort_new_flex(tail, rest, 300);
    gort_set(&global_any, (void *)t);
    gort_init(&t->rest[299], gort_new(node));
    collect_without(t->rest[299]);
}

static void miss_ahead_of_a_tail(void)
{
    tail *t = gort_new_flex(tail, rest, 300);
    gort_set(&global_any, (void *)t);
    gort_init(&t->first, gort_new(node));
    collect_without(t->first);
}

static void miss_in_untyped(void)
{
    void **w = gort_alloc(100000);
    gort_set(&global_any, (void *)w);
    gort_init(&w[12499], (void *)gort_new(node));
    collect_without(w[12499]);
}

static void miss_the_large(void)
{
    gort_set(&global_any, gort_alloc_noscan(300000));
    collect_without(global_any);
}

static void *ranges[64];

// The range is in memory of no goroutine and of no library.
static void miss_in_a_range(void)
{
    void **range = os_mem_map(NULL, 8192);
    gort_root_add(range, 8192);
    gort_set(&range[1000], (void *)gort_new(node));
    collect_without(range[1000]);
}

static __thread void *local;

static void miss_in_thread_local(void)
{
    gort_set(&local, (void *)gort_new(node));
    collect_without(local);
}

static void never(void *unused)
{
    (void)unused;
}

// The finalizable object is dead; what it points to is kept for the finalizer.
static void miss_behind_a_finalizer(void)
{
    node *x = gort_new(node);
    gort_init(&x->next, gort_new(node));
    gort_set_finalizer(x, never);
    collect_without(x->next);
}

static void miss_the_argument_of_a_cleanup(void)
{
    void *arg = gort_new(node);
    gort_set(&global_list, gort_new(node));
    gort_add_cleanup(global_list, never, arg);
    collect_without(arg);
}

static void miss_the_handle(void)
{
    gort_set(&global_list, gort_new(node));
    collect_without(gort_weak_make(global_list));
}

static void argument_waits(void *arg)
{
    (void)arg;
}

static void miss_the_argument(void)
{
    void *arg = gort_new(node);
    go(argument_waits, arg);
    collect_without(arg);
}

static void emit_ranges(gc_emit_range emit, void *arg)
{
    emit((uintptr_t)(ranges + 1), (uintptr_t)(ranges + 2), arg);
}

static void *off_heap;

static void emit_off_heap(gc_emit_range emit, void *arg)
{
    emit((uintptr_t)off_heap, (uintptr_t)off_heap + sizeof(void *), arg);
}

static void miss_in_a_record(void)
{
    off_heap = os_mem_map(NULL, 8192);
    gc_add_record_roots(emit_ranges);
    gc_add_record_roots(emit_off_heap);
    gort_set((void **)off_heap, (void *)gort_new(node));
    collect_without(*(void **)off_heap);
}

struct case_of {
    void (*fn)(void);
    const char *parts[7];
};

static void run_case(void *arg)
{
    gc_test_run(((const struct case_of *)arg)->fn, 1, &verified);
}

#define FATAL_ONE " did not mark 1 reachable object\nmissed: object "

TEST(misses_are_fatal_and_explained)
{
    static const struct case_of cases[] = {
        { miss_in_a_list,
          { FATAL_ONE, " of 16 bytes (pointer bitmap, class 2, slot ", ", byte 0 of object ",
            "\tfrom root of kind data at 0x", "span 0x" } },
        { miss_at_a_global, { FATAL_ONE, "slot 0)\n\tfrom root of kind data at 0x" } },
        { miss_below_typed,
          { FATAL_ONE, ", byte 480 of object ", " of 896 bytes (typed: wide, class ", ", field a\n",
            ", byte 792 of object ", "\tfrom root of kind data at 0x" } },
        { miss_below_fields,
          { ", field a\n\tfrom word at ", ", field within[1].b\n\tfrom word at ",
            ", field next\n\tfrom root" } },
        { miss_in_a_row, { " (typed: told, class ", "), field [3].kids[2]\n\tfrom root" } },
        { miss_in_a_tail,
          { ", byte 2960 of object ", " (typed: tail, class ", ", slot 0)\n\tfrom root" } },
        { miss_ahead_of_a_tail, { ", byte 0 of object ", "), field first\n\tfrom root" } },
        { miss_in_a_large_array,
          { FATAL_ONE, ", byte 7999680 of object ", " of 8000000 bytes (large: wide, class 0" } },
        { miss_in_untyped, { FATAL_ONE, ", byte 99992 of object ", " of 100000 bytes (large" } },
        { miss_the_large, { FATAL_ONE, " of 300000 bytes (no pointers, class 0, slot 0)\n" } },
        { miss_in_a_range, { FATAL_ONE, "\tfrom root of kind ranges at 0x" } },
        { miss_in_thread_local, { FATAL_ONE, "\tfrom root of kind thread-locals at 0x" } },
        { miss_behind_a_finalizer,
          { FATAL_ONE, ", byte 0 of object ", "which has a finalizer: a root\n" } },
        { miss_the_argument_of_a_cleanup, { FATAL_ONE, "\tfrom root of kind specials at 0x" } },
        { miss_the_handle, { FATAL_ONE, "\tfrom root of kind specials at 0x" } },
        { miss_the_argument, { FATAL_ONE, "\tfrom root of kind records at 0x" } },
        { miss_in_a_record, { FATAL_ONE, "\tfrom root of kind records at 0x" } },
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (const char *const *part = cases[i].parts; *part != NULL; part++)
            expect_fatal(run_case, (void *)&cases[i], *part);
}

// ---- each of many is named ----------------------------------------------------------------------

enum { MANY = 7 };
static void **many; // of 64, 128, .. bytes
static uintptr_t hidden_many[MANY];

static void take_marks(bool before)
{
    for (int i = 0; before && i < MANY; i++) {
        struct span *s = span_of(~hidden_many[i]);
        s->marks[span_index_of(s, ~hidden_many[i])] = SLOT_WHITE;
    }
}

static void miss_many(void)
{
    gort_set(&many, (void **)gort_alloc(MANY * sizeof(void *)));
    for (int i = 0; i < MANY; i++) {
        gort_set(&many[i], gort_alloc_noscan((size_t)64 << i));
        hidden_many[i] = HIDE(many[i]);
    }
    checkmark_observer = take_marks;
    gort_gc();
}

TEST(each_of_many_is_named)
{
    static const struct case_of all = {
        miss_many, { " did not mark 7 reachable objects\nmissed: object 0x" }
    };
    expect_fatal(run_case, (void *)&all, all.parts[0]);
    for (int i = 0; i < MANY; i++) {
        char part[64];
        snprintf(part, sizeof part, " of %zu bytes (no pointers, class ", (size_t)64 << i);
        expect_fatal(run_case, (void *)&all, part);
        snprintf(part, sizeof part, ", byte %d of object 0x", 8 * i);
        expect_fatal(run_case, (void *)&all, part); // the word that led to it
    }
}

// ---- stacks alone, where nobody ran since they were scanned ------------------------------------

static const struct gc_test_options stopped = { .percent = 100,
                                                .gccheckmark = true,
                                                .stoptheworld = 1 };

static void miss_on_a_stack(void)
{
    node *x = gort_new(node);
    collect_without(x);
    gort_keep_alive(x);
}

static uint32_t ready, end; // atomic

static void hold(void *unused)
{
    (void)unused;
    node *x = gort_new(node);
    hidden = HIDE(x);
    atomic_store_release(&ready, 1);
    while (!atomic_load_relaxed(&end))
        g_yield();
    gort_keep_alive(x);
}

static void collect_without_hidden(void (*holder)(void *))
{
    go(holder, NULL);
    while (!atomic_load_acquire(&ready))
        g_yield();
    checkmark_observer = take_mark;
    gort_gc();
    checkmark_observer = NULL;
    CHECK(was_marked);
    atomic_store_relaxed(&end, 1);
}

static void miss_on_a_waiting_stack(void)
{
    collect_without_hidden(hold);
}

static void run_stopped(void *fn)
{
    gc_test_run(*(void (**)(void))fn, 1, &stopped);
}

TEST(stacks_are_no_excuse_in_one_stop)
{
    void (*own)(void) = miss_on_a_stack, (*waiting)(void) = miss_on_a_waiting_stack;
    expect_fatal(run_stopped, &own, FATAL_ONE);
    expect_fatal(run_stopped, &own, "\n\tfrom root of kind stacks at 0x");
    expect_fatal(run_stopped, &waiting, FATAL_ONE);
    expect_fatal(run_stopped, &waiting, ", goroutine ");
}

static void sleep_until_end(void *unused)
{
    (void)unused;
    atomic_store_release(&ready, 1);
    while (!atomic_load_relaxed(&end))
        os_thread_yield();
}

// Its thread may change its words during the stop.
static void hold_in_blocking(void *unused)
{
    (void)unused;
    node *x = gort_new(node);
    hidden = HIDE(x);
    blocking_call(sleep_until_end, NULL, 0);
    gort_keep_alive(x);
}

static void blocking_stacks_are_counted(void)
{
    collect_without_hidden(hold_in_blocking);
    CHECK_EQ(gc_debug_counts.stack_only, 1);
    CHECK_EQ(gc_debug_counts.gccheckmark, 1);
}

// ---- zombies: marks on what is free -------------------------------------------------------------

static uintptr_t free_slot;

__attribute__((no_sanitize_address)) static void write_words(volatile uint64_t *slot)
{
    slot[0] = 0x600d600d;
    slot[1] = 0xbadbad;
}

static void mark_free_slot(bool before)
{
    struct span *s = span_of(free_slot);
    if (before) return;
    CHECK(!span_is_slot_allocated(s, s->nelems - 1u));
    s->marks[s->nelems - 1] = SLOT_MARKED; // span_mark would not
}

// The sweep of a cycle finds it, whoever sweeps.
static void a_zombie(void)
{
    gort_set(&global_list, gort_new(node));
    struct span *s = span_of((uintptr_t)global_list);
    free_slot = span_slot(s, s->nelems - 1u);
    write_words((volatile uint64_t *)free_slot);
    checkmark_observer = mark_free_slot;
    gort_gc();
}

static void zombie_case(void *unused)
{
    static const struct gc_test_options o = { .percent = 100, .gccheckmark = true };
    (void)unused;
    gc_test_run(a_zombie, 1, &o);
}

TEST(zombies_are_fatal_and_dumped)
{
    static const char *const parts[] = { "fatal error: marked a free slot\nspan 0x",
                                         ", class 4, slot 16 x 503, allocated ", "\nslot 502 at 0x",
                                         " is free and marked: 600d600d badbad\n" };
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++)
        expect_fatal(zombie_case, NULL, parts[i]);
}

// ---- no misses ----------------------------------------------------------------------------------

static __attribute__((noinline)) node *new_node(void)
{
    return gort_new(node);
}

static void from_stacks_alone_is_counted(void)
{
    node *x = new_node();
    gort_init(&x->next, new_node());
    uint64_t verified_before = gc_debug_counts.gccheckmark;
    gort_gc();
    CHECK_EQ(gc_debug_counts.stack_only, 0);
    collect_without(x);
    CHECK_EQ(gc_debug_counts.stack_only, 1); // its child has its mark
    collect_without(x->next);
    CHECK_EQ(gc_debug_counts.stack_only, 2);
    CHECK_EQ(gc_debug_counts.gccheckmark, verified_before + 3);
    x->next->value = 1;
    gort_keep_alive(x);
}

// A pointer to its end alone keeps an object, from a stack: the check knows it too.
static void the_end_is_known(void)
{
    char *end = (char *)gort_alloc_noscan(512) + 512;
    __asm__ volatile("" : "+r"(end));
    scrub_stack();
    collect_without(end - 1);
    CHECK_EQ(gc_debug_counts.stack_only, 1);
    __asm__ volatile("" : : "r"(end));
}

static uint64_t objects_of_cycle;

static void on_cycle(const struct gc_cycle_record *r)
{
    objects_of_cycle = r->objects;
}

// What the cycle found stays as it is.
static void results_are_left_alone(void)
{
    gort_set_gc_percent(-1);
    for (int i = 0; i < 100000; i++) {
        node *x = gort_new(node);
        gort_init(&x->next, global_list);
        gort_set(&global_list, x);
    }
    gc_cycle_listener = on_cycle;
    gort_gc();
    gort_gc();
    uint64_t with = objects_of_cycle;
    gc_debug.gccheckmark = false;
    gort_gc();
    CHECK_EQ(with, objects_of_cycle);
    CHECK_GE(with, 100000);
    gort_stats st;
    gort_read_stats(&st);
    CHECK(st.heap_marked <= st.heap_live);
}

static int run(void)
{
    RUN(misses_are_fatal_and_explained);
    RUN(each_of_many_is_named);
    RUN(stacks_are_no_excuse_in_one_stop);
    gc_test_child("blocking_stacks_are_counted", blocking_stacks_are_counted, 2, &stopped);
    RUN(zombies_are_fatal_and_dumped);
    gc_test_child("from_stacks_alone_is_counted", from_stacks_alone_is_counted, 1, &verified);
    gc_test_child("the_end_is_known", the_end_is_known, 1, &verified);
    RUN_WITH(results_are_left_alone, &verified);
    return 0;
}

int main(void)
{
    return run();
}
