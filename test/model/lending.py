#!/usr/bin/env python3
"""The model of Ps that blocking regions lend: lending.pml.

SPDX-License-Identifier: BSD-3-Clause
"""
# TEST skip=asan,ubsan,tsan,coverage,debug,clang
import os
import sys

sys.path.insert(0, os.path.join(os.environ["GORT_SOURCE_DIR"], "tools"))
import run_spin  # noqa: E402

run_spin.main("lending.pml")
