#!/usr/bin/env bash
# kvserver against redis-server: operations per second of server CPU, by redis-benchmark.
#
# What counts is the work that a request costs the server, so the operations of a run are divided by
# the CPU time (user and system, from /proc) that the server's process spent in it; the client may
# have the rest of the machine.  The two servers take turns, and of the runs of each the median counts.
#
# usage: kvserver.sh [BUILD_FOLDER]     build/release when not given
# environment: RUNS (5), REQUESTS (200000), CONNECTIONS (50), TESTS ("get set")
#
# SPDX-License-Identifier: BSD-3-Clause
set -u

build=${1:-build/release}
runs=${RUNS:-5}
requests=${REQUESTS:-200000}
connections=${CONNECTIONS:-50}
tests=${TESTS:-get set}

for tool in redis-benchmark redis-cli; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2; exit 77; }
done
[ -x "$build/examples/kvserver" ] || { echo "$build/examples/kvserver is missing" >&2; exit 1; }

tmp=$(mktemp -d)
declare -A pid port
finish() {
    for p in "${pid[@]}"; do kill "$p" 2>/dev/null; done
    wait 2>/dev/null
    rm -rf "$tmp"
}
trap finish EXIT

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

wait_for() {
    for _ in $(seq 100); do
        [ "$(redis-cli -p "${port[$1]}" ping 2>/dev/null)" = PONG ] && return
        sleep 0.1
    done
    echo "$1 does not start" >&2
    exit 1
}

servers=(kvserver)
port[kvserver]=$(free_port)
"$build/examples/kvserver" --listen "127.0.0.1:${port[kvserver]}" >/dev/null &
pid[kvserver]=$!
wait_for kvserver
if command -v redis-server >/dev/null; then
    servers+=(redis)
    port[redis]=$(free_port)
    redis-server --port "${port[redis]}" --save '' --appendonly no --dir "$tmp" >/dev/null &
    pid[redis]=$!
    wait_for redis
fi

# CPU time of a process in clock ticks.
ticks() {
    local stat fields
    stat=$(<"/proc/$1/stat")
    read -r -a fields <<<"${stat##*) }"
    echo $((fields[11] + fields[12]))
}
hertz=$(getconf CLK_TCK)

# one SERVER TEST PIPELINE: a run; prints operations per second of CPU and of time, and the 99th
# percentile of the latency that the client saw, in ms.
one() {
    local server=$1 before after start end
    before=$(ticks "${pid[$server]}")
    start=$(date +%s%N)
    redis-benchmark -p "${port[$server]}" -t "$2" -n "$requests_now" -c "$connections" -P "$3" \
        --csv -r 10000 >"$tmp/report" || exit 1
    end=$(date +%s%N)
    after=$(ticks "${pid[$server]}")
    awk -v n="$requests_now" -v t=$((after - before)) -v hz="$hertz" -v ns=$((end - start)) \
        -v p99="$(awk -F'[",]+' 'END { print $8 }' "$tmp/report")" \
        'BEGIN { printf "%.0f %.0f %s\n", n * hz / (t > 0 ? t : 1), n * 1e9 / ns, p99 }'
}

# Column $2 of file $1: the median.
median() {
    awk -v c="$2" '{ print $c }' "$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

printf '%-6s %8s  %-9s %18s %18s %9s\n' test pipeline server 'ops/s of CPU' 'ops/s of time' 'p99, ms'
for test in $tests; do
    for pipeline in 1 16; do
        requests_now=$((pipeline == 1 ? requests : requests * 8))
        rm -f "$tmp"/runs.*
        for _ in $(seq "$runs"); do
            for server in "${servers[@]}"; do
                one "$server" "$test" "$pipeline" >>"$tmp/runs.$server"
            done
        done
        for server in "${servers[@]}"; do
            printf '%-6s %8d  %-9s %18d %18d %9.3f\n' "$test" "$pipeline" "$server" \
                "$(median "$tmp/runs.$server" 1)" "$(median "$tmp/runs.$server" 2)" \
                "$(median "$tmp/runs.$server" 3)"
        done
        if [ ${#servers[@]} = 2 ]; then
            awk -v a="$(median "$tmp/runs.kvserver" 1)" -v b="$(median "$tmp/runs.redis" 1)" \
                -v c="$(median "$tmp/runs.kvserver" 2)" -v d="$(median "$tmp/runs.redis" 2)" \
                -v e="$(median "$tmp/runs.kvserver" 3)" -v f="$(median "$tmp/runs.redis" 3)" \
                -v test="$test" -v pipeline="$pipeline" 'BEGIN {
                    printf "%-6s %8d  %-9s %18.2f %18.2f %9.2f\n", test, pipeline, "ratio",
                           a / b, c / d, e / f }'
        fi
    done
done
