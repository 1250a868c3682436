// The program: keys, clocks, figures.
//
//     maps LOAD PROCS [quick]     int-1k, int-100k, int-10m, text-1k, text-100k, text-10m, grow
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // RUSAGE_THREAD
#endif
#include "maps.h"

#include <sys/resource.h>
#include <time.h>

#define LOOKUPS_MAX 1000000
#define OPERATIONS 4000000 // with few entries, so many of each kind in all
#define FIGURES 8

static struct figure {
    const char *name;
    double ns, ops;
} figures[FIGURES];
static uint64_t check;
static int64_t begun;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void maps_begin(void)
{
    begun = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static struct figure *figure_of(const char *name)
{
    struct figure *f = figures;
    while (f->name != NULL && strcmp(f->name, name) != 0)
        f++;
    f->name = name;
    return f;
}

void maps_end(const char *name, double ops)
{
    struct figure *f = figure_of(name);
    f->ns += (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begun);
    f->ops += ops;
}

static struct moment {
    int64_t wall, cpu;
    long faults;
} last, longest;
static int64_t longest_own;

static struct moment moment_now(void)
{
    struct rusage r;
    getrusage(RUSAGE_THREAD, &r);
    return (struct moment){ clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_THREAD_CPUTIME_ID),
                            r.ru_minflt + r.ru_majflt };
}

void maps_each_begin(void)
{
    longest = (struct moment){ 0, 0, 0 };
    longest_own = 0;
    last = moment_now();
}

static void raise_to(int64_t *most, int64_t ns)
{
    if (ns > *most) *most = ns;
}

void maps_each(void)
{
    struct moment now = moment_now();
    raise_to(&longest.wall, now.wall - last.wall);
    raise_to(&longest.cpu, now.cpu - last.cpu);
    if (now.faults == last.faults) raise_to(&longest_own, now.cpu - last.cpu);
    last = now;
}

static void add_longest(const char *name, int64_t ns)
{
    struct figure *f = figure_of(name);
    f->ns = (double)ns / 1000;
    f->ops = 1;
}

void maps_each_end(void)
{
    add_longest("longest", longest.wall);
    add_longest("longest-cpu", longest.cpu);
    add_longest("longest-own", longest_own);
}

void maps_check(uint64_t value)
{
    check += value;
}

// ---- keys ----

// A bijection: different numbers, different keys.
static uint64_t scatter(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

// The number that the i-th lookup is for: all of them once, in a random order, when there are as
// many.
static size_t wanted_number(size_t i, size_t entries, const size_t *order)
{
    return entries <= LOOKUPS_MAX ? order[i] : scatter(i + 77) % entries;
}

static size_t *random_order(size_t n)
{
    size_t *order = malloc(n * sizeof *order);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n - 1; i > 0; i--) {
        size_t k = scatter(i) % (i + 1), was = order[i];
        order[i] = order[k];
        order[k] = was;
    }
    return order;
}

static void make_ints(struct maps_job *j, const size_t *order)
{
    j->ints = malloc(j->entries * sizeof *j->ints);
    j->wanted_ints = malloc(j->lookups * sizeof *j->wanted_ints);
    j->missing_ints = malloc(j->lookups * sizeof *j->missing_ints);
    for (size_t i = 0; i < j->entries; i++)
        j->ints[i] = scatter(i + 1);
    for (size_t i = 0; i < j->lookups; i++) {
        j->wanted_ints[i] = scatter(wanted_number(i, j->entries, order) + 1);
        j->missing_ints[i] = scatter(j->entries + i + 1);
    }
}

// 8 to 23 characters.
static maps_text text_of(uint64_t number, char **arena)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%016llx", (unsigned long long)scatter(number));
    size_t size = 8 + scatter(number + 5) % 16;
    memset(text + n, '-', sizeof text - (size_t)n);
    maps_text t = { *arena, size };
    memcpy(*arena, text, size);
    *arena += size;
    return t;
}

static maps_text *make_texts(size_t n, const uint64_t *numbers)
{
    maps_text *texts = malloc(n * sizeof *texts);
    char *arena = malloc(n * 24);
    for (size_t i = 0; i < n; i++)
        texts[i] = text_of(numbers[i], &arena);
    return texts;
}

static void make_job(struct maps_job *j, size_t entries)
{
    *j = (struct maps_job){ .entries = entries,
                            .lookups = entries < LOOKUPS_MAX ? entries : LOOKUPS_MAX };
    j->rounds = entries < OPERATIONS ? OPERATIONS / entries : 1;
    size_t *order = random_order(entries);
    make_ints(j, order);
    free(order);
}

static void make_text_job(struct maps_job *j)
{
    j->texts = make_texts(j->entries, j->ints);
    j->wanted_texts = make_texts(j->lookups, j->wanted_ints);
    j->missing_texts = make_texts(j->lookups, j->missing_ints);
}

// ---- the program ----

static size_t entries_of(const char *load, bool quick)
{
    const char *size = strchr(load, '-');
    if (size == NULL || strcmp(size, "-10m") == 0) return quick ? 1000000 : 10000000;
    if (strcmp(size, "-100k") == 0) return 100000;
    if (strcmp(size, "-1k") == 0) return 1000;
    exit(3);
}

static int run(int argc, char **argv)
{
    struct maps_job job;
    bool quick = argc > 3 && strcmp(argv[3], "quick") == 0;
    make_job(&job, entries_of(argv[1], quick));
    if (quick && job.rounds > 1) job.rounds = (job.rounds + 9) / 10;
    if (strncmp(argv[1], "int-", 4) == 0) {
        maps_ints(&job);
    } else if (strncmp(argv[1], "text-", 5) == 0) {
        make_text_job(&job);
        maps_texts(&job);
    } else if (strcmp(argv[1], "grow") == 0) {
        maps_grow(&job);
    } else {
        return 3;
    }
    for (struct figure *f = figures; f->name != NULL; f++)
        printf("%s %.3f\n", f->name, f->ns / f->ops);
    printf("check %llu\n", (unsigned long long)(check & 0xffffffff));
    return 0;
}

int main(int argc, char **argv)
{
    char text[64] = "";
    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        maps_version(text, sizeof text);
        puts(text);
        return 0;
    }
    if (argc < 3) {
        fprintf(stderr, "usage: maps LOAD PROCS [quick]\n");
        return 2;
    }
    return maps_run(run, argc, argv);
}
