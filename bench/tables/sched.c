// What goroutines cost: switching, starting, channels, select, locks, programs that are mostly
// communication, deferred calls and panics, shared counters and maps, a million of them, timers,
// the network; beside Go and C's libraries of coroutines.
//
//     sched [--quick] [--runs N] [--list] [LINE ...]      LINE: the beginning of a line's name
//
// How it is measured: driver.h.  Lines are for one P; those that end in -2p for two.  With one P
// they are ns of CPU time, which other programs disturb less; with two, time by the wall clock,
// since two Ps that spin are no gain.  libdill and neco have one thread, Boost.Fiber is used so.
//
// The line "kvserver" is bench/kvserver.sh: kvserver against redis-server.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "driver.h"

#define PARKED 1000000
#define PARKED_KB 6 // memory for each parked goroutine: its stack, page tables, and room

#define NET (1 / 1.3) // 1.3 of Go's operations in the same time

// clang-format off
#define LINE(name, load, p, figure, unit, goal, of_go)                                             \
    { name, load, p, figure, unit, { goal, of_go, 0, 0 }, false, NULL },
#define ONE(n, goal, of_go) LINE(n, n, 1, "each", "ns CPU", goal, of_go)
#define TWO(n, goal, of_go) LINE(n "-2p", n, 2, "wall-each", "ns", goal, of_go)
#define PROGRAM(n) LINE(n, n, 1, "wall", "ms", 0, 0.5) LINE(n "-2p", n, 2, "wall", "ms", 0, 0.5)
#define MANY(n) TWO(n "-2", 0, 0.6) TWO(n "-8", 0, 0.6) TWO(n "-64", 0, 0.6)
#define QUEUES(p)                                                                                  \
    { "queues-" #p "p", "queues", p, "wall-each", "ns", { 0, 0, 0, 0 }, false, NULL },             \
    { "global-" #p "p", "queues", p, "wall-each", "ns", { 0, 0, 0, 0 }, false, "migrate=2" },
#define PARKED_LINES(n, bytes)                                                                     \
    { n, n, 2, "bytes", "bytes", { bytes, 0, 0, 0 }, true, NULL },                                 \
    { n "-tables", n, 2, "tables", "bytes", { 0, 0, 0, 0 }, true, NULL },                          \
    { n "-make", n, 2, "wall", "ms", { 3000, 0, 0, 0 }, true, NULL },                              \
    { n "-wake", n, 2, "wake", "ms", { 0, 0, 0, 0 }, true, NULL },
#define SHARED(n)                                                                                  \
    ONE("cmap-" n, 0, 0.8) TWO("cmap-" n, 0, 0.8) ONE("locked-" n, 0, 0) TWO("locked-" n, 0, 0)
#define LATENESS(n, p)                                                                             \
    LINE(n "-p50", "lateness", p, "p50", "us", 0, 0) LINE(n "-p99", "lateness", p, "p99", "us", 0, 1)
#define ECHO(n)                                                                                    \
    LINE(n, n, 2, "wall-each", "us", 0, NET) LINE(n "-server", n, 2, "server", "us CPU", 0, NET)   \
    LINE(n "-p50", n, 2, "p50", "us", 0, 0) LINE(n "-p99", n, 2, "p99", "us", 0, 1)
static const struct driver_line lines[] = {
    ONE("yield", 15, 0.3)
    ONE("spawn", 80, 0.35) TWO("spawn", 80, 0.35)
    ONE("trip", 110, 0.35) TWO("trip", 0, 0.6)
    ONE("element", 0, 0) TWO("element", 0, 0)
    ONE("buffered", 25, 0) TWO("buffered", 0, 0.4)
    ONE("select-ready-2", 0, 0.4) ONE("select-ready-8", 0, 0.4)
    ONE("select-blocking-2", 0, 0.4) ONE("select-blocking-8", 0, 0.4)
    TWO("select-blocking-2", 0, 0.4) TWO("select-blocking-8", 0, 0.4)
    MANY("mutex") MANY("rwmutex") MANY("waitgroup")
    PROGRAM("skynet") PROGRAM("thread-ring") PROGRAM("sieve") PROGRAM("chameneos")
    PROGRAM("ping-pong") PROGRAM("big") PROGRAM("bounded")
    ONE("defer", 0, 1) ONE("defer-loop", 0, 1) ONE("panic", 0, 0.5) ONE("panic-deep", 0, 0.5)
    ONE("counter", 0, 0.5) TWO("counter", 0, 0.5)
    SHARED("hit-1000") SHARED("hit-1000000") SHARED("update-100000") SHARED("insert-1000000")
    SHARED("mixed-100000")
    PARKED_LINES("parked", 4800) PARKED_LINES("parked-64", 4400)
    LINE("timers", "timers", 1, "each", "ns CPU", 0, 0.6)
    LINE("timers-2p", "timers", 2, "each", "ns CPU", 0, 0.6)
    LATENESS("lateness", 1) LATENESS("lateness-2p", 2)
    ONE("file-write-0", 0, 0) TWO("file-write-0", 0, 0)
    ONE("file-write-2", 0, 0) TWO("file-write-2", 0, 0)
    ECHO("echo-4") ECHO("echo-1000")
    QUEUES(1) QUEUES(2) QUEUES(4) QUEUES(8) QUEUES(16)
};
// clang-format on

static void scale_loads(void)
{
    driver_scale("GORT_BENCH_PARKED", "parked goroutines", driver_is_quick() ? PARKED / 10 : PARKED,
                 driver_available_mb() * 1024 / PARKED_KB / 2);
}

static int fresh_mb(const struct driver_line *l)
{
    bool parked = strncmp(l->load, "parked", 6) == 0;
    return parked ? (int)(strtod(getenv("GORT_BENCH_PARKED"), NULL) * PARKED_KB / 1024) : 0;
}

static double value_or_zero(const char *start, int procs, enum bench_who who)
{
    char name[40];
    double value;
    snprintf(name, sizeof name, "%s-%dp", start, procs);
    return driver_value(name, who, &value) ? value : 0;
}

// Why a P has a queue: ns for each turn of 256 goroutines, by the number of Ps.
static void print_queues(void)
{
    static const int procs[] = { 1, 2, 4, 8, 16 };
    bool headed = false;
    for (size_t i = 0; i < sizeof procs / sizeof *procs; i++) {
        double own = value_or_zero("queues", procs[i], BENCH_GORT);
        double global = value_or_zero("global", procs[i], BENCH_GORT);
        if (own == 0 || global == 0) continue;
        if (!headed)
            printf("\n%-24s %12s %12s %6s\n", "run queues: ns", "one for each", "only global",
                   "ratio");
        headed = true;
        printf("%2d %-21s %12.1f %12.1f %6.2f\n", procs[i], i == 0 ? "P" : "Ps", own, global,
               global / own);
    }
}

static void run_kvserver(void)
{
    char path[4200], command[4600], *end;
    if (!bench_path(path, sizeof path, BENCH_GORT, "tasks")) return;
    end = strstr(path, "/bench/gort/tasks");
    *end = '\0';
    printf(
        "\nkvserver against redis-server, 50 connections; goals for operations per second of server "
        "CPU:\nat least 1.00, in pipelines of 16 1.20; p99 at most 1.20\n");
    fflush(stdout);
    snprintf(command, sizeof command, "%s bash '%s/bench/kvserver.sh' '%s'",
             driver_is_quick() ? "RUNS=1 REQUESTS=20000" : "", GORT_SOURCE_DIR, path);
    if (system(command) != 0) printf("kvserver: not measured\n");
}

int main(int argc, char **argv)
{
    static const struct driver_table table = {
        .name = "sched",
        .program = "tasks",
        .lines = lines,
        .count = sizeof lines / sizeof *lines,
        .runs = 5,
        .fresh_mb = fresh_mb,
        .takes = { [BENCH_GORT] = true,
                   [BENCH_GO] = true,
                   [BENCH_LIBDILL] = true,
                   [BENCH_NECO] = true,
                   [BENCH_FIBER] = true },
        .before = scale_loads,
        .after = print_queues,
        .extra_name = "kvserver",
        .extra = run_kvserver,
    };
    return driver_main(&table, argc, argv);
}
