#!/usr/bin/env bash
# An installation is complete: a small program is built against it by pkg-config and by
# find_package, with the shared and with the static library, in C and in C++, and runs.
# TEST skip=asan,ubsan,tsan,coverage
#
# SPDX-License-Identifier: BSD-3-Clause
set -euo pipefail

build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CC=${CC:-cc}
CXX=${CXX:-c++}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

# The prefix given at installation is not the configured one, and DESTDIR moves it once more.
DESTDIR=$work/dest cmake --install "$build" --prefix /opt/gort >"$work/install.log"
prefix=$work/dest/opt/gort
pc=$(find "$prefix" -name gort.pc)
[ -f "$pc" ] || fail "no gort.pc"
export PKG_CONFIG_PATH=${pc%/*}
libdir=$(pkg-config --variable=libdir gort)

[ -f "$prefix/include/gort.h" ] || fail "no gort.h"
[ -f "$libdir/libgort.a" ] || fail "no libgort.a"
[ -L "$libdir/libgort.so" ] || fail "no libgort.so"
[ -e "$libdir/libgort.so.0" ] || fail "no libgort.so.0"
[ -f "$prefix/share/man/man3/gort_chan.3" ] || fail "no manual pages"
for name in gort_send gort_scoped_defer gort_now GORT_TYPE; do
    page=$(sed -n 's/^\.so //p' "$prefix/share/man/man3/$name.3")
    grep -q "$name" "$prefix/share/man/$page" || fail "no manual page of $name"
done
[ -f "$prefix/share/gort/gort-gdb.py" ] || fail "no script for gdb"
stray=$(find "$prefix" -type f ! -name '*.h' ! -name 'libgort.*' ! -name 'gort*.cmake' ! -name gort.pc \
    ! -path '*/share/man/man[37]/[gG][oO][rR][tT]_*' ! -name gort.7 ! -name gort-gdb.py)
[ -z "$stray" ] || fail "installs what it should not: $stray"
case $(pkg-config --cflags gort) in
*-fstack-clash-protection*) ;;
*) fail "gort.pc does not ask for -fstack-clash-protection" ;;
esac

cat >"$work/prog.c" <<'END'
#include <gort.h>
#include <stdio.h>

struct job {
    gort_chan(int) out;
    int n;
};

static void square(void *arg)
{
    struct job *j = (struct job *)arg;
    gort_send(j->out, j->n * j->n);
}

static int prog(int argc, char **argv)
{
    gort_chan(int) out = gort_chan_make(int, 0);
    int sum = 0;
    (void)argv;
    for (int i = 1; i <= 10; i++) {
        struct job j = { out, i * argc };
        gort_go_copy(square, &j, sizeof j);
    }
    for (int i = 1; i <= 10; i++) {
        int n;
        gort_recv(out, &n);
        sum += n;
    }
    printf("%d\n", sum);
    return 0;
}

int main(int argc, char **argv)
{
    return gort_run(prog, argc, argv);
}
END
cp "$work/prog.c" "$work/prog.cc"

# try <what> <program>: it prints 385.
try() {
    local out
    out=$("$2") || fail "$1: exit code $?"
    [ "$out" = 385 ] || fail "$1: printed '$out'"
    echo "ok: $1"
}
needs_shared() { readelf -d "$1" | grep -q 'NEEDED.*libgort\.so\.0'; }

cd "$work"
read -ra cflags <<<"$(pkg-config --cflags gort)"
read -ra libs <<<"$(pkg-config --libs gort)"
private=(-lpthread -lm)

"$CC" -O2 "${cflags[@]}" prog.c -o c-shared "${libs[@]}"
needs_shared c-shared || fail "pkg-config's link is not against libgort.so.0"
LD_LIBRARY_PATH=$libdir try "pkg-config, C, shared" ./c-shared

"$CC" -O2 "${cflags[@]}" prog.c -o c-static "$libdir/libgort.a" "${private[@]}"
try "pkg-config, C, static" ./c-static

"$CXX" -O2 -std=gnu++17 "${cflags[@]}" prog.cc -o cxx-shared "${libs[@]}"
LD_LIBRARY_PATH=$libdir try "pkg-config, C++, shared" ./cxx-shared

for kind in shared static; do
    mkdir cmake-$kind
    cat >cmake-$kind/CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.20)
project(user C)
set(GORT_USE_STATIC_LIBS $([ $kind = static ] && echo ON || echo OFF))
find_package(gort 0.1 REQUIRED)
add_executable(user ../prog.c)
target_link_libraries(user PRIVATE gort::gort)
add_executable(user2 ../prog.c)
target_link_libraries(user2 PRIVATE gort::gort_$kind)
END
    cmake -S cmake-$kind -B cmake-$kind/build -DCMAKE_PREFIX_PATH="$prefix" \
        -DCMAKE_C_COMPILER="$CC" -DCMAKE_VERBOSE_MAKEFILE=ON >cmake.log || {
        cat cmake.log
        fail "find_package, $kind"
    }
    cmake --build cmake-$kind/build >cmake.log || {
        cat cmake.log
        fail "find_package, $kind: does not build"
    }
    grep -q -e '-fstack-clash-protection' cmake.log || fail "$kind: no -fstack-clash-protection"
    try "find_package, $kind" cmake-$kind/build/user
    try "find_package, $kind, by name" cmake-$kind/build/user2
    if [ $kind = shared ]; then
        needs_shared cmake-$kind/build/user || fail "gort::gort is not the shared library"
    elif needs_shared cmake-$kind/build/user; then
        fail "GORT_USE_STATIC_LIBS has no effect"
    fi
done
