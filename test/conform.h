// Conformance: programs of many short cases, each of which checks one promise of Go's scheduler,
// channels or locks as gort makes it.
//
// A program ends with a table of its cases and conform_main. Called with names it runs only these
// cases; with -l it lists them. A case says on how many Ps it runs, 0: on 1, 2, 4 and 16 in turn.
// Those that say 1 may count on the order in which goroutines run.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_TEST_CONFORM_H
#define GORT_TEST_CONFORM_H

#include "goroutines.h"

struct conform_case {
    const char *name;
    void (*fn)(void);
    int procs;
};
#define CASE(name, procs)                                                                          \
    {                                                                                              \
#name, name, procs                                                                         \
    }

typedef gort_chan(int) ints;
typedef gort_chan(void *) pointers;

// What most cases and their goroutines share: each uses what it needs of it.
struct world {
    ints c, d, e, done;
    pointers p;
    gort_mutex m;
    gort_rwmutex rw;
    gort_cond cond;
    gort_once once;
    gort_waitgroup wg;
    gort_sema sema;
    int id, n, rounds;
    int64_t a, b, sum; // atomic where several goroutines run
    int log[64];       // what happened, in order, on one P
    int nlog;
};

static inline void note(struct world *w, int what)
{
    TEST_ORDERED(&test_turns);
    CHECK(w->nlog < 64);
    w->log[w->nlog++] = what;
    TEST_ORDERED(&test_turns);
}

// n goroutines of fn, each with a copy of *w that points to nothing else, and its own id.
struct member {
    struct world *w;
    int id;
};
__attribute__((unused)) static void start_members(struct world *w, int n, void (*fn)(void *))
{
    for (int i = 0; i < n; i++) {
        struct member m = { w, i };
        gort_go_copy(fn, &m, sizeof m);
    }
}

// The same, each waiting before the next begins; on one P.
__attribute__((unused)) static void start_one_by_one(struct world *w, int n, void (*fn)(void *))
{
    for (int i = 0; i < n; i++) {
        struct member m = { w, i };
        gort_go_copy(fn, &m, sizeof m);
        settle();
    }
}

__attribute__((unused)) static void check_in_order(const struct world *w, int n)
{
    CHECK_EQ(w->nlog, n);
    for (int i = 0; i < n; i++)
        CHECK_EQ(w->log[i], i);
}

// A test mode that changes the order of goroutines is on.
static inline bool in_mode(const char *name)
{
    const char *text = getenv("GORTDEBUG");
    return text != NULL && strstr(text, name) != NULL;
}

static const struct conform_case *conform_cases;
static int conform_n, conform_argc;
static char **conform_argv;

static bool conform_wanted(const char *name)
{
    for (int i = 1; i < conform_argc; i++)
        if (strcmp(conform_argv[i], name) == 0) return true;
    return conform_argc < 2;
}

static void conform_run_case(const struct conform_case *k)
{
    static const int all[] = { 1, 2, 4, 16 };
    test_current = k->name;
    for (int i = 0; i < 4; i++) {
        int former = gort_max_procs(k->procs != 0 ? k->procs : all[i]);
        k->fn();
        gort_max_procs(former);
        if (k->procs != 0) break;
    }
}

static int conform_run(int argc, char **argv)
{
    int ran = 0;
    (void)argc, (void)argv;
    for (int i = 0; i < conform_n; i++) {
        if (!conform_wanted(conform_cases[i].name)) continue;
        conform_run_case(&conform_cases[i]);
        ran++;
    }
    CHECK(ran != 0); // a name that there is not
    printf("%d cases\n", ran);
    return 0;
}

static inline int conform_main(const struct conform_case *cases, int n, int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "-l") == 0) {
        for (int i = 0; i < n; i++)
            puts(cases[i].name);
        return 0;
    }
    conform_cases = cases;
    conform_n = n;
    conform_argc = argc;
    conform_argv = argv;
    test_seed();
    return gort_run(conform_run, argc, argv);
}
#define CONFORM_MAIN(cases)                                                                        \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return conform_main(cases, (int)(sizeof cases / sizeof cases[0]), argc, argv);             \
    }

#endif
