#!/usr/bin/env python3
"""Line coverage of the library after a run of the coverage build's tests.

    coverage.py BUILD [--missing]

Prints for each source the lines that ran and those that could; --missing also lists the others.
Processes that leave by _exit do not write their counts, so reports of fatal errors count for less
than they are tested.

SPDX-License-Identifier: BSD-3-Clause
"""
import argparse
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def count_files(build):
    for at, _, names in os.walk(build):
        for name in names:
            if name.endswith(".gcda"):
                yield os.path.abspath(os.path.join(at, name))


def read_counts(build):
    """{source: {line: count}} for the files of src/ and include/."""
    counts = {}
    for path in count_files(build):
        out = subprocess.run(["gcov", "--json-format", "--stdout", path], check=True,
                             cwd=os.path.dirname(path), capture_output=True, text=True).stdout
        for document in out.splitlines():
            for file in json.loads(document)["files"]:
                source = os.path.relpath(os.path.join(build, file["file"]), ROOT)
                if not source.startswith(("src/", "include/")):
                    continue
                lines = counts.setdefault(source, {})
                for line in file["lines"]:
                    number = line["line_number"]
                    lines[number] = lines.get(number, 0) + line["count"]
    return counts


def ranges(numbers):
    """'3, 7-9' for [3, 7, 8, 9]."""
    runs = []
    for n in numbers:
        if runs and runs[-1][1] == n - 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def main():
    parser = argparse.ArgumentParser(description="line coverage of the library")
    parser.add_argument("build")
    parser.add_argument("--missing", action="store_true", help="list the lines that did not run")
    arg = parser.parse_args()
    counts = read_counts(arg.build)
    if not counts:
        sys.exit(f"coverage: no counts below {arg.build}; run its tests first")
    total_ran = total = 0
    for source in sorted(counts):
        lines = counts[source]
        ran = sum(1 for c in lines.values() if c > 0)
        total_ran += ran
        total += len(lines)
        print(f"{100 * ran / len(lines):6.1f} %  {ran:5} of {len(lines):5}  {source}")
        if arg.missing and ran < len(lines):
            print("          not run: " + ranges(sorted(n for n, c in lines.items() if c == 0)))
    print(f"{100 * total_ran / total:6.1f} %  {total_ran:5} of {total:5}  in all")


if __name__ == "__main__":
    main()
