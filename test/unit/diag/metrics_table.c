// The table of metrics: sorted, well formed, and every row readable.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "test.h"

static const gort_metric *all;
static size_t count;

static void well_formed(const gort_metric *m)
{
    const char *colon = strchr(m->name, ':');
    CHECK_EQ(m->name[0], '/');
    CHECK(colon != NULL);
    CHECK_STR_EQ(colon + 1, m->unit);
    CHECK(strlen(m->description) > 10);
    CHECK_EQ(m->description[strlen(m->description) - 1], '.');
    CHECK(m->kind >= GORT_METRIC_COUNTER && m->kind <= GORT_METRIC_HISTOGRAM);
    for (const char *s = m->name; *s != '\0'; s++)
        CHECK((*s >= 'a' && *s <= 'z') || strchr("/:-", *s) != NULL);
}

TEST(rows_are_sorted_and_well_formed)
{
    for (size_t i = 0; i < count; i++) {
        well_formed(&all[i]);
        if (i > 0) CHECK(strcmp(all[i - 1].name, all[i].name) < 0);
    }
}

TEST(every_row_can_be_read)
{
    for (size_t i = 0; i < count; i++) {
        double value = -12345;
        const double *bounds = NULL;
        const uint64_t *counts = NULL;
        size_t n = 0;
        CHECK_EQ(gort_metric_read(all[i].name, &value), 0);
        CHECK(value != -12345);
        int wanted = all[i].kind == GORT_METRIC_HISTOGRAM ? 0 : -1;
        CHECK_EQ(gort_metric_histogram(all[i].name, &bounds, &counts, &n), wanted);
        CHECK_EQ(n > 0, wanted == 0);
        if (wanted == 0)
            for (size_t k = 0; k < n; k++)
                CHECK(bounds[k] < bounds[k + 1]);
    }
}

TEST(unknown_names)
{
    double value = 7;
    CHECK_EQ(gort_metric_read("/gc/nothing:bytes", &value), -1);
    CHECK_EQ(gort_metric_read("", &value), -1);
    CHECK_EQ(gort_metric_read("/zzz", &value), -1);
    CHECK(value == 7);
}

static int run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    count = gort_metrics(&all);
    CHECK_EQ(gort_metrics(NULL), count);
    RUN(rows_are_sorted_and_well_formed);
    RUN(every_row_can_be_read);
    RUN(unknown_names);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
