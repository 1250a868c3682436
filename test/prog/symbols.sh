#!/usr/bin/env bash
# What the libraries show to a program: only names that begin with gort_, in the archive as in the
# shared object; the SONAME; no executable stack; every text relocated; no library beyond libc's own.
# TEST skip=asan,ubsan,tsan,coverage
#
# SPDX-License-Identifier: BSD-3-Clause
set -euo pipefail

build=$1
failed=0

# bad <what> <lines>: a finding, when there are lines.
bad() {
    if [ -n "$2" ]; then
        printf '%s:\n%s\n' "$1" "$2" >&2
        failed=1
    fi
}
others() { awk '{ print $1 }' | grep -Ev '^_?_?gort_' || true; }

shared=$build/libgort.so.0
archive=$build/libgort.a

# Local ones are in the table too, since the library allocates inline: the bounds of its ranges.
bad "the shared library exports" "$(nm -P -D --defined-only "$shared" | grep -v ' [rtdb] ' | others)"
bad "the archive offers" "$(nm -P -g --defined-only "$archive" 2>/dev/null |
    grep -v '^.*:$' | others)"
bad "the archive's undefined symbols that are hidden" \
    "$(readelf -sW "$archive" | awk '$7 == "UND" && $6 == "HIDDEN" { print $8 }' |
        grep -Ev '^__(start|stop)_|^_GLOBAL_OFFSET_TABLE_$|^__dso_handle$|^_DYNAMIC$|^__ehdr_start$' || true)"

readelf -d "$shared" | grep -q 'SONAME.*\[libgort\.so\.0\]' || bad "SONAME" "is not libgort.so.0"
bad "text relocations" "$(readelf -d "$shared" | grep TEXTREL || true)"
bad "executable stack of the shared library" \
    "$(readelf -lW "$shared" | grep GNU_STACK | grep -E ' RWE ' || true)"
readelf -SW "$build/gort.o" | grep '\.note\.GNU-stack' >/dev/null ||
    bad "gort.o" "an object lacks .note.GNU-stack, so programs would get an executable stack"
bad "needed libraries" "$(readelf -d "$shared" | grep NEEDED |
    grep -Ev '\[(libc\.so|libm\.so|libpthread\.so|libgcc_s\.so|ld-linux)' || true)"
exit $failed
