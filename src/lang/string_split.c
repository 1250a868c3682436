/* Taking strings apart: the parts share the bytes of the whole.
 *
 * How many parts there will be is counted first, so that their slice is made once.
 *
 * Answers to: genSplit, explode, Fields, TrimSpace, Cut in the package strings.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "lang/text.h"

/* ---- separators ------------------------------------------------------------------------------ */

static void add(gort_strings *parts, const char *p, size_t n)
{
    gort_slice_append(gort_string, parts, (gort_string){ n != 0 ? p : NULL, n });
}

static gort_strings with_room(size_t n)
{
    return gort_slice_make(gort_strings, gort_string, 0, (int64_t)n);
}

/* Between runes. */
static gort_strings explode(gort_string s, size_t n)
{
    size_t runes = gort_string_rune_count(s), at = 0;
    if (n > runes) n = runes;
    gort_strings parts = with_room(n);
    while (parts.len + 1 < n) {
        int size;
        (void)gort_rune_decode(s.ptr + at, s.len - at, &size);
        add(&parts, s.ptr + at, (size_t)size);
        at += (size_t)size;
    }
    if (n != 0) add(&parts, s.ptr + at, s.len - at);
    return parts;
}

gort_strings gort_string_split_n(gort_string s, gort_string separator, int64_t n)
{
    size_t most = n < 0 ? SIZE_MAX : (size_t)n, at = 0;
    if (n == 0) return (gort_strings){ NULL, 0, 0 };
    if (separator.len == 0) return explode(s, most);
    size_t count = gort_string_count(s, separator) + 1;
    if (count > most) count = most;
    gort_strings parts = with_room(count);
    while (parts.len + 1 < count) {
        size_t i = (size_t)text_index(s.ptr + at, s.len - at, separator);
        add(&parts, s.ptr + at, i);
        at += i + separator.len;
    }
    add(&parts, s.ptr + at, s.len - at);
    return parts;
}

gort_strings gort_string_split(gort_string s, gort_string separator)
{
    return gort_string_split_n(s, separator, -1);
}

bool gort_string_cut(gort_string s, gort_string separator, gort_string *before, gort_string *after)
{
    ptrdiff_t i = gort_string_index(s, separator);
    size_t end = i >= 0 ? (size_t)i : s.len, rest = i >= 0 ? end + separator.len : s.len;
    if (before != NULL) *before = gort_string_sub(s, 0, (int64_t)end);
    if (after != NULL) *after = gort_string_sub(s, (int64_t)rest, (int64_t)s.len);
    return i >= 0;
}

/* ---- white space ----------------------------------------------------------------------------- */

/* What Unicode calls White_Space. */
static bool is_space(gort_rune r)
{
    if (r < 0x80) return r == ' ' || (r >= '\t' && r <= '\r');
    return r == 0x85 || r == 0xa0 || r == 0x1680 || (r >= 0x2000 && r <= 0x200a) || r == 0x2028 ||
           r == 0x2029 || r == 0x202f || r == 0x205f || r == 0x3000;
}

/* From byte at on: where the first rune is that is white space, or is not. */
static size_t skip(gort_string s, size_t at, bool space)
{
    gort_rune r;
    for (size_t next = at; gort_string_next(s, &next, &r); at = next)
        if (is_space(r) != space) break;
    return at;
}

gort_strings gort_string_fields(gort_string s)
{
    gort_strings parts = { NULL, 0, 0 };
    for (size_t a = skip(s, 0, true), b; a < s.len; a = skip(s, b, true)) {
        b = skip(s, a, false);
        add(&parts, s.ptr + a, b - a);
    }
    return parts;
}

gort_string gort_string_trim_space(gort_string s)
{
    size_t a = skip(s, 0, true), end = a;
    for (size_t b = a; b < s.len; b = skip(s, b, true))
        end = b = skip(s, b, false);
    return gort_string_sub(s, (int64_t)a, (int64_t)end);
}
