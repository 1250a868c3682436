// Small programs that are mostly communication, as others measure them: skynet, the thread ring,
// the prime sieve and chameneos-redux of the benchmarks game, and of Savina ping-pong, big, and the
// bounded buffer.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "tasks.h"

static uint64_t sum;

// ---- skynet: a tree of tasks, each with ten children, a million leaves; sums come up ----

struct node {
    port_chan up;
    intptr_t number, leaves;
};

// The record of a child lies in its parent's frame, which waits for its ten children.
static void skynet(void *arg)
{
    const struct node *n = arg;
    if (n->leaves == 1) {
        port_send(n->up, n->number);
        return;
    }
    struct node children[10];
    port_chan up = port_chan_make(0);
    intptr_t below = n->leaves / 10, total = 0;
    for (int i = 0; i < 10; i++) {
        children[i] = (struct node){ up, n->number + i * below, below };
        port_go(skynet, &children[i]);
    }
    for (int i = 0; i < 10; i++)
        total += port_recv(up);
    port_send(n->up, total);
}

void skynet_run(void)
{
    struct node root = { port_chan_make(0), 0, tasks_quick ? 10000 : 1000000 };
    tasks_begin();
    port_go(skynet, &root);
    intptr_t total = port_recv(root.up);
    tasks_end((double)root.leaves);
    tasks_check((uint64_t)total << 12);
}

// ---- a ring of 503 tasks, through which a number goes round, counting down ----

#define RING 503

static port_chan *ring, finished;

static void pass(void *arg)
{
    int i = (int)(intptr_t)arg;
    port_chan in = ring[i], out = ring[(i + 1) % RING];
    for (;;) {
        intptr_t n = port_recv(in);
        if (n == 0) {
            port_send(finished, i);
            return;
        }
        port_send(out, n - 1);
    }
}

void thread_ring_run(void)
{
    int hops = tasks_count(2000000);
    port_chans_make(&ring, RING);
    for (int i = 0; i < RING; i++)
        port_chan_set(&ring[i], port_chan_make(0));
    port_chan_set(&finished, port_chan_make(0));
    for (int i = 0; i < RING; i++)
        port_go(pass, (void *)(intptr_t)i);
    tasks_begin();
    port_send(ring[0], hops);
    intptr_t last = port_recv(finished);
    tasks_end(hops);
    tasks_check((uint64_t)last << 12);
}

// ---- the prime sieve ----

struct filter {
    port_chan in, out;
    intptr_t prime;
};

static void numbers(void *arg)
{
    const struct filter *f = arg;
    port_chan out = f->out;
    for (intptr_t n = 2;; n++)
        port_send(out, n);
}

static void filter(void *arg)
{
    const struct filter *f = arg;
    port_chan in = f->in, out = f->out;
    intptr_t prime = f->prime;
    for (;;) {
        intptr_t n = port_recv(in);
        if (n % prime != 0) port_send(out, n);
    }
}

#define PRIMES 1000

static port_chan *sieve_chans;

void sieve_run(void)
{
    int count = tasks_quick ? PRIMES / 10 : PRIMES;
    struct filter *filters = calloc(PRIMES + 1, sizeof *filters);
    port_chans_make(&sieve_chans, PRIMES + 1); // the records are out of a collector's sight
    port_chan *chans = sieve_chans;
    tasks_begin();
    port_chan_set(&chans[0], port_chan_make(0));
    filters[0].out = chans[0];
    port_go(numbers, &filters[0]);
    for (int i = 0; i < count; i++) {
        intptr_t prime = port_recv(chans[i]);
        sum = tasks_mix(sum, (uint64_t)prime);
        port_chan_set(&chans[i + 1], port_chan_make(0));
        filters[i + 1] = (struct filter){ chans[i], chans[i + 1], prime };
        port_go(filter, &filters[i + 1]);
    }
    tasks_end(count);
    tasks_check(sum);
}

// ---- chameneos: creatures of three colours meet in pairs, and both change ----

#define CREATURES 10

static struct creature {
    int colour, met;
} creatures[CREATURES];
static port_chan mall, *met_with;

static int other_colour(int a, int b)
{
    return a == b ? a : 3 - a - b;
}

static void creature(void *arg)
{
    int me = (int)(intptr_t)arg;
    struct creature *c = &creatures[me];
    for (;;) {
        port_send(mall, (intptr_t)me * 4 + c->colour);
        intptr_t other = port_recv(met_with[me]);
        if (other < 0) return;
        c->colour = other_colour(c->colour, (int)other);
        c->met++;
    }
}

void chameneos_run(void)
{
    int meetings = tasks_count(600000), met = 0;
    port_chan_set(&mall, port_chan_make(0));
    port_chans_make(&met_with, CREATURES);
    for (int i = 0; i < CREATURES; i++) {
        port_chan_set(&met_with[i], port_chan_make(0));
        creatures[i].colour = i % 3;
    }
    tasks_begin();
    for (int i = 0; i < CREATURES; i++)
        port_go(creature, (void *)(intptr_t)i);
    for (int i = 0; i < meetings; i++) {
        intptr_t a = port_recv(mall), b = port_recv(mall);
        port_send(met_with[a / 4], b % 4);
        port_send(met_with[b / 4], a % 4);
    }
    for (int i = 0; i < CREATURES; i++)
        port_send(met_with[port_recv(mall) / 4], -1);
    tasks_end(meetings);
    for (int i = 0; i < CREATURES; i++)
        met += creatures[i].met;
    tasks_check((uint64_t)met << 12);
}

// ---- Savina: actors with mailboxes ----

#if PORT_BUFFERS
#define MAILBOX 256

static port_chan *mailboxes;

static void make_mailboxes(int n)
{
    port_chans_make(&mailboxes, (size_t)n);
    for (int i = 0; i < n; i++)
        port_chan_set(&mailboxes[i], port_chan_make(MAILBOX));
}

static int pings;

static void ponger(void *arg)
{
    (void)arg;
    for (int i = 0; i < pings; i++)
        port_send(mailboxes[0], port_recv(mailboxes[1]) + 1);
}

void ping_pong_run(void)
{
    pings = tasks_count(1000000);
    make_mailboxes(2);
    port_go(ponger, NULL);
    tasks_begin();
    for (int i = 0; i < pings; i++) {
        port_send(mailboxes[1], i);
        sum = tasks_mix(sum, (uint64_t)port_recv(mailboxes[0]));
    }
    tasks_end(pings);
    tasks_check(sum);
}

// big: each of 100 actors pings another one at random, and answers pings of others; one of its own
// is on the way at a time, so a mailbox never is full.  When it has had its answers it tells the
// end, and goes on answering.
#define ACTORS 100
#define PONG 1000
#define STOP 2000

static void actor(void *arg)
{
    int me = (int)(intptr_t)arg, left = pings;
    uint64_t state = (uint64_t)me;
    port_chan in = mailboxes[me], out = mailboxes[ACTORS];
    intptr_t message = PONG;
    while (message != STOP) {
        if (message != PONG) {
            port_send(mailboxes[message], PONG);
        } else if (left-- > 0) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            port_send(mailboxes[(state >> 33) % ACTORS], me);
        } else {
            port_send(out, me);
        }
        message = port_recv(in);
    }
    port_send(out, me);
}

void big_run(void)
{
    uint64_t ended = 0;
    pings = tasks_count(10000);
    make_mailboxes(ACTORS + 1);
    tasks_begin();
    for (int i = 0; i < ACTORS; i++)
        port_go(actor, (void *)(intptr_t)i);
    for (int i = 0; i < ACTORS; i++)
        port_recv(mailboxes[ACTORS]);
    tasks_end((double)pings * ACTORS);
    for (int i = 0; i < ACTORS; i++)
        port_send(mailboxes[i], STOP);
    for (int i = 0; i < ACTORS; i++)
        ended += (uint64_t)port_recv(mailboxes[ACTORS]) + 1;
    tasks_check(ended << 12);
}

// The bounded buffer: ten producers, ten consumers, room for fifty; each item costs both a little
// work.
#define SIDES 10
#define ROOM 50
#define WORK 20

static port_chan buffer, results;
static int items; // of each side

static uint64_t work(uint64_t value)
{
    for (int i = 0; i < WORK; i++)
        value = tasks_mix(value, (uint64_t)i);
    return value;
}

static void producer(void *arg)
{
    for (int i = 0; i < items; i++)
        port_send(buffer, (intptr_t)work((uint64_t)(intptr_t)arg + (uint64_t)i));
}

static void consumer(void *arg)
{
    uint64_t mine = 0;
    (void)arg;
    for (int i = 0; i < items; i++)
        mine += work((uint64_t)port_recv(buffer)) >> 12;
    port_send(results, (intptr_t)mine);
}

void bounded_run(void)
{
    items = tasks_count(100000);
    port_chan_set(&buffer, port_chan_make(ROOM));
    port_chan_set(&results, port_chan_make(SIDES));
    tasks_begin();
    for (int i = 0; i < SIDES; i++) {
        port_go(producer, (void *)(intptr_t)i);
        port_go(consumer, NULL);
    }
    for (int i = 0; i < SIDES; i++)
        sum += (uint64_t)port_recv(results);
    tasks_end((double)SIDES * items);
    tasks_check(sum);
}
#else
void ping_pong_run(void)
{
}
void big_run(void)
{
}
void bounded_run(void)
{
}
#endif
