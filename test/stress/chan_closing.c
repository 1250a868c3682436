// N senders, M receivers, one orderly close: the short form.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../closing.h"

static void runs(void)
{
    closing_runs(test_count(10000));
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    runs(); // on as many Ps as the mode says
    RUN_ON_ALL(runs);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
