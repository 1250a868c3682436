// Ps that several computations lose at once are all handed over before anybody who gets one is
// woken: who is woken may stop the world, and a stop must find each P (Note [Who is woken may stop
// the world] in sched/monitor.c).
//
// Two goroutines compute on two Ps, and others that collect all the time wait for one. The monitor
// takes both Ps at one look, mostly. Each heir that it has woken stops the world before it can do
// more here, and each stop looks whether all Ps are where they can be found. Again, until the
// first one was woken when there were two, a few times.
// TEST timeout=600 wrap=note_wake
// SPDX-License-Identifier: BSD-3-Clause
#include "goroutines.h"
#include "os/os.h"
#include "sched/sched_internal.h"
#include "sync/note.h"

enum { COLLECTORS = 4, WANTED = 3 };
#define LONG_ENOUGH (100 * GORT_MS)

static uint32_t two, over;   // atomic: how often two heirs were there; the end
static uint64_t collections; // atomic
static gort_waitgroup left;

static int heirs(void)
{
    int n = 0;
    for (const struct m *m = m_all(); m != NULL; m = m->all_next)
        n += LOAD(&m->next_p) != NULL;
    return n;
}

// The linker puts this in place of calls of note_wake.
void __wrap_note_wake(struct note *n);
void __real_note_wake(struct note *n);

// The monitor has neither goroutine nor P.
void __wrap_note_wake(struct note *n)
{
    const struct m *m = m_self();
    bool hands_over = m != NULL && m->curg == NULL && m->p == NULL && LOAD(&m->state) == M_BLOCKING;
    if (hands_over && heirs() >= 2) ADD(&two, 1);
    __real_note_wake(n);
    if (!hands_over) return;
    uint64_t before = LOAD(&collections);
    for (int64_t end = os_now() + LONG_ENOUGH; os_now() < end && LOAD(&collections) < before + 2;)
        os_thread_yield();
}

static void compute(void *unused)
{
    (void)unused;
    while (!LOAD(&over))
        arch_pause();
    gort_waitgroup_done(&left);
}

static void collect(void *unused)
{
    (void)unused;
    while (!LOAD(&over)) {
        gort_gc();
        ADD(&collections, 1);
        gort_yield();
    }
    gort_waitgroup_done(&left);
}

// The computations have the Ps, once; then they are without.
static void compute_and_collect(void)
{
    STORE(&over, 0);
    gort_waitgroup_add(&left, 2 + COLLECTORS);
    for (int i = 0; i < 2; i++)
        gort_go(compute, NULL);
    for (int i = 0; i < COLLECTORS; i++)
        gort_go(collect, NULL);
    gort_sleep(30 * GORT_MS);
    STORE(&over, 1);
    gort_waitgroup_wait(&left);
}

TEST(all_are_handed_over_before_one_is_woken)
{
    while (LOAD(&two) < WANTED)
        compute_and_collect();
}

static int main_goroutine(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN_ON(2, all_are_handed_over_before_one_is_woken);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(main_goroutine, argc, argv);
}
