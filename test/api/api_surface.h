// Uses every public declaration once, as C (api_surface.c) and as C++ (api_surface.cc), and checks
// lightly that it does what its comment says; the tests beside it go deep. It keeps to what the two
// languages share. test/prog/api_compile.sh checks that no declaration is left out. It is long
// because the interface is: a list in the headers' order, in one program as a user's would be.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include "test.h"

// ---- types

typedef struct leaf {
    int a, b;
} leaf;
GORT_TYPE(leaf);

typedef struct node {
    struct node *next;
    const char *text;
    int n;
    union {
        void *p;
        long l;
    } word[2];
} node;
GORT_TYPE(node, next, text, word);

// Not described: scanned conservatively.
typedef struct plain {
    node *first;
} plain;

typedef struct header {
    node *owner;
    size_t n;
    __extension__ int numbers[];
} header;
GORT_TYPE(header, owner);

typedef struct table {
    size_t n;
    __extension__ node *nodes[];
} table;
GORT_TYPE(table);

typedef struct page {
    char bytes[4096];
} __attribute__((aligned(4096))) page;
GORT_TYPE(page);

struct incomplete;

// ---- globals that hold collected pointers

static node *global_node;
static const char *global_text;
static void *global_any;
static void (*global_function)(void *);
static gort_chan(int) global_chan;
static gort_chan(struct incomplete) global_incomplete;

static int calls;

static void count_call(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST);
}

static int calls_made(void)
{
    return __atomic_load_n(&calls, __ATOMIC_SEQ_CST);
}

// Waits, for up to 100 seconds, until count_call has run n times.
static void wait_calls(int n)
{
    int64_t deadline = gort_now() + 100 * GORT_S;
    while (calls_made() < n && gort_now() < deadline)
        gort_sleep(GORT_MS);
    CHECK_EQ(calls_made(), n);
}

// Calls for what died, apart from `calls`: a stale word may keep an object into the tests that
// follow.
static int finalized, cleaned;

static void count_finalized(void *object)
{
    (void)object;
    __atomic_fetch_add(&finalized, 1, __ATOMIC_SEQ_CST);
}

static void count_cleaned(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&cleaned, 1, __ATOMIC_SEQ_CST);
}

// Collects, for up to 100 seconds, until n were called; never more than `most`.
static void collect_until(const int *count, int n, int most)
{
    int64_t deadline = gort_now() + 100 * GORT_S;
    while (__atomic_load_n(count, __ATOMIC_SEQ_CST) < n && gort_now() < deadline) {
        gort_gc();
        gort_sleep(GORT_MS);
    }
    CHECK_GE(__atomic_load_n(count, __ATOMIC_SEQ_CST), n);
    CHECK_LE(__atomic_load_n(count, __ATOMIC_SEQ_CST), most);
}

// ---- memory

TEST(descriptors)
{
    CHECK_STR_EQ(gort_type_node[0].name, "node");
    CHECK_EQ(gort_type_node[0].size, sizeof(node));
    CHECK_EQ(gort_type_node[0].align, sizeof(void *));
    CHECK_EQ(gort_type_node[0].ptrdata, sizeof(node));
    CHECK_EQ(gort_type_node[0].mask, 0x1b);
    CHECK_EQ(gort_type_node[0].flags, 0);
    CHECK_EQ(gort_type_node[0].nruns, 3);
    const struct gort_pointer_run *run = gort_type_node[0].runs;
    CHECK_EQ(run[2].offset, offsetof(node, word));
    CHECK_EQ(run[2].size, 2 * sizeof(void *));
    CHECK_EQ(gort_type_leaf[0].flags, GORT_TYPE_NOSCAN);
    CHECK_EQ(gort_type_leaf[0].nruns, 0);
    CHECK_EQ(gort_type_leaf[0].ptrdata, 0);
}

TEST(allocation)
{
    node *a = gort_new(node);
    CHECK(a->next == NULL && a->text == NULL && a->n == 0);
    leaf *l = gort_new_array(leaf, 100);
    CHECK_EQ(l[99].b, 0);
    plain *p = gort_new(plain);
    gort_init(&p->first, a);
    CHECK(p->first == a);
    CHECK_EQ((uintptr_t)gort_new(page) % 4096, 0);
    *gort_new(int) = 1;

    header *h = gort_new_flex(header, numbers, 1000);
    h->n = 1000;
    CHECK_EQ(h->numbers[999], 0);
    table *t = gort_new_flex(table, nodes, 1000);
    gort_set(&t->nodes[999], a);
    CHECK(t->nodes[999] == a);

    node *batch[3];
    gort_new_batch(node, batch, 3);
    CHECK(batch[2]->next == NULL && batch[0] != batch[1]);

    char *bytes = (char *)gort_alloc_noscan(33);
    CHECK_EQ(bytes[32], 0);
    char *any = (char *)gort_alloc_uninit(33);
    any[32] = 1;
    CHECK(any != bytes);
    void **words = (void **)gort_alloc(8 * sizeof(void *));
    gort_set(&words[7], bytes);
    CHECK(words[7] == bytes);
}

TEST(stores)
{
    node *a = gort_new(node), *b = gort_new(node);
    gort_set(&global_node, a);
    CHECK(gort_load(&global_node) == a);
    gort_set(&a->next, b);
    CHECK(a->next == b);
    gort_set(&a->text, "text");
    gort_set(&global_text, a->text);
    CHECK_STR_EQ(global_text, "text");
    gort_set(&global_any, b);
    CHECK(global_any == b);
    gort_set(&global_any, 0);
    gort_set(&global_function, count_call);
    CHECK(global_function == count_call);
    gort_set(&global_function, NULL);
    gort_set(&global_chan, gort_chan_make(int, 1));
    gort_set(&global_chan, NULL);
    CHECK(global_chan == NULL && global_incomplete == NULL);

    CHECK(gort_exchange(&global_node, b) == a);
    node *expected = a;
    CHECK(!gort_compare_exchange(&global_node, &expected, a));
    CHECK(expected == b);
    CHECK(gort_compare_exchange(&global_node, &expected, NULL));
    CHECK(global_node == NULL);

    node two[2] = { { b, "x", 7, { { NULL }, { NULL } } }, { NULL, "y", 8, { { a }, { NULL } } } };
    node *copy = gort_new_array(node, 3);
    gort_copy(node, copy, two, 2);
    gort_copy(node, copy + 1, copy, 2);
    CHECK(copy[1].n == 7 && copy[2].n == 8 && copy[2].word[0].p == a);
    gort_clear(node, copy, 2);
    CHECK(copy[1].next == NULL && copy[1].n == 0 && copy[2].n == 8);
    gort_copy(plain, gort_new(plain), gort_new(plain), 1);
    gort_clear(plain, gort_new(plain), 1);
}

// Each argument is evaluated once, and calls nest in one another's arguments.
TEST(arguments)
{
    node *slots[3] = { NULL, NULL, NULL };
    int i = 0;
    gort_set(&slots[i++], gort_new(node));
    CHECK_EQ(i, 1);
    gort_set(&slots[i++], gort_exchange(&slots[2], gort_exchange(&slots[0], gort_load(&slots[1]))));
    CHECK_EQ(i, 2);
    CHECK(slots[0] == NULL && slots[1] == NULL && slots[2] != NULL);
    gort_chan(int) c = gort_chan_make(int, (size_t)i++);
    CHECK_EQ(i, 3);
    gort_send(c, i++);
    CHECK_EQ(i, 4);
    int v = 0;
    gort_send(c, gort_recv(c, gort_try_recv(c, NULL) == GORT_GOT ? (gort_send(c, 5), &v) : NULL));
    CHECK_EQ(v, 5);
    CHECK(gort_recv(c, &v) && v == 1);
}

static void collect(void *arg)
{
    node *first = gort_new(node);
    for (int i = 0; i < 1000; i++) {
        node *n = gort_new(node);
        n->n = i;
        gort_set(&n->next, first->next);
        gort_set(&first->next, n);
    }
    gort_gc();
    int n = 0;
    for (node *at = first->next; at; at = at->next)
        CHECK_EQ(at->n, 999 - n++);
    CHECK_EQ(n, 1000);
    gort_keep_alive(first);
    (void)arg;
}

static __attribute__((noinline)) void drop_finalized(void)
{
    for (int i = 0; i < 10; i++)
        gort_set_finalizer(gort_new(node), i == 0 ? NULL : count_finalized);
}

static gort_weak *watched[10];

static __attribute__((noinline)) void drop_watched(void)
{
    for (int i = 0; i < 10; i++) {
        node *n = gort_new(node);
        gort_set(&watched[i], gort_weak_make(n));
        CHECK_PTR_EQ(gort_weak_get(watched[i]), n);
        CHECK_PTR_EQ(gort_weak_make(n), watched[i]);
        gort_add_cleanup(n, count_cleaned, NULL);
        gort_cleanup *c = gort_add_cleanup(n, count_cleaned, NULL);
        gort_cleanup_stop(c);
        gort_keep_alive(n);
    }
}

TEST(collector)
{
    gort_stats before, after;
    gort_read_stats(&before);
    collect(NULL);
    gort_read_stats(&after);
    CHECK_GT(after.num_gc, before.num_gc);
    CHECK_GT(after.num_forced_gc, before.num_forced_gc);
    CHECK_GT(after.mallocs, before.mallocs);
    CHECK_GT(after.total_alloc, before.total_alloc);
    CHECK_GE(after.frees, before.frees);
    CHECK(after.heap_sys >= after.heap_alloc && after.heap_goal > 0 && after.stack_sys > 0);
    CHECK(after.heap_live >= after.heap_marked && after.heap_released <= after.heap_sys);
    CHECK(after.meta_sys > 0 && after.gc_cpu_fraction >= 0);
    CHECK(after.pause_total_ns >= after.pause_max_ns && after.pause_max_ns >= after.pause_last_ns);

    int percent = gort_set_gc_percent(50);
    CHECK_EQ(gort_set_gc_percent(percent), 50);
    CHECK(!gort_set_assist_exempt(true));
    CHECK(gort_set_assist_exempt(false));
    int64_t limit = gort_set_memory_limit((int64_t)1 << 40);
    CHECK_EQ(gort_set_memory_limit(limit), (int64_t)1 << 40);
    gort_free_os_memory();

    void **outside = (void **)calloc(4, sizeof(void *));
    gort_root_add(outside, 4 * sizeof(void *));
    gort_set(&outside[3], (void *)gort_new(node));
    gort_gc();
    CHECK_EQ(((node *)outside[3])->n, 0);
    gort_root_remove(outside);
    free(outside);

    // An address left behind on the stack may keep an object, but not nearly all.
    drop_finalized();
    collect_until(&finalized, 5, 9);
}

TEST(watched_objects)
{
    CHECK(gort_weak_make(NULL) == NULL && gort_weak_get(NULL) == NULL);
    gort_cleanup_stop(NULL);
    drop_watched();
    collect_until(&cleaned, 5, 10);
    int gone = 0;
    for (int i = 0; i < 10; i++)
        gone += gort_weak_get(watched[i]) == NULL;
    CHECK_GE(gone, 5);
}

// ---- goroutines, threads, time

static void add_copied(void *args)
{
    leaf *l = (leaf *)args;
    __atomic_fetch_add(&calls, l->a, __ATOMIC_SEQ_CST);
}

static void exits(void *arg)
{
    gort_defer(count_call, NULL);
    (void)arg;
    gort_goexit();
}

static void *foreign(void *arg)
{
    (void)arg;
    CHECK_EQ(gort_goid(), 0);
    CHECK_EQ(gort_thread_attach(), 0);
    CHECK_NE(gort_goid(), 0);
    CHECK_EQ(gort_new(node)->n, 0);
    gort_thread_detach();
    return NULL;
}

TEST(goroutines)
{
    __atomic_store_n(&calls, 0, __ATOMIC_SEQ_CST);
    CHECK_NE(gort_goid(), 0);
    gort_go(count_call, NULL);
    leaf args = { 10, 0 };
    gort_go_copy(add_copied, &args, sizeof args);
    args.a = 1000;
    gort_go_options options = { "named", 1 << 20 };
    gort_go_opt(&options, count_call, NULL);
    gort_go(exits, NULL);
    gort_yield();
    CHECK_GE(gort_num_goroutines(), 1);
    wait_calls(13);

    int procs = gort_max_procs(0);
    CHECK_GE(procs, 1);
    CHECK_EQ(gort_max_procs(procs + 1), procs);
    CHECK_EQ(gort_max_procs(procs), procs + 1);

    CHECK_EQ(gort_set_max_threads(0), 10000);
    CHECK_EQ(gort_set_max_threads(9000), 10000);
    CHECK_EQ(gort_set_max_threads(10000), 9000);

    gort_lock_thread();
    pthread_t self = pthread_self();
    gort_sleep(GORT_MS);
    CHECK(pthread_equal(self, pthread_self()));
    gort_unlock_thread();

    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, foreign, NULL), 0);
    gort_enter_blocking();
    pthread_join(thread, NULL);
    gort_exit_blocking();
    gort_blocking(count_call, NULL);
    wait_calls(14);
}

static int timer_calls;
#define LOADED(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
static void count_timer_call(void *arg)
{
    __atomic_add_fetch((int *)arg, 1, __ATOMIC_RELEASE);
}

TEST(time_and_errno)
{
    CHECK(GORT_US * 1000 == GORT_MS && GORT_MS * 1000 == GORT_S);
    int64_t start = gort_now();
    errno = E2BIG;
    gort_sleep(5 * GORT_MS);
    CHECK_EQ(errno, E2BIG);
    CHECK_GE(gort_now() - start, 5 * GORT_MS);
}

TEST(timers)
{
    int64_t start = gort_now(), value = 0;
    int calls_before = LOADED(&timer_calls);
    CHECK(gort_recv(gort_after(2 * GORT_MS), &value));
    CHECK_GE(value, start + 2 * GORT_MS);
    gort_timer *t = gort_timer_make(1000 * GORT_S);
    gort_chan(int64_t) c = gort_timer_channel(t);
    CHECK_EQ(gort_try_recv(c, &value), GORT_EMPTY);
    CHECK(gort_timer_reset(t, 0));
    CHECK(gort_recv(c, &value));
    CHECK(!gort_timer_stop(t));
    gort_timer *f = gort_timer_func(0, count_timer_call, &timer_calls);
    while (LOADED(&timer_calls) == calls_before)
        gort_sleep(GORT_MS);
    CHECK(!gort_timer_stop(f));
    gort_ticker *k = gort_ticker_make(GORT_MS);
    CHECK(gort_recv(k->c, &value));
    CHECK(gort_timer_reset(k->timer, 2 * GORT_MS));
    CHECK(gort_recv(k->c, NULL));
    gort_ticker_stop(k);
    CHECK(!gort_timer_stop(k->timer));
}

// ---- channels

static void send_ten(void *arg)
{
    gort_chan(int) c = (gort_chan(int))arg;
    for (int i = 0; i < 10; i++)
        gort_send(c, i);
    gort_close(c);
}

TEST(channels)
{
    gort_chan(int) c = gort_chan_make(int, 0);
    gort_go(send_ten, (void *)c);
    int v, n = 0;
    while (gort_recv(c, &v))
        CHECK_EQ(v, n++);
    CHECK_EQ(n, 10);
    CHECK_EQ(v, 0);
    CHECK_EQ(gort_try_recv(c, &v), GORT_CLOSED);

    gort_chan(node *) nodes = gort_chan_make(node *, 2);
    gort_send(nodes, gort_new(node));
    CHECK(gort_try_send(nodes, NULL));
    CHECK(!gort_try_send(nodes, gort_new(node)));
    CHECK_EQ(gort_chan_len(nodes), 2);
    CHECK_EQ(gort_chan_cap(nodes), 2);
    node *got;
    CHECK(gort_recv(nodes, &got) && got->n == 0);
    CHECK(gort_recv(nodes, NULL));
    CHECK_EQ(gort_try_recv(nodes, &got), GORT_EMPTY);

    gort_chan(leaf) leaves = gort_chan_make(leaf, 1);
#ifdef __cplusplus
    gort_send(leaves, { 1, 2 });
#else
    gort_send(leaves, (leaf){ 1, 2 });
#endif
    leaf *out = gort_new(leaf);
    CHECK(gort_recv(leaves, out) && out->b == 2);
    gort_chan(void (*)(void *)) functions = gort_chan_make(void (*)(void *), 1);
    gort_send(functions, count_call);
    gort_chan(const char *) texts = gort_chan_make(const char *, 1);
    gort_send(texts, "text");

    gort_chan(int) none = NULL;
    CHECK_EQ(gort_chan_len(none) + gort_chan_cap(none), 0);
    CHECK(!gort_try_send(none, 1));
    CHECK_EQ(gort_try_recv(none, NULL), GORT_EMPTY);
}

// ---- counters

TEST(counters)
{
    gort_counter *c = gort_counter_make();
    gort_counter_add(c, 3);
    gort_counter_add(c, -5);
    CHECK_EQ(gort_counter_read(c), -2);
}

// ---- concurrent maps

static uint64_t hash_leaf(const leaf *l, uint64_t seed);
static bool same_leaf(const leaf *a, const leaf *b);

TEST(concurrent_maps)
{
    gort_cmap(int64_t, node *) m = gort_cmap_make(int64_t, node *, 10);
    node *a = gort_new(node), *b = gort_new(node), *got = NULL;
    CHECK(!gort_cmap_load(m, 3, &got) && got == NULL);
    gort_cmap_store(m, 3, a);
    CHECK(gort_cmap_load(m, 3, &got) && got == a && gort_cmap_load(m, 3, NULL));
    CHECK(gort_cmap_swap(m, 3, &got, b) && got == a);
    CHECK(gort_cmap_load_or_store(m, 3, &got, a) && got == b);
    CHECK(!gort_cmap_load_or_store(m, 4, &got, a) && got == a);
    CHECK(!gort_cmap_compare_and_swap(m, 3, a, b) && gort_cmap_compare_and_swap(m, 3, b, a));
    CHECK(!gort_cmap_compare_and_delete(m, 3, b) && gort_cmap_compare_and_delete(m, 3, a));
    CHECK_EQ(gort_cmap_len(m), 1);
    int64_t k = 0;
    gort_cmap_iter it = GORT_CMAP_ITER, jt = GORT_CMAP_ITER;
    CHECK(gort_cmap_next(m, &it, &k, &got) && k == 4 && got == a);
    CHECK(!gort_cmap_next(m, &it, &k, &got));
    CHECK(gort_cmap_next(m, &jt, NULL, NULL));
    CHECK(gort_cmap_load_and_delete(m, 4, &got) && got == a);
    CHECK(!gort_cmap_delete(m, 4));
    gort_cmap_store(m, 5, NULL);
    gort_cmap_clear(m);
    CHECK_EQ(gort_cmap_len(m), 0);

    leaf l = { 1, 2 };
    gort_cmap(leaf, double) leaves = gort_cmap_make_typed(leaf, double, 0);
    gort_cmap_store(leaves, l, 0.5);
    gort_cmap(leaf, int) own = gort_cmap_make_own(leaf, int, 0, hash_leaf, same_leaf);
    CHECK(!gort_cmap_load_or_store(own, l, NULL, 7) && gort_cmap_load(own, l, NULL));
    gort_cmap(const char *, leaf) texts = gort_cmap_make(const char *, leaf, 0);
#ifdef __cplusplus
    gort_cmap_store(texts, "a", { 1, 2 });
#else
    gort_cmap_store(texts, "a", (leaf){ 1, 2 });
#endif
    CHECK(gort_cmap_load(texts, "a", &l) && l.b == 2);
    gort_cmap(gort_string, int) strings = gort_cmap_make(gort_string, int, 0);
    gort_cmap_store(strings, gort_str("ab"), 1);
    CHECK(gort_cmap_load(strings, gort_string_sub(gort_str("cab"), 1, 3), NULL));
    gort_cmap(int, int) none = NULL;
    CHECK(gort_cmap_len(none) == 0 && !gort_cmap_delete(none, 1));
}

// ---- maps

static uint64_t hash_leaf(const leaf *key, uint64_t seed)
{
    return gort_hash_bytes(key, sizeof *key, gort_hash_int(1, seed));
}

static bool same_leaf(const leaf *a, const leaf *b)
{
    return a->a == b->a && a->b == b->b;
}

static gort_map(int64_t, node *) global_map;

TEST(maps)
{
    gort_set(&global_map, gort_map_make(int64_t, node *, 10));
    gort_map_put(global_map, 3, gort_new(node));
    gort_map_put(global_map, -1, NULL);
    node *got;
    CHECK(gort_map_get(global_map, 3, &got) && got->n == 0);
    CHECK(!gort_map_get(global_map, 4, &got) && got == NULL);
    CHECK(gort_map_get(global_map, -1, NULL));
    gort_set(gort_map_ref(global_map, 5), gort_new(node));
    CHECK_EQ(gort_map_len(global_map), 3);
    CHECK(gort_map_find(global_map, 6) == NULL && *gort_map_find(global_map, 5) != NULL);
    CHECK(gort_map_delete(global_map, 5) && !gort_map_delete(global_map, 5));
    int64_t k, sum = 0;
    gort_map_iter it = GORT_MAP_ITER, jt = GORT_MAP_ITER;
    while (gort_map_next(global_map, &it, &k, &got))
        sum += k;
    CHECK_EQ(sum, 2);
    CHECK(gort_map_next(global_map, &jt, NULL, NULL));
    gort_map_clear(global_map);
    CHECK(!gort_map_next(global_map, &jt, &k, NULL));

    gort_map(leaf, double) leaves = gort_map_make_typed(leaf, double, 0);
    leaf l = { 1, 2 };
    gort_map_put(leaves, l, 0.5);
    CHECK(*gort_map_find(leaves, l) == 0.5);
    gort_map(leaf, int) own = gort_map_make_own(leaf, int, 0, hash_leaf, same_leaf);
    *gort_map_ref(own, l) += 7;
    CHECK_EQ(*gort_map_find(own, l), 7);
    gort_map(const char *, leaf) texts = gort_map_make(const char *, leaf, 0);
#ifdef __cplusplus
    gort_map_put(texts, "a", { 1, 2 });
#else
    gort_map_put(texts, "a", (leaf){ 1, 2 });
#endif
    CHECK_EQ(gort_map_find(texts, "a")->b, 2);
    gort_map_bytes b = { "abc", 2 };
    gort_map(gort_map_bytes, int) bytes = gort_map_make(gort_map_bytes, int, 0);
    gort_map_put(bytes, b, 1);
    CHECK_EQ(*gort_map_find(bytes, b), 1);
    gort_map(gort_string, int) strings = gort_map_make_typed(gort_string, int, 0);
    gort_map_put(strings, gort_str("abc"), 4);
    CHECK_EQ(*gort_map_find(strings, gort_string_of("abc")), 4);
    gort_map(int, int) none = NULL;
    CHECK(gort_map_len(none) == 0 && !gort_map_delete(none, 1));
}

TEST(selecting)
{
    gort_chan(int) in = gort_chan_make(int, 1);
    gort_chan(node *) out = gort_chan_make(node *, 1);
    gort_chan(int) none = NULL;
    int v = -1;
    node *n = gort_new(node);
    gort_case cases[] = { gort_on_recv(in, &v), gort_on_send(out, &n), gort_on_recv(none, NULL) };
    CHECK_EQ(gort_select(cases, 3), 1);
    CHECK_EQ(gort_select_try(cases, 3), -1);
    CHECK_EQ(gort_select_until(cases, 3, gort_now() + GORT_MS), -1);
    CHECK_EQ(v, -1);
    gort_send(in, 3);
    CHECK_EQ(gort_select(cases, 3), 0);
    CHECK(cases[0].ok && v == 3);
    gort_close(in);
    CHECK_EQ(gort_select_until(cases, 3, gort_now() + GORT_S), 0);
    CHECK(!cases[0].ok && v == 0);
    cases[0] = gort_on_recv(out, &n);
    CHECK_EQ(gort_select_try(cases, 1), 0);
}

// ---- sync

static struct {
    gort_mutex mutex;
    gort_rwmutex rwmutex;
    gort_cond cond;
    gort_once once;
    gort_waitgroup group;
    gort_sema sema;
    int value;         // under mutex
    int written, read; // under rwmutex
} shared;

static void locks(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        gort_mutex_lock(&shared.mutex);
        shared.value++;
        gort_mutex_unlock(&shared.mutex);
        gort_rwmutex_rlock(&shared.rwmutex);
        CHECK_EQ(shared.written, shared.read);
        gort_rwmutex_runlock(&shared.rwmutex);
        gort_rwmutex_lock(&shared.rwmutex);
        shared.written++;
        gort_yield();
        shared.read++;
        gort_rwmutex_unlock(&shared.rwmutex);
    }
    gort_once_do(&shared.once, count_call, NULL);
    gort_waitgroup_done(&shared.group);
}

static void waits(void *arg)
{
    (void)arg;
    gort_mutex_lock(&shared.mutex);
    while (shared.value >= 0)
        gort_cond_wait(&shared.cond, &shared.mutex);
    gort_mutex_unlock(&shared.mutex);
    gort_sema_release(&shared.sema);
}

TEST(synchronization)
{
    __atomic_store_n(&calls, 0, __ATOMIC_SEQ_CST);
    gort_waitgroup_add(&shared.group, 4);
    for (int i = 0; i < 4; i++)
        gort_go(locks, NULL);
    gort_waitgroup_wait(&shared.group);
    CHECK_EQ(shared.value, 400);
    CHECK_EQ(shared.written, 400);
    CHECK_EQ(calls_made(), 1);

    CHECK(gort_mutex_trylock(&shared.mutex));
    CHECK(!gort_mutex_trylock(&shared.mutex));
    gort_mutex_unlock(&shared.mutex);

    gort_sema_init(&shared.sema, 1);
    gort_sema_acquire(&shared.sema);
    for (int i = 0; i < 3; i++)
        gort_go(waits, NULL);
    gort_sleep(GORT_MS);
    gort_mutex_lock(&shared.mutex);
    shared.value = -1;
    gort_cond_signal(&shared.cond);
    gort_mutex_unlock(&shared.mutex);
    gort_cond_broadcast(&shared.cond);
    for (int i = 0; i < 3; i++)
        gort_sema_acquire(&shared.sema);
}

// ---- panics

static void panics(void *arg)
{
    gort_defer(count_call, NULL);
    gort_panic("no %s, %d", (const char *)arg, 7);
}

TEST(panic_and_defer)
{
    __atomic_store_n(&calls, 0, __ATOMIC_SEQ_CST);
    gort_panic_info info;
    char word[] = "luck";
    CHECK(gort_try(panics, word, &info));
    CHECK_STR_EQ(info.message, "no luck, 7");
    CHECK_EQ(calls_made(), 1);
    CHECK(!gort_try(count_call, NULL, NULL));
    CHECK_EQ(calls_made(), 2);
}

static void recovers(void *arg)
{
    gort_panic_info info;
    CHECK(gort_panicking(NULL));
    CHECK(gort_recover(&info));
    CHECK_STR_EQ(info.message, "4 of 5");
    CHECK(gort_panic_value() == arg);
}

static void panics_with(void *arg)
{
    gort_scoped_defer(recovers, arg);
    gort_panic_with(arg, "%d of %d", 4, 5);
}

static void panics_again(void *arg)
{
    gort_panic_info info;
    CHECK(gort_try(panics, arg, &info));
    gort_repanic(&info);
}

TEST(recovering)
{
    char word[] = "end";
    gort_panic_info info;
    CHECK(!gort_try(panics_with, gort_new(leaf), &info));
    CHECK(gort_panic_value() != NULL);
    CHECK(gort_try(panics_again, word, &info));
    CHECK_STR_EQ(info.message, "no end, 7");
    CHECK(!gort_set_panic_on_fault(true));
    CHECK(gort_set_panic_on_fault(false));
}

// ---- network

static void echo_once(void *arg)
{
    int fd = gort_accept(*(int *)arg);
    CHECK_GE(fd, 0);
    char buf[16];
    ssize_t n;
    while ((n = gort_read(fd, buf, sizeof buf)) > 0)
        CHECK_EQ(gort_write(fd, buf, (size_t)n), n);
    CHECK_EQ(n, 0);
    CHECK_EQ(gort_wait_fd(fd, true, 0), 0);
    CHECK_EQ(gort_close_fd(fd), 0);
    gort_sema_release(&shared.sema);
}

static void check_deadline(int fd) // a listening one
{
    CHECK_EQ(gort_set_deadline(fd, gort_now() + GORT_MS, 0), 0);
    errno = 0;
    CHECK_EQ(gort_accept(fd), -1);
    CHECK_EQ(errno, ETIMEDOUT);
    CHECK_EQ(gort_set_deadline(fd, 0, 0), 0);
}

TEST(signals)
{
    gort_signal_channel c = gort_chan_make(int, 1);
    int sig = 0;
    CHECK_EQ(gort_signal_notify(c, SIGUSR1), 0);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK(gort_recv(c, &sig));
    CHECK_EQ(sig, SIGUSR1);
    gort_signal_stop(c);
}

TEST(datagrams)
{
    char address[64], byte = 0;
    int server = gort_listen("udp", "127.0.0.1:0");
    CHECK_GT(gort_local_addr(server, address, sizeof address), 0);
    int fd = gort_dial("udp", address, 0);
    CHECK_EQ(gort_sendto(fd, "x", 1, NULL, 0), 1);
    CHECK_EQ(gort_recvfrom(server, &byte, 1, NULL, NULL), 1);
    CHECK_EQ(byte, 'x');
    CHECK_EQ(gort_close_fd(fd), 0);
    CHECK_EQ(gort_close_fd(server), 0);
}

TEST(network)
{
    int listener = gort_listen("tcp", "127.0.0.1:0");
    CHECK_GE(listener, 0);
    char address[64];
    CHECK_GT(gort_local_addr(listener, address, sizeof address), 0);
    gort_go(echo_once, &listener);
    int fd = gort_dial("tcp", address, gort_now() + 100 * GORT_S);
    CHECK_GE(fd, 0);
    CHECK_EQ(gort_write(fd, "hello", 5), 5);
    char buf[8];
    size_t got = 0;
    while (got < 5) {
        ssize_t n = gort_read(fd, buf + got, sizeof buf - got);
        CHECK_GT(n, 0);
        got += (size_t)n;
    }
    CHECK_EQ(memcmp(buf, "hello", 5), 0);
    check_deadline(listener);
    CHECK_EQ(gort_close_fd(fd), 0);
    gort_sema_acquire(&shared.sema);
    CHECK_EQ(gort_close_fd(listener), 0);
    CHECK_EQ(gort_close_fd(-1), -1);
    CHECK_EQ(errno, EBADF);
}

// ---- contexts

static void *make_leaf(void *arg)
{
    (void)arg;
    return gort_new(leaf);
}

static void sleep_long(void *arg)
{
    (void)arg;
    CHECK(gort_context_current() != NULL);
    gort_sleep(1000 * GORT_S);
}

static int give_seven(void *arg)
{
    (void)arg;
    return 7;
}

TEST(contexts)
{
    static int key;
    gort_context *c = gort_context_make(NULL), *d = gort_context_until(c, gort_now() + GORT_MS);
    gort_context *e = gort_context_with(d, &key, &key);
    CHECK(gort_context_value(e, &key) == &key);
    CHECK_GT(gort_context_deadline(e), 0);
    gort_context_channel done = gort_context_done(e);
    CHECK_EQ(gort_context_run(e, sleep_long, NULL), ETIMEDOUT);
    CHECK(!gort_recv(done, NULL));
    gort_context_cancel(c, 0);
    CHECK_EQ(gort_context_error(c), ECANCELED);
    gort_scope *s = gort_scope_make(NULL);
    gort_scope_go(s, give_seven, NULL);
    CHECK_EQ(gort_context_deadline(gort_scope_context(s)), 0);
    CHECK_EQ(gort_scope_wait(s), 7);
    gort_local_set(&key, &key);
    CHECK(gort_local_get(&key) == &key);
    gort_local_set(&key, NULL);
    CHECK(gort_local_get(&key) == NULL);
    gort_pool *p = gort_pool_make(make_leaf, NULL);
    gort_pool_put(p, gort_pool_get(p));
}

// ---- metrics

TEST(metrics)
{
    const gort_metric *all;
    size_t n = gort_metrics(&all);
    CHECK_GT(n, 0);
    int histograms = 0;
    for (size_t i = 0; i < n; i++) {
        CHECK(all[i].name[0] == '/' && all[i].unit[0] && all[i].description[0]);
        double value = -1;
        CHECK_EQ(gort_metric_read(all[i].name, &value), 0);
        const double *bounds;
        const uint64_t *counts;
        size_t buckets;
        int is_histogram = gort_metric_histogram(all[i].name, &bounds, &counts, &buckets) == 0;
        CHECK_EQ(is_histogram, all[i].kind == GORT_METRIC_HISTOGRAM);
        histograms += is_histogram;
        for (size_t b = 0; is_histogram && b < buckets; b++)
            CHECK(bounds[b] < bounds[b + 1] && counts[b] <= UINT64_MAX / 2);
    }
    CHECK_GT(histograms, 0);
    double untouched = 3;
    CHECK_EQ(gort_metric_read("/no/such:thing", &untouched), -1);
    CHECK(untouched > 2);
}

// ---- slices

typedef gort_slice(int) ints;
typedef gort_slice(node) nodes;

static ints global_ints;

static int by_value(const int *a, const int *b)
{
    return (*a > *b) - (*a < *b);
}

static int by_number(const node *a, const node *b)
{
    return (a->n > b->n) - (a->n < b->n);
}

static bool is_number(const node *n, void *number)
{
    return n->n == *(int *)number;
}

TEST(slices)
{
    static const int more[] = { 5, 3, 4 };
    ints s = gort_slice_make(ints, int, 0, 2);
    CHECK(s.ptr != NULL && s.len == 0 && s.cap == 2);
    gort_slice_append(int, &s, 2);
    gort_slice_append_n(int, &s, more, 3);
    gort_slice_insert(int, &s, 0, more, 1); // 5 2 5 3 4
    gort_slice_delete(int, &s, 0, 1);
    CHECK_EQ(s.len, 4);
    CHECK_EQ(gort_slice_index(s, 3), 2);
    gort_slice_sort(s);
    gort_slice_sort_func(int, s, by_value);
    gort_slice_sort_stable(int, s, by_value);
    bool found;
    CHECK_EQ(gort_slice_search(s, &more[1], by_value, &found), 1);
    CHECK(found);
    gort_slice_at(s, 0) = 7;
    CHECK_EQ(gort_slice_at(s, 0), 7);
    ints part = gort_slice_sub(s, 1, 3), three = gort_slice_sub3(s, 1, 3, 4);
    CHECK(part.len == 2 && part.cap == s.cap - 1 && three.cap == 3);
    CHECK_EQ(gort_slice_clip(part).cap, 2);
    CHECK_EQ(gort_slice_copy(int, part, three), 2);
    ints clone = gort_slice_clone(int, s);
    CHECK(clone.ptr != s.ptr && clone.len == s.len);
    gort_slice_append_slice(int, &clone, s);
    gort_slice_grow(int, &clone, 100);
    CHECK(clone.len == 8 && clone.cap >= 108);
    gort_slice_set(&global_ints, clone);
    CHECK_EQ(global_ints.len, 8);
}

TEST(slices_of_structs)
{
    nodes s = { NULL, 0, 0 };
    for (int i = 0; i < 100; i++) {
        node n = { NULL, "x", 99 - i, { { NULL }, { NULL } } };
        gort_slice_append(node, &s, n);
        gort_set(&gort_slice_at(s, i).next, gort_new(node));
    }
    gort_slice_sort_func(node, s, by_number);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(s.ptr[i].n, i);
    int n = 42;
    CHECK_EQ(gort_slice_index_func(s, is_number, &n), 42);
}

// ---- strings

static gort_string global_string;

static gort_string format_by_list(const char *format, ...) GORT_PRINTF(1, 2);
static gort_string format_by_list(const char *format, ...)
{
    va_list args;
    gort_builder b = { NULL, 0, 0 };
    va_start(args, format);
    gort_builder_format_list(&b, format, args);
    va_end(args);
    va_start(args, format);
    gort_string s = gort_format_list(format, args);
    va_end(args);
    CHECK(gort_string_equal(s, gort_builder_string(&b)));
    return s;
}

TEST(strings)
{
    gort_string s = gort_string_from("one two"), t = gort_string_make("one two", 7);
    CHECK(gort_string_equal(s, t) && gort_string_compare(s, t) == 0);
    CHECK_STR_EQ(gort_string_to_c(s), "one two");
    CHECK(gort_string_has_prefix(s, gort_str("one")) && gort_string_has_suffix(s, gort_str("two")));
    CHECK_EQ(gort_string_at(s, 4), 't');
    gort_string_set(&global_string, gort_string_sub(s, 4, 7));
    CHECK(gort_string_equal(global_string, gort_string_of("two")));
    CHECK_EQ(gort_string_index(s, gort_str("o")), 0);
    CHECK_EQ(gort_string_last_index(s, gort_str("o")), 6);
    CHECK_EQ(gort_string_index_byte(s, 't'), 4);
    CHECK_EQ(gort_string_count(s, gort_str("o")), 2);
    CHECK(gort_string_contains(s, gort_str(" ")));
    gort_strings parts = gort_string_split(s, gort_str(" "));
    CHECK_EQ(parts.len, 2);
    CHECK_EQ(gort_string_split_n(s, gort_str(" "), 1).len, 1);
    CHECK_EQ(gort_string_fields(s).len, 2);
    CHECK_EQ(gort_slice_at(parts, 0).len, 3);
    CHECK_EQ(gort_string_trim_space(gort_str(" x ")).len, 1);
    gort_string before, after;
    CHECK(gort_string_cut(s, gort_str(" "), &before, &after));
    CHECK(gort_string_equal(gort_string_concat(before, after), gort_str("onetwo")));
    CHECK(gort_string_equal(gort_string_join(parts.ptr, parts.len, gort_str(" ")), s));
    CHECK_EQ(gort_string_repeat(s, 3).len, 21);
    CHECK_EQ(gort_string_replace(s, gort_str("o"), gort_str(""), -1).len, 5);
    CHECK_PTR_EQ(gort_string_intern(s).ptr, gort_string_intern(t).ptr);
}

TEST(runes_and_builders)
{
    char bytes[4];
    int size;
    gort_rune r;
    size_t at = 0;
    gort_builder b = { NULL, 0, 0 };
    CHECK_EQ(gort_rune_encode(bytes, 0x20ac), 3);
    CHECK_EQ(gort_rune_len(0x20ac), 3);
    CHECK_EQ(gort_rune_decode(bytes, 3, &size), 0x20ac);
    gort_builder_grow(&b, 10);
    gort_builder_rune(&b, 0x20ac);
    gort_builder_byte(&b, '!');
    gort_builder_write(&b, "ab", 2);
    gort_builder_add(&b, gort_str("c"));
    gort_builder_format(&b, "%d", 42);
    gort_string s = gort_builder_string(&b);
    CHECK_EQ(s.len, 9);
    CHECK(gort_string_valid(s) && gort_string_rune_count(s) == 7);
    CHECK(gort_string_next(s, &at, &r) && r == 0x20ac && at == 3);
    gort_builder_reset(&b);
    CHECK_EQ(b.len, 0);
    CHECK(gort_string_equal(gort_format("%.*s", GORT_STRING_ARGS(s)), s));
    CHECK_EQ(format_by_list("%s %d", "nine", 9).len, 6);
}

// ---- described types

typedef struct spot {
    short x;
    double y;
    const char *label;
    struct spot *next;
    gort_any tag;
    void (*call)(int);
    int grid[2][2];
    struct spot *near_ones[3];
} spot;
typedef gort_slice(spot) spots;
typedef gort_map(int, spot) spot_map;
typedef gort_chan(spot) spot_chan;
typedef spot *spot_ref;
typedef struct spot_set {
    spots all;
    spot_map by_number;
    spot_chan queue;
    spot first;
} spot_set;
GORT_FORWARD(spot);
GORT_SLICE(spots, spot);
GORT_STRUCT(spot, x, y, label, (next, spot), tag, (call, gort_func), grid, (near_ones, spot));
GORT_MAP(spot_map, int, spot);
GORT_CHAN(spot_chan, spot);
GORT_POINTER(spot_ref, spot);
GORT_STRUCT(spot_set, (all, spots), (by_number, spot_map), (queue, spot_chan), (first, spot));

TEST(described_types)
{
    const struct gort_type *t = gort_type_of(spot_set);
    char name[32];
    CHECK_STR_EQ(gort_reflect_name(t, name, sizeof name), "spot_set");
    CHECK(t->kind == GORT_KIND_STRUCT && t->count == 4);
    const struct gort_field *f = gort_reflect_field(t, "by_number");
    CHECK(f != NULL && f->type->kind == GORT_KIND_MAP && f->type->key->kind == GORT_KIND_INT32);
    CHECK(gort_reflect_same(f->type->elem, gort_type_of(spot)));
    CHECK(gort_reflect_same(gort_type_of(spots)->elem, gort_type_of(spot_ref)->elem));
    CHECK(gort_reflect_same(gort_type_of(spot_chan)->elem, gort_type_of(spot)));
    f = gort_reflect_field(gort_type_of(spot), "near_ones");
    CHECK(f->type->kind == GORT_KIND_ARRAY && f->type->count == 3);
    CHECK_EQ(gort_reflect_field(gort_type_of(spot), "call")->type->kind, GORT_KIND_FUNC);
    CHECK_EQ(gort_reflect_field(gort_type_of(spot), "grid")->type->count, 4);
    CHECK_EQ(gort_reflect_field(gort_type_of(spot), "label")->type->kind, GORT_KIND_CSTRING);
    CHECK_EQ(gort_reflect_field(gort_type_of(spot), "x")->type->kind, GORT_KIND_INT16);
    CHECK_EQ(sizeof(gort_func), 1);
}

TEST(described_values)
{
    spot *a = gort_new(spot), *b = gort_new(spot);
    a->y = 0.0;
    b->y = -0.0;
    a->label = "label";
    b->label = gort_string_to_c(gort_str("label"));
    CHECK(!gort_reflect_comparable(gort_type_of(spot_set)));
    CHECK(gort_reflect_comparable(gort_type_of(spot)));
    CHECK(gort_value_equal(gort_type_of(spot), a, b) && gort_equal_of_spot(a, b));
    CHECK_EQ(gort_value_hash(gort_type_of(spot), a, 1), gort_hash_of_spot(b, 1));
    gort_map(spot, int) m = gort_map_make_described(spot, int, 10);
    gort_map_put(m, *a, 3);
    CHECK_EQ(*gort_map_find(m, *b), 3);
    gort_builder text = { NULL, 0, 0 };
    gort_builder_value(&text, gort_type_of(spot), a);
    CHECK(gort_string_equal(gort_builder_string(&text),
                            gort_str("{x:0 y:0 label:\"label\" next:NULL tag:nil call:NULL "
                                     "grid:[0 0 0 0] near_ones:[NULL NULL NULL]}")));
    gort_layout l;
    unsigned order[8];
    gort_reflect_layout(gort_type_of(spot), &l);
    gort_reflect_best_order(gort_type_of(spot), order);
    CHECK(l.size == sizeof(spot) && l.best_size <= l.size && order[0] != 0);
    gort_builder_reset(&text);
    gort_builder_layout(&text, gort_type_of(spot));
    CHECK_GT(text.len, 0);
    int null = open("/dev/null", O_WRONLY);
    CHECK_EQ(gort_print_value(null, gort_type_of(spot), a), 0);
    CHECK_EQ(gort_print_layout(null, gort_type_of(spot)), 0);
    close(null);
}

TEST(any_values)
{
    spot *s = gort_new(spot);
    gort_any a = gort_any_make(int, 42), p = gort_any_make(spot_ref, s);
    int i = 0;
    double d = 0;
    CHECK_EQ(gort_any_get(int, a), 42);
    CHECK(gort_any_is(int, a) && !gort_any_is(double, a) && !gort_any_as(double, a, &d));
    CHECK(gort_any_as(int, a, &i) && i == 42);
    CHECK(gort_any_convert(double, a, &d) && d > 41 && d < 43);
    CHECK_EQ(*(const int *)gort_any_address(&a), 42);
    CHECK(gort_any_equal(a, gort_any_make(int, 42)) && !gort_any_equal(a, p));
    CHECK_EQ(gort_any_hash(a, 1), gort_any_hash(gort_any_make(int, 42), 1));
    gort_any_set(&s->tag, a);
    gort_field_set(gort_type_of(spot), s, "next", p);
    CHECK(s->next == s && gort_any_get(int, gort_field_get(gort_type_of(spot), s, "tag")) == 42);
    gort_map(gort_any, int) m =
        gort_map_make_own(gort_any, int, 0, gort_any_hash_of, gort_any_equal_of);
    gort_map_put(m, a, 5);
    const int *found = gort_map_find(m, a);
    CHECK_EQ(*found, 5);
}

// ---- inspection

TEST(inspection)
{
    gort_machine m;
    gort_read_machine(&m);
    CHECK_EQ(m.procs, gort_max_procs(0));
    int null = open("/dev/null", O_WRONLY);
    CHECK_EQ(gort_goroutines_write(null), 0);
    CHECK_GE(gort_goroutines_leaked(null), -1);
    close(null);
}

// ---- the memory profile

TEST(memory_profile)
{
    int64_t rate = gort_set_mem_profile_rate(4096);
    CHECK_GE(rate, 0);
    for (int i = 0; i < 1000; i++) {
        char *x = (char *)gort_alloc(100);
        CHECK_EQ(x[99], 0);
    }
    gort_gc();
    int null = open("/dev/null", O_WRONLY);
    CHECK_EQ(gort_mem_profile_write(null), 0);
    close(null);
    CHECK_EQ(gort_mem_profile_write(-1), -1);
    CHECK_EQ(gort_set_mem_profile_rate(rate), 4096);
    CHECK_EQ(gort_set_mem_profile_rate(-1), rate);
}

static int gort_main(int argc, char **argv)
{
    CHECK(argc >= 1 && argv[0] != NULL);
    RUN(allocation);
    RUN(stores);
    RUN(arguments);
    RUN(time_and_errno);
    RUN(timers);
    RUN(goroutines);
    RUN(channels);
    RUN(counters);
    RUN(concurrent_maps);
    RUN(maps);
    RUN(selecting);
    RUN(synchronization);
    RUN(panic_and_defer);
    RUN(recovering);
    RUN(signals);
    RUN(datagrams);
    RUN(network);
    RUN(contexts);
    RUN(metrics);
    RUN(slices);
    RUN(slices_of_structs);
    RUN(strings);
    RUN(runes_and_builders);
    RUN(described_types);
    RUN(described_values);
    RUN(any_values);
    RUN(inspection);
    RUN(memory_profile);
    RUN(collector);
    RUN(watched_objects);
    return 42;
}

int main(int argc, char **argv)
{
    RUN(descriptors);
    return gort_run(gort_main, argc, argv) == 42 ? 0 : 1;
}
