#!/usr/bin/env bash
# Every linker keeps the record of each restartable range that is kept, whatever it is told to discard:
# without it a stop would tear the range. Programs of one range, plain and in a COMDAT function, are
# linked with --gc-sections, and what they would register is counted.
# TEST skip=asan,ubsan,tsan,coverage,clang
#
# SPDX-License-Identifier: BSD-3-Clause
set -euo pipefail

cd "$GORT_SOURCE_DIR"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

cat >"$work/plain.c" <<'END'
#include <gort/inline.h>
#include <stdio.h>
__thread struct gort_tls_block gort_tls __attribute__((tls_model("initial-exec")));
unsigned char gort_barrier_flag;
static long registered;
void gort_ranges_register(const struct gort_range *first, const struct gort_range *last)
{
    registered = last - first;
}
void gort_store_pointer_slow(void **slot, void *value) { *slot = value; }
void gort_library_keep_(const void *at) { (void)at; }
#ifdef __cplusplus
template <int> inline __attribute__((noinline)) void store(void **slot) { gort_store_pointer(slot, slot); }
#define STORE store<1>
#else
__attribute__((noinline)) static void store(void **slot) { gort_store_pointer(slot, slot); }
#define STORE store
#endif
int main(void)
{
    void *slot;
    STORE(&slot);
    printf("%ld\n", registered);
    return 0;
}
END

try() { # compiler and options
    "$@" -Iinclude -O2 -ffunction-sections -Wl,--gc-sections "$work/plain.c" -o "$work/plain"
    local n
    n=$("$work/plain")
    [ "$n" = 1 ] && return
    echo "$*: $n ranges are registered, not 1"
    failed=1
}

for linker in bfd gold lld; do
    [ "$linker" = bfd ] || command -v "ld.$linker" >/dev/null || continue
    for language in "gcc -x c" "clang -x c" "g++ -x c++" "clang++ -x c++"; do
        # shellcheck disable=SC2086
        try $language "-fuse-ld=$linker"
    done
done
if ld.bfd -z start-stop-gc --version >/dev/null 2>&1; then try gcc -x c -fuse-ld=bfd -Wl,-z,start-stop-gc; fi
exit $failed
