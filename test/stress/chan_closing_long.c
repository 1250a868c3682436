// N senders, M receivers, one orderly close: a million runs.
//
// TEST modes=none
// SPDX-License-Identifier: BSD-3-Clause
#include "../closing.h"

static void runs(void)
{
    closing_runs(test_count(250000));
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN_ON_ALL(runs);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
