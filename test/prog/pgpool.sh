#!/usr/bin/env bash
# examples/pgpool against Debian's PostgreSQL, which is started here, in a folder of its own and on a
# Unix socket only; skipped where it, or libpq when the example was built, is not installed.
#
# usage: pgpool.sh BUILD_FOLDER
#
# TEST skip=asan,ubsan,tsan,coverage
# SPDX-License-Identifier: BSD-3-Clause
set -u

build=${1:?usage: pgpool.sh BUILD_FOLDER}
program=$(cd "$build" && pwd)/examples/pgpool

skip() {
    echo "skipped: $1" >&2
    exit 77
}
[ -x "$program" ] || skip "examples/pgpool was not built: libpq-dev is not installed"
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
[ -x "$bin/initdb" ] || skip "postgresql is not installed"

# The server refuses to run as root: then it runs as the user of the package.
as=()
if [ "$(id -u)" = 0 ]; then
    getent passwd postgres >/dev/null || skip "root may not run the server, and there is no user postgres"
    as=(setpriv --reuid postgres --regid postgres --clear-groups)
fi

tmp=$(mktemp -d /tmp/pgpool.XXXXXX)
[ ${#as[@]} -gt 0 ] && chown postgres "$tmp"
finish() {
    "${as[@]}" "$bin/pg_ctl" -D "$tmp/data" -m immediate -w stop >/dev/null 2>&1
    rm -rf "$tmp"
}
trap finish EXIT

failures=0
fail() {
    echo "FAIL: $*" >&2
    failures=$((failures + 1))
}

cd "$tmp" || exit 1
"${as[@]}" "$bin/initdb" -D "$tmp/data" -U tester -A trust -N --locale=C -E UTF8 >"$tmp/initdb.log" 2>&1 ||
    { cat "$tmp/initdb.log" >&2; exit 1; }
"${as[@]}" "$bin/pg_ctl" -D "$tmp/data" -w -t 60 -l "$tmp/log" \
    -o "-k $tmp -c listen_addresses='' -c fsync=off -c max_connections=40" start >/dev/null ||
    { cat "$tmp/log" >&2; exit 1; }
conninfo="host=$tmp user=tester dbname=postgres"

# run STATUS ARGUMENTS...
run() {
    local wanted=$1 status
    shift
    timeout 250 "$program" "$@" >"$tmp/out" 2>"$tmp/err"
    status=$?
    if [ $status != "$wanted" ]; then
        fail "pgpool $*: exit status $status, not $wanted"
        head -30 "$tmp/out" "$tmp/err" >&2
    fi
}
says() { grep -q -E -x -- "$1" "$tmp/out" || fail "does not print: $1"; }

run 0 "$conninfo"
says 'crowd: 2000 statements by 50 goroutines over [1-4] of 4 connections, [0-9]+ ms'
says 'waiting: gave up at the deadline, and was served afterwards'
says 'deadline: the statement was cancelled, the connection goes on'
says 'context: its end cancelled the statement, the connection goes on'
says 'health: a connection that the server had ended was replaced'
says 'lifetime: an old connection was replaced'
says 'idle: a connection that nobody used was closed'
says 'abandoned: connections given up while they were made or checked were closed'
grep -q WRONG "$tmp/out" && fail "something was wrong"

run 0 "$conninfo" 300 3000 20
GORTMAXPROCS=1 run 0 "$conninfo" 20 400 2
GORTDEBUG=gcstress=500,clobberfree=1 run 0 "$conninfo" 20 400 3

# Nobody there, and nonsense.
run 1 "host=$tmp/nowhere"
grep -q '^pgpool: ' "$tmp/err" || fail "no reason on stderr"
run 1 "no conninfo"
run 2
run 2 "$conninfo" 0
run 2 "$conninfo" 1 1 x

[ $failures = 0 ] || exit 1
