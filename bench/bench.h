// What the benchmarks share: medians, and the same measurement made by a peer program in Go.
//
// A benchmark measures each of its lines RUNS times and takes the median. Where Go was installed
// when the benchmarks were built, <folder of the benchmark>/go/<name> prints the same lines, as
// "name value"; it runs before each of ours in turn, so that both see the same machine.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_BENCH_H
#define GORT_BENCH_H

#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BENCH_LINES 32
#define BENCH_RUNS 7

typedef struct {
    char name[40];
    double ours[BENCH_RUNS], peers[BENCH_RUNS];
    int n, n_peers;
} bench_line;

static bench_line bench_lines[BENCH_LINES];
static int bench_count;

static inline int64_t bench_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t bench_now(void)
{
    return bench_clock(CLOCK_MONOTONIC);
}

// CPU time of the process: what other programs do at the time matters less.
static inline int64_t bench_cpu(void)
{
    return bench_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static inline bench_line *bench_find(const char *name)
{
    for (int i = 0; i < bench_count; i++)
        if (strcmp(bench_lines[i].name, name) == 0) return &bench_lines[i];
    if (bench_count == BENCH_LINES) abort();
    bench_line *l = &bench_lines[bench_count++];
    snprintf(l->name, sizeof l->name, "%s", name);
    return l;
}

// One measurement of ours.
static inline void bench_add(const char *name, double value)
{
    bench_line *l = bench_find(name);
    if (l->n < BENCH_RUNS) l->ours[l->n++] = value;
}

// One run of the peer.
static inline void bench_run_peer(const char *program)
{
    char path[4096], command[4200], name[40];
    double value;
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) return;
    path[n] = '\0';
    snprintf(command, sizeof command, "%s/go/%s", dirname(path), program);
    if (access(command, X_OK) != 0) return;
    FILE *f = popen(command, "r");
    if (f == NULL) return;
    while (fscanf(f, "%39s %lf", name, &value) == 2) {
        bench_line *l = bench_find(name);
        if (l->n_peers < BENCH_RUNS) l->peers[l->n_peers++] = value;
    }
    pclose(f);
}

static inline int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline double bench_median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, bench_compare);
    return n % 2 != 0 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

// The table: ours, the peer's, and ours by the peer's; below 1 ours takes less.
static inline void bench_print(const char *unit)
{
    printf("%-28s %12s %12s %8s\n", unit, "gort", "Go", "ratio");
    for (int i = 0; i < bench_count; i++) {
        bench_line *l = &bench_lines[i];
        if (l->n == 0) continue;
        double ours = bench_median(l->ours, l->n);
        printf("%-28s %12.1f", l->name, ours);
        if (l->n_peers > 0) {
            double peers = bench_median(l->peers, l->n_peers);
            printf(" %12.1f %8.2f", peers, ours / peers);
        }
        printf("\n");
    }
}

#endif
