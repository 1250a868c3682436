#!/usr/bin/env bash
# Thread-local variables of libraries that are opened after a thread began, and closed while it lives: what
# they hold is kept from the next collection on, and what was given back is not read.
#
# TEST skip=asan,ubsan,tsan,coverage timeout=200
#
# SPDX-License-Identifier: BSD-3-Clause
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/library.c" <<'END'
#ifndef BYTES
#define BYTES 64
#endif
static volatile __thread char before[BYTES];
static __thread void *kept[64];
static volatile __thread char after[BYTES];

void **keeps(void)
{
    before[BYTES - 1] = after[BYTES - 1] = 0;
    return kept;
}
END

cat >"$work/program.c" <<'END'
#include <dlfcn.h>
#include <gort.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DO(call) if (!(call)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #call); abort(); }

enum { KEPT = 64 };
typedef void **keeps_fn(void);
typedef struct { uint64_t value, more[5]; } thing;

static const char *folder;

// A goroutine with a thread of its own, which computes between the steps it is told: no call of gort.
typedef struct {
    _Atomic(void (*)(void *)) told;
    void *arg;
    atomic_int leaves, begun, done;
} worker;

static void works(void *p)
{
    worker *w = p;
    gort_lock_thread();
    atomic_store(&w->begun, 1);
    while (!atomic_load(&w->leaves)) {
        void (*fn)(void *) = atomic_load(&w->told);
        if (fn == NULL) continue;
        fn(w->arg);
        atomic_store(&w->told, NULL);
    }
    gort_unlock_thread();
    atomic_store(&w->done, 1);
}

static void begin(worker *w)
{
    memset(w, 0, sizeof *w);
    gort_go(works, w);
    while (!atomic_load(&w->begun))
        gort_yield();
}

static void tell(worker *w, void (*fn)(void *), void *arg)
{
    w->arg = arg;
    atomic_store(&w->told, fn);
    while (atomic_load(&w->told) != NULL)
        gort_yield();
}

static void leave(worker *w)
{
    atomic_store(&w->leaves, 1);
    while (!atomic_load(&w->done))
        gort_yield();
}

static void *open_library(const char *name)
{
    char path[500];
    snprintf(path, sizeof path, "%s/%s.so", folder, name);
    void *h = dlopen(path, RTLD_NOW);
    if (h == NULL) fprintf(stderr, "%s\n", dlerror());
    DO(h != NULL);
    return h;
}

static keeps_fn *keeps_of(void *library)
{
    keeps_fn *fn;
    *(void **)&fn = dlsym(library, "keeps");
    DO(fn != NULL);
    return fn;
}

static void touch(void *library)
{
    keeps_of(library)();
}

static void __attribute__((noinline)) fill(void *library)
{
    void **kept = keeps_of(library)();
    for (uint64_t i = 0; i < KEPT; i++) {
        thing *x = gort_new(thing);
        x->value = 1000 + i;
        gort_set(&kept[i], (void *)x);
    }
}

static void look(void *library)
{
    void **kept = keeps_of(library)();
    for (uint64_t i = 0; i < KEPT; i++)
        DO(((thing *)kept[i])->value == 1000 + i); // clobberfree=1: else it is overwritten
}

static void collect(void)
{
    gort_gc();
    gort_gc();
}

// ---- opened later -------------------------------------------------------------------------------------

static void opened_later(const char *name)
{
    worker w;
    begin(&w);
    void *h = open_library(name);
    collect(); // the thread has nothing of it yet
    tell(&w, fill, h);
    collect();
    tell(&w, look, h);
    DO(dlclose(h) == 0);
    collect();
    leave(&w);
}

// ---- closed -------------------------------------------------------------------------------------------

// The block is a mapping of its own, and goes when the thread next asks for a variable of a newer library.
static void closed(void)
{
    worker w;
    void *large = open_library("large");
    begin(&w);
    tell(&w, touch, large);
    collect();
    DO(dlclose(large) == 0);
    collect();
    void *other = open_library("other");
    tell(&w, touch, other);
    collect();
    leave(&w);
    DO(dlclose(other) == 0);
}

// Another library gets the number of one that was closed; the thread still has the former one's block.
static void number_is_used_again(void)
{
    worker w;
    begin(&w);
    void *small = open_library("small");
    tell(&w, fill, small);
    collect();
    DO(dlclose(small) == 0);
    void *large = open_library("large");
    collect();
    tell(&w, fill, large);
    collect();
    tell(&w, look, large);
    leave(&w);
    DO(dlclose(large) == 0);
}

// ---- many ---------------------------------------------------------------------------------------------

static void many(void)
{
    enum { MANY = 20 };
    void *h[MANY];
    worker w;
    char name[30];
    begin(&w);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "many%d", i);
        h[i] = open_library(name);
        if (i != 2) continue;
        tell(&w, fill, h[i]);
        collect(); // found while the thread's vector is surely not growing
    }
    collect(); // it may be: said on standard error
    tell(&w, look, h[2]);
    tell(&w, fill, h[MANY - 1]); // it has grown
    for (int i = 0; i < MANY; i++)
        if (i != 2) tell(&w, fill, h[i]);
    collect();
    for (int i = 0; i < MANY; i++)
        tell(&w, look, h[i]);
    leave(&w);
    for (int i = 0; i < MANY; i++)
        DO(dlclose(h[i]) == 0);
}

// ---- all at once -------------------------------------------------------------------------------------

typedef struct {
    const char *library;
    bool blocks; // what it does with the library's variables, it does in a blocking region
    atomic_int done;
} churner;

static void churns(void *p)
{
    churner *c = p;
    gort_lock_thread();
    for (int i = 0; i < 60; i++) {
        void *h = open_library(c->library);
        if (c->blocks) gort_enter_blocking();
        touch(h);
        if (c->blocks) gort_exit_blocking();
        fill(h);
        gort_yield();
        look(h);
        DO(dlclose(h) == 0);
    }
    gort_unlock_thread();
    atomic_store(&c->done, 1);
}

static void all_at_once(void)
{
    churner c[3] = { { .library = "small" }, { .library = "large", .blocks = true }, { .library = "other" } };
    for (int i = 0; i < 3; i++)
        gort_go(churns, &c[i]);
    for (int i = 0; i < 3; i++)
        while (!atomic_load(&c[i].done))
            gort_gc();
}

static int gort_main(int argc, char **argv)
{
    DO(argc == 3);
    folder = argv[1];
    if (strcmp(argv[2], "later") == 0) opened_later("small");
    if (strcmp(argv[2], "static") == 0) opened_later("static");
    if (strcmp(argv[2], "closed") == 0) closed();
    if (strcmp(argv[2], "again") == 0) number_is_used_again();
    if (strcmp(argv[2], "many") == 0) many();
    if (strcmp(argv[2], "churn") == 0) all_at_once();
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(gort_main, argc, argv);
}
END

library() # NAME FLAGS...
{
    local name=$1
    shift
    "$CC" -shared -fPIC -O1 "$@" -o "$work/$name.so" "$work/library.c"
}
library small
library static -ftls-model=initial-exec
library large -DBYTES=8000000
library other
for i in $(seq 0 19); do cp "$work/small.so" "$work/many$i.so"; done
"$CC" -O2 -g -D_GNU_SOURCE -fstack-clash-protection -I"$GORT_SOURCE_DIR/include" -o "$work/program" \
    "$work/program.c" "$1/libgort.a" -pthread -lm -ldl

run() # CASE DEBUG
{
    GORTMAXPROCS=3 GORTDEBUG=$2 timeout 60 "$work/program" "$work" "$1" >"$work/out" 2>"$work/err" ||
        { cat "$work/out" "$work/err"; echo "$1 with $2 failed"; exit 1; }
    local said
    said=$(grep -c 'not searched for pointers' "$work/err" || true)
    case $1:$said in many:1 | later:0 | static:0 | closed:0 | again:0 | churn:0) ;;
    *) cat "$work/err"; echo "$1 with $2: said $said times"; exit 1 ;;
    esac
}

for debug in clobberfree=1 clobberfree=1,gccheckmark=1 clobberfree=1,gcstoptheworld=1; do
    for case in later static closed again many churn; do run $case $debug; done
done
