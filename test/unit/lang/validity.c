// The structures' validators hold at every moment of a busy run: channels and the table of waiters.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../gc/gc_test.h"
#include "gort/chan.h"
#include "gort/go.h"
#include "gort/sync.h"
#include "gort/time.h"
#include "lang/hchan.h"
#include "lang/sema.h"

enum { CHANNELS = 6, GOROUTINES = 12, SEMAS = 40 };

static gort_chan(int) channels[CHANNELS];
static gort_sema semas[SEMAS];
static uint32_t running, stop;

static void use_channels(void *arg)
{
    uint64_t r = test_seed() + (uintptr_t)arg;
    while (!atomic_load_acquire(&stop)) {
        int v = 1, out;
        unsigned a = test_random(&r) % CHANNELS, b = test_random(&r) % CHANNELS;
        gort_case cases[] = { gort_on_send(channels[a], &v), gort_on_recv(channels[b], &out),
                              gort_on_recv(channels[a], &out) };
        int64_t until = gort_now() + (int64_t)(test_random(&r) % 100000);
        gort_select_until(cases, 1 + (int)(test_random(&r) % 3), until);
    }
    atomic_fetch_sub_acqrel(&running, 1u);
}

static void use_semas(void *arg)
{
    uint64_t r = test_seed() + 1000 + (uintptr_t)arg;
    while (!atomic_load_acquire(&stop)) {
        gort_sema *s = &semas[test_random(&r) % SEMAS];
        gort_sema_acquire(s);
        if (test_random(&r) % 2 == 0) gort_yield();
        gort_sema_release(s);
    }
    atomic_fetch_sub_acqrel(&running, 1u);
}

static void check_channel(struct hchan *c)
{
    crit_enter();
    lock_acquire(&c->lock);
    bool ok = chan_is_valid(c);
    lock_release(&c->lock);
    crit_exit();
    CHECK(ok);
}

static void stays_valid(void)
{
    running = 2 * GOROUTINES;
    for (int i = 0; i < CHANNELS; i++)
        channels[i] = gort_chan_make(int, (size_t)(i % 3));
    for (int i = 0; i < SEMAS; i++)
        gort_sema_init(&semas[i], 1);
    for (uintptr_t i = 0; i < GOROUTINES; i++) {
        gort_go(use_channels, (void *)i);
        gort_go(use_semas, (void *)i);
    }
    for (int64_t i = 0; i < test_count(300); i++) {
        for (int k = 0; k < CHANNELS; k++)
            check_channel((struct hchan *)(uintptr_t)channels[k]);
        CHECK(sema_table_is_valid());
        gort_sleep(100000);
    }
    atomic_store_release(&stop, 1u);
    while (atomic_load_acquire(&running) != 0)
        gort_sleep(100000);
    for (int i = 0; i < SEMAS; i++) {
        CHECK_EQ(semas[i].count, 1);
        CHECK_EQ(sema_waiters(&semas[i].count), 0);
    }
    for (int k = 0; k < CHANNELS; k++) {
        struct hchan *c = (struct hchan *)(uintptr_t)channels[k];
        CHECK(c->recvq.first == NULL && c->sendq.first == NULL); // no record is left behind
    }
}

// The validators see what is wrong.
static void damage_is_seen(void)
{
    struct hchan *c = (struct hchan *)(uintptr_t)gort_chan_make(int, 3);
    CHECK(chan_is_valid(c));
    c->count = 4;
    CHECK(!chan_is_valid(c));
    c->count = 1;
    CHECK(!chan_is_valid(c));
    c->send_at = 1;
    CHECK(chan_is_valid(c));
    struct sudog s = { .g = g_self(), .object = c };
    waitq_push(&c->recvq, &s);
    CHECK(!chan_is_valid(c)); // waits although there is an element
    waitq_remove(&c->recvq, &s);
    c->closed = 1;
    CHECK(chan_is_valid(c));
    waitq_push(&c->sendq, &s);
    CHECK(!chan_is_valid(c));
}

int main(void)
{
    RUN_ALL(stays_valid);
    RUN_ON(damage_is_seen, 1);
    return 0;
}
