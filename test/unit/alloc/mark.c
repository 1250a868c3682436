// Marking: shared by all Ps, complete without memory for its queue, and from records of other
// floors.
// TEST timeout=600 serial
// SPDX-License-Identifier: BSD-3-Clause
#include "gc/mark.h"

#include "../gc/gc_test.h"
#include "gc/work.h"
#include "gort.h"

typedef struct node {
    struct node *left, *right;
    uint64_t value;
    uint64_t space;
} node;
GORT_TYPE(node, left, right);

enum { DEPTH = 6, WIDE = 20000 };
static node *wide[WIDE]; // many small trees; a root job, whose words are queued all at once
static uint32_t ntrees;
static node *list; // or one tree

static node *tree(int depth, uint64_t value)
{
    node *x = gort_new(node);
    x->value = value;
    if (depth > 0) {
        gort_init(&x->left, tree(depth - 1, 2 * value));
        gort_init(&x->right, tree(depth - 1, 2 * value + 1));
    }
    return x;
}

static uint64_t check_tree(const node *x, int depth, uint64_t value)
{
    CHECK_EQ(x->value, value);
    if (depth == 0) {
        CHECK(x->left == NULL && x->right == NULL);
        return 1;
    }
    return 1 + check_tree(x->left, depth - 1, 2 * value) +
           check_tree(x->right, depth - 1, 2 * value + 1);
}

static void build_wide(uint32_t n)
{
    CHECK_LE(n, WIDE);
    ntrees = n;
    for (uint32_t i = 0; i < n; i++)
        gort_set(&wide[i], tree(DEPTH, 1));
}

static void check_wide(void)
{
    for (uint32_t i = 0; i < ntrees; i++)
        CHECK_EQ(check_tree(wide[i], DEPTH, 1), (2 << DEPTH) - 1);
}

// ---- every P has a fair share -------------------------------------------------------------------

enum { CYCLES = 10 };
static uint64_t share[MAX_PROCS], all_shares; // of the last CYCLES at most
static uint32_t cycles_seen, markers_most;

static void on_cycle(const struct gc_cycle_record *r)
{
    if (cycles_seen % CYCLES == 0) {
        memset(share, 0, sizeof share);
        all_shares = 0;
    }
    for (int i = 0; i < r->procs; i++) {
        share[i] += gc_marker_bytes(i);
        all_shares += gc_marker_bytes(i);
    }
    if (r->markers > markers_most) markers_most = r->markers;
    cycles_seen++;
}

// The least share of a P, in parts of all_shares / procs.
static bool shared_at_least(unsigned one_in)
{
    for (int i = 0; i < p_count(); i++)
        if (share[i] * (unsigned)p_count() * one_in < all_shares) return false;
    return true;
}

// Some cycles; and more, as often as it takes, when the machine is too busy to run all markers at
// once.
static void collect_until_shared(unsigned one_in)
{
    gc_debug.stoptheworld = 1; // with helper threads
    gc_cycle_listener = on_cycle;
    do
        for (int i = 0; i < CYCLES; i++)
            gort_gc();
    while (!shared_at_least(one_in));
    CHECK_EQ(cycles_seen % CYCLES, 0);
    CHECK_EQ(markers_most, p_count());
}

static void all_ps_mark(void)
{
    gort_set_gc_percent(-1);
    build_wide(8000);
    collect_until_shared(3);
    check_wide();
}

// One deep tree: the way down holds few objects at a time, which must be shared all the same.
static void a_deep_tree_is_shared(void)
{
    enum { DEEP = 18 };
    gort_set_gc_percent(-1);
    gort_set(&list, tree(DEEP, 1));
    collect_until_shared(5);
    CHECK_EQ(check_tree(list, DEEP, 1), (2 << DEEP) - 1);
}

// ---- sweeping -----------------------------------------------------------------------------------

static void the_sweeper_finishes_alone(void)
{
    struct gc_totals t;
    gort_set_gc_percent(-1);
    build_wide(2000);
    memset(wide, 0, sizeof wide);
    ntrees = 0;
    scrub_stack();
    gc_collect(GC_CAUSE_FORCED);
    while (!heap_sweep_done())
        g_yield();
    gc_read_totals(&t);
    CHECK_GE(t.swept.spans[SWEPT_BACKGROUND], 100);
}

// ---- overflow -----------------------------------------------------------------------------------

static struct gc_cycle_record last;
static void keep_record(const struct gc_cycle_record *r)
{
    last = *r;
}

static void marking_needs_no_memory(void)
{
    gort_set_gc_percent(-1);
    build_wide(20000); // roots of trees alone are more than the reserve of buffers holds
    gc_cycle_listener = keep_record;
    gort_gc();
    uint64_t objects = last.objects;
    CHECK_EQ(last.overflows, 0);
    CHECK_GE(objects, 20000 * ((2 << DEPTH) - 1));
    // Hardly more buffers than the markers hold, and no memory for others.
    int buffers = 2 * p_count() + 4, per_span = WORK_SPAN_BYTES / WORKBUF_BYTES;
    work_pool.fail_after = (uint64_t)((buffers + per_span - 1) / per_span);
    do { // unless the one who fills it was kept from running while the others emptied it
        gort_gc();
        CHECK_EQ(last.objects, objects);
    } while (last.overflows == 0);
    check_wide();
    work_pool.fail_after = UINT64_MAX;
    gort_gc();
    CHECK_EQ(last.overflows, 0);
    CHECK_EQ(last.objects, objects);
}

// What a long queue took goes back to the page heap after the cycle, by the sweeper's goroutine or
// by who asks for memory to be given back; the next cycle does without it.  How long the queue gets
// is chance where several mark, but in some cycle it exceeds the reserve.
static uint64_t one_cycle_more(bool free_memory)
{
    enum { RESERVE = WORK_RESERVE_SPANS * WORK_SPAN_BYTES };
    uint64_t returned = atomic_load_relaxed(&work_pool.returned);
    if (free_memory)
        gort_free_os_memory();
    else
        gort_gc();
    if (free_memory) CHECK_EQ(atomic_load_relaxed(&work_pool.bytes), RESERVE);
    while (atomic_load_relaxed(&work_pool.bytes) != RESERVE)
        g_yield();
    CHECK_EQ(last.overflows, 0);
    CHECK_GE(last.objects, 20000 * ((2 << DEPTH) - 1));
    return atomic_load_relaxed(&work_pool.returned) - returned;
}

static void buffers_go_back(void)
{
    gort_set_gc_percent(-1);
    build_wide(20000);
    gc_cycle_listener = keep_record;
    for (int who = 0; who < 2; who++) {
        uint64_t returned = 0;
        while (returned == 0)
            returned = one_cycle_more(who != 0);
    }
    check_wide();
}

// Oblets that the queue has no room for are scanned all the same, even of an object that only its
// finalizer knows of; and that ends.
enum { OBLETS = 40 };
static node **large;

static void large_dies(void *p)
{
    (void)p;
}

__attribute__((noinline)) static void make_large(void)
{
    size_t n = OBLETS * OBLET_BYTES / sizeof(node *);
    node **hidden = gort_alloc(n * sizeof(node *));
    gort_set(&large, (node **)gort_alloc(n * sizeof(node *)));
    for (size_t i = 0; i < n; i += 64) {
        gort_set(&large[i], tree(0, i));
        gort_set(&hidden[i], tree(0, i));
    }
    gort_set_finalizer(hidden, large_dies);
}

static void oblets_need_no_memory(void)
{
    gort_set_gc_percent(-1);
    gc_cycle_listener = keep_record;
    make_large();
    scrub_stack();
    work_pool.fail_after = 0;
    gort_gc(); // queues the object for its finalizer
    uint64_t objects = last.objects, per_large = OBLETS * OBLET_BYTES / sizeof(node *) / 64;
    CHECK_GE(objects, 2 * per_large);
    CHECK_LE(last.overflows, 10);
    for (size_t i = 0; i < OBLETS * OBLET_BYTES / sizeof(node *); i += 64)
        CHECK_EQ(large[i]->value, i);
    work_pool.fail_after = UINT64_MAX;
}

// ---- records of other floors --------------------------------------------------------------------

static uintptr_t *record; // off-heap
static uint32_t emitted;

static void emit_records(gc_emit_range emit, void *arg)
{
    emitted++;
    emit((uintptr_t)record, (uintptr_t)(record + 4), arg);
}

__attribute__((noinline)) static void fill_record(void)
{
    for (int i = 0; i < 4; i++)
        record[i] = (uintptr_t)tree(3, 1);
}

static void records_are_roots(void)
{
    record = os_mem_map(NULL, 4096);
    gc_add_record_roots(emit_records);
    fill_record();
    scrub_stack();
    for (int i = 0; i < 3; i++) {
        gort_gc();
        for (int k = 0; k < 1000; k++) // would be given their slots
            tree(1, 77);
    }
    CHECK_GE(emitted, 3);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(check_tree((node *)record[i], 3, 1), 15);
}

// ---- long lists, deep structure -----------------------------------------------------------------

static void a_list_is_marked_by_one_while_others_starve(void)
{
    gc_debug.stoptheworld = 1;
    enum { N = 300000 };
    for (uint64_t i = 0; i < N; i++) {
        node *x = gort_new(node);
        x->value = i;
        gort_init(&x->left, list);
        gort_set(&list, x);
    }
    for (int i = 0; i < 3; i++)
        gort_gc();
    uint64_t n = N;
    for (node *x = list; x != NULL; x = x->left)
        CHECK_EQ(x->value, --n);
    CHECK_EQ(n, 0);
}

// ---- large objects are counted once -------------------------------------------------------------

// Two markers that meet at one count it twice, unless who marks it is alone: of many small ones
// nobody would notice.  With checks the sum is of what sweeping finds.
static const struct gc_test_options unchecked_options = { .percent = -1 };

static void large_objects_count_once(void)
{
    enum { ARRAYS = 24, N = 20000, SIZE = 33000 };
    static void **arrays[ARRAYS];
    gc_debug.stoptheworld = 1;
    for (int k = 0; k < ARRAYS; k++)
        gort_set(&arrays[k], (void **)gort_alloc(N * sizeof(void *)));
    for (int i = 0; i < N; i++) {
        void *x = gort_alloc_uninit(SIZE);
        for (int k = 0; k < ARRAYS; k++)
            gort_set(&arrays[k][i], x);
    }
    uint64_t least = UINT64_MAX, most = 0;
    for (int i = 0; i < 150; i++) {
        gort_stats s;
        gort_gc();
        gort_read_stats(&s);
        if (s.heap_marked < least) least = s.heap_marked;
        if (s.heap_marked > most) most = s.heap_marked;
    }
    CHECK_GE(least, (uint64_t)N * SIZE);
    CHECK_LE(most - least, SIZE - 1);
}

// ---- modes count their firings ------------------------------------------------------------------

static const struct gc_test_options stress_options = {
    .percent = 100, .gcstress = 50, .gccheck = true, .clobber = true
};

static void modes_fire(void)
{
    build_wide(20);
    for (int i = 0; i < 2000; i++)
        tree(1, 5);
    check_wide();
    CHECK_GE(gc_debug_counts.gcstress, 6000 / 50);
    CHECK_GE(gc_debug_counts.gccheck, gc_debug_counts.gcstress);
}

static const struct gc_test_options clobber_options = { .percent = -1,
                                                        .gccheck = true,
                                                        .clobber = true };

// Freed slots are overwritten: a dangling pointer, hidden from the collector, shows it.  There is
// one collection only, for slots that are offered again are zeroed.
static void freed_memory_is_clobbered(void)
{
    enum { N = 1000 };
    static uintptr_t hidden[N];
    for (int i = 0; i < N; i++)
        hidden[i] = ~(uintptr_t)tree(0, 5);
    scrub_stack();
    gort_gc();
    int clobbered = 0;
    for (int i = 0; i < N; i++)
        clobbered += ((node *)~hidden[i])->space == HEAP_CLOBBER;
    CHECK_GE(clobbered, N / 2);
}

int main(void)
{
    RUN_ON(all_ps_mark, 1);
    RUN_ON(all_ps_mark, 2);
    RUN_ON(all_ps_mark, 4);
    RUN_ON(a_deep_tree_is_shared, 2);
    RUN_ON(a_deep_tree_is_shared, 4);
    RUN_ALL(the_sweeper_finishes_alone);
    RUN_ALL(marking_needs_no_memory);
    RUN_ALL(buffers_go_back);
    RUN_ALL(oblets_need_no_memory);
    RUN_ALL(records_are_roots);
    RUN_ALL(a_list_is_marked_by_one_while_others_starve);
    gc_test_child("large", large_objects_count_once, 2, &unchecked_options);
    gc_test_child("large", large_objects_count_once, 4, &unchecked_options);
    RUN_WITH(modes_fire, &stress_options);
    RUN_WITH(freed_memory_is_clobbered, &clobber_options);
    return 0;
}
