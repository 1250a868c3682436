// The program that runs one load: <peer>/tasks LOAD PROCS [quick], or <peer>/tasks version.
//
// Exit status 3 says that there is no such load, or not for so many processors.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "tasks.h"

#include <time.h>

int tasks_procs = 1;
bool tasks_quick;

static const char *name;
static int64_t wall, cpu;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t tasks_now(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

double tasks_cpu(void)
{
    return (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

int tasks_count(int n)
{
    return tasks_quick ? n / 20 : n;
}

void tasks_begin(void)
{
    wall = clock_ns(CLOCK_MONOTONIC);
    cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void tasks_end(double ops)
{
    double w = (double)(clock_ns(CLOCK_MONOTONIC) - wall), c = tasks_cpu();
    tasks_figure("wall", w / 1e6);
    tasks_figure("cpu", c / 1e6);
    tasks_figure("each", c / ops);
    tasks_figure("wall-each", w / ops);
}

void tasks_figure(const char *figure, double value)
{
    printf("%s %.6f\n", figure, value);
}

void tasks_check(uint64_t check)
{
    printf("check %llu\n", (unsigned long long)(check >> 12)); // a double holds it exactly
}

void tasks_fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", PORT_NAME, what);
    exit(1);
}

int tasks_number(void)
{
    const char *dash = strrchr(name, '-');
    return dash != NULL ? atoi(dash + 1) : 0;
}

static struct {
    void (*fn)(void *);
    port_group done;
} joined;

static void join_one(void *arg)
{
    joined.fn(arg);
    port_group_done(&joined.done);
}

void tasks_join(int n, void (*fn)(void *))
{
    joined.fn = fn;
    port_group_add(&joined.done, n);
    for (int i = 0; i < n; i++)
        port_go(join_one, (void *)(intptr_t)i);
    port_group_wait(&joined.done);
}

static int version(void)
{
    char text[64];
    port_version(text, sizeof text);
    printf("%s\n", text);
    return 0;
}

#define BUFFERS 1 // needs channels with room
#define SELECT 2  // needs select
#define MANY 4    // needs a million tasks
#define HAVE (PORT_BUFFERS * BUFFERS + PORT_SELECT * SELECT + PORT_MANY * MANY)

// clang-format off
static const struct {
    const char *name;
    void (*run)(void);
    int needs;
} loads[] = {
    { "yield", yield_run, 0 },
    { "spawn", spawn_run, 0 },
    { "trip", trip_run, 0 },
    { "element", element_run, 0 },
    { "buffered", buffered_run, BUFFERS },
    { "select-ready-2", select_ready_run, SELECT | BUFFERS },
    { "select-ready-8", select_ready_run, SELECT | BUFFERS },
    { "select-blocking-2", select_blocking_run, SELECT },
    { "select-blocking-8", select_blocking_run, SELECT },
    { "skynet", skynet_run, MANY },
    { "thread-ring", thread_ring_run, 0 },
    { "sieve", sieve_run, 0 },
    { "chameneos", chameneos_run, 0 },
    { "ping-pong", ping_pong_run, BUFFERS },
    { "big", big_run, BUFFERS },
    { "bounded", bounded_run, BUFFERS },
    PORT_LOADS
};
// clang-format on

static int run(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "version") == 0) return version();
    if (argc < 3) {
        fprintf(stderr, "usage: %s LOAD PROCS [quick]\n", argv[0]);
        return 2;
    }
    name = argv[1];
    tasks_procs = atoi(argv[2]);
    tasks_quick = argc > 3 && strcmp(argv[3], "quick") == 0;
    if (tasks_procs > 1 && !PORT_THREADS) return 3;
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
        if (strcmp(name, loads[i].name) != 0) continue;
        if ((loads[i].needs & ~HAVE) != 0) return 3;
        loads[i].run();
        return 0;
    }
    return 3;
}

int main(int argc, char **argv)
{
    return port_run(run, argc, argv);
}
