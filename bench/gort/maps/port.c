// Maps on gort.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "maps.h"

#include <gort.h>

typedef gort_map(uint64_t, uint64_t) int_map;
typedef gort_map(gort_map_bytes, uint64_t) text_map;

#define MAPS_PUT(m, k, v) gort_map_put(m, k, v)
#define MAPS_DELETE(m, k) gort_map_delete(m, k)
#define MAPS_GET(m, k, found, value) ((found) = gort_map_get(m, k, &(value)))
#define MAPS_SUM(m, sum)                                                                           \
    do {                                                                                           \
        uint64_t value_;                                                                           \
        gort_map_iter it_ = GORT_MAP_ITER;                                                         \
        while (gort_map_next(m, &it_, NULL, &value_))                                              \
            (sum) += value_;                                                                       \
    } while (0)
#define MAPS_FREE(m) ((void)(m))

#define MAPS_FN measure_ints
#define MAPS_KEY uint64_t
#define MAPS_FIELD(j, name) (j)->name##ints
#define MAPS_TYPE int_map
#define MAPS_MAKE() gort_map_make(uint64_t, uint64_t, 0)
#include "body.h"

#define MAPS_FN measure_texts
#define MAPS_KEY gort_map_bytes
#define MAPS_FIELD(j, name) (const gort_map_bytes *)(const void *)(j)->name##texts
#define MAPS_TYPE text_map
#define MAPS_MAKE() gort_map_make(gort_map_bytes, uint64_t, 0)
#include "body.h"

void maps_ints(const struct maps_job *job)
{
    measure_ints(job);
}

void maps_texts(const struct maps_job *job)
{
    measure_texts(job);
}

void maps_grow(const struct maps_job *job)
{
    int_map m = gort_map_make(uint64_t, uint64_t, 0);
    maps_each_begin();
    for (size_t i = 0; i < job->entries; i++) {
        gort_map_put(m, job->ints[i], i);
        maps_each();
    }
    maps_each_end();
    maps_check(gort_map_len(m));
}

void maps_version(char *text, size_t size)
{
    snprintf(text, size, "%s", "map.h");
}

int maps_run(int (*fn)(int argc, char **argv), int argc, char **argv)
{
    return gort_run(fn, argc, argv);
}
