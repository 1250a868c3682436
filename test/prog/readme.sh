#!/usr/bin/env bash
# The program in README.md builds by the command line that stands there, and does what it says.
# TEST skip=asan,ubsan,tsan,coverage
#
# SPDX-License-Identifier: BSD-3-Clause
set -euo pipefail

build=$1
cd "$GORT_SOURCE_DIR"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' README.md >"$work/prog.c"
[ -s "$work/prog.c" ]
"${CC:-cc}" -O2 -fstack-clash-protection -Wall -Wextra -Werror "$work/prog.c" -Iinclude \
    "$build/libgort.a" -lpthread -lm -o "$work/prog"
"$work/prog" >"$work/out"
[ "$(wc -l <"$work/out")" = 100 ]
[ "$(tail -1 "$work/out")" = 541 ]
