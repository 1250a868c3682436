#!/usr/bin/env bash
# A smoke run of bench/sched, where the benchmarks are built: every load of gort's that has a line
# runs, comes to the same result as Go's and the libraries', and there is a figure for each line.
#
# SPDX-License-Identifier: BSD-3-Clause
set -u
build=$1
tasks=$build/bench/sched
[ -x "$tasks" ] || { echo "skipped: built without benchmarks" >&2; exit 77; }

lines=$("$tasks" --list | grep -vx kvserver) # that one needs redis-server
# shellcheck disable=SC2086 # each line is a word
out=$("$tasks" --quick --runs 1 $lines) || { echo "$out"; exit 1; }

for line in $lines; do
    case $line in
    global-*) continue ;; # no line of the main table
    esac
    grep -Eq "^$line +(ns|us|ms|bytes)( CPU)? +[0-9]" <<<"$out" || {
        echo "no figure for $line in:"
        echo "$out"
        exit 1
    }
done
grep -q '^run queues: ns' <<<"$out" || { echo "no table of run queues"; exit 1; }
