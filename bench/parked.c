// What a parked goroutine costs: memory by the kernel's count (resident pages and page tables), and
// the time to start it, park it, and wake it. A hundred thousand of them, each with its guard.
//
//     parked [COUNT]
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "bench.h"

static gort_chan(int) gate;
static gort_waitgroup done;
static int arrived; // atomic

static void wait_at_gate(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&arrived, 1, __ATOMIC_RELAXED);
    gort_recv(gate, NULL);
    gort_waitgroup_done(&done);
}

// Kilobytes of one line of /proc/self/status.
static double status_kb(const char *name)
{
    char line[256];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    if (f == NULL) return 0;
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0) kb = strtod(line + strlen(name) + 1, NULL);
    fclose(f);
    return kb;
}

static int run(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 100000;
    bench_run_peer("parked");
    double rss = status_kb("VmRSS:"), tables = status_kb("VmPTE:");
    gort_set(&gate, gort_chan_make(int, 0));
    gort_waitgroup_add(&done, count);
    int64_t t = bench_now();
    for (int i = 0; i < count; i++)
        gort_go(wait_at_gate, NULL);
    while (__atomic_load_n(&arrived, __ATOMIC_RELAXED) != count)
        gort_yield();
    bench_add("start-and-park-ns", (double)(bench_now() - t) / count);
    bench_add("resident-bytes", (status_kb("VmRSS:") - rss) * 1024 / count);
    bench_add("page-table-bytes", (status_kb("VmPTE:") - tables) * 1024 / count);
    t = bench_now();
    gort_close(gate);
    gort_waitgroup_wait(&done);
    bench_add("wake-and-exit-ns", (double)(bench_now() - t) / count);
    bench_print("each");
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
