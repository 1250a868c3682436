#!/usr/bin/env bash
# Every test that has the mode `determ`, by other seeds than the mode's: it passes by each, and by the
# same seed it takes the same order again.
#
# usage: determ_seeds_long.sh BUILD_FOLDER          SEEDS="1 2 3": which
#
# TEST timeout=3600 skip=tsan,asan,ubsan,coverage
#
# SPDX-License-Identifier: BSD-3-Clause
set -u

build=$1
seeds=${SEEDS:-1 2 3 4 5 6 18446744073709551615}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failures=0 runs=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# Runs the test $1 by the seed $2; prints its orders, one for each program of it that returned.
orders() {
    GORTDEBUG=deterministic=$2 TEST_SCALE=5 TEST_SEED=$2 timeout 250 "$build/test/$1" >"$dir/out" 2>&1
    local status=$?
    runs=$((runs + 1))
    [ $status = 0 ] || [ $status = 77 ] ||
        { fail "$1, seed $2: exit code $status" >&2; tail -5 "$dir/out" >&2; return 1; }
    grep -o 'order [0-9a-f]*, [0-9]* turns' "$dir/out"
}

tests=$(ctest --test-dir "$build" -N -L modes -R '@determ$' | sed -n 's/.*: \([a-z]*\/[a-z0-9_]*\)@determ$/\1/p')
[ "$(echo "$tests" | grep -c .)" -gt 20 ] || fail "the tests are not found"

for test in $tests; do
    [ -x "$build/test/$test" ] || { fail "$test: no such program"; continue; }
    for seed in $seeds; do
        first=$(orders "$test" "$seed") || { failures=$((failures + 1)); continue; }
        again=$(orders "$test" "$seed") || { failures=$((failures + 1)); continue; }
        [ "$first" ] || fail "$test, seed $seed: it tells no order"
        [ "$first" = "$again" ] || fail "$test, seed $seed: other orders: $first; $again"
    done
done
echo "$runs runs, $failures failures"
[ $failures = 0 ]
