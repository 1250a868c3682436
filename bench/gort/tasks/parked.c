// What a million parked goroutines cost: memory by the kernel's count (resident pages and page
// tables), and the time to start, park and wake them.  parked has stacks of the default size,
// parked-64 of 64 KB.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "tasks.h"

static gort_chan(intptr_t) gate;
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
static double status_kb(const char *line_name)
{
    char line[256];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    if (f == NULL) tasks_fail("no /proc/self/status");
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, line_name, strlen(line_name)) == 0)
            kb = strtod(line + strlen(line_name) + 1, NULL);
    fclose(f);
    return kb;
}

static int parked_count(void)
{
    const char *text = getenv("GORT_BENCH_PARKED");
    int n = text != NULL ? atoi(text) : 0;
    return n > 0 ? n : tasks_quick ? 100000 : 1000000;
}

void parked_run(void)
{
    int n = parked_count();
    gort_go_options options = { .stack_size = (size_t)tasks_number() << 10 };
    double rss = status_kb("VmRSS:"), tables = status_kb("VmPTE:");
    gort_set(&gate, gort_chan_make(intptr_t, 0));
    gort_waitgroup_add(&done, n);
    tasks_begin();
    for (int i = 0; i < n; i++)
        gort_go_opt(&options, wait_at_gate, NULL);
    while (__atomic_load_n(&arrived, __ATOMIC_RELAXED) != n)
        gort_yield();
    tasks_end(n);
    rss = status_kb("VmRSS:") - rss;
    tables = status_kb("VmPTE:") - tables;
    tasks_figure("bytes", (rss + tables) * 1024 / n);
    tasks_figure("tables", tables * 1024 / n);
    int64_t t = tasks_now();
    gort_close(gate);
    gort_waitgroup_wait(&done);
    tasks_figure("wake", (double)(tasks_now() - t) / 1e6);
    tasks_check((uint64_t)n << 12);
}
