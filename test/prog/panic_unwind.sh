#!/usr/bin/env bash
# C compiled with -fexceptions: cleanup attributes of the frames that a panic or an exit leaves are honoured,
# with each compiler, whatever the file with gort_try was compiled with; without it they are not.
# TEST skip=asan,ubsan,tsan,coverage
#
# SPDX-License-Identifier: BSD-3-Clause
set -euo pipefail

build=$1
source=$GORT_SOURCE_DIR
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/between.c" <<'END'
#include <gort.h>
#include <stdio.h>
#include <string.h>

extern char trace[];

static void put(const char *const *s)
{
    strcat(trace, *s);
}

static void deferred(void *arg)
{
    strcat(trace, arg);
}

static void panics(void *arg)
{
    gort_panic("%s", (const char *)arg);
}

#define NOTED(name, text) __attribute__((cleanup(put), unused)) const char *name = text

void between(void *arg)
{
    NOTED(a, "a");
    gort_scoped_defer(panics, "second");
    NOTED(b, "b");
    gort_scoped_defer(deferred, "1");
    NOTED(c, "c");
    if (strcmp(arg, "exit") == 0) gort_goexit();
    gort_panic("%s", (const char *)arg);
}
END

cat >"$work/main.c" <<'END'
#include <gort.h>
#include <stdio.h>
#include <string.h>

char trace[100];
void between(void *arg);

static void tries(void *arg)
{
    gort_panic_info info;
    if (gort_try(between, arg, &info)) strcat(trace, info.message);
}

static int run(int argc, char **argv)
{
    (void)argc;
    tries("first");
    puts(trace);
    trace[0] = '\0';
    (void)argv;
    gort_go(tries, "exit");
    while (gort_num_goroutines() > 1)
        gort_yield();
    puts(trace);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
END

failed=0
# check <what> <expected> <got>
check() {
    if [ "$2" != "$3" ]; then
        printf '%s: expected\n%s\ngot\n%s\n' "$1" "$2" "$3" >&2
        failed=1
    fi
}

# build_and_run <compiler> <flags of between.c> <flags of main.c> <library...>
build_and_run() {
    local cc=$1 between=$2 main=$3
    shift 3
    # shellcheck disable=SC2086
    "$cc" -std=gnu11 -O2 -Wall -Wextra -Werror -I"$source/include" $between -c "$work/between.c" -o "$work/between.o"
    # shellcheck disable=SC2086
    "$cc" -std=gnu11 -O2 -Wall -Wextra -Werror -I"$source/include" $main -c "$work/main.c" -o "$work/main.o"
    "$cc" "$work/main.o" "$work/between.o" -o "$work/prog" "$@" -lpthread -lm
    LD_LIBRARY_PATH=$build timeout 250 "$work/prog"
}

honoured=$'1cbasecond\n1cba'
plain=$'1second\n1'
for cc in gcc clang; do
    command -v $cc >/dev/null || continue
    for library in "$build/libgort.a" "-L$build -lgort"; do
        # shellcheck disable=SC2086
        {
            check "$cc, $library, both" "$honoured" \
                "$(build_and_run $cc -fexceptions -fexceptions $library)"
            check "$cc, $library, only between" "$honoured" \
                "$(build_and_run $cc -fexceptions "" $library)"
            check "$cc, $library, neither" "$plain" "$(build_and_run $cc "" "" $library)"
        }
    done
done

# ---- C++: who catches all must throw on

cat >"$work/swallow.cc" <<'END'
#include <gort.h>
static void panics(void *)
{
    gort_panic("p");
}
static void swallows(void *)
{
    try {
        panics(nullptr);
    } catch (...) {
    }
}
static int run(int, char **)
{
    return gort_try(swallows, nullptr, nullptr);
}
int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
END

for cxx in g++ clang++; do
    command -v $cxx >/dev/null || continue
    $cxx -std=c++17 -O2 -Wall -Wextra -Werror -I"$source/include" "$work/swallow.cc" -o "$work/swallow" \
        "$build/libgort.a" -lpthread -lm
    status=0
    said=$(timeout 250 "$work/swallow" 2>&1 >/dev/null | head -1) || status=$?
    check "$cxx: catch (...)" \
        "fatal error: a catch (...) ended a panic or a goexit: it must throw it on" "$said"
done
exit $failed
