#!/usr/bin/env bash
# Every test that has the mode `determ`, by other seeds than the mode's: it passes by each, and by the
# same seed it takes the same order again (at the same addresses, where setarch is).
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
# These wait for what comes from outside: signals, the network, files. And where objects die at random, which
# of them a stale word keeps, and so which finalizers run, differs though addresses do not.
outside=" api/mem_profile api/net_wait api/signal_chan stress/mem_profile stress/gc_shadow "
fixed=
setarch -R true 2>/dev/null && fixed="setarch -R"

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# Runs the test $1 by the seed $2; its orders, one for each program of it that returned, go to $3.
run() {
    local status
    GORTDEBUG=deterministic=$2 TEST_SCALE=5 TEST_SEED=$2 timeout 250 $fixed "$build/test/$1" >"$dir/out" 2>&1
    status=$?
    runs=$((runs + 1))
    grep -o 'order [0-9a-f]*, [0-9]* turns' "$dir/out" >"$dir/$3"
    [ $status = 0 ] || [ $status = 77 ] || { fail "$1, seed $2: exit code $status"; tail -5 "$dir/out"; }
}

tests=$(ctest --test-dir "$build" -N -L modes -R '@determ$' | sed -n 's/.*: \([a-z]*\/[a-z0-9_]*\)@determ$/\1/p')
[ "$(echo "$tests" | grep -c .)" -gt 20 ] || fail "the tests are not found"

for test in $tests; do
    [ -x "$build/test/$test" ] || { fail "$test: no such program"; continue; }
    for seed in $seeds; do
        run "$test" "$seed" first
        run "$test" "$seed" again
        [ -s "$dir/first" ] || fail "$test, seed $seed: it tells no order"
        [ -z "$fixed" ] || [[ $outside = *" $test "* ]] || cmp -s "$dir/first" "$dir/again" ||
            fail "$test, seed $seed: two orders: $(cat "$dir/first" "$dir/again" | paste -sd' ')"
    done
done
echo "$runs runs, $failures failures"
[ $failures = 0 ]
