/* UTF-8, by Go's rules: each byte that begins no rune is one of its own.
 *
 * A rune's first byte says how many follow, and bounds the second: that excludes forms that are
 * longer than needed, surrogates, and what is above GORT_RUNE_MAX.
 *
 * Answers to: the package unicode/utf8.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <string.h>

#include "lang/text.h"

#define SURROGATE_FIRST 0xd800
#define SURROGATE_LAST 0xdfff

static gort_rune bad_byte(int *size)
{
    *size = 1;
    return GORT_RUNE_ERROR;
}

static bool continues(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* What the second byte may be. */
static bool second_fits(unsigned first, unsigned second)
{
    unsigned lo = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned hi = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    return second >= lo && second <= hi;
}

gort_rune gort_rune_decode_raw(const char *text, size_t n, int *size)
{
    const unsigned char *p = (const unsigned char *)text;
    *size = n != 0;
    if (n == 0) return GORT_RUNE_ERROR;
    if (p[0] < 0x80) return p[0];
    int length = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    if (length == 0 || n < (size_t)length || !second_fits(p[0], p[1])) return bad_byte(size);
    gort_rune r = p[0] & (0x7f >> length);
    for (int i = 1; i < length; i++) {
        if (!continues(p[i])) return bad_byte(size);
        r = r << 6 | (p[i] & 0x3f);
    }
    *size = length;
    return r;
}

int gort_rune_len(gort_rune r)
{
    if (r < 0 || r > GORT_RUNE_MAX || (r >= SURROGATE_FIRST && r <= SURROGATE_LAST)) return -1;
    return r < 0x80 ? 1 : r < 0x800 ? 2 : r < 0x10000 ? 3 : 4;
}

int gort_rune_encode(char out[4], gort_rune r)
{
    static const unsigned char first[5] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    int n = gort_rune_len(r);
    if (n < 0) return gort_rune_encode(out, GORT_RUNE_ERROR);
    for (int i = n - 1; i > 0; i--, r >>= 6)
        out[i] = (char)(0x80 | (r & 0x3f));
    out[0] = (char)(first[n] | r);
    return n;
}

/* From byte at on: how many are ASCII, by words. */
static size_t ascii_run(gort_string s, size_t at)
{
    size_t i = at;
    for (uint64_t word; i + sizeof word <= s.len; i += sizeof word) {
        memcpy(&word, s.ptr + i, sizeof word);
        if ((word & UINT64_C(0x8080808080808080)) != 0) break;
    }
    while (i < s.len && (unsigned char)s.ptr[i] < 0x80)
        i++;
    return i - at;
}

bool gort_string_valid(gort_string s)
{
    for (size_t at = ascii_run(s, 0); at < s.len; at += ascii_run(s, at)) {
        int size;
        gort_rune r = gort_rune_decode(s.ptr + at, s.len - at, &size);
        if (r == GORT_RUNE_ERROR && size == 1) return false;
        at += (size_t)size;
    }
    return true;
}

size_t gort_string_rune_count(gort_string s)
{
    size_t at = ascii_run(s, 0), n = at, run;
    for (; at < s.len; at += run, n += run) {
        int size;
        (void)gort_rune_decode(s.ptr + at, s.len - at, &size);
        at += (size_t)size;
        n++;
        run = ascii_run(s, at);
    }
    return n;
}
