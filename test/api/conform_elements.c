// Conformance of what channels carry: elements of all kinds and sizes, pointers while others
// collect, what a channel keeps and what it does not.
//
// TEST notmodes=determ
// TEST timeout=120
// SPDX-License-Identifier: BSD-3-Clause
#include "../conform.h"

// ---- elements -----------------------------------------------------------------------------------

#define ELEMENT(name, T, make, same)                                                               \
    static void name##_echo(void *arg)                                                             \
    {                                                                                              \
        gort_chan(T) *c = arg;                                                                     \
        T v;                                                                                       \
        while (gort_recv(c[0], &v))                                                                \
            gort_send(c[1], v);                                                                    \
        gort_close(c[1]);                                                                          \
    }                                                                                              \
    static void elements_##name(void)                                                              \
    {                                                                                              \
        for (size_t cap = 0; cap < 4; cap++) {                                                     \
            gort_chan(T) *c = gort_alloc(2 * sizeof *c);                                           \
            gort_init(&c[0], gort_chan_make(T, cap));                                              \
            gort_init(&c[1], gort_chan_make(T, cap));                                              \
            gort_go(name##_echo, c);                                                               \
            for (int i = 1; i < 9; i++) {                                                          \
                T v = make(i), got;                                                                \
                memset(&got, 0x55, sizeof got);                                                    \
                gort_send(c[0], v);                                                                \
                CHECK(gort_recv(c[1], &got));                                                      \
                CHECK(same(got, v));                                                               \
            }                                                                                      \
            gort_close(c[0]);                                                                      \
            CHECK(!gort_recv(c[1], NULL));                                                         \
        }                                                                                          \
    }
#define PLAIN(i) ((i)*3)
#define ODD(i) ((i) % 2 == 1)
#define EQUAL(a, b) ((a) == (b))
typedef struct {
    double x, y, z;
} triple;
typedef struct {
    unsigned char b[3000];
} page;
typedef struct {
    char nothing[0];
} nil;
typedef struct link {
    struct link *next;
    int value;
} link_t;
typedef link_t *link_p;
typedef void (*function)(void *);
static triple make_triple(int i)
{
    return (triple){ i, -i, i * 0.5 };
}
static bool same_triple(triple a, triple b)
{
    return a.x == b.x && a.y == b.y && a.z == b.z;
}
static page make_page(int i)
{
    page p;
    memset(&p, i, sizeof p);
    return p;
}
static bool same_page(page a, page b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}
static nil make_nil(int i)
{
    (void)i;
    return (nil){};
}
static bool same_nil(nil a, nil b)
{
    (void)a, (void)b;
    return true;
}
static link_p make_link(int i)
{
    link_p head = NULL;
    for (int k = 0; k < i; k++) {
        link_p l = gort_new(link_t);
        l->value = k;
        gort_init(&l->next, head);
        head = l;
    }
    gort_gc();
    return head;
}
static bool same_link(link_p a, link_p b)
{
    int want = a->value;
    for (link_p l = a; l != NULL; l = l->next)
        if (l->value != want--) return false;
    return a == b && want == -1;
}
static void count_gone(void *obj);
static void litter(void *arg);

static function make_function(int i)
{
    return i % 2 == 0 ? count_gone : litter;
}

ELEMENT(bool, bool, ODD, EQUAL)
ELEMENT(char, char, (char)PLAIN, EQUAL)
ELEMENT(short, short, (short)PLAIN, EQUAL)
ELEMENT(int64, int64_t, (int64_t)PLAIN, EQUAL)
ELEMENT(double, double, (double)PLAIN, EQUAL)
ELEMENT(struct, triple, make_triple, same_triple)
ELEMENT(large, page, make_page, same_page)
ELEMENT(zero_size, nil, make_nil, same_nil)
ELEMENT(pointer, link_p, make_link, same_link)
ELEMENT(function, function, make_function, EQUAL)

static void zero_size_elements_count(void)
{
    gort_chan(nil) c = gort_chan_make(nil, 1000);
    nil v = {};
    for (int i = 0; i < 1000; i++)
        gort_send(c, v);
    CHECK(!gort_try_send(c, v));
    CHECK_EQ(gort_chan_len(c), 1000);
    gort_close(c);
    int n = 0;
    while (gort_recv(c, &v))
        n++;
    CHECK_EQ(n, 1000);
}

static void signal_nil(void *arg)
{
    nil v = {};
    gort_send((gort_chan(nil))arg, v);
}

static void zero_size_elements_are_signals(void)
{
    gort_chan(nil) c = gort_chan_make(nil, 0);
    for (int i = 0; i < 100; i++) {
        gort_go(signal_nil, (void *)c);
        CHECK(gort_recv(c, NULL));
    }
    CHECK_EQ(gort_try_recv(c, NULL), GORT_EMPTY);
}

// ---- pointers, stacks and the collector ---------------------------------------------------------

static link_p chain_of(int n)
{
    link_p head = NULL;
    for (int i = 0; i < n; i++) {
        link_p l = gort_new(link_t);
        l->value = i;
        gort_init(&l->next, head);
        head = l;
    }
    return head;
}

static void check_chain(const link_t *l, int n)
{
    for (; l != NULL; l = l->next)
        CHECK_EQ(l->value, --n);
    CHECK_EQ(n, 0);
}

static void send_chains(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < w->n; i++)
        gort_send(w->p, chain_of(20));
    gort_close(w->p);
}

static void litter(void *arg)
{
    struct world *w = arg;
    while (!LOAD(&w->a)) {
        for (int i = 0; i < 100; i++)
            *(char *)gort_alloc(48) = 1;
        gort_gc();
    }
    gort_waitgroup_done(&w->wg);
}

static void pointers_cross(size_t cap)
{
    struct world w = { .p = gort_chan_make(void *, cap), .n = (int)test_count(300) };
    void *got;
    int n = 0;
    gort_waitgroup_add(&w.wg, 1);
    gort_go(litter, &w);
    gort_go(send_chains, &w);
    for (; gort_recv(w.p, &got); n++)
        check_chain(got, 20);
    STORE(&w.a, 1);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(n, w.n);
}
static void pointers_are_kept_unbuffered(void)
{
    pointers_cross(0);
}
static void pointers_are_kept_in_the_ring(void)
{
    pointers_cross(5);
}

static void send_on_a_deep_stack(struct world *w, int depth)
{
    volatile char here[512];
    here[0] = (char)depth;
    here[511] = 1;
    if (depth == 0)
        gort_send(w->p, chain_of(5));
    else
        send_on_a_deep_stack(w, depth - 1);
    CHECK_EQ(here[0], (char)depth);
    CHECK_EQ(here[511], 1);
}

static void deep_sender(void *arg)
{
    struct world *w = arg;
    send_on_a_deep_stack(w, 100);
    gort_waitgroup_done(&w->wg);
}

// The value lies on the stack of a goroutine that is parked deep down, while others collect.
static void a_parked_senders_stack_keeps_its_value(void)
{
    struct world w = { .p = gort_chan_make(void *, 0) };
    gort_waitgroup_add(&w.wg, 4);
    for (int i = 0; i < 4; i++)
        gort_go(deep_sender, &w);
    gort_sleep(GORT_MS);
    for (int i = 0; i < 4; i++) {
        void *got;
        gort_gc();
        free(memset(malloc(1000), 0, 1000));
        CHECK(gort_recv(w.p, &got));
        check_chain(got, 5);
    }
    gort_waitgroup_wait(&w.wg);
}

static void receive_into_heap(void *arg)
{
    struct world *w = arg;
    struct cell {
        void *before, *slot;
    } *cell = gort_alloc(sizeof *cell);
    CHECK(gort_recv(w->p, &cell->slot));
    gort_gc();
    check_chain(cell->slot, 6);
    CHECK(cell->before == NULL);
    gort_waitgroup_done(&w->wg);
}

static void a_place_in_the_heap_is_kept(void)
{
    struct world w = { .p = gort_chan_make(void *, 0) };
    gort_waitgroup_add(&w.wg, 5);
    for (int i = 0; i < 5; i++)
        gort_go(receive_into_heap, &w);
    gort_sleep(GORT_MS);
    for (int i = 0; i < 5; i++) {
        gort_gc();
        gort_send(w.p, chain_of(6));
    }
    gort_waitgroup_wait(&w.wg);
}

static int64_t gone; // atomic

static void count_gone(void *obj)
{
    (void)obj;
    ADD(&gone, 1);
}

static void __attribute__((noinline)) fill_and_drain(pointers c, int n)
{
    for (int i = 0; i < n; i++) {
        void *v = gort_alloc(40);
        gort_set_finalizer(v, count_gone);
        gort_send(c, v);
        v = NULL;
        gort_recv(c, &v);
        v = NULL;
        __asm__ volatile("" : : "r"(&v) : "memory");
    }
}

static void a_received_element_is_not_kept_by_the_ring(void)
{
    pointers c = gort_chan_make(void *, 64);
    STORE(&gone, 0);
    fill_and_drain(c, 64);
    WAIT_FOR((gort_gc(), LOAD(&gone) >= 50));
    CHECK_EQ(gort_chan_len(c), 0);
}

static void __attribute__((noinline)) abandon(int n)
{
    for (int i = 0; i < n; i++) {
        pointers c = gort_chan_make(void *, 4);
        void *v = gort_alloc(40);
        gort_set_finalizer(v, count_gone);
        gort_send(c, v);
    }
}

static void an_abandoned_channel_is_collected(void)
{
    STORE(&gone, 0);
    abandon(64);
    WAIT_FOR((gort_gc(), LOAD(&gone) >= 50));
}

static const struct conform_case cases[] = {
    CASE(elements_bool, 0),
    CASE(elements_char, 0),
    CASE(elements_short, 0),
    CASE(elements_int64, 0),
    CASE(elements_double, 0),
    CASE(elements_struct, 0),
    CASE(elements_large, 0),
    CASE(elements_zero_size, 0),
    CASE(elements_pointer, 0),
    CASE(elements_function, 0),
    CASE(zero_size_elements_count, 0),
    CASE(zero_size_elements_are_signals, 0),
    CASE(pointers_are_kept_unbuffered, 0),
    CASE(pointers_are_kept_in_the_ring, 0),
    CASE(a_parked_senders_stack_keeps_its_value, 0),
    CASE(a_place_in_the_heap_is_kept, 0),
    CASE(a_received_element_is_not_kept_by_the_ring, 1),
    CASE(an_abandoned_channel_is_collected, 1),
};
CONFORM_MAIN(cases)
