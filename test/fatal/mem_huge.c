// Requests beyond every memory, each around a border: the report names the call and the size asked
// for, and the sizes that the heap has; nothing wraps around.
//
// EXPECT alloc-max stderr=^fatal error: out of memory: gort_alloc can not allocate 18446744073709551615 bytes; the heap has \d+ MB mapped, \d+ MB in use, \d+ MB live;
// EXPECT noscan-max stderr=^fatal error: out of memory: gort_alloc_noscan can not allocate 18446744073709551615 bytes; the heap has \d+ MB mapped
// EXPECT alloc-page-wraps stderr=^fatal error: out of memory: gort_alloc can not allocate 18446744073709547521 bytes;
// EXPECT alloc-space stderr=^fatal error: out of memory: gort_alloc can not allocate 140737488355328 bytes;
// EXPECT alloc-space-less stderr=^fatal error: out of memory: gort_alloc can not allocate 140737488355327 bytes;
// EXPECT noscan-space stderr=^fatal error: out of memory: gort_alloc_noscan can not allocate 140737488355328 bytes;
// EXPECT alloc-half stderr=^fatal error: out of memory: gort_alloc can not allocate 9223372036854775808 bytes;
// EXPECT alloc-limit stderr=^fatal error: out of memory: gort_alloc can not allocate 1099511627777 bytes;
// EXPECT new-huge stderr=^fatal error: out of memory: gort_new can not allocate 4503599627370496 bytes;
// EXPECT new-aligned stderr=^fatal error: out of memory: gort_new can not allocate 4503599627370496 bytes;
// EXPECT array-wraps stderr=^fatal error: out of memory: gort_new_array: 2305843009213693952 elements of 8 bytes overflow$
// EXPECT array-wraps-to-little stderr=^fatal error: out of memory: gort_new_array: 2305843009213693953 elements of 8 bytes overflow$
// EXPECT array-fits stderr=^fatal error: out of memory: gort_new_array can not allocate 18446744073709551608 bytes;
// EXPECT flex-wraps stderr=^fatal error: out of memory: gort_new_flex: 2305843009213693952 elements of 8 bytes overflow$
// EXPECT flex-wraps-by-head stderr=^fatal error: out of memory: gort_new_flex: 2305843009213693951 elements of 8 bytes overflow$
// EXPECT flex-fits stderr=^fatal error: out of memory: gort_new_flex can not allocate 18446744073709551608 bytes;
// EXPECT batch-wraps stderr=^fatal error: out of memory: gort_new_batch: 2305843009213693952 elements of 8 bytes overflow$
// EXPECT batch-wraps-of-bytes stderr=^fatal error: out of memory: gort_new_batch: 18446744073709551615 elements of 8 bytes overflow$
// EXPECT goes-on exit=0 stdout=^went on$
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>

#include "../test.h"

typedef struct flex {
    size_t n;
    int64_t a[];
} flex;

static struct gort_type huge = {
    .name = "huge", .size = (size_t)1 << 52, .align = 8, .flags = GORT_TYPE_CONSERVATIVE
};

// Refusals that are no ends: what is tried in vain by n * size of 0 elements.
static void go_on(void)
{
    volatile size_t none = 0;
    char *p = gort_new_array_raw(&huge, none);
    p[0] = 1;
    flex *f = gort_new_flex(flex, a, none);
    CHECK_EQ(f->n, 0);
    puts("went on");
}

static int run(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "";
    const struct {
        const char *name;
        size_t n;
    } plain[] = { { "alloc-max", SIZE_MAX },          { "alloc-page-wraps", SIZE_MAX - 4094 },
                  { "alloc-space", (size_t)1 << 47 }, { "alloc-space-less", ((size_t)1 << 47) - 1 },
                  { "alloc-half", (size_t)1 << 63 },  { "alloc-limit", ((size_t)1 << 40) + 1 } },
      arrays[] = { { "array-wraps", (size_t)1 << 61 },
                   { "array-wraps-to-little", ((size_t)1 << 61) + 1 },
                   { "array-fits", ((size_t)1 << 61) - 1 } },
      flexes[] = { { "flex-wraps", (size_t)1 << 61 },
                   { "flex-wraps-by-head", ((size_t)1 << 61) - 1 },
                   { "flex-fits", ((size_t)1 << 61) - 2 } };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        volatile size_t n = plain[i].n;
        if (strcmp(which, plain[i].name) == 0) gort_keep_alive(gort_alloc(n));
    }
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        volatile size_t n = arrays[i].n, m = flexes[i].n;
        if (strcmp(which, arrays[i].name) == 0) gort_keep_alive(gort_new_array(int64_t, n));
        if (strcmp(which, flexes[i].name) == 0) gort_keep_alive(gort_new_flex(flex, a, m));
    }
    volatile size_t max = SIZE_MAX, space = (size_t)1 << 47;
    if (strcmp(which, "noscan-max") == 0) gort_keep_alive(gort_alloc_noscan(max));
    if (strcmp(which, "noscan-space") == 0) gort_keep_alive(gort_alloc_noscan(space));
    if (strcmp(which, "new-huge") == 0) gort_keep_alive(gort_new_raw(&huge));
    huge.align = 1 << 21;
    if (strcmp(which, "new-aligned") == 0) gort_keep_alive(gort_new_raw(&huge));
    int64_t *batch[1];
    char *bytes[1];
    volatile size_t words = (size_t)1 << 61;
    if (strcmp(which, "batch-wraps") == 0) gort_new_batch(int64_t, batch, words);
    if (strcmp(which, "batch-wraps-of-bytes") == 0) gort_new_batch(char, bytes, max);
    if (strcmp(which, "goes-on") == 0) go_on();
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
