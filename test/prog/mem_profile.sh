#!/usr/bin/env bash
# The memory profile by `go tool pprof`: the functions that allocate are named, in order, with the bytes
# that they allocated and that are in use; position-independent or not, with the archive and with the shared
# library. GORTMEMPROFILE: what can not be written is told.
# TEST skip=asan,ubsan,tsan,coverage
#
# SPDX-License-Identifier: BSD-3-Clause
set -euo pipefail

build=$1
cd "$GORT_SOURCE_DIR"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PPROF_TMPDIR=$work # where pprof keeps what it reads
failed=0

fail() {
    echo "$*" >&2
    failed=1
}

cat >"$work/prog.c" <<'PROG'
#include <gort.h>
#include <stdio.h>
#include <string.h>

typedef struct node {
    struct node *next;
    long words[5];
} node; /* 48 bytes */
GORT_TYPE(node, next);

static node *list;
static void **kept;
static void *volatile sink;

static __attribute__((noinline)) node *make_node(void)
{
    return gort_new(node); /* the last act, but no tail call */
}

static __attribute__((noinline)) void make_nodes(int n)
{
    for (int i = 0; i < n; i++) {
        node *x = make_node();
        gort_init(&x->next, list);
        gort_set(&list, x);
    }
}

static __attribute__((noinline)) void make_large(int n)
{
    for (int i = 0; i < n; i++)
        gort_set(&kept[i], gort_alloc_noscan(1 << 20));
}

static __attribute__((noinline)) void make_garbage(int n)
{
    for (int i = 0; i < n; i++)
        sink = gort_alloc_noscan(1024);
}

static __attribute__((noinline)) void make_arrays(int n)
{
    for (int i = 0; i < n; i++)
        gort_set(&kept[100 + i], gort_new_array(long, 512)); /* 4096 bytes */
}

static int gort_main(int argc, char **argv)
{
    volatile int one = 1; // no function is specialised for its argument
    int scale = argc > 1 ? 100 : one;
    gort_set(&kept, (void **)gort_alloc(1000 * sizeof *kept));
    make_nodes(10000 * scale); /* 480000 bytes */
    make_large(4 * one);       /* 4194304 */
    make_garbage(2000 * scale); /* 2048000 */
    make_arrays(100 * one);    /* 409600 */
    if (argc > 2) printf("%ld\n", (long)gort_set_mem_profile_rate(-1));
    (void)argv;
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(gort_main, argc, argv);
}
PROG

flags="-O2 -g -fstack-clash-protection -Wall -Wextra -Werror -Iinclude"
compile() { # compile <name> <flags and libraries>
    # shellcheck disable=SC2086
    "${CC:-cc}" $flags "$work/prog.c" "${@:2}" -lpthread -lm -o "$work/$1"
}
compile pie -fPIE -pie "$build/libgort.a"
compile fixed -fno-pie -no-pie "$build/libgort.a"
compile shared "$build/libgort.so" -Wl,-rpath,"$(cd "$build" && pwd)"

# ---- the environment

[ "$("$work/pie" 1 2)" = 0 ] || fail "a program that does not use the profile has a rate"
[ "$(GORTMEMPROFILE="$work/p" "$work/pie" 1 2)" = 524288 ] || fail "GORTMEMPROFILE does not turn it on"
[ "$(GORTDEBUG=memprofilerate=4096 "$work/pie" 1 2)" = 4096 ] || fail "memprofilerate is ignored"
[ "$(GORTMEMPROFILE="$work/p" GORTDEBUG=memprofilerate=0 "$work/pie" 1 2)" = 0 ] ||
    fail "memprofilerate=0 is ignored"
if GORTMEMPROFILE=/no/such/folder/p "$work/pie" 2>"$work/err"; then fail "a bad path is no error"; fi
[ "$(cat "$work/err")" = \
    "gort: GORTMEMPROFILE=/no/such/folder/p: can not be written: No such file or directory" ] ||
    fail "a bad path: $(cat "$work/err")"
GORTMEMPROFILE=/dev/full "$work/pie" 2>"$work/err" || fail "a full disk changes the result"
grep -q "GORTMEMPROFILE: /dev/full: No space left on device" "$work/err" ||
    fail "a full disk: $(cat "$work/err")"
if GORTDEBUG=memprofilerate=many "$work/pie" 2>"$work/err"; then fail "a bad rate is no error"; fi
(cd "$work" && GORTMEMPROFILE=here "$work/pie" && [ -s "$work/here" ]) || fail "a relative path"

# ---- what pprof makes of it

if ! command -v go >/dev/null; then
    echo "go is not installed" >&2
    exit $((failed ? 1 : 77))
fi

top() { # top <program> <value>: lines "function bytes"
    go tool pprof -top -unit=B -nodecount=5 -sample_index="$2" "$work/$1" "$work/$1.pb" 2>"$work/err" |
        awk '/^ +flat/ { on = 1; next } on && $1 != "0" { sub("B$", "", $1); print $6, $1 }'
}

in_use="make_large 4194304
make_node 480000
make_arrays 409600
gort_main 8192"
allocated="make_large 4194304
make_garbage 2048000
make_node 480000
make_arrays 409600
gort_main 8192"
for program in pie fixed shared; do
    GORTMEMPROFILE="$work/$program.pb" GORTDEBUG=memprofilerate=1 "$work/$program"
    got=$(top $program inuse_space)
    [ "$got" = "$in_use" ] || fail "$program, in use:" "$got" "$(cat "$work/err")"
    got=$(top $program alloc_space)
    [ "$got" = "$allocated" ] || fail "$program, allocated:" "$got" "$(cat "$work/err")"
done

# One in 32 KB: 1500 samples of nodes, 6000 of garbage; a fifth is more than seven sigma.
GORTMEMPROFILE="$work/pie.pb" GORTDEBUG=memprofilerate=32768 "$work/pie" 1
top pie alloc_space | awk '
    { bytes[$1] = $2 }
    function near(name, want) {
        if (bytes[name] < want * 0.8 || bytes[name] > want * 1.2) {
            print name, bytes[name], "is not near", want
            bad = 1
        }
    }
    END { near("make_node", 48000000); near("make_garbage", 204800000)
          near("make_large", 4194304); exit bad }' || fail "sampled: $(top pie alloc_space)"
top pie inuse_space | grep -q make_garbage && fail "sampled: garbage is in use"
exit $failed
