#!/usr/bin/env bash
# Faults that are to become panics, in libraries that were opened after that was asked for: the
# program's own do; those of the C library and of sanitizers, known by their names, stay fatal.
#
# TEST skip=asan,ubsan,tsan,coverage
#
# SPDX-License-Identifier: BSD-3-Clause
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/library.c" <<'END'
int load(volatile int *p) { return *p; }
END

cat >"$work/program.c" <<'END'
#include <dlfcn.h>
#include <gort.h>
#include <stdio.h>
#include <stdlib.h>

static int (*load)(volatile int *);

static void faults(void *at)
{
    load(at);
}

static int run(int argc, char **argv)
{
    gort_panic_info info;
    (void)argc;
    gort_set_panic_on_fault(true);
    void *library = dlopen(argv[1], RTLD_NOW);
    if (library == NULL) abort();
    load = (int (*)(volatile int *))dlsym(library, "load");
    if (!gort_try(faults, NULL, &info)) abort();
    puts(info.message);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
END

cc=${CC:-cc}
for name in libmine.so librt.so.9 libc.so.9; do
    $cc -O1 -shared -fPIC -o "$work/$name" "$work/library.c"
done

build=$1
$cc -O1 -Wall -Werror -I"$GORT_SOURCE_DIR/include" "$work/program.c" -o "$work/program" \
    "$build/libgort.a" -lpthread -ldl -lm

"$work/program" "$work/libmine.so" | grep -q '^NULL pointer dereference'
if ! ldd --version | sed -n '1s/.* //p' | awk -F. '{ exit !($1 > 2 || $2 >= 35) }'; then
    exit 0 # Note [Whose code] in lang/panic_fault.c
fi
for name in librt.so.9 libc.so.9; do
    code=0
    "$work/program" "$work/$name" >"$work/out" 2>"$work/err" || code=$?
    [ "$code" = 2 ]
    grep -q '^fatal error: SIGSEGV' "$work/err"
done
