// A program that allocates nothing is collected all the same, after two minutes.
//
// TEST modes=none
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "test.h"

static int run(int argc, char **argv)
{
    double cycles = 0;
    (void)argc;
    (void)argv;
    for (int seconds = 0; seconds < 130 && cycles == 0; seconds++) {
        gort_sleep(GORT_S);
        CHECK_EQ(gort_metric_read("/gort/gc/cycles/periodic:gc-cycles", &cycles), 0);
    }
    CHECK(cycles == 1);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
