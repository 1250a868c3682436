// What reaches an object keeps it, wherever the pointer lies; what nothing reaches is reclaimed.
// TEST timeout=120 notmodes=efence,gcefence,determ
// SPDX-License-Identifier: BSD-3-Clause
#include <pthread.h>

#include "gc_util.h"

typedef struct holder {
    witness *w;
    struct holder *next;
} holder;
GORT_TYPE(holder, w, next);

// ---- places -------------------------------------------------------------------------------------

enum { EACH = 100 };

static witness *in_bss[EACH];
static witness *in_data[EACH] = { (witness *)16 };
static __thread witness *in_tls[4];
static witness *interior[EACH];
static holder *heap_list;
static void **registered;

static void fill_globals(void *base)
{
    uint32_t id = (uint32_t)(uintptr_t)base;
    for (uint32_t i = 0; i < EACH; i++) {
        gort_set(&in_bss[i], witness_new(id + i));
        gort_set(&in_data[i], witness_new(id + EACH + i));
        witness *w = witness_new(id + 2 * EACH + i);
        gort_set(&interior[i], (witness *)((char *)w + 1 + i % 15)); // anywhere inside
    }
}

static void globals_keep(void)
{
    witness_reset();
    on_goroutine(fill_globals, (void *)0);
    collect_until(0);
    CHECK_EQ(witness_deaths, 0);
    for (uint32_t i = 0; i < EACH; i++) {
        CHECK_EQ(in_bss[i]->id, i);
        CHECK_EQ(in_data[i]->id, EACH + i);
    }
    memset(in_bss, 0, sizeof in_bss);
    memset(in_data, 0, sizeof in_data);
    memset(interior, 0, sizeof interior);
    collect_until(3 * EACH);
    CHECK_NEARLY_ALL(witness_deaths, 3 * EACH);
    for (uint32_t i = 0; i < 3 * EACH; i++)
        CHECK_LE(witness_dead[i], 1); // finalized once at most
}

static void fill_list(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 1000; i++) {
        holder *h = gort_new(holder);
        gort_init(&h->w, witness_new(i));
        gort_init(&h->next, heap_list);
        gort_set(&heap_list, h);
    }
}

static void lists_keep(void)
{
    witness_reset();
    on_goroutine(fill_list, NULL);
    collect_until(0);
    CHECK_EQ(witness_deaths, 0);
    uint32_t n = 0;
    for (holder *h = heap_list; h != NULL; h = h->next, n++)
        CHECK_EQ(h->w->id, 999 - n);
    CHECK_EQ(n, 1000);
    // Cut in the middle: the rest dies.
    holder *h = heap_list;
    for (int i = 0; i < 499; i++)
        h = h->next;
    gort_set(&h->next, (holder *)NULL);
    h = NULL;
    collect_until(500);
    CHECK_NEARLY_ALL(witness_deaths, 500);
    CHECK_LE(witness_deaths, 500);
    for (uint32_t i = 500; i < 1000; i++)
        CHECK_EQ(witness_dead[i], 0);
    gort_set(&heap_list, (holder *)NULL);
    collect_until(1000);
    CHECK_NEARLY_ALL(witness_deaths, 1000);
}

static void circle(void *unused)
{
    (void)unused;
    // Garbage that points in a circle is reclaimed; witnesses hang on it, outside the circle.
    for (uint32_t i = 0; i < 500; i++) {
        holder *a = gort_new(holder), *b = gort_new(holder);
        gort_set(&a->next, b);
        gort_set(&b->next, a);
        gort_set(&a->w, witness_new(i));
    }
}

static void circles_die(void)
{
    witness_reset();
    on_goroutine(circle, NULL);
    collect_until(500);
    CHECK_NEARLY_ALL(witness_deaths, 500);
}

static void fill_registered(void *n)
{
    for (uint32_t i = 0; i < (uint32_t)(uintptr_t)n; i++)
        registered[i] = witness_new(i);
}

static void registered_ranges_keep(void)
{
    enum { N = 64 };
    witness_reset();
    registered = calloc(N, sizeof *registered); // not collected, not scanned
    gort_root_add(registered, N * sizeof *registered);
    on_goroutine(fill_registered, (void *)N);
    collect_until(0);
    CHECK_EQ(witness_deaths, 0);
    gort_root_remove(registered);
    collect_until(N);
    CHECK_NEARLY_ALL(witness_deaths, N);
    free(registered);
}

static void many_ranges(void)
{
    enum { N = 2000 };
    char *p = malloc(N);
    for (int i = 0; i < N; i++)
        gort_root_add(p + i, 0);
    for (int i = 0; i < N; i += 2)
        gort_root_remove(p + i);
    gort_gc();
    for (int i = 1; i < N; i += 2)
        gort_root_remove(p + i);
    free(p);
}

// By way of frames that scrub_stack overwrites.
__attribute__((noinline)) static void fill_four(int depth)
{
    if (depth < 40)
        fill_four(depth + 1);
    else
        for (uint32_t i = 0; i < 4; i++)
            in_tls[i] = witness_new(i);
    __asm__ volatile("" : : : "memory");
}

static void fill_tls(void *unused)
{
    (void)unused;
    gort_lock_thread();
    fill_four(0);
    collect_until(0);
    for (int i = 0; i < 20; i++) {
        scrub_stack();
        gort_gc();
        gort_sleep(GORT_MS); // the finalizers' turn, if it came to that
    }
    CHECK_EQ(witness_deaths, 0);
    for (uint32_t i = 0; i < 4; i++)
        CHECK_EQ(in_tls[i]->id, i);
    memset(in_tls, 0, sizeof in_tls);
    gort_unlock_thread();
}

static void thread_locals_keep(void)
{
    witness_reset();
    on_goroutine(fill_tls, NULL);
    collect_until(4);
    CHECK_NEARLY_ALL(witness_deaths, 4);
}

// ---- stacks -------------------------------------------------------------------------------------

static void stacks_keep(void)
{
    witness_reset();
    witness *w[50];
    for (uint32_t i = 0; i < 50; i++)
        w[i] = witness_new(i);
    collect_until(0);
    CHECK_EQ(witness_deaths, 0);
    for (uint32_t i = 0; i < 50; i++)
        CHECK_EQ(w[i]->id, i);
}

// The only reference is one past the end of the last element, as a loop that runs down has it.
static void past_the_end_keeps(void)
{
    static const size_t sizes[] = { 16, 32, 48, 64, 512, 1024, 8192, 32768, 65536, 1 << 20 };
    for (unsigned k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        char *p = gort_alloc_noscan(sizes[k]);
        memset(p, 0x77, sizes[k]);
        p += sizes[k];
        __asm__ volatile("" : "+r"(p));
        for (int i = 0; i < 3; i++) {
            gort_gc();
            for (int j = 0; j < 100; j++) { // would be given the slot
                char *q = gort_alloc_noscan(sizes[k]);
                q[0] = 1;
            }
        }
        for (size_t i = 0; i < sizes[k]; i++)
            CHECK_EQ(*--p, 0x77);
    }
}

static gort_chan(int) meet, answer;

static gort_waitgroup blocked;

static void parked(void *unused)
{
    (void)unused;
    witness *w = witness_new((uint32_t)gort_goid() % 1000);
    uint32_t id = w->id;
    int v;
    gort_recv(meet, &v);
    CHECK_EQ(w->id, id);
    gort_send(answer, (int)w->id);
}

static void parked_goroutines_keep(void)
{
    enum { N = 200 };
    witness_reset();
    gort_set(&meet, gort_chan_make(int, 0));
    gort_set(&answer, gort_chan_make(int, 0));
    for (int i = 0; i < N; i++)
        gort_go(parked, NULL);
    gort_sleep(5 * GORT_MS);
    for (int i = 0; i < 3; i++)
        gort_gc();
    CHECK_EQ(witness_deaths, 0);
    for (int i = 0; i < N; i++) {
        int v;
        gort_send(meet, i);
        gort_recv(answer, &v);
    }
}

// ---- goroutines that do not run now, or not as goroutines ---------------------------------------

static uint32_t args_whole; // atomic

static void check_arg(void *arg)
{
    holder *h = arg;
    CHECK(h->next == h && h->w == NULL);
    __atomic_fetch_add(&args_whole, 1, __ATOMIC_RELAXED);
}

__attribute__((noinline)) static void start_with_args(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        holder *h = gort_new(holder);
        gort_init(&h->next, h);
        gort_go(check_arg, h);
    }
}

static void arguments_keep(void)
{
    enum { N = 300 };
    start_with_args(N);
    scrub_stack();
    for (int i = 0; i < 3; i++) {
        gort_gc();
        for (int k = 0; k < 5000; k++)
            gort_keep_alive(gort_new(holder)); // would be given their slots, with other contents
    }
    while (__atomic_load_n(&args_whole, __ATOMIC_RELAXED) < N)
        gort_sleep(GORT_MS);
}

static int pipe_ends[2];

static void read_pipe(void *out)
{
    while (read(pipe_ends[0], out, 1) < 0)
        continue;
}

// The pointers are in the frame, and in registers, of a function that blocks its thread.
static void block(void *declared)
{
    char byte;
    witness *a = witness_new(1), *b = witness_new(2), *c = witness_new(3);
    if (declared) {
        gort_enter_blocking();
        read_pipe(&byte);
        gort_exit_blocking();
    } else {
        gort_blocking(read_pipe, &byte);
    }
    CHECK(a->id == 1 && b->id == 2 && c->id == 3);
    gort_waitgroup_done(&blocked);
}

static void blocking_goroutines_keep(void)
{
    enum { N = 6 };
    CHECK_EQ(pipe(pipe_ends), 0);
    witness_reset();
    gort_waitgroup_add(&blocked, N);
    for (uintptr_t i = 0; i < N; i++)
        gort_go(block, (void *)(i % 2));
    gort_sleep(20 * GORT_MS);
    for (int i = 0; i < 4; i++) {
        gort_gc();
        for (int k = 0; k < 1000; k++)
            gort_keep_alive(gort_new(witness)); // would be given their slots
    }
    CHECK_EQ(witness_deaths, 0);
    CHECK_EQ(write(pipe_ends[1], "123456", N), N);
    gort_waitgroup_wait(&blocked);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void *foreign(void *unused)
{
    CHECK_EQ(gort_thread_attach(), 0);
    holder *list = NULL;
    for (uint32_t i = 0; i < 2000; i++) {
        holder *h = gort_new(holder);
        gort_init(&h->w, witness_new(i));
        gort_init(&h->next, list);
        list = h;
        in_tls[0] = h->w;
        if (i % 400 == 0) gort_gc();
    }
    for (uint32_t i = 2000; i-- > 0; list = list->next)
        CHECK_EQ(list->w->id, i);
    CHECK_EQ(in_tls[0]->id, 1999);
    gort_thread_detach();
    return unused;
}

static void attached_threads_keep(void)
{
    pthread_t t[3];
    witness_reset();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, foreign, NULL), 0);
    for (int i = 0; i < 10; i++) {
        gort_gc();
        gort_sleep(GORT_MS);
    }
    gort_enter_blocking();
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    gort_exit_blocking();
}

// ---- stores -------------------------------------------------------------------------------------

static void stores_move_references(void)
{
    enum { N = 5000 }; // more than one piece of gort_copy
    witness_reset();
    holder *a = gort_new_array(holder, N), *b = gort_new_array(holder, N);
    for (uint32_t i = 0; i < N; i++)
        gort_set(&a[i].w, witness_new(i));
    gort_copy(holder, b, a, N);
    gort_clear(holder, a, N);
    gort_copy(holder, b + 1, b, N - 1); // overlaps, upwards
    collect_until(0);
    CHECK_EQ(witness_dead[N - 2], 0);
    for (uint32_t i = 1; i < N; i++)
        CHECK_EQ(b[i].w->id, i - 1);
    gort_copy(holder, b, b + 1, N - 1); // downwards
    for (uint32_t i = 0; i < N - 1; i++)
        CHECK_EQ(b[i].w->id, i);
    for (uint32_t i = 0; i < N; i++)
        CHECK(a[i].w == NULL && a[i].next == NULL);
    witness *w = gort_exchange(&b[0].w, (witness *)NULL);
    CHECK_EQ(w->id, 0);
    witness *expected = w;
    CHECK(!gort_compare_exchange(&b[1].w, &expected, w));
    CHECK_EQ(expected->id, 1);
    CHECK(gort_compare_exchange(&b[1].w, &expected, w));
    CHECK_EQ(gort_load(&b[1].w)->id, 0);
}

// ---- memory comes back --------------------------------------------------------------------------

static void make_garbage(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20000; i++) {
        holder *h = gort_new(holder);
        gort_init(&h->next, h);
        char *p = gort_alloc_noscan(1 + (size_t)i % 5000);
        p[0] = 1;
    }
}

static void memory_is_reused(void)
{
    gort_stats before, after;
    on_goroutine(make_garbage, NULL);
    gort_gc();
    gort_read_stats(&before);
    for (int i = 0; i < test_count(30); i++)
        on_goroutine(make_garbage, NULL);
    gort_gc();
    gort_read_stats(&after);
    CHECK_GT(after.num_gc, before.num_gc);
    CHECK_LE(after.heap_sys, before.heap_sys + (64 << 20));
    CHECK_LE(after.heap_marked, before.heap_marked + (4 << 20));
    CHECK_GT(after.frees, before.frees);
    CHECK_GE(after.mallocs, after.frees);
}

static void tests(void)
{
    RUN(globals_keep);
    RUN(lists_keep);
    RUN(circles_die);
    RUN(registered_ranges_keep);
    RUN(many_ranges);
    RUN(thread_locals_keep);
    RUN(stacks_keep);
    RUN(past_the_end_keeps);
    RUN(parked_goroutines_keep);
    RUN(arguments_keep);
    RUN(blocking_goroutines_keep);
    RUN(attached_threads_keep);
    RUN(stores_move_references);
    RUN(memory_is_reused);
}
GC_MAIN(tests)
