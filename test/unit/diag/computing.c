// Threads that lose their P while they compute (rules 6 and 12 of the design): the cache goes with
// the P, and at most COMPUTING_PER_P threads of each P compute without one.
//
// On one P, goroutines compute until the monitor has refused to take the P from one of them.
// test/removals.txt takes out the cache's leaving, and the limit.
// TEST skip=tsan
// SPDX-License-Identifier: BSD-3-Clause
#include "goroutines.h"
#include "sched/sched_internal.h"

enum { MOST = 4, MANY = MOST + 3 };

static uint32_t refused; // atomic
static gort_waitgroup left;

static void compute(void *unused)
{
    (void)unused;
    uint64_t before = LOAD(&sched.retakes_refused);
    while (!LOAD(&refused)) {
        CHECK_LE(LOAD(&sched.ncomputing), MOST);
        if (LOAD(&sched.retakes_refused) != before) STORE(&refused, 1);
        if (LOAD(&m_self()->p) == NULL) // nor does a cache come back without a call
            CHECK_PTR_EQ(arch_tls_cache(), &gort_cache_empty);
    }
    gort_waitgroup_done(&left);
}

// Who is refused keeps the P, so the last ones do not run before the end.
TEST(at_most_so_many_without_a_p)
{
    gort_waitgroup_add(&left, MANY);
    for (int i = 0; i < MANY; i++)
        gort_go(compute, NULL);
    gort_waitgroup_wait(&left);
}

static int main_goroutine(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN_ON(1, at_most_so_many_without_a_p);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(main_goroutine, argc, argv);
}
