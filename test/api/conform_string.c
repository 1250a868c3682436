// Conformance of strings: what Go's tests of strings, utf8 and fmt check, as gort makes it; formats
// are what the C library makes of them.
//
// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <wchar.h>

#include "../conform.h"

#define S(literal) gort_str(literal)

static void check_string(gort_string s, gort_string want, int line)
{
    if (gort_string_equal(s, want)) return;
    test_fail_str(__FILE__, line, "strings are equal", gort_string_to_c(s), gort_string_to_c(want));
}
#define CHECK_S(s, literal) check_string((s), S(literal), __LINE__)

static void check_strings(gort_strings s, const char *want, int line)
{
    check_string(gort_string_join(s.ptr, s.len, S("|")), gort_string_of(want), line);
}
// The parts, with | between them.
#define CHECK_PARTS(parts, n, want)                                                                \
    do {                                                                                           \
        gort_strings test_parts_ = (parts);                                                        \
        CHECK_EQ(test_parts_.len, (n));                                                            \
        check_strings(test_parts_, (want), __LINE__);                                              \
    } while (0)

// ---- parts --------------------------------------------------------------------------------------

struct bounds {
    int64_t lo, hi;
};

static void index_it(void *arg)
{
    struct bounds *b = arg;
    (void)gort_string_at(S("hello"), b->lo);
}

static void sub_it(void *arg)
{
    struct bounds *b = arg;
    (void)gort_string_sub(S("hello"), b->lo, b->hi);
}

static void repeat_it(void *arg)
{
    struct bounds *b = arg;
    (void)gort_string_repeat(S("hello"), b->lo);
}

static void check_panics(void (*fn)(void *), int64_t lo, int64_t hi, const char *text)
{
    struct bounds b = { lo, hi };
    gort_panic_info info = { "" };
    CHECK_EQ(gort_try(fn, &b, &info), text != NULL);
    if (text != NULL) CHECK_STR_EQ(info.message, text);
}

static void bounds_are_checked(void)
{
    check_panics(index_it, 4, 0, NULL);
    check_panics(index_it, 5, 0, "runtime error: index out of range [5] with length 5");
    check_panics(index_it, -1, 0, "runtime error: index out of range [-1]");
    check_panics(sub_it, 5, 5, NULL);
    check_panics(sub_it, 0, 6, "runtime error: slice bounds out of range [:6] with length 5");
    check_panics(sub_it, 0, -1, "runtime error: slice bounds out of range [:-1]");
    check_panics(sub_it, 3, 2, "runtime error: slice bounds out of range [3:2]");
    check_panics(sub_it, -2, 2, "runtime error: slice bounds out of range [-2:]");
    check_panics(repeat_it, -1, 0, "strings: negative Repeat count");
    check_panics(repeat_it, INT64_MAX, 0, "runtime error: string of 18446744073709551615 bytes");
}

static void parts_share_bytes(void)
{
    gort_string s = gort_string_from("hello, world"), w = gort_string_sub(s, 7, 12);
    CHECK_S(w, "world");
    CHECK_PTR_EQ(w.ptr, s.ptr + 7);
    CHECK_EQ(gort_string_sub(s, 12, 12).len, 0);
    CHECK_PTR_EQ(gort_string_sub(s, 12, 12).ptr, s.ptr); // not behind it
}

static void a_part_keeps_the_whole(void)
{
    gort_string w = gort_string_sub(gort_string_repeat(S("0123456789"), 5000), 40000, 40010);
    for (int i = 0; i < 3; i++) {
        gort_gc();
        (void)gort_string_repeat(S("x"), 50000);
    }
    CHECK_S(w, "0123456789");
}

static void empty_strings_are_equal(void)
{
    gort_string none = { NULL, 0 };
    CHECK(gort_string_equal(none, S("")));
    CHECK_EQ(gort_string_compare(none, S("")), 0);
    CHECK(gort_string_has_prefix(none, none) && gort_string_has_suffix(none, none));
    CHECK_STR_EQ(gort_string_to_c(none), "");
    CHECK_S(gort_string_concat(none, none), "");
    CHECK_S(gort_string_make(NULL, 0), "");
    CHECK_S(gort_string_repeat(none, INT64_MAX), "");
    CHECK_S(gort_string_trim_space(none), "");
    CHECK_EQ(gort_string_index(none, none), 0);
    CHECK_EQ(gort_string_last_index(none, none), 0);
    CHECK_EQ(gort_string_index_byte(none, 'x'), -1);
    CHECK_EQ(gort_string_fields(none).len, 0);
    CHECK_PTR_EQ(gort_string_intern(none).ptr, NULL);
}

static void zero_bytes_count(void)
{
    gort_string s = gort_string_make("a\0b\0", 4);
    CHECK_EQ(gort_string_index_byte(s, '\0'), 1);
    CHECK_EQ(gort_string_last_index(s, gort_string_make("\0", 1)), 3);
    CHECK_EQ(gort_string_compare(s, gort_string_make("a\0b\0\0", 5)), -1);
    CHECK_STR_EQ(gort_string_to_c(s), "a");
    CHECK_EQ(gort_string_split(s, gort_string_make("\0", 1)).len, 3);
}

static void order_is_by_bytes(void)
{
    static const char *const sorted[] = { "", "a", "aa", "ab", "b", "\x7f", "\x80", "\xff" };
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++)
            CHECK_EQ(gort_string_compare(gort_string_of(sorted[i]), gort_string_of(sorted[j])),
                     (i > j) - (i < j));
}

// ---- searching ----------------------------------------------------------------------------------

struct search {
    const char *s, *part;
    int first, last, count;
};

static void searches_find(void)
{
    static const struct search all[] = {
        { "", "", 0, 0, 1 },
        { "", "a", -1, -1, 0 },
        { "foo", "", 0, 3, 4 },
        { "foo", "o", 1, 2, 2 },
        { "oofofoofooo", "f", 2, 7, 3 },
        { "oofofoofooo", "foo", 4, 7, 2 },
        { "barfoobarfoo", "foo", 3, 9, 2 },
        { "foo", "barfoo", -1, -1, 0 },
        { "aaaa", "aa", 0, 2, 2 },
        { "fofofofooofoboto", "oboto", 11, 11, 1 },
        { "x012345678901234567890123456789012345678901234567890123456789012", "012", 1, 61, 7 },
        { "\xe2\x82\xac\xe2\x82\xac", "", 0, 6, 3 },
        { "\xe2\x82\xac\xe2\x82\xac", "\x82\xac", 1, 4, 2 },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        gort_string s = gort_string_of(all[i].s), part = gort_string_of(all[i].part);
        CHECK_EQ(gort_string_index(s, part), all[i].first);
        CHECK_EQ(gort_string_last_index(s, part), all[i].last);
        CHECK_EQ(gort_string_count(s, part), all[i].count);
        CHECK_EQ(gort_string_contains(s, part), all[i].first >= 0);
    }
}

// Parts that a simple search takes quadratic time for.
static void searches_are_linear(void)
{
    enum { N = 1 << 20 };
    gort_string a = gort_string_repeat(S("a"), N), half = gort_string_sub(a, 0, N / 2);
    gort_string front = gort_string_concat(S("b"), half), back = gort_string_concat(half, S("b"));
    CHECK_EQ(gort_string_index(a, front), -1);
    CHECK_EQ(gort_string_index(a, back), -1);
    CHECK_EQ(gort_string_last_index(a, front), -1);
    CHECK_EQ(gort_string_last_index(a, back), -1);
}

static void searches_agree_with_a_model(void)
{
    uint64_t random = test_seed();
    for (int64_t i = 0, n = test_count(20000); i < n; i++) {
        char text[64], part[8];
        size_t len = test_random(&random) % 64, m = test_random(&random) % 6;
        for (size_t k = 0; k < len; k++)
            text[k] = (char)('a' + test_random(&random) % 2);
        for (size_t k = 0; k < m; k++)
            part[k] = (char)('a' + test_random(&random) % 2);
        ptrdiff_t first = -1, last = -1;
        for (size_t k = 0; k + m <= len; k++) {
            if (memcmp(text + k, part, m) != 0) continue;
            if (first < 0) first = (ptrdiff_t)k;
            last = (ptrdiff_t)k;
        }
        gort_string s = { text, len }, p = { part, m };
        CHECK_EQ(gort_string_index(s, p), first);
        CHECK_EQ(gort_string_last_index(s, p), last);
        gort_strings parts = gort_string_split(s, p);
        if (m != 0) CHECK_EQ(parts.len, gort_string_count(s, p) + 1);
        CHECK(gort_string_equal(gort_string_join(parts.ptr, parts.len, p), s));
        CHECK(gort_string_equal(gort_string_replace(s, p, p, -1), s));
    }
}

// ---- taking apart, putting together -------------------------------------------------------------

static void split_is_by_separators(void)
{
    CHECK_PARTS(gort_string_split(S("a,b,c"), S(",")), 3, "a|b|c");
    CHECK_PARTS(gort_string_split(S(""), S(",")), 1, "");
    CHECK_PARTS(gort_string_split(S(","), S(",")), 2, "|");
    CHECK_PARTS(gort_string_split(S(",a,"), S(",")), 3, "|a|");
    CHECK_PARTS(gort_string_split(S("abc"), S(",")), 1, "abc");
    CHECK_PARTS(gort_string_split(S("1....2....3....4"), S("...")), 4, "1|.2|.3|.4");
    CHECK_PARTS(gort_string_split(S(""), S("")), 0, "");
    CHECK_PARTS(gort_string_split(S("abcd"), S("")), 4, "a|b|c|d");
    CHECK_PARTS(gort_string_split(S("\xe2\x98\xbaz\xff"), S("")), 3, "\xe2\x98\xba|z|\xff");
}

static void split_n_stops(void)
{
    CHECK_PARTS(gort_string_split_n(S("a,b,c"), S(","), 0), 0, "");
    CHECK_PARTS(gort_string_split_n(S("a,b,c"), S(","), 1), 1, "a,b,c");
    CHECK_PARTS(gort_string_split_n(S("a,b,c"), S(","), 2), 2, "a|b,c");
    CHECK_PARTS(gort_string_split_n(S("a,b,c"), S(","), 9), 3, "a|b|c");
    CHECK_PARTS(gort_string_split_n(S("abcd"), S(""), 2), 2, "a|bcd");
    CHECK_PARTS(gort_string_split_n(S("abcd"), S(""), 5), 4, "a|b|c|d");
}

static void fields_are_between_white_space(void)
{
    CHECK_PARTS(gort_string_fields(S(" ")), 0, "");
    CHECK_PARTS(gort_string_fields(S("  abc  ")), 1, "abc");
    CHECK_PARTS(gort_string_fields(S("1 2\t3\n4\v5\f6\r7")), 7, "1|2|3|4|5|6|7");
    CHECK_PARTS(gort_string_fields(S("a\xe2\x80\x80\xe2\x80\x89"
                                     "b\xc2\xa0"
                                     "c\xe3\x80\x80")),
                3, "a|b|c");
    CHECK_PARTS(gort_string_fields(S("a\xff b")), 2, "a\xff|b");
}

static void space_is_trimmed(void)
{
    CHECK_S(gort_string_trim_space(S("")), "");
    CHECK_S(gort_string_trim_space(S(" \t\r\n x\t\t\r\n ")), "x");
    CHECK_S(gort_string_trim_space(S(" a b  c ")), "a b  c");
    CHECK_S(gort_string_trim_space(S("\xe2\x80\x80\t x \xe2\x80\x80")), "x");
    CHECK_S(gort_string_trim_space(S("   ")), "");
    CHECK_S(gort_string_trim_space(S("\xff ")), "\xff");
}

static void cut_is_at_the_first(void)
{
    gort_string a, b;
    CHECK(gort_string_cut(S("k=v=w"), S("="), &a, &b));
    CHECK_S(a, "k");
    CHECK_S(b, "v=w");
    CHECK(!gort_string_cut(S("k"), S("="), &a, &b));
    CHECK_S(a, "k");
    CHECK_S(b, "");
    CHECK(gort_string_cut(S("k="), S("="), &a, NULL));
    CHECK(gort_string_cut(S("k"), S(""), NULL, &b));
    CHECK_S(b, "k");
}

static void strings_are_joined(void)
{
    gort_string all[] = { S("a"), S(""), S("bc"), { NULL, 0 } };
    CHECK_S(gort_string_join(all, 0, S(",")), "");
    CHECK_S(gort_string_join(all, 1, S(",")), "a");
    CHECK_S(gort_string_join(all, 4, S(", ")), "a, , bc, ");
    CHECK_S(gort_string_join(all, 4, S("")), "abc");
    CHECK_S(gort_string_concat(S("ab"), S("cd")), "abcd");
    CHECK_S(gort_string_repeat(S("ab"), 3), "ababab");
    CHECK_S(gort_string_repeat(S("ab"), 0), "");
}

static void strings_are_replaced(void)
{
    CHECK_S(gort_string_replace(S("banana"), S("a"), S("<>"), -1), "b<>n<>n<>");
    CHECK_S(gort_string_replace(S("banana"), S("a"), S("o"), 1), "bonana");
    CHECK_S(gort_string_replace(S("banana"), S("a"), S("o"), 0), "banana");
    CHECK_S(gort_string_replace(S("banana"), S("ana"), S("-"), -1), "b-na");
    CHECK_S(gort_string_replace(S("banana"), S("x"), S("-"), -1), "banana");
    CHECK_S(gort_string_replace(S("banana"), S(""), S("-"), -1), "-b-a-n-a-n-a-");
    CHECK_S(gort_string_replace(S("banana"), S(""), S("-"), 6), "-b-a-n-a-n-a");
    CHECK_S(gort_string_replace(S(""), S(""), S("-"), -1), "-");
    CHECK_S(gort_string_replace(S("\xe2\x98\xba!"), S(""), S("-"), -1), "-\xe2\x98\xba-!-");
}

// ---- interning ----------------------------------------------------------------------------------

static void equal_strings_are_interned_as_one(void)
{
    for (int i = 0; i < 500; i++) {
        gort_string a = gort_string_intern(gort_format("string %d", i));
        gort_string b = gort_string_intern(gort_format("string %d", i));
        CHECK(a.ptr == b.ptr && a.len == b.len);
        CHECK(gort_string_equal(a, gort_format("string %d", i)));
    }
    CHECK(gort_string_intern(S("a")).ptr != gort_string_intern(S("b")).ptr);
}

static gort_strings make_many(int round, int n)
{
    gort_strings kept = { NULL, 0, 0 };
    for (int i = 0; i < n; i++) {
        gort_string s = gort_string_intern(gort_format("%d of round %d", i, round));
        if (i % 10 == 0) gort_slice_append(gort_string, &kept, s);
    }
    return kept;
}

// What is kept has one address for as long; the table does not keep the others.
static void interned_strings_live_while_somebody_has_them(void)
{
    int n = (int)test_count(3000);
    gort_strings first = make_many(0, n);
    for (int round = 1; round < 6; round++) {
        make_many(round, n);
        gort_gc();
    }
    for (size_t i = 0; i < first.len; i++) {
        gort_string again = gort_string_intern(gort_format("%zu of round 0", i * 10));
        CHECK_PTR_EQ(again.ptr, first.ptr[i].ptr);
    }
}

static void intern_many(void *arg)
{
    struct world *w = ((struct member *)arg)->w;
    gort_strings *mine = gort_alloc(sizeof *mine);
    for (int i = 0; i < w->n; i++) {
        gort_string s = gort_string_intern(gort_format("shared %d", i % 100));
        gort_string again = gort_string_intern(gort_format("shared %d", i % 100));
        CHECK_PTR_EQ(s.ptr, again.ptr);
        gort_slice_append(gort_string, mine, s);
    }
    for (int i = 0; i < w->n; i++)
        CHECK(gort_string_equal(mine->ptr[i], gort_format("shared %d", i % 100)));
    gort_waitgroup_done(&w->wg);
}

static void goroutines_intern_beside_each_other(void)
{
    struct world w = { .n = (int)test_count(1000) };
    gort_waitgroup_add(&w.wg, 4);
    start_members(&w, 4, intern_many);
    gort_waitgroup_wait(&w.wg);
}

// ---- UTF-8 --------------------------------------------------------------------------------------

struct rune_bytes {
    gort_rune r;
    const char *bytes;
};

static void runes_go_there_and_back(void)
{
    static const struct rune_bytes all[] = {
        { 0, "" },
        { 1, "\x01" },
        { 0x7f, "\x7f" },
        { 0x80, "\xc2\x80" },
        { 0x7ff, "\xdf\xbf" },
        { 0x800, "\xe0\xa0\x80" },
        { 0xd7ff, "\xed\x9f\xbf" },
        { 0xe000, "\xee\x80\x80" },
        { 0xfffd, "\xef\xbf\xbd" },
        { 0xffff, "\xef\xbf\xbf" },
        { 0x10000, "\xf0\x90\x80\x80" },
        { 0x10ffff, "\xf4\x8f\xbf\xbf" },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char bytes[4];
        int size, n = gort_rune_encode(bytes, all[i].r);
        CHECK_EQ(n, all[i].r == 0 ? 1 : (int)strlen(all[i].bytes));
        CHECK(memcmp(bytes, all[i].bytes, (size_t)n) == 0);
        CHECK_EQ(gort_rune_len(all[i].r), n);
        CHECK_EQ(gort_rune_decode(bytes, (size_t)n, &size), all[i].r);
        CHECK_EQ(size, n);
        for (int cut = 1; cut < n; cut++) {
            CHECK_EQ(gort_rune_decode(bytes, (size_t)cut, &size), GORT_RUNE_ERROR);
            CHECK_EQ(size, 1);
        }
    }
}

static void every_rune_goes_there_and_back(void)
{
    for (gort_rune r = 0; r <= GORT_RUNE_MAX; r++) {
        char bytes[4];
        int size, n = gort_rune_encode(bytes, r);
        gort_rune want = r >= 0xd800 && r <= 0xdfff ? GORT_RUNE_ERROR : r;
        CHECK_EQ(gort_rune_decode(bytes, (size_t)n, &size), want);
        CHECK_EQ(size, n);
    }
}

static void what_is_no_rune_is_one_byte(void)
{
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xff",
        "\xc2\x41",
        "\xe2\x82\x41",
        "\xf0\x90\x80\x41",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int size;
        CHECK_EQ(gort_rune_decode(bad[i], strlen(bad[i]), &size), GORT_RUNE_ERROR);
        CHECK_EQ(size, 1);
        CHECK(!gort_string_valid(gort_string_of(bad[i])));
        CHECK(!gort_string_valid(gort_format("some valid text, then: %s", bad[i])));
    }
    int size;
    CHECK_EQ(gort_rune_decode(NULL, 0, &size), GORT_RUNE_ERROR);
    CHECK_EQ(size, 0);
    char bytes[4];
    CHECK_EQ(gort_rune_encode(bytes, -1), 3);
    CHECK_EQ(gort_rune_encode(bytes, 0x110000), 3);
    CHECK_EQ(gort_rune_len(0xd800), -1);
}

static void runes_are_counted(void)
{
    CHECK_EQ(gort_string_rune_count(S("")), 0);
    CHECK_EQ(gort_string_rune_count(S("\xe2\x98\xba\xe2\x98\xbb\xe2\x98\xb9")), 3);
    CHECK_EQ(gort_string_rune_count(S("1234567890123\xe2\x98\xba"
                                      "456789012345")),
             26);
    CHECK_EQ(gort_string_rune_count(S("\xe2\x00")), 2);
    CHECK_EQ(gort_string_rune_count(S("a\xe2\x80")), 3);
    gort_string s = S("a\xe2\x82\xac\xff!");
    static const gort_rune want[] = { 'a', 0x20ac, GORT_RUNE_ERROR, '!' };
    gort_rune r;
    int n = 0;
    for (size_t at = 0; gort_string_next(s, &at, &r); n++)
        CHECK_EQ(r, want[n]);
    CHECK_EQ(n, 4);
    CHECK(gort_string_valid(S("a\xe2\x82\xac!")));
}

// ---- builders -----------------------------------------------------------------------------------

static void builders_gather(void)
{
    gort_builder b = { 0 };
    CHECK_S(gort_builder_string(&b), "");
    gort_builder_add(&b, S("hello"));
    gort_builder_byte(&b, ',');
    gort_builder_rune(&b, 0x263a);
    gort_builder_rune(&b, -5);
    gort_builder_write(&b, NULL, 0);
    gort_builder_format(&b, " %d", 7);
    CHECK_S(gort_builder_string(&b), "hello,\xe2\x98\xba\xef\xbf\xbd 7");
}

static void what_was_built_stays(void)
{
    gort_builder b = { 0 };
    gort_builder_add(&b, S("abc"));
    gort_string s = gort_builder_string(&b);
    for (int i = 0; i < 1000; i++)
        gort_builder_byte(&b, 'x');
    CHECK_S(s, "abc");
    CHECK_EQ(gort_builder_string(&b).len, 1003);
    gort_builder_reset(&b);
    gort_builder_add(&b, S("new"));
    CHECK_S(s, "abc");
    CHECK_S(gort_builder_string(&b), "new");
}

static void a_builder_adds_itself(void)
{
    gort_builder b = { 0 };
    gort_builder_add(&b, S("ab"));
    for (int i = 0; i < 10; i++)
        gort_builder_add(&b, gort_builder_string(&b));
    CHECK_EQ(b.len, 2048);
    for (size_t i = 0; i < b.len; i++)
        CHECK_EQ(b.ptr[i], i % 2 == 0 ? 'a' : 'b');
    gort_builder f = { 0 };
    gort_builder_add(&f, S("xyz"));
    gort_builder_format(&f, "%.*s", GORT_STRING_ARGS(gort_builder_string(&f)));
    CHECK_S(gort_builder_string(&f), "xyzxyz");
}

static void a_builder_in_collected_memory(void)
{
    gort_builder *b = gort_new(gort_builder);
    for (int i = 0; i < 20000; i++)
        gort_builder_format(b, "%d ", i % 10);
    CHECK_EQ(b->len, 40000);
    for (size_t i = 0; i < b->len; i++)
        CHECK_EQ(b->ptr[i], i % 2 == 1 ? ' ' : '0' + (char)(i / 2 % 10));
}

// ---- formats ------------------------------------------------------------------------------------

// Not for the compilers' eyes: some of what is tested they warn of.
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

#define CHECK_FORMAT(format, ...)                                                                  \
    do {                                                                                           \
        char want[4096];                                                                           \
        const char *volatile format_ = (format);                                                   \
        int n = snprintf(want, sizeof want, format_, __VA_ARGS__);                                 \
        gort_string got = gort_format(format_, __VA_ARGS__);                                       \
        CHECK_STR_EQ(gort_string_to_c(got), want);                                                 \
        CHECK_EQ(got.len, n);                                                                      \
    } while (0)

static void formats_are_the_librarys(void)
{
    CHECK_FORMAT("%s", "");
    CHECK_FORMAT("%d%%%d", 1, -1);
    CHECK_FORMAT("%s|%10s|%-10s|%.2s|%10.2s|%-10.0s|", "abc", "abc", "abc", "abc", "abc", "abc");
    CHECK_FORMAT("%s %.3s %.6s %10s", (char *)NULL, (char *)NULL, (char *)NULL, (char *)NULL);
    CHECK_FORMAT("%c%5c%-5c|", 'a', 'b', 'c');
    CHECK_FORMAT("%p %p %20p %-20p|", (void *)0, (void *)0x1234, (void *)0xabcdef, (void *)1);
    CHECK_FORMAT("%hhd %hd %ld %lld %zd %jd %td", 300, 70000, LONG_MIN, LLONG_MAX, (ssize_t)-1,
                 INTMAX_MIN, (ptrdiff_t)5);
    CHECK_FORMAT("%hhu %hu %lu %llu %zu", 300, 70000, ULONG_MAX, 1ull, SIZE_MAX);
    CHECK_FORMAT("%*d %-*d %*d %.*d %.*d", 5, 1, 5, 2, -5, 3, 4, 5, -4, 6);
    CHECK_FORMAT("%2$s %1$s", "a", "b");
    CHECK_FORMAT("%d %2$d", 1, 2);
    CHECK_FORMAT("%ls %5lc|", L"wide", (wint_t)L'w');
    CHECK_FORMAT("%Lf %.3Lg", 1.5L, 2.5L);
    CHECK_FORMAT("%a %e %g %G %E", 1.5, 12345.678, 1e20, 1e-10, 0.0);
    CHECK_FORMAT("%f %f %F %f", NAN, INFINITY, -INFINITY, -0.0);
    CHECK_FORMAT("%s%d%g%s%f%d%s", "a", 1, 2.5, "b", 3.5, 4, "c");
    errno = EINTR;
    CHECK_FORMAT("%d: %m", 1);
}

static void whole_numbers_agree(void)
{
    static const char *const flags[] = { "", "-", "+", " ", "#", "0", "-0", "+0", "# 0", "-+ #0" };
    static const char *const widths[] = { "", "1", "5", "25", ".0", ".", ".3", "8.5", "30.25" };
    static const char conversions[] = "dioxXu";
    static const long values[] = { 0,        1,        -1,       7,          8,    9,
                                   10,       99,       100,      255,        1000, INT_MAX,
                                   LONG_MAX, LONG_MIN, -1234567, 12345678901 };
    for (size_t f = 0; f < sizeof flags / sizeof *flags; f++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
            for (size_t c = 0; c < sizeof conversions - 1; c++) {
                char format[32];
                snprintf(format, sizeof format, "[%%%s%sl%c]", flags[f], widths[w], conversions[c]);
                for (size_t v = 0; v < sizeof values / sizeof *values; v++)
                    CHECK_FORMAT(format, values[v]);
            }
}

static double random_double(uint64_t *random)
{
    uint64_t bits = test_random(random);
    double v;
    switch (bits % 5) {
    case 0:
        return (double)(int64_t)test_random(random) / 1000.0;
    case 1:
        return (double)(test_random(random) % 100000) / 64; // ties
    case 2:
        return (double)(test_random(random) % 1000) + 0.5;
    case 3:
        return ldexp((double)test_random(random), -(int)(test_random(random) % 200));
    default:
        memcpy(&v, &bits, sizeof v);
        return v;
    }
}

static void floats_agree(void)
{
    static const char *const formats[] = { "%f",     "%.0f",    "%.1f",      "%.2f",     "%.9f",
                                           "%.10f",  "%#.0f",   "%8.3f",     "%-12.2f|", "%+.3f",
                                           "% .3f",  "%012.4f", "%-012.1f|", "%g",       "%e",
                                           "%.3F",   "%+.9g",   "%-14g|",    "%014.3e",  "% .15G",
                                           "%.17g",  "%.0e",    "%#.0e",     "%#g",      "%.0g",
                                           "%24.16E" };
    uint64_t random = test_seed();
    for (int64_t i = 0, n = test_count(20000); i < n; i++) {
        double v = random_double(&random);
        CHECK_FORMAT(formats[(size_t)i % (sizeof formats / sizeof *formats)], v);
    }
}

static void long_results(void)
{
    gort_string a = gort_string_repeat(S("long "), 1000);
    gort_string s = gort_format("[%.*s] [%300d] [%-300s] [%.200d] [%.50g]", GORT_STRING_ARGS(a), 7,
                                "x", 5, 0.1);
    static char want[8192];
    int n = snprintf(want, sizeof want, "[%.*s] [%300d] [%-300s] [%.200d] [%.50g]",
                     GORT_STRING_ARGS(a), 7, "x", 5, 0.1);
    CHECK_EQ(s.len, n);
    CHECK(memcmp(s.ptr, want, s.len) == 0);
    for (int k = 240; k < 280; k++) {
        CHECK_EQ(gort_format("%*d", k, 1).len, k);
        CHECK_EQ(gort_format("%*g", k, 1.5).len, k);
    }
}

static void format_badly(void *arg)
{
    int n = 0;
    (void)gort_format(arg, &n);
}

static void check_bad_format(const char *format, const char *text)
{
    char copy[32];
    gort_panic_info info;
    strcpy(copy, format);
    CHECK(gort_try(format_badly, copy, &info));
    CHECK_STR_EQ(info.message, text);
}

static void bad_formats_panic(void)
{
    check_bad_format("%n", "gort_format: %n writes to memory");
    check_bad_format("%y", "gort_format: no conversion %y");
    check_bad_format("%", "gort_format: the format ends with %");
    check_bad_format("abc%-5", "gort_format: the format ends with %");
    check_bad_format("%99999999999d", "gort_format: a width that overflows");
}

// clang-format off
static const struct conform_case cases[] = {
    CASE(bounds_are_checked, 1), CASE(parts_share_bytes, 1), CASE(a_part_keeps_the_whole, 0),
    CASE(empty_strings_are_equal, 1), CASE(zero_bytes_count, 1), CASE(order_is_by_bytes, 1),
    CASE(searches_find, 1), CASE(searches_are_linear, 1), CASE(searches_agree_with_a_model, 1),
    CASE(split_is_by_separators, 1), CASE(split_n_stops, 1),
    CASE(fields_are_between_white_space, 1), CASE(space_is_trimmed, 1),
    CASE(cut_is_at_the_first, 1), CASE(strings_are_joined, 1), CASE(strings_are_replaced, 1),
    CASE(equal_strings_are_interned_as_one, 0),
    CASE(interned_strings_live_while_somebody_has_them, 0),
    CASE(goroutines_intern_beside_each_other, 0),
    CASE(runes_go_there_and_back, 1), CASE(every_rune_goes_there_and_back, 1),
    CASE(what_is_no_rune_is_one_byte, 1), CASE(runes_are_counted, 1), CASE(builders_gather, 1),
    CASE(what_was_built_stays, 1), CASE(a_builder_adds_itself, 1),
    CASE(a_builder_in_collected_memory, 0), CASE(formats_are_the_librarys, 1),
    CASE(whole_numbers_agree, 1), CASE(floats_agree, 1), CASE(long_results, 1),
    CASE(bad_formats_panic, 1),
};
// clang-format on

CONFORM_MAIN(cases)
