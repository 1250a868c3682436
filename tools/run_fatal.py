#!/usr/bin/env python3
"""Runs one case of a test of reports and misuse, and compares how it ended.

    run_fatal.py [--timeout SECONDS] [--emulator COMMAND] [--tags TAG,...] SOURCE PROGRAM CASE

PROGRAM is started with CASE as its argument. SOURCE says what must come of it, in lines

    // EXPECT <case> [exit=<code>|signal=<name>] [env:<NAME>=<value>]... [skip=<tag>,...] [<stream>=<regex>]

where <stream>=<regex> takes the rest of the line and is one of

    stderr=<regex>   is found in standard error
    stdout=<regex>   is found in standard output
    absent=<regex>   is found in neither

Several lines for one case all hold. A case that skips one of the build's tags is not run (exit code 77). Without exit= or signal= the exit code is 2. Regexes are
Python's, multi-line: ^ and $ match at line ends, and . matches a newline only as (?s:.).
The program gets no GORT* variables but those given, /dev/null as input, a time limit, and no core
file; whatever it started is killed with it.

SPDX-License-Identifier: BSD-3-Clause
"""
import argparse
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile

STREAM = re.compile(r"(?:^|\s)(stderr|stdout|absent)=(.*)$")


class Expectation:
    def __init__(self):
        self.exit = None
        self.signal = None
        self.env = {}
        self.skip = set()       # tags
        self.patterns = []      # (stream, regex)

    def add(self, words, where):
        match = STREAM.search(words)
        if match:
            self.patterns.append((match.group(1), match.group(2).rstrip()))
            words = words[:match.start()]
        for word in words.split():
            key, _, value = word.partition("=")
            if key == "exit" and value.isdigit():
                self.exit = int(value)
            elif key == "signal" and hasattr(signal, value):
                self.signal = getattr(signal, value)
            elif key == "skip":
                self.skip.update(value.split(","))
            elif key.startswith("env:"):
                self.env[key[4:]] = value
            else:
                sys.exit(f"{where}: can not read '{word}'")


def read_expectation(source, case):
    expectation = Expectation()
    found = False
    with open(source, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            match = re.match(r"(?://| \*) EXPECT (\S+)\s*(.*)$", line)
            if match and match.group(1) == case:
                found = True
                expectation.add(match.group(2), f"{source}:{number}")
    if not found:
        sys.exit(f"{source}: no EXPECT line for '{case}'")
    return expectation


def run(command, expectation, timeout):
    """(exit status as subprocess has it or None when it hung, stdout, stderr)"""
    env = {k: v for k, v in os.environ.items() if not k.startswith("GORT")}
    env.update(expectation.env)
    with tempfile.TemporaryDirectory() as folder, \
            tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(command, cwd=folder, env=env,
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                 start_new_session=True,
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE,
                                                                       (0, 0)))
        try:
            status = child.wait(timeout)
        except subprocess.TimeoutExpired:
            status = None
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
    return status, texts[0], texts[1]


def compare(status, out, err, expectation, timeout):
    """What is wrong, as a list of sentences."""
    wrong = []
    if status is None:
        wrong.append(f"it did not end within {timeout} seconds")
    elif expectation.signal is not None:
        if status != -expectation.signal:
            wrong.append(f"it ended with {describe(status)}, not by {expectation.signal.name}")
    else:
        code = 2 if expectation.exit is None else expectation.exit
        if status != code:
            wrong.append(f"it ended with {describe(status)}, not exit code {code}")
    texts = {"stderr": err, "stdout": out, "absent": out + err}
    for stream, pattern in expectation.patterns:
        found = re.search(pattern, texts[stream], re.M)
        if stream == "absent":
            if found:
                wrong.append(f"it printed /{pattern}/")
        elif not found:
            wrong.append(f"its {stream} has no /{pattern}/")
    return wrong


def describe(status):
    return f"exit code {status}" if status >= 0 else f"signal {-status}"


def main():
    parser = argparse.ArgumentParser(description="run one case of a test of reports")
    parser.add_argument("--timeout", type=float, default=20)
    parser.add_argument("--emulator", help="what runs the program, where the machine can not")
    parser.add_argument("--tags", default="", help="what the build is")
    parser.add_argument("source")
    parser.add_argument("program")
    parser.add_argument("case")
    arg = parser.parse_args()
    expectation = read_expectation(arg.source, arg.case)
    if expectation.skip & set(arg.tags.split(",")):
        return 77
    command = [os.path.abspath(arg.program), arg.case]
    if arg.emulator:
        command.insert(0, arg.emulator)
    status, out, err = run(command, expectation, arg.timeout)
    wrong = compare(status, out, err, expectation, arg.timeout)
    for sentence in wrong:
        print(f"{os.path.basename(arg.source)}: {arg.case}: {sentence}")
    if wrong:
        for name, text in (("stdout", out), ("stderr", err)):
            print(f"---- {name}\n{text[:20000]}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
