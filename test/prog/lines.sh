#!/usr/bin/env bash
# What a report says of a frame, file+offset, is what addr2line wants: it gives the line of the call, in programs
# at any address, at a fixed one, and in shared libraries.
#
# TEST skip=asan,ubsan,tsan,coverage
#
# SPDX-License-Identifier: BSD-3-Clause
set -u

build=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0
command -v addr2line >/dev/null || exit 77

cat >"$dir/lib.c" <<'END_LIB'
void lib_call(void (*fn)(void));
void lib_call(void (*fn)(void))
{
    fn(); // calls in lib_call
    __asm__ volatile("");
}
END_LIB
cat >"$dir/p.c" <<'END_P'
#include <gort.h>

void lib_call(void (*fn)(void));

__attribute__((noinline)) static void waits(void)
{
    gort_select(NULL, 0); // calls in waits
    __asm__ volatile("");
}
static void worker(void *arg)
{
    lib_call(waits); // calls in worker
    __asm__ volatile("");
    (void)arg;
}
static int starter(int argc, char **argv)
{
    (void)argc, (void)argv;
    gort_go(worker, NULL); // calls in starter
    gort_goexit();
}
int main(int argc, char **argv)
{
    return gort_run(starter, argc, argv);
}
END_P

fail()
{
    echo "FAILED: $*"
    bad=1
}

# The frame's line under its function, or under the line that begins so: <mode> <function> <source>
check()
{
    local place file offset got want
    place=$(grep -A1 -E "^(created by )?$2[( ]" "$dir/report" | sed -n '2s/^\t\([^ ]*\) pc=.*/\1/p')
    file=${place%+*} offset=${place##*+}
    want="$3:$(grep -n "calls in $2\$" "$dir/$3" | cut -d: -f1)"
    got=$(addr2line -f -e "$dir/${file:-none}" "${offset:-0}" 2>&1)
    got=$(echo "$got" | sed 's,.*/,,; s, (disc.*,,' | paste -sd' ')
    [ "$got" = "$2 $want" ] || { fail "$1, $2: '$got' instead of $want"; cat "$dir/report"; }
}

cc=("${CC:-cc}" -g -O1 -fstack-clash-protection -I"$GORT_SOURCE_DIR/include")
"${cc[@]}" -fPIC -shared "$dir/lib.c" -o "$dir/lib.so" || exit 77
for mode in -pie -no-pie; do
    "${cc[@]}" "-f${mode#-}" $mode "$dir/p.c" "$dir/lib.so" "$build/libgort.a" -Wl,-rpath,"$dir" \
        -lpthread -lm -o "$dir/p" || { fail "$mode: can not be built"; continue; }
    timeout 250 "$dir/p" 2>"$dir/report"
    [ $? = 2 ] || fail "$mode: no report"
    check $mode waits p.c
    check $mode lib_call lib.c
    check $mode worker p.c
    check $mode starter p.c
done
exit $bad
