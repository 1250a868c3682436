#!/usr/bin/env python3
"""tools/run_spin.py tells a right model from a wrong one, and one that tests from one that does not.

SPDX-License-Identifier: BSD-3-Clause
"""
import contextlib
import io
import os
import shutil
import sys
import tempfile
import unittest

ROOT = os.environ.get("GORT_SOURCE_DIR") or os.path.join(os.path.dirname(__file__), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tools"))
import run_spin  # noqa: E402

run_spin.OPTIMIZE = "-O0"  # tiny models

# Two processes increment a shared number, each under a lock unless it is left out.
HEAD = """/* A model.
 *
%s
 */
"""
MODEL = """
byte number, lock, over;
inline unlock() { lock = 0 }
proctype adder()
{
    byte n;
#ifndef NO_LOCK
    atomic { lock == 0 -> lock = 1 };
#endif
    n = number;
    number = n + 1;
#ifndef NO_UNLOCK
    unlock();
#endif
    if
    :: over == 1 -> skip
    :: else
    fi;
    over++
}
init {
    atomic { run adder(); run adder() };
    over >= 2;
    assert(number == 2)
}
"""


def outcome(lines, body=MODEL):
    """(failed, what was printed) of a model with these lines in its head."""
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "m.pml")
        with open(model, "w", encoding="utf-8") as f:
            f.write(HEAD % "\n".join(" * " + line for line in lines) + body)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            failed = run_spin.check_all(model, None, folder)
        return failed, said.getvalue()


@unittest.skipUnless(shutil.which("spin"), "spin is not installed")
class RunSpin(unittest.TestCase):
    def test_right_and_broken(self):
        failed, said = outcome(["CHECK locked", "BREAK unlocked NO_LOCK assertion",
                                "BREAK stuck NO_UNLOCK deadlock"])
        self.assertFalse(failed, said)
        self.assertEqual(said.count("ok "), 3)

    def test_a_wrong_model_fails(self):
        failed, said = outcome(["CHECK unlocked NO_LOCK"])
        self.assertTrue(failed)
        self.assertIn("FAIL unlocked: assertion (must be: right)", said)
        self.assertIn("number = (n+1)", said)  # the trail

    def test_a_break_that_is_not_found_fails(self):
        failed, said = outcome(["CHECK locked", "BREAK nothing NOTHING assertion"])
        self.assertTrue(failed)
        self.assertIn("FAIL nothing: right (must be: assertion)", said)

    def test_a_break_of_another_kind_fails(self):
        failed, said = outcome(["CHECK locked", "BREAK stuck NO_UNLOCK assertion"])
        self.assertTrue(failed, said)

    def test_what_is_never_reached_fails(self):
        body = MODEL.replace(":: else\n", ":: else\n    :: number > 9 -> over = 7; over = 8\n")
        failed, said = outcome(["CHECK locked"], body)
        self.assertTrue(failed, said)
        self.assertIn("no variant reaches this", said)
        failed, said = outcome(["CHECK locked"], body.replace("= 8", "= 8 /* UNREACHED */"))
        self.assertFalse(failed, said)

    def test_a_model_without_a_check(self):
        with self.assertRaises(SystemExit):
            outcome(["BREAK unlocked NO_LOCK assertion"])
        with self.assertRaises(SystemExit):
            outcome(["CHECK locked", "BREAK unlocked NO_LOCK"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
