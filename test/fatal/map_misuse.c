// Maps: changes beside other use are fatal.  So is an iteration that is given another map.
//
// A change is made to last by keys that are long: they are compared within it.  One goroutine
// changes the same entry again and again, another, on another thread, does what it must not until
// it is told.
//
// EXPECT writes env:GORTMAXPROCS=2 stderr=\Afatal error: concurrent map writes\n
// EXPECT deletes env:GORTMAXPROCS=2 stderr=\Afatal error: concurrent map writes\n
// EXPECT clears env:GORTMAXPROCS=2 stderr=\Afatal error: concurrent map writes\n
// EXPECT read env:GORTMAXPROCS=2 stderr=\Afatal error: concurrent map read and map write\n
// EXPECT iteration env:GORTMAXPROCS=2 stderr=\Afatal error: concurrent map iteration and map write\n
// EXPECT caught env:GORTMAXPROCS=2 stderr=\Afatal error: concurrent map writes\n
// EXPECT within stderr=\Afatal error: concurrent map writes\n
// EXPECT another stderr=\Afatal error: gort_map_next: the iteration is of another map\n
// EXPECT nil stderr=\Apanic: assignment to entry in nil map\n
// EXPECT nil stderr=^gort_map_ref
//
// SPDX-License-Identifier: BSD-3-Clause
#include <gort.h>
#include <stdlib.h>
#include <string.h>

#define LONG_KEY (8 << 20)

static const char *name = "";
static gort_map(char *, int) map;
static char *key[2]; // equal

static bool is(const char *wanted)
{
    return strcmp(name, wanted) == 0;
}

static void use(void *arg)
{
    gort_map_iter it = GORT_MAP_ITER;
    (void)arg;
    if (is("writes") || is("caught")) gort_map_put(map, key[1], 2);
    if (is("deletes")) gort_map_delete(map, (char *)"other");
    if (is("clears")) gort_map_clear(map);
    if (is("read")) (void)gort_map_find(map, (char *)"other");
    if (is("iteration")) gort_map_next(map, &it, NULL, NULL);
}

static void change(void *arg)
{
    (void)arg;
    for (;;)
        gort_map_put(map, key[1], 1);
}

// The test's time limit is the other end.
static void change_and_use(void)
{
    for (int i = 0; i < 2; i++) {
        key[i] = malloc(LONG_KEY);
        if (key[i] == NULL) abort();
        memset(key[i], 'x', LONG_KEY - 1);
        key[i][LONG_KEY - 1] = '\0';
    }
    gort_set(&map, gort_map_make(char *, int, 0));
    gort_map_put(map, key[0], 1);
    gort_go(change, NULL);
    for (;;)
        if (is("caught"))
            gort_try(use, NULL, NULL); // fatal is no panic
        else
            use(NULL);
}

// ---- a program's own functions ------------------------------------------------------------------

static gort_map(int, int) own;
static bool changes; // the next comparison changes the map

static uint64_t hash(const int *k, uint64_t seed)
{
    return gort_hash_int((uint64_t)*k, seed);
}

static bool equal(const int *a, const int *b)
{
    if (changes) {
        changes = false;
        gort_map_put(own, 2, 2);
    }
    return *a == *b;
}

static void change_within(void)
{
    gort_set(&own, gort_map_make_own(int, int, 0, hash, equal));
    gort_map_put(own, 1, 1);
    changes = true;
    gort_map_put(own, 1, 1);
}

static int run(int argc, char **argv)
{
    (void)argc;
    name = argv[1];
    if (is("nil")) gort_map_put(own, 1, 1);
    if (is("another")) {
        gort_map_iter it = GORT_MAP_ITER;
        gort_map(int, int) first = gort_map_make(int, int, 0), other = gort_map_make(int, int, 0);
        gort_map_put(first, 1, 1);
        gort_map_next(first, &it, NULL, NULL);
        gort_map_put(other, 1, 1);
        gort_map_next(other, &it, NULL, NULL);
    }
    if (is("within"))
        change_within();
    else
        change_and_use();
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
