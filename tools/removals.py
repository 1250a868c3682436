#!/usr/bin/env python3
"""Takes mechanisms out of a copy of the tree, one at a time, and expects a test to fail each time.

    tools/removals.py [--list FILE] [--jobs N] [--runs N] [--seconds N] [name ...]
    tools/removals.py [--list FILE] --apply [name ...]      builds nothing: does each apply?

The list is test/removals.txt, whose head says what its lines mean.  Names choose those that contain one of
them.  The copy is built once as it is, and each test must pass there; then with each removal.  A test that
fails in one of --runs runs, or takes longer than --seconds, has found what is missing.  Exit code 1: a
removal was not found, or does not apply.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COPIED = ["CMakeLists.txt", "CMakePresets.json", "cmake", "include", "src", "test", "tools",
          "examples", "bench", "doc"]


class Removal:
    def __init__(self, name):
        self.name = name
        self.test = None
        self.edits = []  # [file, from, to]


def read_list(path):
    removals = []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if not line.strip() or line.startswith("#"):
                continue
            word, _, rest = line.partition(" ")
            if word == "remove":
                removals.append(Removal(rest.strip()))
            elif not removals:
                sys.exit(f"{path}:{number}: '{word}' before the first 'remove'")
            elif word == "test":
                removals[-1].test = rest.strip()
            elif word == "file":
                removals[-1].edits.append([rest.strip(), None, None])
            elif word in ("from", "to") and removals[-1].edits:
                removals[-1].edits[-1][1 if word == "from" else 2] = rest.strip()
            else:
                sys.exit(f"{path}:{number}: what is '{word}' here?")
    for r in removals:
        if r.test is None or not r.edits or any(None in e for e in r.edits):
            sys.exit(f"{path}: '{r.name}' is not complete")
    return removals


class Tree:
    """A copy of the sources and its build."""

    def __init__(self, folder, jobs):
        self.source = os.path.join(folder, "gort")
        self.build = os.path.join(folder, "build")
        self.jobs = str(jobs)
        os.mkdir(self.source)
        for name in COPIED:
            path = os.path.join(ROOT, name)
            if os.path.isdir(path):
                shutil.copytree(path, os.path.join(self.source, name), symlinks=True)
            elif os.path.exists(path):
                shutil.copy2(path, self.source)
        if not self.call(["cmake", "--preset", "release", "-S", self.source, "-B", self.build]):
            sys.exit("the copy can not be configured")

    def call(self, command):
        """false: it failed, and said so."""
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              cwd=self.source)
        if done.returncode != 0:
            print(f"{' '.join(command)}:\n{done.stdout[-3000:]}", file=sys.stderr)
        return done.returncode == 0

    def make(self, tests):
        targets = [t.split()[0][len("test/"):].replace("/", "_") for t in sorted(tests)]
        return self.call(["cmake", "--build", self.build, "-j", self.jobs, "--target", *targets])

    def edit(self, removal):
        """Returns what undoes it; None: it does not apply."""
        former = {}
        for file, old, new in removal.edits:
            path = os.path.join(self.source, file)
            with open(path, encoding="utf-8") as f:
                text = f.read()
            if text.count(old) != 1:
                print(f"{file} has '{old}' {text.count(old)} times", file=sys.stderr)
                self.restore(former)
                return None
            former.setdefault(path, text)
            self.write(path, text.replace(old, new))
        return former

    def restore(self, former):
        for path, text in former.items():
            self.write(path, text)

    @staticmethod
    def write(path, text):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def run(self, test, seconds):
        """How it ended, None: well."""
        name, *case = test.split()
        command = [os.path.join(self.build, name)]
        if case:  # of a test of reports
            source = os.path.join(self.source, name + ".c")
            command = [sys.executable, os.path.join(ROOT, "tools", "run_fatal.py"), source, *command, *case]
        beside = dict(os.environ, GORTDEBUG="gcsmall=0")  # as GORT_STRESS_DEBUG in GortTests.cmake
        p = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             cwd=self.build, start_new_session=True, env=beside)
        try:
            code = p.wait(timeout=seconds)
            return None if code == 0 else f"ended with {code}"
        except subprocess.TimeoutExpired:
            return f"did not end within {seconds} s"
        finally:
            try:
                os.killpg(p.pid, 9)  # its children, which tests make for each case
            except ProcessLookupError:
                pass
            p.wait()


def is_found(tree, removal, arguments):
    former = tree.edit(removal)
    if former is None:
        return "does not apply", False
    built, how = tree.make({removal.test}), None
    for _ in range(arguments.runs if built else 0):
        how = tree.run(removal.test, arguments.seconds)
        if how is not None:
            break
    tree.restore(former)
    if not built:
        return "does not build", False
    return how or "NOT FOUND", how is not None


def places(root, removal):
    """Says where a text to remove is not found exactly once; how often that is."""
    wrong = 0
    for file, old, _ in removal.edits:
        with open(os.path.join(root, file), encoding="utf-8") as f:
            times = f.read().count(old)
        if times != 1:
            print(f"{removal.name}: {file} has '{old}' {times} times")
            wrong += 1
    if not os.path.exists(os.path.join(root, removal.test.split()[0] + ".c")):
        print(f"{removal.name}: there is no {removal.test}")
        wrong += 1
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", default=os.path.join(ROOT, "test", "removals.txt"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--apply", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    removals = [r for r in read_list(arguments.list)
                if not arguments.names or any(n in r.name for n in arguments.names)]
    if not removals:
        sys.exit("no such removal")
    if arguments.apply:
        wrong = sum(places(ROOT, r) for r in removals)
        print(f"{len(removals)} removals, {wrong} places wrong")
        return 1 if wrong else 0
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(folder, arguments.jobs)
        tests = {r.test for r in removals}
        if not tree.make(tests):
            sys.exit("the copy does not build")
        for test in sorted(tests):
            how = tree.run(test, 4 * arguments.seconds)
            if how is not None:
                sys.exit(f"{test} {how}, with nothing removed")
        for r in removals:
            how, found = is_found(tree, r, arguments)
            missed += not found
            print(f"{r.name}: {r.test} {how}", flush=True)
    print(f"{len(removals) - missed} of {len(removals)} found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
