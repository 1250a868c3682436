// Conformance of strings: all lengths and places, runes one after the other, builders, and what
// strings keep, as the tests of Go's packages strings, bytealg, utf8 and unique check it. More:
// conform_string.c.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "../conform.h"

#define S(literal) gort_str(literal)

static void check_string(gort_string s, gort_string want, int line)
{
    if (gort_string_equal(s, want)) return;
    test_fail_str(__FILE__, line, "strings are equal", gort_string_to_c(s), gort_string_to_c(want));
}
#define CHECK_S(s, want) check_string((s), (want), __LINE__)

// ---- comparing ----------------------------------------------------------------------------------

// Of all lengths up to 100, equal, shorter, and different in each place, wherever they begin.
static void a_difference_in_any_place_counts(void)
{
    char a[128], b[128];
    memset(a, 'x', sizeof a);
    memset(b, 'x', sizeof b);
    for (size_t n = 0; n <= 100; n++) {
        size_t at_a = n % 8, at_b = n / 8 % 8;
        gort_string s = { a + at_a, n }, t = { b + at_b, n };
        CHECK(gort_string_equal(s, t) && gort_string_compare(s, t) == 0);
        for (size_t i = 0; i < n; i++) {
            b[at_b + i] = 'y';
            CHECK(!gort_string_equal(s, t));
            CHECK(gort_string_compare(s, t) == -1 && gort_string_compare(t, s) == 1);
            b[at_b + i] = (char)0xf0; // above 'x', not below
            CHECK(gort_string_compare(s, t) == -1 && gort_string_compare(t, s) == 1);
            b[at_b + i] = 'x';
        }
        if (n == 0) continue;
        gort_string shorter = { t.ptr, n - 1 };
        CHECK(!gort_string_equal(s, shorter));
        CHECK(gort_string_compare(s, shorter) == 1 && gort_string_compare(shorter, s) == -1);
    }
}

static void what_lies_behind_the_end_does_not_count(void)
{
    char a[64], b[64];
    for (size_t n = 0; n < 48; n++) {
        memset(a, 'x', sizeof a);
        memset(b, 'x', sizeof b);
        a[n] = 'a';
        b[n] = 'b';
        gort_string s = { a, n }, t = { b, n };
        CHECK(gort_string_equal(s, t) && gort_string_compare(s, t) == 0);
        CHECK_EQ(gort_string_index_byte(s, 'a'), -1);
        CHECK_EQ(gort_string_index(s, (gort_string){ a, n + 1 }), -1);
    }
}

static void beginnings_and_ends(void)
{
    gort_string s = S("prefix-suffix");
    for (int64_t i = 0; i <= 13; i++) {
        CHECK(gort_string_has_prefix(s, gort_string_sub(s, 0, i)));
        CHECK(gort_string_has_suffix(s, gort_string_sub(s, i, 13)));
        if (i != 0 && i != 13) {
            CHECK(!gort_string_has_prefix(s, gort_string_sub(s, i, 13)));
            CHECK(!gort_string_has_suffix(s, gort_string_sub(s, 0, i)));
        }
    }
    CHECK(!gort_string_has_prefix(s, S("prefix-suffix!")));
    CHECK(!gort_string_has_suffix(s, S("!prefix-suffix")));
    CHECK(!gort_string_has_prefix(S(""), S("a")) && !gort_string_has_suffix(S(""), S("a")));
}

// ---- searching ----------------------------------------------------------------------------------

static void a_byte_is_found_in_any_place(void)
{
    char room[320];
    for (size_t begin = 0; begin < 16; begin++)
        for (size_t n = 1; n < 300; n += n / 20 + 1) {
            memset(room, '.', sizeof room);
            gort_string s = { room + begin, n };
            CHECK_EQ(gort_string_index_byte(s, (char)0xee), -1);
            for (size_t i = 0; i < n; i += n / 30 + 1) {
                room[begin + i] = (char)0xee;
                CHECK_EQ(gort_string_index_byte(s, (char)0xee), i);
                CHECK_EQ(gort_string_index(s, S("\xee")), i);
                CHECK_EQ(gort_string_last_index(s, S("\xee")), i);
                CHECK_EQ(gort_string_count(s, S("\xee")), 1);
                room[begin + i] = '.';
            }
        }
}

// A part of each length is found at the beginning, within and at the end, and not when a byte of it
// differs.
static void a_part_of_any_length_is_found(void)
{
    gort_builder b = { 0 };
    for (int i = 0; i < 400; i++)
        gort_builder_byte(&b, (char)('a' + (i * i + i / 7) % 26));
    gort_string s = gort_builder_string(&b);
    for (int64_t n = 1; n <= 130; n++)
        for (int64_t at = 0; at + n <= 400; at += at < 10 || at + n > 390 ? 1 : 37) {
            gort_string part = gort_string_make(s.ptr + at, (size_t)n);
            ptrdiff_t first = gort_string_index(s, part), last = gort_string_last_index(s, part);
            CHECK(first >= 0 && first <= at && last >= at);
            CHECK_S(gort_string_sub(s, first, first + n), part);
            CHECK_S(gort_string_sub(s, last, last + n), part);
            char other[130];
            memcpy(other, part.ptr, (size_t)n);
            other[n - 1] = '#';
            CHECK_EQ(gort_string_index(s, (gort_string){ other, (size_t)n }), -1);
            CHECK_EQ(gort_string_last_index(s, (gort_string){ other, (size_t)n }), -1);
        }
}

static void a_part_longer_than_the_whole_is_not_found(void)
{
    gort_string s = S("abc"), longer = S("abcd");
    CHECK(gort_string_index(s, longer) == -1 && gort_string_last_index(s, longer) == -1);
    CHECK(gort_string_count(s, longer) == 0 && !gort_string_contains(s, longer));
    CHECK(gort_string_index(s, s) == 0 && gort_string_last_index(s, s) == 0);
    CHECK_EQ(gort_string_split(s, longer).len, 1);
    CHECK_S(gort_string_replace(s, longer, S("x"), -1), s);
}

// Two strings that any hash by powers of an odd number, of 32 bits, takes for equal: of each pair of
// places one is in the one string what it is in the other in the other, in all scales.
static void what_a_rolling_hash_takes_for_equal_is_compared(void)
{
    enum { N = 1024 };
    char one[N], other[N];
    for (unsigned i = 0; i < N; i++) {
        one[i] = __builtin_parity(i) ? 'a' : 'b';
        other[i] = __builtin_parity(i) ? 'b' : 'a';
    }
    for (size_t n = 256; n <= N; n *= 2) {
        gort_string a = { one, n }, b = { other, n };
        CHECK(gort_string_index(a, b) == -1 && gort_string_last_index(a, b) == -1);
        CHECK_EQ(gort_string_last_index(gort_string_concat(b, a), a), n);
        CHECK_EQ(gort_string_last_index(gort_string_concat(b, a), b), 0);
        CHECK_EQ(gort_string_count(a, b), 0);
    }
}

// ---- white space --------------------------------------------------------------------------------

static bool is_space(gort_rune r)
{
    return (r >= 9 && r <= 13) || r == 0x20 || r == 0x85 || r == 0xa0 || r == 0x1680 ||
           (r >= 0x2000 && r <= 0x200a) || r == 0x2028 || r == 0x2029 || r == 0x202f ||
           r == 0x205f || r == 0x3000;
}

static void white_space_is_unicodes(void)
{
    int spaces = 0;
    for (gort_rune r = 0; r <= 0xffff; r++) {
        if (r >= 0xd800 && r <= 0xdfff) continue;
        char text[16] = "a";
        int n = 1 + gort_rune_encode(text + 1, r);
        text[n++] = 'b';
        size_t parts = gort_string_fields((gort_string){ text, (size_t)n }).len;
        CHECK_EQ(parts, is_space(r) ? 2 : 1);
        gort_string trimmed = gort_string_trim_space((gort_string){ text + 1, (size_t)n - 2 });
        CHECK_EQ(trimmed.len == 0, is_space(r));
        spaces += parts == 2;
    }
    CHECK_EQ(spaces, 25);
}

static void trimming_shares_the_bytes(void)
{
    gort_string s = S(" \t in the middle \xe3\x80\x80"), t = gort_string_trim_space(s);
    CHECK_S(t, S("in the middle"));
    CHECK_PTR_EQ(t.ptr, s.ptr + 3);
    gort_strings words = gort_string_fields(s);
    CHECK_EQ(words.len, 3);
    CHECK_PTR_EQ(words.ptr[2].ptr, s.ptr + 10);
}

// ---- taking apart and putting together ----------------------------------------------------------

static void any_count_of_repetitions(void)
{
    static const char *const units[] = { "-", "ab", "xyz", "0123456789" };
    for (int u = 0; u < 4; u++) {
        gort_string unit = gort_string_of(units[u]);
        for (int64_t n = 0; n < 300; n += n / 10 + 1) {
            gort_string s = gort_string_repeat(unit, n);
            CHECK_EQ(s.len, unit.len * (size_t)n);
            for (size_t i = 0; i < s.len; i++)
                CHECK_EQ(s.ptr[i], unit.ptr[i % unit.len]);
        }
    }
}

static void repeat_it(void *arg)
{
    (void)gort_string_repeat(S("--------"), *(int64_t *)arg);
}

static void repetitions_that_overflow_panic(void)
{
    static const int64_t bad[] = { INT64_MIN, -1, INT64_MAX, INT64_MAX / 8 + 1, INT64_C(1) << 61 };
    for (int i = 0; i < 5; i++) {
        int64_t n = bad[i];
        CHECK(gort_try(repeat_it, &n, NULL));
    }
}

// Split by each of the separators, and joined by it, it is what it was.
static void what_was_split_is_joined(void)
{
    gort_string s = S("one,two,,three, four,\xe2\x82\xac,");
    static const char *const separators[] = {
        ",", ",,", "o", "e,", "\xe2", "\xe2\x82\xac", "zz", ""
    };
    for (int i = 0; i < 8; i++) {
        gort_string by = gort_string_of(separators[i]);
        for (int64_t n = -1; n < 12; n++) {
            gort_strings parts = gort_string_split_n(s, by, n);
            if (n == 0) {
                CHECK_EQ(parts.len, 0);
                continue;
            }
            CHECK(n < 0 || parts.len <= (size_t)n);
            CHECK_S(gort_string_join(parts.ptr, parts.len, by), s);
            for (size_t k = 0; k + 1 < parts.len && by.len != 0; k++)
                CHECK(!gort_string_contains(parts.ptr[k], by));
        }
    }
}

static void parts_are_shared_bytes(void)
{
    gort_string s = gort_string_from("a=1&b=22&c"), a, b;
    gort_strings parts = gort_string_split(s, S("&"));
    for (size_t i = 0; i < parts.len; i++)
        CHECK(parts.ptr[i].ptr >= s.ptr && parts.ptr[i].ptr + parts.ptr[i].len <= s.ptr + s.len);
    CHECK(gort_string_cut(s, S("="), &a, &b));
    CHECK_PTR_EQ(a.ptr, s.ptr);
    CHECK_PTR_EQ(b.ptr, s.ptr + 2);
    gort_slice_append(gort_string, &parts, S("more")); // who appends does not write over them
    CHECK_S(parts.ptr[2], S("c"));
}

static void replacing_by_longer_and_shorter(void)
{
    gort_string s = gort_string_repeat(S("ab"), 100);
    CHECK_S(gort_string_replace(s, S("a"), S(""), -1), gort_string_repeat(S("b"), 100));
    CHECK_S(gort_string_replace(s, S("b"), S("ccc"), -1), gort_string_repeat(S("accc"), 100));
    CHECK_S(gort_string_replace(s, S("ab"), S("ab"), -1), s);
    CHECK_S(
        gort_string_replace(s, S("ba"), S("-"), 98),
        gort_string_concat(S("a"), gort_string_concat(gort_string_repeat(S("-"), 98), S("bab"))));
    CHECK_PTR_EQ(gort_string_replace(s, S("c"), S("-"), -1).ptr, s.ptr); // nothing was found
}

static void one_of_two_is_empty(void)
{
    gort_string s = gort_string_from("text"), none = { NULL, 0 };
    CHECK_PTR_EQ(gort_string_concat(s, none).ptr, s.ptr); // no copy
    CHECK_PTR_EQ(gort_string_concat(none, s).ptr, s.ptr);
    gort_string one[] = { none, s, none };
    CHECK_S(gort_string_join(one, 3, none), s);
    CHECK_S(gort_string_join(one, 3, S(",")), S(",text,"));
    CHECK_S(gort_string_replace(s, none, none, -1), s);
}

static void many_strings_become_one(void)
{
    gort_string s = { NULL, 0 };
    int n = (int)test_count(2000);
    for (int i = 0; i < n; i++)
        s = gort_string_concat(s, gort_format("%d,", i % 10));
    CHECK_EQ(s.len, 2 * (size_t)n);
    for (int i = 0; i < n; i++)
        CHECK(s.ptr[2 * i] == '0' + i % 10 && s.ptr[2 * i + 1] == ',');
}

static void a_string_does_not_follow_its_source(void)
{
    char source[] = "source";
    gort_string copy = gort_string_make(source, 6), c = gort_string_from(source);
    gort_string same = gort_string_of(source);
    char *back = gort_string_to_c(copy);
    source[0] = 'S';
    CHECK_S(copy, S("source"));
    CHECK_S(c, S("source"));
    CHECK_S(same, S("Source")); // those are the bytes themselves
    back[0] = '#';
    CHECK_S(copy, S("source"));
}

// ---- UTF-8 --------------------------------------------------------------------------------------

// Runes one after the other, each beside each.
static void runes_in_sequence(void)
{
    static const gort_rune runes[] = { 0,      1,      'a',    0x7f,   0x80,    0x7ff,   0x800,
                                       0xd7ff, 0xe000, 0xfffd, 0xffff, 0x10000, 0x10ffff };
    for (int a = 0; a < 13; a++)
        for (int b = 0; b < 13; b++)
            for (int c = 0; c < 13; c++) {
                gort_builder t = { 0 };
                gort_rune want[] = { runes[a], runes[b], runes[c] }, r;
                for (int i = 0; i < 3; i++)
                    gort_builder_rune(&t, want[i]);
                gort_string s = gort_builder_string(&t);
                CHECK(gort_string_valid(s) && gort_string_rune_count(s) == 3);
                int n = 0;
                for (size_t at = 0; gort_string_next(s, &at, &r); n++)
                    CHECK_EQ(r, want[n]);
                CHECK_EQ(n, 3);
            }
}

// What the standard says, byte by byte: which second bytes go with a first one.
static bool goes_with(unsigned first, unsigned second)
{
    unsigned lo = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned hi = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    return first >= 0xc2 && first <= 0xf4 && second >= lo && second <= hi;
}

static void every_pair_of_bytes_begins_a_rune_or_not(void)
{
    for (unsigned first = 0; first < 256; first++)
        for (unsigned second = 0; second < 256; second++) {
            char bytes[] = { (char)first, (char)second, (char)0x80, (char)0x80 };
            int size, whole = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
            gort_rune r = gort_rune_decode(bytes, 4, &size);
            bool good = first < 0x80 || goes_with(first, second);
            CHECK_EQ(size, good ? whole : 1);
            if (!good) CHECK_EQ(r, GORT_RUNE_ERROR);
            if (good) CHECK_EQ(gort_rune_len(r), size);
            CHECK_EQ(gort_string_valid((gort_string){ bytes, (size_t)whole }), good);
            if (whole < 3) continue;
            bytes[2] = 'x'; // a third byte that goes with none
            CHECK_EQ(gort_rune_decode(bytes, 4, &size), GORT_RUNE_ERROR);
            CHECK_EQ(size, 1);
        }
}

static void a_bad_byte_is_noticed_in_any_place(void)
{
    char text[150];
    for (size_t n = 1; n < 140; n++) {
        memset(text, 'a', sizeof text);
        gort_string s = { text, n };
        CHECK(gort_string_valid(s) && gort_string_rune_count(s) == n);
        for (size_t i = 0; i < n; i++) {
            text[i] = (char)0xff;
            CHECK(!gort_string_valid(s) && gort_string_rune_count(s) == n);
            text[i] = (char)0xc3; // the first half of one
            CHECK(!gort_string_valid(s) && gort_string_rune_count(s) == n);
            text[i] = 'a';
        }
        for (size_t i = 0; i + 1 < n; i++) {
            memcpy(text + i, "\xc3\xa4", 2);
            CHECK(gort_string_valid(s) && gort_string_rune_count(s) == n - 1);
            memcpy(text + i, "aa", 2);
        }
    }
}

static void no_rune_is_encoded_as_the_error(void)
{
    static const gort_rune bad[] = { -1, INT32_MIN, 0xd800, 0xdfff, 0x110000, INT32_MAX };
    for (int i = 0; i < 6; i++) {
        char bytes[4];
        gort_builder b = { 0 };
        CHECK_EQ(gort_rune_encode(bytes, bad[i]), 3);
        CHECK(memcmp(bytes, "\xef\xbf\xbd", 3) == 0);
        CHECK_EQ(gort_rune_len(bad[i]), -1);
        gort_builder_rune(&b, bad[i]);
        CHECK_S(gort_builder_string(&b), S("\xef\xbf\xbd"));
    }
}

static void the_end_of_a_string_ends_its_runes(void)
{
    gort_string s = S("\xe2\x82\xac\xe2\x82\xac"); // cut in each place
    for (int64_t n = 0; n <= 6; n++) {
        gort_string part = gort_string_sub(s, 0, n);
        size_t at = 0, runes = 0;
        gort_rune r;
        for (; gort_string_next(part, &at, &r); runes++)
            CHECK(r == 0x20ac || r == GORT_RUNE_ERROR);
        CHECK_EQ(at, n);
        CHECK_EQ(runes, n / 3 + n % 3);
        CHECK(!gort_string_next(part, &at, &r));
    }
}

// ---- builders -----------------------------------------------------------------------------------

static void room_that_was_asked_for_is_used(void)
{
    static const size_t rooms[] = { 0, 1, 100, 1000, 10000, 100000 };
    for (int i = 0; i < 6; i++)
        for (int begin = 0; begin < 2; begin++) {
            gort_builder b = { 0 };
            if (begin) gort_builder_add(&b, S("begin"));
            gort_builder_grow(&b, rooms[i]);
            const char *bytes = b.ptr;
            for (size_t k = 0; k < rooms[i]; k++)
                gort_builder_byte(&b, 'y');
            CHECK_PTR_EQ(b.ptr, bytes);
            CHECK_EQ(b.len, rooms[i] + (begin ? 5 : 0));
            CHECK_EQ(gort_string_count(gort_builder_string(&b), S("y")), rooms[i]);
        }
}

static void grow_it(void *arg)
{
    gort_builder b = { 0 };
    gort_builder_byte(&b, 'x');
    gort_builder_grow(&b, *(size_t *)arg);
}

static void room_that_overflows_panics(void)
{
    static const size_t bad[] = { SIZE_MAX, SIZE_MAX / 2, (size_t)1 << 62 };
    for (int i = 0; i < 3; i++) {
        size_t n = bad[i];
        CHECK(gort_try(grow_it, &n, NULL));
    }
}

static void all_ways_to_add(void)
{
    gort_builder b = { 0 };
    char want[4000];
    size_t n = 0;
    for (int i = 0; i < 200; i++) {
        gort_builder_byte(&b, 'b');
        gort_builder_add(&b, S("str"));
        gort_builder_write(&b, "wr\0te", 5);
        gort_builder_rune(&b, 0x20ac);
        gort_builder_format(&b, "%03d", i);
        n += (size_t)sprintf(want + n, "bstrwr");
        want[n++] = '\0';
        n += (size_t)sprintf(want + n, "te\xe2\x82\xac%03d", i);
        CHECK_S(gort_builder_string(&b), ((gort_string){ want, n }));
    }
}

static void strings_of_all_moments(void)
{
    gort_builder b = { 0 };
    gort_strings all = { NULL, 0, 0 };
    for (int i = 0; i < 300; i++) {
        gort_slice_append(gort_string, &all, gort_builder_string(&b));
        gort_builder_byte(&b, (char)('a' + i % 26));
    }
    gort_gc();
    for (int i = 0; i < 300; i++) {
        CHECK_EQ(all.ptr[i].len, i);
        CHECK(gort_string_has_prefix(gort_builder_string(&b), all.ptr[i]));
    }
}

// ---- interning ----------------------------------------------------------------------------------

static void let_go(void *arg)
{
    ADD((int64_t *)arg, 1);
}

static __attribute__((noinline)) void intern_parts(gort_strings *out, int64_t *deaths, int n)
{
    for (int i = 0; i < n; i++) {
        char *whole = gort_alloc_noscan(100000);
        snprintf(whole + 500, 100, "part %d", i);
        gort_add_cleanup(whole, let_go, deaths);
        gort_string part = gort_string_of(whole + 500);
        gort_slice_append(gort_string, out, gort_string_intern(part));
    }
}

// A part of a large string that is interned is a copy.
static void what_is_interned_does_not_keep_the_whole(void)
{
    static int64_t deaths;
    STORE(&deaths, 0);
    gort_strings *kept = gort_alloc(sizeof *kept);
    intern_parts(kept, &deaths, 50);
    WAIT_FOR((gort_gc(), LOAD(&deaths) >= 40)); // stale words may keep some
    for (int i = 0; i < 50; i++)
        CHECK_S(kept->ptr[i], gort_format("part %d", i));
}

static void bytes_are_what_is_interned(void)
{
    gort_string a = gort_string_intern(S("a\0b")), b = gort_string_intern(S("a\0c"));
    gort_string again = gort_string_intern(gort_string_make("a\0b", 3));
    CHECK_PTR_NE(a.ptr, b.ptr);
    CHECK_PTR_EQ(a.ptr, again.ptr);
    CHECK_PTR_NE(gort_string_intern(S("a")).ptr, a.ptr);
    gort_string large = gort_string_repeat(S("large"), 20000);
    CHECK_PTR_EQ(gort_string_intern(large).ptr,
                 gort_string_intern(gort_string_repeat(S("large"), 20000)).ptr);
    gort_keep_alive(a.ptr);
    gort_keep_alive(b.ptr);
}

static void what_was_interned_is_interned_as_itself(void)
{
    gort_string s = gort_string_intern(gort_format("itself %d", 1)), t = s;
    for (int i = 0; i < 100; i++) {
        t = gort_string_intern(t);
        CHECK(t.ptr == s.ptr && t.len == s.len);
        if (i % 20 == 0) gort_gc();
    }
    gort_string part = gort_string_intern(gort_string_sub(s, 0, 3));
    CHECK_S(part, S("its"));
    CHECK_PTR_EQ(gort_string_intern(S("its")).ptr, part.ptr);
}

// clang-format off
static const struct conform_case cases[] = {
    CASE(a_difference_in_any_place_counts, 1), CASE(what_lies_behind_the_end_does_not_count, 1),
    CASE(beginnings_and_ends, 1), CASE(a_byte_is_found_in_any_place, 1),
    CASE(a_part_of_any_length_is_found, 1), CASE(a_part_longer_than_the_whole_is_not_found, 1),
    CASE(what_a_rolling_hash_takes_for_equal_is_compared, 1),
    CASE(white_space_is_unicodes, 1), CASE(trimming_shares_the_bytes, 1),
    CASE(any_count_of_repetitions, 1), CASE(repetitions_that_overflow_panic, 1),
    CASE(what_was_split_is_joined, 1), CASE(parts_are_shared_bytes, 1),
    CASE(replacing_by_longer_and_shorter, 1), CASE(one_of_two_is_empty, 1),
    CASE(many_strings_become_one, 0), CASE(a_string_does_not_follow_its_source, 1),
    CASE(runes_in_sequence, 1), CASE(every_pair_of_bytes_begins_a_rune_or_not, 1),
    CASE(a_bad_byte_is_noticed_in_any_place, 1), CASE(no_rune_is_encoded_as_the_error, 1),
    CASE(the_end_of_a_string_ends_its_runes, 1), CASE(room_that_was_asked_for_is_used, 1),
    CASE(room_that_overflows_panics, 1), CASE(all_ways_to_add, 1),
    CASE(strings_of_all_moments, 0), CASE(what_is_interned_does_not_keep_the_whole, 0),
    CASE(bytes_are_what_is_interned, 0), CASE(what_was_interned_is_interned_as_itself, 0),
};
// clang-format on

CONFORM_MAIN(cases)
