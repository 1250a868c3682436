// Conformance of select: what is ready, fair choice, waiting, closing, stress, self-selection,
// pseudo-random sends, the collector meanwhile.
//
// Long for its number of cases, each a dozen lines: they stand together because they share the
// goroutines and helpers between them, and the list at the end runs any of them by name.
//
// TEST timeout=120
// SPDX-License-Identifier: BSD-3-Clause
#include "../conform.h"

static ints ints_of(size_t cap)
{
    return gort_chan_make(int, cap);
}

static int try_two(ints a, int *va, ints b, int *vb)
{
    gort_case k[] = { gort_on_recv(a, va), gort_on_recv(b, vb) };
    return gort_select_try(k, 2);
}

// ---- what is ready ------------------------------------------------------------------------------

static void try_of_nothing_ready(void)
{
    int v = 3;
    CHECK_EQ(try_two(ints_of(0), &v, ints_of(2), &v), -1);
    CHECK_EQ(v, 3);
}

static void try_takes_what_is_there(void)
{
    ints a = ints_of(1), b = ints_of(1);
    int va = 0, vb = 0;
    gort_send(b, 4);
    CHECK_EQ(try_two(a, &va, b, &vb), 1);
    CHECK_EQ(vb, 4);
    CHECK_EQ(va, 0);
    CHECK_EQ(try_two(a, &va, b, &vb), -1);
}

static void try_sends_where_there_is_room(void)
{
    ints full = ints_of(1), room = ints_of(1);
    int x = 1, y = 2, v;
    gort_send(full, 0);
    gort_case k[] = { gort_on_send(full, &x), gort_on_send(room, &y) };
    CHECK_EQ(gort_select_try(k, 2), 1);
    CHECK_EQ(gort_select_try(k, 2), -1);
    CHECK(gort_recv(room, &v));
    CHECK_EQ(v, 2);
}

static void a_closed_channel_is_ready(void)
{
    ints a = ints_of(0), b = ints_of(0);
    int va = 9, vb = 9;
    gort_close(b);
    gort_case k[] = { gort_on_recv(a, &va), gort_on_recv(b, &vb) };
    k[1].ok = true;
    CHECK_EQ(gort_select(k, 2), 1);
    CHECK(!k[1].ok);
    CHECK_EQ(vb, 0);
    CHECK_EQ(va, 9);
}

static void ok_tells_a_value_from_the_end(void)
{
    ints a = ints_of(1);
    int v;
    gort_send(a, 0);
    gort_close(a);
    gort_case k[] = { gort_on_recv(a, &v), gort_on_recv((ints)NULL, &v) };
    CHECK_EQ(gort_select(k, 2), 0);
    CHECK(k[0].ok);
    CHECK_EQ(gort_select(k, 2), 0);
    CHECK(!k[0].ok);
}

static void send_in_select(void *arg)
{
    struct world *w = arg;
    int x = 1;
    gort_case k[] = { gort_on_send(w->c, &x), gort_on_recv(w->d, NULL) };
    w->a = gort_select(k, 2);
}

static void a_send_chosen_on_a_closed_channel_panics(void)
{
    struct world w = { .c = ints_of(1), .d = ints_of(0) };
    gort_close(w.c);
    CHECK_PANICS(send_in_select, &w, "send on closed channel");
}

static void null_cases_are_never_chosen(void)
{
    ints none = NULL, c = ints_of(1);
    int x = 1, v;
    for (int i = 0; i < 50; i++) {
        gort_send(c, i);
        gort_case k[] = { gort_on_send(none, &x), gort_on_recv(c, &v), gort_on_recv(none, &x) };
        CHECK_EQ(gort_select(k, 3), 1);
        CHECK_EQ(v, i);
    }
    gort_case k[] = { gort_on_recv(none, &v), gort_on_send(none, &x) };
    CHECK_EQ(gort_select_try(k, 2), -1);
    CHECK_EQ(gort_select_try(k, 0), -1);
}

static void only_one_case_happens(void)
{
    ints c[5];
    for (int i = 0; i < 5; i++)
        c[i] = ints_of(1);
    for (int round = 0; round < 50; round++) {
        int v[5] = { -1, -1, -1, -1, -1 };
        gort_case k[5];
        for (int i = 0; i < 5; i++) {
            gort_try_send(c[i], i);
            k[i] = gort_on_recv(c[i], &v[i]);
        }
        int chosen = gort_select(k, 5);
        for (int i = 0; i < 5; i++) {
            CHECK_EQ(v[i], i == chosen ? i : -1);
            CHECK_EQ(gort_chan_len(c[i]), i == chosen ? 0 : 1);
        }
    }
}

static void a_default_is_taken_only_without_partner(void)
{
    for (int i = 0; i < test_count(2000); i++) {
        ints c = ints_of(1), d = ints_of(1);
        gort_send(c, 1);
        CHECK_EQ(try_two(c, NULL, d, NULL), 0);
        CHECK_EQ(try_two(c, NULL, d, NULL), -1);
        gort_send(d, 1);
        CHECK_EQ(try_two(c, NULL, d, NULL), 1);
    }
}

// One of two channels is always ready, while the goroutine that sees to that moves the element: a
// try that looked at them one after the other would miss it.
static void try_or_fail(void *arg)
{
    struct world *w = arg;
    if (try_two(w->c, NULL, w->d, NULL) < 0) STORE(&w->a, 1);
    gort_send(w->done, 0);
}

static void a_try_sees_all_cases_at_one_moment(void)
{
    for (int i = 0; i < test_count(3000); i++) {
        struct world w = { .c = ints_of(1), .d = ints_of(1), .done = ints_of(0) };
        gort_send(w.c, 1);
        gort_go(try_or_fail, &w);
        gort_send(w.d, 1);
        gort_try_recv(w.c, NULL);
        gort_recv(w.done, NULL);
        CHECK_EQ(LOAD(&w.a), 0);
    }
}

// Fills one before it empties the other; what the other goroutine holds for a moment it puts back.
static void take_turns(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < w->n; i++) {
        gort_try_send(w->d, 1);
        gort_try_recv(w->c, NULL);
        gort_try_send(w->c, 1);
        gort_try_recv(w->d, NULL);
    }
    STORE(&w->a, 1);
}

// The same where looking at all cases takes a while: they do not become ready behind its back.
static void a_long_try_sees_all_cases_at_one_moment(void)
{
    enum { CASES = 30 };
    struct world w = { .c = ints_of(1), .d = ints_of(1), .n = test_count(50000) };
    ints never = ints_of(0);
    gort_case k[CASES];
    for (int i = 0; i < CASES; i++)
        k[i] = gort_on_recv(never, NULL);
    k[0] = gort_on_recv(w.d, NULL);
    k[CASES - 1] = gort_on_recv(w.c, NULL);
    gort_send(w.c, 1);
    gort_go(take_turns, &w);
    while (LOAD(&w.a) == 0) {
        int chosen = gort_select_try(k, CASES);
        CHECK(chosen == 0 || chosen == CASES - 1);
        gort_try_send(chosen == 0 ? w.d : w.c, 1);
        gort_yield();
    }
}

static void a_try_sees_a_close_in_time(void)
{
    for (int i = 0; i < test_count(3000); i++) {
        struct world w = { .c = ints_of(1), .d = ints_of(1), .done = ints_of(0) };
        gort_send(w.c, 1);
        gort_go(try_or_fail, &w);
        gort_close(w.d);
        gort_try_recv(w.c, NULL);
        gort_recv(w.done, NULL);
        CHECK_EQ(LOAD(&w.a), 0);
    }
}

// ---- fair choice --------------------------------------------------------------------------------

// Eight sigma of a binomial distribution around n * p, in some dozen places: a fair choice fails
// less than once in 10^12 runs.
static void check_share(int64_t got, int64_t n, double p)
{
    double mean = (double)n * p, d = (double)got - mean;
    CHECK(d * d <= 64 * mean * (1 - p));
}

static void two_ready_channels_share(void)
{
    enum { N = 4000 };
    ints a = ints_of(N), b = ints_of(N);
    int count[2] = { 0 };
    for (int i = 0; i < N; i++) {
        gort_send(a, 1);
        gort_send(b, 1);
    }
    for (int i = 0; i < N; i++)
        count[try_two(a, NULL, b, NULL)]++;
    check_share(count[0], N, 0.5);
}

static void ready_ones_share_whatever_else_waits(void)
{
    enum { N = 4000 };
    ints a = ints_of(N), b = ints_of(N), c = ints_of(0), d = ints_of(0);
    int count[4] = { 0 };
    for (int i = 0; i < N; i++) {
        gort_send(a, 1);
        gort_send(b, 1);
    }
    for (int i = 0; i < N; i++) {
        gort_case k[] = { gort_on_recv(a, NULL), gort_on_recv(c, NULL), gort_on_recv(b, NULL),
                          gort_on_recv(d, NULL) };
        count[gort_select(k, 4)]++;
    }
    CHECK_EQ(count[1] + count[3], 0);
    check_share(count[0], N, 0.5);
}

static void eight_closed_channels_share(void)
{
    enum { N = 8000 };
    gort_case k[8];
    int64_t count[8] = { 0 };
    for (int i = 0; i < 8; i++) {
        ints c = ints_of(0);
        gort_close(c);
        k[i] = gort_on_recv(c, NULL);
    }
    for (int i = 0; i < N; i++)
        count[gort_select(k, 8)]++;
    for (int i = 0; i < 8; i++)
        check_share(count[i], N, 0.125);
}

static void sends_and_receives_share(void)
{
    enum { N = 4000 };
    ints a = ints_of(N), b = ints_of(N);
    int x = 1, count[2] = { 0 };
    for (int i = 0; i < N; i++)
        gort_send(a, 1);
    for (int i = 0; i < N; i++) {
        gort_case k[] = { gort_on_recv(a, NULL), gort_on_send(b, &x) };
        count[gort_select(k, 2)]++;
    }
    check_share(count[0], N, 0.5);
}

static void send_bits(void *arg)
{
    struct world *w = arg;
    static const int zero = 0, one = 1;
    for (int i = 0; i < w->n; i++) {
        gort_case k[] = { gort_on_send(w->c, &zero), gort_on_send(w->c, &one) };
        gort_select(k, 2);
    }
    gort_waitgroup_done(&w->wg);
}

// Two sends of one channel: both values come about as often, in no fixed order.
static void random_sends(size_t cap)
{
    enum { N = 2000 };
    struct world w = { .c = ints_of(cap), .n = N };
    int64_t ones = 0, changes = 0;
    int last = 0, v;
    gort_waitgroup_add(&w.wg, 1);
    gort_go(send_bits, &w);
    for (int i = 0; i < N; i++) {
        gort_recv(w.c, &v);
        ones += v;
        changes += v != last;
        last = v;
    }
    gort_waitgroup_wait(&w.wg);
    check_share(ones, N, 0.5);
    check_share(changes, N, 0.5);
}
static void pseudo_random_sends_unbuffered(void)
{
    random_sends(0);
}
static void pseudo_random_sends_one_slot(void)
{
    random_sends(1);
}
static void pseudo_random_sends_buffered(void)
{
    random_sends(50);
}

static void flood(void *args)
{
    struct member *m = args;
    ints c = m->id == 0 ? m->w->c : m->w->d;
    gort_case k[] = { gort_on_send(c, &m->id), gort_on_recv(m->w->done, NULL) };
    while (gort_select(k, 2) == 0)
        ;
    gort_waitgroup_done(&m->w->wg);
}

// Two producers that are always ready: neither is served alone.  (Two that wake each other share a
// time slice, and a third waits for its end: the shares may well be a hundred to one.) One that was
// would keep this from its end.
static void no_producer_is_shut_out(void)
{
    struct world w = { .c = ints_of(0), .d = ints_of(0), .done = ints_of(0) };
    int64_t count[2] = { 0 }, n = test_count(4000) + 2000, least = n / 1000 + 1;
    gort_waitgroup_add(&w.wg, 2);
    start_members(&w, 2, flood);
    for (int64_t i = 0; i < n || count[0] < least || count[1] < least; i++) {
        int v;
        gort_case k[] = { gort_on_recv(w.c, &v), gort_on_recv(w.d, &v) };
        int chosen = gort_select(k, 2);
        CHECK_EQ(v, chosen);
        count[chosen]++;
    }
    gort_close(w.done);
    gort_waitgroup_wait(&w.wg);
}

// ---- waiting ------------------------------------------------------------------------------------

static void wait_for_two(void *arg)
{
    struct world *w = arg;
    int v = -1;
    gort_case k[] = { gort_on_recv(w->c, &v), gort_on_recv(w->d, &v) };
    int chosen = gort_select(k, 2);
    note(w, chosen);
    note(w, k[chosen].ok ? v : -1);
}

static void it_waits_for_the_first_of_two(void)
{
    for (int which = 0; which < 2; which++) {
        struct world w = { .c = ints_of(0), .d = ints_of(0) };
        gort_go(wait_for_two, &w);
        settle();
        CHECK_EQ(w.nlog, 0);
        gort_send(which == 0 ? w.c : w.d, 5);
        settle();
        CHECK_EQ(w.nlog, 2);
        CHECK_EQ(w.log[0], which);
        CHECK_EQ(w.log[1], 5);
        CHECK(!gort_try_send(w.c, 1)); // it left both
        CHECK(!gort_try_send(w.d, 1));
    }
}

static void a_close_ends_the_wait(void)
{
    for (int which = 0; which < 2; which++) {
        struct world w = { .c = ints_of(0), .d = ints_of(2) };
        gort_go(wait_for_two, &w);
        settle();
        gort_close(which == 0 ? w.c : w.d);
        settle();
        CHECK_EQ(w.nlog, 2);
        CHECK_EQ(w.log[0], which);
        CHECK_EQ(w.log[1], -1);
    }
}

static void try_send_meets_a_waiting_select_once(void)
{
    struct world w = { .c = ints_of(0), .d = ints_of(0) };
    gort_go(wait_for_two, &w);
    settle();
    CHECK(gort_try_send(w.d, 5));
    CHECK(!gort_try_send(w.d, 6)); // decided, though it has not run yet
    CHECK(!gort_try_send(w.c, 7));
    settle();
    CHECK_EQ(w.log[1], 5);
}

static void expect_panic_in_select(void *arg)
{
    CHECK_PANICS(send_in_select, arg, "send on closed channel");
    note(arg, 1);
}

static void a_close_panics_a_waiting_send_case(void)
{
    struct world w = { .c = ints_of(0), .d = ints_of(0) };
    gort_go(expect_panic_in_select, &w);
    settle();
    gort_close(w.c);
    settle();
    CHECK_EQ(w.nlog, 1);
}

static void select_same_channel_many_times(void *arg)
{
    struct world *w = arg;
    int v[4] = { -1, -1, -1, -1 };
    gort_case k[4];
    for (int i = 0; i < 4; i++)
        k[i] = gort_on_recv(w->c, &v[i]);
    int chosen = gort_select(k, 4);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(v[i], i == chosen ? 5 : -1);
    note(w, chosen);
}

static void a_channel_may_stand_in_several_cases(void)
{
    struct world w = { .c = ints_of(0) };
    for (int i = 0; i < 8; i++)
        gort_go(select_same_channel_many_times, &w);
    settle();
    for (int i = 0; i < 8; i++)
        CHECK(gort_try_send(w.c, 5));
    CHECK(!gort_try_send(w.c, 5));
    settle();
    CHECK_EQ(w.nlog, 8);
}

static void wait_in_turn(void *args)
{
    struct member *m = args;
    int v = -1;
    gort_case k[] = { gort_on_recv(m->w->c, &v), gort_on_recv(m->w->d, &v) };
    CHECK_EQ(gort_select(k, 2), 0);
    CHECK_EQ(v, m->id);
    note(m->w, m->id);
}

static void waiting_selects_queue_up(void)
{
    struct world w = { .c = ints_of(0), .d = ints_of(0) };
    for (int i = 0; i < 5; i++) {
        struct member m = { &w, i };
        gort_go_copy(wait_in_turn, &m, sizeof m);
        settle();
    }
    for (int i = 0; i < 5; i++)
        gort_send(w.c, i);
    settle();
    CHECK_EQ(w.nlog, 5);
}

static void no_cases_for_ever(void *arg)
{
    struct world *w = arg;
    note(w, 1);
    gort_select(NULL, 0);
    note(w, 2);
}

static void a_select_without_cases_blocks(void)
{
    struct world *w = gort_alloc(sizeof *w);
    gort_go(no_cases_for_ever, w);
    settle();
    CHECK_EQ(w->nlog, 1);
}

static void hundred_cases(void *arg)
{
    struct world *w = arg;
    ints *c = (ints *)(uintptr_t)w->b;
    for (int round = 0; round < w->n; round++) {
        gort_case k[100];
        int v = -1;
        for (int i = 0; i < 100; i++)
            k[i] = gort_on_recv(c[i], &v);
        int chosen = gort_select(k, 100);
        CHECK_EQ(v, chosen);
    }
    gort_waitgroup_done(&w->wg);
}

static void a_hundred_cases_wait(void)
{
    ints c[100];
    struct world w = { .n = (int)test_count(300), .b = (int64_t)(uintptr_t)c };
    uint64_t r = test_seed();
    for (int i = 0; i < 100; i++)
        c[i] = ints_of(0);
    gort_waitgroup_add(&w.wg, 1);
    gort_go(hundred_cases, &w);
    for (int i = 0; i < w.n; i++) {
        int at = (int)(test_random(&r) % 100);
        gort_send(c[at], at);
    }
    gort_waitgroup_wait(&w.wg);
}

// ---- several at once ----------------------------------------------------------------------------

static void select_self(void *args)
{
    struct member *m = args;
    struct world *w = m->w;
    for (int i = 0; i < w->rounds; i++) {
        int v = -1;
        // Either order of the cases must do.
        gort_case k[2];
        k[m->id] = gort_on_recv(w->c, &v);
        k[1 - m->id] = gort_on_send(w->c, &m->id);
        if (gort_select(k, 2) == m->id) CHECK_NE(v, m->id); // never its own on an unbuffered one
    }
    gort_waitgroup_done(&w->wg);
}

static void a_select_never_meets_itself(void)
{
    struct world w = { .c = ints_of(0), .rounds = (int)test_count(1000) };
    gort_waitgroup_add(&w.wg, 2);
    start_members(&w, 2, select_self);
    gort_waitgroup_wait(&w.wg);
}

static void self_buffered(void *args)
{
    struct member *m = args;
    struct world *w = m->w;
    for (int i = 0; i < w->rounds; i++) {
        int v = -1;
        gort_case k[2] = { gort_on_recv(w->c, &v), gort_on_send(w->c, &m->id) };
        if (gort_select(k, 2) == 0) CHECK(v == 0 || v == 1);
    }
    gort_waitgroup_done(&w->wg);
}

static void selects_on_both_sides_of_a_buffer_go_on(void)
{
    struct world w = { .c = ints_of(10), .rounds = (int)test_count(1000) };
    gort_waitgroup_add(&w.wg, 2);
    start_members(&w, 2, self_buffered);
    gort_waitgroup_wait(&w.wg);
}

struct stress {
    ints c[4];
    int n;
    gort_waitgroup wg;
};

static void stress_send_one(void *args)
{
    struct {
        struct stress *s;
        int id;
    } *m = args;
    for (int i = 0; i < m->s->n; i++)
        gort_send(m->s->c[m->id], i);
    gort_waitgroup_done(&m->s->wg);
}

static void stress_recv_one(void *args)
{
    struct {
        struct stress *s;
        int id;
    } *m = args;
    for (int i = 0; i < m->s->n; i++)
        CHECK(gort_recv(m->s->c[m->id], NULL));
    gort_waitgroup_done(&m->s->wg);
}

static void stress_select(struct stress *s, bool sending)
{
    static const int x = 1;
    int left[4], total = 4 * s->n;
    gort_case k[4];
    for (int i = 0; i < 4; i++) {
        left[i] = s->n;
        k[i] = sending ? gort_on_send(s->c[i], &x) : gort_on_recv(s->c[i], NULL);
    }
    while (total-- > 0) {
        int chosen = gort_select(k, 4);
        if (--left[chosen] == 0) k[chosen] = gort_on_recv((ints)NULL, NULL);
    }
    gort_waitgroup_done(&s->wg);
}
static void stress_select_send(void *arg)
{
    stress_select(arg, true);
}
static void stress_select_recv(void *arg)
{
    stress_select(arg, false);
}

// Four channels of different kinds, each with one that sends and one that receives, and two selects
// over all four: as many sends as receives on each.
static void select_stress(void)
{
    struct stress s = { .c = { ints_of(0), ints_of(0), ints_of(2), ints_of(3) },
                        .n = (int)test_count(500) };
    gort_waitgroup_add(&s.wg, 10);
    for (int i = 0; i < 4; i++) {
        struct {
            struct stress *s;
            int id;
        } m = { &s, i };
        gort_go_copy(stress_send_one, &m, sizeof m);
        gort_go_copy(stress_recv_one, &m, sizeof m);
    }
    gort_go(stress_select_send, &s);
    gort_go(stress_select_recv, &s);
    gort_waitgroup_wait(&s.wg);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(gort_chan_len(s.c[i]), 0);
        CHECK_EQ(gort_try_recv(s.c[i], NULL), GORT_EMPTY);
    }
}

static void swap_ends(void *args)
{
    struct member *m = args;
    struct world *w = m->w;
    ints a = m->id == 0 ? w->c : w->d, b = m->id == 0 ? w->d : w->c;
    int64_t sum = 0;
    for (int i = 0; i < w->rounds; i++) {
        int v = 0, x = i;
        gort_case k[] = { gort_on_send(a, &x), gort_on_recv(b, &v) };
        sum += gort_select(k, 2) == 0 ? x : -v;
    }
    ADD(&w->sum, sum);
    gort_waitgroup_done(&w->wg);
}

// Two that may each send or receive: every meeting is one send and one receive of one value.
static void opposite_selects_meet(void)
{
    struct world w = { .c = ints_of(0), .d = ints_of(0), .rounds = (int)test_count(1000) };
    gort_waitgroup_add(&w.wg, 2);
    start_members(&w, 2, swap_ends);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.sum, 0);
}

static void relay(void *args)
{
    struct member *m = args;
    struct world *w = m->w;
    int v;
    for (;;) {
        gort_case k[] = { gort_on_recv(w->c, &v), gort_on_recv(w->done, NULL) };
        if (gort_select(k, 2) != 0) break;
        ADD(&w->sum, v);
        if (ADD(&w->a, 1) == w->n) gort_close(w->done);
    }
    gort_waitgroup_done(&w->wg);
}

static void a_done_channel_ends_all(void)
{
    struct world w = { .c = ints_of(0), .done = ints_of(0), .n = (int)test_count(2000) };
    gort_waitgroup_add(&w.wg, 5);
    start_members(&w, 5, relay);
    for (int i = 1; i <= w.n; i++)
        gort_send(w.c, i);
    gort_waitgroup_wait(&w.wg);
    CHECK_EQ(w.sum, (int64_t)w.n * (w.n + 1) / 2);
}

// ---- the collector ------------------------------------------------------------------------------

typedef struct cell {
    int value;
} cell;

static void *cell_of(int value)
{
    cell *c = gort_alloc(sizeof *c);
    c->value = value;
    return c;
}

static void receive_cells(void *arg)
{
    struct world *w = arg;
    pointers other = gort_chan_make(void *, 0);
    for (int i = 0; i < w->n; i++) {
        void *a = NULL, *b = NULL;
        gort_case k[] = { gort_on_recv(w->p, &a), gort_on_recv(other, &b) };
        CHECK_EQ(gort_select(k, 2), 0);
        gort_gc();
        CHECK_EQ(((cell *)a)->value, i);
        CHECK(b == NULL);
    }
    gort_waitgroup_done(&w->wg);
}

static void what_a_select_received_is_kept(void)
{
    struct world w = { .p = gort_chan_make(void *, 0), .n = 20 };
    gort_waitgroup_add(&w.wg, 1);
    gort_go(receive_cells, &w);
    for (int i = 0; i < w.n; i++) {
        gort_gc();
        gort_send(w.p, cell_of(i));
    }
    gort_waitgroup_wait(&w.wg);
}

static void send_cells(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < w->n; i++) {
        void *v = cell_of(i);
        gort_case k[] = { gort_on_send(w->p, &v), gort_on_recv(w->c, NULL) };
        CHECK_EQ(gort_select(k, 2), 0);
    }
    gort_waitgroup_done(&w->wg);
}

static void what_a_select_offers_is_kept(void)
{
    struct world w = { .p = gort_chan_make(void *, 0), .c = ints_of(0), .n = 20 };
    gort_waitgroup_add(&w.wg, 1);
    gort_go(send_cells, &w);
    for (int i = 0; i < w.n; i++) {
        void *got;
        gort_gc();
        CHECK(gort_recv(w.p, &got));
        CHECK_EQ(((cell *)got)->value, i);
    }
    gort_waitgroup_wait(&w.wg);
}

static void channels_of_a_waiting_select(void *arg)
{
    struct world *w = arg;
    int v = 0;
    // Nothing but this call knows the second channel.
    gort_case k[] = { gort_on_recv(w->c, &v), gort_on_recv(ints_of(3), &v) };
    CHECK_EQ(gort_select(k, 2), 0);
    CHECK_EQ(v, 8);
    gort_waitgroup_done(&w->wg);
}

static void a_waiting_select_keeps_its_channels(void)
{
    struct world w = { .c = ints_of(0) };
    gort_waitgroup_add(&w.wg, 4);
    for (int i = 0; i < 4; i++)
        gort_go(channels_of_a_waiting_select, &w);
    gort_sleep(GORT_MS);
    for (int i = 0; i < 3; i++)
        gort_gc();
    for (int i = 0; i < 100; i++)
        ints_of(3);
    for (int i = 0; i < 4; i++)
        gort_send(w.c, 8);
    gort_waitgroup_wait(&w.wg);
}

// ---- deadlines ----------------------------------------------------------------------------------

static void a_deadline_is_kept(void)
{
    int64_t begin = gort_now();
    gort_case k[] = { gort_on_recv(ints_of(0), NULL), gort_on_recv(ints_of(0), NULL) };
    CHECK_EQ(gort_select_until(k, 2, begin + 3 * GORT_MS), -1);
    CHECK_GE(gort_now(), begin + 3 * GORT_MS);
}

static void ready_before_a_passed_deadline(void)
{
    ints c = ints_of(1);
    int v;
    gort_send(c, 3);
    gort_case k[] = { gort_on_recv(c, &v), gort_on_recv(ints_of(0), NULL) };
    CHECK_EQ(gort_select_until(k, 2, gort_now() - GORT_S), 0);
    CHECK_EQ(v, 3);
}

static void send_at_last(void *arg)
{
    struct world *w = arg;
    gort_sleep(w->b);
    w->a = gort_try_send(w->c, 1);
    gort_waitgroup_done(&w->wg);
}

// Either the partner found the select, and then the value came, or it did not.
static void deadline_and_partner_agree(void)
{
    for (int i = 0; i < test_count(200); i++) {
        struct world w = { .c = ints_of(0), .b = 100 * GORT_US };
        int v = 0;
        gort_waitgroup_add(&w.wg, 1);
        gort_go(send_at_last, &w);
        gort_case k[] = { gort_on_recv(w.c, &v), gort_on_recv((ints)NULL, NULL) };
        int chosen = gort_select_until(k, 2, gort_now() + 100 * GORT_US + i % 50 * GORT_US);
        gort_waitgroup_wait(&w.wg);
        CHECK_EQ(chosen == 0, w.a);
        CHECK_EQ(v, (int)w.a);
    }
}

static void an_expired_select_leaves_nothing(void)
{
    ints c = ints_of(0), d = ints_of(0);
    int x = 1;
    for (int i = 0; i < 20; i++) {
        gort_case k[] = { gort_on_recv(c, NULL), gort_on_send(d, &x) };
        CHECK_EQ(gort_select_until(k, 2, gort_now() + 100 * GORT_US), -1);
        CHECK(!gort_try_send(c, 1));
        CHECK_EQ(gort_try_recv(d, NULL), GORT_EMPTY);
    }
}

static const struct conform_case cases[] = {
    CASE(try_of_nothing_ready, 0),
    CASE(try_takes_what_is_there, 0),
    CASE(try_sends_where_there_is_room, 0),
    CASE(a_closed_channel_is_ready, 0),
    CASE(ok_tells_a_value_from_the_end, 0),
    CASE(a_send_chosen_on_a_closed_channel_panics, 0),
    CASE(null_cases_are_never_chosen, 0),
    CASE(only_one_case_happens, 0),
    CASE(a_default_is_taken_only_without_partner, 0),
    CASE(a_try_sees_all_cases_at_one_moment, 0),
    CASE(a_long_try_sees_all_cases_at_one_moment, 0),
    CASE(a_try_sees_a_close_in_time, 0),
    CASE(two_ready_channels_share, 1),
    CASE(ready_ones_share_whatever_else_waits, 1),
    CASE(eight_closed_channels_share, 1),
    CASE(sends_and_receives_share, 1),
    CASE(pseudo_random_sends_unbuffered, 0),
    CASE(pseudo_random_sends_one_slot, 0),
    CASE(pseudo_random_sends_buffered, 0),
    CASE(no_producer_is_shut_out, 0),
    CASE(it_waits_for_the_first_of_two, 1),
    CASE(a_close_ends_the_wait, 1),
    CASE(try_send_meets_a_waiting_select_once, 1),
    CASE(a_close_panics_a_waiting_send_case, 1),
    CASE(a_channel_may_stand_in_several_cases, 1),
    CASE(waiting_selects_queue_up, 1),
    CASE(a_select_without_cases_blocks, 1),
    CASE(a_hundred_cases_wait, 0),
    CASE(a_select_never_meets_itself, 0),
    CASE(selects_on_both_sides_of_a_buffer_go_on, 0),
    CASE(select_stress, 0),
    CASE(opposite_selects_meet, 0),
    CASE(a_done_channel_ends_all, 0),
    CASE(what_a_select_received_is_kept, 0),
    CASE(what_a_select_offers_is_kept, 0),
    CASE(a_waiting_select_keeps_its_channels, 0),
    CASE(a_deadline_is_kept, 0),
    CASE(ready_before_a_passed_deadline, 0),
    CASE(deadline_and_partner_agree, 0),
    CASE(an_expired_select_leaves_nothing, 0),
};
CONFORM_MAIN(cases)
