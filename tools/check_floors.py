#!/usr/bin/env python3
"""Checks that no floor of the library knows a higher one.

    check_floors.py [--root DIR] [--build DIR]

Read from the sources:
  1. A file includes only headers of its own floor and of those below. A *_data.h header may be
     included from any floor; what it includes then counts for the one that includes it.
  2. A *_data.h header holds types and data: no prototype, no function.
  3. Nothing outside src/diag/ includes a header of src/diag/.
  4. A header under include/ reaches no header outside include/.
  5. Tests of the public interface, examples and benchmarks include no private header.
  6. No source includes a .c file.

Read from the objects, with --build (a configured and built folder):
  7. An undefined symbol of a floor is not defined on a higher one only.
  8. No symbol is defined on two floors: a weak default below, overridden above, would be a call
     upward in disguise.

Prints one line per finding and exits with 1 when there is any.

SPDX-License-Identifier: BSD-3-Clause
"""
import argparse
import os
import re
import subprocess
import sys

# Folder under src/ -> floor. os and arch are one floor, the contract with the platform.
FLOORS = {"base": 0, "arch": 1, "os": 1, "sync": 2, "heap": 3, "sched": 4,
          "gc": 5, "alloc": 6, "lang": 7, "rt": 8, "diag": 9}
DIAG = FLOORS["diag"]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)
SOURCES = (".c", ".h", ".S", ".cc")

# A name before a parenthesis that does not make a declaration a function's.
NOT_A_FUNCTION = {"_Alignas", "_Alignof", "_Atomic", "_Static_assert", "__alignof__", "__asm__",
                  "__attribute__", "__typeof__", "alignas", "asm", "if", "return", "sizeof",
                  "static_assert", "typeof"}
TYPE_WORDS = {"void", "char", "short", "int", "long", "float", "double", "signed", "unsigned",
              "_Bool", "bool"}


def strip_comments(text, strings=False):
    """Blanks comments, and string and character literals on request; keeps line numbers."""
    def blank(match):
        token = match.group(0)
        if token.startswith("/"):
            return re.sub(r"[^\n]", " ", token)
        return '""' if strings else token
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                  blank, text, flags=re.S)


class Tree:
    """The sources under one root, and how their includes resolve."""

    def __init__(self, root, generated):
        self.root = os.path.abspath(root)
        self.generated = os.path.abspath(generated) if generated else None
        self.findings = []
        self.include_cache = {}

    def find(self, message):
        if message not in self.findings:
            self.findings.append(message)

    def shown(self, path):
        for base, prefix in ((self.root, ""), (self.generated, "generated/")):
            if base and path.startswith(base + os.sep):
                return prefix + os.path.relpath(path, base)
        return path

    def place(self, path):
        """('src', floor), ('include', None) or (None, None) for a file."""
        for base in (os.path.join(self.root, "src"), self.generated):
            if base and path.startswith(base + os.sep):
                folder = os.path.relpath(path, base).split(os.sep)[0]
                return "src", FLOORS.get(folder)
        if path.startswith(os.path.join(self.root, "include") + os.sep):
            return "include", None
        return None, None

    def walk(self, *folders):
        for folder in folders:
            for at, dirs, names in os.walk(os.path.join(self.root, folder)):
                dirs.sort()
                for name in sorted(names):
                    if name.endswith(SOURCES):
                        yield os.path.join(at, name)

    def includes(self, path):
        """[(line, name, resolved path or None)] of a file."""
        if path not in self.include_cache:
            with open(path, encoding="utf-8", errors="replace") as f:
                text = strip_comments(f.read())
            found = []
            for match in INCLUDE.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                found.append((line, match.group(2), self.resolve(path, *match.groups())))
            self.include_cache[path] = found
        return self.include_cache[path]

    def resolve(self, path, how, name):
        search = [os.path.join(self.root, "include"), os.path.join(self.root, "src")]
        if self.generated:
            search.append(self.generated)
        if how == '"':
            search.insert(0, os.path.dirname(path))
        for folder in search:
            candidate = os.path.normpath(os.path.join(folder, name))
            if os.path.isfile(candidate):
                return candidate
        return None

    def check_floor_file(self, path, floor):
        """Rules 1 and 3 for one file that stands on a floor, and 6."""
        seen = {path}
        queue = [(path, None)]
        while queue:
            at, first_line = queue.pop(0)
            for line, name, target in self.includes(at):
                if name.endswith(".c") and at == path:
                    self.find(f"{self.shown(path)}:{line}: includes the source file {name}")
                if target is None or target in seen:
                    continue
                kind, target_floor = self.place(target)
                if kind != "src":
                    continue
                origin = first_line or line
                via = "" if at == path else f" through {self.shown(at)}"
                if target_floor is None:
                    self.find(f"{self.shown(target)}: lies in a folder that is no floor")
                elif target_floor == DIAG and floor != DIAG:
                    self.find(f"{self.shown(path)}:{origin}: includes {self.shown(target)}{via}; "
                              "nothing includes diag")
                elif target_floor > floor:
                    if not target.endswith("_data.h"):
                        self.find(f"{self.shown(path)}:{origin}: floor {floor} includes "
                                  f"{self.shown(target)} of floor {target_floor}{via}")
                    else:
                        seen.add(target)
                        queue.append((target, origin))

    def check_public_file(self, path):
        """Rule 4."""
        for line, name, target in self.includes(path):
            if target is not None and self.place(target)[0] != "include":
                self.find(f"{self.shown(path)}:{line}: public header includes the private "
                          f"{self.shown(target)}")

    def check_client_file(self, path):
        """Rule 5."""
        for line, name, target in self.includes(path):
            if target is not None and self.place(target)[0] == "src":
                self.find(f"{self.shown(path)}:{line}: a user's program includes the private "
                          f"{self.shown(target)}")

    def check_data_header(self, path):
        """Rule 2: looks at each declaration at file scope for 'name ('."""
        with open(path, encoding="utf-8", errors="replace") as f:
            text = strip_comments(f.read(), strings=True)
        # Preprocessor lines, with their continuations.
        text = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*",
                      lambda m: "\n" * m.group(0).count("\n"), text, flags=re.M)
        text = re.sub(r'\bextern\s+""\s*\{', lambda m: " " * len(m.group(0)), text)
        depth = 0
        line = 1
        tokens = []
        for match in re.finditer(r"[A-Za-z_]\w*|\n|[^\s\w]", text):
            token = match.group(0)
            if token == "\n":
                line += 1
            elif token == "{":
                if depth == 0:
                    tokens.append(("{", line))
                depth += 1
            elif token == "}":
                depth = max(0, depth - 1)
                # The end of a function body ends a declaration; that of a struct does not.
                if depth == 0 and self.report_function(path, tokens):
                    tokens = []
            elif depth == 0:
                tokens.append((token, line))
                if token == ";":
                    self.report_function(path, tokens)
                    tokens = []

    def report_function(self, path, tokens):
        if tokens and tokens[0][0] == "typedef":
            return False
        parens = 0
        for (token, line), (after, _), (then, _) in zip(tokens, tokens[1:], tokens[2:] + [("", 0)]):
            if token == "(":
                parens += 1
            elif token == ")":
                parens -= 1
            elif (parens == 0 and after == "(" and then not in ("*", "^")
                  and re.match(r"[A-Za-z_]", token) and not re.fullmatch(r"[A-Z][A-Z0-9_]*", token)
                  and token not in NOT_A_FUNCTION and token not in TYPE_WORDS):
                self.find(f"{self.shown(path)}:{line}: a data header declares the function {token}")
                return True
        return False

    def check_sources(self):
        for path in self.walk("src"):
            kind, floor = self.place(path)
            if floor is None:
                self.find(f"{self.shown(path)}: lies in a folder that is no floor")
                continue
            self.check_floor_file(path, floor)
            if path.endswith("_data.h"):
                self.check_data_header(path)
        if self.generated:
            for at, _, names in os.walk(self.generated):
                for name in sorted(names):
                    path = os.path.join(at, name)
                    floor = self.place(path)[1]
                    if name.endswith(SOURCES) and floor is not None:
                        self.check_floor_file(path, floor)
                        if name.endswith("_data.h"):
                            self.check_data_header(path)
        for path in self.walk("include"):
            self.check_public_file(path)
        unit = os.path.join(self.root, "test", "unit")
        for path in self.walk("test/unit"):
            folder = os.path.relpath(path, unit).split(os.sep)[0]
            if folder in FLOORS:
                self.check_floor_file(path, FLOORS[folder])
        for path in self.walk("test/api", "test/stress", "test/fatal", "examples", "bench"):
            self.check_client_file(path)


def read_symbols(objects):
    """(defined, undefined) sets of global symbol names of some object files."""
    defined, undefined = set(), set()
    out = subprocess.run(["nm", "-P", "-g", *objects], check=True, capture_output=True,
                         text=True).stdout
    for line in out.splitlines():
        words = line.split()
        if len(words) < 2 or len(words[1]) != 1:
            continue
        name, kind = words[0], words[1]
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            continue    # made by the compiler in every object that needs it, as DW.ref.x
        if name == "gort_library_known_":
            continue    # made by gort/inline.h in every object, one of which is kept
        if kind == "U" or kind in "wv":
            undefined.add(name)
        else:
            defined.add(name)
    return defined, undefined


def check_symbols(tree, floors):
    """Rules 7 and 8; floors is [(name, objects)]."""
    defined, undefined = {}, {}
    for name, objects in floors:
        missing = [o for o in objects if not os.path.isfile(o)]
        if missing:
            sys.exit(f"check_floors: {missing[0]} is not built")
        if objects:
            defined[name], undefined[name] = read_symbols(objects)
    owner = {}
    for name in sorted(defined, key=FLOORS.get):
        for symbol in sorted(defined[name]):
            if symbol in owner:
                tree.find(f"symbol {symbol} is defined on floor {owner[symbol]} and on {name}")
            else:
                owner[symbol] = name
    for name in undefined:
        for symbol in sorted(undefined[name]):
            if symbol in owner and FLOORS[owner[symbol]] > FLOORS[name]:
                tree.find(f"floor {name} uses the symbol {symbol} of the higher floor "
                          f"{owner[symbol]}")


def read_floor_listing(build):
    """[(floor, objects)] from floors.txt, which CMake writes."""
    path = os.path.join(build, "floors.txt")
    if not os.path.isfile(path):
        sys.exit(f"check_floors: no {path}; configure first")
    floors = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            words = line.split()
            if words:
                floors.append((words[0], words[1:]))
    return floors


def main():
    parser = argparse.ArgumentParser(description="check that no floor knows a higher one")
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))))
    parser.add_argument("--build", help="a built folder, to check symbols and generated headers")
    arg = parser.parse_args()
    tree = Tree(arg.root, os.path.join(arg.build, "generated") if arg.build else None)
    tree.check_sources()
    if arg.build:
        check_symbols(tree, read_floor_listing(arg.build))
    for finding in tree.findings:
        print(finding)
    if tree.findings:
        print(f"check_floors: {len(tree.findings)} finding(s)")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
