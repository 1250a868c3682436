// Jobs of marking, counted by the kind of root they scan: each collection does all of them, a registered
// range is cut into pieces of 256 KB, and finalizers are a table of their own.
// TEST notmodes=determ
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <stdlib.h>

#include "test.h"

enum { PIECE = 256 * 1024, RANGE = 3 * PIECE + 64 };

static const char *const names[] = { "data",     "libraries", "ranges",       "records",
                                     "specials", "stacks",    "thread-locals" };
enum { DATA, LIBRARIES, RANGES, RECORDS, SPECIALS, STACKS, THREAD_LOCALS, KINDS };

static double find(const gort_metric *all, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].name, name) == 0) return all[i].value;
    CHECK(!"metric exists");
    return 0;
}

struct counts {
    double cycles, jobs[KINDS];
};

// Of the collections that are over: one moment's.
static struct counts read_counts(void)
{
    const gort_metric *all;
    struct counts c;
    char name[64];
    size_t n = gort_metrics(&all);
    c.cycles = find(all, n, "/gc/cycles/total:gc-cycles");
    for (int k = 0; k < KINDS; k++) {
        snprintf(name, sizeof name, "/gort/gc/roots/%s:jobs", names[k]);
        c.jobs[k] = find(all, n, name);
    }
    return c;
}

// What each of the next collections did.
static struct counts per_cycle(void)
{
    gort_gc(); // one that was on is over
    struct counts before = read_counts();
    for (int i = 0; i < 3; i++)
        gort_gc();
    struct counts c = read_counts();
    c.cycles -= before.cycles;
    CHECK(c.cycles >= 3);
    for (int k = 0; k < KINDS; k++)
        c.jobs[k] = (c.jobs[k] - before.jobs[k]) / c.cycles;
    return c;
}

TEST(each_cycle_scans_what_there_is)
{
    struct counts c = per_cycle();
    CHECK(c.jobs[DATA] >= 1);
    CHECK(c.jobs[STACKS] >= 1);
    CHECK(c.jobs[RANGES] == 0); // nobody has registered any
    CHECK(c.jobs[SPECIALS] == 0);
    CHECK(c.jobs[LIBRARIES] >= 0);
    CHECK(c.jobs[THREAD_LOCALS] >= 0);
}

TEST(a_range_is_cut_into_pieces)
{
    void *range = aligned_alloc(64, RANGE);
    memset(range, 0, RANGE);
    struct counts before = per_cycle();
    gort_root_add(range, RANGE);
    struct counts with = per_cycle();
    gort_root_remove(range);
    struct counts after = per_cycle();
    CHECK(with.jobs[RANGES] == before.jobs[RANGES] + 4);
    CHECK(after.jobs[RANGES] == before.jobs[RANGES]);
    free(range);
}

static void finalize(void *object)
{
    (void)object;
}

static char *kept;

TEST(a_finalizer_is_a_record)
{
    struct counts before = per_cycle();
    gort_set(&kept, (char *)gort_alloc_noscan(100));
    gort_set_finalizer(kept, finalize);
    struct counts with = per_cycle();
    CHECK(with.jobs[SPECIALS] == before.jobs[SPECIALS] + 1);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    RUN(each_cycle_scans_what_there_is);
    RUN(a_range_is_cut_into_pieces);
    RUN(a_finalizer_is_a_record);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
