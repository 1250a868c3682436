#!/usr/bin/env bash
# Fuzzes what takes any bytes: each target of test/fuzz for some seconds, with libFuzzer. The library is
# not instrumented; its inlined parts and the targets are.
# TEST skip=asan,ubsan,tsan,coverage,arm64
#
# SPDX-License-Identifier: BSD-3-Clause
set -euo pipefail

build=$1
runtime=$(clang -print-file-name="libclang_rt.fuzzer_no_main-$(uname -m).a" 2>/dev/null || true)
if [ ! -f "$runtime" ]; then
    echo "clang's libFuzzer is not installed"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$GORT_SOURCE_DIR"
for source in test/fuzz/*.c; do
    name=$(basename "$source" .c)
    clang -O1 -g -D_GNU_SOURCE -fstack-clash-protection -fsanitize=fuzzer-no-link -Iinclude "$source" \
        "$build/libgort.a" "$runtime" -lstdc++ -lpthread -lm -o "$work/$name"
    mkdir "$work/$name.found"
    (cd "$work/$name.found" &&
        "../$name" -max_total_time="${FUZZ_SECONDS:-15}" -max_len=512 -seed="${TEST_SEED:-0}" \
            >"$work/$name.log" 2>&1) || {
        tail -40 "$work/$name.log"
        od -An -c "$work/$name.found"/crash-* | head -20
        exit 1
    }
    runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$work/$name.log")
    echo "$name: ${runs:-no} runs"
    [ "${runs:-0}" -gt 100 ]
done
