// Random programs and their shadows: see gc_shadow.h. Some seconds of what gc_shadow_long does.
// Its books are ordered by collections, of which ThreadSanitizer knows nothing.
// TEST skip=tsan
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_shadow.h"

static struct shadow_run alone = { .mutators = 1, .beside = 0 };
static struct shadow_run few = { .mutators = 2, .beside = 3 };
static struct shadow_run many = { .mutators = 8, .beside = 5 };

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    uint64_t seed = test_seed();
    alone.cycles = few.cycles = many.cycles = (uint64_t)test_count(300);
    run_shadow(&alone, seed);
    run_shadow(&few, seed + 1);
    run_shadow(&many, seed + 2);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
