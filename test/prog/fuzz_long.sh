#!/usr/bin/env bash
# Fuzzes what takes any bytes: each target of test/fuzz for some seconds, with libFuzzer. What the
# targets are about (DATA below) is compiled anew, so that libFuzzer sees its branches and what it
# compares; the rest of the library is the build's own.
# TEST skip=asan,ubsan,tsan,coverage,arm64
#
# SPDX-License-Identifier: BSD-3-Clause
set -euo pipefail

build=$(cd "$1" && pwd)
runtime=$(clang -print-file-name="libclang_rt.fuzzer_no_main-$(uname -m).a" 2>/dev/null || true)
if [ ! -f "$runtime" ]; then
    echo "clang's libFuzzer is not installed"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$GORT_SOURCE_DIR"
DATA='map map_grow map_iter map_make cmap cmap_table hash slice sort string string_split utf8 format
    float_text intern reflect value any'
level=$(sed -n 's/^GORT_ASSERT_LEVEL:[A-Z]*=//p' "$build/CMakeCache.txt")
flags="-g -D_GNU_SOURCE -fstack-clash-protection -fsanitize=fuzzer-no-link"

objects=$(sed 's/^[a-z]* //' "$build/floors.txt")
for file in $DATA; do
    # shellcheck disable=SC2086
    clang -O1 $flags -DGORT_INTERNAL -DGORT_ASSERT_LEVEL="${level:-0}" -DGORT_VERSION='"fuzz"' \
        -DGORT_ARCH_NAME='"amd64"' -DGORT_OS_NAME='"linux"' -Iinclude -Isrc -I"$build/generated" \
        -std=gnu11 -fPIC -fno-optimize-sibling-calls -fvisibility=hidden -fexceptions \
        -fasynchronous-unwind-tables -ftls-model=initial-exec -fno-strict-aliasing \
        -c "src/lang/$file.c" -o "$work/$file.o"
    objects=${objects//"$(grep -o "[^ ]*/lang/$file\.c\.o" "$build/floors.txt")"/"$work/$file.o"}
done
for source in test/fuzz/*.c; do
    name=$(basename "$source" .c)
    # shellcheck disable=SC2086
    clang -O1 $flags -Iinclude "$source" $objects "$runtime" -lstdc++ -lpthread -lm -o "$work/$name"
    mkdir "$work/$name.found"
    (cd "$work/$name.found" &&
        "../$name" -max_total_time="${FUZZ_SECONDS:-15}" -max_len="${FUZZ_BYTES:-512}" \
            -seed="${TEST_SEED:-0}" >"$work/$name.log" 2>&1) || {
        tail -40 "$work/$name.log"
        od -An -c "$work/$name.found"/crash-* | head -20
        exit 1
    }
    runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$work/$name.log")
    edges=$(sed -n 's/.*(\([0-9]*\) inline 8-bit counters).*/\1/p' "$work/$name.log" | head -1)
    seen=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$work/$name.log" | tail -1)
    echo "$name: ${runs:-no} runs, ${seen:-no} of ${edges:-no} branches"
    [ "${runs:-0}" -gt 100 ]
    [ "${edges:-0}" -gt 3000 ] # the library's are among them
done
