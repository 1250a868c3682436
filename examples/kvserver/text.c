/* Conversions and pattern matching; see text.h.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "text.h"

#include <string.h>

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

size_t text_from_i64(char *out, int64_t v)
{
    char reversed[TEXT_I64_MAX_SIZE];
    char *end = reversed + sizeof(reversed), *p = end;
    uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
    while (u >= 100) {
        p -= 2;
        memcpy(p, digit_pairs + u % 100 * 2, 2);
        u /= 100;
    }
    if (u >= 10) {
        p -= 2;
        memcpy(p, digit_pairs + u * 2, 2);
    } else {
        *--p = (char)('0' + u);
    }
    if (v < 0) *--p = '-';
    memcpy(out, p, (size_t)(end - p));
    return (size_t)(end - p);
}

bool text_to_i64(text t, int64_t *out)
{
    const char *p = t.bytes, *end = p + t.len;
    bool negative = p < end && *p == '-';
    p += negative;
    if (p == end || end - p > 19) return false;
    if (*p == '0' && (end - p > 1 || negative)) return false;
    uint64_t u = 0; /* 19 digits fit */
    for (; p < end; p++) {
        unsigned digit = (unsigned char)*p - (unsigned)'0';
        if (digit > 9) return false;
        u = u * 10 + digit;
    }
    if (u > (uint64_t)INT64_MAX + negative) return false;
    *out = (int64_t)(negative ? -u : u);
    return true;
}

static char lower_case(char ch)
{
    return ch >= 'A' && ch <= 'Z' ? (char)(ch | 0x20) : ch;
}

bool text_is(text t, const char *lower)
{
    for (size_t i = 0; i < t.len; i++) {
        if (lower[i] == '\0' || lower_case(t.bytes[i]) != lower[i]) return false;
    }
    return lower[t.len] == '\0';
}

bool text_equal(text a, text b)
{
    return a.len == b.len && memcmp(a.bytes, b.bytes, a.len) == 0;
}

/* Does ch belong to the class that starts after the '[' at *p?  *p is moved behind the class. */
static bool class_matches(const char **p, const char *end, char ch)
{
    const char *q = *p + 1;
    bool inverted = q < end && *q == '^', found = false;
    q += inverted;
    while (q < end && *q != ']') {
        if (*q == '\\' && q + 1 < end) q++;
        unsigned char low = (unsigned char)*q, high = low;
        if (end - q >= 3 && q[1] == '-') {
            high = (unsigned char)q[2];
            q += 2;
        }
        if (low > high) {
            unsigned char swap = low;
            low = high;
            high = swap;
        }
        found |= (unsigned char)ch >= low && (unsigned char)ch <= high;
        q++;
    }
    *p = q < end ? q + 1 : end;
    return found != inverted;
}

/* One element of the pattern, not a '*', against one character; *p is moved behind it. */
static bool element_matches(const char **p, const char *end, char ch)
{
    switch (**p) {
    case '?':
        ++*p;
        return true;
    case '[':
        return class_matches(p, end, ch);
    case '\\':
        if (end - *p >= 2) ++*p;
        break;
    default:
        break;
    }
    return *(*p)++ == ch;
}

/* Only the last '*' seen can need another try, so the time is at most t.len * pattern.len. */
bool text_matches(text t, text pattern)
{
    const char *s = t.bytes, *s_end = s + t.len;
    const char *p = pattern.bytes, *p_end = p + pattern.len;
    const char *star = NULL, *retry = NULL;
    for (;;) {
        if (p < p_end && *p == '*') {
            star = ++p;
            retry = s;
        } else if (s == s_end) {
            return p == p_end;
        } else if (p == p_end || !element_matches(&p, p_end, *s++)) {
            if (star == NULL) return false;
            p = star;
            s = ++retry;
        }
    }
}
