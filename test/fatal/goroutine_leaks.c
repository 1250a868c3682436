// GORTDEBUG=goleaks=1: each goroutine that leaked is reported once, after a collection.
//
// EXPECT leak exit=0 env:GORTDEBUG=goleaks=1 stderr=^gort: goroutine leak: nobody can wake goroutine \d+ any more:\n\ngoroutine \d+ \[chan receive, lost\]:\ngort_recv_raw\(\.\.\.\)\n\t.*\nlost_here\(\.\.\.\)\n\t.*\ncreated by lose in goroutine \d+$
// EXPECT leak absent=(?s:goroutine leak.*goroutine leak)
// EXPECT off exit=0 absent=goroutine leak
// EXPECT none exit=0 env:GORTDEBUG=goleaks=1 absent=goroutine leak
// EXPECT newborn exit=0 env:GORTDEBUG=goleaks=1 env:GORTMAXPROCS=1 absent=goroutine leak
//
// TEST skip=asan,tsan
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../listed.h"

#include "../goroutines.h"

#define NOINLINE __attribute__((noinline))
#define RETURN_HERE() __asm__ volatile("")
#define AS_ARG(c) ((void *)(uintptr_t)(c))

static gort_chan(int) held;

NOINLINE static void lost_here(void *arg)
{
    gort_chan(int) c = arg;
    gort_recv(c, NULL);
    RETURN_HERE();
}

NOINLINE static void lose(void *c)
{
    gort_go_opt(&(gort_go_options){ .name = "lost" }, lost_here, c);
    RETURN_HERE();
}

NOINLINE static void scrub(void)
{
    volatile char bytes[16384];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = 0;
    __asm__ volatile("" : : "r"(bytes) : SAVED_REGISTERS, "memory");
}

static const char *name;
static int started;

// A goroutine of its own, whose frames end with it.
static void start(void *arg)
{
    (void)arg;
    if (strcmp(name, "none") == 0) {
        gort_set(&held, gort_chan_make(int, 0));
        lose(AS_ARG(held));
    } else {
        lose(AS_ARG(gort_chan_make(int, 0)));
    }
    scrub(); // the next goroutine on this stack finds no word of it in frames that it does not fill
    __atomic_store_n(&started, 1, __ATOMIC_SEQ_CST);
}

NOINLINE static void receives(void *c)
{
    gort_recv((gort_chan(int))c, NULL);
    RETURN_HERE();
}

NOINLINE static void sends(void *c)
{
    gort_send((gort_chan(int))c, 1);
    RETURN_HERE();
}

// One waits for what another will send that has not run when the collection begins.
NOINLINE static void start_both(void)
{
    gort_chan(int) c = gort_chan_make(int, 0);
    gort_go(receives, AS_ARG(c));
    gort_yield();
    gort_yield();
    gort_go(sends, AS_ARG(c));
}

static void collect(void)
{
    scrub();
    gort_sleep(GORT_MS);
    gort_gc();
}

static int main_goroutine(int argc, char **argv)
{
    name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "newborn") == 0) {
        start_both();
        scrub();
        gort_gc();
        return 0;
    }
    gort_go(start, NULL);
    while (!__atomic_load_n(&started, __ATOMIC_SEQ_CST))
        gort_yield();
    if (strcmp(name, "none") == 0) WAIT_FOR(is_listed("[chan receive, lost]"));
    // It waits, or will, and who reports has its turn some time; the test's time limit is the other
    // end.
    while (strcmp(name, "none") != 0 && gort_goroutines_leaked(-1) < 1)
        collect();
    while (strcmp(name, "leak") == 0 && !is_printed(1))
        collect();
    for (int i = 0; i < 10; i++)
        collect();
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(main_goroutine, argc, argv);
}
