#!/usr/bin/env bash
# Every small example, run with good and with bad arguments, its output checked.
#
# usage: examples.sh BUILD_FOLDER
#
# Not under ThreadSanitizer, which counts goroutines as threads, of which it has 8,128 at most.
# TEST skip=tsan
# SPDX-License-Identifier: BSD-3-Clause
set -u

build=${1:?usage: examples.sh BUILD_FOLDER}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failures=0

# run STATUS PROGRAM ARGUMENTS...: output and errors go to $tmp/out and $tmp/err.
run() {
    local wanted=$1 program=$2 status
    shift 2
    what="$program $*"
    timeout 250 "$build/examples/$program" "$@" >"$tmp/out" 2>"$tmp/err"
    status=$?
    [ $status = "$wanted" ] || fail "exit status $status, not $wanted"
    [ "$wanted" = 0 ] && [ -s "$tmp/err" ] && fail "wrote to stderr"
}

fail() {
    echo "FAIL: $what: $1" >&2
    head -20 "$tmp/out" "$tmp/err" >&2
    failures=$((failures + 1))
}

says() { grep -q -E -x -- "$1" "$tmp/out" || fail "does not print: $1"; }

refuses() {
    local program=$1 arguments
    shift
    for arguments in "$@"; do
        # shellcheck disable=SC2086  # several arguments in one string
        run 2 "$program" $arguments
        grep -q "^usage: $program" "$tmp/err" || fail "no usage on stderr"
        [ -s "$tmp/out" ] && fail "printed something"
    done
}

run 0 hello
[ "$(sort "$tmp/out")" = "$(for i in 1 2 3 4 5; do echo "hello from goroutine $i"; done)" ] ||
    fail "greetings are missing or doubled"
refuses hello extra

run 0 sieve
says 'prime number 500 is 3571; [0-9]+ goroutines, [0-9]+ ms'
says '2 3 5 7 11 13 17 19 23 29 \.\.\.'
run 0 sieve 1
says 'prime number 1 is 2; .*'
refuses sieve 0 -1 x 1x '1 2' 99999999999

run 0 closing
says '400000 elements received, each once'
run 0 closing 1 5 100
says '100 elements received, each once'
refuses closing 0 '1 0' '1 1 x' '1 1 1 1'

run 0 ticker 50
says '[0-9]+ steps, [0-9]+ ticks'
refuses ticker 0 x '1 2'

run 0 echo
says '20 clients, 10000 of 10000 messages came back right, [0-9]+ ms'
refuses echo 'a b' --help
run 1 echo nonsense

run 0 hundredk
says '100000 goroutines started in [0-9]+ ms'
says '[0-9]+ bytes each while they wait'
says '100000 woken and gone in [0-9]+ ms'
run 0 hundredk 1000
says '1000 woken and gone in [0-9]+ ms'
refuses hundredk 0 x '1 2'

run 0 trees
says 'the tree of depth 16 that stayed is whole'
run 0 trees 12 8
says ' +2048 trees of depth  4, 63488 nodes'
says 'the tree of depth 12 that stayed is whole'
refuses trees 3 25 x '12 0' '12 x' '12 4 1'

# Words of known number; hidden and binary files do not count, and a word may lie across two reads.
mkdir -p "$tmp/texts/sub/.hidden"
for i in $(seq 300); do
    printf 'The quick brown fox jumps over the lazy dog %d.\n' "$i" >"$tmp/texts/$i.txt"
done
for _ in $(seq 20000); do echo "across-the pieces"; done >"$tmp/texts/sub/long"
echo never >"$tmp/texts/sub/.hidden/file"
printf 'never\0' >"$tmp/texts/binary"
ln -s "$tmp/texts" "$tmp/texts/sub/loop"
run 0 wordcount "$tmp/texts"
says ' +62700  words, 10 different ones, in 301 files'
says ' +20600  the'
says ' +20000  across'
says ' +300  quick'
run 1 wordcount "$tmp/nosuch"
refuses wordcount 'a b' --help

run 0 settings
diff - "$tmp/out" >&2 <<'EOT' || fail "prints other settings"
{
  "name": "example",
  "listen": [
    {
      "host": "127.0.0.1",
      "port": 8080,
      "tls": false
    },
    {
      "host": "::",
      "port": 8443,
      "tls": true
    }
  ],
  "cache_bytes": 1048576,
  "timeout": 30
}
EOT
printf 'name = a "b" \\\tc\n\n#\n cache_bytes=-9223372036854775808\ntimeout = 0.125' >"$tmp/good"
run 0 settings "$tmp/good"
says '  "name": "a \\"b\\" \\\\\\u0009c",'
says '  "cache_bytes": -9223372036854775808,'
says '  "timeout": 0\.125'
cat >"$tmp/bad" <<'EOT'
port = 80
listen.0.port = 65536
listen.0.port = 65535
listen.1.tls = true
listen.2.port = 80
listen..port = 80
listen = 80
timeout
timeout = 1e
cache_bytes = 9223372036854775808
cache_bytes = 1.5
timeout = nan
EOT
run 1 settings "$tmp/bad"
[ -s "$tmp/out" ] && fail "printed settings with errors"
diff - "$tmp/err" >&2 <<EOT || fail "tells other errors"
settings: $tmp/bad:1: there is no port
settings: $tmp/bad:2: listen.0.port is of type uint16_t, and can not be 65536
settings: $tmp/bad:4: listen.1.tls is of type bool, and can not be true
settings: $tmp/bad:5: there is no listen.2.port
settings: $tmp/bad:6: there is no listen..port
settings: $tmp/bad:7: listen is of type listener[2], and can not be 80
settings: $tmp/bad:8: this is not \`name = value\`
settings: $tmp/bad:9: timeout is of type double, and can not be 1e
settings: $tmp/bad:10: cache_bytes is of type int64_t, and can not be 9223372036854775808
settings: $tmp/bad:11: cache_bytes is of type int64_t, and can not be 1.5
settings: $tmp/bad:12: timeout is of type double, and can not be nan
EOT
run 1 settings "$tmp/nosuch"
refuses settings 'a b' --help

[ $failures = 0 ] && echo "examples: all well"
exit $((failures > 0))
