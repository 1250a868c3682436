// Operations on a slice, against the same on a plain array; bounds that do not fit must panic.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "fuzz.h"

enum { MODEL_MAX = 512 };

typedef gort_slice(int) slice;

static struct {
    slice s;
    int model[MODEL_MAX];
    size_t len;
    int64_t a, b;
    size_t from;
} w;

static void sub(void *arg)
{
    (void)arg;
    w.s = gort_slice_sub(w.s, w.a, w.b);
}

static void delete (void *arg)
{
    (void)arg;
    gort_slice_delete(int, &w.s, w.a, w.b);
}

static void insert(void *arg)
{
    (void)arg;
    gort_slice_insert(int, &w.s, w.a, w.s.ptr + w.from, (size_t)w.b);
}

// Often there, sometimes beyond.
static int64_t place(struct input *in)
{
    return (int64_t)(take(in) % (w.len + 8)) - 4;
}

static void sub_both(struct input *in)
{
    size_t cap = w.s.cap;
    w.a = place(in), w.b = place(in);
    if ((uint64_t)w.b > w.len)
        w.b = (int64_t)cap + 1 + w.b % 3 * (w.b % 3); // not what was never written
    bool bad = w.a < 0 || w.b < w.a || w.b > (int64_t)cap;
    CHECK_EQ(gort_try(sub, NULL, NULL), bad);
    if (bad) return;
    w.len = (size_t)(w.b - w.a);
    memmove(w.model, w.model + w.a, w.len * sizeof(int));
}

static void delete_both(struct input *in)
{
    w.a = place(in), w.b = place(in);
    bool bad = w.a < 0 || w.b < w.a || w.b > (int64_t)w.len;
    CHECK_EQ(gort_try(delete, NULL, NULL), bad);
    if (bad) return;
    memmove(w.model + w.a, w.model + w.b, (w.len - (size_t)w.b) * sizeof(int));
    w.len -= (size_t)(w.b - w.a);
}

// Elements of its own.
static void insert_both(struct input *in)
{
    int copy[MODEL_MAX];
    w.a = place(in);
    w.from = take(in) % (w.len + 1);
    w.b = take(in) % (int64_t)(w.len - w.from + 1);
    if (w.len + (size_t)w.b > MODEL_MAX) return;
    bool bad = w.a < 0 || w.a > (int64_t)w.len;
    CHECK_EQ(gort_try(insert, NULL, NULL), bad);
    if (bad) return;
    memcpy(copy, w.model + w.from, (size_t)w.b * sizeof(int));
    memmove(w.model + w.a + w.b, w.model + w.a, (w.len - (size_t)w.a) * sizeof(int));
    memcpy(w.model + w.a, copy, (size_t)w.b * sizeof(int));
    w.len += (size_t)w.b;
}

static int by_value(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static int by_int(const int *a, const int *b)
{
    return by_value(a, b);
}

static void step(struct input *in)
{
    switch (take(in) % 8) {
    case 0:
        sub_both(in);
        break;
    case 1:
        delete_both(in);
        break;
    case 2:
        insert_both(in);
        break;
    case 3:
        gort_slice_sort(w.s);
        qsort(w.model, w.len, sizeof(int), by_value);
        break;
    case 4:
        gort_slice_sort_func(int, w.s, by_int);
        qsort(w.model, w.len, sizeof(int), by_value);
        break;
    case 5:
        w.s = gort_slice_clip(w.s);
        break;
    default:
        if (w.len == MODEL_MAX) break;
        w.model[w.len] = (int)take(in) - 100;
        gort_slice_append(int, &w.s, w.model[w.len]);
        w.len++;
    }
}

FUZZ(const uint8_t *data, size_t n)
{
    struct input in = { data, n };
    gort_slice_set(&w.s, (slice){ 0 });
    w.len = 0;
    for (int i = take(&in) % 32; i > 0; i--) {
        w.model[w.len++] = i;
        gort_slice_append(int, &w.s, i);
    }
    while (in.left != 0) {
        step(&in);
        CHECK_EQ(w.s.len, w.len);
        CHECK(w.len == 0 || memcmp(w.s.ptr, w.model, w.len * sizeof(int)) == 0);
        CHECK_GE(w.s.cap, w.s.len);
    }
}
