// Weak references: gone with the object and not before; equal for one address; inner addresses,
// tiny objects; cleared before finalizers, also of an object that one of these keeps; handles that
// die.
// TEST timeout=120
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_util.h"

typedef struct cell {
    uint64_t canary;
    struct cell *next;
    uint64_t n[14];
} cell;
GORT_TYPE(cell, next);

enum { CELLS = 200 };
#define CANARY UINT64_C(0xfeedfacecafebeef)

static cell *kept[CELLS];
static gort_weak *weak[CELLS], *inner[CELLS];
static uint32_t get_nulls; // of the last count_gone

static double metric(const char *name)
{
    double value = -1;
    CHECK_EQ(gort_metric_read(name, &value), 0);
    return value;
}

// Collects until `wanted` of the references, or nearly so many, give NULL.
static uint32_t count_gone(gort_weak **w, uint32_t n, uint32_t wanted)
{
    for (int round = 0; round < 50; round++) {
        scrub_stack();
        gort_gc();
        get_nulls = 0;
        for (uint32_t i = 0; i < n; i++)
            get_nulls += gort_weak_get(w[i]) == NULL;
        if (get_nulls >= wanted || (round > 4 && get_nulls + n / 20 + 4 >= wanted)) break;
    }
    return get_nulls;
}

// ---- life ---------------------------------------------------------------------------------------

static cell *make_cell(uint32_t i)
{
    cell *c = gort_new(cell);
    c->canary = CANARY;
    c->n[3] = i;
    gort_set(&weak[i], gort_weak_make(c));
    gort_set(&inner[i], gort_weak_make(&c->n[3]));
    return c;
}

static void make_cells(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < CELLS; i++) {
        cell *c = make_cell(i);
        if (i % 2 == 0) gort_set(&kept[i], c);
    }
}

static void what_is_kept_is_got(void)
{
    on_goroutine(make_cells, NULL);
    for (int round = 0; round < 3; round++) {
        uint32_t gone = count_gone(weak, CELLS, CELLS / 2);
        CHECK_LE(gone, CELLS / 2);
        CHECK_NEARLY_ALL(gone, CELLS / 2);
        for (uint32_t i = 0; i < CELLS; i++) {
            cell *c = gort_weak_get(weak[i]);
            uint64_t *n = gort_weak_get(inner[i]);
            CHECK_EQ(c == NULL, n == NULL); // the object's, both
            if (kept[i] != NULL) CHECK_PTR_EQ(c, kept[i]);
            if (c == NULL) continue;
            CHECK_EQ(c->canary, CANARY);
            CHECK_PTR_EQ(n, &c->n[3]);
            CHECK_EQ(*n, i);
        }
    }
    for (uint32_t i = 0; i < CELLS; i++)
        gort_set(&kept[i], (cell *)NULL);
    CHECK_NEARLY_ALL(count_gone(weak, CELLS, CELLS), CELLS);
}

static void what_was_got_is_kept(void)
{
    on_goroutine(make_cells, NULL);
    cell *strong[10];
    for (int i = 0; i < 10; i++) {
        strong[i] = gort_weak_get(weak[2 * i]);
        CHECK(strong[i] != NULL);
        gort_set(&kept[2 * i], (cell *)NULL);
    }
    for (int round = 0; round < 3; round++) {
        gort_gc();
        for (uint64_t i = 0; i < 10; i++) {
            CHECK_EQ(strong[i]->canary, CANARY);
            CHECK_EQ(strong[i]->n[3], 2 * i);
            CHECK_PTR_EQ(gort_weak_get(weak[2 * i]), strong[i]);
        }
    }
    memset(kept, 0, sizeof kept);
}

// ---- equality -----------------------------------------------------------------------------------

static void one_handle_for_an_address(void)
{
    cell *c = gort_new(cell);
    gort_weak *w = gort_weak_make(c), *i = gort_weak_make(&c->n[1]);
    CHECK_PTR_NE(w, i);
    CHECK_PTR_NE(i, gort_weak_make(&c->n[2]));
    gort_gc();
    CHECK_PTR_EQ(gort_weak_make(c), w);
    CHECK_PTR_EQ(gort_weak_make(&c->n[1]), i);
    CHECK_PTR_EQ(gort_weak_get(i), &c->n[1]);
    gort_keep_alive(c);
}

static gort_weak *made[16];
static cell *shared;

static void make_shared(void *arg)
{
    gort_weak **slot = arg;
    gort_set(slot, gort_weak_make(shared));
}

static void one_handle_for_many_goroutines(void)
{
    for (int64_t round = 0; round < test_count(200); round++) {
        static struct gc_util_call calls[16];
        gort_set(&shared, gort_new(cell));
        for (int i = 0; i < 16; i++) {
            calls[i] = (struct gc_util_call){ .fn = make_shared, .arg = &made[i] };
            gort_waitgroup_add(&calls[i].wg, 1);
            gort_go(gc_util_call, &calls[i]);
        }
        for (int i = 0; i < 16; i++)
            gort_waitgroup_wait(&calls[i].wg);
        for (int i = 0; i < 16; i++)
            CHECK_PTR_EQ(made[i], made[0]);
        CHECK_PTR_EQ(gort_weak_get(made[0]), shared);
    }
}

// ---- tiny objects -------------------------------------------------------------------------------

static gort_weak *tiny[2000];

static void make_tiny(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t *p = gort_new(uint32_t);
        *p = i;
        gort_set(&tiny[i], gort_weak_make(p));
    }
}

static void tiny_objects_have_their_own(void)
{
    on_goroutine(make_tiny, NULL);
    for (uint32_t i = 0; i < 2000; i++)
        for (uint32_t k = 1; k < 4 && k <= i; k++)
            CHECK_PTR_NE(tiny[i], tiny[i - k]);
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t *p = gort_weak_get(tiny[i]);
        if (p != NULL) CHECK_EQ(*p, i);
    }
    CHECK_NEARLY_ALL(count_gone(tiny, 2000, 2000), 2000);
}

// ---- finalizers ---------------------------------------------------------------------------------

static cell *resurrected[CELLS];
static gort_weak *second[CELLS];
static uint32_t finalized; // atomic

static void finalizer(void *p)
{
    cell *c = p;
    uint64_t i = c->n[3];
    CHECK_EQ(c->canary, CANARY);
    CHECK(gort_weak_get(weak[i]) == NULL); // cleared before, even though this keeps it
    CHECK(gort_weak_get(inner[i]) == NULL);
    gort_set(&resurrected[i], c);
    gort_set(&second[i], gort_weak_make(c));
    CHECK_PTR_NE(second[i], weak[i]);
    CHECK_PTR_EQ(gort_weak_get(second[i]), c);
    __atomic_fetch_add(&finalized, 1, __ATOMIC_RELEASE);
}

static void make_finalized(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < CELLS; i++)
        gort_set_finalizer(make_cell(i), finalizer);
}

static void cleared_before_the_finalizer(void)
{
    on_goroutine(make_finalized, NULL);
    for (int round = 0; round < 50; round++) {
        scrub_stack();
        gort_gc();
        finalizers_done();
        if (__atomic_load_n(&finalized, __ATOMIC_ACQUIRE) + CELLS / 20 >= CELLS) break;
    }
    CHECK_NEARLY_ALL(__atomic_load_n(&finalized, __ATOMIC_ACQUIRE), CELLS);
    for (uint32_t i = 0; i < CELLS; i++)
        if (resurrected[i] != NULL) {
            CHECK(gort_weak_get(weak[i]) == NULL);
            CHECK_PTR_EQ(gort_weak_get(second[i]), resurrected[i]);
        }
    memset(resurrected, 0, sizeof resurrected);
    CHECK_NEARLY_ALL(count_gone(second, CELLS, CELLS), CELLS);
}

static uint32_t pointed_to; // atomic
static gort_weak *of_next[CELLS];

static void looks_at_next(void *p)
{
    cell *c = p;
    CHECK_PTR_EQ(gort_weak_get(of_next[c->n[3]]), c->next); // kept for this call, never unreachable
    __atomic_fetch_add(&pointed_to, 1, __ATOMIC_RELEASE);
}

static void make_pairs(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < CELLS; i++) {
        cell *c = gort_new(cell);
        c->n[3] = i;
        gort_init(&c->next, gort_new(cell));
        gort_set(&of_next[i], gort_weak_make(c->next));
        gort_set_finalizer(c, looks_at_next);
    }
}

static void what_a_finalizer_sees_is_not_cleared(void)
{
    on_goroutine(make_pairs, NULL);
    for (int round = 0; round < 50; round++) {
        scrub_stack();
        gort_gc();
        finalizers_done();
        if (__atomic_load_n(&pointed_to, __ATOMIC_ACQUIRE) + CELLS / 20 >= CELLS) break;
    }
    CHECK_NEARLY_ALL(__atomic_load_n(&pointed_to, __ATOMIC_ACQUIRE), CELLS);
    CHECK_NEARLY_ALL(count_gone(of_next, CELLS, CELLS), CELLS);
}

// ---- sizes, handles, counts ---------------------------------------------------------------------

static gort_weak *large[3 * 20];

static void make_large(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++) {
        char *p = gort_alloc(200000);
        gort_set(&large[3 * i], gort_weak_make(p));
        gort_set(&large[3 * i + 1], gort_weak_make(p + 199999));
        gort_set(&large[3 * i + 2], gort_weak_make(gort_alloc(3000)));
        CHECK_PTR_EQ(gort_weak_get(large[3 * i + 1]), p + 199999);
    }
}

static void objects_of_any_size(void)
{
    on_goroutine(make_large, NULL);
    CHECK_NEARLY_ALL(count_gone(large, 60, 60), 60);
}

enum { ELEMENTS = 100000 };
static uint64_t *array;

// One after the other in no more time than references to as many objects.
static void elements_of_an_array(void)
{
    uint32_t n = (uint32_t)test_count(ELEMENTS);
    gort_set(&array, (uint64_t *)gort_alloc_noscan(n * sizeof *array));
    gort_weak **of = gort_alloc(n * sizeof *of);
    for (uint32_t i = 0; i < n; i++)
        gort_set(&of[i], gort_weak_make(&array[i]));
    gort_gc();
    for (uint32_t i = 0; i < n; i++)
        CHECK_PTR_EQ(gort_weak_get(of[i]), &array[i]);
    gort_set(&array, (uint64_t *)NULL);
    uint32_t gone = count_gone(of, n, n);
    CHECK(gone == 0 || gone == n); // one object
}

// Handles that nobody has stay with the object and die after it.
static void make_unheld(void *unused)
{
    (void)unused;
    for (int64_t i = 0; i < test_count(20000); i++)
        gort_weak_make(gort_new(cell));
}

static void handles_need_no_holder(void)
{
    double made_before = metric("/gort/gc/weak/made:handles");
    double cleared_before = metric("/gort/gc/weak/cleared:handles");
    double n = (double)test_count(20000);
    on_goroutine(make_unheld, NULL);
    CHECK(metric("/gort/gc/weak/made:handles") == made_before + n);
    for (int i = 0; i < 4; i++)
        gort_gc();
    CHECK(metric("/gort/gc/weak/cleared:handles") >= cleared_before + n * 0.9 - 4);
    CHECK(metric("/gort/gc/weak/cleared:handles") <= metric("/gort/gc/weak/made:handles"));
}

static void nothing_has_no_reference(void)
{
    CHECK(gort_weak_make(NULL) == NULL);
    CHECK(gort_weak_get(NULL) == NULL);
}

static void tests(void)
{
    RUN(what_is_kept_is_got);
    RUN(what_was_got_is_kept);
    RUN(one_handle_for_an_address);
    RUN(one_handle_for_many_goroutines);
    RUN(tiny_objects_have_their_own);
    RUN(cleared_before_the_finalizer);
    RUN(what_a_finalizer_sees_is_not_cleared);
    RUN(objects_of_any_size);
    RUN(elements_of_an_array);
    RUN(handles_need_no_holder);
    RUN(nothing_has_no_reference);
}
GC_MAIN(tests)
