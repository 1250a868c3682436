#!/usr/bin/env bash
# Every request for memory and every creation of a thread fails once, and from then on: a program either
# ends well or with a report and exit code 2; it never hangs, crashes, or goes on with a broken heap.
#
#
# SPDX-License-Identifier: BSD-3-Clause
set -u

program=$1/test/stress/rt_mix
err=$(mktemp)
trap 'rm -f "$err"' EXIT
bad=0 refused=0 fine=0

attempt() {
    GORTDEBUG=$1 TEST_SCALE=20 timeout 120 "$program" 2>"$err"
    local status=$?
    if [ $status = 0 ]; then
        fine=$((fine + 1))
    elif [ $status = 2 ] && grep -Eq '^fatal error: (out of memory|can not)' "$err"; then
        refused=$((refused + 1))
    else
        echo "$1: exit code $status"
        head -20 "$err"
        bad=1
    fi
}

for n in $(seq 1 30); do
    attempt "mapfail=$n"
    attempt "mapfailfrom=$n"
done
for n in 1 2 3 4; do
    attempt "threadfail=$n"
done
echo "$fine ran through, $refused ended with a report"
# Both kinds were seen, so the modes fire and are survived.
[ $fine -gt 0 ] && [ $refused -gt 0 ] || { echo "one kind is missing"; bad=1; }
exit $bad
