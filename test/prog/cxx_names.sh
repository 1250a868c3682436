#!/usr/bin/env bash
# A report shows names of C++ as the linker has them, whole ones up to 159 characters, so that c++filt reads them.
#
# TEST skip=asan,ubsan,tsan,coverage
#
# SPDX-License-Identifier: BSD-3-Clause
set -euo pipefail

command -v c++filt >/dev/null || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/program.cc" <<'END'
#include <gort.h>

namespace application_with_a_name {
namespace component_with_a_longer_name {
template <typename First, typename Second> struct handler_of_requests {
    __attribute__((noinline)) static void called_with_both(First *first, Second *second)
    {
        if (first != nullptr) *first = First(*second);
        gort_panic("in C++");
    }
};
}
}

static int run(int, char **)
{
    using namespace application_with_a_name::component_with_a_longer_name;
    long l = 1;
    char c = 2;
    handler_of_requests<long, char>::called_with_both(&l, &c);
    return (int)l;
}

int main(int argc, char **argv)
{
    return gort_run(run, argc, argv);
}
END
"$CXX" -std=c++17 -O1 -fstack-clash-protection -I"$GORT_SOURCE_DIR/include" -o "$work/program" \
    "$work/program.cc" "$1/libgort.a" -pthread -lm
status=0
"$work/program" 2>"$work/report" || status=$?
[ $status = 2 ] || { echo "exit code $status"; cat "$work/report"; exit 1; }
name='application_with_a_name::component_with_a_longer_name::handler_of_requests<long, char>::called_with_both'
c++filt <"$work/report" >"$work/read"
grep -F "$name(long*, char*)(...)" "$work/read" >/dev/null || { cat "$work/report"; exit 1; }
