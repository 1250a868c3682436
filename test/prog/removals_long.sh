#!/bin/sh
# Each mechanism of test/removals.txt, taken out, makes a test fail.
# TEST timeout=2400
# TEST skip=asan,ubsan,tsan,coverage,clang,debug
# SPDX-License-Identifier: BSD-3-Clause
exec python3 "$GORT_SOURCE_DIR/tools/removals.py"
