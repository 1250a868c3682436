#!/usr/bin/env bash
# bench/gc: a smoke run prints each of its lines with our figure; goals are judged; the modes of the
# history table reach gort's program, and one that it does not know is told.
#
# usage: bench_gc_long.sh BUILD_FOLDER
#
# SPDX-License-Identifier: BSD-3-Clause
set -u

build=${1:?usage: bench_gc_long.sh BUILD_FOLDER}
[ -x "$build/bench/gc" ] || { echo "skipped: built without benchmarks" >&2; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failures=0

fail() {
    echo "FAIL: $1" >&2
    head -150 "$tmp/out" "$tmp/err" >&2
    failures=$((failures + 1))
}

# run STATUS PROGRAM ARGUMENTS...: output and errors go to $tmp/out and $tmp/err.
run() {
    local wanted=$1 status
    shift
    timeout 400 "$@" >"$tmp/out" 2>"$tmp/err"
    status=$?
    [ $status = "$wanted" ] || fail "$*: exit status $status, not $wanted"
}

has() { grep -q -E "$1" "$tmp/out" || fail "$2"; }
has_not() { grep -q -E "$1" "$tmp/out" && fail "$2"; }

# The real thing.  Without a collector of the name, the history table has no figure of it.
mapfile -t lines < <("$build/bench/gc" --list)
[ ${#lines[@]} -gt 80 ] || fail "only ${#lines[@]} lines"
run 0 "$build/bench/gc" --quick
for line in "${lines[@]}"; do
    [[ $line = stw* ]] || has "^$line +[A-Za-z% ]+ +-?[0-9]+\.[0-9]( |\$)" "no figure of $line"
done
has '^[0-9]+ of [0-9]+ goals met$' "no summary"
has '^large heap, MB: 64$' "the large heap is not stated"
for mode in 2 1; do
    if GORTDEBUG=gcstoptheworld=$mode "$build/bench/gort/loads" version >/dev/null 2>&1; then
        has_not "^GORTDEBUG=gcstoptheworld=$mode: not known" "mode $mode is known"
        has '^ring-p50( +[0-9]+\.[0-9]){3} +([0-9]+\.[0-9]|-)$' "the history table has gaps"
    else
        has "^GORTDEBUG=gcstoptheworld=$mode: not known to this gort\$" "mode $mode is not known"
        has '^ring-p50 .* - ' "the history table has figures of an unknown mode"
    fi
done

# Programs of our own making: gort's figures depend on the mode, and 3 is what the user asked for too.
mkdir -p "$tmp/bench/gort" "$tmp/bench/go"
cp "$build/bench/gc" "$tmp/bench/"
program() {
    printf '#!/bin/sh\n%s\n' "$2" >"$tmp/bench/$1/loads"
    chmod +x "$tmp/bench/$1/loads"
}
program gort 'case "$GORTDEBUG" in
    *gcstoptheworld=2*) p=20 ;;
    *gcstoptheworld=1*) p=10 ;;
    *) p=5 ;;
esac
case "$GORTDEBUG" in seed=3,*) p=$((p + 1)) ;; esac
[ "$1" = version ] && echo 1.0 && exit
for f in p50 p99 max worst over-stop; do echo $f $p; done
echo heap $GORT_BENCH_HEAP_MB >>'"$tmp"'/settings
echo check 1'
program go '[ "$1" = version ] && echo 9.9 && exit
for f in p50 p99 max; do echo $f 4; done
echo worst 100
echo check 1'
run 0 "$tmp/bench/gc" --quick stw ring
has '^ring-p50 +20\.0 +10\.0 +5\.0 +4\.0$' "the modes are not side by side"
has '^trees-p50 +20\.0 +10\.0 +- +-$' "a line that was not asked for"
has '^ring-p50 +us +5\.0 +\| +4\.0 +1\.25 <=1 +NO' "a goal is not judged"
has '^ring-worst +us +5\.0 +\| +100\.0 +0\.05 <=1 +ok' "a goal is not judged"
has '^ring-over-stop +us +5\.0 <=15 +ok' "a goal without a peer is not judged"
has_not '^stw' "the history's lines are in the table"
has '^Boehm +- \(not built\)$' "a missing peer is not shown"
GORTDEBUG=seed=3 run 0 "$tmp/bench/gc" --quick stw
has '^ring-p50 +21\.0 +11\.0 +- +-$' "the user's own modes are lost"

: >"$tmp/settings"
GORT_BENCH_HEAP_MB=7 run 0 "$tmp/bench/gc" --quick ring-p50
has '^large heap, MB: 7, and not 64' "a smaller heap is not told"
[ "$(cat "$tmp/settings")" = "heap 7" ] || fail "the setting does not reach the program"

program gort 'case "$GORTDEBUG" in *gcstoptheworld=1*) exit 2 ;; esac
[ "$1" = version ] && echo 1.0 && exit
echo p50 20
echo check 1'
run 0 "$tmp/bench/gc" --quick stw
has '^GORTDEBUG=gcstoptheworld=1: not known to this gort$' "an unknown mode is not told"
has_not '^GORTDEBUG=gcstoptheworld=2' "a known mode is told to be unknown"
has '^ring-p50 +20\.0 +- +- +-$' "an unknown mode has figures"

run 2 "$tmp/bench/gc" nonsense
grep -q "^gc: no line's name begins with 'nonsense'" "$tmp/err" || fail "an unknown line passes"

[ $failures = 0 ] && echo "bench_gc: all well"
exit $((failures > 0))
