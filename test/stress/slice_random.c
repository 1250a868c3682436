// Slices against a model, at random: each operation is made on a slice of numbers, on one of
// structs with pointers and on one of pointers, whose headers lie in collected memory, and on a
// plain array; after each all four hold the same. Goroutines do so beside each other and beside the
// collector; what a slice points to is found there or the test fails.
//
// TEST notmodes=determ
// SPDX-License-Identifier: BSD-3-Clause
#include "../goroutines.h"

enum { MODEL_MAX = 3000, GOROUTINES = 4 };

typedef struct cell {
    uint64_t value, check; // check is ~value
} cell;
GORT_TYPE(cell);
typedef cell *cell_ref;

typedef struct record {
    uint64_t value;
    cell *a;
    char pad[8];
    cell *b;
} record;
GORT_TYPE(record, a, b);

typedef gort_slice(uint64_t) numbers;
typedef gort_slice(record) records;
typedef gort_slice(cell_ref) refs;

// What one goroutine compares; collected.
typedef struct world {
    numbers n;
    records r;
    refs p;
    uint64_t random;
    size_t len;
    uint64_t model[MODEL_MAX];
} world;
GORT_TYPE(world, n.ptr, r.ptr, p.ptr);

static cell *new_cell(uint64_t v)
{
    cell *c = gort_new(cell);
    c->value = v;
    c->check = ~v;
    return c;
}

static record new_record(uint64_t v)
{
    return (record){ .value = v, .a = new_cell(v), .b = new_cell(v + 1) };
}

static size_t below(world *w, size_t n)
{
    return n == 0 ? 0 : test_random(&w->random) % n;
}

static void check_all(const world *w)
{
    CHECK(w->n.len == w->len && w->r.len == w->len && w->p.len == w->len);
    for (size_t i = 0; i < w->len; i++) {
        uint64_t v = w->model[i];
        const record *r = &w->r.ptr[i];
        CHECK_EQ(w->n.ptr[i], v);
        CHECK_EQ(r->value, v);
        CHECK(r->a->value == v && r->a->check == ~v);
        CHECK(r->b->value == v + 1 && r->b->check == ~(v + 1));
        CHECK(w->p.ptr[i]->value == v && w->p.ptr[i]->check == ~v);
    }
}

static void append_one(world *w)
{
    uint64_t v = test_random(&w->random) >> 1;
    if (w->len == MODEL_MAX) return;
    w->model[w->len++] = v;
    gort_slice_append(uint64_t, &w->n, v);
    gort_slice_append(record, &w->r, new_record(v));
    gort_slice_append(cell_ref, &w->p, new_cell(v));
}

static void append_own(world *w)
{
    size_t i = below(w, w->len + 1), n = below(w, w->len - i + 1);
    if (w->len + n > MODEL_MAX) return;
    memmove(w->model + w->len, w->model + i, n * sizeof *w->model);
    w->len += n;
    gort_slice_append_n(uint64_t, &w->n, w->n.ptr + i, n);
    gort_slice_append_slice(record, &w->r, gort_slice_sub(w->r, i, i + n));
    gort_slice_append_n(cell_ref, &w->p, w->p.ptr + i, n);
}

static void insert_some(world *w)
{
    size_t at = below(w, w->len + 1), i = below(w, w->len + 1), n = below(w, w->len - i + 1) % 20;
    uint64_t copy[20];
    if (w->len + n > MODEL_MAX) return;
    memcpy(copy, w->model + i, n * sizeof *copy);
    memmove(w->model + at + n, w->model + at, (w->len - at) * sizeof *copy);
    memcpy(w->model + at, copy, n * sizeof *copy);
    w->len += n;
    gort_slice_insert(uint64_t, &w->n, at, w->n.ptr + i, n);
    gort_slice_insert(record, &w->r, at, w->r.ptr + i, n);
    gort_slice_insert(cell_ref, &w->p, at, w->p.ptr + i, n);
}

static void delete_some(world *w)
{
    size_t i = below(w, w->len + 1), j = i + below(w, w->len - i + 1);
    memmove(w->model + i, w->model + j, (w->len - j) * sizeof *w->model);
    w->len -= j - i;
    gort_slice_delete(uint64_t, &w->n, i, j);
    gort_slice_delete(record, &w->r, i, j);
    gort_slice_delete(cell_ref, &w->p, i, j);
}

// Sub-slices from the front lose capacity, so that growing is common.
static void cut(world *w)
{
    size_t i = below(w, w->len / 4 + 1), j = w->len - below(w, (w->len - i) / 4 + 1);
    memmove(w->model, w->model + i, (j - i) * sizeof *w->model);
    w->len = j - i;
    gort_slice_set(&w->n, gort_slice_sub(w->n, i, j));
    gort_slice_set(&w->r, gort_slice_sub(w->r, i, j));
    gort_slice_set(&w->p, gort_slice_sub3(w->p, i, j, j));
}

static void move_within(world *w)
{
    size_t n = below(w, w->len + 1), to = below(w, w->len - n + 1), from = below(w, w->len - n + 1);
    memmove(w->model + to, w->model + from, n * sizeof *w->model);
    gort_slice_copy(uint64_t, gort_slice_sub(w->n, to, to + n),
                    gort_slice_sub(w->n, from, from + n));
    gort_slice_copy(record, gort_slice_sub(w->r, to, to + n), gort_slice_sub(w->r, from, from + n));
    gort_slice_copy(cell_ref, gort_slice_sub(w->p, to, to + n),
                    gort_slice_sub(w->p, from, from + n));
}

static void renew(world *w)
{
    gort_slice_set(&w->n, gort_slice_clone(uint64_t, w->n));
    gort_slice_set(&w->r, gort_slice_clone(record, w->r));
    gort_slice_set(&w->p, gort_slice_clone(cell_ref, w->p));
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int by_record(const record *a, const record *b)
{
    return by_value(&a->value, &b->value);
}

static int by_cell(const cell_ref *a, const cell_ref *b)
{
    return by_value(&(*a)->value, &(*b)->value);
}

static void sort_all(world *w)
{
    qsort(w->model, w->len, sizeof *w->model, by_value);
    gort_slice_sort(w->n);
    if (below(w, 2) == 0)
        gort_slice_sort_func(record, w->r, by_record);
    else
        gort_slice_sort_stable(record, w->r, by_record);
    gort_slice_sort_func(cell_ref, w->p, by_cell);
}

static void step(world *w)
{
    switch (below(w, 40)) {
    case 0:
        append_own(w);
        break;
    case 1:
        delete_some(w);
        break;
    case 2:
        cut(w);
        break;
    case 3:
        renew(w);
        break;
    case 4:
        sort_all(w);
        break;
    case 5:
    case 6:
        move_within(w);
        break;
    case 7:
    case 8:
    case 9:
        insert_some(w);
        break;
    default:
        append_one(w);
    }
}

static int64_t operations;
static gort_waitgroup all;

static void run_world(void *arg)
{
    world *w = gort_new(world);
    w->random = test_seed() + *(uint64_t *)arg;
    for (int64_t i = 0, n = test_count(300000); i < n; i++) {
        step(w);
        if (i % 64 == 0) check_all(w);
        ADD(&operations, 3);
    }
    check_all(w);
    gort_waitgroup_done(&all);
}

static bool stopping;

static void collect_all_the_time(void *arg)
{
    (void)arg;
    while (!LOAD(&stopping)) {
        gort_gc();
        gort_yield();
    }
    gort_waitgroup_done(&all);
}

TEST(slices_are_what_the_model_says)
{
    for (uint64_t i = 0; i < GOROUTINES; i++) {
        gort_waitgroup_add(&all, 1);
        gort_go_copy(run_world, &i, sizeof i);
    }
    gort_waitgroup_wait(&all);
}

// With a collector that begins a cycle as soon as it ended one: headers and elements move while it
// marks.
TEST(beside_a_collector_that_never_rests)
{
    gort_waitgroup_add(&all, 1);
    gort_go(collect_all_the_time, NULL);
    world *w = gort_new(world);
    w->random = test_seed() + GOROUTINES;
    for (int64_t i = 0, n = test_count(30000); i < n; i++) {
        step(w);
        if (i % 64 == 0) check_all(w);
    }
    check_all(w);
    STORE(&stopping, true);
    gort_waitgroup_wait(&all);
}

// Old arrays in the hand: of slices whose headers lie deep in the heap it takes copies, and lets
// the slices grow, so that only its stack, which may have been scanned, has the old arrays. They
// must outlive the cycle. (Without the log of gort_slice_grow_raw they do not.)
enum { HOLDERS = 20000, HELD = 500 };

typedef struct holder {
    struct holder *next;
    numbers n;
} holder;
GORT_TYPE(holder, next, n.ptr);

static holder *make_holders(void)
{
    holder *list = NULL;
    for (int i = 0; i < HOLDERS; i++) {
        holder *h = gort_new(holder);
        h->next = list; // h is new
        list = h;
    }
    return list;
}

static void fill_to_the_end(numbers *n, uint64_t v)
{
    do
        gort_slice_append(uint64_t, n, v);
    while (n->len < n->cap);
}

static uint64_t cycles(void)
{
    gort_stats s;
    gort_read_stats(&s);
    return s.num_gc;
}

static void hold_and_grow(holder *list, uint64_t round, int skip)
{
    numbers held[HELD];
    holder *h = list;
    while (skip-- > 0)
        h = h->next;
    holder *first = h;
    for (int i = 0; i < HELD; i++, h = h->next)
        fill_to_the_end(&h->n, round);
    uint64_t now = cycles();
    while (cycles() < now + 2) // what was filled is old
        gort_yield();
    while (!__atomic_load_n(&gort_barrier_flag, __ATOMIC_RELAXED) && cycles() < now + 6)
        gort_yield(); // marking is on; on one P it may never be seen
    h = first;
    for (int i = 0; i < HELD; i++, h = h->next) {
        held[i] = h->n;
        gort_slice_append(uint64_t, &h->n, round + 1);
        h->n.len = 0;
    }
    now = cycles();
    while (cycles() < now + 1) // their memory is used again
        (void)new_cell(round);
    for (int i = 0; i < 2000; i++)
        gort_keep_alive(gort_alloc_noscan((size_t)(i % 64) * 8 + 9));
    for (int i = 0; i < HELD; i++)
        for (size_t k = 0; k < held[i].len; k++)
            CHECK_LE(held[i].ptr[k] - round, 1);
    for (h = first; h != list && skip++ < HELD - 1; h = h->next)
        gort_slice_set(&h->n, (numbers){ 0 });
}

TEST(what_was_replaced_outlives_the_cycle)
{
    uint64_t random = test_seed();
    holder *list = make_holders();
    STORE(&stopping, false);
    gort_waitgroup_add(&all, 1);
    gort_go(collect_all_the_time, NULL);
    for (int64_t i = 0, n = test_count(60); i < n; i++)
        hold_and_grow(list, 1000000 + (uint64_t)i * 2,
                      HOLDERS - HELD - (int)(test_random(&random) % (HOLDERS / 4)));
    STORE(&stopping, true);
    gort_waitgroup_wait(&all);
}

static int gort_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    test_seed();
    RUN(slices_are_what_the_model_says);
    RUN(beside_a_collector_that_never_rests);
    RUN(what_was_replaced_outlives_the_cycle);
    printf("%lld operations\n", (long long)LOAD(&operations));
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(gort_main, argc, argv);
}
