#!/usr/bin/env bash
# bench/alloc: a smoke run prints each of its lines with our figure; peers that are missing, that do
# something else, or that fail are told from those that work.
#
# usage: bench_alloc_long.sh BUILD_FOLDER
#
# SPDX-License-Identifier: BSD-3-Clause
set -u

build=${1:?usage: bench_alloc_long.sh BUILD_FOLDER}
[ -x "$build/bench/alloc" ] || { echo "skipped: built without benchmarks" >&2; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failures=0

fail() {
    echo "FAIL: $1" >&2
    head -30 "$tmp/out" "$tmp/err" >&2
    failures=$((failures + 1))
}

# run STATUS PROGRAM ARGUMENTS...: output and errors go to $tmp/out and $tmp/err.
run() {
    local wanted=$1 status
    shift
    timeout 300 "$@" >"$tmp/out" 2>"$tmp/err"
    status=$?
    [ $status = "$wanted" ] || fail "$*: exit status $status, not $wanted"
}

# The line NAME has a figure of gort's; peers' columns begin with a bar.
has_figure() { grep -q -E "^$1 +[A-Za-z ]+ +[0-9]+\.[0-9]( |\$)" "$tmp/out" || fail "no figure of $1"; }

mapfile -t lines < <("$build/bench/alloc" --list)
[ ${#lines[@]} -gt 40 ] || fail "only ${#lines[@]} lines"
run 0 "$build/bench/alloc" --quick
for line in "${lines[@]}"; do
    has_figure "$line"
done
grep -q -E '^[0-9]+ of [0-9]+ goals met$' "$tmp/out" || fail "no summary"

# Alone, with peers of our own making.
mkdir -p "$tmp/bench/gort" "$tmp/bench/mimalloc" "$tmp/bench/go"
cp "$build/bench/alloc" "$tmp/bench/"
cp "$build/bench/gort/loads" "$tmp/bench/gort/"
alloc=$tmp/bench/alloc
peer() {
    printf '#!/bin/sh\n[ "$1" = version ] && echo 9.9 && exit\n%s\n' "$2" >"$tmp/bench/$1/loads"
    chmod +x "$tmp/bench/$1/loads"
}

run 0 "$alloc" --quick trees cfrac-peak
has_figure trees-peak
has_figure cfrac-peak
grep -q '^cfrac-cpu' "$tmp/out" && fail "a line that was not asked for"
grep -q -E '^Boehm +- \(not built\)$' "$tmp/out" || fail "a missing peer is not shown"
grep -q -E '^trees +ms .*\| +- +- ' "$tmp/out" || fail "a missing peer has no dash"

check=$("$tmp/bench/gort/loads" trees 2 quick | sed -n 's/^check //p')
peer mimalloc "echo wall 1; echo check $check"
run 0 "$alloc" --quick trees
grep -q -E '^trees +ms .*\| +1\.0 +[0-9.]+ <=1\.5  NO' "$tmp/out" || fail "a goal is not judged"
grep -q '^mimalloc  9.9$' "$tmp/out" || fail "no version of a peer"
peer mimalloc "echo wall 1000000; echo check $check"
run 0 "$alloc" --quick trees
grep -q -E '^trees +ms .*\| +1000000\.0 +0\.00 <=1\.5  ok' "$tmp/out" || fail "a goal is not judged"

peer mimalloc "echo wall 1; echo check 12345"
run 1 "$alloc" --quick trees
grep -q 'another result' "$tmp/err" || fail "a wrong result passes"
peer mimalloc "exit 4"
run 1 "$alloc" --quick trees
grep -q 'mimalloc, load trees: failed' "$tmp/err" || fail "a failing peer passes"
peer mimalloc "exit 3"
run 0 "$alloc" --quick trees

run 2 "$alloc" nonsense
grep -q "begins with 'nonsense'" "$tmp/err" || fail "an unknown line passes"
run 2 "$alloc" --runs 0 trees
run 2 "$alloc" --runs 99 trees

[ $failures = 0 ] && echo "bench_alloc: all well"
exit $((failures > 0))
