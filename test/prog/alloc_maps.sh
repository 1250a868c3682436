#!/usr/bin/env bash
# GORTDEBUG=efence=1 where freed objects cost mappings, as on kernels before 6.13: when these run out the
# report says so. Locked memory can not have the newer guards, so it stands for an older kernel.
#
# TEST skip=asan,tsan,ubsan,coverage serial
#
# SPDX-License-Identifier: BSD-3-Clause
set -u

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/p.c" <<'END'
#define _GNU_SOURCE
#include <gort.h>
#include <stdint.h>
#include <sys/mman.h>
typedef struct node {
    struct node *next;
} node;
GORT_TYPE(node, next);
static node *list;
static int run(int argc, char **argv)
{
    uintptr_t base = (uintptr_t)gort_new(node) & ~(uintptr_t)0x3fffff;
    (void)argc;
    (void)argv;
    if (mlock2((void *)base, 4 << 20, MLOCK_ONFAULT) != 0 || mlockall(MCL_FUTURE | MCL_ONFAULT) != 0)
        return 77;
    for (int i = 0; i < 400000; i++) { // every other one dies
        node *n = gort_new(node);
        if (i % 2 == 0) continue;
        gort_set(&n->next, list);
        gort_set(&list, n);
    }
    return 0;
}
int main(int argc, char **argv) { return gort_run(run, argc, argv); }
END
"$CC" -O2 -I"$GORT_SOURCE_DIR/include" "$dir/p.c" "$1/libgort.a" -o "$dir/p" -lpthread -lm || exit 1
[ "$(cat /proc/sys/vm/max_map_count)" -le 200000 ] || { echo "skipped: no limit to speak of"; exit 77; }
GORTDEBUG=efence=1 timeout 250 "$dir/p" 2>"$dir/err"
status=$?
[ $status = 77 ] && { echo "skipped: memory can not be locked"; exit 77; }
[ $status = 2 ] && grep -Eq '^fatal error: out of memory: freed memory can not be made inaccessible \(error 12\) after [0-9]+ MB of it: too many mappings' "$dir/err" && exit 0
echo "exit code $status"
head -20 "$dir/err"
exit 1
