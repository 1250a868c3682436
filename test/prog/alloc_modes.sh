#!/usr/bin/env bash
# Tests of the public interface under modes of the allocator whose output nobody wants to read, and under
# combinations: the trace with collections everywhere, leaks with fences, all with many Ps.
#
# TEST skip=tsan,coverage
#
# SPDX-License-Identifier: BSD-3-Clause
set -u

tests=$1/test
out=$(mktemp)
trap 'rm -f "$out"' EXIT
bad=0
export TEST_SCALE=2

# run <modes> <test>: passes, and prints at least so many lines that begin as said.
run() {
    local modes=$1 name=$2 line=$3
    GORTDEBUG=$modes timeout 250 "$tests/$name" >"$out" 2>&1
    local status=$?
    [ $status = 0 ] || [ $status = 77 ] || { echo "$name with $modes: exit code $status"; tail -20 "$out"; bad=1; }
    grep -q "$line" "$out" || { echo "$name with $modes: printed no '$line'"; bad=1; }
}

for name in api/gc_finalizer api/chan_basic api/panic_basic api/select_basic api/sync_mutex; do
    run allocfreetrace=1,gcstress=31 $name '^gort: alloc 0x'
    run leaks=1,clobberfree=1,gccheck=1 $name '^gort: leaks: '
    GORTMAXPROCS=4 run allocfreetrace=1,efence=1,leaks=1,gcstress=31,clobberfree=1 $name '^gort: leaks: '
done
GORTMAXPROCS=4 run allocfreetrace=1,leaks=1 stress/gc_mixed '^gort: free 0x'

# Requests for memory that fail, with the records' own among them.
for n in $(seq 2 3 40); do
    for kind in mapfail mapfailfrom; do
        GORTDEBUG=efence=1,allocfreetrace=1,leaks=1,$kind=$n timeout 250 "$tests/api/gc_finalizer" >"$out" 2>&1
        status=$?
        # Another thread may be in the middle of a line of its trace.
        [ $status = 0 ] || { [ $status = 2 ] && grep -Eq 'fatal error: (out of memory|can not)' "$out"; } ||
            { echo "$kind=$n: exit code $status"; tail -20 "$out"; bad=1; }
    done
done
exit $bad
