// Maps: changes beside other use are fatal.  So is an iteration that is given another map.
//
// A change is made to last by an equality function that waits in it, until another goroutine, on another
// thread, has come.
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
#include <string.h>

static const char *name = "";
static gort_map(int, int) map;
static bool waits;  // atomic; comparisons wait from now on
static bool inside; // atomic; one waits

static bool is(const char *wanted)
{
    return strcmp(name, wanted) == 0;
}

static uint64_t hash(const int *key, uint64_t seed)
{
    return gort_hash_int((uint64_t)*key, seed);
}

static void use(void *arg)
{
    gort_map_iter it = GORT_MAP_ITER;
    (void)arg;
    if (is("writes") || is("caught") || is("within")) gort_map_put(map, 2, 2);
    if (is("deletes")) gort_map_delete(map, 2);
    if (is("clears")) gort_map_clear(map);
    if (is("read")) (void)gort_map_find(map, 2);
    if (is("iteration")) gort_map_next(map, &it, NULL, NULL);
}

static void use_caught(void *arg)
{
    if (is("caught"))
        gort_try(use, arg, NULL); // fatal is no panic
    else
        use(arg);
}

static bool equal(const int *a, const int *b)
{
    if (is("within") && __atomic_load_n(&waits, __ATOMIC_ACQUIRE)) use(NULL);
    while (__atomic_load_n(&waits, __ATOMIC_ACQUIRE))
        __atomic_store_n(&inside, true, __ATOMIC_RELEASE);
    return *a == *b;
}

static void change(void *arg)
{
    (void)arg;
    __atomic_store_n(&waits, true, __ATOMIC_RELEASE);
    gort_map_put(map, 1, 1); // compares, and so waits
}

static int run(int argc, char **argv)
{
    (void)argc;
    name = argv[1];
    gort_set(&map, gort_map_make_own(int, int, 0, hash, equal));
    gort_map_put(map, 1, 1);
    if (is("nil")) {
        gort_set(&map, NULL);
        gort_map_put(map, 1, 1);
    }
    if (is("another")) {
        gort_map_iter it = GORT_MAP_ITER;
        gort_map_next(map, &it, NULL, NULL);
        gort_map(int, int) other = gort_map_make(int, int, 0);
        gort_map_put(other, 1, 1);
        gort_map_next(other, &it, NULL, NULL);
    }
    if (is("within")) change(NULL);
    gort_go(change, NULL);
    while (!__atomic_load_n(&inside, __ATOMIC_ACQUIRE))
        gort_yield();
    use_caught(NULL);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
