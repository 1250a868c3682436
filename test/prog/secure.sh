#!/usr/bin/env bash
# In a program with more rights than who started it the environment is not heard: GORTMEMPROFILE names a file
# that would be written with them.
#
# TEST skip=asan,ubsan,tsan,coverage
#
# SPDX-License-Identifier: BSD-3-Clause
set -euo pipefail

[ "$(id -u)" = 0 ] || { echo "only root can make such a program"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/program.c" <<'END'
#include <gort.h>
#include <stdio.h>
#include <sys/auxv.h>

static int run(int argc, char **argv)
{
    (void)argc, (void)argv;
    printf("%lu %d\n", getauxval(AT_SECURE), gort_max_procs(0));
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
END
"$CC" -O2 -D_GNU_SOURCE -fstack-clash-protection -I"$GORT_SOURCE_DIR/include" -o "$work/program" \
    "$work/program.c" "$1/libgort.a" -pthread -lm
many=$(($(nproc --all) + 3)) # not what it would be without
export GORTMAXPROCS=$many GORTMEMPROFILE=$work/profile
[ "$("$work/program")" = "0 $many" ]
[ -e "$work/profile" ]
rm "$work/profile"

chmod 777 "$work"
chown 65534 "$work/program"
chmod 4755 "$work/program"
read -r secure procs <<<"$("$work/program")"
[ "$secure" = 1 ] || { echo "the file system ignores set-user-ID"; exit 77; }
[ "$procs" != "$many" ] || { echo "GORTMAXPROCS is heard"; exit 1; }
[ ! -e "$work/profile" ] || { echo "GORTMEMPROFILE is heard"; exit 1; }
GORTMAXPROCS=abc "$work/program" >/dev/null
