#!/usr/bin/env bash
# kvserver under redis-benchmark while it collects as often as it can, and every cycle is verified.
#
# GORTGC=1 collects whenever the heap has grown by a hundredth; gccheckmark=1 marks all again in
# each cycle, with the world stopped, and a missed object is fatal; clobberfree=1 makes what was
# freed too early a wrong reply; with gcsmall=0 marking is always beside the program.  Beside
# redis-benchmark, which only sees errors, kvserver's own load generator runs, which checks each
# reply.
#
# Fails on a miss, a wrong reply, a lost connection, and where cycles were not verified or were few.
# KVSERVER_GC_SECONDS: how long (120).
#
# usage: kvserver_gc_long.sh BUILD_FOLDER
# TEST skip=asan,ubsan,tsan,coverage
#
# SPDX-License-Identifier: BSD-3-Clause
set -u

build=${1:?usage: kvserver_gc_long.sh BUILD_FOLDER}
server=$build/examples/kvserver
seconds=${KVSERVER_GC_SECONDS:-120}
LEAST_CYCLES=10 # the data alone is loaded in more

skip() {
    echo "skipped: $1" >&2
    [ -n "${CI:-}" ] && exit 1
    exit 77
}
command -v redis-cli >/dev/null || skip "redis-cli is not installed"
command -v redis-benchmark >/dev/null || skip "redis-benchmark is not installed"
[ -x "$server" ] || { echo "$server is missing" >&2; exit 1; }

tmp=$(mktemp -d)
pids=()
bench=
finish() {
    for pid in "${pids[@]}" $bench; do kill "$pid" 2>/dev/null; done
    wait 2>/dev/null
    rm -rf "$tmp"
}
trap finish EXIT

fail() {
    echo "FAIL: $*" >&2
    head -c 20000 "$tmp/server.err" >&2
    exit 1
}

cli() {
    timeout 250 redis-cli -h 127.0.0.1 -p "$port" "$@"
}

info() {
    cli info runtime | tr -d '\r' | sed -n "s/^$1://p"
}

GORTGC=1 GORTDEBUG=gccheckmark=1,gcsmall=0,clobberfree=1 GORTMAXPROCS=4 \
    "$server" --listen 127.0.0.1:0 >"$tmp/server.out" 2>"$tmp/server.err" &
served=$!
pids+=($served)
port=
while kill -0 $served 2>/dev/null && [ -z "$port" ]; do # the time limit is the other end
    port=$(sed -n 's/^kvserver: listening on 127.0.0.1:\([0-9]*\)$/\1/p' "$tmp/server.out")
    sleep 0.1
done
[ -n "$port" ] || fail "kvserver does not start"

GORTMAXPROCS=1 "$server" --drive "127.0.0.1:$port" --seconds "$seconds" --connections 8 \
    --keys 2000 >"$tmp/drive.out" 2>&1 &
driver=$!
pids+=($driver)

# Lists grow and shrink by as many; keys, members and fields are of a thousand.
MANY=set,get,lpush,rpush,lpop,rpop,sadd,hset,mset,ping
PART=2000
rounds=0
while kill -0 $driver 2>/dev/null; do
    for words in "-t $MANY -r 1000 -P 4" "-t incr -P 4"; do
        # shellcheck disable=SC2086
        timeout 250 redis-benchmark -h 127.0.0.1 -p "$port" -n $PART -c 20 -d 100 -q $words \
            >"$tmp/bench.out" 2>&1 &
        bench=$!
        wait -n -p ended $bench $served # without a server it may try for ever
        status=$?
        [ "${ended:-}" = $bench ] || fail "kvserver ended with status $status"
        [ $status = 0 ] || fail "redis-benchmark failed or took too long"
        bench=
        tr '\r' '\n' <"$tmp/bench.out" | grep -i -E 'error|warn|reset|refused|could not' >&2 &&
            fail "redis-benchmark complains"
    done
    rounds=$((rounds + 1))
done
wait $driver || fail "the load generator saw wrong replies: $(cat "$tmp/drive.out")"
grep -q 'each one checked, all right' "$tmp/drive.out" || fail "$(cat "$tmp/drive.out")"
[ $rounds -gt 0 ] || fail "redis-benchmark had no round"

[ "$(cli get counter:__rand_int__)" = $((rounds * PART)) ] ||
    fail "INCR lost some: $(cli get counter:__rand_int__) of $((rounds * PART))"
for word in check gc check; do
    [ "$(cli debug $word)" = OK ] || fail "DEBUG $word: $(cli debug $word)"
done

cycles=$(info gc_cycles)
verified=$(info gc_verified) # later, so as many at least
[ "$cycles" -ge $LEAST_CYCLES ] || fail "$cycles cycles"
[ "$verified" -ge "$cycles" ] || fail "$verified of $cycles cycles were verified"
mallocs=$(info mallocs)

kill -TERM $served
wait $served || fail "kvserver ended with status $? on SIGTERM"
[ -s "$tmp/server.err" ] && fail "kvserver wrote to stderr"
sed -n 's/^ *replies */load generator: /p' "$tmp/drive.out"
echo "kvserver_gc: $seconds s, $verified cycles, each verified;" \
    "$rounds rounds of redis-benchmark, $mallocs allocations"
