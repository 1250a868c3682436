// Note [Moving pointers]: with the barrier on, every element that enters or leaves a channel, what
// it overwrites, every deferred call, and the arguments of goroutines that begin, are told to the
// collector; pointer-free elements are not.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../gc/gc_test.h"
#include "gc/barrier.h"
#include "gort/chan.h"
#include "gort/context.h"
#include "gort/go.h"
#include "gort/panic.h"
#include "gort/sync.h"

typedef gort_chan(void *) pointers;

// Values that stand for pointers: told apart from everything else in the log.
#define VALUE(n) ((void *)(uintptr_t)(0x5a5a00000000 + (n)))

static uintptr_t seen[4096];
static uint32_t nseen;

static void observe(const uintptr_t *words, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (words[i] != 0 && nseen < 4096) seen[nseen++] = words[i];
}

static void switch_barrier(void *on)
{
    struct stop_result r;
    world_stop(STOP_TEST, &r);
    if (!*(bool *)on) barrier_flush_all_stw();
    barrier_set_stw(*(bool *)on);
    world_start();
}

static void begin(void)
{
    bool on = true;
    nseen = 0;
    barrier_observer = observe;
    call_on_system_stack(switch_barrier, &on);
}

static void end(void)
{
    bool off = false;
    call_on_system_stack(switch_barrier, &off);
}

static int count_of(void *value)
{
    int n = 0;
    for (uint32_t i = 0; i < nseen; i++)
        n += seen[i] == (uintptr_t)value;
    return n;
}

static void through_the_ring(void)
{
    pointers c = gort_chan_make(void *, 2);
    void *out = VALUE(9);
    begin();
    gort_send(c, VALUE(1));
    CHECK(gort_recv(c, &out));
    end();
    CHECK_EQ(count_of(VALUE(1)), 2); // once on the way in, once on the way out
    CHECK_EQ(count_of(VALUE(9)), 1); // overwritten
    begin();
    gort_send(c, VALUE(2));
    CHECK(gort_recv(c, NULL)); // dropped
    end();
    CHECK_EQ(count_of(VALUE(2)), 2);
}

static void receive_into(void *arg)
{
    void **slot = arg;
    pointers c = slot[0];
    gort_recv(c, &slot[1]);
    slot[2] = VALUE(0); // it has returned
}

static void hand_over(void)
{
    pointers c = gort_chan_make(void *, 0);
    void **slot = gort_alloc(4 * sizeof *slot);
    slot[0] = (void *)c;
    slot[1] = VALUE(3);
    gort_go(receive_into, slot);
    for (int i = 0; i < 20; i++)
        gort_yield();
    begin();
    CHECK(gort_try_send(c, VALUE(4)));
    end();
    CHECK_EQ(count_of(VALUE(4)), 1);
    CHECK_EQ(count_of(VALUE(3)), 1);
    CHECK_PTR_EQ(slot[1], VALUE(4));
    while (atomic_load_acquire(&slot[2]) == NULL)
        gort_yield();
}

static void send_value(void *arg)
{
    gort_send((pointers)arg, VALUE(5));
}

static void from_a_waiting_sender(void)
{
    for (size_t cap = 0; cap < 2; cap++) {
        pointers c = gort_chan_make(void *, cap);
        void *out = NULL;
        if (cap == 1) gort_send(c, VALUE(6));
        gort_go(send_value, (void *)c);
        for (int i = 0; i < 20; i++)
            gort_yield();
        begin();
        CHECK(gort_recv(c, &out));
        end();
        CHECK_EQ(count_of(VALUE(5)), 1);                // to us, or into the slot that became free
        CHECK_EQ(count_of(VALUE(6)), cap == 1 ? 2 : 0); // out, and overwritten in its slot
    }
}

static void closing(void)
{
    pointers c = gort_chan_make(void *, 0);
    void **slot = gort_alloc(4 * sizeof *slot);
    slot[0] = (void *)c;
    slot[1] = VALUE(7);
    gort_go(receive_into, slot);
    for (int i = 0; i < 20; i++)
        gort_yield();
    void *out = VALUE(8);
    begin();
    gort_close(c);
    CHECK(!gort_recv(c, &out));
    end();
    CHECK_EQ(count_of(VALUE(7)), 1);
    CHECK_EQ(count_of(VALUE(8)), 1);
    CHECK(slot[1] == NULL && out == NULL);
}

static void select_moves(void)
{
    pointers c = gort_chan_make(void *, 1), d = gort_chan_make(void *, 0);
    void *v = VALUE(10), *out = VALUE(11);
    begin();
    gort_case send[] = { gort_on_send(c, &v), gort_on_recv(d, &out) };
    CHECK_EQ(gort_select(send, 2), 0);
    gort_case recv[] = { gort_on_recv(c, &out), gort_on_recv(d, &v) };
    CHECK_EQ(gort_select(recv, 2), 0);
    end();
    CHECK_EQ(count_of(VALUE(10)), 2);
    CHECK_EQ(count_of(VALUE(11)), 1);
}

static void pointer_free_elements(void)
{
    gort_chan(uintptr_t) c = gort_chan_make(uintptr_t, 1);
    uintptr_t out;
    begin();
    gort_send(c, (uintptr_t)VALUE(12));
    CHECK(gort_recv(c, &out));
    end();
    CHECK_EQ(count_of(VALUE(12)), 0);
}

typedef struct mixed {
    uintptr_t number;
    void *pointer;
} mixed;
GORT_TYPE(mixed, pointer);

static void typed_elements(void)
{
    gort_chan(mixed) c = (gort_chan(mixed))gort_chan_make_raw(gort_type_mixed, 1);
    mixed out = { (uintptr_t)VALUE(13), VALUE(14) };
    begin();
    gort_send(c, (mixed){ (uintptr_t)VALUE(15), VALUE(16) });
    CHECK(gort_recv(c, &out));
    end();
    CHECK_EQ(count_of(VALUE(13)), 0);
    CHECK_EQ(count_of(VALUE(14)), 1);
    CHECK_EQ(count_of(VALUE(15)), 0);
    CHECK_EQ(count_of(VALUE(16)), 2);
}

static void receive_in_select(void *arg)
{
    void **slot = arg;
    pointers c = slot[0];
    pointers never = slot[3];
    gort_case cases[] = { gort_on_recv(c, &slot[1]), gort_on_recv(never, NULL) };
    gort_select(cases, 2);
    slot[2] = VALUE(0);
}

// The record of a goroutine that parks names the place of the element and the channel.
static void waiters_records(void (*wait)(void *))
{
    pointers c = gort_chan_make(void *, 0);
    void **slot = gort_alloc(4 * sizeof *slot);
    slot[0] = (void *)c;
    slot[3] = (void *)gort_chan_make(void *, 0);
    begin();
    gort_go(wait, slot);
    for (int i = 0; i < 20; i++)
        gort_yield();
    end();
    CHECK_EQ(count_of(&slot[1]), 1);
    CHECK_EQ(count_of((void *)c), 1);
    gort_send(c, VALUE(17));
    while (atomic_load_acquire(&slot[2]) == NULL)
        gort_yield();
    CHECK_PTR_EQ(slot[1], VALUE(17));
}

typedef struct meeting {
    int ended; // first: the address of none of the others is the object's
    gort_sema sema;
    gort_mutex m;
    gort_cond cond;
} meeting;

static void wait_for_sema(void *arg)
{
    meeting *t = arg;
    gort_sema_acquire(&t->sema);
    t->ended++;
}

static void wait_for_cond(void *arg)
{
    meeting *t = arg;
    gort_mutex_lock(&t->m);
    gort_cond_wait(&t->cond, &t->m);
    gort_mutex_unlock(&t->m);
    t->ended++;
}

static void sync_records(void)
{
    meeting *t = gort_alloc_noscan(sizeof *t);
    begin();
    gort_go(wait_for_sema, t);
    gort_go(wait_for_cond, t);
    for (int i = 0; i < 20; i++)
        gort_yield();
    end();
    CHECK_EQ(count_of(t), 2); // the arguments, when they leave the records of newborns
    CHECK_EQ(count_of(&t->sema), 1);
    CHECK_EQ(count_of(&t->cond), 1);
    gort_sema_release(&t->sema);
    gort_cond_signal(&t->cond);
    while (t->ended != 2)
        gort_yield();
}

static void *finalized;

static void note_finalized(void *obj)
{
    finalized = obj;
}

static void __attribute__((noinline)) make_finalizable(int n)
{
    for (int i = 0; i < n; i++)
        gort_set_finalizer(gort_alloc(64), note_finalized);
}

// An object whose finalizer is due leaves its record for the stack of the goroutine that runs it.
static void finalizers_run(void)
{
    make_finalizable(100); // some words of the stack may keep one or two
    scrub_stack();
    gort_gc(); // sweeps; who runs finalizers is on this P's queue at most
    CHECK(finalized == NULL);
    begin();
    for (int i = 0; i < 1000 && finalized == NULL; i++)
        gort_yield();
    end();
    CHECK(finalized != NULL);
    CHECK(count_of(finalized) >= 1);
}

static void run_bound(void *arg)
{
    (void)arg;
    gort_local_set(&nseen, VALUE(18));
}

// Contexts and values in a goroutine's record, and what leaves a pool.
static void records_of_this_floor(void)
{
    gort_context *c = gort_context_make(NULL);
    gort_pool *p = gort_pool_make(NULL, NULL);
    void *obj = gort_alloc(64);
    gort_pool_put(p, obj);
    begin();
    CHECK_EQ(gort_context_run(c, run_bound, NULL), 0);
    void *got = gort_pool_get(p);
    end();
    CHECK_EQ(count_of(c), 2); // bound, and unbound
    CHECK_EQ(count_of(g_self()->locals), 1);
    CHECK_PTR_EQ(got, obj);
    CHECK_EQ(count_of(obj), 1);
    begin();
    gort_local_set(&nseen, NULL);
    end();
    CHECK_EQ(count_of(VALUE(18)), 1);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void *pushed[2];

static void defer_two(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        gort_defer(nothing, NULL);
        pushed[i] = g_self()->defers;
    }
}

// Each record is told when it is put on the list, when the next one covers it, when it is
// uncovered, and when it is taken off.
static void deferred_calls(void)
{
    begin();
    CHECK(!gort_try(defer_two, NULL, NULL));
    end();
    CHECK_EQ(count_of(pushed[0]), 4);
    CHECK_EQ(count_of(pushed[1]), 2);
    CHECK(g_self()->defers == NULL);
}

static void all(void)
{
    through_the_ring();
    hand_over();
    from_a_waiting_sender();
    closing();
    select_moves();
    pointer_free_elements();
    typed_elements();
    waiters_records(receive_into);
    waiters_records(receive_in_select);
    sync_records();
    finalizers_run();
    records_of_this_floor();
    deferred_calls();
}

int main(void)
{
    RUN_ON(all, 1);
    return 0;
}
