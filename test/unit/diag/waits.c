// How long a goroutine has waited: by the coarse clock, and as a report tells it.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>
#include <unistd.h>

#include "diag/text.h"
#include "diag/traceback.h"
#include "goroutines.h"
#include "os/os.h"
#include "sched/sched.h"

#define SECOND ((int64_t)1000000000)

static gort_chan(int) c;
static struct g *waiter_g;

static void waiter(void *arg)
{
    (void)arg;
    __atomic_store_n(&waiter_g, g_self(), __ATOMIC_RELEASE);
    gort_recv(c, NULL);
}

static bool waits(void)
{
    struct g *g = __atomic_load_n(&waiter_g, __ATOMIC_ACQUIRE);
    return g != NULL && __atomic_load_n(&g->status, __ATOMIC_ACQUIRE) == G_WAITING;
}

static void start_waiter(void)
{
    waiter_g = NULL;
    gort_set(&c, gort_chan_make(int, 0));
    gort_go(waiter, NULL);
    WAIT_FOR(waits());
}

static int64_t began(void)
{
    return __atomic_load_n(&waiter_g->wait_since, __ATOMIC_RELAXED);
}

// What a wait is noted to have begun at is never ahead, and follows: it passes each moment when the
// monitor has come round.
TEST(the_coarse_clock_goes)
{
    for (int i = 0; i < 3; i++) {
        int64_t moment = os_now(), noted;
        do {
            start_waiter();
            noted = began();
            CHECK_LE(noted, os_now());
            gort_close(c);
        } while (noted < moment);
    }
}

// The header of the waiter as if it had waited so long.  Again, where the report itself took too
// long.
static bool tells(int64_t ns, const char *header)
{
    struct text text;
    for (;;) {
        struct traceback t = { .out = &text.out };
        CHECK(text_begin(&text, 65536));
        int64_t before = os_now();
        __atomic_store_n(&waiter_g->wait_since, before - ns, __ATOMIC_RELAXED);
        traceback_other(&t, waiter_g);
        print_flush(&text.out);
        if (os_now() - before < SECOND) break;
        text_end(&text);
    }
    CHECK_LT(text.n, 65536u);
    bool found = strstr(text.buf, header) != NULL;
    if (!found) fprintf(stderr, "%s", text.buf);
    text_end(&text);
    return found;
}

TEST(reports_tell_it)
{
    start_waiter();
    CHECK(tells(SECOND, "[chan receive]:"));
    CHECK(tells(9 * SECOND, "[chan receive]:"));
    CHECK(tells(10 * SECOND, "[chan receive, 10 seconds]:"));
    CHECK(tells(119 * SECOND, "[chan receive, 119 seconds]:"));
    CHECK(tells(120 * SECOND, "[chan receive, 2 minutes]:"));
    CHECK(tells(7200 * SECOND, "[chan receive, 120 minutes]:"));
    gort_close(c);
}

static int main_goroutine(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN(the_coarse_clock_goes);
    RUN(reports_tell_it);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(main_goroutine, argc, argv);
}
