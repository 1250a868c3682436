#!/usr/bin/env bash
# Instructions for each allocation, by callgrind: exact, and the same on every machine and at any load.
#
# Collections are off, unless GORTGC says otherwise: GORTGC=100 adds what they, sweeping and zeroing
# cost.  No goroutine is stopped for computing long, and there is one P: callgrind 3.19 does not bear a
# signal on a stack that it did not see begin.  The instructions of start and end, counted in a run
# that allocates nothing, are subtracted.
#
# usage: instructions.sh [BUILD_FOLDER [LOAD ...]]    build/release, the loads of small objects
# environment: TOP (3): lines of functions shown for each load
#
# SPDX-License-Identifier: BSD-3-Clause
set -u

build=${1:-build/release}
shift
top=${TOP:-3}
command -v valgrind >/dev/null || { echo "valgrind is not installed" >&2; exit 77; }
alloc=$build/bench/gort/loads
[ -x "$alloc" ] || { echo "$alloc is missing; cmake --build $build --target bench" >&2; exit 1; }
[ $# -gt 0 ] || set -- {typed,noscan}-{16,32,64,256}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export GORTMAXPROCS=1 GORTGC=${GORTGC:-off} GORTDEBUG=slice=10000000

# count ARGUMENTS...: instructions of a run, into $instructions
count() {
    valgrind --tool=callgrind --callgrind-out-file="$tmp/out" "$alloc" "$@" \
        >"$tmp/figures" 2>"$tmp/log" || { echo "$alloc $* fails:" >&2; cat "$tmp/log" >&2; exit 1; }
    instructions=$(sed -n 's/^==.*Collected *: *//p' "$tmp/log")
}

count version
nothing=$instructions
for load in "$@"; do
    count "$load" 1 quick
    measured=$(sed -n 's/^check //p' "$tmp/figures")
    objects=$((measured + measured / 8)) # an eighth is done before the clock starts
    awk -v load="$load" -v n=$((instructions - nothing)) -v objects=$objects \
        'BEGIN { printf "%-12s %7.1f instructions for each of %d objects\n", load, n / objects, objects }'
    callgrind_annotate --auto=no "$tmp/out" | awk -v objects=$objects -v top="$top" '
        /^ *[0-9,]+ \(/ && !/PROGRAM TOTALS/ {
            n = $1; gsub(",", "", n); name = $0
            sub(/.*:/, "", name); sub(/ \[.*/, "", name); sub(/\047[0-9]+$/, "", name)
            of[name] += n }
        END { for (f in of) printf "%22.1f  %s\n", of[f] / objects, f | ("sort -rn | head -" top) }'
done
