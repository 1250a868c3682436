// Samples of the colours of objects: white falls, black rises, and at the end nothing is grey.
// SPDX-License-Identifier: BSD-3-Clause
#include "../gc/gc_test.h"
#include "gc/colors.h"
#include "marking.h"

enum { SAMPLES = 6, GARBAGE = 20000 };

static void check_samples(void)
{
    uint32_t n;
    const struct colors_sample *c = colors_samples(&n);
    CHECK_GE(n, 3); // the first, the last, and one between them
    CHECK_LE(n, SAMPLES + 2);
    for (uint32_t i = 1; i < n; i++) {
        CHECK_LE(c[i].white, c[i - 1].white);
        CHECK_GE(c[i].black + c[i].grey, c[i - 1].black + c[i - 1].grey);
    }
    const struct colors_sample *last = &c[n - 1];
    CHECK_EQ(last->grey, 0);
    CHECK_EQ(last->words, 0);
    // Garbage stays white; of the trees all was, and is black.
    CHECK_GE(last->white, GARBAGE);
    CHECK_GE(c[0].white, last->white + (uint64_t)MARKING_TREES * ((2 << MARKING_DEPTH) - 1));
    CHECK_GE(last->black, (uint64_t)MARKING_TREES * ((2 << MARKING_DEPTH) - 1));
    CHECK_LT(c[0].black, GARBAGE);
}

__attribute__((noinline)) static void make_garbage(void)
{
    for (int i = 0; i < GARBAGE + GARBAGE / 10; i++)
        gort_keep_alive(gort_new(node));
}

static void colours_move_one_way(void)
{
    prepare_marking(); // no workers: who waits marks, and samples
    gc_debug.colors = SAMPLES;
    for (int i = 0; i < 3; i++) {
        make_garbage();
        gort_gc();
        check_samples();
    }
    gc_debug.colors = 0;
}

int main(void)
{
    RUN_ALL(colours_move_one_way);
    return 0;
}
