#!/usr/bin/env bash
# Every header compiles alone: the public ones as C11 and C++17, by gcc and clang, with all warnings
# and -pedantic; the private ones as the library's own C.
# TEST skip=asan,ubsan,tsan,coverage,clang
#
# SPDX-License-Identifier: BSD-3-Clause
set -euo pipefail

build=$1
root=$GORT_SOURCE_DIR
cd "$root"
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# alone <header> <compiler and flags...>
alone() {
    local header=$1
    shift
    if ! printf '#include "%s"\n' "$header" |
        "$@" -Wall -Wextra -Werror -fsyntax-only - >"$work/out" 2>&1; then
        echo "$header does not compile alone by: $*" >&2
        head -20 "$work/out" >&2
        failed=1
    fi
}

while read -r header; do
    for cc in gcc clang; do
        alone "$header" $cc -x c -std=gnu11 -pedantic -Iinclude
        alone "$header" $cc -x c -std=gnu17 -O2 -pedantic -Iinclude
        alone "$header" $cc -x c++ -std=gnu++17 -pedantic -Iinclude
    done
done < <(cd include && find . -name '*.h' | sed 's,^\./,,')

# Headers of another machine or system compile on theirs.
other='^$'
case $(uname -m) in
x86_64) other='^arch/arm64/|_arm64\.h$' ;;
aarch64) other='^arch/amd64/|_amd64\.h$' ;;
esac
while read -r header; do
    alone "$header" gcc -x c -std=gnu11 -D_GNU_SOURCE -DGORT_ASSERT_LEVEL=2 \
        -Iinclude -Isrc -I"$build/generated"
done < <(cd src && find . -name '*.h' | sed 's,^\./,,' | grep -Ev "$other")
exit $failed
