#!/usr/bin/env bash
# gdb lists and unwinds kvserver's goroutines in a core file: see gdb.sh.
#
# usage: gdb_core_long.sh BUILD_FOLDER
#
# TEST skip=asan,ubsan,tsan,coverage
# SPDX-License-Identifier: BSD-3-Clause
exec bash "$(dirname "$0")/gdb.sh" "${1:?usage: gdb_core_long.sh BUILD_FOLDER}" core
