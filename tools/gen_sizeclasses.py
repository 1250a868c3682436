#!/usr/bin/env python3
# Size classes of the heap: which slot sizes exist, made by rule and checked.
#
#     gen_sizeclasses.py OUTPUT     writes OUTPUT (a C header), prints the waste of each class
#
# The rule.
#   1. Candidate sizes rise in steps that keep rounding up below an eighth: 8 bytes up to 32, 16 up to
#      128, then an eighth of the power of two below, 256 at most.
#   2. A candidate's span is the fewest pages whose remainder, after as many slots as fit, is at
#      most an eighth.
#   3. Candidates with the same pages and the same number of slots are one class, the largest's:
#      a smaller slot would hold no more objects.
#   4. Slots then grow, in multiples of 128, as far as the number of slots stays.
#   5. Classes up to 512 bytes live in one page.  Where the slots may hold pointers, its last 136 bytes
#      are the pointer bitmap's (Note [Span tail] in src/heap/heap_data.h).  Their sizes come from
#      rules 1 to 4 all the same, so that sizes are round; only counts fall.
#   6. Without pointers, those of them from 64 bytes on get spans of four pages.  Their refills and
#      sweeps, each some hundreds of instructions and a few cache misses, cost more than their slots.
#   7. Classes above that, up to 1024 bytes, get spans of four times the pages.  One page would hold 8 to
#      14 of their slots, and a refill cost more than the slots; larger ones pay more for zeroing anyhow,
#      and a span that holds a few of them should not keep more memory than need be.
#
# The division.  index = offset / size is computed as (offset * magic) >> 32 with
# magic = ceil(2^32 / size), and tried here for every offset of every span.
#
# SPDX-License-Identifier: BSD-3-Clause
import itertools
import sys

PAGE = 8192
SMALL_MAX = 32768
FINE_MAX, FINE_STEP, COARSE_STEP = 1024, 8, 128
BITMAP_MAX, BITMAP_TAIL, POINTER_BITMAP = 512, 8, PAGE // 8 // 8
LONG_SPAN, LONG_MIN, LONG_MAX = 4, 64, 1024
CLASSES = 68  # with class 0, which stands for large objects


def step(size):
    """Distance from a candidate of this size to the next."""
    below = 1 << (size.bit_length() - 1)
    if size < 32:
        return 8
    return min(max(16, below // 8), 256)


def candidates():
    size = 8
    while size <= SMALL_MAX:
        yield size
        size += step(size)


def pages_for(size):
    for pages in itertools.count(1):
        span = pages * PAGE
        if span % size <= span // 8:
            return pages


def make_classes():
    """[(slot size, pages)], rising."""
    classes = []
    shape = lambda size: (pages_for(size), pages_for(size) * PAGE // size)
    for (pages, count), group in itertools.groupby(candidates(), shape):
        largest = max(group)
        stretched = pages * PAGE // count // COARSE_STEP * COARSE_STEP
        size = max(largest, stretched)
        classes.append((size, pages * (LONG_SPAN if BITMAP_MAX < size <= LONG_MAX else 1)))
    return classes


def is_long_noscan(size):
    return LONG_MIN <= size <= BITMAP_MAX


def pages_of(size, pages, noscan):
    return LONG_SPAN if noscan and is_long_noscan(size) else pages


def longest_span(classes):
    return max(pages_of(size, pages, noscan) for size, pages in classes for noscan in (False, True))


def slots(size, pages, noscan):
    space = pages_of(size, pages, noscan) * PAGE
    if size <= BITMAP_MAX and not noscan:
        assert pages == 1, size
        space -= POINTER_BITMAP + BITMAP_TAIL
    return space // size


def magic_for(size, pages):
    magic = -(-(1 << 32) // size)
    assert magic < 1 << 32
    for offset in range(max(pages, LONG_SPAN) * PAGE):
        assert offset * magic >> 32 == offset // size, (size, offset)
    return magic


def lookup(sizes, first, last, unit):
    """Class of the smallest slot that holds first, first + unit, .. last."""
    table, c = [], 1
    for size in range(first, last + 1, unit):
        while sizes[c - 1] < size:
            c += 1
        table.append(c)
    return table


def check(classes):
    sizes = [size for size, _ in classes]
    assert len(classes) == CLASSES - 1, len(classes)
    assert sizes == sorted(set(sizes)) and sizes[-1] == SMALL_MAX
    assert BITMAP_MAX in sizes, "the layouts change between two classes"
    for size, pages in classes:
        assert size % (FINE_STEP if size <= FINE_MAX else COARSE_STEP) == 0
        assert pages <= 255 and slots(size, pages, True) <= 1024
        assert pages * PAGE % size <= pages * PAGE // 8
    # Every size finds the class that a linear search finds.
    fine = lookup(sizes, 0, FINE_MAX, FINE_STEP)
    coarse = lookup(sizes, FINE_MAX, SMALL_MAX, COARSE_STEP)
    for size in range(SMALL_MAX + 1):
        best = next(i for i, s in enumerate(sizes) if s >= size) + 1
        found = (fine[(size + FINE_STEP - 1) // FINE_STEP] if size <= FINE_MAX
                 else coarse[(size - FINE_MAX + COARSE_STEP - 1) // COARSE_STEP])
        assert found == best, size
    return fine, coarse


def rows_of(numbers, per_line):
    for i in range(0, len(numbers), per_line):
        yield "    " + ", ".join(str(n) for n in numbers[i:i + per_line])


def c_macro(name, lines):
    return "#define %s \\\n%s\n\n" % (name, ", \\\n".join(lines))


def write_header(path, classes, fine, coarse):
    rows = ["    {0, 0, {1, 1}, {0, 0}, {0}}"]
    for size, pages in classes:
        rows.append("    {%d, %du, {%d, %d}, {%d, %d}, {0}}" % (
            size, magic_for(size, pages), slots(size, pages, False), slots(size, pages, True),
            pages_of(size, pages, False), pages_of(size, pages, True)))
    with open(path, "w") as out:
        out.write("/* Made by tools/gen_sizeclasses.py: do not edit.\n"
                  " * SPDX-License-Identifier: BSD-3-Clause\n */\n")
        out.write("#define SIZE_CLASS_COUNT %d\n" % CLASSES)
        out.write("#define SIZE_CLASS_PAGES_MAX %d /* of a span */\n\n" % longest_span(classes))
        out.write("/* size, magic, {slots scan, noscan}, {pages scan, noscan} */\n")
        out.write(c_macro("SIZE_CLASS_ROWS", rows))
        out.write(c_macro("SIZE_CLASS_FINE", list(rows_of(fine, 24))))
        out.write(c_macro("SIZE_CLASS_COARSE", list(rows_of(coarse, 24))))


def print_waste(classes):
    print("class   size pages  slots scan  tail    %  noscan  tail    %  worst request")
    previous = 0
    for c, (size, pages) in enumerate(classes, 1):
        line = "%5d %6d %3d/%d " % (c, size, pages, pages_of(size, pages, True))
        for noscan in (False, True):
            n = slots(size, pages, noscan)
            span = pages_of(size, pages, noscan) * PAGE
            line += " %8d %6d %4.1f" % (n, span - n * size, 100.0 * (span - n * size) / span)
        # The smallest request that comes here, in a span without pointers.
        useful = slots(size, pages, True) * (previous + 1)
        print(line + "  %5d: %.1f %%" % (previous + 1, 100.0 * (span - useful) / span))
        previous = size


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: gen_sizeclasses.py OUTPUT")
    classes = make_classes()
    fine, coarse = check(classes)
    write_header(sys.argv[1], classes, fine, coarse)
    print_waste(classes)


main()
