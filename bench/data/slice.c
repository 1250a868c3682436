// Slices: append one by one, into large and small ones, of numbers and of pointers; sorting.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "data.h"

typedef int64_t number;
typedef gort_slice(number) numbers;

typedef struct cell {
    int64_t n;
} cell;
GORT_TYPE(cell);
typedef cell *cell_ref;
typedef gort_slice(cell_ref) cells;

static __attribute__((noinline)) numbers append_numbers(int n)
{
    numbers s = { 0 };
    for (int i = 0; i < n; i++)
        gort_slice_append(number, &s, i);
    return s;
}

static void append_large(void *done)
{
    int n = data_count(100000000);
    int64_t wall = data_now(), cpu = data_cpu();
    numbers s = append_numbers(n);
    data_add("append-100m-wall", (double)(data_now() - wall) / n);
    data_add("append-100m", (double)(data_cpu() - cpu) / n);
    data_sink += (uint64_t)s.ptr[n / 2];
    gort_waitgroup_done(done);
}

// What the program had before is not part of it, and what it had is not of the next: on a stack of
// its own, since a stale word of ours would keep the array, and let the heap grow to twice as much.
static void measure_append_large(void)
{
    gort_waitgroup done = { 0 };
    gort_waitgroup_add(&done, 1);
    gort_gc();
    gort_go(append_large, &done);
    gort_waitgroup_wait(&done);
    gort_gc();
}

static void measure_append_small(int each, const char *name)
{
    int n = data_count(20000000) / each;
    int64_t cpu = data_cpu();
    for (int i = 0; i < n; i++)
        data_sink += append_numbers(each).len;
    data_add(name, (double)(data_cpu() - cpu) / n / each);
}

static __attribute__((noinline)) cells append_cells(cell *c, int n)
{
    cells s = { 0 };
    for (int i = 0; i < n; i++)
        gort_slice_append(cell_ref, &s, c);
    return s;
}

static void measure_append_pointers(void)
{
    int n = data_count(20000);
    cell *c = gort_new(cell);
    int64_t cpu = data_cpu();
    for (int i = 0; i < n; i++)
        data_sink += append_cells(c, 1000).len;
    data_add("append-pointer-1000", (double)(data_cpu() - cpu) / n / 1000);
}

static int by_value(const number *a, const number *b)
{
    return (*a > *b) - (*a < *b);
}

static numbers random_numbers(int n)
{
    uint64_t x = 88172645463325252ull;
    numbers s = gort_slice_make(numbers, number, n, n);
    for (int i = 0; i < n; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        s.ptr[i] = (int64_t)(x >> 1);
    }
    return s;
}

static void measure_sort(void)
{
    int n = data_count(1000000);
    numbers s = random_numbers(n);
    int64_t cpu = data_cpu();
    gort_slice_sort(s);
    data_add("sort-1m", (double)(data_cpu() - cpu) / n);
    s = random_numbers(n);
    cpu = data_cpu();
    gort_slice_sort_func(number, s, by_value);
    data_add("sort-func-1m", (double)(data_cpu() - cpu) / n);
    data_sink += (uint64_t)s.ptr[n / 2];
}

void measure_slices(void)
{
    measure_append_large();
    measure_append_small(10, "append-10");
    measure_append_small(1000, "append-1000");
    measure_append_pointers();
    measure_sort();
}
