#!/usr/bin/env bash
# A smoke run of bench/sched, where the benchmarks are built: every load of gort's that has a line
# runs, comes to the same result as Go's and the libraries', and there is a figure for each line.
#
# SPDX-License-Identifier: BSD-3-Clause
set -u
build=$1
tasks=$build/bench/sched
[ -x "$tasks" ] || { echo "skipped: built without benchmarks" >&2; exit 77; }

out=$("$tasks" --quick --runs 1 yield spawn trip element buffered select mutex rwmutex waitgroup skynet \
    thread-ring sieve chameneos ping-pong big bounded parked echo queues global) ||
    { echo "$out"; exit 1; }

for line in $("$tasks" --list); do
    case $line in
    kvserver | global-*) continue ;; # no line of the main table
    esac
    grep -Eq "^$line +(ns|us|ms|bytes)( CPU)? +[0-9]" <<<"$out" || {
        echo "no figure for $line in:"
        echo "$out"
        exit 1
    }
done
grep -q '^run queues: ns' <<<"$out" || { echo "no table of run queues"; exit 1; }
