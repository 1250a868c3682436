#!/usr/bin/env python3
"""Makes the manual pages from doc/reference.md.

    make_man.py              writes the pages beside this file
    make_man.py --check      fails where a page is not what the reference says, where a page is not
                             clean in groff, or where a public call is missing in the reference
    make_man.py --examples D writes each example to a C file in folder D

A page is a section of the reference: the comment before its heading names it. In the pages of
section 3 each ### heading is a call, and the first block below it its prototype, repeated in the
synopsis; in those of section 7 it is a heading of the page.

SPDX-License-Identifier: BSD-3-Clause
"""
import argparse
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
REFERENCE = os.path.join(ROOT, "doc", "reference.md")
INCLUDE = os.path.join(ROOT, "include", "gort")

PAGE = re.compile(r'^<!-- man: (\S+) (\d) "(.*)" -->$')
NOT_FOR_PROGRAMS = re.compile(r"_raw$|_at$|_slow$|_$|^gort_ranges_register$|^gort_store_pointer$")


# ---- reading ------------------------------------------------------------------------------------


def blocks_of(lines):
    """The blocks of some Markdown lines: (kind, text) of heading, code, item, paragraph."""
    blocks, i = [], 0
    while i < len(lines):
        line = lines[i]
        i += 1
        if not line.strip():
            continue
        if line.startswith("```"):
            code = []
            while not lines[i].startswith("```"):
                code.append(lines[i])
                i += 1
            i += 1
            blocks.append(("code", "\n".join(code)))
        elif line.startswith("### "):
            blocks.append(("heading", line[4:]))
        else:
            text = [line]
            while i < len(lines) and lines[i].strip() and not re.match(r"```|- |#", lines[i]):
                text.append(lines[i])
                i += 1
            kind = "item" if line.startswith("- ") else "paragraph"
            text[0] = text[0][2:] if kind == "item" else text[0]
            blocks.append((kind, " ".join(t.strip() for t in text)))
    return blocks


def read_pages():
    """[(name, section, description, blocks)] in the order of the reference."""
    pages, head, lines = [], None, []
    with open(REFERENCE, encoding="utf-8") as f:
        for line in f.read().splitlines():
            m = PAGE.match(line)
            if m:
                if head:
                    pages.append((*head, blocks_of(lines)))
                head, lines = m.groups(), []
            elif head and not line.startswith("## "):
                lines.append(line)
    pages.append((*head, blocks_of(lines)))
    return pages


# ---- writing ------------------------------------------------------------------------------------


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return text.replace("^", "\\(ha").replace("~", "\\(ti").replace('"', "\\(dq")


def prose(text):
    """A paragraph: code and names of calls bold, references to pages as man writes them."""
    parts = []
    for i, piece in enumerate(re.split(r"`([^`]*)`|\*\*([^*]*)\*\*", text)):
        if piece is None:
            continue
        if i % 3:
            parts.append("\\fB" + escape(piece) + "\\fR")
        else:
            piece = re.sub(r"(?<!\w)(\w+)\((\d)\)", "\0\\1\1(\\2)", escape(piece).replace("\\-", "-"))
            parts.append(piece.replace("\0", "\\fB").replace("\1", "\\fR"))
    return guard("".join(parts))


def guard(line):
    """A line that begins with a dot or an apostrophe would be a request."""
    return "\\&" + line if line[:1] in ".'" else line


def code(text):
    lines = [guard(escape(line)) for line in text.split("\n")]
    return [".PP", ".in +4n", ".EX", *lines, ".EE", ".in"]


def item(text):
    m = re.match(r"((?:`[^`]*`|\*\*[^*]*\*\*)(?:, `[^`]*`)*): (.*)", text)
    if m:
        return [".TP", prose(m.group(1)), prose(m.group(2))]
    return [".IP \\(bu 3", prose(text)]


def is_call(heading):
    return heading.startswith(("gort_", "GORT_"))


def body(section, blocks):
    """The page below its synopsis; examples last."""
    out, after_heading = [], False
    for kind, text in blocks:
        if kind == "heading":
            example = text == "Example"
            out.append('.SH "EXAMPLES"' if example else
                       f'.SH "{escape(text.upper())}"' if section == "7" else f'.SS "{escape(text)}"')
            after_heading = True
            continue
        if kind == "code":
            out += code(text)
        elif kind == "item":
            out += item(text)
        else:
            out += [prose(text)] if after_heading else [".PP", prose(text)]
        after_heading = False
    return out


def prototypes(section, blocks):
    """The blocks right below headings that are calls."""
    pairs = zip(blocks, blocks[1:]) if section == "3" else []
    return [b for a, b in pairs if a[0] == "heading" and is_call(a[1]) and b[0] == "code"]


def names_of(name, section, blocks):
    names = [name]
    for _, text in prototypes(section, blocks):
        for n in re.findall(r"\b((?:gort|GORT)_\w+)\(", re.sub(r"(?m)^#define (?!gort_).*", "", text)):
            names += [] if n in names or n == "gort_chan" else [n]  # a type among arguments
    return names


def synopsis(section, blocks):
    out = ['.SH "SYNOPSIS"', ".nf", ".B #include <gort.h>"]
    for _, text in prototypes(section, blocks):
        out.append(".PP")
        out += ["\\fB" + guard(escape(line)) + "\\fR" for line in text.split("\n") if line]
    return out + [".fi"]


def page_text(page, pages):
    name, section, description, blocks = page
    out = [
        '.\\" Made from doc/reference.md by doc/man/make_man.py.',
        '.\\" SPDX-License-Identifier: BSD-3-Clause',
        f'.TH "{name.upper()}" "{section}" "" "gort 0.1" "gort manual"',
        ".nh",
        '.SH "NAME"',
        escape(", ".join(names_of(name, section, blocks))) + " \\- " + escape(description),
        *synopsis(section, blocks),
        '.SH "DESCRIPTION"',
        *body(section, [b for b in blocks if b not in prototypes(section, blocks)]),
        '.SH "SEE ALSO"',
    ]
    others = [(n, s) for n, s, _, _ in pages if n != name]
    for i, (n, s) in enumerate(others):
        out.append(f".BR {n} ({s})" + ("," if i + 1 < len(others) else ""))
    text = "\n".join(out) + "\n"
    # A paragraph mark right below a heading does nothing, and groff says so.
    text = re.sub(r'(?m)^(\.S[HS] .*)\n\.PP\n', r"\1\n", text)
    return text


# ---- checking -----------------------------------------------------------------------------------


def public_calls():
    found = set()
    for file in sorted(os.listdir(INCLUDE)):
        with open(os.path.join(INCLUDE, file), encoding="utf-8") as f:
            text = re.sub(r"/\*.*?\*/", " ", f.read(), flags=re.S)
        found |= set(re.findall(r"\b(gort_[a-z_]+)\(", " ".join(re.findall(r"GORT_API[^;]*;", text))))
        found |= set(re.findall(r"^#define (gort_[a-z_]+)\(", text, flags=re.M))
    return {name for name in found if not NOT_FOR_PROGRAMS.search(name)}


def check(pages):
    bad = []
    with open(REFERENCE, encoding="utf-8") as f:
        words = set(re.findall(r"\bgort_[a-z_]+", f.read()))
    bad += [f"doc/reference.md: {name} is missing" for name in sorted(public_calls() - words)]
    for page in pages:
        path = os.path.join(HERE, f"{page[0]}.{page[1]}")
        with open(path, encoding="utf-8") as f:
            if f.read() != page_text(page, pages):
                bad.append(f"{path}: not what doc/reference.md says (run doc/man/make_man.py)")
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", path], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        bad += [f"{path}: {line}" for line in done.stdout.splitlines()]
    print("\n".join(bad), end="\n" if bad else "")
    return 1 if bad else 0


def write_examples(pages, folder):
    for name, _, _, blocks in pages:
        wanted = False
        for kind, text in blocks:
            if kind == "code" and wanted:
                with open(os.path.join(folder, name + ".c"), "w", encoding="utf-8") as f:
                    f.write(text + "\n")
            wanted = kind == "heading" and text == "Example"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--examples", metavar="FOLDER")
    args = parser.parse_args()
    pages = read_pages()
    if args.check:
        return check(pages)
    if args.examples:
        write_examples(pages, args.examples)
        return 0
    for page in pages:
        with open(os.path.join(HERE, f"{page[0]}.{page[1]}"), "w", encoding="utf-8") as f:
            f.write(page_text(page, pages))
    return 0


if __name__ == "__main__":
    sys.exit(main())
