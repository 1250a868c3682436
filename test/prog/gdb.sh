#!/usr/bin/env bash
# gdb lists kvserver's goroutines and unwinds them by tools/gort-gdb.py: attached to the running server; or,
# with a second argument, in a core file of it.
#
# usage: gdb.sh BUILD_FOLDER [core]
#
# TEST skip=asan,ubsan,tsan,coverage,clang
# (in clang's optimised code too many values can not be had)
# SPDX-License-Identifier: BSD-3-Clause
set -u

build=${1:?usage: gdb.sh BUILD_FOLDER}
server=$build/examples/kvserver
script=$GORT_SOURCE_DIR/tools/gort-gdb.py

command -v gdb >/dev/null || { echo "skipped: gdb is not installed" >&2; exit 77; }
[ -x "$server" ] || { echo "$server is missing" >&2; exit 1; }

tmp=$(mktemp -d)
pid=
finish() {
    [ -n "$pid" ] && kill -9 "$pid" 2>/dev/null
    wait 2>/dev/null
    rm -rf "$tmp"
}
trap finish EXIT

fail() {
    echo "gdb.sh: $1" >&2
    [ -f "$2" ] && cat "$2" >&2
    exit 1
}

# ---- a server with two clients that wait

server=$(realpath "$server")
cd "$tmp" || exit 1
if [ "${2:-}" = core ]; then
    [ "$(cat /proc/sys/kernel/core_pattern)" = core ] ||
        { echo "skipped: core files go elsewhere" >&2; exit 77; }
    ulimit -c unlimited || { echo "skipped: no core files here" >&2; exit 77; }
    [ "$(cat /proc/sys/kernel/core_uses_pid)" = 0 ] || { echo "skipped: core.PID" >&2; exit 77; }
fi
"$server" --listen 127.0.0.1:0 >"$tmp/out" 2>&1 &
pid=$!
port=
while kill -0 $pid 2>/dev/null; do # the time limit is the other end
    port=$(grep -ao '127\.0\.0\.1:[0-9]*' "$tmp/out" | head -1 | cut -d: -f2)
    [ -n "$port" ] && break
    sleep 0.1
done
[ -n "$port" ] || fail "the server does not say where it listens" "$tmp/out"
exec 3<>"/dev/tcp/127.0.0.1/$port" 4<>"/dev/tcp/127.0.0.1/$port"
for fd in 3 4; do
    printf '*1\r\n$4\r\nPING\r\n' >&$fd
    read -r -t 120 answer <&$fd || fail "no answer" "$tmp/out"
done

# Who has answered waits again when no thread runs.
while sed 's/.*) //' /proc/$pid/task/*/stat 2>/dev/null | grep -qv '^S'; do sleep 0.1; done

run_gdb() {
    timeout 250 gdb -nx -batch -ex "set debuginfod enabled off" -ex "set pagination off" \
        -x "$script" "$@" 2>&1
}

# ---- what must be seen, live and in the core file

# check <file>: of gdb's output for the commands below
check() {
    local file=$1 text
    [ "$(grep -c '^[* ] goroutine [0-9]* \[IO wait' "$file")" -ge 3 ] ||
        fail "two connections and the listener are not listed as waiting" "$file"
    grep -q 'gort_accept\|net_accept\|accept' "$file" || fail "nobody accepts" "$file"
    text=$(sed -n '/^BEGIN one/,/^END one/p' "$file")
    for function in g_park gort_read g_main arch_entry; do
        grep -q "^#[0-9]* .*\b$function\b" <<<"$text" ||
            fail "the trace of a connection has no $function" "$file"
    done
    grep -q "^#[0-9]* .* at .*examples/kvserver/.*\.c:[0-9]" <<<"$text" ||
        fail "the trace has no line of the server's own" "$file"
    grep -q '^#0' <<<"$text" && fail "the trace begins with a frame of another goroutine" "$file"
    grep -q '\[GC sweep wait, gc sweeper\]' "$file" || fail "all does not list the runtime's own" "$file"
    grep -q 'usage: goroutine N' "$file" || fail "a bad command is no error" "$file"
    grep -q 'there is no goroutine 999999' "$file" || fail "no error for goroutine 999999" "$file"
}

look=(-ex "info goroutines" -ex "info goroutines all" -ex "goroutine all bt 3")
tail=(-ex "goroutine" -ex "goroutine 999999 bt")

# The number of a connection's goroutine: one that waits in gort_read for its next command.
run_gdb "${look[@]}" -p "$pid" >"$tmp/first"
grep -q 'ptrace: Operation not permitted' "$tmp/first" &&
    { echo "skipped: gdb may not attach to processes here" >&2; exit 77; }
number=$(sed -n 's/^. goroutine \([0-9]*\) \[IO wait\] gort_read from request_read.*/\1/p' "$tmp/first" | head -1)
[ -n "$number" ] || fail "no connection waits in gort_read" "$tmp/first"
one=(-ex "echo BEGIN one\\n" -ex "goroutine $number bt" -ex "echo END one\\n")

if [ "${2:-}" = core ]; then
    kill -ABRT "$pid"
    wait "$pid" 2>/dev/null
    pid=
    [ -s "$tmp/core" ] || fail "no core file" "$tmp/out"
    run_gdb "${look[@]}" "${one[@]}" "${tail[@]}" "$server" "$tmp/core" >"$tmp/dead"
    check "$tmp/dead"
    exit 0
fi

run_gdb "${look[@]}" "${one[@]}" "${tail[@]}" -p "$pid" >"$tmp/live"
check "$tmp/live"

# The server goes on after gdb has left.
printf '*1\r\n$4\r\nPING\r\n' >&3
read -r -t 120 answer <&3 || fail "the server does not answer any more" "$tmp/live"
