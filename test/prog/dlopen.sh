#!/usr/bin/env bash
# Libraries are opened and closed by threads of the program's own while goroutines collect: what their
# data holds is kept as long as they are there, and marking never reads what was unmapped.
#
# TEST skip=asan,ubsan,tsan,coverage
#
# SPDX-License-Identifier: BSD-3-Clause
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/library.c" <<'END'
static char large[8 << 20];
void *slot;
int touched;
void touch(void) { large[touched++]++; }
END

cat >"$work/program.c" <<'END'
#include <dlfcn.h>
#include <gort.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define DO(call) if (!(call)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #call); abort(); }

static const char *path[3];
static uint32_t stop, died; // atomic
static uint64_t opened;

static void *churn(void *which) // knows nothing of gort
{
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        void *h = dlopen(which, RTLD_NOW);
        DO(h != NULL);
        DO(dlclose(h) == 0);
        __atomic_fetch_add(&opened, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void on_death(void *p)
{
    (void)p;
    __atomic_fetch_add(&died, 1, __ATOMIC_RELAXED);
}

// A goroutine that opens a library itself, and has its data keep an object.
static void keeper(void *done)
{
    for (int i = 0; i < 10; i++) {
        void *h = dlopen(path[2], RTLD_NOW);
        DO(h != NULL);
        void **slot = dlsym(h, "slot");
        uint64_t *x = gort_new(uint64_t);
        *x = 77;
        gort_set_finalizer(x, on_death);
        gort_set(slot, (void *)x);
        x = NULL;
        for (int k = 0; k < 3; k++) {
            gort_gc();
            for (int j = 0; j < 100; j++)
                gort_keep_alive(gort_new(uint64_t));
        }
        DO(*(uint64_t *)*slot == 77);
        DO(__atomic_load_n(&died, __ATOMIC_RELAXED) <= (uint32_t)i);
        DO(dlclose(h) == 0);
    }
    __atomic_store_n((int *)done, 1, __ATOMIC_RELEASE);
}

static int gort_main(int argc, char **argv)
{
    static int done;
    pthread_t t[2];
    (void)argc;
    for (int i = 0; i < 3; i++)
        path[i] = argv[i + 1];
    for (int i = 0; i < 2; i++)
        DO(pthread_create(&t[i], NULL, churn, (void *)path[i]) == 0);
    gort_go(keeper, &done);
    int n = 0;
    for (; n <= 100 || __atomic_load_n(&opened, __ATOMIC_RELAXED) <= 100 ||
           !__atomic_load_n(&done, __ATOMIC_ACQUIRE); n++)
        gort_gc();
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    gort_enter_blocking();
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    gort_exit_blocking();
    printf("%d collections, %lu times opened\n", n, (unsigned long)opened);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(gort_main, argc, argv);
}
END

for name in a b c; do
    "$CC" -shared -fPIC -o "$work/$name.so" "$work/library.c"
done
"$CC" -O2 -g -D_GNU_SOURCE -fstack-clash-protection -I"$GORT_SOURCE_DIR/include" -o "$work/program" \
    "$work/program.c" "$1/libgort.a" -pthread -lm -ldl
for procs in 1 4; do
    GORTMAXPROCS=$procs timeout 250 "$work/program" "$work/a.so" "$work/b.so" "$work/c.so"
done
