// N senders, M receivers, one orderly close, over and over: every element arrives once, everybody
// comes to the end, nobody panics.  Shared by stress/chan_closing and stress/chan_closing_long.
//
// Each run takes its numbers of goroutines, its capacity and who closes from a random sequence: the
// one that started them, after waiting for the senders; or the last sender to leave.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_TEST_CLOSING_H
#define GORT_TEST_CLOSING_H

#include "goroutines.h"

struct closing_run {
    gort_chan(int) c;
    int each;
    bool last_closes;
    int64_t senders; // atomic: that have not left
    int64_t sum;     // atomic
    gort_waitgroup sent, received;
};

static void closing_send(void *arg)
{
    struct closing_run *r = arg;
    for (int i = 1; i <= r->each; i++)
        gort_send(r->c, i);
    if (ADD(&r->senders, -1) == 0 && r->last_closes) gort_close(r->c);
    gort_waitgroup_done(&r->sent);
}

static void closing_receive(void *arg)
{
    struct closing_run *r = arg;
    int64_t sum = 0;
    int v;
    while (gort_recv(r->c, &v))
        sum += v;
    CHECK_EQ(v, 0);
    ADD(&r->sum, sum);
    gort_waitgroup_done(&r->received);
}

static void closing_once(uint64_t *random)
{
    uint64_t x = test_random(random);
    int senders = 1 + (int)(x % 4), receivers = 1 + (int)(x >> 8 & 3);
    struct closing_run r = { .c = gort_chan_make(int, (size_t)(x >> 16) % 4),
                             .each = (int)((x >> 24) % 4),
                             .last_closes = (x >> 32) % 2,
                             .senders = senders };
    gort_waitgroup_add(&r.sent, senders);
    gort_waitgroup_add(&r.received, receivers);
    for (int i = 0; i < senders; i++)
        gort_go(closing_send, &r);
    for (int i = 0; i < receivers; i++)
        gort_go(closing_receive, &r);
    gort_waitgroup_wait(&r.sent);
    if (!r.last_closes) gort_close(r.c);
    gort_waitgroup_wait(&r.received);
    CHECK_EQ(r.sum, senders * r.each * (r.each + 1) / 2);
    CHECK_EQ(gort_chan_len(r.c), 0);
    CHECK_EQ(gort_try_recv(r.c, NULL), GORT_CLOSED);
}

static inline void closing_runs(int64_t n)
{
    uint64_t random = test_seed();
    while (n-- > 0)
        closing_once(&random);
}

#endif
