/* Closing a channel that several goroutines send to and several receive from.
 *
 * A send on a closed channel panics, so a channel is closed by whoever knows that no send can come
 * any more.  With one sender that is the sender.  With several it is the last of them that leaves:
 * each says so to a wait group, and one goroutine waits for all and closes, once.  The receivers
 * just receive until the channel is closed and drained; nobody counts elements, nobody is told to
 * stop.
 *
 * usage: closing [SENDERS [RECEIVERS [EACH]]]     4 and 3, 100000 elements from each sender
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <gort.h>

#include <stdio.h>
#include <stdlib.h>

typedef gort_chan(int64_t) numbers;

struct market {
    numbers c;
    int64_t each;
    gort_waitgroup senders, receivers;
    gort_mutex m;
    int64_t count, sum; /* by m */
};

static void send_all(void *arg)
{
    struct market *k = arg;
    for (int64_t i = 1; i <= k->each; i++)
        gort_send(k->c, i);
    gort_waitgroup_done(&k->senders);
}

static void receive_all(void *arg)
{
    struct market *k = arg;
    int64_t v, count = 0, sum = 0;
    while (gort_recv(k->c, &v)) {
        count++;
        sum += v;
    }
    gort_mutex_lock(&k->m);
    k->count += count;
    k->sum += sum;
    gort_mutex_unlock(&k->m);
    gort_waitgroup_done(&k->receivers);
}

static int usage(void)
{
    fprintf(stderr, "usage: closing [SENDERS [RECEIVERS [EACH]]]\n");
    return 2;
}

/* argv[i] as a number of at least 1, or what is given when there is none; 0: it is no number. */
static int64_t number(int argc, char **argv, int i, int64_t otherwise, int64_t most)
{
    if (i >= argc) return otherwise;
    char *end;
    long long n = strtoll(argv[i], &end, 10);
    return end != argv[i] && *end == '\0' && n >= 1 && n <= most ? n : 0;
}

static int run(int argc, char **argv)
{
    int64_t senders = number(argc, argv, 1, 4, 10000);
    int64_t receivers = number(argc, argv, 2, 3, 10000);
    struct market k = { .c = gort_chan_make(int64_t, 16),
                        .each = number(argc, argv, 3, 100000, 1000000000) };
    if (argc > 4 || senders == 0 || receivers == 0 || k.each == 0) return usage();
    gort_waitgroup_add(&k.senders, (int)senders);
    gort_waitgroup_add(&k.receivers, (int)receivers);
    for (int64_t i = 0; i < senders; i++)
        gort_go(send_all, &k);
    for (int64_t i = 0; i < receivers; i++)
        gort_go(receive_all, &k);
    gort_waitgroup_wait(&k.senders);
    gort_close(k.c); /* all that will ever be sent was sent */
    gort_waitgroup_wait(&k.receivers);
    bool right = k.count == senders * k.each && k.sum == senders * (k.each * (k.each + 1) / 2);
    printf("%lld elements received, %s\n", (long long)k.count, right ? "each once" : "WRONG");
    return right ? 0 : 1;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
