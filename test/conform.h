// Conformance: programs of many short cases, each of which checks one promise of Go's scheduler,
// channels or locks as gort makes it.
//
// A program ends with a table of its cases and conform_main. Called with names it runs only these
// cases; with -l it lists them. A case says on how many Ps it runs, 0: on 1, 2, 4 and 16 in turn.
// Those that say 1 may count on the order in which goroutines run: they run first, in a process of
// their own in which no P is taken away (keep_ps), and not in the modes that are about that.
//
// SPDX-License-Identifier: BSD-3-Clause
#ifndef GORT_TEST_CONFORM_H
#define GORT_TEST_CONFORM_H

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

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

static const struct conform_case *conform_cases;
static int conform_n, conform_argc;
static char **conform_argv;
static bool conform_in_order; // which of the two processes this is

static bool conform_wanted(const char *name)
{
    for (int i = 1; i < conform_argc; i++)
        if (strcmp(conform_argv[i], name) == 0) return true;
    return conform_argc < 2;
}

static int conform_count(bool in_order)
{
    int n = 0;
    for (int i = 0; i < conform_n; i++)
        n += (conform_cases[i].procs == 1) == in_order && conform_wanted(conform_cases[i].name);
    return n;
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
    (void)argc, (void)argv;
    for (int i = 0; i < conform_n; i++) {
        const struct conform_case *k = &conform_cases[i];
        if ((k->procs == 1) != conform_in_order || !conform_wanted(k->name)) continue;
        conform_run_case(k);
    }
    printf("%d cases%s\n", conform_count(conform_in_order), conform_in_order ? " in order" : "");
    return 0;
}

// In a child, before there are threads.
static inline void conform_run_in_order(void)
{
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK_EQ(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
        conform_in_order = true;
        keep_ps();
        exit(gort_run(conform_run, conform_argc, conform_argv));
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    if (status != 0) exit(1); // it has said why
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
    CHECK_NE(conform_count(true) + conform_count(false), 0); // a name that there is not
    if (conform_count(true) != 0 && order_holds()) conform_run_in_order();
    return conform_count(false) != 0 ? gort_run(conform_run, argc, argv) : 0;
}
#define CONFORM_MAIN(cases)                                                                        \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return conform_main(cases, (int)(sizeof cases / sizeof cases[0]), argc, argv);             \
    }

#endif
