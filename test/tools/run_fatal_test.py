"""tools/run_fatal.py accepts what was expected and nothing else, and ends what hangs.

SPDX-License-Identifier: BSD-3-Clause
"""
import os
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUNNER = os.path.join(ROOT, "tools", "run_fatal.py")

PROGRAM = """#!/bin/sh
case $1 in
exit2) echo "fatal error: too bad" >&2; echo "goroutine 1 [running]:" >&2; exit 2 ;;
exit0) exit 0 ;;
abort) kill -ABRT $$ ;;
hang) sleep 60 ;;
leave) sleep 60 & echo "left $!"; exit 2 ;;
env) echo "debug=$GORTDEBUG gc=$GORTGC" >&2; exit 3 ;;
esac
"""


class RunFatal(unittest.TestCase):
    def run_case(self, case, *lines, timeout=20):
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "program")
            source = os.path.join(folder, "source.c")
            with open(program, "w", encoding="utf-8") as f:
                f.write(PROGRAM)
            os.chmod(program, 0o755)
            with open(source, "w", encoding="utf-8") as f:
                f.write("// A test.\n" + "".join(f"// EXPECT {line}\n" for line in lines))
            return subprocess.run(
                [sys.executable, RUNNER, "--timeout", str(timeout), source, program, case],
                capture_output=True, text=True, env={**os.environ, "GORTGC": "7"})

    def good(self, case, *lines):
        ran = self.run_case(case, *lines)
        self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "", ""))

    def bad(self, case, *lines, says, timeout=20):
        ran = self.run_case(case, *lines, timeout=timeout)
        self.assertEqual(ran.returncode, 1)
        self.assertIn(says, ran.stdout + ran.stderr)

    def test_good(self):
        self.good("exit2", r"exit2 exit=2 stderr=^fatal error: too \w+$")
        self.good("exit2", r"exit2 stderr=^goroutine 1 \[running\]:$", "other exit=9")
        self.good("exit2", "exit2 exit=2", "exit2 stderr=too bad", "exit2 absent=nothing")
        self.good("exit0", "exit0 exit=0")
        self.good("abort", "abort signal=SIGABRT")

    def test_environment(self):
        self.good("env", "env exit=3 env:GORTDEBUG=gcstress=1 stderr=^debug=gcstress=1 gc=$")

    def test_bad(self):
        self.bad("exit2", "exit2 exit=1", says="ended with exit code 2, not exit code 1")
        self.bad("exit0", "exit0", says="ended with exit code 0, not exit code 2")
        self.bad("abort", "abort exit=2", says="ended with signal 6")
        self.bad("exit2", "exit2 signal=SIGSEGV", says="not by SIGSEGV")
        self.bad("exit2", "exit2 stderr=good", says="its stderr has no /good/")
        self.bad("exit2", "exit2 absent=too bad", says="it printed /too bad/")
        self.bad("exit2", "exit2 stderr=too bad", "exit2 stderr=good", says="no /good/")
        self.bad("exit2", "exit0 exit=2", says="no EXPECT line")
        self.bad("exit2", "exit2 exit=two", says="can not read")

    def test_hang(self):
        start = time.monotonic()
        self.bad("hang", "hang exit=2", says="did not end within", timeout=1)
        self.assertLess(time.monotonic() - start, 50)  # of 60

    def test_children_are_killed(self):
        ran = self.run_case("leave", "leave stdout=never")
        pid = int(ran.stdout.split("left ")[1].split()[0])
        deadline = time.monotonic() + 50
        while time.monotonic() < deadline and self.lives(pid):
            time.sleep(0.05)
        self.assertFalse(self.lives(pid))

    @staticmethod
    def lives(pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                return f.read().rsplit(")", 1)[1].split()[0] != "Z"
        except FileNotFoundError:
            return False


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
