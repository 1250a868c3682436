#!/usr/bin/env python3
"""Make sync/lockrank_gen.h from sync/lockrank.txt.

    gen_lockranks.py LOCKRANK_TXT OUTPUT

A line of the input is `NAME FLOOR [multi] text`; its number among such lines is the rank.  The
output holds enum lock_rank and LOCK_RANK_TABLE(X), an X-macro with one X(NAME, floor, multi) per
rank, from which sync/lock.c builds the checker's tables.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import re
import sys

LINE = re.compile(r"^([A-Z][A-Z0-9_]*)\s+([0-9])\s+(multi\s+)?(\S.*)$")
RESERVED = {"NONE", "COUNT"}


def parse(path):
    """Return [(name, floor, multi, text)] in rank order; exit with a message on a bad line."""
    ranks = []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip()
            if not line or line.startswith("#"):
                continue
            m = LINE.match(line)
            if not m:
                sys.exit(f"{path}:{number}: expected `NAME FLOOR [multi] text`: {line}")
            name = m.group(1)
            if name in RESERVED or any(name == r[0] for r in ranks):
                sys.exit(f"{path}:{number}: name is taken: {name}")
            ranks.append((name, int(m.group(2)), m.group(3) is not None, m.group(4)))
    if not ranks:
        sys.exit(f"{path}: no ranks")
    return ranks


def render(ranks):
    out = [
        "/* Made by tools/gen_lockranks.py from sync/lockrank.txt: do not edit.",
        " * SPDX-License-Identifier: BSD-3-Clause",
        " */",
        "#ifndef GORT_SYNC_LOCKRANK_GEN_H",
        "#define GORT_SYNC_LOCKRANK_GEN_H",
        "",
        "enum lock_rank {",
        "    RANK_NONE = 0,",
    ]
    out += [f"    RANK_{name}, /* {text} */" for name, _, _, text in ranks]
    out += ["    RANK_COUNT", "};", "", "/* X(name, floor, multi) */"]
    rows = [f"    X({name}, {floor}, {int(multi)})" for name, floor, multi, _ in ranks]
    out.append("#define LOCK_RANK_TABLE(X) \\")
    out.append(" \\\n".join(rows))
    out += ["", "#endif", ""]
    return "\n".join(out)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    text = render(parse(sys.argv[1]))
    folder = os.path.dirname(sys.argv[2])
    if folder:
        os.makedirs(folder, exist_ok=True)
    with open(sys.argv[2], "w", encoding="utf-8") as f:
        f.write(text)


if __name__ == "__main__":
    main()
