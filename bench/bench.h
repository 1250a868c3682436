// What the benchmarks share: clocks, medians, and the same measurement made by peer programs.
//
// A benchmark measures each of its lines several times and takes the median.  Programs of the same
// name in <folder of the benchmark>/<peer>/ measure the same lines with something else than gort;
// they are built where that is installed (Go, Boehm's collector, mimalloc, ...), and run before
// each of ours in turn, so that all see the same machine.  They print a line "name value" for each
// figure.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_BENCH_H
#define GORT_BENCH_H

#include <libgen.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BENCH_LINES 160
#define BENCH_RUNS 7

// Whose figure it is.
enum bench_who {
    BENCH_GORT,
    BENCH_GO,
    BENCH_BOEHM,
    BENCH_MIMALLOC,
    BENCH_LIBDILL,
    BENCH_NECO,
    BENCH_FIBER,
    BENCH_ABSL,
    BENCH_WHO
};
static const struct {
    const char *folder, *title;
} bench_who[BENCH_WHO] __attribute__((unused)) = {
    { "gort", "gort" },       { "go", "Go" },     { "boehm", "Boehm" }, { "mimalloc", "mimalloc" },
    { "libdill", "libdill" }, { "neco", "neco" }, { "fiber", "Fiber" }, { "absl", "Abseil" },
};

typedef struct {
    char name[40];
    double values[BENCH_WHO][BENCH_RUNS];
    int n[BENCH_WHO];
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

static inline void bench_add_for(enum bench_who who, const char *name, double value)
{
    bench_line *l = bench_find(name);
    if (l->n[who] < BENCH_RUNS) l->values[who][l->n[who]++] = value;
}

// One measurement of ours.
static inline void bench_add(const char *name, double value)
{
    bench_add_for(BENCH_GORT, name, value);
}

// The path of a peer's program of that name; false where it was not built.
static inline bool bench_path(char *path, size_t size, enum bench_who who, const char *program)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return false;
    self[n] = '\0';
    if (snprintf(path, size, "%s/%s/%s", dirname(self), bench_who[who].folder, program) >=
        (int)size)
        return false;
    return access(path, X_OK) == 0;
}

// One run of each peer that has the program.
static inline void bench_run_peer(const char *program)
{
    char path[4200], name[40];
    double value;
    for (int who = BENCH_GORT + 1; who < BENCH_WHO; who++) {
        if (!bench_path(path, sizeof path, (enum bench_who)who, program)) continue;
        FILE *f = popen(path, "r");
        if (f == NULL) continue;
        while (fscanf(f, "%39s %lf", name, &value) == 2)
            bench_add_for((enum bench_who)who, name, value);
        pclose(f);
    }
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

// The median of a line; false when there is none.
static inline bool bench_value(bench_line *l, enum bench_who who, double *value)
{
    if (l->n[who] == 0) return false;
    *value = bench_median(l->values[who], l->n[who]);
    return true;
}

// Does any line have a figure of this peer?
static inline bool bench_has(enum bench_who who)
{
    for (int i = 0; i < bench_count; i++)
        if (bench_lines[i].n[who] > 0) return true;
    return false;
}

// The table: ours, and for each peer its figure and ours by it; below 1 ours takes less.
static inline void bench_print(const char *unit)
{
    double ours, theirs;
    printf("%-28s %12s", unit, "gort");
    for (int who = BENCH_GORT + 1; who < BENCH_WHO; who++)
        if (bench_has((enum bench_who)who)) printf(" %12s %8s", bench_who[who].title, "ratio");
    printf("\n");
    for (int i = 0; i < bench_count; i++) {
        bench_line *l = &bench_lines[i];
        if (!bench_value(l, BENCH_GORT, &ours)) continue;
        printf("%-28s %12.1f", l->name, ours);
        for (int who = BENCH_GORT + 1; who < BENCH_WHO; who++) {
            if (!bench_has((enum bench_who)who)) continue;
            if (bench_value(l, (enum bench_who)who, &theirs))
                printf(" %12.1f %8.2f", theirs, ours / theirs);
            else
                printf(" %12s %8s", "-", "-");
        }
        printf("\n");
    }
}

#endif
