// The records of spans, and the marks of their slots, go back to the kernel after a peak of the
// heap, are counted, and serve again at the next peak.
//
// What is dropped may be kept here and there by a word that somebody left on a stack, so half of
// what there was is asked for, and a few collections are allowed.
//
// TEST modes=p1,p2,p4,p16,clobber,yield,scav
// SPDX-License-Identifier: BSD-3-Clause
#include "gc_util.h"

enum { ROWS = 64, COLLECTIONS = 10 };

typedef void *pointer;
static void **rows[ROWS]; // objects without pointers
static size_t objects, size;

static double read_metric(const char *name)
{
    double value = -1;
    CHECK_EQ(gort_metric_read(name, &value), 0);
    return value;
}

// Bytes of records that have memory.
static double records(void)
{
    return read_metric("/memory/classes/metadata/mspan/inuse:bytes") +
           read_metric("/memory/classes/metadata/mspan/free:bytes");
}

// Bytes of records and of marks that went back, ever.
static double given_back(void)
{
    return read_metric("/gort/heap/records/background:bytes") +
           read_metric("/gort/heap/records/forced:bytes") +
           read_metric("/gort/heap/records/limit:bytes");
}

static void fill(void *unused)
{
    size_t each = objects / ROWS;
    (void)unused;
    for (size_t i = 0; i < ROWS; i++) {
        gort_set(&rows[i], (void **)gort_new_array(pointer, each));
        for (size_t k = 0; k < each; k++) {
            gort_set(&rows[i][k], gort_alloc_uninit(size));
            *(size_t *)rows[i][k] = i * each + k;
        }
    }
}

static void check_filled(void)
{
    size_t each = objects / ROWS;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < each; k++)
            CHECK_EQ(*(size_t *)rows[i][k], i * each + k);
}

static void drop(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < ROWS; i++)
        gort_set(&rows[i], (void **)NULL);
}

// A span for each object.
static void peak_of_spans(void)
{
    objects = 8192, size = 8192;
    double before = records(), back = given_back();
    on_goroutine(fill, NULL);
    check_filled();
    double peak = records();
    CHECK(peak >= before + (double)objects * 64); // some lines each
    on_goroutine(drop, NULL);
    int n = 0;
    do
        gort_free_os_memory();
    while (records() > before + (peak - before) / 2 && ++n < COLLECTIONS);
    double left = records(); // before what was given back: more of it goes in the background
    CHECK(left <= before + (peak - before) / 2);
    CHECK(given_back() - back >= peak - left);
}

// Many objects in a span, each of which has a byte of marks.  Read apart from the spans' own
// records.
static void peak_of_marks(void)
{
    objects = 512 * 1024, size = 64;
    double back = given_back();
    on_goroutine(fill, NULL);
    check_filled();
    double peak = records(), marks;
    on_goroutine(drop, NULL);
    int n = 0;
    do {
        gort_free_os_memory();
        marks = given_back() - back - (peak - records());
    } while (marks < (double)objects / 2 && ++n < COLLECTIONS);
    CHECK(marks >= (double)objects / 2);
}

TEST(records_of_spans)
{
    peak_of_spans();
    peak_of_spans(); // what went back serves again
}

TEST(marks_of_slots)
{
    peak_of_marks();
    peak_of_marks();
}

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    RUN(records_of_spans);
    RUN(marks_of_slots);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
