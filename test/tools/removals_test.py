#!/usr/bin/env python3
"""Each removal of test/removals.txt applies to the tree as it is, and names a test; the check says so of one
that does not.  The removals themselves are tried by prog/removals_long.

    removals_test.py BUILD_FOLDER

SPDX-License-Identifier: BSD-3-Clause
"""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WRONG = """\
remove what is there twice
test test/api/go_basic
file src/sched/proc.c
from struct
to   union

remove what nobody tests
test test/api/no_such_test
file src/sched/proc.c
from bool switch_from_dead(
to   bool switch_from_live(
"""


def apply(*arguments):
    command = [sys.executable, os.path.join(ROOT, "tools", "removals.py"), "--apply", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)


done = apply()
if done.returncode != 0:
    sys.exit(done.stdout)
with tempfile.NamedTemporaryFile("w", suffix=".txt") as wrong:
    wrong.write(WRONG)
    wrong.flush()
    done = apply("--list", wrong.name)
    if done.returncode != 1 or "2 removals, 2 places wrong" not in done.stdout:
        sys.exit("wrong removals are not found:\n" + done.stdout)
