// Searching, splitting and decoding of any bytes, against what simple loops find.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "fuzz.h"

static void check_search(gort_string s, gort_string part)
{
    ptrdiff_t first = -1, last = -1;
    for (size_t i = 0; i + part.len <= s.len; i++) {
        if (part.len != 0 && memcmp(s.ptr + i, part.ptr, part.len) != 0) continue;
        if (first < 0) first = (ptrdiff_t)i;
        last = (ptrdiff_t)i;
    }
    CHECK_EQ(gort_string_index(s, part), first);
    CHECK_EQ(gort_string_last_index(s, part), last);
    CHECK_EQ(gort_string_contains(s, part), first >= 0);
}

static void check_split(gort_string s, gort_string part)
{
    gort_strings all = gort_string_split(s, part);
    CHECK(gort_string_equal(gort_string_join(all.ptr, all.len, part), s));
    if (part.len != 0) CHECK_EQ(all.len, gort_string_count(s, part) + 1);
    gort_string before, after;
    if (gort_string_cut(s, part, &before, &after))
        CHECK(gort_string_equal(gort_string_join(((gort_string[]){ before, after }), 2, part), s));
    CHECK(gort_string_equal(gort_string_replace(s, part, part, -1), s));
    gort_strings words = gort_string_fields(s);
    for (size_t i = 0; i < words.len; i++)
        CHECK_NE(words.ptr[i].len, 0);
}

static void check_runes(gort_string s)
{
    gort_builder b = { 0 };
    gort_rune r;
    size_t n = 0;
    bool valid = gort_string_valid(s);
    for (size_t at = 0; gort_string_next(s, &at, &r); n++) {
        CHECK_GT(gort_rune_len(r), 0);
        gort_builder_rune(&b, r);
    }
    CHECK_EQ(n, gort_string_rune_count(s));
    CHECK_EQ(gort_string_equal(gort_builder_string(&b), s), valid);
    CHECK(gort_string_valid(gort_builder_string(&b)));
}

FUZZ(const uint8_t *data, size_t n)
{
    struct input in = { data, n };
    size_t m = take(&in) % 8;
    if (m > in.left) m = in.left;
    gort_string part = gort_string_make(in.data, m);
    gort_string s = gort_string_make(in.data + m, in.left - m);
    check_search(s, part);
    check_split(s, part);
    check_runes(s);
    CHECK_PTR_EQ(gort_string_intern(part).ptr, gort_string_intern(part).ptr);
    CHECK_EQ(gort_string_compare(s, part), -gort_string_compare(part, s));
}
