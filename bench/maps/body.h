// The measured loops, for one kind of key.  Included by a port after it has defined
//
//     MAPS_FN                       the name of the function
//     MAPS_KEY, MAPS_FIELD(name)    the type of a key; the job's arrays of them
//     MAPS_TYPE, MAPS_MAKE()        the map's; values are uint64_t
//     MAPS_PUT(m, k, v), MAPS_DELETE(m, k)
//     MAPS_GET(m, k, found, value)  sets found and value
//     MAPS_SUM(m, sum)              adds all values
//     MAPS_FREE(m)                  nothing where memory is collected
//
// SPDX-License-Identifier: BSD-3-Clause

static void MAPS_FN(const struct maps_job *j)
{
    const MAPS_KEY *keys = MAPS_FIELD(j, ), *wanted = MAPS_FIELD(j, wanted_),
                   *missing = MAPS_FIELD(j, missing_);
    uint64_t sum = 0, value = 0;
    bool found = false;
    for (size_t round = 0; round < j->rounds; round++) {
        MAPS_TYPE m = MAPS_MAKE();
        maps_begin();
        for (size_t i = 0; i < j->entries; i++)
            MAPS_PUT(m, keys[i], i);
        maps_end("put", (double)j->entries);
        maps_begin();
        for (size_t i = 0; i < j->lookups; i++) {
            MAPS_GET(m, wanted[i], found, value);
            if (found) sum += value;
        }
        maps_end("hit", (double)j->lookups);
        maps_begin();
        for (size_t i = 0; i < j->lookups; i++) {
            MAPS_GET(m, missing[i], found, value);
            if (found) sum += value;
        }
        maps_end("miss", (double)j->lookups);
        maps_begin();
        for (size_t i = 0; i < j->lookups; i++)
            MAPS_PUT(m, wanted[i], i);
        maps_end("update", (double)j->lookups);
        maps_begin();
        MAPS_SUM(m, sum);
        maps_end("iterate", (double)j->entries);
        maps_begin();
        for (size_t i = 0; i < j->lookups; i++)
            MAPS_DELETE(m, wanted[i]);
        maps_end("delete", (double)j->lookups);
        for (size_t i = 0; i < j->lookups; i++) {
            MAPS_GET(m, wanted[i], found, value);
            sum += found;
        }
        MAPS_FREE(m);
    }
    maps_check(sum);
}

#undef MAPS_FN
#undef MAPS_KEY
#undef MAPS_FIELD
#undef MAPS_TYPE
#undef MAPS_MAKE
