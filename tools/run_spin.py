"""Runs a Promela model through spin, in all the variants that the model itself names.

    CHECK name [DEFINE ...]              every interleaving must be right
    BREAK name [DEFINE ...] kind [kind]  something is left out: spin must find a violation,
                                         an `assertion` or a `deadlock`; with both, either

at the start of a line of the model's head comment. A model that finds its breakages is one that can
find something. And a statement that no CHECK ever reaches says nothing; such statements are errors,
but for those whose line says UNREACHED.

Every search is exhaustive: one that ends for want of memory or depth is an error.

A test in test/model/ is three lines:

    import os, sys
    sys.path.insert(0, os.path.join(os.environ["GORT_SOURCE_DIR"], "tools"))
    import run_spin; run_spin.main("x.pml")

By hand: run_spin.py x.pml [name], which prints the trail of the variant when it finds a violation.

SPDX-License-Identifier: BSD-3-Clause
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

MEMORY_MB = 1900
DEPTH = 1000000
OPTIMIZE = "-O2"  # of the search's own program
KINDS = ("assertion", "deadlock")
LINE = re.compile(r"^[ */]*(CHECK|BREAK) +([a-z0-9-]+)((?: +[A-Za-z0-9_=]+)*) *$", re.M)


class Variant:
    def __init__(self, verb, name, words):
        self.broken = verb == "BREAK"
        self.name = name
        self.kinds = [w for w in words if w in KINDS]
        self.defines = ["-D" + w for w in words if w not in KINDS]
        if self.broken != bool(self.kinds):
            sys.exit(f"{verb} {name}: a BREAK, and only it, says what must be found")


def variants(text):
    found = [Variant(m[1], m[2], m[3].split()) for m in LINE.finditer(text)]
    if not any(not v.broken for v in found):
        sys.exit("the model has no line '* CHECK name'")
    return found


def run(command, folder):
    r = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    return r.returncode, r.stdout + r.stderr


def build(model, variant, folder):
    status, out = run(["spin", "-a", *variant.defines, model], folder)
    if status != 0:
        sys.exit(f"{variant.name}: spin can not read the model:\n{out}")
    cc = os.environ.get("CC", "cc")
    status, out = run([cc, OPTIMIZE, "-w", "-DSAFETY", "-DCOLLAPSE", "-DNOCLAIM",
                       f"-DMEMLIM={MEMORY_MB}", "-o", "pan", "pan.c"], folder)
    if status != 0:
        sys.exit(f"{variant.name}: {cc} can not compile what spin made:\n{out}")


def verdict(out):
    """What the search found: 'right', 'assertion', 'deadlock', or why it does not count."""
    if re.search(r"^pan:\d+: invalid end state", out, re.M):
        return "deadlock"
    if re.search(r"^pan:\d+: assertion violated", out, re.M):
        return "assertion"
    other = re.search(r"^pan:\d+: .*", out, re.M)
    if other:
        return other[0]
    if "max search depth too small" in out or "Search not completed" in out:
        return "the search was not completed"
    if not re.search(r"errors: 0$", out, re.M):
        return "the search has no result"
    return "right"


def sections(text):
    """[(proctype, rest)] of what pan prints for each."""
    parts = re.split(r"^(?:unreached in )?(?:proctype|init|claim) *(\w*).*$", text, flags=re.M)
    return list(zip(parts[1::2], parts[2::2]))


def states_by_line(model, variant, folder):
    """{line: {(proctype, state)}}: -o3 keeps statements apart that spin would join in one."""
    os.makedirs(os.path.join(folder, "table"), exist_ok=True)
    folder = os.path.join(folder, "table")
    run(["spin", "-o3", "-a", *variant.defines, model], folder)
    run([os.environ.get("CC", "cc"), "-w", "-DSAFETY", "-DNOCLAIM", "-o", "pan", "pan.c"], folder)
    name, lines = re.escape(os.path.basename(model)), {}
    for proc, rows in sections(run(["./pan", "-d"], folder)[1]):
        for m in re.finditer(r"^\s*state +(\d+) -.*?" + name + r":(\d+) ", rows, re.M):
            lines.setdefault(int(m[2]), set()).add((proc, int(m[1])))
    if not lines:
        sys.exit("what pan -d prints is not understood")
    return lines


def unreached(out, model, variant, folder):
    """Lines of which the search reached nothing. The statements of an inline are many times there."""
    name, missed = re.escape(os.path.basename(model)), set()
    for proc, rows in sections(out[out.find("unreached in "):]):
        for m in re.finditer(name + r":\d+, state (\d+), ", rows):
            missed.add((proc, int(m[1])))
    table = states_by_line(model, variant, folder)
    return {line for line, states in table.items() if states <= missed}


def search(model, variant, folder):
    """(verdict, output, summary) of one variant."""
    build(model, variant, folder)
    begin = time.monotonic()
    only = {("assertion",): ["-E"], ("deadlock",): ["-A"]}.get(tuple(variant.kinds), [])
    _, out = run(["./pan", f"-m{DEPTH}", *only], folder)
    states = re.search(r"^ *([0-9.e+]+) states, stored", out, re.M)
    seconds = time.monotonic() - begin
    return verdict(out), out, f"{states[1] if states else '?'} states, {seconds:.1f} s"


def trail(model, variant, folder):
    return run(["spin", "-t", "-p", "-g", "-l", *variant.defines, model], folder)[1]


def dead_lines(model, text, missed):
    """Lines that no CHECK reached: missed has, for each, the lines it has and did not reach."""
    lines = text.split("\n")
    dead = set.intersection(*missed) if missed else set()
    return [n for n in sorted(dead) if "UNREACHED" not in lines[n - 1]]


def check_all(model, wanted, folder):
    with open(model, encoding="utf-8") as f:
        text = f.read()
    failed, missed = False, []
    for v in variants(text):
        if wanted and v.name != wanted:
            continue
        found, out, summary = search(model, v, folder)
        right = found in v.kinds if v.broken else found == "right"
        failed |= not right
        expected = " or ".join(v.kinds) or "right"
        print(f"{'ok  ' if right else 'FAIL'} {v.name}: {found} (must be: {expected}); {summary}",
              flush=True)
        if not v.broken:
            missed.append(unreached(out, model, v, folder))
        if (not right or wanted) and found in KINDS:
            print(trail(model, v, folder))
    if not wanted:
        for n in dead_lines(model, text, missed):
            print(f"FAIL {os.path.basename(model)}:{n}: no variant reaches this")
            failed = True
    return failed


def main(name, wanted=None):
    root = os.environ.get("GORT_SOURCE_DIR", os.getcwd())
    model = name if os.path.isabs(name) else os.path.join(root, "test", "model", name)
    if shutil.which("spin") is None:
        print("skipped: spin is not installed (tools/setup)")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="gort-model-") as folder:
        failed = check_all(model, wanted, folder)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(os.path.abspath(sys.argv[1]), sys.argv[2] if len(sys.argv) == 3 else None)
